/* Free records: shards for the threads, a depot between them, chunks from the system.
 *
 * A submitter takes records and a worker puts them back, so they flow: a shard keeps two chains, and whole chains go
 * through the depot (the magazines of Bonwick and Adams, "Magazines and Vmem", USENIX 2001).
 * Invariant: a free record is in one chain of one shard or of the depot, or its generations are used up. */
#include "records.h"

#include "base/status.h"
#include "cpu.h"
#include "worker.h"

#include <stdlib.h>

enum { CHAIN = TP_TRACK_CHAIN,
    SHARDS_MAX = 64 };
static const uint64_t FIRST_CHUNK = UINT64_C(1) << TP_TRACK_CHUNK_LOG;
_Static_assert((CHAIN & (CHAIN - 1)) == 0 && CHAIN <= 1 << TP_TRACK_CHUNK_LOG, "a chain lies in one chunk");

static struct tp_track_shard *my_shard(struct tp_track *track)
{
    return &track->shards[tp_thread_index() & track->shard_mask];
}

/* -- chains: the caller owns them or has their lock ------------------------------------------------ */

static void chain_push(struct tp_track *track, struct tp_chain *chain, uint32_t index)
{
    tp_store_rlx(&tp__record_at(track, index)->next, chain->first); /* relaxed, as all here: of who has the chain */
    chain->first = index + 1;
    chain->n++;
}

/* Takes up to n records out of the chain and gives them ids; returns how many. */
static size_t chain_take(struct tp_track *track, struct tp_chain *chain, size_t n, uint64_t word, uint64_t *ids)
{
    size_t n_taken = 0;
    for (; n_taken < n && chain->n > 0; n_taken++) {
        uint32_t number = chain->first;
        struct tp_record *record = tp__record_at(track, number - 1);
        /* Relaxed: a free record's word is its owner's; the id's way to others publishes it. */
        uint64_t generation = tp_load_rlx(&record->word);
        ids[n_taken] = generation | number;
        chain->first = tp_load_rlx(&record->next); /* relaxed: see above */
        chain->n--;
        tp_store_rlx(&record->word, generation | word); /* relaxed: see above */
    }
    return n_taken;
}

/* -- the depot ------------------------------------------------------------------------------------- */

static void depot_put(struct tp_track *track, struct tp_chain chain)
{
    tp_spin_lock(&track->depot_lock);
    tp__record_at(track, chain.first - 1)->next_chain = track->depot;
    track->depot = chain.first;
    tp_spin_unlock(&track->depot_lock);
}

/* A chain out of records that have never been used; their chunk is there and the lock is held. */
static struct tp_chain depot_carve(struct tp_track *track, uint32_t first)
{
    struct tp_chain chain = {.n = 0};
    for (uint32_t index = first + CHAIN; index-- > first;) {
        tp_atomic_init(&tp__record_at(track, index)->word, (uint64_t)track->first_generation << 32);
        chain_push(track, &chain, index);
    }
    /* Release: pairs with the acquire in find and tp_track_list. */
    tp_store_rel(&track->n_records, first + CHAIN);
    return chain;
}

/* A chunk for the records from `first` on, unless another thread was faster. */
static int add_chunk(struct tp_track *track, unsigned which)
{
    struct tp_record *chunk = malloc((FIRST_CHUNK << which) * sizeof *chunk);
    if (!chunk)
        return TP_ENOMEM;
    tp_spin_lock(&track->depot_lock);
    /* Relaxed: written under this lock; readers come by n_records or by an id. */
    bool late = tp_load_rlx(&track->chunks[which]) != NULL;
    if (!late)
        tp_store_rlx(&track->chunks[which], chunk); /* relaxed: see above */
    tp_spin_unlock(&track->depot_lock);
    if (late)
        free(chunk);
    return 0;
}

/* A full chain: one that was used before, unless `fresh`, or a new one. */
static int depot_take(struct tp_track *track, bool fresh, struct tp_chain *out)
{
    for (;;) {
        int status = 0;
        unsigned which = 0;
        out->n = 0;
        tp_spin_lock(&track->depot_lock);
        if (track->depot != 0 && !fresh) {
            *out = (struct tp_chain){.first = track->depot, .n = CHAIN};
            track->depot = tp__record_at(track, track->depot - 1)->next_chain;
        } else {
            /* Relaxed: both are written under this lock. */
            uint32_t first = tp_load_rlx(&track->n_records);
            which = 63 - (unsigned)__builtin_clzll(first + FIRST_CHUNK) - TP_TRACK_CHUNK_LOG;
            if (which >= TP_TRACK_CHUNKS)
                status = TP_ENOMEM;
            else if (tp_load_rlx(&track->chunks[which]))
                *out = depot_carve(track, first);
        }
        tp_spin_unlock(&track->depot_lock);
        if (out->n > 0)
            return 0;
        if (status == 0)
            status = add_chunk(track, which);
        if (status != 0)
            return status;
    }
}

