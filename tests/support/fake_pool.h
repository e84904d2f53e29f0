/* Pools that are not real, behind struct tp_pool_ops: each says what it is told to, and all write down what they are
 * asked: " a5" a was handed 5, " a5..7" a batch, " a5/2" in class 2, " a5/2!" with a handle, " a?5" was offered it;
 * "full": it said so; "waits": its submitter would have waited, or whatever its policy is. */
#ifndef FAKE_POOL_H
#define FAKE_POOL_H

#include "unit.h"

#include "runtime/base/status.h"
#include "runtime/pool.h"

#include <stdio.h>
#include <string.h>

enum { FAKES = 40,
    LOG_BYTES = 4096 };

struct fake {
    const char *name;
    struct tp_pool_settings settings;
    struct tp_pool_counts counts;
    struct tp_pool_stats stats;
    uint64_t n_accepted;            /* ever */
    bool is_inside;                 /* the caller is a task of it */
    int submit, end, tune;          /* what it says if there is no other reason; submit: once */
    int join;                       /* what it says to join_all, when it is asked to wait */
    void (*on_join)(struct fake *); /* called by join_all after it found quiet */
};

static struct fake fakes[FAKES];
static unsigned n_looks; /* at the numbers of any */
static char written[LOG_BYTES];
static size_t n_written;

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    n_written += (size_t)vsnprintf(written + n_written, sizeof written - n_written, format, arguments);
    va_end(arguments);
    assert_true(n_written < sizeof written);
}

static void forget(void)
{
    written[0] = '\0';
    n_written = 0;
}

/* What has been written since the last look must be this. */
static void assert_written(const char *expected)
{
    assert_string_equal(written, expected);
    forget();
}

static void take(struct fake *fake, size_t n)
{
    fake->n_accepted += n;
    fake->counts.pending += n;
    fake->counts.free -= n < fake->counts.free ? n : fake->counts.free;
}

/* One that blocks takes everything: the test reads in the log that it would have waited. */
static int fake_batch(struct fake *fake, size_t n, size_t *n_accepted)
{
    int status = fake->submit;
    fake->submit = 0;
    bool waits = fake->settings.overload != TP_OVERLOAD_REJECT && n > fake->counts.free;
    size_t n_put = status != 0 ? 0 : waits || n <= fake->counts.free ? n
                                                                     : (size_t)fake->counts.free;
    if (status == 0 && n_put < n)
        status = TP_EFULL;
    note("%s%s", waits ? "waits" : "", status == TP_EFULL ? "full" : "");
    take(fake, n_put);
    *n_accepted = n_put;
    return status;
}

static int fake_submit(void *pool, const void *payload)
{
    struct fake *fake = pool;
    size_t n_accepted;
    note(" %s%d", fake->name, *(const int *)payload);
    return fake_batch(fake, 1, &n_accepted);
}

static int fake_submit_class(void *pool, unsigned class_, const void *payload)
{
    struct fake *fake = pool;
    size_t n_accepted;
    note(" %s%d/%u", fake->name, *(const int *)payload, class_);
    return fake_batch(fake, 1, &n_accepted);
}

static int fake_submit_batch(void *pool, const void *payloads, size_t n, size_t *n_accepted)
{
    struct fake *fake = pool;
    note(" %s%d..%d", fake->name, *(const int *)payloads, ((const int *)payloads)[n - 1]);
    return fake_batch(fake, n, n_accepted);
}

static int fake_spawn(void *pool, unsigned class_, const void *payload, uint64_t *id)
{
    struct fake *fake = pool;
    size_t n_accepted;
    note(" %s%d/%u!", fake->name, *(const int *)payload, class_);
    int status = fake_batch(fake, 1, &n_accepted);
    if (status == 0)
        *id = 1000 + fake->counts.pending;
    return status;
}

__attribute__((unused)) static int fake_offer(void *pool, unsigned class_, const void *payloads, size_t n, uint64_t *ids, size_t *n_accepted)
{
    struct fake *fake = pool;
    note(" %s?%d", fake->name, *(const int *)payloads);
    if (class_ != UINT32_MAX)
        note("/%u", class_);
    *n_accepted = n <= fake->counts.free ? n : (size_t)fake->counts.free;
    take(fake, *n_accepted);
    for (size_t i = 0; ids && i < *n_accepted; i++)
        ids[i] = 2000 + fake->counts.pending + i;
    note("%s", *n_accepted < n ? "full" : "");
    return *n_accepted < n ? TP_EFULL : 0;
}

