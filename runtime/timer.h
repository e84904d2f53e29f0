/* Timers: a function that is called at a point in time, by a pool whose tasks are coroutines, or by a runtime. Setting one, moving it and
 * taking it back are a few instructions under a lock that is seldom shared, and nothing is allocated; a call needs no stack of its own.
 *
 *   struct tp_timer timer;                                        in the caller's memory
 *   tp_timer_init(&timer, tp_runtime_target(runtime), on_time, &what);
 *   tp_timer_set(&timer, tp_deadline_in_ns(TP_SECOND), 0);
 *   tp_timer_end(&timer);                                         from here on, the memory is the caller's
 *
 * Invariant: calls of one timer do not overlap, and none begins early (docs/timers.md). */
#ifndef TP_TIMER_H
#define TP_TIMER_H

#include "alarm_record.h"
#include "multi.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a timer was doing when it was set or cancelled. */
enum tp_timer_state {
    TP_TIMER_OFF,    /* nothing */
    TP_TIMER_SET,    /* it had a time ahead, which counts no more: no call comes of it */
    TP_TIMER_CALLING /* a call is under way: on another thread, or it is the caller itself */
};

/* The caller's memory, from tp_timer_init until tp_timer_end has returned, or a cancel that found no call. */
struct tp_timer {
    struct tp_alarm alarm; /* its lock guards the state and all below but what tp_timer_init sets */
    void (*run)(void *argument);
    void *argument;
    struct tp_fibers *fibers;
    uint64_t at_ns;     /* the time that is ahead, or that the call is for */
    uint64_t next_ns;   /* while a call is under way: the time it was set to meanwhile; 0: to none */
    uint64_t period_ns; /* 0: once */
    bool is_awaited;    /* somebody waits for the end of the call */
};

/* tp_timer_init: a timer that is off.
 * pool: who calls: tp_runtime_target, tp_pool_target, tp_task_target, or the table and the pool of a generated one. It stays until the
 *       last call on the timer has returned. The timer does not keep it open: one that is set when the pool is closed is not called
 *       any more, unless it is opened again. A current-thread runtime calls only while a thread runs its tasks.
 * run:  is called on a worker, between two tasks: so it is short, and does not wait. It may call anything that does not: wake, send, submit
 *       with room to spare, set and cancel timers, end this one. A panic in it is reported, and ends the call.
 * A timer that is initialised by a worker is in that worker's care; let those initialise who will set it.
 * Returns 0; TP_EINVAL: run is NULL; TP_ENOTSUP: tasks there are no coroutines.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_timer_init(struct tp_timer *timer, struct tp_multi_member pool, void (*run)(void *argument), void *argument);

/* tp_timer_set: have it called at a point in time, instead of any time set before.
 * at_ns:     on the clock of the tasks there; has it passed, as soon as may be. Up to the slack later (tp_slack_set), as all deadlines.
 * period_ns: not 0: and again at each multiple of the period from then on. Those that have passed when a call begins are left out.
 * In its own call, or while one is under way: when that has returned.
 * Returns what the timer was doing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
enum tp_timer_state tp_timer_set(struct tp_timer *timer, uint64_t at_ns, uint64_t period_ns);

/* tp_timer_cancel: no further call begins, unless the timer is set again.
 * Returns what the timer was doing: unless that is TP_TIMER_CALLING, nobody will touch it any more.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
enum tp_timer_state tp_timer_cancel(struct tp_timer *timer);

/* tp_timer_end: the same, and the end of the call is waited for, so the memory is the caller's. In the timer's own call it is so at once:
 * the call may give it back. Nobody sets it meanwhile. In the call of another timer it must not be used, since that waits.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
void tp_timer_end(struct tp_timer *timer);

#ifdef __cplusplus
}
#endif

#endif
