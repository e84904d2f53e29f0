/* Alarms: points in time at which somebody is to be woken, the earliest first.
 * A pairing heap (Fredman, Sedgewick, Sleator and Tarjan 1986) whose nodes belong to those who wait: setting one costs a few
 * writes and never memory. Invariant: an alarm is in the heap from its set until it is cleared or rung, all under the lock. */
#ifndef TP_ALARMS_H
#define TP_ALARMS_H

#include "base/atomic.h"
#include "base/spin.h"

/* Belongs to who waits; zeroed at first. */
struct tp_alarm {
    uint64_t at_ns; /* on the clock of whoever asks tp_alarms_ring */
    void *whom;     /* these two are for who rings */
    uint64_t generation;
    struct tp_alarm *child, *next, *prev; /* of the heap; prev of a first child is its parent */
    bool is_set, has_rung;
};

struct tp_alarms {
    struct tp_spin lock; /* guards the heap */
    struct tp_alarm *first;
    tp_atomic(uint64_t) next_ns; /* when `first` rings, TP_FOREVER: no alarm; written under the lock, read by who plans its sleep */
};

/* tp_alarms_init: no alarm, in the caller's memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_alarms_init(struct tp_alarms *alarms);

/* tp_alarm_set: have the alarm ring at a point in time.
 * alarm: not set; the caller's, untouched until tp_alarm_clear.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_alarm_set(struct tp_alarms *alarms, struct tp_alarm *alarm, uint64_t at_ns);

/* tp_alarm_clear: the alarm will not ring any more.
 * Returns true if it has.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_alarm_clear(struct tp_alarms *alarms, struct tp_alarm *alarm);

/* tp_alarms_ring: take the first alarm out if it is due. To be called until there is none.
 * rung: receives a copy of it, for who is to be woken may be through with the alarm itself by then.
 * Returns whether one was due.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_alarms_ring(struct tp_alarms *alarms, uint64_t now_ns, struct tp_alarm *rung);

/* When the next alarm rings, TP_FOREVER if there is none. Relaxed: who sets one sees to it that somebody looks after that. */
static inline uint64_t tp_alarms_next_ns(struct tp_alarms *alarms)
{
    return tp_load_rlx(&alarms->next_ns);
}

#endif
