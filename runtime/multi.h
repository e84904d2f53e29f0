/* Multi-pools: several pools, of any mix of variants, behind one face (docs/multipool.md).
 * Invariant: a task goes to exactly one member, and a full member is no reason to refuse or delay a task while
 * another has room. What submitters write is theirs: no line that all of them share. */
#ifndef TP_MULTI_H
#define TP_MULTI_H

#include <stddef.h>
#include <stdint.h>

#include "pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Most members of a multi-pool. */
#define TP_MULTI_MEMBERS_MAX 256

/* Which member gets a task. */
enum tp_balance {
    TP_BALANCE_ROUND_ROBIN, /* each in turn */
    TP_BALANCE_LEAST_TASKS  /* the one with the fewest tasks in flight */
};

/* One pool and how it is driven. */
struct tp_multi_member {
    const struct tp_pool_ops *ops; /* static; must have submit, submit_batch, join_all, close, free and counts */
    void *pool;                    /* open, handed to each function of ops */
};

/* A task that was spawned with a handle: whose it is, and its id there. */
struct tp_multi_id {
    uint32_t member;
    uint64_t id;
};

/* Several pools behind one face. Opaque; any thread may use it. */
struct tp_multi;

/* tp_multi_open: put pools behind one face. It owns them from then on: they are used through it alone, and end
 * with it; tp_multi_join_all does not know of tasks that come to a member by another way.
 * out:     receives the multi-pool; untouched on error. Ends with tp_multi_free or tp_multi_abandon.
 * members: n of them, 1 to TP_MULTI_MEMBERS_MAX, each pool once; the array is read during the call only.
 * Returns 0, TP_EINVAL (n or balance out of range, a function missing, payloads of different sizes) or TP_ENOMEM;
 * on error no pool has been taken over.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_multi_open(struct tp_multi **out, const struct tp_multi_member *members, size_t n, enum tp_balance balance);

/* tp_multi_submit: hand one task to a member. A full one is passed over: the others are asked, the one with the
 * fewest tasks first. If all are full, the first choice does what its overload policy says, which may be waiting
 * for room; but a task of a member is handed to that member, and does not wait.
 * payload: of the members' size; copied.
 * Returns 0 or what a member returned: TP_EFULL, TP_ECLOSED, TP_ENOMEM, TP_ETIMEDOUT, TP_EDROPPED, TP_EFORKED.
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely] */
int tp_multi_submit(struct tp_multi *multi, const void *payload);

/* tp_multi_submit_class: as tp_multi_submit, with a class.
 * class_: below the number of classes of every member, else TP_EINVAL; a pool without classes counts as having one.
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely] */
int tp_multi_submit_class(struct tp_multi *multi, unsigned class_, const void *payload);

/* tp_multi_submit_batch: hand n tasks to the members in pieces: one for each, as even as the balance says, each with
 * one synchronisation. What one has no room for goes to others, as in tp_multi_submit.
 * payloads:   n of them, in order; copied. NULL only if n is 0.
 * n_accepted: receives how many were accepted, on success and on error: the first so many of the array. May be NULL.
 * Returns 0 if all were accepted, else the error that stopped the first of the rest.
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely] */
int tp_multi_submit_batch(struct tp_multi *multi, const void *payloads, size_t n, size_t *n_accepted);

/* tp_multi_spawn: as tp_multi_submit_class, with a handle.
 * class_: also UINT_MAX, for a task that names none, as in tp_multi_submit.
 * out: receives it; untouched on error. Ends with tp_multi_join or tp_multi_detach.
 * Returns as tp_multi_submit_class, or TP_ENOTSUP if some member was built without tracking.
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely] */
int tp_multi_spawn(struct tp_multi *multi, unsigned class_, const void *payload, struct tp_multi_id *out);

