#ifndef JOB_POOL_H
#define JOB_POOL_H

#include <tidepool.h>

#include VALUE_INCLUDE

#if TIDEPOOL_VERSION_MAJOR != 0 || TIDEPOOL_VERSION_MINOR != 1
#error "this pool was generated for tidepool 0.1: generate it again"
#endif

#if WITH_BOUNDED && WITH_BLOCK || WITH_BOUNDED && WITH_CALLER_RUNS
/* How deep a task of a full pool may run the tasks it submits. */
#endif
#if WITH_BOUNDED && WITH_BLOCK && !WITH_COROUTINE || WITH_BOUNDED && WITH_CALLER_RUNS && !WITH_COROUTINE
#define JOB_NESTED_MAX 32
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_COROUTINE || WITH_BOUNDED && WITH_CALLER_RUNS && WITH_COROUTINE
#define JOB_NESTED_MAX 4 /* on one stack */
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_WAITING
/* How many submitters may wait for room, unless the settings say. */
#define JOB_WAITING_MAX VALUE_WAITING
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_DEADLINE
/* How long a submitter waits for room, unless the settings say. */
#define JOB_DEADLINE_NS VALUE_DEADLINE_NS
#endif
#if WITH_BOUNDED && WITH_PRIORITY
/* Tasks accepted beyond the capacity: of the highest level, and of the lowest. */
#define JOB_EXCEED VALUE_EXCEED
#define JOB_PENDING VALUE_PENDING
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if WITH_COROUTINE
/* A task runs in a coroutine: tp_yield, and each wait for something of this library, lets others run
 * on its worker, and may return on another thread; see docs/fibers.md. It is a plain call where a
 * submitter runs it because the pool is full. Without memory for a stack it fails with TP_ENOMEM. */

#endif
/* Runs one task on a worker; written by the host. payload: the task's own copy.
 * Returns 0, or a negative value if the task failed: it is counted, nothing else stops. May call
 * tp_panic instead; tp_task_check says whether it was asked to stop. */
int VALUE_RUN(VALUE_PAYLOAD payload);
#if WITH_BOUNDED && WITH_DROPPED

/* Told of each task that is dropped, or cancelled before it starts, once; written by the host. By
 * whichever thread takes it out of the pool. payload: the task's own copy. Must not call this pool, nor wait, nor panic. */
void VALUE_DROPPED(VALUE_PAYLOAD payload);
#endif

/* A pool of threads that run VALUE_RUN. Opaque; any thread may use it. */
struct job_pool;
#if WITH_CLASSES

/* What tasks are told apart by. */
enum job_class {
    VALUE_CLASSES,
    JOB_CLASSES
};
#endif

/* job_pool_open: make a pool and start its workers.
 * out:      receives the pool; untouched on error. Ends with job_pool_free or job_pool_abandon.
 * settings: read during the call only; NULL means all as configured.
 * Returns 0, TP_EINVAL (a field out of range, or a choice this code was not generated for),
 * TP_ENOMEM, or TP_ETHREAD (nothing is left running).
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int job_pool_open(struct job_pool **out, const struct tp_pool_settings *settings);

/* job_pool_settings: the settings in force, all of them resolved.
 * out: filled; a number that this pool has no use for is 0.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void job_pool_settings(struct job_pool *pool, struct tp_pool_settings *out);

/* job_submit: hand one task to the pool.
 * payload: copied into the pool's queue; what it points to must live until the task has run.
#if WITH_CLASSES
 * The task is of class VALUE_CLASS_DEFAULT.
#endif
#if WITH_BOUNDED && WITH_PRIORITY
 * Tasks of the highest level are accepted up to JOB_EXCEED beyond the capacity, those of the
 * lowest up to JOB_PENDING beyond it.
#endif
#if WITH_BOUNDED && WITH_ANY
 * What happens when the pool is full is chosen by settings.overload; of what follows, that holds.
#endif
#if WITH_BOUNDED && WITH_BLOCK
 * When the pool is full the caller waits for room; a task of this same pool never waits: it runs
 * the new task itself, at once; JOB_NESTED_MAX deep it gets TP_EFULL.
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_WAITING
 * At most settings.waiting_max callers wait; further ones get TP_EFULL at once.
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_DEADLINE
 * A caller waits at most settings.deadline_ns, then gets TP_ETIMEDOUT.
#endif
#if WITH_BOUNDED && WITH_REJECT
 * When the pool is full the task is refused with TP_EFULL.
#endif
#if WITH_BOUNDED && WITH_CALLER_RUNS
 * When the pool is full the caller runs the task, at once; JOB_NESTED_MAX deep it gets TP_EFULL.
#endif
#if WITH_BOUNDED && WITH_DROP_OLDEST
 * When the pool is full the oldest task that has not started is dropped for this one; if there is
 * none, or one less would not make room, this one is refused with TP_EFULL.
#endif
#if WITH_BOUNDED && WITH_DROP_NEWEST
 * When the pool is full this task is dropped, and the caller told so with TP_EDROPPED.
#endif
#if WITH_BOUNDED && WITH_SPILL
 * When the pool is full the task is accepted all the same; the capacity only tells how full it is.
#endif
#if WITH_RING && !WITH_STEALING
 * What a task of this pool submits is run by the same worker, later: a task must not wait for it.
#endif
 * On any error the task was not accepted and will not run.
 * Returns 0, TP_ECLOSED, TP_ENOMEM, TP_EFORKED (in a child process), or as said above.
#if WITH_BOUNDED && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if !WITH_BOUNDED || !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
 */
