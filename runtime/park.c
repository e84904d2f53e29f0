/* Parking: the list of waiting threads and their sleep. The argument is in docs/parking.md. */
#include "park.h"

#include "base/assert.h"
#include "base/status.h"
#include "clock.h"
#include "futex.h"

#ifndef TP_WAITER_SPINS /* looks before the futex: a hand-over by cache line is 50 times cheaper */
#define TP_WAITER_SPINS 200
#endif

enum { WAKE_BATCH = 16 }; /* wake-ups collected under the lock before the system calls outside it */

void tp_waitlist_init(struct tp_waitlist *list)
{
    tp_spin_init(&list->lock);
    tp_atomic_init(&list->n_waiting, 0);
    list->first = list->last = NULL;
}

/* Relaxed stores of n_waiting below: only the lock's holder writes it, and the fences of
 * prepare and notify order it against the condition [PARK-1]. */
static void list_count(struct tp_waitlist *list, uint32_t delta)
{
    tp_store_rlx(&list->n_waiting, tp_load_rlx(&list->n_waiting) + delta);
}

static void list_unlink(struct tp_waitlist *list, struct tp_waiter *w)
{
    if (w->prev)
        w->prev->next = w->next;
    else
        list->first = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        list->last = w->prev;
    list_count(list, (uint32_t)-1);
}

void tp_waitlist_prepare(struct tp_waitlist *list, struct tp_waiter *w)
{
    tp_store_rlx(&w->state, TP_WAITER_QUEUED); /* relaxed: published by the lock */
    tp_spin_lock(&list->lock);
    w->next = NULL;
    w->prev = list->last;
    if (list->last)
        list->last->next = w;
    else
        list->first = w;
    list->last = w;
    list_count(list, 1);
    tp_spin_unlock(&list->lock);
    tp_fence_sc(); /* [PARK-1] pairs with the fence in tp_waitlist_notify */
}

bool tp_waitlist_cancel(struct tp_waitlist *list, struct tp_waiter *w)
{
    tp_spin_lock(&list->lock);
    /* Relaxed: written only under this lock. */
    bool woken = tp_load_rlx(&w->state) == TP_WAITER_WOKEN;
    if (!woken)
        list_unlink(list, w);
    tp_spin_unlock(&list->lock);
    tp_store_rlx(&w->state, TP_WAITER_OFF); /* relaxed: w is the caller's again */
    return woken;
}

int tp__waiter_sleep(struct tp_waiter *w, uint64_t deadline_ns)
{
    /* Acquire: pairs with the release of WOKEN in tp_waitlist_wake and tp_idle_wake. */
    for (int i = 0; i < TP_WAITER_SPINS; i++) {
        if (tp_load_acq(&w->state) == TP_WAITER_WOKEN)
            return 0;
        tp_relax();
    }
    while (tp_load_acq(&w->state) != TP_WAITER_WOKEN) {
        int status = tp_futex_wait(&w->state, TP_WAITER_QUEUED, deadline_ns);
        if (status != 0 && tp_load_acq(&w->state) != TP_WAITER_WOKEN)
            return status;
    }
    return 0;
}

int tp_waitlist_wait(struct tp_waitlist *list, struct tp_waiter *w, uint64_t deadline_ns)
{
    int status = tp__waiter_sleep(w, deadline_ns);
    if (status != 0)
        return tp_waitlist_cancel(list, w) ? 0 : status;
    tp_store_rlx(&w->state, TP_WAITER_OFF); /* relaxed: w is the caller's again */
    return 0;
}

unsigned tp_waitlist_wake(struct tp_waitlist *list, unsigned max)
{
    unsigned n_woken = 0;
    while (n_woken < max) {
        tp_atomic(uint32_t) *words[WAKE_BATCH];
        unsigned n = 0;
        tp_spin_lock(&list->lock);
        while (list->first && n < WAKE_BATCH && n_woken + n < max) {
            struct tp_waiter *w = list->first;
            tp_assert(tp_load_rlx(&w->state) == TP_WAITER_QUEUED);
            list_unlink(list, w);
            words[n++] = &w->state;
            /* Release: pairs with the acquire in tp__waiter_sleep. From here w may be gone:
             * only its address is used below. */
            tp_store_rel(&w->state, TP_WAITER_WOKEN);
        }
        tp_spin_unlock(&list->lock);
        if (n == 0)
            break;
        for (unsigned i = 0; i < n; i++)
            tp_futex_wake(words[i], 1);
        n_woken += n;
    }
    return n_woken;
}
