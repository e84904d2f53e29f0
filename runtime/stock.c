/* Stock pools: settings choose one of the pools generated from runtime/stock.pool, which is then driven
 * through its table of functions. Only programs that open a stock pool link this file, and those. */
#include "stock.h"

#include "base/atomic.h"
#include "base/status.h"

#include <stdlib.h>

/* Generated; see stock.pool. */
extern const struct tp_pool_ops stock_fifo_half_pool_ops, stock_fifo_one_pool_ops, stock_fifo_off_pool_ops,
    stock_fifo_drop_pool_ops, stock_lifo_half_pool_ops, stock_lifo_one_pool_ops, stock_lifo_off_pool_ops,
    stock_lifo_drop_pool_ops, stock_priority_pool_ops, stock_fair_pool_ops, stock_adaptive_half_pool_ops,
    stock_adaptive_one_pool_ops, stock_adaptive_off_pool_ops, stock_coroutine_pool_ops;

struct tp_pool {
    const struct tp_pool_ops *ops;
    void *pool;             /* what ops->open made */
    unsigned class_default; /* of tasks that name none */
};

/* The variant for what is asked, in which everything is then said that the variant needs to hear, and
 * nothing that has no meaning there. Returns NULL for a choice that there is not. */
static const struct tp_pool_ops *choose(struct tp_pool_settings *asked)
{
    /* By policy and enum tp_stealing; unless said, half. */
    static const struct tp_pool_ops *const any[][TP_STEALING_HALF + 1] = {
        [TP_POLICY_FIFO] = {&stock_fifo_half_pool_ops, &stock_fifo_off_pool_ops, &stock_fifo_one_pool_ops, &stock_fifo_half_pool_ops},
        [TP_POLICY_LIFO] = {&stock_lifo_half_pool_ops, &stock_lifo_off_pool_ops, &stock_lifo_one_pool_ops, &stock_lifo_half_pool_ops},
        [TP_POLICY_PRIORITY] = {&stock_priority_pool_ops},
        [TP_POLICY_FAIR] = {&stock_fair_pool_ops},
        [TP_POLICY_ADAPTIVE] = {&stock_adaptive_half_pool_ops, &stock_adaptive_off_pool_ops, &stock_adaptive_one_pool_ops,
            &stock_adaptive_half_pool_ops},
    };
    if ((unsigned)asked->policy > TP_POLICY_ADAPTIVE || (unsigned)asked->stealing > TP_STEALING_HALF ||
        (unsigned)asked->overload > TP_OVERLOAD_SPILL || (unsigned)asked->tasks > TP_TASKS_COROUTINE)
        return NULL;
    asked->policy = asked->policy != TP_POLICY_CONFIGURED ? asked->policy : TP_POLICY_FIFO;
    asked->affinity = asked->affinity != TP_AFFINITY_CONFIGURED ? asked->affinity : TP_AFFINITY_OFF;
    asked->expire_ns = asked->expire_ns > 0 ? asked->expire_ns : UINT64_MAX;
    if (asked->tasks == TP_TASKS_COROUTINE)
        return &stock_coroutine_pool_ops; /* it refuses what it is not */
    asked->timeout_ns = asked->timeout_ns > 0 ? asked->timeout_ns : UINT64_MAX;
    bool is_plain = asked->policy == TP_POLICY_FIFO || asked->policy == TP_POLICY_LIFO;
    bool is_drop = is_plain && asked->overload == TP_OVERLOAD_DROP_OLDEST;
    if (is_drop || (!is_plain && asked->policy != TP_POLICY_ADAPTIVE))
        asked->stealing = TP_STEALING_CONFIGURED; /* one queue: there is nobody to steal from */
    if (is_drop || asked->stealing == TP_STEALING_OFF || (!is_plain && asked->policy != TP_POLICY_ADAPTIVE))
        asked->seed = 0;
    if (!is_drop)
        return any[asked->policy][asked->stealing];
    asked->waiting_max = 0;
    asked->deadline_ns = 0;
    return asked->policy == TP_POLICY_FIFO ? &stock_fifo_drop_pool_ops : &stock_lifo_drop_pool_ops;
}

int tp_pool_open(struct tp_pool **out, const struct tp_pool_settings *settings)
{
    struct tp_pool_settings asked = {0};
    if (settings)
        asked = *settings;
    const struct tp_pool_ops *ops = choose(&asked);
    if (!ops)
        return TP_EINVAL;
    struct tp_pool *pool = malloc(sizeof *pool);
    if (!pool)
        return TP_ENOMEM;
    pool->ops = ops;
    pool->class_default = asked.policy == TP_POLICY_PRIORITY || asked.policy == TP_POLICY_ADAPTIVE ? TP_CLASS_NORMAL : 0;
    int status = ops->open(&pool->pool, &asked);
    if (status == 0)
        *out = pool;
    else
        free(pool);
    return status;
}

