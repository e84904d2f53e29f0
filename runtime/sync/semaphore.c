/* Semaphores. docs/sync.md.
 * Invariant, whenever the lock is free: the first in the line wants more than is free. So whoever leaves the front serves those behind. */
#include "semaphore.h"

#include "../base/assert.h"
#include "../base/status.h"

void tp_semaphore_init(struct tp_semaphore *semaphore, uint64_t n)
{
    semaphore->n_free = n;
    tp_gate_init(&semaphore->gate);
}

void tp_semaphore_end(struct tp_semaphore *semaphore)
{
    tp_gate_end(&semaphore->gate);
}

/* The first in the line, if there is enough for it. */
static struct tp_party *first_content(const struct tp_semaphore *semaphore)
{
    struct tp_party *first = tp_line_first(&semaphore->gate.line);
    return first && first->wanted <= semaphore->n_free ? first : NULL;
}

/* Serves those for whom there is enough. The lock is held, and given up. */
static void serve(struct tp_semaphore *semaphore)
{
    struct tp_calls calls;
    calls.n = 0;
    struct tp_party *party;
    do
        while (!tp_calls_are_full(&calls) && (party = first_content(semaphore))) {
            semaphore->n_free -= party->wanted;
            tp_line_leave(&semaphore->gate.line, party);
            calls.calls[calls.n++] = tp_party_let_go(party, 0);
        }
    while (!tp_calls_make(&calls, &semaphore->gate.line, &semaphore->gate.lock, !first_content(semaphore)));
}

int tp_semaphore_acquire(struct tp_semaphore *semaphore, uint64_t n, uint64_t deadline_ns)
{
    int status = 0;
    tp_spin_lock(&semaphore->gate.lock);
    if (!semaphore->gate.line.first && n <= semaphore->n_free) {
        semaphore->n_free -= n;
        tp_spin_unlock(&semaphore->gate.lock);
    } else if (deadline_ns == 0) {
        tp_spin_unlock(&semaphore->gate.lock);
        status = TP_ETIMEDOUT;
    } else {
        struct tp_party party = {.wanted = n};
        if (!tp_gate_wait(&semaphore->gate, &party, deadline_ns, &status))
            serve(semaphore);
    }
    return status;
}

void tp_semaphore_release(struct tp_semaphore *semaphore, uint64_t n)
{
    tp_spin_lock(&semaphore->gate.lock);
    tp_assert(semaphore->n_free + n >= n);
    semaphore->n_free += n;
    serve(semaphore);
}

uint64_t tp_semaphore_count(struct tp_semaphore *semaphore)
{
    tp_spin_lock(&semaphore->gate.lock);
    uint64_t n = semaphore->n_free;
    tp_spin_unlock(&semaphore->gate.lock);
    return n;
}
