/* The template of a multi-pool named `job`: its header. gen/parts/multi.c says how its holes are filled. */
#ifndef JOB_POOL_H
#define JOB_POOL_H

#include <tidepool.h>

#include VALUE_INCLUDE

#if TIDEPOOL_VERSION_MAJOR != 0 || TIDEPOOL_VERSION_MINOR != 1
#error "this pool was generated for tidepool 0.1: generate it again"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Several pools behind one face. Opaque; any thread may use it. */
struct job_pool;

/* job_pool_open: open all pools, and put them behind one face.
 * out:      receives it; untouched on error. Ends with job_pool_free or job_pool_abandon.
 * settings: of each pool; read during the call only; NULL means all as configured.
 * Returns 0, TP_EINVAL (a choice that some pool was not generated for), TP_ENOMEM, or TP_ETHREAD;
 * on error no pool is left open.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int job_pool_open(struct job_pool **out, const struct tp_pool_settings *settings);

/* job_submit: hand one task to one of the pools. A full one is passed over while another has room;
 * when all are full, the one whose turn it is does what its overload policy says.
 * payload: copied; what it points to must live until the task has run.
 * Returns 0 or what that pool returned; on any error the task was not accepted and will not run.
#if WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
 */
int job_submit(struct job_pool *pool, VALUE_PAYLOAD payload);

/* job_submit_batch: hand n tasks to the pools, a piece for each.
 * payloads:   n of them, copied in order; the caller keeps the array. NULL only if n is 0.
 * n_accepted: receives how many were accepted, on success and on error: the first so many of
 *             the array. May be NULL.
 * Returns 0 if all were accepted, else the error that stopped payloads[*n_accepted].
#if WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
 */
int job_submit_batch(struct job_pool *pool, VALUE_PAYLOAD const *payloads, size_t n, size_t *n_accepted);
#if WITH_CLASSES

/* job_submit_class: job_submit for a task of the given class.
 * class_: as the pools number their classes; TP_EINVAL if some pool has not so many.
#endif
#if WITH_CLASSES && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if WITH_CLASSES && !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
#if WITH_CLASSES
 */
int job_submit_class(struct job_pool *pool, unsigned class_, VALUE_PAYLOAD payload);
#endif
#if WITH_TRACKING

/* job_spawn: job_submit, with a handle.
 * id: receives it; untouched on error. Ends with job_join or job_detach.
#endif
#if WITH_TRACKING && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if WITH_TRACKING && !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
#if WITH_TRACKING
 */
int job_spawn(struct job_pool *pool, VALUE_PAYLOAD payload, struct tp_multi_id *id);
#endif
#if WITH_TRACKING && WITH_CLASSES

/* job_spawn_class: job_submit_class, with a handle.
 * id: receives it; untouched on error. Ends with job_join or job_detach.
#endif
#if WITH_TRACKING && WITH_CLASSES && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if WITH_TRACKING && WITH_CLASSES && !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
#if WITH_TRACKING && WITH_CLASSES
 */
int job_spawn_class(struct job_pool *pool, unsigned class_, VALUE_PAYLOAD payload, struct tp_multi_id *id);
#endif
#if WITH_TRACKING

/* job_wait: wait until a task is over, as its own pool's function of this name does.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_wait(struct job_pool *pool, struct tp_multi_id id, uint64_t deadline_ns, struct tp_task_result *result);

/* job_join: job_wait by a handle; when it returns 0, the handle has ended.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_join(struct job_pool *pool, struct tp_multi_id id, uint64_t deadline_ns, struct tp_task_result *result);

/* job_detach: give up the handle; the task goes on.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int job_detach(struct job_pool *pool, struct tp_multi_id id);

/* job_cancel_task: cancel one task, as its own pool's function of this name does.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int job_cancel_task(struct job_pool *pool, struct tp_multi_id id);
#endif

/* job_join_all: wait until all pools are quiet: every accepted task finished, also those that
 * tasks submitted meanwhile, to whichever of them.
 * deadline_ns: a point on tp_clock_now_ns(), or TP_FOREVER.
 * Returns 0, TP_ETIMEDOUT, or TP_EDEADLK when called by a task of one of the pools.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_join_all(struct job_pool *pool, uint64_t deadline_ns);
#if WITH_TUNE

/* job_pool_tune: give each pool this capacity.
 * Returns 0, the first error, or TP_EUNCHANGED if nothing changed in any.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int job_pool_tune(struct job_pool *pool, uint64_t capacity);

/* job_pool_tune_workers: give each pool so many workers.
 * Returns 0, the first error, or TP_EUNCHANGED if nothing changed in any.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int job_pool_tune_workers(struct job_pool *pool, uint32_t workers);
#endif

/* job_pool_close: close all pools, at the same time: refuse new tasks, finish the accepted ones.
 * deadline_ns: for all together; they go on closing, and a later call waits again.
 * Returns 0 when no worker is left, TP_ETIMEDOUT, or TP_EDEADLK when called by a task of one of the
 * pools (none of which is then closed).
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_pool_close(struct job_pool *pool, uint64_t deadline_ns);

/* job_pool_cancel: job_pool_close, but tasks that have not started are not run.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_pool_cancel(struct job_pool *pool, uint64_t deadline_ns);

/* job_pool_reopen: open all pools again, after job_pool_close or job_pool_cancel returned 0.
 * Returns 0 or the first error: then close before trying again.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int job_pool_reopen(struct job_pool *pool);

/* job_pool_abandon: leave all pools to end by themselves; nobody waits for their tasks, which must
 * not use this face any more. NULL does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void job_pool_abandon(struct job_pool *pool);

/* job_pool_free: close without a deadline and give the memory back.
 * pool: no other thread may be inside a call on it; NULL does nothing. Must not be called by a
 *       task of one of the pools.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
void job_pool_free(struct job_pool *pool);

/* job_pool_counts: the numbers of all pools together; see tp_multi_counts.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void job_pool_counts(struct job_pool *pool, struct tp_pool_counts *out);

/* job_pool_member_counts: the numbers of one pool.
 * index: from 0, in the order of the config, each as often as it says.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void job_pool_member_counts(struct job_pool *pool, size_t index, struct tp_pool_counts *out);
#if WITH_STATS

/* job_pool_stats: the statistics of all pools as one; see tp_multi_stats.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void job_pool_stats(struct job_pool *pool, struct tp_pool_stats *out);
#endif

#ifdef __cplusplus
}
#endif

#endif
