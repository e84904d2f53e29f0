/* Stock pools: built into the library, chosen at run time by their settings, for programs that do not
 * generate a pool of their own. A task is a function and its argument. docs/stock.md: which settings
 * give which variant, and what choosing at run time costs.
 * Invariant: tp_pool_open accepts every policy with every way of stealing and every overload. */
#ifndef TP_STOCK_H
#define TP_STOCK_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "multi.h"
#include "pool.h"
#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A task of a stock pool. */
struct tp_call {
    int (*run)(void *argument); /* returns 0, or a negative value if the task failed; may call tp_panic */
    void *argument;             /* what it points to must live until the task is over */
};

/* Classes of stock pools with TP_POLICY_PRIORITY (there they are levels) and TP_POLICY_ADAPTIVE, where
 * their weights are 4, 2 and 1 unless the settings say. With TP_POLICY_FAIR there are
 * TP_STOCK_CLASSES_FAIR of them, numbered from 0, of weight 1. The other policies have one. */
enum {
    TP_CLASS_HIGH,
    TP_CLASS_NORMAL,
    TP_CLASS_LOW,
    TP_STOCK_CLASSES_FAIR = 8
};

/* Bytes of stack of a task with tasks = TP_TASKS_COROUTINE. */
#define TP_STOCK_STACK_BYTES 65536

/* The class of a task that names none: TP_CLASS_NORMAL where there is one, else 0. */
#define TP_CLASS_DEFAULT UINT_MAX

/* A stock pool. Opaque; any thread may use it. */
struct tp_pool;

/* tp_pool_open: make a pool of the variant that the settings ask for.
 * out:      receives the pool; untouched on error. Ends with tp_pool_free, tp_pool_abandon or
 *           tp_pool_as_member.
 * settings: read during the call only; NULL or 0 in a field: TP_POLICY_FIFO, TP_STEALING_HALF,
 *           TP_OVERLOAD_BLOCK without limits, a capacity of 1024, as many workers as cores; workers_min is
 *           1, the others start when there is work for them; tasks may run and workers sleep for any time.
 * tasks = TP_TASKS_COROUTINE: each task has a stack of 64 KiB, and waits without its worker; only with TP_POLICY_FIFO,
 * TP_STEALING_HALF, any overload but TP_OVERLOAD_DROP_OLDEST, and no timeout_ns.
 * What cannot matter is ignored, and tp_pool_get_settings says so: `stealing` where the pool has one queue
 * (TP_POLICY_PRIORITY, TP_POLICY_FAIR; TP_OVERLOAD_DROP_OLDEST with TP_POLICY_FIFO or TP_POLICY_LIFO), `seed`
 * where nobody steals, and, with TP_OVERLOAD_DROP_OLDEST, waiting_max and deadline_ns.
 * Returns 0, TP_EINVAL (a field out of range; weights of classes that there are not, or without
 * TP_POLICY_FAIR and TP_POLICY_ADAPTIVE), TP_ENOMEM, or TP_ETHREAD (nothing is left running).
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_pool_open(struct tp_pool **out, const struct tp_pool_settings *settings);

/* tp_pool_default: the pool of the whole process, opened without settings by the first call.
 * Returns it, or NULL if it cannot be opened now; a later call tries again.
 * It is never freed: do not free or abandon it, nor make it a member. The end of the process does not wait
 * for its tasks: call tp_pool_join_all. Closed by one, it is closed for all. In a child process it stays
 * the parent's, and refuses with TP_EFORKED.
 * [thread: any] [suspends: no] [blocks: no] [allocates: once] */
struct tp_pool *tp_pool_default(void);

