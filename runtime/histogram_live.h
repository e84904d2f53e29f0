/* A histogram that one thread fills while others read it: part of a worker's own lines.
 * Invariant: every count has one writer and only grows, so a reader sees, per bucket, some count between
 * the one at its start and the one at its end. */
#ifndef TP_HISTOGRAM_LIVE_H
#define TP_HISTOGRAM_LIVE_H

#include "base/atomic.h"
#include "histogram.h"

struct tp_histogram_live {
    tp_atomic(uint64_t) counts[TP_HISTOGRAM_BUCKETS]; /* written by the owner, read by anybody */
};

/* Makes it empty, before another thread can see it; zeroed memory is empty already. */
static inline void tp_histogram_live_init(struct tp_histogram_live *live)
{
    for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
        tp_atomic_init(&live->counts[i], 0);
}

/* Makes it empty again. By the owner only. Relaxed: as below. */
static inline void tp_histogram_live_clear(struct tp_histogram_live *live)
{
    for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
        tp_store_rlx(&live->counts[i], 0);
}

/* Records a value `weight` times: for every n-th of all, n. By the owner only.
 * Relaxed: one writer, and a count publishes nothing. */
static inline void tp_histogram_add(struct tp_histogram_live *live, uint64_t value, uint64_t weight)
{
    tp_atomic(uint64_t) *count = &live->counts[tp_histogram_bucket(value)];
    tp_store_rlx(count, tp_load_rlx(count) + weight);
}

/* tp_histogram_read: adds what is recorded so far into a snapshot.
 * live: anybody's; may be written meanwhile. snapshot: the caller's.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_histogram_read(struct tp_histogram_live *live, struct tp_histogram *snapshot);

#endif
