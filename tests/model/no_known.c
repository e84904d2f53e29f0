/* For scenarios with fibers: nobody asks for all pools, and there are no timers. */
#include "model.h"

#include "runtime/known.h"
#include "runtime/monitor/roll.h"
#include "runtime/timer_parts.h"

void tp__known_add(struct tp_fibers *fibers)
{
    (void)fibers;
}

void tp__known_remove(struct tp_fibers *fibers)
{
    (void)fibers;
}

void tp_roll_add(struct tp_roll_entry *entry, const struct tp_pool_ops *ops, void *pool, struct tp_fibers *fibers)
{
    (void)entry;
    (void)ops;
    (void)pool;
    (void)fibers;
}

void tp_roll_remove(struct tp_roll_entry *entry)
{
    (void)entry;
}

void tp__timer_call(struct tp_timer *timer, uint64_t now_ns)
{
    (void)now_ns;
    model_check(timer != NULL && false);
}
