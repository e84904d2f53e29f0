/* Blocking pools: threads for calls that would hold a worker: files, names of hosts, libraries that know nothing of tasks.
 * Each is named and has limits of its own, so that unlike work does not queue behind each other.
 *
 *   tp_blocking_open(&disk, &(struct tp_blocking_settings){.name = "disk", .threads = 4});
 *   tp_blocking_call(disk, read_file, &request, TP_FOREVER, NULL);     in a task, which waits without its worker
 *
 * Invariant: while a call runs, whoever made it waits, so it may use what is the caller's (docs/runtime.md). */
#ifndef TP_BLOCKING_H
#define TP_BLOCKING_H

#include <stdint.h>

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TP_BLOCKING_THREADS = 64,
    TP_BLOCKING_QUEUE = 1024,
    TP_BLOCKING_NAME = 32
};

/* All 0 is valid. */
struct tp_blocking_settings {
    const char *name; /* copied, cut to TP_BLOCKING_NAME - 1 bytes; NULL: "blocking" */
    uint32_t threads; /* at most, each started when there is a call for it; 0: TP_BLOCKING_THREADS */
    uint64_t queue;   /* calls that wait for a thread; others wait for room. 0: TP_BLOCKING_QUEUE; UINT64_MAX: unlimited */
    uint64_t idle_ns; /* how long a thread waits for work before it ends; 0: for ever. If not, one more thread looks after them */
};

struct tp_blocking;

/* tp_blocking_open: such a pool.
 * settings: read during the call only; NULL: all 0.
 * Returns 0, TP_EINVAL (too many threads), TP_ENOMEM, or TP_ETHREAD (not even one).
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_blocking_open(struct tp_blocking **out, const struct tp_blocking_settings *settings);

/* tp_blocking_call: have a thread of the pool call run(argument), and wait for its end. A task in a coroutine waits without its worker, others
 * with their thread.
 * blocking:    NULL: the pool of the process, opened without settings by the first who needs it, and never freed. The child of
 *              a fork() has one of its own.
 * deadline_ns: until when it may begin, on tp_clock_now_ns(). If it passes before, or the task is asked to end, the call is withdrawn.
 *              Once it runs it is waited for; its tp_task_check says then that it should end.
 * result:      how it ended; NULL: not wanted; untouched on error. A panic in it ends the call, not the task.
 * In a function that runs on this pool itself it is called at once.
 * Returns 0 if it has run; TP_ETIMEDOUT or TP_ECANCELED if it was withdrawn; TP_ECLOSED, TP_ENOMEM, TP_ETHREAD, TP_EFORKED, TP_EINVAL (run is
 * NULL): it has not and will not.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: rarely] */
int tp_blocking_call(struct tp_blocking *blocking, int (*run)(void *argument), void *argument, uint64_t deadline_ns, struct tp_task_result *result);

/* tp_blocking_close: no further calls; those that wait for room fail with TP_ECLOSED; wait for the end of the others.
 * Returns 0, TP_ETIMEDOUT, or TP_EDEADLK in a call on this pool, which is then not closed; TP_EFORKED.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
int tp_blocking_close(struct tp_blocking *blocking, uint64_t deadline_ns);

/* tp_blocking_free: close, and give the memory back.
 * blocking: nobody is inside of a call on it; NULL does nothing.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
void tp_blocking_free(struct tp_blocking *blocking);

/* Each number was right at a moment of the look. */
struct tp_blocking_stats {
    const char *name;                  /* lives as long as the pool */
    uint32_t threads;                  /* now */
    uint64_t running, queued, waiting; /* calls: on a thread; accepted before; for room in the queue */
    uint64_t completed;                /* calls that have run, ever */
    uint64_t withdrawn;                /* by deadline or request, while queued or waiting */
};

/* tp_blocking_get_stats: the numbers.
 * blocking: NULL: the pool of the process.
 * [thread: any] [suspends: no] [blocks: no] [allocates: once] */
void tp_blocking_get_stats(struct tp_blocking *blocking, struct tp_blocking_stats *out);

#ifdef __cplusplus
}
#endif

#endif
