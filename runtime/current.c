/* The current-thread scheduler: a ring of tasks that can go on, and a thread that runs them while it waits for something.
 * Invariant [CURRENT-1]: `is_driven` is true from take_turn to give_turn of one thread, which alone touches what is of the thread that drives. */
#include "current.h"

#include "base/status.h"
#include "clock.h"
#include "fork.h"
#include "futex.h"

#include <stdlib.h>
#include <string.h>

/* Where who drives sleeps. */
enum { AWAKE,
    ON_WORD,
    IN_DRIVER };

enum {
    FIRST_ROOM = 16, /* places in a new ring */
    LOOK = 16,       /* steps between two looks at the clock, if a task waits for it */
    GLANCE = 64      /* and between two at descriptors */
};

/* A time that tasks of one runtime see begins here. */
static const uint64_t FIRST_NS = TP_SECOND;

/* -- the ring ----------------------------------------------------------------------------------- */

/* Appends it; the lock is held, and there is room. Returns where who drives sleeps, for `rouse`, after the lock. */
static uint32_t append(struct tp_current *current, const struct tp_ready *ready)
{
    current->ring[(current->first + current->n_ready++) & (current->n_room - 1)] = *ready;
    uint32_t place = tp_load_rlx(&current->asleep); /* relaxed, and so is the store: written under the lock */
    if (place != AWAKE)
        tp_store_rlx(&current->asleep, AWAKE);
    return place;
}

static void rouse(struct tp_current *current, uint32_t place)
{
    if (place == ON_WORD)
        tp_futex_wake(&current->asleep, 1);
    if (place == IN_DRIVER)
        tp__bell_ring(current->fibers.lookout.driver.bell);
}

/* xorshift64* (Vigna 2016). */
static uint64_t draw(struct tp_current *current)
{
    current->random ^= current->random >> 12;
    current->random ^= current->random << 25;
    current->random ^= current->random >> 27;
    return current->random * UINT64_C(2685821657736338717);
}

/* Takes the next one: the first, or with a seed any. */
static bool take(struct tp_current *current, struct tp_ready *ready)
{
    tp_spin_lock(&current->lock);
    bool is_there = current->n_ready > 0;
    if (is_there) {
        size_t mask = current->n_room - 1, at = current->first;
        if (current->random != 0)
            at = (at + draw(current) % current->n_ready) & mask;
        *ready = current->ring[at];
        current->ring[at] = current->ring[current->first];
        current->first = (current->first + 1) & mask;
        current->n_ready--;
        current->n_begun += !ready->fiber;
    }
    tp_spin_unlock(&current->lock);
    return is_there;
}

static uint64_t in_flight(const struct tp_current *current)
{
    return current->n_accepted - current->stats.completed - current->stats.cancelled;
}

/* Makes the ring twice as large. The lock is held, and given up meanwhile. Returns false for want of memory. */
static bool grow(struct tp_current *current)
{
    size_t n_room = current->n_room;
    tp_spin_unlock(&current->lock);
    struct tp_ready *ring = malloc(2 * n_room * sizeof *ring), *unused = ring;
    tp_spin_lock(&current->lock);
    if (ring && current->n_room == n_room) { /* else another thread was faster */
        for (size_t i = 0; i < current->n_ready; i++)
            ring[i] = current->ring[(current->first + i) & (n_room - 1)];
        unused = current->ring;
        current->ring = ring;
        current->first = 0;
        current->n_room = 2 * n_room;
    }
    tp_spin_unlock(&current->lock);
    free(unused);
    tp_spin_lock(&current->lock);
    return ring != NULL;
}

/* Counts one more task, with room for it. The lock is held. */
static int admit(struct tp_current *current)
{
    for (;;) {
        uint64_t word = tp_life_look(&current->life);
        if (!tp_life_is_open(word))
            return tp_life_refusal(word);
        if (in_flight(current) >= current->capacity)
            return TP_EFULL;
        if (in_flight(current) < current->n_room)
            break;
        if (!grow(current))
            return TP_ENOMEM;
    }
    current->n_accepted++;
    return 0;
}

int tp__current_accept(struct tp_current *current, const struct tp_call *call, bool is_kept, uint64_t *id)
{
    struct tp_ready ready = {.call = *call};
    size_t n_begun;
    if (tp_life_state(tp_life_look(&current->life)) == TP_LIFE_FORKED)
        return TP_EFORKED;
    int status = tp_track_begin(&current->track, 1, is_kept, &ready.id, &n_begun);
    if (status != 0)
        return status;
    uint32_t place = AWAKE;
    tp_spin_lock(&current->lock);
    status = admit(current);
    if (status == 0) {
        *id = ready.id;
        place = append(current, &ready);
    }
    tp_spin_unlock(&current->lock);
    if (status != 0)
        tp_track_undo(&current->track, &ready.id, 1);
    rouse(current, place);
    return status;
}