/* tp_multi_wait: the member's own wait for a task; a handle stays.
 * result: may be NULL, as the member allows.
 * Returns what the member does; TP_ESTALE for an id that is none, TP_ENOTSUP if it was built without tracking.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_multi_wait(struct tp_multi *multi, struct tp_multi_id id, uint64_t deadline_ns, struct tp_task_result *result);

/* tp_multi_join: tp_multi_wait by a handle; when it returns 0, the handle has ended.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_multi_join(struct tp_multi *multi, struct tp_multi_id id, uint64_t deadline_ns, struct tp_task_result *result);

/* tp_multi_detach: the member's own detach: the handle is given up, the task goes on. Returns as tp_multi_wait.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_multi_detach(struct tp_multi *multi, struct tp_multi_id id);

/* tp_multi_cancel_task: the member's own cancel of one task. Returns as tp_multi_wait.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_multi_cancel_task(struct tp_multi *multi, struct tp_multi_id id);

/* tp_multi_join_all: wait until every member is quiet: all tasks accepted before have ended, and all that they
 * submitted through the multi-pool, to whichever member, and so on [MULTI-1].
 * deadline_ns: on tp_clock_now_ns(); TP_FOREVER for none; 0 to ask.
 * Returns 0, TP_ETIMEDOUT, TP_EDEADLK when called by a task of a member, or another error of a member.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_multi_join_all(struct tp_multi *multi, uint64_t deadline_ns);

/* tp_multi_tune: give each member this capacity. All are asked.
 * capacity: of each member, not of all together.
 * Returns 0, the first error in the members' order (TP_ENOTSUP for one built without it), or TP_EUNCHANGED if there
 * was no error and nothing changed in any.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int tp_multi_tune(struct tp_multi *multi, uint64_t capacity);

/* tp_multi_tune_workers: as tp_multi_tune, for the number of workers of each member.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_multi_tune_workers(struct tp_multi *multi, uint32_t workers);

/* tp_multi_close: close every member. All are told before the first is waited for, so they close at the same time.
 * deadline_ns: for all together; 0 starts the close and returns. They go on closing; a later call waits again.
 * Returns 0 when all are closed, else the first error in the members' order, mostly TP_ETIMEDOUT; TP_EDEADLK when
 * called by a task of a member: then none is closed.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_multi_close(struct tp_multi *multi, uint64_t deadline_ns);

/* tp_multi_cancel: as tp_multi_close, by the members' own cancel. One that was built without it is left open, and
 * counts as TP_ENOTSUP.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_multi_cancel(struct tp_multi *multi, uint64_t deadline_ns);

/* tp_multi_reopen: open every member again, after tp_multi_close or tp_multi_cancel returned 0; the turns of round
 * robin begin anew. All are asked.
 * Returns 0 or the first error in the members' order; the others are open then. Close, then reopen, to try again.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_multi_reopen(struct tp_multi *multi);

/* tp_multi_free: close every member without a deadline, all at the same time, and give all memory back.
 * multi: no other thread may be inside a call on it; NULL does nothing. Must not be called by a task of a member.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
void tp_multi_free(struct tp_multi *multi);

/* tp_multi_abandon: abandon every member (close and free one that was built without it), and give the memory of
 * the multi-pool back, at once.
 * multi: no other thread may be inside a call on it, nor call it later: not even tasks that are still running. NULL
 *        does nothing.
 * [thread: any] [suspends: no] [blocks: if a member cannot be abandoned] [allocates: no] */
void tp_multi_abandon(struct tp_multi *multi);

/* tp_multi_size: how many members there are; they are numbered from 0, in the order they were given.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t tp_multi_size(const struct tp_multi *multi);

/* tp_multi_counts: the sums of the members' numbers. Each member's are exact, at its own moment of the call.
 * out: filled; capacity and free are UINT64_MAX if those of some member are.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_multi_counts(struct tp_multi *multi, struct tp_pool_counts *out);

/* tp_multi_member_counts: the numbers of one member.
 * index: below tp_multi_size.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_multi_member_counts(struct tp_multi *multi, size_t index, struct tp_pool_counts *out);

/* tp_multi_stats: the statistics of all members as one. Numbers are sums; average_ns is over all completed tasks;
 * utilisation is over the time that all workers had; latency holds the tasks of all; open_ns is the longest;
 * most_running is the sum of what each had at most, at whatever time: not less than what all had at once.
 * out: filled. A member built without statistics adds to `now` only, so with one the other numbers are of fewer tasks.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_multi_stats(struct tp_multi *multi, struct tp_pool_stats *out);

#ifdef __cplusplus
}
#endif

#endif
