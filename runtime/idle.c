/* Idle workers: the counts and the stack of sleepers. The argument is in docs/parking.md. */
#include "idle.h"

#include "base/assert.h"
#include "clock.h"
#include "futex.h"

enum {
    ONE_SEARCHING = 1,
    ONE_SLEEPING = 1 << 16
};

void tp_idle_init(struct tp_idle *idle, uint32_t n_workers)
{
    tp_assert(n_workers >= 1 && n_workers <= 0xffff);
    tp_atomic_init(&idle->counts, 0);
    tp_spin_init(&idle->lock);
    idle->top = NULL;
    idle->n_workers = n_workers;
}

bool tp_idle_begin_search(struct tp_idle *idle)
{
    /* Relaxed: the limit is a courtesy; two that read the same count may both pass. */
    if (tp_idle_searching(tp_load_rlx(&idle->counts)) * 2 >= idle->n_workers)
        return false;
    tp_add_sc(&idle->counts, ONE_SEARCHING); /* in one order with all changes of the counts */
    return true;
}

bool tp_idle_end_search(struct tp_idle *idle)
{
    /* One order of all changes: exactly one leaver is the last. */
    uint32_t before = tp_add_sc(&idle->counts, (uint32_t)-ONE_SEARCHING);
    tp_assert(tp_idle_searching(before) >= 1);
    tp_fence_sc(); /* [IDLE-3] the caller's look at the queues comes after the count */
    return tp_idle_searching(before) == 1;
}

void tp_idle_prepare(struct tp_idle *idle, struct tp_waiter *w, bool searching)
{
    tp_store_rlx(&w->state, TP_WAITER_QUEUED); /* relaxed: published by the lock */
    tp_spin_lock(&idle->lock);
    w->prev = NULL;
    w->next = idle->top;
    if (idle->top)
        idle->top->prev = w;
    idle->top = w;
    /* Both halves in one step, in one order with the other changes [IDLE-2]. */
    tp_add_sc(&idle->counts, (uint32_t)(ONE_SLEEPING - (searching ? ONE_SEARCHING : 0)));
    tp_spin_unlock(&idle->lock);
    tp_fence_sc(); /* [IDLE-2] pairs with the fence in tp_idle_notify */
}

/* Takes w, which sleeps, out of the stack and counts it as searching. The lock is held. */
static void idle_take(struct tp_idle *idle, struct tp_waiter *w)
{
    tp_assert(tp_load_rlx(&w->state) == TP_WAITER_QUEUED);
    if (w->prev)
        w->prev->next = w->next;
    else
        idle->top = w->next;
    if (w->next)
        w->next->prev = w->prev;
    /* The order as in tp_idle_prepare. */
    tp_add_sc(&idle->counts, (uint32_t)(ONE_SEARCHING - ONE_SLEEPING));
}

void tp_idle_cancel(struct tp_idle *idle, struct tp_waiter *w)
{
    tp_spin_lock(&idle->lock);
    /* Relaxed: written only under this lock. If a waker was faster, it has counted us already. */
    if (tp_load_rlx(&w->state) == TP_WAITER_QUEUED)
        idle_take(idle, w);
    tp_spin_unlock(&idle->lock);
    tp_store_rlx(&w->state, TP_WAITER_OFF); /* relaxed: w is the caller's again */
}

void tp_idle_sleep(struct tp_idle *idle, struct tp_waiter *w)
{
    (void)idle;
    tp__waiter_sleep(w, TP_FOREVER);
    tp_store_rlx(&w->state, TP_WAITER_OFF); /* relaxed: w is the caller's again */
}

/* Wakes the top of the stack; with `force`, also when somebody searches. */
static bool idle_wake_top(struct tp_idle *idle, bool force)
{
    tp_spin_lock(&idle->lock);
    struct tp_waiter *w = idle->top;
    /* Relaxed: if a searcher shows up or leaves meanwhile, it looks itself [IDLE-1]. */
    if (!w || (!force && tp_idle_searching(tp_load_rlx(&idle->counts)) != 0)) {
        tp_spin_unlock(&idle->lock);
        return false;
    }
    idle_take(idle, w);
    /* Release: pairs with the acquire in tp__waiter_sleep. From here only w's address is used. */
    tp_store_rel(&w->state, TP_WAITER_WOKEN);
    tp_spin_unlock(&idle->lock);
    tp_futex_wake(&w->state, 1);
    return true;
}

bool tp_idle_wake(struct tp_idle *idle)
{
    return idle_wake_top(idle, false);
}

void tp_idle_wake_all(struct tp_idle *idle)
{
    while (idle_wake_top(idle, true))
        ;
}
