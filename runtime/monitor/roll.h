/* The roll: all pools of the process that have a table of functions, for those who look at all of them: stock pools, runtimes, and
 * what is generated with `ops = on`.
 * Invariant: while the roll is locked, no pool on it goes. Who locks it reads numbers and copies them; it calls nothing that waits. */
#ifndef TP_ROLL_H
#define TP_ROLL_H

#include <stdint.h>

struct tp_fibers;
struct tp_pool_ops;

/* In the pool. All 0 is on no roll. */
struct tp_roll_entry {
    const struct tp_pool_ops *ops; /* NULL: not on the roll */
    void *pool;
    struct tp_fibers *fibers;          /* NULL: its tasks are plain */
    uint64_t number;                   /* no other pool of this process has it */
    struct tp_roll_entry *next, *prev; /* in the order in which they came; guarded by the roll's lock */
};

/* tp_roll_add: the pool is open.
 * fibers: of its coroutines; NULL: it has none.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_roll_add(struct tp_roll_entry *entry, const struct tp_pool_ops *ops, void *pool, struct tp_fibers *fibers);

/* tp_roll_remove: it goes; while somebody looks this waits. Nothing happens if it is not on the roll.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_roll_remove(struct tp_roll_entry *entry);

/* tp__roll_lock: nobody comes or goes, up to tp__roll_unlock.
 * Returns the first pool, NULL if there is none.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_roll_entry *tp__roll_lock(void);

/* tp__roll_unlock: the look is over.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__roll_unlock(void);

#endif
