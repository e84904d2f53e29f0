/* The records and coroutines of a life-cycle pool, and its numbers. docs/life-cycle.md.
 * Invariant: a record is in the idle list, in the bare list, in one hand, or with the one caller who took it out of these, until
 * tp_drive_retire gives it to the one caller who puts it back. */
#include "copool_parts.h"

#include "stack.h"

#include <stdlib.h>
#include <string.h>

static void list_push(struct tp_pooled_list *list, struct tp_pooled *pooled)
{
    pooled->prev = NULL;
    pooled->next = list->first;
    if (list->first)
        list->first->prev = pooled;
    else
        list->last = pooled;
    list->first = pooled;
}

static struct tp_pooled *list_take(struct tp_pooled_list *list, struct tp_pooled *pooled)
{
    if (!pooled)
        return NULL;
    if (pooled->prev)
        pooled->prev->next = pooled->next;
    else
        list->first = pooled->next;
    if (pooled->next)
        pooled->next->prev = pooled->prev;
    else
        list->last = pooled->prev;
    return pooled;
}

int tp__pooled_make(struct tp_pooled *pooled)
{
    const struct tp_copool_settings *settings = &pooled->pool->settings;
    struct tp_co_options options = {.stack_bytes = settings->stack_bytes, .name = settings->name, .fp_environment = settings->fp_environment};
    return tp_co_new(&pooled->co, tp__pooled_run, pooled, &options);
}

/* -- records ---------------------------------------------------------------------------------------- */

/* Makes new bare records. Returns false for want of memory. */
static bool add_chunk(struct tp_copool *pool)
{
    struct tp_pooled_chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return false;
    for (int i = 0; i < TP__COPOOL_CHUNK; i++)
        chunk->records[i].pool = pool;
    tp_spin_lock(&pool->lock);
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    for (int i = TP__COPOOL_CHUNK - 1; i >= 0; i--)
        list_push(&pool->bare, &chunk->records[i]);
    tp_spin_unlock(&pool->lock);
    return true;
}

/* As tp__copool_take; TP_ENOMEM: there is none, but add_chunk may help. */
static int take_listed(struct tp_copool *pool, struct tp_pooled **out)
{
    struct tp_copool_stats *stats = &pool->stats;
    int status = 0;
    tp_spin_lock(&pool->lock);
    if (pool->settings.max != 0 && stats->n_live >= pool->settings.max) {
        status = TP_EFULL;
    } else if ((*out = list_take(&pool->idle, pool->idle.first)) != NULL) {
        stats->n_idle--;
        stats->n_hits++;
    } else if ((*out = list_take(&pool->bare, pool->bare.first)) == NULL) {
        status = TP_ENOMEM;
    }
    if (status == 0) {
        stats->n_acquired++;
        stats->n_live++;
        if (stats->n_live > stats->most_live)
            stats->most_live = stats->n_live;
        if (stats->n_live > pool->peak)
            pool->peak = stats->n_live;
    }
    tp_spin_unlock(&pool->lock);
    return status;
}

/* Gives back the stack of a record that only the caller has. */
static void strip(struct tp_pooled *pooled)
{
    int status = tp_co_free(pooled->co);
    tp_assert(status == 0);
    (void)status;
    pooled->co = NULL;
}

int tp__copool_take(struct tp_copool *pool, struct tp_pooled **out)
{
    int status;
    while ((status = take_listed(pool, out)) == TP_ENOMEM)
        if (!add_chunk(pool))
            break;
    return status;
}

/* Its life is over, and it counts as idle or bare from here on. The lock is held, and let go: the last look at the pool, which may be
 * closed at once by who has waited for that. */
static void put_listed(struct tp_pooled_list *list, struct tp_pooled *pooled)
{
    struct tp_copool *pool = pooled->pool;
    pool->stats.n_live--;
    list_push(list, pooled);
    tp_spin_unlock(&pool->lock);
}

void tp__copool_put(struct tp_pooled *pooled, enum tp_cycle_state end)
{
    struct tp_copool *pool = pooled->pool;
    struct tp_copool_stats *stats = &pool->stats;
    uint32_t idle_max = pool->settings.idle_max;
    tp_spin_lock(&pool->lock);
    if (end == TP_CYCLE_FREE) {
        stats->n_acquired--;
        put_listed(&pool->bare, pooled);
        return;
    }
    stats->n_released++;
    stats->n_failed += end == TP_CYCLE_FAILED;
    stats->n_cancelled += end == TP_CYCLE_CANCELLED;
    if (idle_max == 0 || stats->n_idle < idle_max) {
        stats->n_idle++;
        put_listed(&pool->idle, pooled);
        return;
    }
    stats->n_freed++;
    tp_spin_unlock(&pool->lock);
    strip(pooled); /* it is live until that is done, so nobody closes meanwhile */
    tp_spin_lock(&pool->lock);
    put_listed(&pool->bare, pooled);
}

/* -- the pool --------------------------------------------------------------------------------------- */

