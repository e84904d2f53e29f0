/* What a task can do in a pool whose tasks are coroutines.
 * Invariant: a shield counts in the run, so it works in every kind of task; the life cycle's own is set while the count is not 0. */
#include "fiber.h"

#include "base/assert.h"
#include "fibers.h"
#include "fork.h"

int tp_yield(void)
{
    struct tp_fiber *fiber = tp_fiber_self();
    int status = tp_task_check();
    if (!fiber || status != 0)
        return status;
    tp_forks_publish(); /* the next task of this worker has nothing to do with them [FORK-2] */
    fiber->stop = TP_FIBER_READY;
    tp_co_yield(NULL, NULL);
    return tp_task_check();
}

void tp_shield_begin(void)
{
    struct tp_run *run = tp_run_here(); /* it is left on the same stack, whoever drives that then */
    if (run && run->n_shields++ == 0 && run->fiber)
        tp_cycle_shield(&run->fiber->cycle);
}

void tp_shield_end(void)
{
    struct tp_run *run = tp_run_here();
    if (!run)
        return;
    tp_assert(run->n_shields > 0);
    if (--run->n_shields == 0 && run->fiber)
        tp_cycle_unshield(&run->fiber->cycle);
}
