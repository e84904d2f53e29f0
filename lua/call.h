/* A call: one Lua function on its way to another thread, and its results on the way back. The
 * payload of the pools in lua/workers.pool.
 *
 * Invariant: `buffer` and `failed` belong to the submitting state until the call is submitted, to
 * the worker from then until DONE is set, and to the submitting state again after it has seen DONE.
 * `waiters` and `next` are the submitting state's, but for `next` on the way into the inbox. */
#ifndef TIDE_CALL_H
#define TIDE_CALL_H

#include "buffer.h"
#include "tide.h"

#include "../runtime/base/atomic.h"

struct tide_code;

/* What a worker state needs to be made; belongs to the pool and outlives its workers. */
struct tide_setup {
    char *path, *cpath; /* package.path and package.cpath of the state that made the pool */
};

enum {
    TIDE_CALL_STARTED = 1,   /* set by the worker */
    TIDE_CALL_DONE = 2,      /* set by the worker, last; publishes the results */
    TIDE_CALL_CANCELLED = 4, /* set by the submitting state, never after STARTED */
    TIDE_CALL_WATCHED = 8    /* set by the submitting state: push the call to `inbox` when DONE */
};

struct tide_call {
    struct tide_call *next;           /* in the inbox */
    tp_atomic(uint32_t) n_references; /* the handle's, the pool's until DONE, the inbox's if WATCHED */
    tp_atomic(uint32_t) state;        /* the bits above */
    struct tide_inbox *inbox;         /* set before WATCHED, which publishes it */
    struct tide_list waiters;         /* tasks of the submitting state that wait for the call */
    struct tide_code *code;           /* the function; one reference */
    const struct tide_setup *setup;
    uint64_t id;
    bool failed;               /* the buffer holds an error, not results */
    struct tide_buffer buffer; /* the message: the arguments, later the results */
};

/* tide_call_new: a call with one reference and an empty buffer.
 * code: one reference passes to the call.
 * Returns NULL if memory ran out (the reference stays the caller's).
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
struct tide_call *tide_call_new(struct tide_code *code, const struct tide_setup *setup);

/* tide_call_hold, tide_call_drop: one reference more, or less; the last frees the call.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tide_call_hold(struct tide_call *call);
void tide_call_drop(struct tide_call *call);

/* tide_call_is_done: whether the results are there to be read.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
static inline bool tide_call_is_done(struct tide_call *call)
{
    /* Acquire: pairs with the compare-exchange in tide_call_finish. */
    return tp_load_acq(&call->state) & TIDE_CALL_DONE;
}

/* tide_call_start: the worker begins the call.
 * Returns false if it was cancelled.
 * [thread: worker] [suspends: no] [blocks: no] [allocates: no] */
bool tide_call_start(struct tide_call *call);

/* tide_call_finish: publish the results, or that the cancelled call was dropped; wake the watcher.
 * The worker's reference ends.
 * [thread: worker] [suspends: no] [blocks: no] [allocates: no] */
void tide_call_finish(struct tide_call *call);

/* tide_call_cancel: keep a call from starting.
 * Returns false if it has started.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
bool tide_call_cancel(struct tide_call *call);

/* tide_call_watch: have the call put into `inbox` once it is done; asking again changes nothing.
 * Returns false if it is done already: then it will not come.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
bool tide_call_watch(struct tide_call *call, struct tide_inbox *inbox);

#endif
