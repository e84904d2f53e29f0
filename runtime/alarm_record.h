/* One alarm: the record that a wheel holds. The functions are in alarms.h; the type stands apart because hosts embed it, in timers, also in
 * C++.
 * Invariant: it is in the wheel of `alarms` exactly while it is SET; both change under the lock there. */
#ifndef TP_ALARM_RECORD_H
#define TP_ALARM_RECORD_H

#include "base/atomic.h"
#include "wheel.h"

/* An alarm's state; written under the lock. */
enum tp_alarm_state {
    TP_ALARM_OFF,
    TP_ALARM_SET,
    TP_ALARM_RUNG /* of a task: who rang it does not touch it any more: read by who clears it, before the lock. Of a timer: its call is under way */
};

struct tp_alarms;

/* Belongs to who waits; zeroed at first. */
struct tp_alarm {
    struct tp_wheel_entry entry; /* must be first */
    void *whom;                  /* these two are for who rings; of a timer, the timer */
    uint64_t generation;
    struct tp_alarms *alarms; /* where it was set; by who waits */
    tp_atomic(uint32_t) state;
    uint32_t is_timer; /* it stays where it is, and is called (timer.h) */
};

#endif
