/* The template of a multi-pool named `job`: the payload's type around runtime/multi.h, and nothing else.
 * Holes, beside VALUE_INCLUDE (the headers of the pools) and VALUE_PAYLOAD (which all of them have):
 * VALUE_MEMBERS, initialisers { ops, how many of it }, and VALUE_BALANCE, an enum tp_balance.
 * A switch is on if it is on in every pool; but WITH_BLOCK, if it is on in one. */
#include "options.h"

#include "multi.h"

#include <limits.h>

/* The pools, and how many of each. */
static const struct job_kind {
    const struct tp_pool_ops *ops;
    size_t n;
} job_kinds[] = {VALUE_MEMBERS};

/* A struct job_pool is what the library knows as a struct tp_multi. */
static struct tp_multi *job_multi(struct job_pool *pool)
{
    return (struct tp_multi *)pool;
}

/* Opens the pools of one kind behind those that are open. */
static int job_kind_open(const struct job_kind *kind, const struct tp_pool_settings *settings, struct tp_multi_member *members, size_t *n)
{
    for (size_t i = 0; i < kind->n; i++) {
        if (*n == TP_MULTI_MEMBERS_MAX)
            return TP_EINVAL;
        int status = kind->ops->open(&members[*n].pool, settings);
        if (status != 0)
            return status;
        members[(*n)++].ops = kind->ops;
    }
    return 0;
}

int job_pool_open(struct job_pool **out, const struct tp_pool_settings *settings)
{
    struct tp_multi_member members[TP_MULTI_MEMBERS_MAX];
    struct tp_multi *multi;
    size_t n = 0;
    int status = 0;
    for (size_t i = 0; i < sizeof job_kinds / sizeof job_kinds[0] && status == 0; i++)
        status = job_kind_open(&job_kinds[i], settings, members, &n);
    if (status == 0)
        status = tp_multi_open(&multi, members, n, VALUE_BALANCE);
    if (status != 0) {
        while (n > 0) {
            n--;
            members[n].ops->free(members[n].pool);
        }
        return status;
    }
    *out = (struct job_pool *)multi;
    return 0;
}

int job_submit(struct job_pool *pool, VALUE_PAYLOAD payload)
{
    return tp_multi_submit(job_multi(pool), &payload);
}

int job_submit_batch(struct job_pool *pool, VALUE_PAYLOAD const *payloads, size_t n, size_t *n_accepted)
{
    return tp_multi_submit_batch(job_multi(pool), payloads, n, n_accepted);
}
#if WITH_CLASSES

int job_submit_class(struct job_pool *pool, unsigned class_, VALUE_PAYLOAD payload)
{
    return tp_multi_submit_class(job_multi(pool), class_, &payload);
}
#endif
#if WITH_TRACKING

int job_spawn(struct job_pool *pool, VALUE_PAYLOAD payload, struct tp_multi_id *id)
{
    return tp_multi_spawn(job_multi(pool), UINT_MAX, &payload, id);
}
#endif
#if WITH_TRACKING && WITH_CLASSES

int job_spawn_class(struct job_pool *pool, unsigned class_, VALUE_PAYLOAD payload, struct tp_multi_id *id)
{
    return tp_multi_spawn(job_multi(pool), class_, &payload, id);
}
#endif
#if WITH_TRACKING

int job_wait(struct job_pool *pool, struct tp_multi_id id, uint64_t deadline_ns, struct tp_task_result *result)
{
    return tp_multi_wait(job_multi(pool), id, deadline_ns, result);
}

int job_join(struct job_pool *pool, struct tp_multi_id id, uint64_t deadline_ns, struct tp_task_result *result)
{
    return tp_multi_join(job_multi(pool), id, deadline_ns, result);
}

int job_detach(struct job_pool *pool, struct tp_multi_id id)
{
    return tp_multi_detach(job_multi(pool), id);
}

int job_cancel_task(struct job_pool *pool, struct tp_multi_id id)
{
    return tp_multi_cancel_task(job_multi(pool), id);
}
#endif

int job_join_all(struct job_pool *pool, uint64_t deadline_ns)
{
    return tp_multi_join_all(job_multi(pool), deadline_ns);
}
#if WITH_TUNE

int job_pool_tune(struct job_pool *pool, uint64_t capacity)
{
    return tp_multi_tune(job_multi(pool), capacity);
}

int job_pool_tune_workers(struct job_pool *pool, uint32_t workers)
{
    return tp_multi_tune_workers(job_multi(pool), workers);
}
#endif

int job_pool_close(struct job_pool *pool, uint64_t deadline_ns)
{
    return tp_multi_close(job_multi(pool), deadline_ns);
}

int job_pool_cancel(struct job_pool *pool, uint64_t deadline_ns)
{
    return tp_multi_cancel(job_multi(pool), deadline_ns);
}

int job_pool_reopen(struct job_pool *pool)
{
    return tp_multi_reopen(job_multi(pool));
}

void job_pool_abandon(struct job_pool *pool)
{
    tp_multi_abandon(job_multi(pool));
}

void job_pool_free(struct job_pool *pool)
{
    tp_multi_free(job_multi(pool));
}

void job_pool_counts(struct job_pool *pool, struct tp_pool_counts *out)
{
    tp_multi_counts(job_multi(pool), out);
}

void job_pool_member_counts(struct job_pool *pool, size_t index, struct tp_pool_counts *out)
{
    tp_multi_member_counts(job_multi(pool), index, out);
}
#if WITH_STATS

void job_pool_stats(struct job_pool *pool, struct tp_pool_stats *out)
{
    tp_multi_stats(job_multi(pool), out);
}
#endif
