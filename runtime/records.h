/* Where records come from and go to; between track.c and records.c alone. docs/tasks.md has the picture. */
#ifndef TP_RECORDS_H
#define TP_RECORDS_H

#include "track.h"

/* Two powers of two, the chunk's not below the chain's. */
#ifndef TP_TRACK_CHAIN
#define TP_TRACK_CHAIN 64 /* free records that move at a time between a shard and the depot */
#endif
#ifndef TP_TRACK_CHUNK_LOG
#define TP_TRACK_CHUNK_LOG 8 /* of the number of records in the first chunk */
#endif

/* The record of an index below n_records. */
static inline struct tp_record *tp__record_at(const struct tp_track *track, uint32_t index)
{
    uint64_t at = (uint64_t)index + (UINT64_C(1) << TP_TRACK_CHUNK_LOG);
    unsigned log = 63 - (unsigned)__builtin_clzll(at);
    /* Relaxed: never changes, and was published with n_records, or with the id. */
    return tp_load_rlx(&track->chunks[log - TP_TRACK_CHUNK_LOG]) + (at - (UINT64_C(1) << log));
}

/* tp__records_take: n free records, whose words become `word` with the record's generation.
 * As tp_track_begin otherwise.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp__records_take(struct tp_track *track, size_t n, uint64_t word, uint64_t *ids, size_t *n_taken);

/* tp__records_put: a record whose word the caller has just made free is to be used again.
 * generation: the record's next one; 0 means that they are used up, and the record stays out [TASK-6].
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__records_put(struct tp_track *track, uint32_t index, uint32_t generation);

#endif
