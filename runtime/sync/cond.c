/* Conditions. docs/sync.md. */
#include "cond.h"

#include "../base/assert.h"
#include "../clock.h"
#include "../fiber.h"

void tp_cond_init(struct tp_cond *cond)
{
    tp_gate_init(&cond->gate);
}

void tp_cond_end(struct tp_cond *cond)
{
    tp_gate_end(&cond->gate);
}

/* Joins the line before the unlock, so who changes something under the mutex after that finds the caller there. */
static int wait_unlocked(struct tp_cond *cond, struct tp_mutex *mutex, uint64_t deadline_ns)
{
    struct tp_gate *gate = &cond->gate;
    struct tp_party party = {.wanted = 0};
    int status;
    tp_waiter_begin(&party.waiter);
    tp_spin_lock(&gate->lock);
    tp_line_join(&gate->line, &party);
    tp_spin_unlock(&gate->lock);
    tp_mutex_unlock(mutex);
    if (!tp_party_await(&party, &gate->line, &gate->lock, deadline_ns, &gate->patience, &status))
        tp_spin_unlock(&gate->lock);
    return status;
}

int tp_cond_wait(struct tp_cond *cond, struct tp_mutex *mutex, uint64_t deadline_ns)
{
    int status = wait_unlocked(cond, mutex, deadline_ns);
    TP_SHIELD;
    int relocked = tp_mutex_lock(mutex, TP_FOREVER);
    tp_assert(relocked == 0);
    (void)relocked;
    return status;
}

void tp_cond_notify(struct tp_cond *cond, uint64_t n)
{
    struct tp_line *line = &cond->gate.line;
    struct tp_calls calls;
    calls.n = 0;
    struct tp_party *party;
    tp_spin_lock(&cond->gate.lock);
    uint64_t n_joined = line->n_joined; /* who comes later, perhaps again, is not meant */
    bool is_last;
    do {
        while (n > 0 && !tp_calls_are_full(&calls) && (party = tp_line_first(line)) && party->joined < n_joined) {
            tp_line_leave(line, party);
            calls.calls[calls.n++] = tp_party_let_go(party, 0);
            n--;
        }
        is_last = n == 0 || !tp_line_first(line) || tp_line_first(line)->joined >= n_joined;
    } while (!tp_calls_make(&calls, line, &cond->gate.lock, is_last));
}
