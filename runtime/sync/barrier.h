/* Barriers: n tasks or threads that go on together, again and again. */
#ifndef TP_SYNC_BARRIER_H
#define TP_SYNC_BARRIER_H

#include "line.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tp_barrier {
    uint64_t n;
    uint64_t n_here; /* guarded by the gate's lock */
    struct tp_gate gate;
};

/* tp_barrier_init: for n at a time, at least 1. In the caller's memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_barrier_init(struct tp_barrier *barrier, uint64_t n);

/* tp_barrier_end: nobody waits, nor will. The memory is the caller's again.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_barrier_end(struct tp_barrier *barrier);

/* tp_barrier_wait: wait until n are here, the caller included. The n-th lets the others go and does not wait; what comes next
 * belongs to the next round, also while some have not gone yet.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: for ever; 0: do not wait.
 * is_last: set to whether the caller was the n-th, if 0 is returned; NULL: of no interest.
 * Returns 0; or, no longer counted as here, TP_ETIMEDOUT; TP_ECANCELED when it would have waited, or waits, and the task was asked
 * to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_barrier_wait(struct tp_barrier *barrier, uint64_t deadline_ns, bool *is_last);

#ifdef __cplusplus
}
#endif

#endif
