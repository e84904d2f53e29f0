/* Parking: threads, and tasks in coroutines, that wait for a condition which others make true.
 *
 * The protocol is prepare, look again, then commit or cancel (docs/parking.md):
 *   waiter                                 waker
 *   tp_waitlist_prepare(list, &w)          make the condition true
 *   condition true? -> tp_waitlist_cancel  tp_waitlist_notify(list, 1)
 *   else tp_waitlist_wait(list, &w, ...)
 * Invariant [PARK-1]: `prepare` and `notify` both pass a full fence between their write and their
 * read, so either the waiter sees the condition or the waker sees the waiter.
 * Invariant [PARK-2]: a waker makes a system call only for a waiter that has said that it sleeps. */
#ifndef TP_PARK_H
#define TP_PARK_H

#include "base/atomic.h"
#include "base/spin.h"
#include "waiter.h"

/* Waiting threads, first in, first woken. */
struct tp_waitlist {
    struct tp_spin lock;
    tp_atomic(uint32_t) n_waiting; /* written under the lock, read by wakers without it [PARK-1] */
    struct tp_waiter *first, *last;
    struct tp_patience patience;
};

/* tp_waitlist_init: an empty list in the caller's memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_waitlist_init(struct tp_waitlist *list);

/* tp_waitlist_prepare: announce that the caller is about to wait; then look at the condition again.
 * w: the caller's, untouched until tp_waitlist_wait or _cancel returns.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_waitlist_prepare(struct tp_waitlist *list, struct tp_waiter *w);

/* tp_waitlist_enlist: tp_waitlist_prepare for a waiter that was begun: an entry of a choice.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_waitlist_enlist(struct tp_waitlist *list, struct tp_waiter *w);

/* tp_waitlist_cancel: take the announcement back.
 * Returns true if a waker had already handed its one wake-up to w: the caller must use what it
 * was woken for, or pass the wake-up on with tp_waitlist_notify.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_waitlist_cancel(struct tp_waitlist *list, struct tp_waiter *w);

/* tp_waitlist_wait: sleep until woken. A task in a coroutine does so without its worker.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER for none.
 * Returns 0 when woken; else TP_ETIMEDOUT, or to a coroutine TP_ECANCELED, when it was asked to end. In all cases w is in no list.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
int tp_waitlist_wait(struct tp_waitlist *list, struct tp_waiter *w, uint64_t deadline_ns);

/* tp_waitlist_wake: hand a wake-up to each of the first `max` waiters. Entries of choices that were ended elsewhere do not count.
 * Returns how many there were. The caller passes a fence first; tp_waitlist_notify does.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp_waitlist_wake(struct tp_waitlist *list, unsigned max);

/* Call after making the condition true; cheap when nobody waits. */
static inline void tp_waitlist_notify(struct tp_waitlist *list, unsigned max)
{
    tp_fence_sc(); /* [PARK-1] pairs with the fence in tp_waitlist_prepare */
    /* Relaxed: the fence orders it after the caller's write. */
    if (tp_load_rlx(&list->n_waiting) != 0)
        tp_waitlist_wake(list, max);
}

/* -- one waiter, for those who keep lists of their own ------------------------------------------------ */

/* The thread to call after the lock under which it was handed a wake-up. */
struct tp_alert {
    tp_atomic(uint32_t) *word; /* only its address is used. NULL: it is awake */
    int bell;                  /* not -1: it sleeps in a driver, whose bell this is [LOOK-3] */
};

/* Whom to call after the lock under which a wake-up was handed over. */
struct tp_wakeup {
    struct tp_alert alert;
    struct tp_fiber *fiber; /* not NULL: a task's */
    uint64_t generation;
    bool holds; /* its pool, so that it stays until the call */
};

/* tp_waiter_begin: the caller is about to wait.
 * w: the caller's; put into a list next, whose lock publishes it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_waiter_begin(struct tp_waiter *w);

/* tp_choice_begin: the caller is about to wait in several lists.
 * choice: the caller's; its entries are put into their lists next.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_choice_begin(struct tp_choice *choice);

/* tp_choice_entry: fill the entry of that index. The end of the wait is that of choice->waiter; the entry's own state becomes WOKEN
 * when somebody takes it out of its list, for whatever comes of it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_choice_entry(struct tp_choice *choice, struct tp_waiter *entry, uint32_t index);

/* tp__choice_claim: for tp_waiter_claim.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp__choice_claim(struct tp_waiter *entry);

/* May the caller, which has just taken w out of its list, under the list's lock, serve it? If not, its wait has been ended by
 * another list, and it is not touched any more. If so, tp_waiter_hand_over follows, under the same lock. */
static inline bool tp_waiter_claim(struct tp_waiter *w)
{
    return !w->choice || tp__choice_claim(w);
}

/* tp_waiter_sleep: sleep until w is woken. Before, it was put into the list, and the caller has passed a full fence or, if it is a
 * task, called tp_fiber_settle.
 * Returns 0 when woken; else as tp_waitlist_wait, with w possibly still in the list.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
int tp_waiter_sleep(struct tp_waiter *w, uint64_t deadline_ns, struct tp_patience *patience);

/* tp_waiter_hand_over: hand a wake-up to w, which was just taken out of its list and claimed; the list's lock is held. From here on
 * w may be gone.
 * Returns what tp_wakeup_call needs, after the lock [PARK-3].
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_wakeup tp_waiter_hand_over(struct tp_waiter *w);

/* tp_wakeup_call: end the sleep of who was handed a wake-up.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_wakeup_call(const struct tp_wakeup *call);

/* Was w handed a wake-up? Under the list's lock. */
static inline bool tp_waiter_is_woken(struct tp_waiter *w)
{
    return tp_load_rlx(&w->state) == TP_WAITER_WOKEN; /* relaxed: written under that lock only */
}

/* tp__waiter_wake: hand a wake-up to w, a thread's, which the caller has just taken out, under the list's lock.
 * From here on w may be gone.
 * Returns what tp__waiter_call needs, which follows outside of the lock.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_alert tp__waiter_wake(struct tp_waiter *w);

/* tp__waiter_call: end the sleep of a waiter, if it sleeps.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__waiter_call(struct tp_alert alert);

/* tp__waiter_sleep: look for as long as patience says, then sleep until w, a thread's, is woken; the list is
 * not touched.
 * Returns 0, or TP_ETIMEDOUT with w possibly still queued.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp__waiter_sleep(struct tp_waiter *w, uint64_t deadline_ns, struct tp_patience *patience);

#endif
