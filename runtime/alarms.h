/* Alarms: points in time at which somebody is to be woken. A timing wheel (wheel.h) behind a spin lock, one per worker, so that who sets one
 * writes to lines of its own; whoever wakes up first after that may ring any of them.
 * Invariant: an alarm is in the wheel from its set until it is cleared or rung, all under the lock (docs/timers.md). */
#ifndef TP_ALARMS_H
#define TP_ALARMS_H

#include "alarm_record.h"
#include "base/align.h"
#include "base/spin.h"
#include "park.h"

struct tp_alarms {
    tp_line_aligned struct tp_spin lock;         /* guards the wheel */
    tp_atomic(uint64_t) n_set;                   /* ever, for who looks; written under the lock, as the next */
    tp_atomic(uint64_t) n_cleared, n_rung;       /* ends of those that were set: before their time, and by it */
    tp_atomic(uint64_t) n_called;                /* of those that have rung: timers */
    tp_line_aligned tp_atomic(uint64_t) next_ns; /* not after the wheel's; written under the lock, when it changes [ALARM-1] */
    struct tp_waitlist ends;                     /* who waits for the end of a timer's call: seldom anybody */
    tp_line_aligned struct tp_wheel wheel;       /* last: most of it is left alone until it is used */
};

/* Who is to be woken, or called. */
struct tp_rung {
    void *whom;
    uint64_t generation;
    bool is_timer;
};

#define TP_ALARMS_SLACK_NS UINT64_C(16384) /* see tp_slack_set */

/* tp_alarms_init: no alarm, in the caller's memory.
 * slack_ns: as for tp_slack_set; 0: what that has set.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_alarms_init(struct tp_alarms *alarms, uint64_t slack_ns);

/* tp_alarm_set: have the alarm ring at a point in time, or up to the slack later.
 * alarm: not set; the caller's, untouched until tp_alarm_clear.
 * Returns true if it is the earliest there now: nobody may have planned for it [ALARM-2].
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_alarm_set(struct tp_alarms *alarms, struct tp_alarm *alarm, uint64_t at_ns);

/* tp_alarm_clear: the alarm, which was set, will not ring any more.
 * Returns true if it has.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_alarm_clear(struct tp_alarm *alarm);

/* tp__alarm_put: the same, by who holds the lock, for an alarm whose `alarms` say where.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp__alarm_put(struct tp_alarm *alarm, uint64_t at_ns);

/* tp__alarm_take: the alarm, which is set, is off, by who holds the lock.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__alarm_take(struct tp_alarm *alarm);

/* tp_alarms_ring: take alarms out that are due: by their times, in ticks of the slack; of one tick in the order in which they were set. To be called as long as tp_alarms_next_ns is not after now_ns.
 * rung: receives whom to wake, who may be through with the alarm itself by then; after a timer, which is to be called, nobody. Room for n.
 * Returns how many there are; perhaps 0 although more are due, since it holds the lock for a few steps only.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp_alarms_ring(struct tp_alarms *alarms, uint64_t now_ns, struct tp_rung *rung, unsigned n);

/* No alarm rings before; TP_FOREVER if there is none. Relaxed: see [ALARM-2]. */
static inline uint64_t tp_alarms_next_ns(struct tp_alarms *alarms)
{
    return tp_load_rlx(&alarms->next_ns);
}

#endif
