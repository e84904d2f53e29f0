/* Mutexes: one at a time, for sections that may take long or wait. A task in a coroutine that waits for one gives its worker back.
 * The lock belongs to nobody in particular: whoever knows that it is held may unlock it, on whatever thread, so a task may
 * change workers while it holds one.
 * Policy: who comes while it is free has it, also before those who wait; that keeps the lock and its data in use while a waiter is on its
 * way. Those who wait are woken in their order, one at a time, to try; who has tried TP_MUTEX_TRIES times in vain is
 * handed the lock. So nobody waits for ever (docs/sync.md). */
#ifndef TP_SYNC_MUTEX_H
#define TP_SYNC_MUTEX_H

#include "line.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tp_mutex {
    tp_atomic(uint32_t) word; /* see mutex.c */
    struct tp_gate gate;
};

/* tp_mutex_init: a free mutex in the caller's memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_mutex_init(struct tp_mutex *mutex);

/* tp_mutex_end: nobody holds it, waits for it, or will. The memory is the caller's again: the last one who unlocked it has left it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_mutex_end(struct tp_mutex *mutex);

/* tp_mutex_lock: wait until it is free, and hold it. Not recursive.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: for ever; 0: do not wait.
 * Returns 0; TP_ETIMEDOUT; TP_ECANCELED when it would have waited, or waits, and the task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_mutex_lock(struct tp_mutex *mutex, uint64_t deadline_ns);

/* tp_mutex_try_lock: hold it if it is free. Returns whether it was.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_mutex_try_lock(struct tp_mutex *mutex);

/* tp_mutex_unlock: it is free, or the next one's.
 * mutex: held.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_mutex_unlock(struct tp_mutex *mutex);

#ifdef __cplusplus
}
#endif

#endif
