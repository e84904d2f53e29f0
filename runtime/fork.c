/* The long ways of who forks: to offer branches, to take them back, to wait for those that somebody took. docs/forks.md.
 * Invariant: all private branches of a deque are of the innermost run of its worker; who enters another run, or leaves the
 * thread to others, offers them first [FORK-2]. */
#include "fork.h"

#include "base/assert.h"
#include "clock.h"
#include "fiber.h"
#include "forks.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The functions themselves. */
#undef tp_fork
#undef tp_unfork
#undef tp_join

enum tp_branch_state {
    BRANCH_OFFERED, /* in its deque's list */
    BRANCH_TAKEN,   /* a thief runs it */
    BRANCH_DONE     /* the thief has run it, and touches it no more */
};

/* -- offering ----------------------------------------------------------------------------------------- */

/* Appends it to the list; the lock is held. */
static void append(struct tp_deque *self, struct tp_branch *branch)
{
    branch->next = NULL;
    branch->prev = self->newest;
    *(self->newest ? &self->newest->next : &self->oldest) = branch;
    self->newest = branch;
    branch->serial = ++self->serial;
    tp_store_rlx(&branch->state, BRANCH_OFFERED); /* relaxed: published by the lock */
}

/* Takes it out of the list; the lock is held. */
static void take_out(struct tp_deque *deque, struct tp_branch *branch)
{
    *(branch->prev ? &branch->prev->next : &deque->oldest) = branch->next;
    *(branch->next ? &branch->next->prev : &deque->newest) = branch->prev;
    tp_store_rlx(&deque->n_offered, tp_load_rlx(&deque->n_offered) - 1); /* relaxed: as in `offer` */
}

/* Remembers among the open branches of the run, for the case of a panic. */
static void remember(struct tp_run *run, const struct tp_run *task, struct tp_branch *branch)
{
    branch->parent = run;
    branch->is_shielded = task && task->n_shields > 0;
    branch->locals = task ? task->locals : NULL;
    branch->panic = NULL;
    if (!run)
        return;
    branch->outer = run->branches;
    branch->place = &run->branches;
    if (branch->outer)
        branch->outer->place = &branch->outer;
    run->branches = branch;
}

static void forget(struct tp_branch *branch)
{
    if (!branch->parent)
        return;
    *branch->place = branch->outer;
    if (branch->outer)
        branch->outer->place = branch->place;
}

/* Offers the n oldest private branches, 1 at least, and tells those who sleep. */
static void offer(struct tp_deque *self, size_t n)
{
    struct tp_run *run = tp_run_around(), *task = tp_run_task();
    /* Relaxed, and first: a wish from here on is another one [FORK-3]. */
    tp_store_rlx(&self->limit, self->end);
    for (size_t i = 0; i < n; i++)
        remember(run, task, self->base[i]);
    tp_spin_lock(&self->lock);
    for (size_t i = 0; i < n; i++)
        append(self, self->base[i]);
    /* Relaxed: a hint, ordered against those who sleep by the fences of the two calls below. */
    tp_store_rlx(&self->n_offered, tp_load_rlx(&self->n_offered) + (uint32_t)n);
    tp_spin_unlock(&self->lock);
    self->base += n;
    self->base[-1] = NULL; /* not to be joined in the short way [FORK-1] */
    if (self->forks->idle)
        tp_idle_notify(self->forks->idle);
    tp_waitlist_notify(&self->awaited, UINT32_MAX);
}

void tp_forks_publish(void)
{
    struct tp_deque *self = tp__deque_self();
    if (self->top != self->base)
        offer(self, (size_t)(self->top - self->base));
}

/* -- forking ------------------------------------------------------------------------------------------ */

/* Moves the private branches to the beginning of their room. */
static void make_room(struct tp_deque *self)
{
    size_t n = (size_t)(self->top - self->base);
    memmove(self->first, self->base, n * sizeof *self->first);
    self->base = self->first; /* first[-1] is NULL for ever */
    self->top = self->first + n;
}

void tp__fork_slow(struct tp_deque *self, struct tp_branch *branch)
{
    if (!self->forks) {
        branch->deque = NULL;
        return;
    }
    bool is_wanted = tp_load_rlx(&self->limit) != self->end; /* relaxed: see tp__fork */
    if (self->top == self->end)
        make_room(self);
    bool has_room = self->top != self->end;
    if (has_room)
        *self->top++ = branch;
    else
        branch->deque = NULL; /* so many are open that one more is worth nothing */
    if (is_wanted)
        offer(self, ((size_t)(self->top - self->base) + 1) / 2);
}

void tp_fork(struct tp_branch *branch, void (*run)(void *argument), void *argument)
{
    tp__fork(branch, run, argument);
}

/* -- joining ------------------------------------------------------------------------------------------ */

/* Takes a private branch from among others, which is joined out of order. */
static bool take_private(struct tp_deque *self, const struct tp_branch *branch)
{
    struct tp_branch **at = self->top;
    do
        if (at == self->base)
            return false;
    while (*--at != branch);
    self->top--;
    memmove(at, at + 1, (size_t)(self->top - at) * sizeof *at);
    return true;
}

/* Takes an offered branch back, unless somebody was faster. */
static bool take_back(struct tp_branch *branch)
{
    struct tp_deque *deque = branch->deque;
    if (tp_load_acq(&branch->state) != BRANCH_OFFERED) /* pairs with the release in tp__branch_take */
        return false;
    tp_spin_lock(&deque->lock);
    bool is_mine = tp_load_rlx(&branch->state) == BRANCH_OFFERED; /* relaxed: written under the lock */
    if (is_mine)
        take_out(deque, branch);
    tp_spin_unlock(&deque->lock);
    return is_mine;
}

