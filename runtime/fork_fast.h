/* The short ways through tp_fork, tp_unfork and tp_join, for C. A call and its return cost more than the rest of it.
 * Invariant: the private branches of a deque are those in [base, top), and base[-1] is NULL. So the branch to be joined is the
 * last one if top[-1] is it, and only the owner's words need be looked at [FORK-1]. Included by fork.h. */
#ifndef TP_FORK_FAST_H
#define TP_FORK_FAST_H

#include "base/align.h"
#include "base/spin.h"
#include "base/tls.h"
#include "fork.h"
#include "park.h"

struct tp_forks;

/* The branches of one worker that are open. */
struct tp_deque {
    /* The owner's alone. */
    tp_line_aligned struct tp_branch **top; /* behind the last private one */
    struct tp_branch **base;                /* the oldest private one */
    struct tp_branch **first, **end;        /* room for them */
    struct tp_forks *forks;
    uint32_t index;
    uint32_t random;   /* state of the victim order */
    uint64_t n_stolen; /* branches that it took from others; for those who measure */

    /* `end`, or NULL: somebody is out of work, so the next fork shares. NULL is written by others, `end` by the owner. On a line of
     * its own, which seldom changes. */
    tp_line_aligned tp_atomic(struct tp_branch **) limit;

    /* What is offered, the oldest first. */
    tp_line_aligned struct tp_spin lock; /* guards the list */
    tp_atomic(uint32_t) n_offered;       /* in the list; written under the lock, read by who looks for work */
    uint64_t serial;                     /* offered ever; by the owner, under the lock */
    struct tp_branch *oldest, *newest;
    struct tp_waitlist awaited; /* who joins what this worker has taken */
};

#if TP_MODEL
/* tp__deque_self: as below; by the scenario.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_deque *tp__deque_self(void);
#else
TP_TLS_DECLARE(struct tp_deque *, tp__deque);

/* Of the calling thread; outside of teams one that takes nothing. */
static inline struct tp_deque *tp__deque_self(void)
{
    return tp_tls_value(tp__deque);
}
#endif

/* tp__fork_slow: tp_fork, when the deque is full, somebody is out of work, or there is no deque.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__fork_slow(struct tp_deque *self, struct tp_branch *branch);

/* tp__unfork_slow: tp_unfork of what is not the last private branch.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
bool tp__unfork_slow(struct tp_branch *branch);

/* tp_fork. */
static inline void tp__fork(struct tp_branch *branch, void (*run)(void *argument), void *argument)
{
    struct tp_deque *self = tp__deque_self();
    struct tp_branch **top = self->top;
    branch->run = run;
    branch->argument = argument;
    branch->deque = self;
    /* Relaxed: a request. What it has missed is seen by the next fork [FORK-3]. */
    if (__builtin_expect(top >= tp_load_rlx(&self->limit), 0)) {
        tp__fork_slow(self, branch);
        return;
    }
    *top = branch;
    self->top = top + 1;
}

/* tp_unfork. */
static inline bool tp__unfork(struct tp_branch *branch)
{
    struct tp_deque *self = tp__deque_self();
    struct tp_branch **top = self->top;
    if (__builtin_expect(top[-1] != branch, 0))
        return tp__unfork_slow(branch);
    self->top = top - 1;
    return true;
}

/* tp_join. */
static inline void tp__join(struct tp_branch *branch)
{
    if (__builtin_expect(tp__unfork(branch), 1))
        branch->run(branch->argument);
}

#define tp_fork(branch, run, argument) tp__fork(branch, run, argument)
#define tp_unfork(branch) tp__unfork(branch)
#define tp_join(branch) tp__join(branch)

#endif
