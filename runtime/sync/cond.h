/* Conditions: waiting until somebody has changed what a mutex guards.
 *
 *   waiter                                        changer
 *   tp_mutex_lock(&mutex, TP_FOREVER);            tp_mutex_lock(&mutex, TP_FOREVER);
 *   while (status == 0 && !is_ready)              is_ready = true;
 *       status = tp_cond_wait(&cond, &mutex, d);  tp_mutex_unlock(&mutex);
 *   ...                                           tp_cond_notify(&cond, 1);
 *   tp_mutex_unlock(&mutex);
 *
 * Invariant: whoever held the mutex when it called tp_cond_wait holds it when that returns, for whatever reason. */
#ifndef TP_SYNC_COND_H
#define TP_SYNC_COND_H

#include "mutex.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tp_cond {
    struct tp_gate gate;
};

/* tp_cond_init: nobody waits. In the caller's memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_cond_init(struct tp_cond *cond);

/* tp_cond_end: nobody waits, nor will. The memory is the caller's again.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_cond_end(struct tp_cond *cond);

/* tp_cond_wait: unlock the mutex, wait for a notification, and lock the mutex again, however long that takes: neither the deadline nor a
 * request to end cuts that short. No notification that follows the unlock is missed.
 * mutex: held; of all that wait here at one time the same.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: for ever.
 * Returns 0: notified, so look again whether it is true; TP_ETIMEDOUT; TP_ECANCELED when the task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_cond_wait(struct tp_cond *cond, struct tp_mutex *mutex, uint64_t deadline_ns);

/* tp_cond_notify: end the wait of the first n that wait now; UINT64_MAX: of all. With the mutex held or not; better not.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_cond_notify(struct tp_cond *cond, uint64_t n);

#ifdef __cplusplus
}
#endif

#endif
