/* The workers of one pool that share what they fork, as they enter, leave, and look for work among each other. docs/forks.md. */
#include "forks.h"

#include "base/assert.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

#ifndef TP_FORKS_ROOM /* open branches of one worker that others may take; further ones are run at their join */
#define TP_FORKS_ROOM 1024
#endif

/* What threads outside of any team have: full at once, and empty for ever. */
static struct tp_branch *nothing[1];
static struct tp_deque nowhere = {.top = nothing + 1, .base = nothing + 1};

#if TP_MODEL
void tp__deque_set(struct tp_deque *deque);
#else
TP_TLS_DEFINE(struct tp_deque *, tp__deque, &nowhere);

static TP_APART void tp__deque_set(struct tp_deque *deque)
{
    *tp_tls_place(tp__deque) = deque ? deque : &nowhere;
}
#endif

static void deque_init(struct tp_deque *deque, struct tp_forks *forks, uint32_t index)
{
    memset(deque, 0, sizeof *deque);
    struct tp_branch **room = forks->rooms + (size_t)index * (TP_FORKS_ROOM + 1);
    room[0] = NULL;
    deque->first = deque->base = deque->top = room + 1;
    deque->end = room + 1 + TP_FORKS_ROOM;
    tp_atomic_init(&deque->limit, NULL); /* the first fork offers, since others may sleep already [FORK-3] */
    deque->forks = forks;
    deque->index = index;
    deque->random = index * 2654435769u + 1; /* never 0; neighbours begin far apart (Knuth 6.4) */
    tp_spin_init(&deque->lock);
    tp_waitlist_init(&deque->awaited);
}

int tp_forks_init(struct tp_forks *forks, uint32_t n_max, struct tp_idle *idle)
{
    forks->deques = aligned_alloc(alignof(struct tp_deque), n_max * sizeof *forks->deques);
    forks->rooms = malloc((size_t)n_max * (TP_FORKS_ROOM + 1) * sizeof *forks->rooms); /* pages that nobody uses stay untouched */
    if (!forks->deques || !forks->rooms) {
        free(forks->deques);
        free(forks->rooms);
        return TP_ENOMEM;
    }
    tp_atomic_init(&forks->n_used, 0);
    forks->n_max = n_max;
    forks->idle = idle;
    for (uint32_t i = 0; i < n_max; i++)
        deque_init(&forks->deques[i], forks, i);
    return 0;
}

void tp_forks_free(struct tp_forks *forks)
{
    free(forks->deques);
    free(forks->rooms);
}

void tp_forks_enter(struct tp_forks *forks, uint32_t index)
{
    struct tp_deque *self = &forks->deques[index];
    tp_assert(index < forks->n_max && self->top == self->base);
    uint32_t n = tp_load_rlx(&forks->n_used); /* relaxed: the exchange decides */
    while (n <= index && !tp_cas_sc(&forks->n_used, &n, index + 1))
        ; /* losing means that another one entered: look again */
    tp__deque_set(self);
}

void tp_forks_leave(void)
{
    tp_assert(tp__deque_self()->top == tp__deque_self()->base);
    tp__deque_set(NULL);
}

/* -- looking for work --------------------------------------------------------------------------------- */

static uint32_t n_used(struct tp_forks *forks)
{
    return tp_load_rlx(&forks->n_used); /* relaxed: a worker missed now is seen at the next look, before a sleep behind its fence */
}

static uint32_t next_random(struct tp_deque *self)
{
    self->random ^= self->random << 13; /* xorshift32 (Marsaglia 2003) */
    self->random ^= self->random >> 17;
    self->random ^= self->random << 5;
    return self->random;
}

struct tp_branch *tp_forks_take(struct tp_forks *forks)
{
    struct tp_deque *self = tp__deque_self();
    uint32_t n = n_used(forks), start = next_random(self);
    for (uint32_t i = 0; i < n; i++) {
        struct tp_deque *victim = &forks->deques[(start + i) % n];
        struct tp_branch *branch = victim == self ? NULL : tp__branch_take(victim, self, 0);
        if (branch)
            return branch;
    }
    tp_forks_want(forks);
    return NULL;
}

void tp_forks_want(struct tp_forks *forks)
{
    struct tp_deque *self = tp__deque_self();
    uint32_t n = n_used(forks);
    for (uint32_t i = 0; i < n; i++)
        if (&forks->deques[i] != self)
            tp__deque_want(&forks->deques[i]);
}

bool tp_forks_are_offered(struct tp_forks *forks)
{
    uint32_t n = n_used(forks);
    for (uint32_t i = 0; i < n; i++)
        if (tp_load_rlx(&forks->deques[i].n_offered) != 0) /* relaxed: ordered by the fence of who is about to sleep */
            return true;
    return false;
}