int tp_copool_open(struct tp_copool **out, const struct tp_copool_settings *settings)
{
    struct tp_copool *pool = aligned_alloc(TP_CACHE_LINE_BYTES, sizeof *pool);
    if (!pool)
        return TP_ENOMEM;
    memset(pool, 0, sizeof *pool); /* hands, too: nothing in them */
    tp_spin_init(&pool->lock);
    tp_atomic_init(&pool->n_stale, 0);
    if (settings)
        pool->settings = *settings;
    pool->has_hands = pool->settings.max == 0 && pool->settings.idle_max == 0;
    if (!pool->settings.name)
        pool->settings.name = "coroutines";
    if (pool->settings.stack_bytes == 0)
        pool->settings.stack_bytes = TP_CO_STACK_BYTES;
    int status = pool->settings.stack_bytes > TP_STACK_MOST_BYTES || (pool->settings.max != 0 && pool->settings.min > pool->settings.max) ? TP_EINVAL : 0;
    while (status == 0 && pool->stats.n_idle < pool->settings.min) {
        struct tp_pooled *pooled = list_take(&pool->bare, pool->bare.first); /* nobody else has the pool yet */
        if (!pooled) {
            status = add_chunk(pool) ? 0 : TP_ENOMEM;
            continue;
        }
        status = tp__pooled_make(pooled);
        list_push(status == 0 ? &pool->idle : &pool->bare, pooled);
        pool->stats.n_idle += status == 0;
    }
    if (status != 0) {
        tp_copool_close(pool);
        return status;
    }
    *out = pool;
    return 0;
}

int tp_copool_close(struct tp_copool *pool)
{
    if (!pool)
        return 0;
    struct tp_copool_stats stats;
    tp_copool_get_stats(pool, &stats);
    if (stats.n_live > 0)
        return TP_EBUSY;
    while (pool->idle.first)
        strip(list_take(&pool->idle, pool->idle.first));
    for (unsigned i = 0; i < TP_SEATS; i++)
        if (tp_load_rlx(&pool->hands[i].pooled)) /* relaxed: seen by the sum */
            strip(tp_load_rlx(&pool->hands[i].pooled));
    while (pool->chunks) {
        struct tp_pooled_chunk *next = pool->chunks->next;
        free(pool->chunks);
        pool->chunks = next;
    }
    free(pool);
    return 0;
}

/* As many idle ones as the last peaks would need, and what was asked for. The lock is held. */
static uint32_t idle_aim(const struct tp_copool *pool)
{
    uint32_t peak = pool->peak > pool->last_peak ? pool->peak : pool->last_peak;
    if (peak < pool->settings.min)
        peak = pool->settings.min;
    return peak > pool->stats.n_live ? peak - pool->stats.n_live : 0;
}

uint32_t tp_copool_tend(struct tp_copool *pool)
{
    uint32_t n_freed = 0;
    struct tp_hand *hand = tp__copool_hand(pool);
    struct tp_pooled *at_hand = hand ? tp_load_rlx(&hand->pooled) : NULL; /* relaxed, here and below: the caller's own */
    tp_spin_lock(&pool->lock);
    if (at_hand) {
        tp_store_rlx(&hand->pooled, NULL); /* relaxed: see above */
        pool->stats.n_live--;
        pool->stats.n_idle++;
        list_push(&pool->idle, at_hand);
    }
    uint32_t aim = idle_aim(pool);
    uint32_t n = pool->stats.n_idle > aim ? (pool->stats.n_idle - aim + 1) / 2 : 0;
    pool->last_peak = pool->peak;
    pool->peak = pool->stats.n_live;
    tp_spin_unlock(&pool->lock);
    for (; n_freed < n; n_freed++) { /* one at a time: the lock is not held over a system call */
        tp_spin_lock(&pool->lock);
        struct tp_pooled *pooled = list_take(&pool->idle, pool->idle.last);
        if (pooled) {
            pool->stats.n_idle--;
            pool->stats.n_freed++;
        }
        tp_spin_unlock(&pool->lock);
        if (!pooled)
            break;
        strip(pooled);
        tp_spin_lock(&pool->lock);
        list_push(&pool->bare, pooled);
        tp_spin_unlock(&pool->lock);
    }
    return n_freed;
}

/* What was done without the lock, and what is at hand. */
static void sum_hands(struct tp_copool *pool, struct tp_copool_stats *out)
{
    for (unsigned i = 0; i < TP_SEATS; i++) {
        struct tp_hand *hand = &pool->hands[i];
        uint32_t is_full = tp_load_acq(&hand->pooled) != NULL; /* pairs with the release in tp__hand_put */
        /* Relaxed: numbers, exact when nothing happens meanwhile. */
        uint64_t n_hits = tp_load_rlx(&hand->n_hits);
        out->n_acquired += n_hits;
        out->n_hits += n_hits;
        /* Relaxed: as above. */
        out->n_released += tp_load_rlx(&hand->n_released);
        out->n_failed += tp_load_rlx(&hand->n_failed);
        out->n_cancelled += tp_load_rlx(&hand->n_cancelled);
        out->n_live -= is_full;
        out->n_idle += is_full;
        out->n_idle_aim += is_full;
    }
}

void tp_copool_get_stats(struct tp_copool *pool, struct tp_copool_stats *out)
{
    tp_spin_lock(&pool->lock);
    *out = pool->stats;
    out->n_idle_aim = idle_aim(pool);
    sum_hands(pool, out);
    tp_spin_unlock(&pool->lock);
    out->saved_bytes = out->n_hits * pool->settings.stack_bytes;
    out->n_stale = tp_load_rlx(&pool->n_stale); /* relaxed: a number for those who count */
}

void tp_copool_get_settings(struct tp_copool *pool, struct tp_copool_settings *out)
{
    *out = pool->settings;
}