int job_submit(struct job_pool *pool, VALUE_PAYLOAD payload);

/* job_submit_batch: hand n tasks to the pool with one synchronisation for as many as fit.
 * payloads:   n of them, copied in order; the caller keeps the array. NULL only if n is 0.
 * n_accepted: receives how many were accepted, on success and on error: the first so many of
 *             the array. May be NULL.
 * Returns 0 if all were accepted, else the error that stopped payloads[*n_accepted], as job_submit.
#if WITH_BOUNDED && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if !WITH_BOUNDED || !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
 */
int job_submit_batch(struct job_pool *pool, VALUE_PAYLOAD const *payloads, size_t n, size_t *n_accepted);
#if WITH_CLASSES

/* job_submit_class: job_submit for a task of the given class.
 * class_: below JOB_CLASSES, else TP_EINVAL.
#endif
#if WITH_CLASSES && WITH_BOUNDED && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if WITH_CLASSES && !WITH_BOUNDED || WITH_CLASSES && !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
#if WITH_CLASSES
 */
int job_submit_class(struct job_pool *pool, enum job_class class_, VALUE_PAYLOAD payload);

/* job_submit_batch_class: job_submit_batch for tasks of given classes.
 * classes: n of them, the caller's; NULL means VALUE_CLASS_DEFAULT for all.
#endif
#if WITH_CLASSES && WITH_BOUNDED && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if WITH_CLASSES && !WITH_BOUNDED || WITH_CLASSES && !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
#if WITH_CLASSES
 */
int job_submit_batch_class(struct job_pool *pool, const enum job_class *classes, VALUE_PAYLOAD const *payloads, size_t n, size_t *n_accepted);
#endif
#if WITH_TRACKING

/* job_spawn: job_submit that gives the task's handle: its id, and a claim on its result.
 * id: receives the id, never 0; untouched on error. Ends with job_join or job_detach.
 * Returns as job_submit.
#endif
#if WITH_TRACKING && WITH_BOUNDED && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if WITH_TRACKING && !WITH_BOUNDED || WITH_TRACKING && !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
#if WITH_TRACKING
 */
int job_spawn(struct job_pool *pool, VALUE_PAYLOAD payload, uint64_t *id);

/* job_spawn_batch: job_submit_batch that gives handles.
 * ids: receives *n_accepted of them, on success and on error; the caller's, n long.
 * Returns as job_submit_batch.
#endif
#if WITH_TRACKING && WITH_BOUNDED && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if WITH_TRACKING && !WITH_BOUNDED || WITH_TRACKING && !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
#if WITH_TRACKING
 */
int job_spawn_batch(struct job_pool *pool, VALUE_PAYLOAD const *payloads, size_t n, uint64_t *ids, size_t *n_accepted);
#endif
#if WITH_TRACKING && WITH_CLASSES

