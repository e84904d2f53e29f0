/* The current-thread pool behind the table of functions that all pools have.
 * Invariant: who waits here for the pool's end, or for that of a task, is in no task of it. */
#include "current.h"

#include "base/assert.h"
#include "base/status.h"
#include "clock.h"

#include <sched.h>
#include <string.h>

static bool is_forked(struct tp_current *current)
{
    return tp_life_state(tp_life_look(&current->life)) == TP_LIFE_FORKED;
}

static int ops_open(void **out, const struct tp_pool_settings *settings)
{
    static const struct tp_pool_settings none;
    const struct tp_pool_settings *asked = settings ? settings : &none;
    struct tp_pool_settings may = *asked; /* what may be chosen; of all else there is one kind */
    may.capacity = 0;
    may.seed = 0;
    struct tp_current *current;
    int status = tp_pool_settings_fit(&may, &(struct tp_pool_settings){.policy = TP_POLICY_FIFO, .stealing = TP_STEALING_OFF, .overload = TP_OVERLOAD_REJECT, .tasks = TP_TASKS_COROUTINE});
    if (status == 0)
        status = tp__current_open(&current, &(struct tp_current_settings){.capacity = asked->capacity, .seed = asked->seed, .on_panic = asked->on_panic, .context = asked->context});
    if (status == 0)
        *out = current;
    return status;
}

/* -- tasks -------------------------------------------------------------------------------------- */

static int ops_submit(void *pool, const void *payload)
{
    uint64_t id;
    return tp__current_accept(pool, payload, false, &id);
}

static int ops_spawn(void *pool, unsigned class_, const void *payload, uint64_t *id)
{
    return class_ == 0 || class_ == UINT_MAX ? tp__current_accept(pool, payload, true, id) : TP_EINVAL;
}

static int ops_offer(void *pool, unsigned class_, const void *payloads, size_t n, uint64_t *ids, size_t *n_accepted)
{
    const struct tp_call *calls = payloads;
    int status = class_ == 0 || class_ == UINT_MAX ? 0 : TP_EINVAL;
    size_t i = 0;
    uint64_t id;
    while (status == 0 && i < n) {
        status = tp__current_accept(pool, &calls[i], ids != NULL, ids ? &ids[i] : &id);
        i += status == 0;
    }
    if (n_accepted)
        *n_accepted = i;
    return status;
}

static int ops_submit_batch(void *pool, const void *payloads, size_t n, size_t *n_accepted)
{
    return ops_offer(pool, 0, payloads, n, NULL, n_accepted);
}

static int ops_wait(void *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    struct tp_current *current = pool;
    if (is_forked(current))
        return TP_EFORKED;
    if (id != 0 && tp_run_is_inside(current, id))
        return TP_EDEADLK;
    int status = id != 0 ? tp__current_await(current, id, deadline_ns) : TP_ESTALE;
    return status == 0 ? tp_track_wait(&current->track, id, 0, result) : status;
}

static int ops_detach(void *pool, uint64_t id)
{
    struct tp_current *current = pool;
    return is_forked(current) ? TP_EFORKED : tp_track_release(&current->track, id);
}

static int ops_cancel_task(void *pool, uint64_t id)
{
    struct tp_current *current = pool;
    if (is_forked(current))
        return TP_EFORKED;
    int status = tp_track_cancel(&current->track, id);
    if (status == 0)
        tp_fibers_ask(&current->fibers, id); /* it may sleep */
    return status;
}

static int ops_join_all(void *pool, uint64_t deadline_ns)
{
    struct tp_current *current = pool;
    if (tp_run_depth(current) > 0)
        return TP_EDEADLK;
    return is_forked(current) ? TP_EFORKED : tp__current_await(current, 0, deadline_ns);
}

/* -- numbers ------------------------------------------------------------------------------------ */

static void ops_flow(void *pool, uint64_t *accepted, uint64_t *over)
{
    struct tp_current *current = pool;
    tp_spin_lock(&current->lock);
    *accepted = current->n_accepted;
    *over = current->stats.completed + current->stats.cancelled;
    tp_spin_unlock(&current->lock);
}

/* Of one moment, but for who sleeps. The lock is held. */
static struct tp_pool_counts count(struct tp_current *current)
{
    struct tp_pool_counts now = {.capacity = current->capacity};
    uint64_t n_begun = current->n_begun - current->stats.completed - current->stats.cancelled, n_asleep = tp_fibers_n_asleep(&current->fibers);
    now.pending = current->n_accepted - current->n_begun;
    now.suspended = n_asleep < n_begun ? n_asleep : n_begun;
    now.running = n_begun - now.suspended;
    now.free = current->capacity > now.pending + n_begun ? current->capacity - now.pending - n_begun : 0;
    return now;
}

static void ops_counts(void *pool, struct tp_pool_counts *out)
{
    struct tp_current *current = pool;
    tp_spin_lock(&current->lock);
    *out = count(current);
    tp_spin_unlock(&current->lock);
}

static void ops_stats(void *pool, struct tp_pool_stats *out)
{
    struct tp_current *current = pool;
    tp_spin_lock(&current->lock);
    *out = current->stats;
    out->submitted = current->n_accepted;
    out->now = count(current);
    out->workers = current->is_driven;
    tp_spin_unlock(&current->lock);
    out->stack_bytes = current->fibers.stack_bytes;
}

