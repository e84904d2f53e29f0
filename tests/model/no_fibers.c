/* For scenarios without coroutines: every waiter is a thread. */
#include "model.h"

#include "runtime/fibers.h"

struct tp_fiber *tp_fiber_self(void)
{
    return NULL;
}

int tp_fiber_sleep(struct tp_fiber *fiber, uint64_t deadline_ns)
{
    (void)deadline_ns;
    model_check(fiber != NULL && false);
    return 0;
}

void tp__fiber_hold(struct tp_fiber *fiber)
{
    model_check(fiber != NULL && false);
}

void tp__fiber_call(struct tp_fiber *fiber, uint64_t generation)
{
    (void)generation;
    model_check(fiber != NULL && false);
}

void tp_fiber_wake(struct tp_fiber *fiber, uint64_t generation)
{
    (void)generation;
    model_check(fiber != NULL && false);
}
