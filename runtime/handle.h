/* Shared handles: something that will be over, once, with a result; for any number of threads that wait for it, look at it, or
 * want to be called. Each holds a reference; who lets go last frees it.
 * Invariants: [HANDLE-1] it is over at most once, and its result does not change from then on. [HANDLE-2] each callback is called
 * exactly once, outside of all locks, by who completes the handle or, if that was before, by who gave the callback. */
#ifndef TP_HANDLE_H
#define TP_HANDLE_H

#include <stdint.h>

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tp_handle;

/* Something to do when a handle is over; lives with who wants it, until it is called. */
struct tp_callback {
    struct tp_callback *next;
    void (*run)(void *argument, struct tp_task_result result);
    void *argument;
};

/* tp_handle_new: a handle that is not over. The caller holds one reference.
 * Returns 0 or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_handle_new(struct tp_handle **out);

/* tp_handle_ref: one reference more, for another holder. The caller has one itself.
 * Returns handle.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_handle *tp_handle_ref(struct tp_handle *handle);

/* tp_handle_unref: the caller's reference is gone; with the last one, the handle. If that was not over, its callbacks are
 * called with TP_TASK_DROPPED and TP_EDROPPED: nobody is left who could complete it.
 * handle: NULL does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_handle_unref(struct tp_handle *handle);

/* tp_handle_complete: it is over. Wakes who waits, then calls the callbacks, in the order in which they were given.
 * handle: the caller holds a reference, also during the callbacks; who else holds one may let go meanwhile.
 * result: state is one of the ends.
 * Returns 0, or TP_EDONE if it was over before: then nothing has happened.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_handle_complete(struct tp_handle *handle, struct tp_task_result result);

/* tp_handle_on_over: have run(argument, result) called when it is over: by this call if it is already.
 * callback: the caller's, filled here; untouched until it is called. It may be freed or used again in the call.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_handle_on_over(struct tp_handle *handle, struct tp_callback *callback, void (*run)(void *argument, struct tp_task_result result),
    void *argument);

/* tp_handle_forget: take a callback back, so that its memory may be used otherwise.
 * Returns 0: it will not be called; TP_EDONE: it was called, or is being called now by another thread.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_handle_forget(struct tp_handle *handle, struct tp_callback *callback);

/* tp_handle_wait: wait until it is over.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER for none; 0 only looks.
 * result:      NULL: not wanted; untouched on error.
 * Returns 0; TP_ETIMEDOUT; to a task in a coroutine TP_ECANCELED, when it was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_handle_wait(struct tp_handle *handle, uint64_t deadline_ns, struct tp_task_result *result);

#ifdef __cplusplus
}
#endif

#endif
