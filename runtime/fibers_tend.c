/* Clean-up of fibers: after a burst, those that lie idle lose their coroutines in steps, and stacks go back to the system.
 * Invariant: a step is one worker's, who has moved `step_ns` on; while fibers lie idle beyond what is kept, the last worker that
 * put some there looks before it sleeps, so somebody is awake, or wakes up for the step that is due [FIBER-5]. */
#include "../coro/stack.h"
#include "clock.h"
#include "fibers.h"
#include "known.h"

enum { BATCH = 64 }; /* fibers that lose their coroutines while nobody can report tasks */

bool tp_fibers_is_due(struct tp_fibers *fibers, uint64_t now_ns)
{
    uint64_t due_ns = tp_load_rlx(&fibers->step_ns); /* relaxed: the exchange decides */
    if (due_ns != 0 && now_ns < due_ns)
        return false;
    if (!tp_cas_sc(&fibers->step_ns, &due_ns, now_ns + TP_FIBER_PERIOD_NS)) /* losing: it is another one's */
        return false;
    if (due_ns != 0)
        return true;
    tp_spin_lock(&fibers->lock);                    /* the first period begins */
    fibers->n_least = tp_load_rlx(&fibers->n_idle); /* relaxed: written under the lock */
    tp_spin_unlock(&fibers->lock);
    return false;
}

/* Takes up to n fibers that lie idle, and leaves those that are kept. */
static struct tp_fiber *take_some(struct tp_fibers *fibers, uint32_t n)
{
    struct tp_fiber *taken = NULL;
    tp_spin_lock(&fibers->lock);
    uint32_t n_idle = tp_load_rlx(&fibers->n_idle); /* relaxed: written under the lock */
    for (; n > 0 && n_idle > TP_FIBER_KEEP; n--, n_idle--) {
        struct tp_fiber *fiber = fibers->idle;
        fibers->idle = fiber->next;
        fiber->next = taken;
        taken = fiber;
    }
    tp_store_rlx(&fibers->n_idle, n_idle); /* relaxed: as in take_idle */
    tp_spin_unlock(&fibers->lock);
    return taken;
}

/* They lose their coroutines. A report may have found one of them asleep, and be looking at its stack: hence the lock. */
static void strip(struct tp_fiber *fibers)
{
    tp__known_lock();
    for (struct tp_fiber *fiber = fibers; fiber; fiber = fiber->next) {
        tp_co_free(fiber->co);
        fiber->co = NULL;
    }
    tp__known_unlock();
}

static void add_bare(struct tp_fibers *fibers, struct tp_fiber *bare)
{
    tp_spin_lock(&fibers->lock);
    while (bare) {
        struct tp_fiber *next = bare->next;
        bare->next = fibers->bare;
        fibers->bare = bare;
        bare = next;
    }
    tp_spin_unlock(&fibers->lock);
}

/* Half of what was idle all the time, beyond what is kept. */
static uint32_t surplus(struct tp_fibers *fibers)
{
    tp_spin_lock(&fibers->lock);
    uint32_t n = fibers->n_least > TP_FIBER_KEEP ? fibers->n_least - TP_FIBER_KEEP : 0;
    tp_spin_unlock(&fibers->lock);
    return n - n / 2;
}

/* The next period begins; or there is none if `is_over` and few are idle, unless somebody has taken a step meanwhile. */
static void end_step(struct tp_fibers *fibers, uint64_t next_ns, bool is_over)
{
    tp_spin_lock(&fibers->lock);                    /* who puts more there after this sees that no step is due [FIBER-5] */
    fibers->n_least = tp_load_rlx(&fibers->n_idle); /* relaxed: written under the lock */
    if (is_over && fibers->n_least <= TP_FIBER_KEEP)
        tp_cas_sc(&fibers->step_ns, &next_ns, 0); /* one order with tp_fibers_is_due */
    tp_spin_unlock(&fibers->lock);
}

void tp_fibers_tend(struct tp_fibers *fibers, uint64_t now_ns)
{
    uint32_t n = surplus(fibers);
    bool is_over = n == 0;
    while (n > 0) {
        uint32_t n_now = n < BATCH ? n : BATCH;
        struct tp_fiber *some = take_some(fibers, n_now);
        strip(some);
        add_bare(fibers, some);
        n -= n_now;
    }
    tp_stack_flush(); /* out of this thread's cache, in which they would stay while it sleeps */
    if (tp_stack_tend(now_ns) > 0)
        is_over = false;
    end_step(fibers, now_ns + TP_FIBER_PERIOD_NS, is_over);
}
