/* A runtime: where tasks in coroutines run, and how ordinary code gets one to run there.
 *
 *   static int fetch_all(void *urls) { ... tp_task_spawn, tp_chan_recv, tp_scope ... }
 *
 *   tp_runtime_open(&runtime, NULL);
 *   tp_block_on(runtime, fetch_all, urls, &result);
 *   tp_runtime_free(runtime);
 *
 * TP_RUNTIME_MULTI has threads, and tasks that move between them. TP_RUNTIME_CURRENT has none: its tasks run on a thread that waits for
 * them, in tp_block_on, tp_runtime_join or tp_runtime_close, one such thread at a time; what is not over by then goes on in the next
 * such call. Everything else is the same.
 * Invariant: a task that was accepted ends before its runtime does (docs/runtime.md). */
#ifndef TP_RUNTIME_H
#define TP_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "multi.h"
#include "pool.h"
#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

enum tp_runtime_flavour {
    TP_RUNTIME_MULTI,
    TP_RUNTIME_CURRENT
};

/* What can be chosen; all 0 is valid. */
struct tp_runtime_settings {
    enum tp_runtime_flavour flavour;
    uint32_t workers;                                                     /* threads, started as there is work; 0: as many as cores. Not with TP_RUNTIME_CURRENT */
    uint64_t capacity;                                                    /* tasks in flight; 0: unlimited. Beyond, a new one is refused with TP_EFULL */
    uint32_t seed;                                                        /* CURRENT: not 0: which of the tasks that can go on does is drawn, the same each time. MULTI: the order in which
                           workers look at each other's queues, and nothing else */
    bool virtual_time;                                                    /* CURRENT only: its tasks have a clock of their own, which stands still while one can go on, and else
                           jumps to the next deadline (docs/deterministic-tests.md) */
    void (*on_panic)(const struct tp_panic_report *panic, void *context); /* told of panics; NULL: tp_panic_log */
    void *context;                                                        /* handed to on_panic */
};

struct tp_runtime;

/* tp_runtime_open: a runtime.
 * out:      receives it; untouched on error. Ends with tp_runtime_free.
 * settings: read during the call only; NULL: all 0.
 * Returns 0, TP_EINVAL (a field out of range, or not of this flavour), TP_ENOMEM, or TP_ETHREAD.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_runtime_open(struct tp_runtime **out, const struct tp_runtime_settings *settings);

/* tp_block_on: run a task to its end, from ordinary code.
 * run, argument: as in struct tp_call; what argument points to may be the caller's.
 * result:        how it ended; NULL: not wanted; untouched on error.
 * Several threads may be inside. In a task of another pool it waits without its worker if that one can; asked to end, it asks
 * the new task to, and waits on.
 * Returns 0 when the task is over, however it ended. TP_EDEADLK in a task of this runtime, and for a current-thread runtime in any
 * coroutine; TP_EINVAL, TP_EFULL, TP_ECLOSED, TP_ENOMEM, TP_EFORKED: then it will not run.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: rarely] */
int tp_block_on(struct tp_runtime *runtime, int (*run)(void *argument), void *argument, struct tp_task_result *result);

/* tp_runtime_spawn: one more task.
 * id: receives its handle, which ends with tp_runtime_join or tp_runtime_detach; NULL: none is wanted.
 * Returns 0, TP_EINVAL (run is NULL), TP_EFULL, TP_ECLOSED, TP_ENOMEM, TP_EFORKED: then it will not run.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int tp_runtime_spawn(struct tp_runtime *runtime, int (*run)(void *argument), void *argument, uint64_t *id);

/* tp_runtime_join: wait for the end of a task, and of its handle, unless the wait ends before. In a coroutine, for a task of a current-thread
 * runtime: until others have run it.
 * deadline_ns: on tp_clock_now_ns(); TP_FOREVER for none; 0 only looks.
 * result:      NULL: not wanted; untouched on error.
 * Returns 0; TP_ETIMEDOUT; to a task in a coroutine TP_ECANCELED, when it was asked to end; TP_EDEADLK, of a task about itself; TP_ESTALE.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
int tp_runtime_join(struct tp_runtime *runtime, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result);

/* tp_runtime_detach: end a handle; the task goes on. Returns 0 or TP_ESTALE.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_runtime_detach(struct tp_runtime *runtime, uint64_t id);

/* tp_runtime_cancel: a task that has not begun never will; another is asked to end, which its waits and tp_task_check tell it.
 * Returns 0, or TP_ESTALE if it is over.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_runtime_cancel(struct tp_runtime *runtime, uint64_t id);

/* tp_runtime_close: no further tasks; wait until those in flight are over.
 * deadline_ns: when to stop waiting; a later call waits again.
 * Returns 0, TP_ETIMEDOUT, or TP_EDEADLK where tp_block_on does: then it is not closed.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
int tp_runtime_close(struct tp_runtime *runtime, uint64_t deadline_ns);

/* tp_runtime_free: the end: tasks that have not begun are cancelled, others asked to end and waited for.
 * runtime: no other thread is inside of a call on it; NULL does nothing. Not where tp_block_on returns TP_EDEADLK: there a debug build
 *          ends the program, and others do nothing.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
void tp_runtime_free(struct tp_runtime *runtime);

/* tp_runtime_target: the pool of its tasks behind a table of functions, with struct tp_call as payload; the runtime keeps it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_multi_member tp_runtime_target(struct tp_runtime *runtime);

/* tp_runtime_now_ns: the time that its tasks see.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_runtime_now_ns(struct tp_runtime *runtime);

/* tp_runtime_advance: for tests: let the time of a runtime with virtual_time go on. Tasks whose deadlines pass are woken, in the order
 * of these; they run when the caller waits, or once tasks are run again.
 * Returns 0, or TP_ENOTSUP without virtual_time.
 * [thread: a task of it, or any while no thread runs its tasks] [suspends: no] [blocks: no] [allocates: no] */
int tp_runtime_advance(struct tp_runtime *runtime, uint64_t duration_ns);

/* -- in a task of a runtime or of a stock pool, about others of the same -------------------------- */

/* tp_task_spawn: one more task where this one is; it inherits what tp_local_get tells this one.
 * id: receives its handle, which ends with tp_task_join or tp_task_detach; NULL: none is wanted.
 * Returns as tp_runtime_spawn, and as a full stock pool says; TP_EOUTSIDE outside of tasks, TP_ENOTSUP in those of other pools.
 * [thread: any] [suspends: when a stock pool is full] [blocks: no] [allocates: rarely] */
int tp_task_spawn(int (*run)(void *argument), void *argument, uint64_t *id);

/* tp_task_join: tp_runtime_join for such a task.
 * [thread: any] [suspends: yes] [blocks: no] [allocates: no] */
int tp_task_join(uint64_t id, uint64_t deadline_ns, struct tp_task_result *result);

/* tp_task_detach: tp_runtime_detach for such a task.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_task_detach(uint64_t id);

/* tp_task_cancel: tp_runtime_cancel for such a task.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_task_cancel(uint64_t id);

/* tp_task_target: the pool of the calling task, as tp_runtime_target.
 * Returns 0, TP_EOUTSIDE or TP_ENOTSUP.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_task_target(struct tp_multi_member *target);

#ifdef __cplusplus
}
#endif

#endif
