/* Room for descriptors: who was told that there are too many waits until this library has closed one.
 * Invariant: who has read tp__room_seen before an attempt that failed does not miss a close after it. Descriptors that are closed otherwise
 * are not noticed, nor those of other processes; so a wait lasts TP_ROOM_NS at most, and then the attempt is repeated. */
#ifndef TP_ROOM_H
#define TP_ROOM_H

#include <stdint.h>

#define TP_ROOM_NS UINT64_C(100000000)

/* tp__room_init: once, and in a child process.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__room_init(void);

/* tp__room_made: a descriptor was closed.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__room_made(void);

/* tp__room_seen: how many were, ever.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp__room_seen(void);

/* tp__room_wait: wait until one was closed after `seen`, for TP_ROOM_NS, or until the deadline.
 * Returns 0: try again; TP_ETIMEDOUT: the deadline has passed; TP_ECANCELED.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp__room_wait(uint64_t seen, uint64_t deadline_ns);

/* tp__room_n_waiting: how many wait, by now.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint32_t tp__room_n_waiting(void);

/* tp__room_pause: wait for that long, or until the deadline. For what nobody tells of.
 * Returns as tp__room_wait.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp__room_pause(uint64_t duration_ns, uint64_t deadline_ns);

#endif
