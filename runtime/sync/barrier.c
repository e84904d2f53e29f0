/* Barriers. docs/sync.md.
 * Invariant, whenever the lock is free: those of this round that are here are in the line, n_here of them, fewer than n. Those of the round
 * before may still be in front of them, on their way out: none of them leaves by itself [SYNC-2]. */
#include "barrier.h"

#include "../base/assert.h"
#include "../base/status.h"

void tp_barrier_init(struct tp_barrier *barrier, uint64_t n)
{
    tp_assert(n > 0);
    barrier->n = n;
    barrier->n_here = 0;
    tp_gate_init(&barrier->gate);
}

void tp_barrier_end(struct tp_barrier *barrier)
{
    tp_gate_end(&barrier->gate);
}

int tp_barrier_wait(struct tp_barrier *barrier, uint64_t deadline_ns, bool *is_last)
{
    struct tp_gate *gate = &barrier->gate;
    int status = 0;
    tp_spin_lock(&gate->lock);
    bool is_complete = barrier->n_here + 1 == barrier->n;
    if (is_complete) {
        barrier->n_here = 0;
        tp_line_dismiss(&gate->line, NULL, &gate->lock, 0);
    } else if (deadline_ns == 0) {
        tp_spin_unlock(&gate->lock);
        status = TP_ETIMEDOUT;
    } else {
        struct tp_party party = {.wanted = 0};
        barrier->n_here++;
        if (!tp_gate_wait(gate, &party, deadline_ns, &status)) {
            barrier->n_here--;
            tp_spin_unlock(&gate->lock);
        }
    }
    if (status == 0 && is_last)
        *is_last = is_complete;
    return status;
}
