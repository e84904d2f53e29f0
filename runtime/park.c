/* Parking: the list of waiting threads and their sleep. The argument is in docs/parking.md. */
#include "park.h"

#include "base/assert.h"
#include "base/status.h"
#include "clock.h"
#include "fibers.h"
#include "futex.h"
#include "io/driver.h"
#include "worker.h"

#ifndef TP_WAITER_SPINS /* looks between two of the clock; 0: straight to sleep */
#define TP_WAITER_SPINS 16
#endif

enum {
    LOOK_LONG_NS = 50000, /* longer than it takes to wake a thread that then wakes this one */
    LOOK_SHORT_NS = 5000,
    NEAR_NS = 50000, /* a sleep this short is near the time that sleep and wake-up take by themselves */
    WAKE_BATCH = 16  /* wake-ups collected under the lock before the system calls outside it */
};

void tp_waitlist_init(struct tp_waitlist *list)
{
    tp_spin_init(&list->lock);
    tp_atomic_init(&list->n_waiting, 0);
    list->first = list->last = NULL;
    tp__patience_init(&list->patience);
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
    tp_waiter_begin(w);
    tp_waitlist_enlist(list, w);
}

void tp_waitlist_enlist(struct tp_waitlist *list, struct tp_waiter *w)
{
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
    bool woken = tp_waiter_is_woken(w);
    if (!woken)
        list_unlink(list, w);
    tp_spin_unlock(&list->lock);
    return woken;
}

/* -- patience: relaxed, since it is about the future and publishes nothing ---------------------- */

/* May the caller look for long? If not, one wait less until somebody may. */
static bool take_turn(struct tp_patience *patience)
{
    uint32_t rest = tp_load_rlx(&patience->rest); /* relaxed: see above */
    if (rest == TP_PATIENCE_TAKEN)
        return false;
    /* Losing means that somebody else looks, or counts. */
    return tp_cas_sc(&patience->rest, &rest, rest == 0 ? TP_PATIENCE_TAKEN : rest - 1) && rest == 0;
}

/* After the caller's long look: none may follow soon if it was in vain, the later the more were so. */
static void give_turn(struct tp_patience *patience, bool was_woken)
{
    uint32_t penalty = tp_load_rlx(&patience->penalty); /* relaxed, as all here: see above */
    uint32_t next = was_woken ? 1 : penalty * 2;
    tp_store_rlx(&patience->penalty, next < TP_PATIENCE_REST ? next : TP_PATIENCE_REST);
    tp_store_rlx(&patience->rest, was_woken ? 0 : penalty);
}

/* Is w woken within that time? */
static bool look(struct tp_waiter *w, uint64_t duration_ns, uint64_t deadline_ns)
{
    uint64_t until_ns = tp_deadline_in_ns(duration_ns);
    do
        for (int i = 0; i < TP_WAITER_SPINS; i++) {
            if (tp_load_acq(&w->state) == TP_WAITER_WOKEN) /* pairs with the release in tp__waiter_wake */
                return true;
            tp_relax();
        }
    while (tp_clock_now_ns() < (until_ns < deadline_ns ? until_ns : deadline_ns));
    return false;
}

/* A long look if one may, else a short one if the last sleep was. Returns whether w was woken. */
static bool look_first(struct tp_waiter *w, uint64_t deadline_ns, struct tp_patience *patience)
{
    if (!take_turn(patience)) /* relaxed: see above */
        return tp_load_rlx(&patience->is_near) != 0 && look(w, LOOK_SHORT_NS, deadline_ns);
    bool woken = look(w, LOOK_LONG_NS, deadline_ns);
    give_turn(patience, woken);
    return woken;
}

/* -- one waiter ------------------------------------------------------------------------------- */

struct tp_alert tp__waiter_wake(struct tp_waiter *w)
{
    struct tp_alert alert = {NULL, -1};
    /* Release: pairs with the acquires of WOKEN. Also the look whether w sleeps [PARK-2]. */
    uint32_t before = tp_swap_acq_rel(&w->state, TP_WAITER_WOKEN);
    tp_assert(before != TP_WAITER_OFF && before != TP_WAITER_WOKEN);
    if (before == TP_WAITER_ASLEEP)
        alert.word = &w->state;
    if (before == TP_WAITER_POLLING)
        alert.bell = tp_load_rlx(&w->bell); /* relaxed: published by the state; a worker's record stays [LOOK-3] */
    return alert;
}

void tp__waiter_call(struct tp_alert alert)
{
    if (alert.word)
        tp_futex_wake(alert.word, 1);
    else if (alert.bell >= 0)
        tp__bell_ring(alert.bell);
}

