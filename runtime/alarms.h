/* Alarms: points in time at which somebody is to be woken. A timing wheel (wheel.h) behind a spin lock, one per worker, so that who sets one
 * writes to lines of its own; whoever wakes up first after that may ring any of them.
 * Invariant: an alarm is in the wheel from its set until it is cleared or rung, all under the lock (docs/timers.md). */
#ifndef TP_ALARMS_H
#define TP_ALARMS_H

#include "base/align.h"
#include "base/atomic.h"
#include "base/spin.h"
#include "wheel.h"

/* An alarm's state; written under the lock. */
enum tp_alarm_state {
    TP_ALARM_OFF,
    TP_ALARM_SET,
    TP_ALARM_RUNG /* who rang it does not touch it any more: read by who clears it, before the lock */
};

/* Belongs to who waits; zeroed at first. */
struct tp_alarm {
    struct tp_wheel_entry entry; /* must be first */
    void *whom;                  /* these two are for who rings */
    uint64_t generation;
    struct tp_alarms *alarms; /* where it was set; by who waits */
    tp_atomic(uint32_t) state;
};

struct tp_alarms {
    tp_line_aligned struct tp_spin lock;         /* guards the wheel */
    tp_line_aligned tp_atomic(uint64_t) next_ns; /* not after the wheel's; written under the lock, when it changes [ALARM-1] */
    tp_line_aligned struct tp_wheel wheel;
};

/* Who is to be woken. */
struct tp_rung {
    void *whom;
    uint64_t generation;
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

/* tp_alarms_ring: take alarms out that are due. To be called as long as tp_alarms_next_ns is not after now_ns.
 * rung: receives whom to wake, who may be through with the alarm itself by then. Room for n.
 * Returns how many there are; perhaps 0 although more are due, since it holds the lock for a few steps only.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp_alarms_ring(struct tp_alarms *alarms, uint64_t now_ns, struct tp_rung *rung, unsigned n);

/* No alarm rings before; TP_FOREVER if there is none. Relaxed: see [ALARM-2]. */
static inline uint64_t tp_alarms_next_ns(struct tp_alarms *alarms)
{
    return tp_load_rlx(&alarms->next_ns);
}

#endif
