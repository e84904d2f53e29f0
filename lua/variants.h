/* The generated pools behind tide.pool as one table of functions each, so that the rest of the
 * binding does not know how many there are. */
#ifndef TIDE_VARIANTS_H
#define TIDE_VARIANTS_H

#include "call.h"

#include "../runtime/pool.h"

/* tide_variant: the pool for these settings.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
const struct tp_pool_ops *tide_variant(bool stealing, bool reject);

/* tide_call_run: run one call on a worker; named in lua/workers.pool.
 * Returns 0, or a negative value if the function failed.
 * [thread: worker] [suspends: no] [blocks: yes] [allocates: yes] */
int tide_call_run(struct tide_call *call);

#endif
