/* The generated pools behind tide.pool as one table of functions each, so that the rest of the
 * binding does not know how many there are. */
#ifndef TIDE_VARIANTS_H
#define TIDE_VARIANTS_H

#include "call.h"

/* The counters of any variant; those it does not have stay 0. */
struct tide_pool_stats {
    uint64_t submitted, completed, failed, rejected;
    uint64_t steal_attempts, steals, stolen;
    uint64_t parks, capacity, pending, running;
    uint32_t waiting, parked, workers;
};

/* What a generated pool offers; its header has the contracts. `pool` is the one `open` gave. */
struct tide_pool_ops {
    int (*open)(void **pool, uint32_t workers, uint64_t capacity);
    int (*submit)(void *pool, struct tide_call *call);
    int (*join_all)(void *pool, uint64_t deadline_ns);
    int (*close)(void *pool, uint64_t deadline_ns);
    void (*free)(void *pool);
    void (*stats)(void *pool, struct tide_pool_stats *out);
};

/* tide_variant: the pool for these settings.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
const struct tide_pool_ops *tide_variant(bool stealing, bool reject);

/* tide_call_run: run one call on a worker; named in lua/workers.pool.
 * Returns 0, or a negative value if the function failed.
 * [thread: worker] [suspends: no] [blocks: yes] [allocates: yes] */
int tide_call_run(struct tide_call *call);

#endif
