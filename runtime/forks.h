/* The workers that share what they fork: a deque for each, and who looks for work among them. docs/forks.md.
 * Invariant: whoever is out of work has said so to each deque, so that the owners share from their next fork on [FORK-3]. */
#ifndef TP_FORKS_H
#define TP_FORKS_H

#include "base/align.h"
#include "base/atomic.h"
#include "fork.h"
#include "idle.h"

struct tp_run;

struct tp_forks {
    struct tp_deque *deques;    /* one per worker */
    struct tp_branch **rooms;   /* of all deques */
    tp_atomic(uint32_t) n_used; /* workers that ever entered; written by them as they do */
    uint32_t n_max;
    struct tp_idle *idle; /* whose sleepers are woken; NULL: nobody sleeps */
};

/* tp_forks_init: deques for n_max workers; none has entered.
 * idle: as long as the forks; may be NULL.
 * Returns 0, or TP_ENOMEM with nothing allocated.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_forks_init(struct tp_forks *forks, uint32_t n_max, struct tp_idle *idle);

/* tp_forks_free: the end. No worker is in.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_forks_free(struct tp_forks *forks);

/* tp_forks_enter: what the calling thread forks from now on is shared.
 * index: below n_max; of no other thread that is in.
 * [thread: any, outside of forks] [suspends: no] [blocks: no] [allocates: no] */
void tp_forks_enter(struct tp_forks *forks, uint32_t index);

/* tp_forks_leave: what the calling thread forks is run at its join again.
 * [thread: one that entered, outside of forks] [suspends: no] [blocks: no] [allocates: no] */
void tp_forks_leave(void);

/* tp_forks_take: a branch that another worker offers; the caller runs it by tp_branch_run. If there is none, all workers are told that
 * one is out of work.
 * Returns NULL if there is none.
 * [thread: one that entered] [suspends: no] [blocks: no] [allocates: no] */
struct tp_branch *tp_forks_take(struct tp_forks *forks);

/* tp_branch_run: run a branch that was taken, and tell who joins it. From then on it may be gone.
 * [thread: who took it] [suspends: no] [blocks: yes] [allocates: rarely] */
void tp_branch_run(struct tp_branch *branch);

/* tp_forks_want: the caller is about to sleep, and has announced it by tp_idle_prepare. It looks at tp_forks_are_offered next.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_forks_want(struct tp_forks *forks);

/* tp_forks_are_offered: can some branch be had?
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_forks_are_offered(struct tp_forks *forks);

/* -- within the library -------------------------------------------------------------------------- */

/* tp__branch_take: the oldest branch that this deque has offered after `since`. It is the caller's to run.
 * Returns NULL if there is none.
 * [thread: self's] [suspends: no] [blocks: no] [allocates: no] */
struct tp_branch *tp__branch_take(struct tp_deque *from, struct tp_deque *self, uint64_t since);

/* tp__forks_settle: the run panicked: nothing that it has forked runs or will. What was taken is waited for; a join of what was not
 * does nothing.
 * run: the innermost of the caller.
 * [thread: run's] [suspends: yes] [blocks: yes] [allocates: no] */
void tp__forks_settle(struct tp_run *run);

/* The owner is to share. */
static inline void tp__deque_want(struct tp_deque *deque)
{
    if (tp_load_rlx(&deque->limit)) /* relaxed: a request, which publishes nothing [FORK-3] */
        tp_store_rlx(&deque->limit, NULL);
}

#endif
