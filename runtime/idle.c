/* Idle workers: the counts and the stack of sleepers. The argument is in docs/parking.md.
 * Invariant: the high half of `counts` is n_stacked whenever the lock is free. */
#include "idle.h"

#include "base/assert.h"
#include "clock.h"
#include "io/driver.h"

#ifndef TP_IDLE_RETRY_NS /* after a refusal the system is left alone for so long */
#define TP_IDLE_RETRY_NS TP_MILLISECOND
#endif

enum {
    ONE_SEARCHING = 1,
    ONE_SLEEPING = 1 << 16,
    RETIRE_BATCH = 16 /* workers retired under the lock before the system calls outside it */
};

static const struct tp_alert NO_ALERT = {NULL, -1};

void tp_idle_init(struct tp_idle *idle, struct tp_worker **stack, uint32_t n_max)
{
    tp_assert(n_max >= 1 && n_max <= 0xffff);
    tp_atomic_init(&idle->counts, 0);
    tp_atomic_init(&idle->n_live, 0);
    tp_spin_init(&idle->lock);
    idle->stack = stack;
    idle->n_vacant = idle->n_stacked = 0;
    idle->n_max = n_max;
    idle->retry_ns = 0;
    tp__patience_init(&idle->patience);
}

/* -- under the lock ---------------------------------------------------------------------------- */

/* All changes of the counts, by any thread, are in one order [IDLE-2], hence sequentially consistent. */
static void count(struct tp_idle *idle, int sleeping, int searching)
{
    tp_add_sc(&idle->counts, (uint32_t)(sleeping * ONE_SLEEPING + searching * ONE_SEARCHING)); /* see above */
}

static void count_live(struct tp_idle *idle, int delta)
{
    /* Relaxed: only the lock's holder writes it, and it publishes nothing. */
    tp_store_rlx(&idle->n_live, tp_load_rlx(&idle->n_live) + (uint32_t)delta);
}

/* The sleepers above move down, so that their order holds. Looks from above: who leaves in the
 * middle has just prepared, as a rule. */
static void stack_remove(struct tp_idle *idle, const struct tp_worker *worker)
{
    uint32_t at = idle->n_stacked;
    do
        tp_assert(at > 0);
    while (idle->stack[--at] != worker);
    idle->n_vacant -= at < idle->n_vacant;
    for (idle->n_stacked--; at < idle->n_stacked; at++)
        idle->stack[at] = idle->stack[at + 1];
}

static void stack_add_vacant(struct tp_idle *idle, struct tp_worker *worker)
{
    tp_assert(idle->n_stacked < idle->n_max);
    for (uint32_t at = idle->n_stacked++; at > idle->n_vacant; at--)
        idle->stack[at] = idle->stack[at - 1];
    idle->stack[idle->n_vacant++] = worker;
    worker->place = TP_WORKER_VACANT;
}

static struct tp_worker *stack_top(struct tp_idle *idle)
{
    return idle->n_stacked > 0 ? idle->stack[idle->n_stacked - 1] : NULL;
}

static bool has_thread(const struct tp_worker *worker)
{
    return worker->place != TP_WORKER_VACANT || worker->retired; /* a retired one has not noticed yet [IDLE-4] */
}

/* Whom a task wakes: the last one that has a thread; else the one that has been without for the
 * longest time, whose last thread is no longer waited for. NULL: nobody, or nobody yet. */
static struct tp_worker *stack_choice(struct tp_idle *idle)
{
    struct tp_worker *top = stack_top(idle);
    if (!top || has_thread(top))
        return top;
    return tp_clock_now_ns() < idle->retry_ns ? NULL : idle->stack[0];
}

/* The worker, which is not awake, becomes a searcher. */
static void take(struct tp_idle *idle, struct tp_worker *worker)
{
    bool is_stacked = worker->place != TP_WORKER_OUT;
    if (is_stacked)
        stack_remove(idle, worker);
    if (worker->place != TP_WORKER_ASLEEP)
        count_live(idle, 1);
    worker->place = TP_WORKER_AWAKE;
    count(idle, is_stacked ? -1 : 0, 1);
}

/* The last sleeper, if any, becomes a searcher and is handed its wake-up. *alert is for tp__waiter_call. */
static bool take_sleeper(struct tp_idle *idle, struct tp_alert *alert)
{
    *alert = NO_ALERT;
    if (idle->n_stacked == idle->n_vacant)
        return false;
    struct tp_worker *worker = stack_top(idle);
    take(idle, worker);
    *alert = tp__waiter_wake(&worker->waiter);
    return true;
}

