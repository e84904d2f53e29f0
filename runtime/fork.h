/* Fork and join: one task does two things at once, if somebody has time for the other one. docs/forks.md.
 *
 *   struct tp_branch left;                   on the stack of who forks
 *   tp_fork(&left, sort_left, &range);       may be run by another worker from now on
 *   sort_right(&range);                      this one does the rest at once
 *   tp_join(&left);                          `left` is done: run by another worker, or here and now
 *
 * Invariant: a branch runs exactly once, between its fork and the return of its join. A fork costs some instructions, and
 * so does its join, unless somebody was out of work in between. So fork freely, down to pieces of a few dozen nanoseconds.
 *
 * In workers of a pool with `forks = on`; anywhere else the branch simply runs at its join. */
#ifndef TP_FORK_H
#define TP_FORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tp_deque;
struct tp_local;
struct tp_run;

/* What was forked and not joined yet. The fields are for runtime/fork*.[ch] alone; only the first three are written by a fork
 * that nobody wants to share. */
struct tp_branch {
    void (*run)(void *argument);
    void *argument;
    struct tp_deque *deque; /* of the worker that forked; NULL: nobody else may have it */

    /* Since it was offered. */
    struct tp_branch *next, *prev;    /* among those of the deque; guarded by its lock */
    struct tp_branch *outer, **place; /* among the open ones of `parent`, whose task alone touches them */
    struct tp_run *parent;            /* the run that forked; NULL: outside of tasks */
    uint64_t serial;                  /* counts what the deque has offered */
    struct tp_deque *thief;           /* who took it; published by `state`, like `since` */
    uint64_t since;                   /* what the thief had offered until then */
    bool is_shielded;                 /* the task was when it was offered */
    const struct tp_local *locals;    /* of the task, likewise */
    char *panic;                      /* how it ended, if by a panic; published by `state` */
    tp_atomic(uint32_t) state;        /* enum tp_branch_state */
};

/* tp_fork: offer run(argument) to workers that look for work.
 * branch: the caller's, filled here; until tp_join nobody else touches it. A branch that is open is not forked again.
 * run:    called once, here or on another worker of the pool, as a part of the task that forks: tp_task_check and tp_task_id
 *         answer for that.
 * Each fork has a join, also on the way out by return or goto; best in reverse order, which is the cheap one. A panic is such a way
 * out by itself. Between the two a coroutine that is driven by hand (tp_co_resume, tp_co_yield) calls tp_forks_publish before it
 * resumes or yields; a task that waits need not.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_fork(struct tp_branch *branch, void (*run)(void *argument), void *argument);

/* tp_join: return when the branch is done. Nobody has taken it: runs it, here and now. Else runs parts of it that are offered, then
 * waits. If it panicked, which the pool's handler was told, the caller panics with the same message, untold.
 * branch: forked by the calling task, and not joined yet. It is the caller's again.
 * [thread: of the task that forked] [suspends: yes] [blocks: yes] [allocates: no] */
void tp_join(struct tp_branch *branch);

/* tp_unfork: tp_join for who rather calls the function himself, which the compiler may then see through.
 * Returns true if nobody has taken the branch: it is not run any more, and what it would have done is the caller's to do. False: it
 * was done by another worker.
 * [thread: of the task that forked] [suspends: yes] [blocks: yes] [allocates: no] */
bool tp_unfork(struct tp_branch *branch);

/* tp_forks_publish: offer all that the calling thread has forked. Never needed, but before a coroutine is driven by hand, and before a
 * long stretch without forks, when others may have work of it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_forks_publish(void);

#ifdef __cplusplus
}
#else
#include "fork_fast.h" /* the first three, without a call as long as nobody wants to share */
#endif

#endif
