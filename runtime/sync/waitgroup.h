/* Wait groups: waiting until all of some things are done.
 *
 *   tp_waitgroup_init(&group, 3);      each of the three, at its end:
 *   start three                        tp_waitgroup_done(&group);
 *   tp_waitgroup_wait(&group, TP_FOREVER); */
#ifndef TP_SYNC_WAITGROUP_H
#define TP_SYNC_WAITGROUP_H

#include "line.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tp_waitgroup {
    tp_atomic(uint64_t) word; /* see waitgroup.c */
    struct tp_gate gate;
};

/* tp_waitgroup_init: n things are to be done, INT64_MAX at most, as ever after. In the caller's memory. It has no end of its own: when all is done and all that waited
 * have returned with 0, the memory is the caller's again.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_waitgroup_init(struct tp_waitgroup *group, uint64_t n);

/* tp_waitgroup_add: n more, with all that are to be done INT64_MAX at most. Who adds knows of something that is not done yet, or that nobody waits.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_waitgroup_add(struct tp_waitgroup *group, uint64_t n);

/* tp_waitgroup_done: one is done, of those that were to be done. If it was the last, all that wait now go on.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_waitgroup_done(struct tp_waitgroup *group);

/* tp_waitgroup_wait: wait until there is nothing to be done; what was done before is seen by the caller.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: for ever; 0: do not wait.
 * Returns 0; TP_ETIMEDOUT; TP_ECANCELED when it would have waited, or waits, and the task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_waitgroup_wait(struct tp_waitgroup *group, uint64_t deadline_ns);

#ifdef __cplusplus
}
#endif

#endif