int tp__waiter_sleep(struct tp_waiter *w, uint64_t deadline_ns, struct tp_patience *patience)
{
    if (TP_WAITER_SPINS > 0 && look_first(w, deadline_ns, patience))
        return 0;
    uint64_t start_ns = tp_clock_now_ns();
    uint32_t state = TP_WAITER_QUEUED;
    tp_cas_sc(&w->state, &state, TP_WAITER_ASLEEP);     /* losing means that it is WOKEN, and nobody calls [PARK-2] */
    while (tp_load_acq(&w->state) != TP_WAITER_WOKEN) { /* pairs with the release in tp__waiter_wake */
        int status = tp_futex_wait(&w->state, TP_WAITER_ASLEEP, deadline_ns);
        if (status != 0 && tp_load_acq(&w->state) != TP_WAITER_WOKEN)
            return status;
    }
    if (TP_WAITER_SPINS > 0) /* relaxed: see above */
        tp_store_rlx(&patience->is_near, tp_clock_now_ns() - start_ns < NEAR_NS);
    return 0;
}

/* A task in a coroutine sleeps without its worker. It may be woken for other reasons [CYCLE-3], so it looks again. */
static int sleep_as_task(struct tp_waiter *w, uint64_t deadline_ns)
{
    int status = 0;
    while (tp_load_acq(&w->state) != TP_WAITER_WOKEN) { /* pairs with the release in tp_waiter_hand_over */
        if (status != 0)
            return status;
        status = tp_fiber_sleep(w->fiber, deadline_ns);
    }
    return 0;
}

void tp_waiter_begin(struct tp_waiter *w)
{
    tp_store_rlx(&w->state, TP_WAITER_QUEUED); /* relaxed: published by the list's lock */
    w->choice = NULL;
    w->fiber = tp_fiber_self();
    w->generation = w->fiber ? tp_fiber_generation(w->fiber) : 0;
}

/* A thread sleeps; a worker says that it waits in a task, if it runs one. */
static int sleep_as_thread(struct tp_waiter *w, uint64_t deadline_ns, struct tp_patience *patience)
{
    struct tp_worker *self = tp_worker_self();
    bool is_told = self && tp_activity_block(&self->activity, TP_BLOCKED_TASK) == TP_ACTIVITY_MADE;
    int status = tp__waiter_sleep(w, deadline_ns, patience);
    if (is_told)
        tp_activity_unblock(&self->activity);
    return status;
}

int tp_waiter_sleep(struct tp_waiter *w, uint64_t deadline_ns, struct tp_patience *patience)
{
    return w->fiber ? sleep_as_task(w, deadline_ns) : sleep_as_thread(w, deadline_ns, patience);
}

void tp_choice_begin(struct tp_choice *choice)
{
    tp_atomic_init(&choice->taken, 0);
    tp_waiter_begin(&choice->waiter);
}

void tp_choice_entry(struct tp_choice *choice, struct tp_waiter *entry, uint32_t index)
{
    tp_store_rlx(&entry->state, TP_WAITER_QUEUED); /* relaxed: published by the list's lock */
    entry->choice = choice;
    entry->index = index;
}

bool tp__choice_claim(struct tp_waiter *entry)
{
    uint32_t open = 0;
    tp_store_rlx(&entry->state, TP_WAITER_WOKEN); /* relaxed: written, and read, under the list's lock */
    /* Losing means that another list's server was first [SELECT-1]. */
    return tp_cas_sc(&entry->choice->taken, &open, entry->index + 1);
}

struct tp_wakeup tp_waiter_hand_over(struct tp_waiter *w)
{
    if (w->choice)
        w = &w->choice->waiter;
    struct tp_wakeup call = {.fiber = w->fiber, .generation = w->generation};
    if (!call.fiber) {
        call.alert = tp__waiter_wake(w);
        return call;
    }
    struct tp_fiber *self = tp_fiber_self();
    call.holds = !self || self->fibers != call.fiber->fibers; /* a task of the same pool is what keeps it */
    if (call.holds)
        tp__fiber_hold(call.fiber);
    tp_store_rel(&w->state, TP_WAITER_WOKEN); /* pairs with the acquire in sleep_as_task; the task may be gone, but not its pool [PARK-3] */
    return call;
}

void tp_wakeup_call(const struct tp_wakeup *call)
{
    if (!call->fiber)
        tp__waiter_call(call->alert);
    else if (call->holds)
        tp__fiber_call(call->fiber, call->generation);
    else
        tp_fiber_wake(call->fiber, call->generation);
}

/* -- the list --------------------------------------------------------------------------------- */

int tp_waitlist_wait(struct tp_waitlist *list, struct tp_waiter *w, uint64_t deadline_ns)
{
    int status = tp_waiter_sleep(w, deadline_ns, &list->patience);
    if (status != 0)
        return tp_waitlist_cancel(list, w) ? 0 : status;
    return 0;
}

unsigned tp_waitlist_wake(struct tp_waitlist *list, unsigned max)
{
    struct tp_wakeup calls[WAKE_BATCH];
    unsigned n_woken = 0, n;
    do {
        n = 0;
        tp_spin_lock(&list->lock);
        while (list->first && n < WAKE_BATCH && n_woken + n < max) {
            struct tp_waiter *w = list->first;
            list_unlink(list, w);
            if (tp_waiter_claim(w))
                calls[n++] = tp_waiter_hand_over(w);
        }
        tp_spin_unlock(&list->lock);
        for (unsigned i = 0; i < n; i++)
            tp_wakeup_call(&calls[i]);
        n_woken += n;
    } while (n == WAKE_BATCH); /* else the list is empty, or there were enough */
    return n_woken;
}