/* -- the shards ------------------------------------------------------------------------------------ */

static size_t shard_take(struct tp_track *track, size_t n, uint64_t word, uint64_t *ids)
{
    struct tp_track_shard *shard = my_shard(track);
    tp_spin_lock(&shard->lock);
    size_t n_taken = chain_take(track, &shard->loaded, n, word, ids);
    if (n_taken < n && shard->spare.n > 0) {
        shard->loaded = shard->spare;
        shard->spare = (struct tp_chain){.n = 0};
        n_taken += chain_take(track, &shard->loaded, n - n_taken, word, ids + n_taken);
    }
    tp_spin_unlock(&shard->lock);
    return n_taken;
}

/* Puts the records of a chain into the shard; what is too much goes to the depot. */
static void shard_put(struct tp_track *track, struct tp_chain chain)
{
    struct tp_track_shard *shard = my_shard(track);
    while (chain.n > 0) {
        struct tp_chain surplus = {.n = 0};
        tp_spin_lock(&shard->lock);
        if (shard->loaded.n == CHAIN) {
            surplus = shard->spare;
            shard->spare = shard->loaded;
            shard->loaded = (struct tp_chain){.n = 0};
        }
        if (shard->loaded.n == 0) {
            shard->loaded = chain;
            chain.n = 0;
        }
        for (; chain.n > 0 && shard->loaded.n < CHAIN; chain.n--) {
            uint32_t index = chain.first - 1;
            chain.first = tp_load_rlx(&tp__record_at(track, index)->next); /* relaxed: see above */
            chain_push(track, &shard->loaded, index);
        }
        tp_spin_unlock(&shard->lock);
        if (surplus.n > 0)
            depot_put(track, surplus);
    }
}

int tp__records_take(struct tp_track *track, size_t n, uint64_t word, uint64_t *ids, size_t *n_taken)
{
    size_t n_done = shard_take(track, n, word, ids);
    int status = 0;
    while (n_done < n && status == 0) {
        struct tp_chain chain;
        status = depot_take(track, false, &chain);
        if (status == 0) {
            n_done += chain_take(track, &chain, n - n_done, word, ids + n_done);
            shard_put(track, chain);
        }
    }
    *n_taken = n_done;
    return status;
}

void tp__records_put(struct tp_track *track, uint32_t index, uint32_t generation)
{
    if (generation == 0)
        return;
    struct tp_track_shard *shard = my_shard(track);
    tp_spin_lock(&shard->lock);
    bool fits = shard->loaded.n < CHAIN;
    if (fits)
        chain_push(track, &shard->loaded, index);
    tp_spin_unlock(&shard->lock);
    if (!fits) {
        struct tp_chain chain = {.n = 0};
        chain_push(track, &chain, index);
        shard_put(track, chain);
    }
}

/* -- the whole ------------------------------------------------------------------------------------- */

static unsigned shards_for(unsigned n_cpus)
{
    unsigned n = 1;
    while (n < n_cpus && n < SHARDS_MAX)
        n *= 2;
    return n;
}

static int preallocate(struct tp_track *track, uint64_t n)
{
    if (n > FIRST_CHUNK << TP_TRACK_CHUNKS) /* before the machine is out of memory */
        return TP_ENOMEM;
    for (uint64_t n_there = 0; n_there < n; n_there += CHAIN) {
        struct tp_chain chain;
        int status = depot_take(track, true, &chain);
        if (status != 0)
            return status;
        depot_put(track, chain);
    }
    return 0;
}

int tp_track_init(struct tp_track *track, uint64_t n_prealloc)
{
    unsigned n_shards = shards_for(tp_cpu_count());
    *track = (struct tp_track){.shard_mask = n_shards - 1};
    track->shards = aligned_alloc(TP_CACHE_LINE_BYTES, n_shards * sizeof *track->shards);
    if (!track->shards)
        return TP_ENOMEM;
    for (unsigned i = 0; i < n_shards; i++) {
        track->shards[i] = (struct tp_track_shard){.loaded = {.n = 0}};
        tp_spin_init(&track->shards[i].lock);
    }
    tp_spin_init(&track->depot_lock);
    for (unsigned i = 0; i < TP_TRACK_LISTS; i++)
        tp_waitlist_init(&track->lists[i]);
    int status = preallocate(track, n_prealloc);
    if (status != 0)
        tp_track_free(track);
    return status;
}

void tp_track_free(struct tp_track *track)
{
    for (unsigned i = 0; i < TP_TRACK_CHUNKS; i++)
        free(tp_load_rlx(&track->chunks[i])); /* relaxed: nobody else is there */
    free(track->shards);
    *track = (struct tp_track){.shards = NULL};
}
