/* Wait groups. docs/sync.md.
 * Invariant: while WAITING is set, the number becomes 0 only under the gate's lock, by who then lets all go that are in the line. So
 * a waiter that finds a number, under that lock, is found by who makes it 0. */
#include "waitgroup.h"

#include "../base/assert.h"
#include "../base/status.h"

#define WAITING UINT64_C(1) /* somebody is in the line; changed under the gate's lock */
#define ONE UINT64_C(2)     /* of what is to be done */

void tp_waitgroup_init(struct tp_waitgroup *group, uint64_t n)
{
    tp_assert(n <= INT64_MAX);
    tp_atomic_init(&group->word, n * ONE);
    tp_gate_init(&group->gate);
}

void tp_waitgroup_add(struct tp_waitgroup *group, uint64_t n)
{
    uint64_t before = tp_add_rlx(&group->word, n * ONE); /* relaxed: the caller publishes what it adds, to who does it and to who waits */
    tp_assert(n <= INT64_MAX - before / ONE);
    (void)before;
}

/* The last one of those that somebody waits for. Returns false if it is not any more. */
static bool end_all(struct tp_waitgroup *group)
{
    uint64_t word = ONE | WAITING;
    tp_spin_lock(&group->gate.lock);
    /* Its release half pairs with the acquire in tp_waitgroup_wait. Losing means that something was added, or nobody waits. */
    if (!tp_cas_sc(&group->word, &word, 0)) {
        tp_spin_unlock(&group->gate.lock);
        return false;
    }
    tp_line_dismiss(&group->gate.line, NULL, &group->gate.lock, 0);
    return true;
}

void tp_waitgroup_done(struct tp_waitgroup *group)
{
    uint64_t word = tp_load_rlx(&group->word); /* relaxed: a guess for the exchange */
    for (;;) {
        tp_assert(word >= ONE);
        if (word == (ONE | WAITING)) {
            if (end_all(group))
                return;
            word = tp_load_rlx(&group->word); /* relaxed: as above */
            /* Its release half pairs with the acquire in tp_waitgroup_wait. Losing means that others are done, or somebody waits. */
        } else if (tp_cas_sc(&group->word, &word, word - ONE)) {
            return;
        }
    }
}

/* Under the gate's lock: is there nothing to be done? If there is, somebody waits from now on. */
static bool is_over_or_announce(struct tp_waitgroup *group)
{
    uint64_t word = tp_load_acq(&group->word); /* pairs with the releases of who is done */
    while (word >= ONE)
        if (tp_cas_sc(&group->word, &word, word | WAITING)) /* losing means that some are done: look again */
            return false;
    return true;
}

int tp_waitgroup_wait(struct tp_waitgroup *group, uint64_t deadline_ns)
{
    struct tp_gate *gate = &group->gate;
    struct tp_party party = {.wanted = 0};
    int status;
    if (tp_load_acq(&group->word) < ONE) /* pairs with the releases of who is done */
        return 0;
    if (deadline_ns == 0)
        return TP_ETIMEDOUT;
    tp_spin_lock(&gate->lock);
    if (is_over_or_announce(group)) {
        tp_spin_unlock(&gate->lock);
        return 0;
    }
    if (tp_gate_wait(gate, &party, deadline_ns, &status))
        tp_spin_lock(&gate->lock); /* who let the caller go may have it still [SYNC-2] */
    else if (!gate->line.first)
        tp_add_rlx(&group->word, 0 - WAITING); /* relaxed: changed under the lock */
    tp_spin_unlock(&gate->lock);
    return status;
}
