/* For scenarios with fibers: nobody asks for all pools. */
#include "runtime/known.h"
#include "runtime/monitor/roll.h"

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
