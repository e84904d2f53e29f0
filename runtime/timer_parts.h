/* Timers, from the side of who rings alarms. */
#ifndef TP_TIMER_PARTS_H
#define TP_TIMER_PARTS_H

#include "timer.h"

/* tp__timer_call: call a timer that has rung, and set it again if that is wanted.
 * now_ns: as for tp_alarms_ring.
 * [thread: who rang] [suspends: no] [blocks: no] [allocates: no] */
void tp__timer_call(struct tp_timer *timer, uint64_t now_ns);

#endif