/* tp_pool_submit: hand one task to the pool, in the class TP_CLASS_DEFAULT.
 * run, argument: see struct tp_call.
 * When the pool is full, settings.overload decides. TP_OVERLOAD_BLOCK: the caller waits, unless it is a
 * task of this pool, which runs the new task itself. TP_POLICY_PRIORITY accepts 64 tasks of TP_CLASS_HIGH
 * beyond the capacity.
 * Without stealing, what a task submits is run by the same worker, later: it must not wait for it.
 * Returns 0, TP_EFULL, TP_ETIMEDOUT (after settings.deadline_ns), TP_EDROPPED (by
 * TP_OVERLOAD_DROP_NEWEST), TP_ECLOSED, TP_ENOMEM, TP_EINVAL (run is NULL), or TP_EFORKED in a child process.
 * On any error the task was not accepted and will not run.
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely] */
int tp_pool_submit(struct tp_pool *pool, int (*run)(void *argument), void *argument);

/* tp_pool_submit_class: tp_pool_submit for a task of the given class.
 * class_: TP_CLASS_DEFAULT, or below the number of classes, else TP_EINVAL.
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely] */
int tp_pool_submit_class(struct tp_pool *pool, unsigned class_, int (*run)(void *argument), void *argument);

/* tp_pool_submit_batch: hand n tasks to the pool with one synchronisation for as many as fit.
 * calls:      n of them, copied in order; the caller keeps the array. NULL only if n is 0.
 * n_accepted: receives how many were accepted, on success and on error: the first so many of the array.
 *             May be NULL.
 * Returns 0 if all were accepted, else the error that stopped calls[*n_accepted], as tp_pool_submit; but a call
 * without run among them is TP_EINVAL with none accepted.
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely] */
int tp_pool_submit_batch(struct tp_pool *pool, const struct tp_call *calls, size_t n, size_t *n_accepted);

/* tp_pool_spawn: tp_pool_submit_class that gives the task's handle: its id, and a claim on its result.
 * id: receives the id, never 0; untouched on error. Ends with tp_pool_join or tp_pool_detach.
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely] */
int tp_pool_spawn(struct tp_pool *pool, unsigned class_, int (*run)(void *argument), void *argument, uint64_t *id);