/* Called by whoever ends the sleep of a task. */
static void put_ready(struct tp_fiber *fiber)
{
    struct tp_current *current = fiber->fibers->owner;
    struct tp_ready ready = {.fiber = fiber};
    tp_spin_lock(&current->lock);
    uint32_t place = append(current, &ready);
    tp_spin_unlock(&current->lock);
    tp_fibers_woken(&current->fibers, NULL);
    rouse(current, place);
}

/* -- running tasks ------------------------------------------------------------------------------ */

static int run_call(void *argument)
{
    struct tp_call call = ((const struct tp_ready *)argument)->call;
    return call.run(call.argument);
}

/* A task is over that had begun, or will not. */
static void count_over(struct tp_current *current, struct tp_task_result result, bool has_run)
{
    struct tp_pool_stats *stats = &current->stats;
    tp_spin_lock(&current->lock);
    *(has_run ? &stats->completed : &stats->cancelled) += 1;
    stats->failed += has_run && result.state != TP_TASK_RETURNED;
    stats->panicked += result.state == TP_TASK_PANICKED;
    tp_spin_unlock(&current->lock);
    current->n_over++;
    tp_waitlist_notify(&current->turn, UINT32_MAX); /* after the lock, under which they look */
}

static void finish(struct tp_current *current, uint64_t id, struct tp_task_result result)
{
    tp_track_finish(&current->track, id, result);
    count_over(current, result, true);
}

/* Runs a task until it ends or leaves the thread. */
static void go(struct tp_current *current, struct tp_fiber *fiber)
{
    switch (tp_fiber_run(fiber, &current->cache)) {
    case TP_FIBER_ENDED: {
        struct tp_task_result result = fiber->result;
        uint64_t id = fiber->run.id;
        tp_fiber_put(&current->fibers, &current->cache, fiber);
        finish(current, id, result);
        break;
    }
    case TP_FIBER_READY: {
        struct tp_ready ready = {.fiber = fiber};
        tp_spin_lock(&current->lock);
        append(current, &ready);
        tp_spin_unlock(&current->lock);
        break;
    }
    case TP_FIBER_AWAY:
        break;
    }
}

static void begin_task(struct tp_current *current, struct tp_ready *ready)
{
    bool is_stopped = tp_load_rlx(&current->stop) != 0; /* relaxed: a task may still start while another thread cancels */
    if (is_stopped)
        tp_track_drop(&current->track, ready->id, TP_TASK_CANCELLED);
    if (is_stopped || !tp_track_start(&current->track, ready->id)) {
        tp_call_dropped(ready->call);
        count_over(current, (struct tp_task_result){TP_TASK_CANCELLED, TP_ECANCELED}, false);
        return;
    }
    struct tp_fiber *fiber = tp_fiber_get(&current->fibers, &current->cache);
    if (!fiber) {
        tp_call_dropped(ready->call);
        finish(current, ready->id, (struct tp_task_result){TP_TASK_FAILED, TP_ENOMEM});
        return;
    }
    tp_fiber_begin(fiber, ready, ready->id);
    go(current, fiber);
}

/* Runs the next task. Returns false if there is none. */
static bool step(struct tp_current *current)
{
    struct tp_ready ready;
    if (!take(current, &ready))
        return false;
    if (ready.fiber) {
        tp_fiber_continue(ready.fiber);
        go(current, ready.fiber);
    } else {
        begin_task(current, &ready);
    }
    return true;
}

/* -- time --------------------------------------------------------------------------------------- */

struct tp_current *tp__current_of(void)
{
    const struct tp_run *run = tp_run_task();
    return run && run->fiber && run->fiber->fibers->ready == put_ready ? run->fiber->fibers->owner : NULL;
}

/* The time that the caller sees, if it is a task with a time of its own. */
static bool tell_time(uint64_t *now_ns)
{
    struct tp_current *current = tp__current_of();
    if (!current)
        return false;
    *now_ns = tp_load_rlx(&current->now_ns); /* relaxed: it follows the task from thread to thread, as all that who drives has written */
    return *now_ns != 0;
}

/* To that time, unless it has passed. */
static void move_time(struct tp_current *current, uint64_t to_ns)
{
    uint64_t now_ns = tp_load_rlx(&current->now_ns); /* relaxed, as the store: see tell_time */
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
    tp_store_rlx(&current->asleep, AWAKE); /* relaxed: written under the lock */
    tp_spin_unlock(&current->lock);
    tp_driver_dispatch(driver);
}

static bool has_descriptors(struct tp_current *current)
{
    return tp_driver_is_needed(&current->fibers.lookout.driver);
}

