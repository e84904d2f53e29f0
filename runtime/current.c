/* The current-thread scheduler: a ring of tasks that can go on, and a thread that runs them while it waits for something.
 * Here are the ring and what a step is; runtime/current_drive.c is about the thread.
 * Invariant: a task is in one place of the ring at most, and whoever puts one there learns whether the thread is to be woken. */
#include "current.h"

#include "base/status.h"
#include "clock.h"
#include "futex.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 16 }; /* places in a new ring */

/* A time that tasks of one runtime see begins here. */
static const uint64_t FIRST_NS = TP_SECOND;

/* -- the ring ----------------------------------------------------------------------------------- */

/* Appends it; the lock is held, and there is room. Returns where who drives sleeps, for `rouse`, after the lock. */
static uint32_t append(struct tp_current *current, const struct tp_ready *ready)
{
    current->ring[(current->first + current->n_ready++) & (current->n_room - 1)] = *ready;
    uint32_t place = tp_load_rlx(&current->asleep); /* relaxed, and so is the store: written under the lock */
    if (place != TP__AWAKE)
        tp_store_rlx(&current->asleep, TP__AWAKE);
    return place;
}

static void rouse(struct tp_current *current, uint32_t place)
{
    if (place == TP__ON_WORD)
        tp_futex_wake(&current->asleep, 1);
    if (place == TP__IN_DRIVER)
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
        if (tp__current_in_flight(current) >= current->capacity)
            return TP_EFULL;
        if (tp__current_in_flight(current) < current->n_room)
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
    uint32_t place = TP__AWAKE;
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

/* Another thread has set an earlier deadline. */
static void nudge(struct tp_fibers *fibers)
{
    struct tp_current *current = fibers->owner;
    tp_spin_lock(&current->lock);
    uint32_t place = tp_load_rlx(&current->asleep); /* relaxed, and so is the store: written under the lock */
    tp_store_rlx(&current->asleep, TP__AWAKE);
    tp_spin_unlock(&current->lock);
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
    tp_note(&current->n_over, tp_own(&current->n_over) + 1);
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

bool tp__current_step(struct tp_current *current)
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

/* The time that the caller sees, if that is its runtime's own. */
static bool tell_time(uint64_t *now_ns)
{
    const struct tp_run *run = tp_run_task(); /* a task's, or of the call of a timer */
    if (!run || run->ops != &tp__current_ops)
        return false;
    const struct tp_current *current = run->owner;
    *now_ns = tp_load_rlx(&current->now_ns); /* relaxed: it follows the task from thread to thread, as all that who drives has written */
    return *now_ns != 0;
}

/* -- its life ----------------------------------------------------------------------------------- */

static void init_fibers(struct tp_current *current, const struct tp_current_settings *settings)
{
    struct tp_fibers *fibers = &current->fibers;
    fibers->owner = current;
    fibers->body = run_call;
    fibers->ready = put_ready;
    fibers->nudge = nudge;
    fibers->stack_bytes = TP_STOCK_STACK_BYTES;
    fibers->slack_ns = settings->virtual_time; /* to the nanosecond, or as the process wants */
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
    tp_roll_add(&current->roll, &tp__current_ops, current, &current->fibers);
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
    tp_roll_remove(&current->roll);
    tp_fibers_free(&current->fibers, is_forked);
    tp_life_free(&current->life);
    tp_track_free(&current->track);
    free(current->ring);
    free(current);
}
