/* A life-cycle pool: records, idle coroutines, and the lives they are given. docs/life-cycle.md.
 * Invariant: a record is in the idle list, in the bare list, or with the one caller who took it out under the
 * lock, until tp_cycle_retire gives it to the one caller who puts it back. The word of its cycle decides everything else. */
#include "copool.h"

#include "../runtime/base/assert.h"
#include "../runtime/base/atomic.h"
#include "../runtime/base/spin.h"
#include "coro.h"
#include "cycle.h"
#include "stack.h"

#include <stdlib.h>

enum { CHUNK = 63 };

struct tp_pooled {
    struct tp_cycle cycle;
    struct tp_copool *pool;
    struct tp_co *co;              /* NULL: bare */
    struct tp_pooled *next, *prev; /* idle or bare; guarded by the pool's lock */
    int (*entry)(void *argument);
    void *argument;
    tp_atomic(int) code; /* what entry returned; published by the end of the cycle */
};

/* Records are never given back while the pool is there: a late handle still finds its word [CYCLE-5]. */
struct chunk {
    struct chunk *next;
    struct tp_pooled records[CHUNK];
};

/* Doubly linked: the last used is taken first, the longest idle given back first. */
struct list {
    struct tp_pooled *first, *last;
};

struct tp_copool {
    struct tp_spin lock; /* guards all that is not said to be atomic */
    struct list idle, bare;
    struct chunk *chunks;
    struct tp_copool_stats stats; /* n_stale apart */
    uint32_t peak, last_peak;     /* acquired at once: since the last step of clean-up, and between the two before */
    tp_atomic(uint64_t) n_stale;
    struct tp_copool_settings settings; /* as opened, defaults filled in */
};

static void list_push(struct list *list, struct tp_pooled *pooled)
{
    pooled->prev = NULL;
    pooled->next = list->first;
    if (list->first)
        list->first->prev = pooled;
    else
        list->last = pooled;
    list->first = pooled;
}

static struct tp_pooled *list_take(struct list *list, struct tp_pooled *pooled)
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

/* The first function on the coroutine's stack. */
static void *begin(void *argument)
{
    struct tp_pooled *pooled = argument;
    int (*call)(int (*entry)(void *argument), void *argument) = pooled->pool->settings.call;
    int code = call ? call(pooled->entry, pooled->argument) : pooled->entry(pooled->argument);
    tp_store_rlx(&pooled->code, code); /* relaxed: tp_cycle_end publishes it */
    return NULL;
}

static int make(struct tp_pooled *pooled)
{
    const struct tp_copool_settings *settings = &pooled->pool->settings;
    struct tp_co_options options = {.stack_bytes = settings->stack_bytes, .name = settings->name, .fp_environment = settings->fp_environment};
    return tp_co_new(&pooled->co, begin, pooled, &options);
}

/* -- records ---------------------------------------------------------------------------------------- */

/* Makes new bare records. Returns false for want of memory. */
static bool add_chunk(struct tp_copool *pool)
{
    struct chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return false;
    for (int i = 0; i < CHUNK; i++)
        chunk->records[i].pool = pool;
    tp_spin_lock(&pool->lock);
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    for (int i = CHUNK - 1; i >= 0; i--)
        list_push(&pool->bare, &chunk->records[i]);
    tp_spin_unlock(&pool->lock);
    return true;
}

/* A record for a new life. Returns 0, TP_EFULL, or TP_ENOMEM: there is none, but add_chunk may help. */
static int take(struct tp_copool *pool, struct tp_pooled **out)
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

/* A life is over; `end` is how, FREE if it never began. */
static void put(struct tp_pooled *pooled, enum tp_cycle_state end)
{
    struct tp_copool *pool = pooled->pool;
    struct tp_copool_stats *stats = &pool->stats;
    uint32_t idle_max = pool->settings.idle_max;
    tp_spin_lock(&pool->lock);
    stats->n_live--;
    if (end == TP_CYCLE_FREE) {
        stats->n_acquired--;
        list_push(&pool->bare, pooled);
        pooled = NULL;
    } else {
        stats->n_released++;
        stats->n_failed += end == TP_CYCLE_FAILED;
        stats->n_cancelled += end == TP_CYCLE_CANCELLED;
        if (idle_max == 0 || stats->n_idle < idle_max) {
            stats->n_idle++;
            list_push(&pool->idle, pooled);
            pooled = NULL;
        } else {
            stats->n_freed++;
        }
    }
    tp_spin_unlock(&pool->lock);
    if (!pooled)
        return;
    strip(pooled);
    tp_spin_lock(&pool->lock);
    list_push(&pool->bare, pooled);
    tp_spin_unlock(&pool->lock);
}