/* Its place is no longer a sleeper's; its thread is told to go. Returns what is for tp__waiter_call. */
static struct tp_alert retire(struct tp_idle *idle, struct tp_worker *worker, enum tp_worker_place place)
{
    worker->place = place;
    worker->retired = true;
    count_live(idle, -1);
    return tp__waiter_wake(&worker->waiter);
}

/* Whoever is not awake is out of the pool. Returns what is for tp__waiter_call. */
static struct tp_alert dismiss(struct tp_idle *idle, struct tp_worker *worker)
{
    bool sleeps = worker->place == TP_WORKER_ASLEEP;
    if (!sleeps && worker->place != TP_WORKER_VACANT)
        return NO_ALERT;
    stack_remove(idle, worker);
    count(idle, -1, 0);
    worker->place = TP_WORKER_OUT;
    return sleeps ? retire(idle, worker, TP_WORKER_OUT) : NO_ALERT;
}

/* -- the worker -------------------------------------------------------------------------------- */

bool tp_idle_begin_search(struct tp_idle *idle)
{
    /* Relaxed: the limit is a courtesy; two that read the same count may both pass. */
    if (tp_idle_searching(tp_load_rlx(&idle->counts)) * 2 >= tp_load_rlx(&idle->n_live))
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

void tp_idle_prepare(struct tp_idle *idle, struct tp_worker *worker, bool searching)
{
    uint64_t now_ns = tp_clock_now_ns();
    tp_store_rlx(&worker->waiter.state, TP_WAITER_QUEUED); /* relaxed: published by the lock */
    tp_spin_lock(&idle->lock);
    tp_assert(worker->place == TP_WORKER_AWAKE && idle->n_stacked < idle->n_max);
    /* The clock was read before the lock; the order of the stack must hold all the same. */
    uint64_t below_ns = idle->n_stacked > idle->n_vacant ? stack_top(idle)->since_ns : 0;
    worker->since_ns = now_ns > below_ns ? now_ns : below_ns;
    worker->place = TP_WORKER_ASLEEP;
    idle->stack[idle->n_stacked++] = worker;
    count(idle, 1, searching ? -1 : 0); /* both halves in one step [IDLE-2] */
    tp_spin_unlock(&idle->lock);
    tp_fence_sc(); /* [IDLE-2] pairs with the fence in tp_idle_notify */
}

void tp_idle_cancel(struct tp_idle *idle, struct tp_worker *worker)
{
    tp_spin_lock(&idle->lock);
    worker->retired = false;
    if (worker->place != TP_WORKER_AWAKE) /* else a waker was faster and has counted us */
        take(idle, worker);
    tp_spin_unlock(&idle->lock);
    tp_store_rlx(&worker->waiter.state, TP_WAITER_OFF); /* relaxed: the caller's own again */
}

bool tp_idle_sleep(struct tp_idle *idle, struct tp_worker *worker)
{
    return tp_idle_sleep_in(idle, worker, NULL, TP_FOREVER);
}

/* Its time has come: it wakes itself, unless somebody did meanwhile, or has retired or dismissed it. */
static void wake_oneself(struct tp_idle *idle, struct tp_worker *worker)
{
    tp_spin_lock(&idle->lock);
    if (worker->place == TP_WORKER_ASLEEP)
        take(idle, worker);
    tp_spin_unlock(&idle->lock);
}

bool tp_idle_sleep_in(struct tp_idle *idle, struct tp_worker *worker, struct tp_driver *driver, uint64_t deadline_ns)
{
    if (tp_idle_is_leaving(worker) && !worker->stays) { /* asked so before it prepared: later, it would have been dismissed */
        tp_spin_lock(&idle->lock);
        if (tp_idle_is_leaving(worker))
            dismiss(idle, worker);
        tp_spin_unlock(&idle->lock);
    }
    struct tp_waiter *w = &worker->waiter;
    bool looks_out = driver || deadline_ns != TP_FOREVER;
    bool is_told = tp_activity_block(&worker->activity, looks_out ? TP_BLOCKED_LOOKOUT : TP_BLOCKED_PARKED) == TP_ACTIVITY_MADE;
    if ((driver ? tp__driver_sleep(driver, w, deadline_ns) : tp__waiter_sleep(w, deadline_ns, &idle->patience)) != 0)
        wake_oneself(idle, worker);
    if (is_told)
        tp_activity_unblock(&worker->activity);
    tp_store_rlx(&worker->waiter.state, TP_WAITER_OFF); /* relaxed: the caller's own again */
    if (!worker->retired)
        return true;
    tp_spin_lock(&idle->lock);
    worker->retired = false;
    if (worker->stays && worker->place != TP_WORKER_AWAKE)
        take(idle, worker);
    bool stays = worker->place == TP_WORKER_AWAKE; /* by itself, or taken back before its thread had gone [IDLE-4] */
    tp_spin_unlock(&idle->lock);
    return stays;
}

void tp_idle_quit(struct tp_idle *idle, struct tp_worker *worker)
{
    tp_spin_lock(&idle->lock);
    worker->retired = false;
    if (worker->place != TP_WORKER_AWAKE)
        take(idle, worker);
    worker->place = TP_WORKER_OUT;
    count_live(idle, -1);
    count(idle, 0, -1);
    tp_spin_unlock(&idle->lock);
    tp_store_rlx(&worker->waiter.state, TP_WAITER_OFF); /* relaxed: the caller's own again */
    tp_activity_block(&worker->activity, TP_BLOCKED_SHUTDOWN);
}

bool tp_idle_leave(struct tp_idle *idle, struct tp_worker *worker)
{
    tp_spin_lock(&idle->lock);
    tp_assert(worker->place == TP_WORKER_AWAKE);
    bool leaves = tp_idle_is_leaving(worker);
    if (leaves) {
        worker->place = TP_WORKER_OUT;
        count_live(idle, -1);
    }
    tp_spin_unlock(&idle->lock);
    tp_fence_sc(); /* [IDLE-6] the caller's look at the queues comes after; pairs with tp_idle_notify */
    return leaves;
}

/* -- wakers ------------------------------------------------------------------------------------ */

/* The system refused the worker's thread: its place is `before` again. Whoever relied on its search
 * is served by a sleeper, or by those who are awake [IDLE-5]. Returns true if there was a sleeper. */
static bool refused(struct tp_idle *idle, struct tp_worker *worker, enum tp_worker_place before)
{
    tp_spin_lock(&idle->lock);
    struct tp_alert alert;
    bool other = take_sleeper(idle, &alert); /* first, so that the count of searchers is not 0 in between */
    worker->place = TP_WORKER_OUT;
    count_live(idle, -1);
    if (before == TP_WORKER_VACANT)
        stack_add_vacant(idle, worker);
    idle->retry_ns = tp_deadline_in_ns(TP_IDLE_RETRY_NS);
    count(idle, before == TP_WORKER_VACANT ? 1 : 0, -1);
    tp_spin_unlock(&idle->lock);
    tp__waiter_call(alert);
    return other;
}

enum outcome {
    NOBODY,    /* to wake, or no need */
    TAKEN,     /* it searches, once it has been told */
    STARTABLE, /* taken, but it has no thread yet */
    NO_ROOM    /* not taken: it has no thread, nor room for one */
};

struct taken {
    enum outcome outcome;
    struct tp_worker *worker;
    struct tp_alert alert; /* for tp__waiter_call */
};

/* Takes whom a task wakes, unless somebody searches. has_room: tp__crew_enter was called. */
static struct taken take_one(struct tp_idle *idle, bool has_room)
{
    struct taken taken = {NOBODY, NULL, NO_ALERT};
    tp_spin_lock(&idle->lock);
    /* Relaxed: if a searcher shows up or leaves meanwhile, it looks itself [IDLE-1]. */
    if (tp_idle_searching(tp_load_rlx(&idle->counts)) == 0)
        taken.worker = stack_choice(idle);
    if (taken.worker) {
        bool sleeps = taken.worker->place == TP_WORKER_ASLEEP;
        taken.outcome = has_thread(taken.worker) ? TAKEN : (has_room ? STARTABLE : NO_ROOM);
        if (taken.outcome != NO_ROOM)
            take(idle, taken.worker);
        if (sleeps)
            taken.alert = tp__waiter_wake(&taken.worker->waiter);
    }
    tp_spin_unlock(&idle->lock);
    return taken;
}

bool tp_idle_wake(struct tp_idle *idle)
{
    struct tp_crew *room = NULL;
    struct taken taken;
    while ((taken = take_one(idle, room != NULL)).outcome == NO_ROOM) {
        room = taken.worker->crew;
        if (!tp__crew_enter(room))
            return false; /* every worker has left for good: no task is left [LIFE-2] */
    }
    bool woken = taken.outcome != NOBODY;
    tp__waiter_call(taken.alert);
    if (taken.outcome == STARTABLE) {
        if (tp__crew_launch(taken.worker) == 0)
            return true; /* the room is the thread's now */
        woken = refused(idle, taken.worker, TP_WORKER_VACANT);
    }
    if (room)
        tp__crew_forgo(room);
    return woken;
}

bool tp_idle_insist(struct tp_idle *idle)
{
    tp_spin_lock(&idle->lock);
    idle->retry_ns = 0;
    tp_spin_unlock(&idle->lock);
    return tp_idle_wake(idle);
}

void tp_idle_wake_worker(struct tp_idle *idle, struct tp_worker *worker)
{
    struct tp_alert alert = NO_ALERT;
    tp_spin_lock(&idle->lock);
    if (worker->place == TP_WORKER_ASLEEP) { /* else it looks before it sleeps, or since it was told to go [IDLE-7] */
        take(idle, worker);
        alert = tp__waiter_wake(&worker->waiter);
    }
    tp_spin_unlock(&idle->lock);
    tp__waiter_call(alert);
}

void tp_idle_wake_all(struct tp_idle *idle)
{
    struct tp_alert alert;
    bool more;
    do {
        tp_spin_lock(&idle->lock);
        more = take_sleeper(idle, &alert);
        tp_spin_unlock(&idle->lock);
        tp__waiter_call(alert);
    } while (more);
}

/* -- how many there are ------------------------------------------------------------------------- */

/* Relaxed stores of `leaving` below: under the lock; what is read without it is only a hint. */

int tp_idle_grow(struct tp_idle *idle, struct tp_worker *worker)
{
    tp_spin_lock(&idle->lock);
    tp_store_rlx(&worker->leaving, 0); /* relaxed: see above */
    enum tp_worker_place before = worker->place;
    bool joins = before == TP_WORKER_OUT || before == TP_WORKER_VACANT;
    bool starts = joins && !worker->retired; /* else its thread is still there, and finds itself awake [IDLE-4] */
    if (joins)
        take(idle, worker);
    tp_spin_unlock(&idle->lock);
    int status = starts ? tp_crew_start(worker) : 0;
    if (status != 0)
        refused(idle, worker, before);
    return status;
}

void tp_idle_add_vacant(struct tp_idle *idle, struct tp_worker *worker)
{
    tp_spin_lock(&idle->lock);
    tp_store_rlx(&worker->leaving, 0); /* relaxed: see above */
    if (worker->place == TP_WORKER_OUT) {
        stack_add_vacant(idle, worker);
        count(idle, 1, 0);
    }
    tp_spin_unlock(&idle->lock);
    tp_fence_sc(); /* [IDLE-6] the caller's look at the queues comes after; pairs with tp_idle_notify */
}

void tp_idle_shrink(struct tp_idle *idle, struct tp_worker *worker)
{
    tp_spin_lock(&idle->lock);
    tp_store_rlx(&worker->leaving, 1); /* relaxed: see above */
    struct tp_alert alert = dismiss(idle, worker);
    tp_spin_unlock(&idle->lock);
    tp__waiter_call(alert);
}

/* Where the sleepers begin that fell asleep at before_ns or later. */
static uint32_t stack_cut(struct tp_idle *idle, uint64_t before_ns)
{
    uint32_t low = idle->n_vacant, high = idle->n_stacked;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (idle->stack[middle]->since_ns < before_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t tp_idle_expire(struct tp_idle *idle, uint64_t before_ns, uint32_t n_keep)
{
    struct tp_alert alerts[RETIRE_BATCH];
    uint32_t n_retired = 0, n;
    do {
        n = 0;
        tp_spin_lock(&idle->lock);
        uint32_t cut = stack_cut(idle, before_ns);
        while (n < RETIRE_BATCH && idle->n_vacant < cut && tp_idle_live(idle) > n_keep) {
            struct tp_worker *worker = idle->stack[idle->n_vacant++];
            alerts[n++] = retire(idle, worker, TP_WORKER_VACANT); /* the counts stay: it can still be woken */
        }
        tp_spin_unlock(&idle->lock);
        for (uint32_t i = 0; i < n; i++)
            tp__waiter_call(alerts[i]);
        n_retired += n;
    } while (n == RETIRE_BATCH);
    return n_retired;
}

void tp_idle_clear(struct tp_idle *idle)
{
    tp_spin_lock(&idle->lock);
    tp_assert(idle->n_stacked == idle->n_vacant && tp_idle_live(idle) == 0);
    while (idle->n_stacked > 0)
        dismiss(idle, stack_top(idle));
    tp_spin_unlock(&idle->lock);
}

uint32_t tp_idle_parked(struct tp_idle *idle)
{
    tp_spin_lock(&idle->lock);
    uint32_t n = idle->n_stacked - idle->n_vacant;
    tp_spin_unlock(&idle->lock);
    return n;
}
