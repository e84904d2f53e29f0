/* The running task, as the thread that runs it knows it: where to go when it panics, what to do before.
 * Runs nest (a task may run another one, as a submitter that helps does), so each thread has a stack of them, and so has each
 * coroutine: what is said of threads here holds for coroutines, wherever they are resumed.
 * Invariant: the innermost run of a thread is that of the task whose code executes (docs/tasks.md).
 *
 *   tp_run_enter(&run);
 *   if (setjmp(run.point) != 0)
 *       the task panicked: count it as ended. run.defers is empty again, `run` is still entered.
 *   while (there is a task) { run.id = ..., execute it }      no cost per task but what is to be known
 *   tp_run_leave(&run);
 *
 * As always with setjmp: locals of that function that change after setjmp are lost by the jump. */
#ifndef TP_RUN_H
#define TP_RUN_H

#include "base/atomic.h"
#include "task.h"

#include <setjmp.h>
#include <stdbool.h>

struct tp_branch;
struct tp_fiber;
struct tp_local;
struct tp_pool_ops;
struct tp_timer;
struct tp_track;
struct tp_unwind;

/* Touched by the running thread alone, but for `overdue` and what `stop` points to. */
struct tp_run {
    /* Set by tp_run_enter. */
    struct tp_defer *defers;       /* the last one pushed */
    struct tp_run *outer;          /* the run around this one */
    struct tp_unwind *unwind;      /* the panic that is under way */
    struct tp_branch *branches;    /* forked, offered to others, and not joined yet; the last one offered */
    const struct tp_local *locals; /* the innermost node; whoever hangs one there takes it off */
    uint32_t n_shields;            /* of the task: tp_shield_begin without tp_shield_end */

    /* By the owner, before; id and serial anew for each task. All 0 is valid. */
    bool is_protection;            /* of tp_task_protect: the task is that of the run around it, if there is one */
    struct tp_run *lead;           /* of a branch that another thread forked: the run of its task; else NULL */
    struct tp_timer *timer;        /* the call of a timer: whose; NULL once it has ended there */
    struct tp_fiber *fiber;        /* the coroutine whose task this is; NULL: a plain one, which waits with its thread */
    const void *owner;             /* the pool; for who knows its type, as `ops` do */
    const struct tp_pool_ops *ops; /* how tasks of the pool make others in it; NULL: they cannot */
    const char *pool;              /* its name; lives as long as the run */
    unsigned worker;               /* UINT_MAX: not on a worker */
    uint64_t id;                   /* 0: untracked */
    struct tp_track *track;        /* where the id is known; NULL: untracked */
    uint64_t serial;               /* of this task, counted from 1; 0: without limit */
    tp_atomic(uint32_t) *stop;     /* not 0 once the pool is cancelled; NULL: never */
    void (*on_panic)(const struct tp_panic_report *panic, void *context);
    void *context; /* for on_panic, which may be NULL: tp_panic_log */

    tp_atomic(uint64_t) overdue; /* written by who watches: serial of the task that is over its limit */
    char message[200];           /* of the last panic */
    jmp_buf point;               /* where a panic goes */
};

/* tp_run_enter: run becomes the innermost run of the calling thread.
 * run: the caller's until tp_run_leave; what the owner sets is set, or zeroed.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_run_enter(struct tp_run *run);

/* tp_run_leave: the run around it is the innermost again. The task's defers have run.
 * run: the innermost run of the calling thread.
 * [thread: the one that entered] [suspends: no] [blocks: no] [allocates: no] */
void tp_run_leave(struct tp_run *run);

/* tp_run_self: the innermost run of the calling thread, NULL if there is none. Out of line on purpose: a
 * thread-local's address must not be kept over anything that may suspend.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_run *tp_run_self(void);

/* tp_run_task: the run of the calling task: the innermost one behind its protections. A protection without a task around it is its own.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_run *tp_run_task(void);

/* tp_run_here: the same, if it is on the calling stack: not that of a task whose coroutine has resumed another, which calls.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_run *tp_run_here(void);

/* tp_run_is_inside: is the caller inside of the run of this task?
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_run_is_inside(const void *owner, uint64_t id);

/* tp__run_of_timer: the run of a call of that timer that the caller is inside of; NULL if it is not.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_run *tp__run_of_timer(const struct tp_timer *timer);

/* tp_run_around: the innermost run that the caller is inside of: on the calling stack, else on that of who has resumed its coroutine.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_run *tp_run_around(void);

/* tp_run_check: tp_task_check of the task of that run.
 * [thread: its own] [suspends: no] [blocks: no] [allocates: no] */
int tp_run_check(const struct tp_run *run);

/* tp_run_depth: how many runs of this owner the calling thread is inside of.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp_run_depth(const void *owner);

/* tp__run_part: fill a run for a branch of `parent` that the caller has taken.
 * parent: stays where it is until the branch is done; NULL: outside of tasks.
 * worker: the caller's index.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__run_part(struct tp_run *run, struct tp_run *parent, unsigned worker);

/* tp__panic_again: tp_panic in who joins a branch that panicked, which was reported there.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
_Noreturn void tp__panic_again(const char *message);

#endif
