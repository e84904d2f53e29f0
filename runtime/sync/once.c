/* Something that is done once. docs/sync.md.
 * Invariant: while it is RUNNING one call runs it, or was just told to; the others are in the line. */
#include "once.h"

#include "../base/assert.h"
#include "../base/status.h"
#include "../task.h"

enum { NEW,
    RUNNING,
    DONE };

enum { NEXT = 1 }; /* the status of one who is told to run it */

void tp_once_init(struct tp_once *once)
{
    tp_atomic_init(&once->state, NEW);
    tp_gate_init(&once->gate);
}

void tp_once_end(struct tp_once *once)
{
    tp_assert(tp_load_rlx(&once->state) != RUNNING); /* relaxed: the caller knows that nobody does */
    tp_gate_end(&once->gate);
}

/* One run. */
struct call {
    struct tp_once *once;
    int status;
};

/* It has ended, or panicked. */
static void finish(void *argument)
{
    const struct call *call = argument;
    struct tp_once *once = call->once;
    struct tp_gate *gate = &once->gate;
    tp_spin_lock(&gate->lock);
    if (call->status >= 0) {
        tp_store_rel(&once->state, DONE); /* pairs with the acquire in tp_once_call */
        tp_line_dismiss(&gate->line, NULL, &gate->lock, 0);
        return;
    }
    struct tp_calls calls;
    calls.n = 0;
    struct tp_party *next = tp_line_take(&gate->line);
    if (next)
        calls.calls[calls.n++] = tp_party_let_go(next, NEXT);
    else
        tp_store_rlx(&once->state, NEW); /* relaxed: the lock publishes it */
    tp_calls_make(&calls, &gate->line, &gate->lock, true);
}

/* Returns 0: it is done; NEXT: the caller runs it; or why it did not wait for it. */
static int await(struct tp_once *once, uint64_t deadline_ns)
{
    struct tp_gate *gate = &once->gate;
    struct tp_party party = {.wanted = 0};
    int status = 0;
    tp_spin_lock(&gate->lock);
    uint32_t state = tp_load_rlx(&once->state); /* relaxed: written under the lock */
    if (state == RUNNING && deadline_ns != 0) {
        if (tp_gate_wait(gate, &party, deadline_ns, &status))
            return status;
    } else if (state == RUNNING) {
        status = TP_ETIMEDOUT;
    } else if (state == NEW) {
        tp_store_rlx(&once->state, RUNNING); /* relaxed: the lock publishes it */
        status = NEXT;
    }
    tp_spin_unlock(&gate->lock);
    return status;
}

int tp_once_call(struct tp_once *once, int (*run)(void *argument), void *argument, uint64_t deadline_ns)
{
    if (tp_load_acq(&once->state) == DONE) /* pairs with the release in finish */
        return 0;
    int status = await(once, deadline_ns);
    if (status != NEXT)
        return status;
    struct call call = {once, -1};
    TP_DEFER(finish, &call);
    call.status = run(argument);
    return call.status < 0 ? call.status : 0;
}