static int fake_wait(void *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    note(" wait %s %d %d", ((struct fake *)pool)->name, (int)id, (int)deadline_ns);
    result->code = 17;
    return 0;
}

static int fake_detach(void *pool, uint64_t id)
{
    note(" detach %s %d", ((struct fake *)pool)->name, (int)id);
    return 0;
}

static int fake_cancel_task(void *pool, uint64_t id)
{
    note(" cancel_task %s %d", ((struct fake *)pool)->name, (int)id);
    return TP_ESTALE;
}

static int fake_join_all(void *pool, uint64_t deadline_ns)
{
    struct fake *fake = pool;
    if (fake->is_inside)
        return TP_EDEADLK;
    if (deadline_ns == 0) /* somebody asks who he is */
        return fake->counts.pending > 0 ? TP_ETIMEDOUT : 0;
    note(" join %s", fake->name);
    if (fake->join == 0 && fake->on_join)
        fake->on_join(fake);
    return fake->join;
}

static int fake_tune(void *pool, uint64_t capacity)
{
    note(" tune %s %d", ((struct fake *)pool)->name, (int)capacity);
    return ((struct fake *)pool)->tune;
}

static int fake_tune_workers(void *pool, uint32_t workers)
{
    note(" workers %s %d", ((struct fake *)pool)->name, (int)workers);
    return ((struct fake *)pool)->tune;
}

static int fake_end(struct fake *fake, const char *how, uint64_t deadline_ns)
{
    note(" %s %s %d", how, fake->name, (int)deadline_ns);
    return fake->is_inside ? TP_EDEADLK : deadline_ns == 0 && fake->end == 0 ? TP_ETIMEDOUT
                                                                             : fake->end;
}

static int fake_close(void *pool, uint64_t deadline_ns)
{
    return fake_end(pool, "close", deadline_ns);
}

static int fake_cancel(void *pool, uint64_t deadline_ns)
{
    return fake_end(pool, "cancel", deadline_ns);
}

static int fake_reopen(void *pool)
{
    note(" reopen %s", ((struct fake *)pool)->name);
    return ((struct fake *)pool)->end;
}

static void fake_abandon(void *pool)
{
    note(" abandon %s", ((struct fake *)pool)->name);
}

static void fake_free(void *pool)
{
    note(" free %s", ((struct fake *)pool)->name);
}

static void fake_counts(void *pool, struct tp_pool_counts *out)
{
    n_looks++;
    *out = ((struct fake *)pool)->counts;
}

__attribute__((unused)) static void fake_flow(void *pool, uint64_t *accepted, uint64_t *over)
{
    struct fake *fake = pool;
    n_looks++;
    *accepted = fake->n_accepted;
    *over = fake->n_accepted - fake->counts.pending - fake->counts.running;
}

static void fake_stats(void *pool, struct tp_pool_stats *out)
{
    *out = ((struct fake *)pool)->stats;
}

static void fake_settings(void *pool, struct tp_pool_settings *out)
{
    *out = ((struct fake *)pool)->settings;
}

static const struct tp_pool_ops whole_ops = {
    .name = "fake",
    .payload_bytes = sizeof(int),
    .n_classes = 3,
    .submit = fake_submit,
    .submit_class = fake_submit_class,
    .submit_batch = fake_submit_batch,
    .spawn = fake_spawn,
    .wait = fake_wait,
    .detach = fake_detach,
    .cancel_task = fake_cancel_task,
    .join_all = fake_join_all,
    .tune = fake_tune,
    .tune_workers = fake_tune_workers,
    .close = fake_close,
    .cancel = fake_cancel,
    .reopen = fake_reopen,
    .abandon = fake_abandon,
    .free = fake_free,
    .counts = fake_counts,
    .stats = fake_stats,
    .settings = fake_settings,
};

/* Only what a multi-pool cannot do without. */
__attribute__((unused)) static const struct tp_pool_ops bare_ops = {
    .name = "bare",
    .payload_bytes = sizeof(int),
    .n_classes = 1,
    .submit = fake_submit,
    .submit_batch = fake_submit_batch,
    .join_all = fake_join_all,
    .close = fake_close,
    .free = fake_free,
    .counts = fake_counts,
};

#endif
