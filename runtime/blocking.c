/* Blocking pools: a pool of plain tasks, and in front of it a count of who may be inside, for which others wait without a worker.
 * Invariant: `n_inside` counts the calls between enter and leave, never more than `limit`; who leaves wakes one who waits. */
#include "blocking.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/status.h"
#include "clock.h"
#include "current.h"
#include "fiber.h"
#include "park.h"
#include "stock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Generated; see stock.pool. By this name, not through tp_pool_open, which would bring all stock pools along. */
extern const struct tp_pool_ops stock_fifo_half_pool_ops;
#define OPS (&stock_fifo_half_pool_ops)

struct tp_blocking {
    char name[TP_BLOCKING_NAME];
    void *pool;
    uint64_t limit; /* threads and queue */
    tp_atomic(uint64_t) n_inside;
    tp_atomic(uint32_t) is_closed; /* written once */
    struct tp_waitlist room;
    tp_atomic(uint64_t) n_withdrawn;
    struct tp_blocking *before; /* of the parent of this process, if this is left to it */
};

int tp_blocking_open(struct tp_blocking **out, const struct tp_blocking_settings *settings)
{
    static const struct tp_blocking_settings none;
    const struct tp_blocking_settings *asked = settings ? settings : &none;
    uint32_t threads = asked->threads > 0 ? asked->threads : TP_BLOCKING_THREADS;
    uint64_t queue = asked->queue > 0 ? asked->queue : TP_BLOCKING_QUEUE;
    struct tp_blocking *blocking = calloc(1, sizeof *blocking);
    if (!blocking)
        return TP_ENOMEM;
    snprintf(blocking->name, sizeof blocking->name, "%s", asked->name ? asked->name : "blocking");
    blocking->limit = queue < UINT64_MAX - threads ? threads + queue : UINT64_MAX;
    tp_waitlist_init(&blocking->room);
    struct tp_pool_settings pool = {.workers = threads, .workers_max = threads, .capacity = UINT64_MAX, .timeout_ns = TP_FOREVER, .expire_ns = asked->idle_ns > 0 ? asked->idle_ns : TP_FOREVER};
    int status = OPS->open(&blocking->pool, &pool);
    if (status == 0)
        *out = blocking;
    else
        free(blocking);
    return status;
}

/* In the child of fork() nobody leaves, and who waits for room is the parent's. */
static bool is_forked(struct tp_blocking *blocking)
{
    return OPS->wait(blocking->pool, 0, 0, NULL) == TP_EFORKED;
}

/* -- that of the process -------------------------------------------------------------------------- */

static tp_atomic(struct tp_blocking *) only; /* written by the first that opened one */
static struct tp_blocking *left;             /* those of parents; their memory is the price of a fork */

/* In the child of fork(), where it has no threads: the next call opens another one. */
static void leave_to_parent(void)
{
    struct tp_blocking *blocking = tp_load_rlx(&only); /* relaxed, as the store: the child has one thread */
    if (!blocking)
        return;
    blocking->before = left;
    left = blocking;
    tp_store_rlx(&only, NULL);
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, leave_to_parent);
}

static struct tp_blocking *get_default(int *status)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct tp_blocking *blocking = tp_load_acq(&only); /* pairs with the exchange below: it is filled */
    struct tp_blocking *mine;
    *status = 0;
    if (blocking)
        return blocking;
    pthread_once(&once, watch_forks);
    if ((*status = tp_blocking_open(&mine, NULL)) != 0)
        return NULL;
    /* Release: pairs with the acquire above. Losing means that another thread was first: `blocking` is its one. */
    if (tp_cas_sc(&only, &blocking, mine))
        return mine;
    tp_blocking_free(mine);
    return blocking;
}

/* -- room --------------------------------------------------------------------------------------- */

static bool enter(struct tp_blocking *blocking)
{
    uint64_t n = tp_load_rlx(&blocking->n_inside); /* relaxed: the exchange decides */
    while (n < blocking->limit)
        if (tp_cas_sc(&blocking->n_inside, &n, n + 1)) /* losing: others came or went; look again */
            return true;
    return false;
}

static void leave(struct tp_blocking *blocking)
{
    tp_add_sc(&blocking->n_inside, (uint64_t)-1); /* sequentially consistent: before the look for who waits [PARK-1] */
    tp_waitlist_notify(&blocking->room, 1);
}

static bool is_closed(struct tp_blocking *blocking)
{
    return tp_load_rlx(&blocking->is_closed) != 0; /* relaxed: the list's fences order it; the pool itself decides */
}

