/* Locks for readers and writers: any number of readers together, or one writer alone.
 * Policy: first come, first served; readers next to each other in the line go together. While somebody waits, new readers wait behind, so
 * readers that overlap do not keep a writer out for ever, nor do writers readers. The lock belongs to nobody in particular, as a mutex. */
#ifndef TP_SYNC_RWLOCK_H
#define TP_SYNC_RWLOCK_H

#include "line.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tp_rwlock {
    tp_atomic(uint32_t) word; /* see rwlock.c */
    struct tp_gate gate;
};

/* tp_rwlock_init: a free lock in the caller's memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_rwlock_init(struct tp_rwlock *lock);

/* tp_rwlock_end: nobody holds it, waits for it, or will. The memory is the caller's again.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_rwlock_end(struct tp_rwlock *lock);

/* tp_rwlock_read: hold it with other readers. Who holds it already does not ask for it again: a writer may wait in between.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: for ever; 0: do not wait.
 * Returns 0; TP_ETIMEDOUT; TP_ECANCELED when it would have waited, or waits, and the task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_rwlock_read(struct tp_rwlock *lock, uint64_t deadline_ns);

/* tp_rwlock_write: hold it alone.
 * deadline_ns: as above. Returns as tp_rwlock_read.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_rwlock_write(struct tp_rwlock *lock, uint64_t deadline_ns);

/* tp_rwlock_unread: one reader less.
 * lock: held by a reader.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_rwlock_unread(struct tp_rwlock *lock);

/* tp_rwlock_unwrite: no writer any more.
 * lock: held by a writer.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_rwlock_unwrite(struct tp_rwlock *lock);

#ifdef __cplusplus
}
#endif

#endif
