/* Idle workers: who searches, who sleeps, and whom a new task must wake.
 *
 * Invariant [IDLE-1]: while a task is visible in some queue and a worker sleeps, some worker is
 * running, or searching, or will look at every queue before it sleeps. So no task waits while
 * every worker sleeps. The full argument is in docs/parking.md.
 *
 * Sleepers form a stack: the last to sleep is woken first, its caches being the warmest. */
#ifndef TP_IDLE_H
#define TP_IDLE_H

#include "base/align.h"
#include "base/atomic.h"
#include "base/spin.h"
#include "park.h"

struct tp_idle {
    /* searching (low half) and sleeping (high half) workers. Written by workers as they change
     * state and by wakers; read by every submitter, hence alone on its line. */
    tp_line_aligned tp_atomic(uint32_t) counts;
    tp_line_aligned struct tp_spin lock; /* guards the stack */
    struct tp_waiter *top;
    uint32_t n_workers;
};

/* tp_idle_init: all workers are running, none searches or sleeps.
 * n_workers: 1..65535.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_init(struct tp_idle *idle, uint32_t n_workers);

/* tp_idle_begin_search: may the caller search? At most half of the workers do, at least one.
 * Returns true if the caller is now counted as searching.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
bool tp_idle_begin_search(struct tp_idle *idle);

/* tp_idle_end_search: the caller, counted as searching, found work or leaves.
 * Returns true if nobody searches any more: then the caller must look whether more work is
 * visible, and call tp_idle_notify if it is [IDLE-3].
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
bool tp_idle_end_search(struct tp_idle *idle);

/* tp_idle_prepare: the caller is about to sleep; it must now look at every queue again, then
 * either tp_idle_cancel or tp_idle_sleep.
 * w:         the worker's own waiter.
 * searching: whether the caller is counted as searching; it no longer is afterwards.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_prepare(struct tp_idle *idle, struct tp_waiter *w, bool searching);

/* tp_idle_cancel: the caller stays awake; it is counted as searching afterwards.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_cancel(struct tp_idle *idle, struct tp_waiter *w);

/* tp_idle_sleep: sleep until woken; the caller is counted as searching afterwards.
 * [thread: owning worker] [suspends: no] [blocks: yes] [allocates: no] */
void tp_idle_sleep(struct tp_idle *idle, struct tp_waiter *w);

/* tp_idle_wake: wake the last worker that went to sleep, unless one searches already.
 * Returns true if one was woken.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_idle_wake(struct tp_idle *idle);

/* tp_idle_wake_all: wake every sleeping worker, for a change that concerns all.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_wake_all(struct tp_idle *idle);

/* The two halves of `counts`. */
static inline uint32_t tp_idle_searching(uint32_t counts)
{
    return counts & 0xffff;
}

/* As above. */
static inline uint32_t tp_idle_sleeping(uint32_t counts)
{
    return counts >> 16;
}

/* Call after a task became visible in a queue: wakes a worker if some sleep and none searches. */
static inline void tp_idle_notify(struct tp_idle *idle)
{
    tp_fence_sc();                                /* [IDLE-2] pairs with the fences in tp_idle_prepare and tp_idle_end_search */
    uint32_t counts = tp_load_rlx(&idle->counts); /* relaxed: ordered by the fence */
    if (tp_idle_sleeping(counts) != 0 && tp_idle_searching(counts) == 0)
        tp_idle_wake(idle);
}

#endif
