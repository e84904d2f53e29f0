/* Something that is done once, by whoever comes first; the others wait until it is done. */
#ifndef TP_SYNC_ONCE_H
#define TP_SYNC_ONCE_H

#include "line.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tp_once {
    tp_atomic(uint32_t) state; /* see once.c */
    struct tp_gate gate;
};

/* tp_once_init: not done. In the caller's memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_once_init(struct tp_once *once);

/* tp_once_end: nobody calls, nor will. The memory is the caller's again.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_once_end(struct tp_once *once);

/* tp_once_call: return when it is done, and seen by the caller: by this call of run(argument), or by an earlier one. It is done when `run`
 * returns 0 or more. If it returns less, or panics, the call that ran it has failed, and the next one runs it: the first that waits, or
 * the first that comes.
 * run: may wait; does not come back here.
 * deadline_ns: how long to wait for another call's run, on the clock of tp_clock_now_ns(); TP_FOREVER: for ever; 0: not at all. It
 * does not end a run.
 * Returns 0; what a `run` of its own returned, if less than 0; TP_ETIMEDOUT; TP_ECANCELED when it would have waited, or waits, and the
 * task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_once_call(struct tp_once *once, int (*run)(void *argument), void *argument, uint64_t deadline_ns);

#ifdef __cplusplus
}
#endif

#endif