/* tp_pool_wait: wait for one task by its id. Any number of threads may.
 * id:          from tp_pool_spawn, or tp_task_id of a running task.
 * deadline_ns: a point on tp_clock_now_ns(), e.g. tp_deadline_in_ns(TP_SECOND); or TP_FOREVER.
 * result:      receives how the task ended; may be NULL; untouched on error.
 * Returns 0, TP_ETIMEDOUT, TP_EDEADLK when called by a task about itself, or TP_ESTALE: no such task, or it
 * is over and no handle keeps its result.
 * A task that waits holds its worker.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_pool_wait(struct tp_pool *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result);

/* tp_pool_join: tp_pool_wait by a handle, which ends unless the wait timed out.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_pool_join(struct tp_pool *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result);

/* tp_pool_detach: end a handle; the task itself goes on. A second time it is TP_ESTALE.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_pool_detach(struct tp_pool *pool, uint64_t id);

/* tp_pool_cancel_task: a task that has not started never will; one that runs is asked to stop, see
 * tp_task_check. Who waits for the task is told.
 * Returns 0, or TP_ESTALE if the task is over.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_pool_cancel_task(struct tp_pool *pool, uint64_t id);

/* tp_pool_join_all: wait until the pool is quiet: every accepted task finished, also those that tasks
 * submitted meanwhile.
 * deadline_ns: a point on tp_clock_now_ns(), or TP_FOREVER.
 * Returns 0, TP_ETIMEDOUT, TP_EFORKED, or TP_EDEADLK when called by a task of this pool.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_pool_join_all(struct tp_pool *pool, uint64_t deadline_ns);

/* tp_pool_tune: change the capacity while the pool runs. What is in flight stays; submitters that wait are
 * woken, one if the capacity grows by one, else all.
 * Returns 0, or TP_EUNCHANGED and nothing happens: the capacity was so already, or is 0, or above INT64_MAX
 * (a negative number, or unlimited).
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_pool_tune(struct tp_pool *pool, uint64_t capacity);

/* tp_pool_tune_workers: change the number of threads while the pool runs. New ones are started at once;
 * surplus ones leave after their task, and nothing is stopped.
 * workers: at most settings.workers_max, else TP_EINVAL.
 * Returns 0, TP_EUNCHANGED (the number was so already, or is 0), TP_ECLOSED, or TP_ETHREAD (as many as the
 * system allowed were started).
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_pool_tune_workers(struct tp_pool *pool, uint32_t workers);

/* tp_pool_close: refuse new tasks, wake every waiting submitter with TP_ECLOSED, finish the tasks already
 * accepted, and end the workers. Any number of calls, from any threads.
 * deadline_ns: when to stop waiting; the pool goes on closing, and a later call waits again.
 * Returns 0 when no worker is left, TP_ETIMEDOUT (tp_pool_get_counts says what did not finish), or
 * TP_EDEADLK when called by a task of this pool (which is then not closed).
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_pool_close(struct tp_pool *pool, uint64_t deadline_ns);

/* tp_pool_cancel: tp_pool_close that runs no further task: those that have not started are cancelled, those
 * that run are asked to stop, see tp_task_check.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_pool_cancel(struct tp_pool *pool, uint64_t deadline_ns);

/* tp_pool_reopen: open a closed pool again, as it was opened, with fresh counters.
 * Returns 0, TP_EINVAL (it is not closed, or not yet), TP_EFORKED, or TP_ETHREAD (it stays closed).
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_pool_reopen(struct tp_pool *pool);

/* tp_pool_abandon: tp_pool_cancel and tp_pool_free without waiting: the last worker gives the memory back,
 * whenever it comes to that. Also for a task of this pool.
 * pool: gone for the caller and for the pool's tasks; no other thread may be inside a call on it. NULL does
 *       nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_pool_abandon(struct tp_pool *pool);

/* tp_pool_free: close without a deadline and give the memory back.
 * pool: no other thread may be inside a call on it; NULL does nothing. Must not be called by a task of this
 *       pool.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
void tp_pool_free(struct tp_pool *pool);

/* tp_pool_as_member: give the pool away, for instance to tp_multi_open; it goes on.
 * pool: gone for the caller and for the pool's tasks; no other thread may be inside a call on it.
 * Returns the pool behind its table of functions, with struct tp_call as payload: the caller's, who ends it
 * with ops->free.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_multi_member tp_pool_as_member(struct tp_pool *pool);

/* tp_pool_target: the pool behind its table of functions, with struct tp_call as payload; it stays the caller's.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_multi_member tp_pool_target(struct tp_pool *pool);

/* tp_call_dropped: the call of a task that will never run: gives back what tp_task_spawn has allocated for it. For generated pools whose
 * payload is struct tp_call, as the function for dropped tasks; stock pools call it themselves.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_call_dropped(struct tp_call call);

/* tp_pool_get_workers: what each worker does just now; see struct tp_worker_info.
 * out: receives the first n of them, in the order of their indices; the caller's. NULL only if n is 0.
 * Returns how many there are, or have been.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t tp_pool_get_workers(struct tp_pool *pool, struct tp_worker_info *out, size_t n);

/* tp_pool_get_counts: how full the pool is.
 * out: filled; see struct tp_pool_counts.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_pool_get_counts(struct tp_pool *pool, struct tp_pool_counts *out);

/* tp_pool_get_stats: read the counters.
 * out: filled; see struct tp_pool_stats.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_pool_get_stats(struct tp_pool *pool, struct tp_pool_stats *out);

/* tp_pool_get_settings: the settings in force, all of them resolved.
 * out: filled; a number that this pool has no use for is 0, a time without a limit is UINT64_MAX.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_pool_get_settings(struct tp_pool *pool, struct tp_pool_settings *out);

/* tp_pool_get_ops: the functions of the pool's variant, whose name it tells; static.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
const struct tp_pool_ops *tp_pool_get_ops(struct tp_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
