/* A look at all pools: their numbers, copied. Invariant: nothing in it points into a pool. */
#ifndef TP_LOOK_H
#define TP_LOOK_H

#include "../pool.h"

/* What the tasks of a pool wait for: deadlines and descriptors. Ever, but for the first. */
struct tp_look_waits {
    uint64_t n_linked; /* descriptors that its driver watches */
    uint64_t n_polls, n_vain_polls, n_events;
    uint64_t n_set, n_cleared, n_rung, n_called; /* of all its workers' alarms */
};

struct tp_look_pool {
    char name[48];
    uint64_t number; /* as on the roll */
    bool has_stats, has_fibers;
    struct tp_pool_counts counts;
    struct tp_pool_stats stats; /* all 0 without */
    uint64_t n_accepted, n_over;
    size_t stack_bytes; /* of a task; 0: it has its worker's */
    struct tp_look_waits waits; /* all 0 without fibers */
    size_t first_worker, n_workers;
};

struct tp_look {
    uint64_t now_ns;
    struct tp_look_pool *pools;
    size_t n_pools;
    struct tp_worker_info *workers; /* of all pools, one after the other */
    size_t n_workers;
};

/* tp_look_take: look at all pools.
 * Returns 0 or TP_ENOMEM, with nothing allocated.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_look_take(struct tp_look *look);

/* tp_look_free: the end of it. All 0 is allowed.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_look_free(struct tp_look *look);

/* tp__resident_bytes: memory of the process that is there now, 0 if the system does not tell.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
uint64_t tp__resident_bytes(void);

#endif