/* -- the pool --------------------------------------------------------------------------------------- */

int tp_copool_open(struct tp_copool **out, const struct tp_copool_settings *settings)
{
    struct tp_copool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return TP_ENOMEM;
    tp_spin_init(&pool->lock);
    tp_atomic_init(&pool->n_stale, 0);
    if (settings)
        pool->settings = *settings;
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
        status = make(pooled);
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
    tp_spin_lock(&pool->lock);
    bool is_busy = pool->stats.n_live > 0;
    tp_spin_unlock(&pool->lock);
    if (is_busy)
        return TP_EBUSY;
    while (pool->idle.first)
        strip(list_take(&pool->idle, pool->idle.first));
    while (pool->chunks) {
        struct chunk *next = pool->chunks->next;
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
    tp_spin_lock(&pool->lock);
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

void tp_copool_get_stats(struct tp_copool *pool, struct tp_copool_stats *out)
{
    tp_spin_lock(&pool->lock);
    *out = pool->stats;
    out->n_idle_aim = idle_aim(pool);
    tp_spin_unlock(&pool->lock);
    out->saved_bytes = out->n_hits * pool->settings.stack_bytes;
    out->n_stale = tp_load_rlx(&pool->n_stale); /* relaxed: a number for those who count */
}

void tp_copool_get_settings(struct tp_copool *pool, struct tp_copool_settings *out)
{
    *out = pool->settings;
}

/* -- lives ------------------------------------------------------------------------------------------ */

int tp_copool_acquire(struct tp_copool *pool, int (*entry)(void *argument), void *argument, struct tp_co_handle *handle)
{
    struct tp_pooled *pooled;
    if (!pool || !entry)
        return TP_EINVAL;
    int status;
    while ((status = take(pool, &pooled)) == TP_ENOMEM)
        if (!add_chunk(pool))
            return TP_ENOMEM;
    if (status != 0)
        return status;
    status = pooled->co ? tp_co_reset(pooled->co, begin, pooled) : make(pooled);
    if (status != 0) {
        put(pooled, TP_CYCLE_FREE);
        return status;
    }
    pooled->entry = entry;
    pooled->argument = argument;
    handle->at = pooled;
    handle->generation = tp_cycle_begin(&pooled->cycle, TP_CYCLE_SUSPENDED);
    return 0;
}

/* The life is over, or was never there. */
static int stale(struct tp_co_handle handle)
{
    if (handle.at)
        tp_add_rlx(&handle.at->pool->n_stale, 1); /* relaxed: a number for those who count */
    return TP_ESTALE;
}

/* The function has returned: how did that life end? */
static enum tp_cycle_state end_of(struct tp_pooled *pooled)
{
    int code = tp_load_rlx(&pooled->code); /* relaxed: written on this thread */
    if (code == TP_ECANCELED && tp_cycle_is_asked(&pooled->cycle))
        return TP_CYCLE_CANCELLED;
    return code < 0 ? TP_CYCLE_FAILED : TP_CYCLE_DONE;
}

/* Runs it until it yields or ends; the caller has made it RUNNING. */
static void run(struct tp_pooled *pooled, void *in, void **out)
{
    int status = tp_co_resume(pooled->co, in, out);
    tp_assert(status == 0);
    (void)status;
    if (tp_co_state(pooled->co) == TP_CO_DONE)
        tp_cycle_end(&pooled->cycle, end_of(pooled));
    else
        tp_cycle_pause(&pooled->cycle);
}

int tp_pooled_resume(struct tp_co_handle handle, void *in, void **out)
{
    enum tp_cycle_outcome outcome = handle.at ? tp_cycle_resume(&handle.at->cycle, handle.generation) : TP_CYCLE_STALE;
    if (outcome == TP_CYCLE_STALE)
        return stale(handle);
    if (outcome == TP_CYCLE_BUSY)
        return tp_cycle_state(tp_cycle_look(&handle.at->cycle)) >= TP_CYCLE_DONE ? TP_EDONE : TP_EBUSY;
    run(handle.at, in, out);
    return 0;
}

struct tp_co_handle tp_pooled_self(void)
{
    struct tp_pooled *pooled = tp_co_argument(tp_co_self(), begin); /* not of another kind of coroutine */
    if (!pooled)
        return (struct tp_co_handle){NULL, 0};
    return (struct tp_co_handle){pooled, tp_cycle_generation(tp_cycle_look(&pooled->cycle))};
}

int tp_pooled_yield(void *out, void **in)
{
    struct tp_pooled *pooled = tp_pooled_self().at;
    if (!pooled)
        return TP_EOUTSIDE;
    if (tp_cycle_is_asked(&pooled->cycle))
        return TP_ECANCELED;
    int status = tp_co_yield(out, in);
    return status == 0 && tp_cycle_is_asked(&pooled->cycle) ? TP_ECANCELED : status;
}

int tp_pooled_cancel(struct tp_co_handle handle)
{
    if (!handle.at)
        return TP_ESTALE;
    enum tp_cycle_outcome outcome = tp_cycle_mark(&handle.at->cycle, handle.generation);
    return outcome == TP_CYCLE_STALE ? stale(handle) : 0;
}

/* Resumes one that was asked to end until it has. Returns 0 or TP_EBUSY. */
static int see_off(struct tp_pooled *pooled, uint64_t generation)
{
    for (int i = 0; i < TP_POOLED_PATIENCE; i++) {
        if (tp_cycle_resume(&pooled->cycle, generation) != TP_CYCLE_MADE)
            return tp_cycle_state(tp_cycle_look(&pooled->cycle)) >= TP_CYCLE_DONE ? 0 : TP_EBUSY;
        if (tp_co_state(pooled->co) == TP_CO_READY) {  /* not begun */
            tp_store_rlx(&pooled->code, TP_ECANCELED); /* relaxed: published by the end */
            tp_cycle_end(&pooled->cycle, TP_CYCLE_CANCELLED);
            return 0;
        }
        run(pooled, NULL, NULL);
    }
    return tp_cycle_state(tp_cycle_look(&pooled->cycle)) >= TP_CYCLE_DONE ? 0 : TP_EBUSY;
}

int tp_pooled_release(struct tp_co_handle handle)
{
    if (!handle.at)
        return TP_ESTALE;
    uint64_t word = tp_cycle_look(&handle.at->cycle);
    if (tp_cycle_generation(word) == handle.generation && tp_cycle_state(word) == TP_CYCLE_SUSPENDED) {
        tp_cycle_mark(&handle.at->cycle, handle.generation);
        int status = see_off(handle.at, handle.generation);
        if (status != 0)
            return status;
    }
    enum tp_cycle_state end;
    switch (tp_cycle_retire(&handle.at->cycle, handle.generation, &end)) {
    case TP_CYCLE_MADE:
        put(handle.at, end);
        return 0;
    case TP_CYCLE_BUSY:
        return TP_EBUSY;
    default:
        return stale(handle);
    }
}

enum tp_pooled_state tp_pooled_state(struct tp_co_handle handle)
{
    uint64_t word = handle.at ? tp_cycle_look(&handle.at->cycle) : 0;
    if (!handle.at || tp_cycle_generation(word) != handle.generation)
        return TP_POOLED_STALE;
    switch (tp_cycle_state(word)) {
    case TP_CYCLE_FREE:
        return TP_POOLED_STALE;
    case TP_CYCLE_RUNNING:
        return TP_POOLED_RUNNING;
    case TP_CYCLE_DONE:
        return TP_POOLED_DONE;
    case TP_CYCLE_FAILED:
        return TP_POOLED_FAILED;
    case TP_CYCLE_CANCELLED:
        return TP_POOLED_CANCELLED;
    default:
        return TP_POOLED_SUSPENDED;
    }
}

int tp_pooled_result(struct tp_co_handle handle, int *code)
{
    enum tp_pooled_state state = tp_pooled_state(handle);
    if (state == TP_POOLED_STALE)
        return stale(handle);
    if (state < TP_POOLED_DONE)
        return TP_EBUSY;
    int result = tp_load_acq(&handle.at->code); /* acquire: the look at the state stays behind it */
    /* It may have been given back, and begun anew, while we read: then the life has changed. */
    if (tp_pooled_state(handle) != state)
        return stale(handle);
    *code = result;
    return 0;
}
