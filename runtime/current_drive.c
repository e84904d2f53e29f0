/* The thread that runs the tasks of a current-thread runtime: its turn, its sleep, and the time of its tasks.
 * Invariant [CURRENT-1]: `is_driven` is true from take_turn to give_turn of one thread, which alone touches what is of the thread that drives. */
#include "current.h"

#include "base/status.h"
#include "clock.h"
#include "fork.h"
#include "futex.h"

#include <unistd.h>

enum {
    LOOK = 16,  /* steps between two looks at the clock, if a task waits for it */
    GLANCE = 64 /* and between two at descriptors */
};

/* -- time --------------------------------------------------------------------------------------- */

/* To that time, unless it has passed. */
static void move_time(struct tp_current *current, uint64_t to_ns)
{
    uint64_t now_ns = tp_load_rlx(&current->now_ns); /* relaxed, as the store: see tell_time in runtime/current.c */
    if (now_ns < to_ns)
        tp_store_rlx(&current->now_ns, now_ns = to_ns);
    tp_fibers_ring(&current->fibers, now_ns);
}

void tp__current_outside(struct tp_current *current, int delta)
{
    tp_add_sc(&current->n_outside, (uint32_t)delta); /* sequentially consistent; its release half pairs with the acquire in `rest` */
}

int tp__current_advance(struct tp_current *current, uint64_t duration_ns)
{
    uint64_t now_ns = tp_load_rlx(&current->now_ns), end_ns; /* relaxed: see tell_time */
    if (now_ns == 0)
        return TP_ENOTSUP;
    if (__builtin_add_overflow(now_ns, duration_ns, &end_ns))
        end_ns = TP_FOREVER - 1;
    for (uint64_t next_ns; (next_ns = tp_fibers_next_ns(&current->fibers)) < end_ns;) /* one deadline after the other, in their order */
        move_time(current, next_ns);
    move_time(current, end_ns);
    return 0;
}

/* -- driving ------------------------------------------------------------------------------------ */

/* Wakes the tasks whose descriptors are ready. until_ns: how long to wait for one; 0: not at all. */
static void look_at_descriptors(struct tp_current *current, uint64_t until_ns)
{
    struct tp_driver *driver = &current->fibers.lookout.driver;
    if (driver->n_events == 0)
        tp_driver_poll(driver, until_ns);
    tp_spin_lock(&current->lock);
    tp_store_rlx(&current->asleep, TP__AWAKE); /* relaxed: written under the lock */
    tp_spin_unlock(&current->lock);
    tp_driver_dispatch(driver);
}

static bool has_descriptors(struct tp_current *current)
{
    return tp_driver_is_needed(&current->fibers.lookout.driver);
}

/* Sleeps until there is a task that can go on, or that time has come; in the driver if a task waits for a descriptor, of which
 * those learn who wake. The only place where who drives sleeps.
 * next_ns: the earliest deadline, as the caller has seen it: whoever sets an earlier one writes it before he takes the lock, so it is
 *          seen here, or the sleep [TIMER-3]. */
static void idle(struct tp_current *current, uint64_t until_ns, uint64_t next_ns)
{
    uint32_t place = has_descriptors(current) ? TP__IN_DRIVER : TP__ON_WORD;
    tp_spin_lock(&current->lock);
    if (current->n_ready > 0 || tp_fibers_next_ns(&current->fibers) != next_ns)
        place = TP__AWAKE;
    tp_store_rlx(&current->asleep, place); /* relaxed: written under the lock */
    current->stats.parks += place != TP__AWAKE;
    tp_spin_unlock(&current->lock);
    if (place != TP__AWAKE)
        tp_activity_block(&current->activity, TP_BLOCKED_LOOKOUT);
    if (place == TP__IN_DRIVER)
        look_at_descriptors(current, until_ns);
    int status = 0;
    while (place == TP__ON_WORD && status == 0 && tp_load_acq(&current->asleep) != TP__AWAKE) /* a hint: the ring is read under the lock */
        status = tp_futex_wait(&current->asleep, TP__ON_WORD, until_ns);
    if (place != TP__AWAKE)
        tp_activity_unblock(&current->activity);
    if (status == 0)
        return;
    tp_spin_lock(&current->lock);
    tp_store_rlx(&current->asleep, TP__AWAKE); /* relaxed: written under the lock */
    tp_spin_unlock(&current->lock);
}

/* Takes a step of clean-up among idle coroutines, if one is due. Returns when the next is. */
static uint64_t tend(struct tp_current *current)
{
    if (!tp_fibers_are_many(&current->fibers))
        return TP_FOREVER;
    uint64_t now_ns = tp_clock_now_ns();
    if (tp_fibers_is_due(&current->fibers, now_ns))
        tp_fibers_tend(&current->fibers, now_ns);
    uint64_t step_ns = tp_load_rlx(&current->fibers.step_ns); /* relaxed: nobody else takes steps */
    return step_ns != 0 ? step_ns : TP_FOREVER;
}