/* job_spawn_class: job_spawn for a task of the given class.
#endif
#if WITH_TRACKING && WITH_CLASSES && WITH_BOUNDED && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if WITH_TRACKING && WITH_CLASSES && !WITH_BOUNDED || WITH_TRACKING && WITH_CLASSES && !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
#if WITH_TRACKING && WITH_CLASSES
 */
int job_spawn_class(struct job_pool *pool, enum job_class class_, VALUE_PAYLOAD payload, uint64_t *id);

/* job_spawn_batch_class: job_spawn_batch for tasks of given classes.
 * classes: n of them, the caller's; NULL means VALUE_CLASS_DEFAULT for all.
#endif
#if WITH_TRACKING && WITH_CLASSES && WITH_BOUNDED && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if WITH_TRACKING && WITH_CLASSES && !WITH_BOUNDED || WITH_TRACKING && WITH_CLASSES && !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
#if WITH_TRACKING && WITH_CLASSES
 */
int job_spawn_batch_class(struct job_pool *pool, const enum job_class *classes, VALUE_PAYLOAD const *payloads, size_t n, uint64_t *ids, size_t *n_accepted);
#endif
#if WITH_TRACKING && WITH_COROUTINE

/* job_wait: wait for one task by its id. Any number of threads may.
 * id:     from job_spawn, or tp_task_id of a running task.
 * result: receives how the task ended; may be NULL; untouched on error.
 * Returns 0, TP_ETIMEDOUT, TP_EDEADLK when called by a task of this pool about itself, or
 * TP_ESTALE: no such task, or it is over and no handle keeps its result; or TP_EFORKED.
 * A task that waits leaves its worker to others; TP_ECANCELED when it was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int job_wait(struct job_pool *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result);
#endif
#if WITH_TRACKING && !WITH_COROUTINE

/* job_wait: wait for one task by its id. Any number of threads may.
 * id:     from job_spawn, or tp_task_id of a running task.
 * result: receives how the task ended; may be NULL; untouched on error.
 * Returns 0, TP_ETIMEDOUT, TP_EDEADLK when called by a task of this pool about itself, or
 * TP_ESTALE: no such task, or it is over and no handle keeps its result; or TP_EFORKED.
 * A task that waits holds its worker.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_wait(struct job_pool *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result);
#endif
#if WITH_TRACKING && WITH_COROUTINE

/* job_join: job_wait by a handle, which ends if the wait returned 0.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int job_join(struct job_pool *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result);
#endif
#if WITH_TRACKING && !WITH_COROUTINE

/* job_join: job_wait by a handle, which ends unless the wait timed out.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_join(struct job_pool *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result);
#endif
#if WITH_TRACKING

/* job_detach: end a handle; the task itself goes on.
 * Returns 0, TP_ESTALE the second time, or TP_EFORKED.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int job_detach(struct job_pool *pool, uint64_t id);

/* job_cancel_task: a task that has not started never will; one that runs is asked to stop, see
 * tp_task_check. Who waits for the task is told.
 * Returns 0, TP_ESTALE if the task is over, or TP_EFORKED.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int job_cancel_task(struct job_pool *pool, uint64_t id);

/* job_tasks: the tasks that are not over, for instance those that kept the pool from closing.
 * infos: receives the first n; the caller's. NULL only if n is 0.
 * Returns how many there are.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t job_tasks(struct job_pool *pool, struct tp_task_info *infos, size_t n);
#endif
#if WITH_BOARD

/* job_process_pending: run up to n pending tasks in the calling thread, in the pool's order.
 * Returns how many it ran.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t job_process_pending(struct job_pool *pool, size_t n);
#endif

/* job_join_all: wait until the pool is quiet: every accepted task finished, also those that
 * tasks submitted meanwhile.
 * deadline_ns: a point on tp_clock_now_ns(), e.g. tp_deadline_in_ns(TP_SECOND); or TP_FOREVER.
 * Returns 0, TP_ETIMEDOUT, TP_EFORKED, or TP_EDEADLK when called by a task of this pool.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_join_all(struct job_pool *pool, uint64_t deadline_ns);
#if WITH_TUNE

/* job_pool_tune: change the capacity while the pool runs. What is in flight stays; submitters that
 * wait are woken, one if the capacity grows by one, else all.
 * Returns 0; TP_EFORKED; or TP_EUNCHANGED and nothing happens: the capacity was so already, or is 0,
 * or above INT64_MAX (a negative number, or unlimited); or the pool has none.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int job_pool_tune(struct job_pool *pool, uint64_t capacity);

/* job_pool_tune_workers: change the number of threads while the pool runs. New ones are started at
 * once; surplus ones leave after their task, and nothing is stopped.
 * workers: at most settings.workers_max, else TP_EINVAL.
 * Returns 0, TP_EUNCHANGED (the number was so already, or is 0), TP_ECLOSED, TP_EFORKED, or TP_ETHREAD
 * (as many as the system allowed were started).
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int job_pool_tune_workers(struct job_pool *pool, uint32_t workers);
#endif
#if WITH_AUTO || WITH_ADAPTIVE

/* job_pool_decisions: what the pool decided about itself, the last n, the oldest first.
 * out: receives up to n of them; the caller's.
 * Returns how many were written; the last 64 are kept.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t job_pool_decisions(struct job_pool *pool, struct tp_decision *out, size_t n);
#endif
#if WITH_FAIR || WITH_ADAPTIVE

/* job_pool_shares: what each class has had so far, in the order of the classes.
 * out: receives JOB_CLASSES of them.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void job_pool_shares(struct job_pool *pool, struct tp_share *out);

/* job_pool_history: the slices of time that classes had, the last n, the oldest first.
 * out: receives up to n of them; the caller's.
 * Returns how many were written; the last 256 are kept.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t job_pool_history(struct job_pool *pool, struct tp_slice *out, size_t n);
#endif

/* job_pool_close: refuse new tasks, wake every waiting submitter with TP_ECLOSED, finish the
 * tasks already accepted, and end the workers. Any number of calls, from any threads.
 * deadline_ns: when to stop waiting; the pool goes on closing, and a later call waits again.
 * In a child process, which has the pool but not its threads, it does nothing and returns 0; the
 * other calls do nothing either and say TP_EFORKED where they can, and job_pool_free frees.
 * Returns 0 when no worker is left, TP_ETIMEDOUT (job_pool_counts says what did not finish), or
 * TP_EDEADLK when called by a task of this pool (which is then not closed).
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_pool_close(struct job_pool *pool, uint64_t deadline_ns);

/* job_pool_cancel: job_pool_close that runs no further task: those that have not started are
 * cancelled, those that run are asked to stop, see tp_task_check.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_pool_cancel(struct job_pool *pool, uint64_t deadline_ns);

/* job_pool_abandon: job_pool_cancel and job_pool_free without waiting: the last worker gives the
 * memory back, whenever it comes to that. Also for a task of this pool that a worker runs.
 * pool: gone for the caller; no other thread may be inside a call on it. NULL does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void job_pool_abandon(struct job_pool *pool);

/* job_pool_reopen: open a closed pool again, as it was opened, with fresh counters.
 * Returns 0, TP_EINVAL (it is not closed, or not yet), TP_EFORKED, or TP_ETHREAD (it stays closed).
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int job_pool_reopen(struct job_pool *pool);

/* job_pool_cleanup: cancel every task that has not started, and give spare memory back.
 * Returns how many tasks were cancelled.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t job_pool_cleanup(struct job_pool *pool);

/* job_pool_free: close without a deadline and give the memory back.
 * pool: no other thread may be inside a call on it; NULL does nothing. Must not be called by a
 *       task of this pool.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
void job_pool_free(struct job_pool *pool);

/* job_pool_counts: how full the pool is.
 * out: filled; see struct tp_pool_counts.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void job_pool_counts(struct job_pool *pool, struct tp_pool_counts *out);

/* job_pool_workers: what each worker does just now; see struct tp_worker_info.
 * out: receives the first n of them, in the order of their indices; the caller's. NULL only if n is 0.
 * Returns how many there are, or have been.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t job_pool_workers(struct job_pool *pool, struct tp_worker_info *out, size_t n);
#if WITH_STATS

/* job_pool_stats: read the counters.
 * out: filled; see struct tp_pool_stats.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void job_pool_stats(struct job_pool *pool, struct tp_pool_stats *out);
#endif
#if WITH_OPS

/* The pool behind a table of functions; see struct tp_pool_ops. */
extern const struct tp_pool_ops job_pool_ops;
#endif

#ifdef __cplusplus
}
#endif

#endif