/* Sleeps until there is a task that can go on, or that time has come; in the driver if a task waits for a descriptor, of which
 * those learn who wake. The only place where who drives sleeps. */
static void idle(struct tp_current *current, uint64_t until_ns)
{
    uint32_t place = has_descriptors(current) ? IN_DRIVER : ON_WORD;
    tp_spin_lock(&current->lock);
    if (current->n_ready > 0)
        place = AWAKE;
    tp_store_rlx(&current->asleep, place); /* relaxed: written under the lock */
    current->stats.parks += place != AWAKE;
    tp_spin_unlock(&current->lock);
    if (place == IN_DRIVER)
        look_at_descriptors(current, until_ns);
    int status = 0;
    while (place == ON_WORD && status == 0 && tp_load_acq(&current->asleep) != AWAKE) /* a hint: the ring is read under the lock */
        status = tp_futex_wait(&current->asleep, ON_WORD, until_ns);
    if (status == 0)
        return;
    tp_spin_lock(&current->lock);
    tp_store_rlx(&current->asleep, AWAKE); /* relaxed: written under the lock */
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
    idle(current, until_ns < deadline_ns ? until_ns : deadline_ns);
}

/* Wakes the tasks whose time has come. */
static void ring(struct tp_current *current)
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
    bool is_quiet = in_flight(current) == 0;
    tp_spin_unlock(&current->lock);
    return is_quiet;
}

/* Runs tasks until that is reached. Returns 0 or TP_ETIMEDOUT. */
static int drive(struct tp_current *current, uint64_t id, uint64_t deadline_ns)
{
    uint64_t n_seen = current->n_over;
    tp_forks_publish(); /* of a task around this call [FORK-2] */
    if (is_reached(current, id))
        return 0;
    for (uint32_t tick = 0;; tick++) {
        if (tick % LOOK == 0)
            ring(current);
        if (tick % GLANCE == GLANCE - 1 && has_descriptors(current))
            look_at_descriptors(current, 0);
        if (!step(current)) {
            rest(current, deadline_ns);
            ring(current);
        }
        if (n_seen != current->n_over && is_reached(current, id))
            return 0;
        n_seen = current->n_over;
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
    return is_mine;
}

static void give_turn(struct tp_current *current)
{
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

/* -- its life ----------------------------------------------------------------------------------- */

static void init_fibers(struct tp_current *current, const struct tp_current_settings *settings)
{
    struct tp_fibers *fibers = &current->fibers;
    fibers->owner = current;
    fibers->body = run_call;
    fibers->ready = put_ready;
    fibers->stack_bytes = TP_STOCK_STACK_BYTES;
    fibers->slack_ns = settings->virtual_time ? 1 : 0; /* such time is exact */
    fibers->caches = &current->cache;
    fibers->cache_stride = sizeof current->cache;
    fibers->n_caches = 1;
    fibers->run = (struct tp_run){.owner = current, .ops = &tp__current_ops, .pool = tp__current_ops.name, .track = &current->track, .stop = &current->stop, .on_panic = settings->on_panic, .context = settings->context};
    tp_fibers_init(fibers);
}

int tp__current_open(struct tp_current **out, const struct tp_current_settings *settings)
{
    struct tp_current *current = aligned_alloc(alignof(struct tp_current), sizeof *current);
    if (!current)
        return TP_ENOMEM;
    memset(current, 0, sizeof *current);
    current->ring = malloc(FIRST_ROOM * sizeof *current->ring);
    if (!current->ring || tp_track_init(&current->track, 0) != 0)
        goto fail_ring;
    if (tp_life_init(&current->life) != 0)
        goto fail_track;
    current->n_room = FIRST_ROOM;
    current->capacity = settings->capacity > 0 ? settings->capacity : UINT64_MAX;
    current->random = settings->seed * UINT64_C(0x9e3779b97f4a7c15); /* odd: 0 only for 0; neighbours begin far apart (Knuth 6.4) */
    tp_atomic_init(&current->now_ns, settings->virtual_time ? FIRST_NS : 0);
    if (settings->virtual_time)
        tp__clock_ask(tell_time);
    tp_spin_init(&current->lock);
    tp_waitlist_init(&current->turn);
    init_fibers(current, settings);
    tp_life_open(&current->life);
    *out = current;
    return 0;

fail_track:
    tp_track_free(&current->track);
fail_ring:
    free(current->ring);
    free(current);
    return TP_ENOMEM;
}

void tp__current_free(struct tp_current *current)
{
    bool is_forked = tp_life_state(tp_life_look(&current->life)) == TP_LIFE_FORKED;
    tp_fibers_free(&current->fibers, is_forked);
    tp_life_free(&current->life);
    tp_track_free(&current->track);
    free(current->ring);
    free(current);
}
