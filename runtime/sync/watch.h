/* The latest value of something that changes, such as settings: set by some, read by any number, who may wait for the next change. Values in
 * between may be missed; the latest one is not. */
#ifndef TP_SYNC_WATCH_H
#define TP_SYNC_WATCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tp_watch;

/* tp_watch_open: a watch with a first value, of version 1.
 * watch:       the caller's; ended by tp_watch_free.
 * value_bytes: of the value; copied in and out as bytes, under a spin lock: a few hundred at most.
 * Returns 0, TP_EINVAL (more than memory can hold), or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_watch_open(struct tp_watch **watch, size_t value_bytes, const void *value);

/* tp_watch_free: nobody uses it any more.
 * watch: NULL does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_watch_free(struct tp_watch *watch);

/* tp_watch_set: another value, of the next version. Lets all go that wait.
 * Returns 0, or TP_ECLOSED with nothing changed.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_watch_set(struct tp_watch *watch, const void *value);

/* tp_watch_get: the latest value.
 * value: filled; NULL: only the version is of interest.
 * Returns its version.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_watch_get(struct tp_watch *watch, void *value);

/* tp_watch_wait: wait until there is another version than the one that the caller has.
 * version: of that; 0: of none yet. On success the version of what is in value.
 * value: filled on success; may be NULL.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: for ever; 0: do not wait.
 * Returns 0; TP_ECLOSED: it was closed, and the caller has the last version; TP_ETIMEDOUT; TP_ECANCELED when it would have waited, or
 * waits, and the task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_watch_wait(struct tp_watch *watch, uint64_t *version, void *value, uint64_t deadline_ns);

/* tp_watch_close: the value does not change any more. A second call does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_watch_close(struct tp_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
