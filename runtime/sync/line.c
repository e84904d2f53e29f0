/* Lines. docs/sync.md. */
#include "line.h"

#include "../base/assert.h"
#include "../fibers.h"

#include <sched.h>

void tp_gate_init(struct tp_gate *gate)
{
    tp_spin_init(&gate->lock);
    tp__patience_init(&gate->patience);
    gate->line = (struct tp_line){.first = NULL};
}

/* Those who let others go make some calls, and come back to the lock, which is held. */
static void let_them_come(struct tp_spin *lock)
{
    tp_spin_unlock(lock);
    sched_yield();
    tp_spin_lock(lock);
}

void tp_gate_end(struct tp_gate *gate)
{
    tp_spin_lock(&gate->lock);
    while (gate->line.n_away > 0)
        let_them_come(&gate->lock);
    tp_assert(!gate->line.first);
    tp_spin_unlock(&gate->lock);
}

void tp_line_join(struct tp_line *line, struct tp_party *party)
{
    struct tp_waiter *waiter = &party->waiter;
    waiter->next = NULL;
    waiter->prev = line->last;
    *(line->last ? &line->last->next : &line->first) = waiter;
    line->last = waiter;
    party->joined = line->n_joined++;
}

void tp_line_join_first(struct tp_line *line, struct tp_party *party)
{
    struct tp_waiter *waiter = &party->waiter;
    waiter->prev = NULL;
    waiter->next = line->first;
    *(line->first ? &line->first->prev : &line->last) = waiter;
    line->first = waiter;
    party->joined = 0; /* it was here before all others */
}

void tp_line_leave(struct tp_line *line, struct tp_party *party)
{
    struct tp_waiter *waiter = &party->waiter;
    *(waiter->prev ? &waiter->prev->next : &line->first) = waiter->next;
    *(waiter->next ? &waiter->next->prev : &line->last) = waiter->prev;
}

struct tp_party *tp_line_take(struct tp_line *line)
{
    struct tp_party *party;
    while ((party = tp_line_first(line))) {
        tp_line_leave(line, party);
        if (tp_waiter_claim(&party->waiter))
            return party;
    }
    return NULL;
}

bool tp_line_has_other(const struct tp_line *line, const struct tp_choice *choice)
{
    for (const struct tp_waiter *waiter = line->first; waiter; waiter = waiter->next)
        /* Relaxed: if it is taken meanwhile, the caller tries in vain and comes again. */
        if (!waiter->choice || (waiter->choice != choice && tp_load_rlx(&waiter->choice->taken) == 0))
            return true;
    return false;
}

bool tp_calls_make(struct tp_calls *calls, struct tp_line *line, struct tp_spin *lock, bool is_last)
{
    line->n_away += !is_last;
    tp_spin_unlock(lock);
    for (unsigned i = 0; i < calls->n; i++)
        tp_wakeup_call(&calls->calls[i]);
    calls->n = 0;
    if (!is_last) {
        tp_spin_lock(lock);
        line->n_away--;
    }
    return is_last;
}

/* Takes those that are before the n-th out of the line, and lets go whom it can, as long as there is room for their calls. Returns
 * whether all are out. */
static bool dismiss_some(struct tp_line *line, uint64_t n_joined, int status, struct tp_calls *calls)
{
    struct tp_party *party;
    while ((party = tp_line_first(line)) && party->joined < n_joined) {
        if (tp_calls_are_full(calls))
            return false;
        tp_line_leave(line, party);
        if (tp_waiter_claim(&party->waiter))
            calls->calls[calls->n++] = tp_party_let_go(party, status);
    }
    return true;
}

void tp_line_dismiss(struct tp_line *line, struct tp_line *other, struct tp_spin *lock, int status)
{
    uint64_t n_joined = line->n_joined, n_other = other ? other->n_joined : 0;
    struct tp_calls calls;
    calls.n = 0;
    for (;;) {
        bool is_last = dismiss_some(line, n_joined, status, &calls) && (!other || dismiss_some(other, n_other, status, &calls));
        if (other)
            other->n_away += !is_last;
        if (tp_calls_make(&calls, line, lock, is_last))
            return;
        if (other)
            other->n_away--;
    }
}

bool tp_party_leave(struct tp_party *party, struct tp_line *line, struct tp_spin *lock)
{
    while (line->n_away > 0 && !tp_waiter_is_woken(&party->waiter))
        let_them_come(lock);
    if (tp_waiter_is_woken(&party->waiter))
        return false;
    tp_line_leave(line, party);
    return true;
}

bool tp_party_await(struct tp_party *party, struct tp_line *line, struct tp_spin *lock, uint64_t deadline_ns, struct tp_patience *patience,
    int *status)
{
    struct tp_waiter *waiter = &party->waiter;
    if (waiter->fiber)
        tp_fiber_settle(waiter->fiber);
    *status = tp_waiter_sleep(waiter, deadline_ns, patience);
    if (*status != 0) {
        tp_spin_lock(lock);
        if (tp_party_leave(party, line, lock))
            return false;
        tp_spin_unlock(lock); /* served at the last moment: then that counts [SYNC-1] */
    }
    *status = party->status;
    return true;
}