struct tp_pool *tp_pool_default(void)
{
    static tp_atomic(struct tp_pool *) only;   /* written once, by the first that opened a pool */
    struct tp_pool *pool = tp_load_acq(&only); /* pairs with the exchange below: the pool is filled */
    struct tp_pool *mine;
    if (pool || tp_pool_open(&mine, NULL) != 0)
        return pool;
    /* Release: pairs with the acquire above; stronger than needed, once per process. Losing means that
     * another thread was first: `pool` is its one. */
    if (tp_cas_sc(&only, &pool, mine))
        return mine;
    tp_pool_free(mine);
    return pool;
}

/* -- tasks ---------------------------------------------------------------------------------------- */

int tp_pool_submit(struct tp_pool *pool, int (*run)(void *argument), void *argument)
{
    const struct tp_call call = {run, argument};
    return run ? pool->ops->submit(pool->pool, &call) : TP_EINVAL;
}

int tp_pool_submit_class(struct tp_pool *pool, unsigned class_, int (*run)(void *argument), void *argument)
{
    const struct tp_call call = {run, argument};
    if (!run)
        return TP_EINVAL;
    if (class_ == TP_CLASS_DEFAULT || (class_ == 0 && !pool->ops->submit_class))
        return pool->ops->submit(pool->pool, &call);
    return pool->ops->submit_class ? pool->ops->submit_class(pool->pool, class_, &call) : TP_EINVAL;
}

int tp_pool_submit_batch(struct tp_pool *pool, const struct tp_call *calls, size_t n, size_t *n_accepted)
{
    for (size_t i = 0; i < n; i++)
        if (!calls[i].run) {
            if (n_accepted)
                *n_accepted = 0;
            return TP_EINVAL;
        }
    return pool->ops->submit_batch(pool->pool, calls, n, n_accepted);
}

int tp_pool_spawn(struct tp_pool *pool, unsigned class_, int (*run)(void *argument), void *argument, uint64_t *id)
{
    const struct tp_call call = {run, argument};
    if (!run)
        return TP_EINVAL;
    return pool->ops->spawn(pool->pool, class_ == TP_CLASS_DEFAULT ? pool->class_default : class_, &call, id);
}

int tp_pool_wait(struct tp_pool *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    return pool->ops->wait(pool->pool, id, deadline_ns, result);
}

int tp_pool_join(struct tp_pool *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    struct tp_task_result got;
    int status = tp_pool_wait(pool, id, deadline_ns, &got);
    if (status == 0)
        status = tp_pool_detach(pool, id);
    if (status == 0 && result)
        *result = got;
    return status;
}

int tp_pool_detach(struct tp_pool *pool, uint64_t id)
{
    return pool->ops->detach(pool->pool, id);
}

int tp_pool_cancel_task(struct tp_pool *pool, uint64_t id)
{
    return pool->ops->cancel_task(pool->pool, id);
}

int tp_pool_join_all(struct tp_pool *pool, uint64_t deadline_ns)
{
    return pool->ops->join_all(pool->pool, deadline_ns);
}

/* -- the pool ------------------------------------------------------------------------------------- */

int tp_pool_tune(struct tp_pool *pool, uint64_t capacity)
{
    return pool->ops->tune(pool->pool, capacity);
}

int tp_pool_tune_workers(struct tp_pool *pool, uint32_t workers)
{
    return pool->ops->tune_workers(pool->pool, workers);
}

int tp_pool_close(struct tp_pool *pool, uint64_t deadline_ns)
{
    return pool->ops->close(pool->pool, deadline_ns);
}

int tp_pool_cancel(struct tp_pool *pool, uint64_t deadline_ns)
{
    return pool->ops->cancel(pool->pool, deadline_ns);
}

int tp_pool_reopen(struct tp_pool *pool)
{
    return pool->ops->reopen(pool->pool);
}

void tp_pool_abandon(struct tp_pool *pool)
{
    if (!pool)
        return;
    struct tp_multi_member member = tp_pool_as_member(pool);
    member.ops->abandon(member.pool);
}

void tp_pool_free(struct tp_pool *pool)
{
    if (!pool)
        return;
    pool->ops->free(pool->pool); /* its last tasks may still use `pool` */
    free(pool);
}

struct tp_multi_member tp_pool_as_member(struct tp_pool *pool)
{
    struct tp_multi_member member = {pool->ops, pool->pool};
    free(pool);
    return member;
}

struct tp_multi_member tp_pool_target(struct tp_pool *pool)
{
    return (struct tp_multi_member){pool->ops, pool->pool};
}

size_t tp_pool_get_workers(struct tp_pool *pool, struct tp_worker_info *out, size_t n)
{
    return pool->ops->workers(pool->pool, out, n);
}

void tp_pool_get_counts(struct tp_pool *pool, struct tp_pool_counts *out)
{
    pool->ops->counts(pool->pool, out);
}

void tp_pool_get_stats(struct tp_pool *pool, struct tp_pool_stats *out)
{
    pool->ops->stats(pool->pool, out);
}

void tp_pool_get_settings(struct tp_pool *pool, struct tp_pool_settings *out)
{
    pool->ops->settings(pool->pool, out);
}

const struct tp_pool_ops *tp_pool_get_ops(struct tp_pool *pool)
{
    return pool->ops;
}