static bool has_ready(struct tp_current *current)
{
    tp_spin_lock(&current->lock);
    bool has_ready = current->n_ready > 0;
    tp_spin_unlock(&current->lock);
    return has_ready;
}

/* No task can go on: passes the time until one can. */
static void rest(struct tp_current *current, uint64_t deadline_ns)
{
    uint64_t next_ns = tp_fibers_next_ns(&current->fibers);
    bool is_virtual = tp_load_rlx(&current->now_ns) != 0;                               /* relaxed: see tell_time */
    if (is_virtual && next_ns != TP_FOREVER && tp_load_acq(&current->n_outside) == 0) { /* pairs with the addition in tp__current_outside */
        if (has_descriptors(current))
            look_at_descriptors(current, 0);
        if (!has_ready(current)) /* time does not pass while a task can go on */
            move_time(current, next_ns);
        return;
    }
    uint64_t until_ns = tend(current);
    if (!is_virtual && next_ns < until_ns)
        until_ns = next_ns;
    idle(current, until_ns < deadline_ns ? until_ns : deadline_ns, next_ns);
}

/* Wakes the tasks whose time has come. */
static void ring_alarms(struct tp_current *current)
{
    bool is_virtual = tp_load_rlx(&current->now_ns) != 0; /* relaxed: see tell_time */
    if (!is_virtual && tp_fibers_next_ns(&current->fibers) != TP_FOREVER)
        tp_fibers_ring(&current->fibers, tp_clock_now_ns());
}

/* Is that task over; is nothing in flight? */
static bool is_reached(struct tp_current *current, uint64_t id)
{
    if (id != 0)
        return tp_track_wait(&current->track, id, 0, NULL) != TP_ETIMEDOUT;
    tp_spin_lock(&current->lock);
    bool is_quiet = tp__current_in_flight(current) == 0;
    tp_spin_unlock(&current->lock);
    return is_quiet;
}

/* Runs tasks until that is reached. Returns 0 or TP_ETIMEDOUT. */
static int drive(struct tp_current *current, uint64_t id, uint64_t deadline_ns)
{
    uint64_t n_seen = tp_own(&current->n_over);
    tp_forks_publish(); /* of a task around this call [FORK-2] */
    if (is_reached(current, id))
        return 0;
    for (uint32_t tick = 0;; tick++) {
        if (tick % LOOK == 0)
            ring_alarms(current);
        if (tick % GLANCE == GLANCE - 1 && has_descriptors(current))
            look_at_descriptors(current, 0);
        if (!tp__current_step(current)) {
            tp_activity_seek(&current->activity);
            rest(current, deadline_ns);
            tp_activity_run(&current->activity);
            ring_alarms(current);
        }
        if (n_seen != tp_own(&current->n_over) && is_reached(current, id))
            return 0;
        n_seen = tp_own(&current->n_over);
        if (deadline_ns != TP_FOREVER && tp_clock_now_ns() >= deadline_ns)
            return TP_ETIMEDOUT;
    }
}

static bool take_turn(struct tp_current *current)
{
    tp_spin_lock(&current->lock);
    bool is_mine = !current->is_driven;
    current->is_driven = true;
    tp_spin_unlock(&current->lock);
    if (is_mine) {
        tp_note(&current->tid, gettid());
        tp_activity_begin(&current->activity);
        tp_activity_run(&current->activity);
    }
    return is_mine;
}

static void give_turn(struct tp_current *current)
{
    tp_activity_block(&current->activity, TP_BLOCKED_NO_THREAD);
    tp_note(&current->tid, 0);
    tp_spin_lock(&current->lock);
    current->is_driven = false;
    tp_spin_unlock(&current->lock);
    tp_waitlist_notify(&current->turn, UINT32_MAX); /* one of them drives next */
}

static bool is_driven(struct tp_current *current)
{
    tp_spin_lock(&current->lock);
    bool is_driven = current->is_driven;
    tp_spin_unlock(&current->lock);
    return is_driven;
}

int tp__current_await(struct tp_current *current, uint64_t id, uint64_t deadline_ns)
{
    bool may_drive = !tp_co_self(); /* a fiber is run in no coroutine */
    if (id != 0 && (deadline_ns == 0 || !may_drive))
        return tp_track_wait(&current->track, id, deadline_ns, NULL);
    int status = deadline_ns == 0 ? TP_ETIMEDOUT : 0;
    while (!is_reached(current, id)) {
        struct tp_waiter waiter;
        if (status != 0)
            return status;
        if (may_drive && take_turn(current)) {
            status = drive(current, id, deadline_ns);
            give_turn(current);
            return status;
        }
        tp_waitlist_prepare(&current->turn, &waiter); /* prepare, look again, sleep; all are woken together [CURRENT-2] */
        if (is_reached(current, id) || (may_drive && !is_driven(current)))
            tp_waitlist_cancel(&current->turn, &waiter);
        else
            status = tp_waitlist_wait(&current->turn, &waiter, deadline_ns);
    }
    return 0;
}
