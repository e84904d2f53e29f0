/* Waiting for one of several: the first of some sends, receives, tasks, descriptors, points in time that can happen does, and no other.
 *
 *   struct tp_case cases[] = {tp_case_recv(lines, &line), tp_case_send(results, &result), tp_case_time(deadline_ns)};
 *   size_t which;
 *   int status = tp_select(cases, 3, TP_FOREVER, &which);
 *
 * Invariant: one case happens, or none and the call says why; the others leave no trace (docs/select.md). */
#ifndef TP_SYNC_SELECT_H
#define TP_SYNC_SELECT_H

#include "line.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tp_case_kind;
struct tp_chan;
struct tp_handle;
struct tp_pool_ops;
struct tp_task_result;

/* One of several; made by one of the functions below. Good for one call; making it again costs nothing. */
struct tp_case {
    const struct tp_case_kind *kind;
    void *thing;                   /* what it waits for; cases wait in the order of these addresses */
    void *value;                   /* to be sent, or filled when it happens */
    const struct tp_pool_ops *ops; /* of a task's pool */
    uint64_t number;               /* a task's id, a point in time */
    struct tp_party party;         /* while it waits */
    struct tp_case *after;         /* in that order */
};

/* tp_case_send: tp_chan_send of a value.
 * value: stays until tp_select returns.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_case tp_case_send(struct tp_chan *chan, const void *value);

/* tp_case_recv: tp_chan_recv.
 * value: filled if this case happens, with status 0.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_case tp_case_recv(struct tp_chan *chan, void *value);

/* tp_case_time: a point in time comes.
 * at_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: never.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_case tp_case_time(uint64_t at_ns);

/* tp_case_task: a task of a pool ends, as its pool's wait tells.
 * ops, pool: of the task, with tracking, in this process; a pool that was built without, TP_ENOTSUP, or cannot be asked has its say at once.
 * result: filled if this case happens, with status 0; NULL: not wanted.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_case tp_case_task(const struct tp_pool_ops *ops, void *pool, uint64_t id, struct tp_task_result *result);

/* tp_case_handle: a shared handle is over.
 * result: as above.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_case tp_case_handle(struct tp_handle *handle, struct tp_task_result *result);

/* tp_select: wait until one of the cases can happen, and do it. If several can at once, the search begins at a random one.
 * cases: n of them, made as above, the caller's; things that occur in several, also a channel at both ends, are fine.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: for ever; 0: do not wait.
 * index: of the case that has happened; untouched if none has.
 * Returns what that case's own call returns when it need not wait: 0, TP_ECLOSED and so on. If none has happened: TP_ETIMEDOUT; TP_ECANCELED
 * when it would have waited, or waits, and the task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_select(struct tp_case *cases, size_t n, uint64_t deadline_ns, size_t *index);

#ifdef __cplusplus
}
#endif

#endif
