/* What the files of the life-cycle pools share: records, hands, the pool. For coro/copool*.c alone. */
#ifndef TP_COPOOL_PARTS_H
#define TP_COPOOL_PARTS_H

#include "copool.h"

#include "../runtime/base/align.h"
#include "../runtime/base/seat.h"
#include "../runtime/base/spin.h"
#include "coro_parts.h"
#include "drive.h"

enum { TP__COPOOL_CHUNK = 63 };

struct tp_pooled {
    struct tp_drive drive;
    struct tp_copool *pool;
    struct tp_co *co;              /* NULL: bare */
    struct tp_pooled *next, *prev; /* idle or bare; guarded by the pool's lock */
    int (*entry)(void *argument);
    void *argument;
    tp_atomic(int) code; /* what entry returned; published by the end of the drive */
};

/* Records are never given back while the pool is there: a late handle still finds its word [DRIVE-3]. */
struct tp_pooled_chunk {
    struct tp_pooled_chunk *next;
    struct tp_pooled records[TP__COPOOL_CHUNK];
};

/* Doubly linked: the last used is taken first, the longest idle given back first. */
struct tp_pooled_list {
    struct tp_pooled *first, *last;
};

/* What the thread of a seat has at hand: the coroutine that it gave back last, and what it did without the lock. */
struct tp_hand {
    tp_line_aligned tp_atomic(struct tp_pooled *) pooled; /* NULL: none. Written by its thread; publishes the record to who closes */
    tp_atomic(uint64_t) n_hits, n_released, n_failed, n_cancelled;
};

struct tp_copool {
    struct tp_spin lock; /* guards all that is not said to be atomic */
    bool has_hands;      /* written once: there are no limits that others must keep as well */
    struct tp_pooled_list idle, bare;
    struct tp_pooled_chunk *chunks;
    struct tp_copool_stats stats; /* what was done under the lock; n_live and most_live with those at hand; n_stale apart */
    uint32_t peak, last_peak;     /* of n_live: since the last step of clean-up, and between the two before */
    tp_atomic(uint64_t) n_stale;
    struct tp_copool_settings settings; /* as opened, defaults filled in */
    struct tp_hand hands[TP_SEATS];
};

/* tp__pooled_run: the first function on the stack of a pooled coroutine.
 * [thread: any] [suspends: yes] [blocks: no] [allocates: no] */
void *tp__pooled_run(void *pooled);

/* tp__copool_take: a record for a new life, from the lists.
 * Returns 0, TP_EFULL, or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp__copool_take(struct tp_copool *pool, struct tp_pooled **out);

/* tp__copool_put: a life is over, and its record goes to the lists; `end` is how it ended, FREE if it never began.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__copool_put(struct tp_pooled *pooled, enum tp_cycle_state end);

/* tp__pooled_make: a coroutine for a bare record.
 * Returns 0 or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp__pooled_make(struct tp_pooled *pooled);

/* The caller's hand, or NULL. Good until the next call that may suspend [CORO-2]. */
static inline struct tp_hand *tp__copool_hand(struct tp_copool *pool)
{
    unsigned seat = pool->has_hands ? tp__seat() : TP_SEATS;
    return seat < TP_SEATS ? &pool->hands[seat] : NULL;
}

/* One more, of a number that the caller alone writes and others sum up. Relaxed: it publishes nothing. */
static inline void tp__copool_count(tp_atomic(uint64_t) *n, bool is)
{
    tp_store_rlx(n, tp_load_rlx(n) + is); /* relaxed: see above */
}

/* The coroutine at hand, for a new life; or NULL. */
static inline struct tp_pooled *tp__hand_take(struct tp_hand *hand)
{
    struct tp_pooled *pooled = hand ? tp_load_rlx(&hand->pooled) : NULL; /* relaxed: the caller's own */
    if (pooled) {
        tp__copool_count(&hand->n_hits, true);
        tp_store_rlx(&hand->pooled, NULL); /* relaxed: only who closes looks, and then nobody takes */
    }
    return pooled;
}

/* Keeps the record of a life that is over at hand, if there is room; else false. */
static inline bool tp__hand_put(struct tp_hand *hand, struct tp_pooled *pooled, enum tp_cycle_state end)
{
    if (!hand || tp_load_rlx(&hand->pooled)) /* relaxed: as above */
        return false;
    tp__copool_count(&hand->n_released, true);
    if (end != TP_CYCLE_DONE) {
        tp__copool_count(&hand->n_failed, end == TP_CYCLE_FAILED);
        tp__copool_count(&hand->n_cancelled, end == TP_CYCLE_CANCELLED);
    }
    tp_store_rel(&hand->pooled, pooled); /* the last look at the pool; pairs with the acquire in sum_hands */
    return true;
}

#endif
