/* Sleeping: until a point in time, for a while, and at regular times. A task in a coroutine sleeps without its worker, a thread and a plain
 * task as a thread does.
 * Invariant: no sleep ends early but by a request to end; how late it may end, and in which order sleeps until the same time do, is said in
 * docs/timers.md. */
#ifndef TP_SLEEP_H
#define TP_SLEEP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* tp_sleep_until: sleep until a point in time. A cancellation point.
 * deadline_ns: on the clock of tp_clock_now_ns(). One that has passed lets other tasks run, as tp_yield does. TP_FOREVER: until the task is
 *              asked to end; a thread, for ever.
 * Returns 0 when it is time; before, TP_ECANCELED to a task in a coroutine that was asked to end. A plain task that was asked to
 * end is told so before it sleeps, or after it has.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
int tp_sleep_until(uint64_t deadline_ns);

/* tp_sleep_ns: the same, until duration_ns from now.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
int tp_sleep_ns(uint64_t duration_ns);

/* tp_slack_set: how late deadlines of tasks in coroutines may be noticed, so that those close to each other cost one wake-up. For pools
 * that are opened after this, in the whole process. Without it, 16384 ns.
 * slack_ns: rounded down to a power of two, at most 2^32; 0 as 1.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_slack_set(uint64_t slack_ns);

/* What becomes of regular times that pass while nobody waits for them. */
enum tp_missed {
    TP_MISSED_BURST, /* each is still had, at once, one after the other: as many as there were, and then on as planned */
    TP_MISSED_DELAY, /* times move: each is a whole period after the one before was had, so there are never two in less */
    TP_MISSED_SKIP   /* the first is had at once, and the next is the first that lies ahead, at a multiple of the period from the start */
};

/* Regular times. All of it belongs to the caller, who may read it. */
struct tp_interval {
    uint64_t next_ns;   /* the next one */
    uint64_t period_ns; /* at least 1 */
    enum tp_missed missed;
};

/* tp_interval_init: the first time is a period from now.
 * period_ns: 0 as 1.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_interval_init(struct tp_interval *interval, uint64_t period_ns, enum tp_missed missed);

/* tp_interval_wait: sleep until the next time. A cancellation point.
 * deadline_ns: no longer than this; TP_FOREVER: as long as it takes.
 * Returns 0, and the interval is at the time after that; TP_ETIMEDOUT, if the deadline is before; or as tp_sleep_until. Then the
 * interval is as it was.
 * [thread: any, one at a time] [suspends: yes] [blocks: yes] [allocates: no] */
int tp_interval_wait(struct tp_interval *interval, uint64_t deadline_ns);

#ifdef __cplusplus
}
#endif

#endif