/* A wake-up that is taken here is used: by who then finds room, or there is none to be told of. */
static int await_room(struct tp_blocking *blocking, uint64_t deadline_ns)
{
    struct tp_waiter waiter;
    int status = deadline_ns == 0 ? TP_ETIMEDOUT : 0;
    while (!enter(blocking)) {
        if (is_closed(blocking))
            return TP_ECLOSED;
        if (status != 0)
            return status;
        tp_waitlist_prepare(&blocking->room, &waiter);                                 /* prepare, look again, sleep [PARK-1] */
        if (tp_load_rlx(&blocking->n_inside) < blocking->limit || is_closed(blocking)) /* relaxed: after the fence of the line before */
            tp_waitlist_cancel(&blocking->room, &waiter);
        else
            status = tp_waitlist_wait(&blocking->room, &waiter, deadline_ns);
    }
    return 0;
}

/* -- a call ------------------------------------------------------------------------------------- */

/* Waits for the task's end; if the caller is not to wait any more, it is taken out of the queue, or asked to end. */
static int await_end(struct tp_blocking *blocking, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    int status = OPS->wait(blocking->pool, id, deadline_ns, result), reason = status;
    if (status != 0) {
        TP_SHIELD;
        OPS->cancel_task(blocking->pool, id);
        status = OPS->wait(blocking->pool, id, TP_FOREVER, result);
    }
    tp_assert(status == 0);
    OPS->detach(blocking->pool, id);
    return result->state == TP_TASK_CANCELLED && reason != 0 ? reason : status;
}

static int call(struct tp_blocking *blocking, const struct tp_call *what, uint64_t deadline_ns, struct tp_task_result *result)
{
    uint64_t id;
    int status = await_room(blocking, deadline_ns);
    if (status == 0) {
        status = OPS->spawn(blocking->pool, UINT_MAX, what, &id);
        if (status == 0)
            status = await_end(blocking, id, deadline_ns, result);
        leave(blocking);
    }
    if (status == TP_ETIMEDOUT || status == TP_ECANCELED)
        tp_add_rlx(&blocking->n_withdrawn, 1); /* relaxed: a number for those who count */
    return status;
}

int tp_blocking_call(struct tp_blocking *blocking, int (*run)(void *argument), void *argument, uint64_t deadline_ns, struct tp_task_result *result)
{
    struct tp_task_result got;
    int status = run ? 0 : TP_EINVAL;
    if (status == 0 && !blocking)
        blocking = get_default(&status);
    if (status == 0 && is_forked(blocking))
        status = TP_EFORKED;
    if (status != 0)
        return status;
    if (tp_run_depth(blocking->pool) > 0) { /* a thread of it must not wait for another one */
        int code = run(argument);
        got = (struct tp_task_result){code < 0 ? TP_TASK_FAILED : TP_TASK_RETURNED, code};
    } else {
        struct tp_current *current = tp__current_of(); /* whose time stands still while this lasts */
        if (current)
            tp__current_outside(current, 1);
        status = call(blocking, &(struct tp_call){run, argument}, deadline_ns, &got);
        if (current)
            tp__current_outside(current, -1);
    }
    if (status == 0 && result)
        *result = got;
    return status;
}

/* -- the pool ----------------------------------------------------------------------------------- */

int tp_blocking_close(struct tp_blocking *blocking, uint64_t deadline_ns)
{
    if (is_forked(blocking))
        return TP_EFORKED;
    if (tp_run_depth(blocking->pool) > 0)
        return TP_EDEADLK;
    tp_store_rlx(&blocking->is_closed, 1); /* relaxed: the fence of the next line orders it [PARK-1] */
    tp_waitlist_notify(&blocking->room, UINT32_MAX);
    return OPS->close(blocking->pool, deadline_ns);
}

void tp_blocking_free(struct tp_blocking *blocking)
{
    if (!blocking)
        return;
    tp_blocking_close(blocking, TP_FOREVER);
    OPS->free(blocking->pool);
    free(blocking);
}

void tp_blocking_get_stats(struct tp_blocking *blocking, struct tp_blocking_stats *out)
{
    struct tp_pool_stats stats;
    int status = 0;
    *out = (struct tp_blocking_stats){.name = "blocking"};
    if (!blocking && !(blocking = get_default(&status)))
        return;
    OPS->stats(blocking->pool, &stats);
    uint64_t n_inside = tp_load_rlx(&blocking->n_inside); /* relaxed, as the rest: numbers for those who count */
    out->name = blocking->name;
    out->threads = stats.workers;
    out->running = stats.now.running;
    out->queued = n_inside > out->running ? n_inside - out->running : 0;
    out->waiting = tp_load_rlx(&blocking->room.n_waiting); /* relaxed: as above */
    out->completed = stats.completed;
    out->withdrawn = tp_load_rlx(&blocking->n_withdrawn); /* relaxed: as above */
}