static bool is_done(struct tp_branch *branch)
{
    return tp_load_acq(&branch->state) == BRANCH_DONE; /* pairs with the release in tp_branch_run */
}

/* What the thief has offered since it took the branch is a part of it. */
static struct tp_branch *part_of(const struct tp_branch *branch, struct tp_deque *thief)
{
    struct tp_deque *self = tp__deque_self();
    return self->forks ? tp__branch_take(thief, self, branch->since) : NULL;
}

/* In a coroutine that was asked to end a wait would return at once. */
static void sleep_shielded(struct tp_waitlist *list, struct tp_waiter *waiter)
{
    tp_shield_begin();
    tp_waitlist_wait(list, waiter, TP_FOREVER);
    tp_shield_end();
}

/* Waits for a branch that somebody took. Meanwhile runs what that one offers since, which is a part of it: so the stack grows no
 * deeper than it would have without thieves (Wagner and Calder, "Leapfrogging", PPoPP 1993). */
static void await(struct tp_branch *branch)
{
    struct tp_deque *thief = branch->thief;
    struct tp_waiter waiter;
    tp_forks_publish(); /* older than what may be taken below */
    while (!is_done(branch)) {
        struct tp_branch *part = part_of(branch, thief);
        if (!part) {
            tp__deque_want(thief);
            tp_waitlist_prepare(&thief->awaited, &waiter); /* prepare, look again, sleep [PARK-1] */
            part = is_done(branch) ? NULL : part_of(branch, thief);
            if (part || is_done(branch))
                tp_waitlist_cancel(&thief->awaited, &waiter); /* all are woken together, so there is no wake-up to pass on */
            else
                sleep_shielded(&thief->awaited, &waiter);
        }
        if (part)
            tp_branch_run(part);
    }
}

static char unsaid[] = "a branch panicked; no memory for its message";

static void free_panic(struct tp_branch *branch)
{
    if (branch->panic != unsaid)
        free(branch->panic);
}

static void panic_again(struct tp_branch *branch)
{
    char message[sizeof((struct tp_run *)0)->message];
    snprintf(message, sizeof message, "%s", branch->panic);
    free_panic(branch);
    tp__panic_again(message);
}

bool tp__unfork_slow(struct tp_branch *branch)
{
    struct tp_deque *self = tp__deque_self();
    if (!branch->deque || (branch->deque == self && take_private(self, branch)))
        return true;
    bool is_mine = take_back(branch);
    if (!is_mine)
        await(branch);
    forget(branch);
    if (!is_mine && branch->panic)
        panic_again(branch);
    return is_mine;
}

bool tp_unfork(struct tp_branch *branch)
{
    return tp__unfork(branch);
}

void tp_join(struct tp_branch *branch)
{
    tp__join(branch);
}

/* -- of those who take -------------------------------------------------------------------------------- */

struct tp_branch *tp__branch_take(struct tp_deque *from, struct tp_deque *self, uint64_t since)
{
    if (tp_load_rlx(&from->n_offered) == 0) /* relaxed: a hint; who is about to sleep passes a fence before */
        return NULL;
    tp_spin_lock(&from->lock);
    struct tp_branch *branch = from->oldest;
    while (branch && branch->serial <= since)
        branch = branch->next;
    if (branch) {
        take_out(from, branch);
        branch->thief = self;
        branch->since = self->serial;
        tp_store_rel(&branch->state, BRANCH_TAKEN); /* pairs with the acquire in take_back, which may not take the lock */
        if (!from->oldest)
            tp__deque_want(from); /* so that something is always offered while somebody may come for it */
    }
    tp_spin_unlock(&from->lock);
    return branch;
}

/* Apart, since who calls setjmp keeps no variable that changes. */
static __attribute__((noinline)) void attempt(struct tp_branch *branch, struct tp_run *run)
{
    if (setjmp(run->point) == 0)
        branch->run(branch->argument);
    else if (!(branch->panic = strdup(run->message)))
        branch->panic = unsaid;
}

void tp_branch_run(struct tp_branch *branch)
{
    struct tp_deque *thief = branch->thief;
    struct tp_run run;
    tp__run_part(&run, branch->parent, thief->index);
    thief->n_stolen++;
    tp_run_enter(&run);
    run.n_shields = branch->is_shielded;
    run.locals = branch->locals;
    attempt(branch, &run);
    tp_run_leave(&run);
    tp_store_rel(&branch->state, BRANCH_DONE); /* pairs with the acquire in is_done; from here on it may be gone */
    tp_waitlist_notify(&thief->awaited, UINT32_MAX);
}

/* -- panics ------------------------------------------------------------------------------------------- */

/* A join of it does nothing any more. */
static void settle(struct tp_branch *branch)
{
    branch->parent = NULL;
    branch->panic = NULL;
    tp_store_rlx(&branch->state, BRANCH_DONE); /* relaxed: nobody else has it */
}

void tp__forks_settle(struct tp_run *run)
{
    struct tp_deque *self = tp__deque_self();
    while (self->top != self->base)
        settle(*--self->top);
    while (run->branches) {
        struct tp_branch *branch = run->branches;
        if (!take_back(branch))
            await(branch);
        forget(branch);
        free_panic(branch);
        settle(branch);
    }
}
