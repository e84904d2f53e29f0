/* A task from the inside and from the outside: how it ends, what a panic is, what runs on its way out.
 * Invariant: a task that panics ends alone. Its defers have run, its pool's handler was told, and the
 * thread that ran it goes on (docs/tasks.md). */
#ifndef TP_TASK_H
#define TP_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a task is. All but the first two are ends: a task that reached one stays there. */
enum tp_task_state {
    TP_TASK_PENDING,
    TP_TASK_RUNNING,
    TP_TASK_RETURNED,  /* 0 or a positive value */
    TP_TASK_FAILED,    /* a negative value */
    TP_TASK_PANICKED,  /* ended by tp_panic */
    TP_TASK_CANCELLED, /* before it started */
    TP_TASK_DROPPED,   /* before it started, to make room for others */
    TP_TASK_TIMED_OUT  /* ran beyond its limit, then ended */
};

struct tp_task_result {
    enum tp_task_state state;
    int code; /* what the task returned; negative if it did not: TP_ECANCELED, TP_EDROPPED */
};

/* One line of a list of tasks. */
struct tp_task_info {
    uint64_t id;
    enum tp_task_state state;
};

/* What a pool's handler is told of a task that panicked or runs too long; valid during the call. */
struct tp_panic_report {
    bool is_overdue;     /* the task runs beyond its limit; it has not panicked, and there are no frames */
    const char *pool;    /* its name; NULL outside of tasks */
    unsigned worker;     /* index within the pool; UINT_MAX: not on a worker */
    uint64_t id;         /* of the task; 0: untracked */
    const char *message; /* one that is too long is cut */
    void *const *frames; /* return addresses, innermost first; the first is the caller of tp_panic */
    int n_frames;
};

/* tp_panic_log: the handler of pools that have none: a report on stderr, in one piece: pool, worker, task,
 * message and backtrace. Names of functions need a program linked with -rdynamic.
 * context: ignored.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
void tp_panic_log(const struct tp_panic_report *panic, void *context);

/* tp_panic: end the running task, from any depth. Its defers run, the last one first; then the pool's handler
 * is called, still on the panicking stack; then the thread leaves the task, whose state is TP_TASK_PANICKED.
 * A defer or a handler that panics is ended in the same way, reported (a handler by tp_panic_log), and the
 * rest is done all the same. Outside of a task: reports by tp_panic_log and aborts the program.
 * The stack is left by longjmp: what only its frames know is lost, and destructors of C++ do not run.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
void tp_panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* tp_task_protect: call entry(argument) so that a panic in it ends there, its defers run. For code outside of pools, for coroutines that
 * are driven by hand, and for a part of a task, which stays the task that it is: its id and its requests to stop are seen, and
 * its pool's handler is told of the panic. Where there is no task, tp_panic_log is.
 * Returns what entry returns, or TP_EPANICKED.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_task_protect(int (*entry)(void *argument), void *argument);

/* Something to do on the way out of a scope; lives on the stack of who pushed it. */
struct tp_defer {
    struct tp_defer *outer; /* the one pushed before */
    struct tp_defer **list; /* which list it is on; NULL outside of tasks */
    void (*run)(void *argument);
    void *argument;
};

/* tp_defer_push: have run(argument) called by tp_defer_pop or by a panic of the running task, whichever comes.
 * node: the caller's, filled here; stays untouched until it is popped.
 * Outside of a task only tp_defer_pop runs it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_defer_push(struct tp_defer *node, void (*run)(void *argument), void *argument);

/* tp_defer_pop: take off the node pushed last, and run it.
 * [thread: the one that pushed] [suspends: no] [blocks: no] [allocates: no] */
void tp_defer_pop(struct tp_defer *node);

/* TP_DEFER(run, argument): a statement; run(argument) is called when the enclosing block is left in any way:
 * by its end, return, break, goto or tp_panic. Exactly once. */
#define TP_DEFER(run, argument) TP__DEFER_AS(TP__DEFER_NAME(__COUNTER__), run, argument)
#define TP__DEFER_AS(name, run, argument)                        \
    struct tp_defer name __attribute__((cleanup(tp_defer_pop))); \
    tp_defer_push(&name, (run), (argument))
#define TP__DEFER_NAME(n) TP__DEFER_JOIN(n)
#define TP__DEFER_JOIN(n) tp__defer_##n

/* tp_task_check: a cancellation point, for tasks that take long. Costs a few nanoseconds.
 * Returns 0 to go on; TP_ECANCELED when the task or its whole pool was cancelled, TP_ETIMEDOUT when the task is
 * over its time limit: the task should return soon. Always 0 outside of tasks.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_task_check(void);

/* tp_task_id: the id of the running task; 0 in pools without tracking, and outside of tasks.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_task_id(void);

#ifdef __cplusplus
}
#endif

#endif