static size_t ops_workers(void *pool, struct tp_worker_info *out, size_t n)
{
    struct tp_current *current = pool;
    if (n == 0)
        return 1;
    *out = (struct tp_worker_info){.thread = tp_load_rlx(&current->tid)}; /* relaxed, as below: numbers on their own */
    tp_activity_look(&current->activity, out);
    out->n_tasks = tp_load_rlx(&current->n_over);
    out->n_steps += out->n_tasks + tp_fiber_cache_n_left(&current->cache);
    return 1;
}

static void ops_settings(void *pool, struct tp_pool_settings *out)
{
    struct tp_current *current = pool;
    *out = (struct tp_pool_settings){.policy = TP_POLICY_FIFO, .stealing = TP_STEALING_OFF, .overload = TP_OVERLOAD_REJECT, .tasks = TP_TASKS_COROUTINE, .on_panic = current->fibers.run.on_panic, .context = current->fibers.run.context};
    tp_spin_lock(&current->lock);
    out->capacity = current->capacity;
    tp_spin_unlock(&current->lock);
}

static int ops_tune(void *pool, uint64_t capacity)
{
    struct tp_current *current = pool;
    tp_spin_lock(&current->lock);
    bool changes = capacity != 0 && capacity <= INT64_MAX && capacity != current->capacity;
    if (changes)
        current->capacity = capacity;
    tp_spin_unlock(&current->lock);
    return changes ? 0 : TP_EUNCHANGED;
}

/* -- ends --------------------------------------------------------------------------------------- */

/* The steps of closing, by the first; of cancelling, by the first who does. Returns false if there is nothing to wait for. */
static bool begin_end(struct tp_current *current, bool cancel, uint32_t *generation)
{
    enum tp_life_outcome outcome = tp_life_close(&current->life, cancel, generation);
    if (cancel && (outcome == TP_LIFE_FIRST || outcome == TP_LIFE_UPGRADED)) {
        tp_store_sc(&current->stop, 1);
        tp_fibers_ask_all(&current->fibers); /* after `stop` [FIBER-4] */
    }
    if (outcome == TP_LIFE_FIRST) {
        tp_spin_lock(&current->lock); /* the last who put a task down are through [LIFE-2] */
        tp_spin_unlock(&current->lock);
        tp_life_drain(&current->life);
    }
    return outcome != TP_LIFE_OVER && outcome != TP_LIFE_DEAD;
}

static int end(struct tp_current *current, bool cancel, uint64_t deadline_ns)
{
    uint32_t generation;
    int status = 0;
    if (tp_run_depth(current) > 0)
        return TP_EDEADLK;
    tp_add_sc(&current->n_closing, 1); /* before the look at the life [LIFE-5] */
    if (begin_end(current, cancel, &generation)) {
        while (tp_life_state(tp_life_look(&current->life)) == TP_LIFE_CLOSING)
            sched_yield(); /* another one takes the steps; they are few */
        status = tp__current_await(current, 0, deadline_ns);
        if (status == 0)
            tp_life_end(&current->life, generation);
    }
    tp_add_sc(&current->n_closing, (uint32_t)-1); /* [LIFE-5] */
    return status;
}

static int ops_close(void *pool, uint64_t deadline_ns)
{
    return end(pool, false, deadline_ns);
}

static int ops_cancel(void *pool, uint64_t deadline_ns)
{
    return end(pool, true, deadline_ns);
}

static int ops_reopen(void *pool)
{
    struct tp_current *current = pool;
    int status = tp_life_reopen(&current->life);
    if (status != 0)
        return status;
    while (tp_load_sc(&current->n_closing) != 0) /* one order with the additions in `end` [LIFE-5] */
        sched_yield();
    tp_store_sc(&current->stop, 0);
    tp_spin_lock(&current->lock);
    current->n_accepted = current->n_begun = 0;
    memset(&current->stats, 0, sizeof current->stats);
    tp_spin_unlock(&current->lock);
    return tp_life_open(&current->life);
}

static void ops_free(void *pool)
{
    if (!pool)
        return;
    int status = end(pool, false, TP_FOREVER);
    tp_assert(status == 0); /* else a task of this pool frees it */
    (void)status;
    tp__current_free(pool);
}

static struct tp_fibers *ops_fibers(void *pool)
{
    return &((struct tp_current *)pool)->fibers;
}

static struct tp_track *ops_track(void *pool)
{
    return &((struct tp_current *)pool)->track;
}

const struct tp_pool_ops tp__current_ops = {
    .name = "current",
    .payload = "struct tp_call",
    .payload_bytes = sizeof(struct tp_call),
    .n_classes = 1,
    .open = ops_open,
    .submit = ops_submit,
    .submit_batch = ops_submit_batch,
    .spawn = ops_spawn,
    .wait = ops_wait,
    .detach = ops_detach,
    .cancel_task = ops_cancel_task,
    .join_all = ops_join_all,
    .tune = ops_tune,
    .close = ops_close,
    .cancel = ops_cancel,
    .reopen = ops_reopen,
    .free = ops_free,
    .counts = ops_counts,
    .stats = ops_stats,
    .settings = ops_settings,
    .offer = ops_offer,
    .flow = ops_flow,
    .track = ops_track,
    .workers = ops_workers,
    .fibers = ops_fibers,
};
