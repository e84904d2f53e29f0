/* For tests of things that threads wait for: threads that do one thing each, started one after the other when the one before waits. */
#ifndef ACTORS_H
#define ACTORS_H

#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/sync/line.h"

#include <sched.h>
#include <stdlib.h>

/* For threads of a test, which must not jump out. */
static inline void must(bool holds)
{
    if (!holds)
        abort();
}

struct actor {
    int (*act)(void *thing, struct actor *actor); /* what it returns is its status */
    void *thing;
    uint64_t wanted, deadline_ns;
    int value, status;
    tp_atomic(uint32_t) is_over;
};

static inline void *actor_run(void *argument)
{
    struct actor *actor = argument;
    actor->status = actor->act(actor->thing, actor);
    tp_store_rel(&actor->is_over, 1); /* pairs with the acquire in actor_is_over */
    return NULL;
}

static inline bool actor_is_over(struct actor *actor)
{
    return tp_load_acq(&actor->is_over) != 0; /* pairs with the release in actor_run */
}

static inline unsigned line_length(struct tp_gate *gate)
{
    unsigned n = 0;
    tp_spin_lock(&gate->lock);
    for (struct tp_waiter *waiter = gate->line.first; waiter; waiter = waiter->next)
        n++;
    tp_spin_unlock(&gate->lock);
    return n;
}

static inline void await_line(struct tp_gate *gate, unsigned n)
{
    while (line_length(gate) != n)
        sched_yield();
}

/* Starts one that will wait in the line. */
static inline void actor_start(struct crowd *crowd, struct tp_gate *gate, struct actor *actor)
{
    unsigned n = line_length(gate);
    crowd_add(crowd, actor_run, actor);
    await_line(gate, n + 1);
}

static inline void actor_await(struct actor *actor, int status)
{
    while (!actor_is_over(actor))
        sched_yield();
    assert_int_equal(actor->status, status);
}

#endif
