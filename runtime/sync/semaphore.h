/* Semaphores: a number of units that are taken and given back; n of them let n tasks at a time do something.
 * Policy: first come, first served, whatever they want: who wants many is not overtaken by those who want few. */
#ifndef TP_SYNC_SEMAPHORE_H
#define TP_SYNC_SEMAPHORE_H

#include "line.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tp_semaphore {
    uint64_t n_free; /* guarded by the gate's lock */
    struct tp_gate gate;
};

/* tp_semaphore_init: n units are free. In the caller's memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_semaphore_init(struct tp_semaphore *semaphore, uint64_t n);

/* tp_semaphore_end: nobody waits, nor will. The memory is the caller's again.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_semaphore_end(struct tp_semaphore *semaphore);

/* tp_semaphore_acquire: take n units, all at once. Who wants more than there will ever be waits for ever, and so do those behind.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: for ever; 0: do not wait.
 * Returns 0; or, with nothing taken, TP_ETIMEDOUT; TP_ECANCELED when it would have waited, or waits, and the task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_semaphore_acquire(struct tp_semaphore *semaphore, uint64_t n, uint64_t deadline_ns);

/* tp_semaphore_release: give n units back, or add them; by whoever likes. No more than UINT64_MAX are free at any time.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_semaphore_release(struct tp_semaphore *semaphore, uint64_t n);

/* tp_semaphore_count: how many units are free; old news by the time it is read.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_semaphore_count(struct tp_semaphore *semaphore);

#ifdef __cplusplus
}
#endif

#endif
