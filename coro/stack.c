/* Acquiring and releasing: by a cache of the calling thread, which the depot fills and empties by halves.
 * Invariant: only its own thread touches a cache's stacks; others read how many there are, to count. The caches are
 * those of Bonwick and Adams, "Magazines and Vmem" (USENIX 2001), with one magazine of a fixed size. */
#include "stack_parts.h"

#include "../runtime/base/apart.h"
#include "../runtime/base/at_exit.h"
#include "../runtime/base/status.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 64 }; /* of a cache, in the small classes */

struct cache {
    tp_atomic(uint32_t) n[TP_STACK_CLASSES]; /* written by its thread, which reads it again; others count */
    tp_atomic(uint64_t) n_acquired;
    struct cache *next, *prev;
    struct tp_stack *stacks[TP_STACK_CLASSES][ROOM]; /* the last released at the end */
};

/* In the initial block of thread-locals, so that an access is an instruction and not a call. All that touch them stay apart [CORO-2]. */
static _Thread_local struct cache *mine __attribute__((tls_model("initial-exec")));
static _Thread_local bool has_ended __attribute__((tls_model("initial-exec"))); /* no other cache for this thread */

static struct tp_spin caches_lock; /* zeroed memory is a free lock */
static struct cache *caches;       /* all; guarded by the lock, like their links */
static uint64_t n_acquired_before; /* by caches that are gone, and without one */

/* -- the cache of a thread ---------------------------------------------------------------------------- */

/* Stacks of each class in a cache: 4 MiB from 64 KiB on, but at least two. */
static const uint32_t ROOMS[TP_STACK_CLASSES] = {ROOM, ROOM, ROOM, ROOM, ROOM, 32, 16, 8, 4, 2, 2, 2};

static unsigned class_of(size_t bytes)
{
    return bytes <= TP_STACK_LEAST_BYTES ? 0 : 64 - 12 - (unsigned)__builtin_clzll(bytes - 1);
}

static void on_thread_exit(void *cache)
{
    (void)cache;
    tp_stack_thread_end();
}

static struct cache *make_cache(void)
{
    struct cache *cache = has_ended ? NULL : calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    tp_spin_lock(&caches_lock);
    cache->next = caches;
    if (caches)
        caches->prev = cache;
    caches = cache;
    tp_spin_unlock(&caches_lock);
    mine = cache;
    tp__at_thread_exit(on_thread_exit, cache);
    return cache;
}

static void free_cache(struct cache *cache)
{
    tp_spin_lock(&caches_lock);
    *(cache->prev ? &cache->prev->next : &caches) = cache->next;
    if (cache->next)
        cache->next->prev = cache->prev;
    n_acquired_before += tp_load_rlx(&cache->n_acquired); /* relaxed: the caller's own */
    tp_spin_unlock(&caches_lock);
    free(cache);
}

TP_APART void tp_stack_flush(void)
{
    struct cache *cache = mine;
    for (unsigned i = 0; cache && i < TP_STACK_CLASSES; i++) {
        uint32_t n = tp_load_rlx(&cache->n[i]); /* relaxed: the caller's own */
        if (n > 0)
            tp__depot_put(i, cache->stacks[i], n);
        tp_store_rlx(&cache->n[i], 0); /* relaxed: see above */
    }
}

TP_APART void tp_stack_thread_end(void)
{
    struct cache *cache = mine;
    tp_stack_flush();
    mine = NULL;
    has_ended = true;
    if (cache)
        free_cache(cache);
    tp__stack_unwatch();
}

/* -- acquiring and releasing -------------------------------------------------------------------------- */

/* The stack is the caller's. */
static inline struct tp_stack *hand_out(struct tp_stack *stack)
{
    stack->check = tp__stack_check(stack, TP_STACK_LIVE);
    tp__stack_unpoison(stack);
    return stack;
}

static int acquire_without_cache(unsigned class_index, struct tp_stack **out)
{
    if (tp__depot_take(class_index, out, 1) == 0)
        return TP_ENOMEM;
    hand_out(*out);
    tp_spin_lock(&caches_lock);
    n_acquired_before++;
    tp_spin_unlock(&caches_lock);
    return 0;
}

/* The cache has none: half of a cache from the depot, or one that is new. */
static __attribute__((noinline)) int fetch(unsigned class_index, struct tp_stack **out)
{
    struct cache *cache = mine ? mine : make_cache();
    struct tp_stack *stacks[ROOM];
    if (!cache)
        return acquire_without_cache(class_index, out);
    unsigned n = tp__depot_take(class_index, stacks, ROOMS[class_index] / 2);
    if (n == 0)
        return TP_ENOMEM;
    for (unsigned i = 1; i < n; i++) /* the last released came first */
        cache->stacks[class_index][n - 1 - i] = stacks[i];
    /* Relaxed: numbers for those who count. */
    tp_store_rlx(&cache->n[class_index], n - 1);
    tp_store_rlx(&cache->n_acquired, tp_load_rlx(&cache->n_acquired) + 1);
    *out = hand_out(stacks[0]);
    return 0;
}

TP_APART int tp_stack_acquire(size_t bytes, struct tp_stack **out)
{
    unsigned class_index = class_of(bytes);
    if (class_index >= TP_STACK_CLASSES)
        return TP_EINVAL;
    struct cache *cache = mine;
    uint32_t n = cache ? tp_load_rlx(&cache->n[class_index]) : 0; /* relaxed: the caller's own */
    if (n == 0)
        return fetch(class_index, out);
    /* Relaxed: numbers for those who count. */
    tp_store_rlx(&cache->n[class_index], n - 1);
    tp_store_rlx(&cache->n_acquired, tp_load_rlx(&cache->n_acquired) + 1);
    *out = hand_out(cache->stacks[class_index][n - 1]);
    return 0;
}

/* Says so if the stack is not what the caller may release. */
static __attribute__((noinline)) void examine(const struct tp_stack *stack)
{
    if (stack->check == tp__stack_check(stack, TP_STACK_IDLE))
        tp__stack_report(stack, "a stack was released twice");
    if (stack->check != tp__stack_check(stack, TP_STACK_LIVE))
        tp__stack_report(NULL, "the header of a stack was overwritten, perhaps by an overflow of its neighbour");
    if (!tp_stack_is_whole(stack))
        tp__stack_report(stack, "stack overflow");
}

/* The cache is full, or not there. When full, the half that was released first goes to the depot. */
static __attribute__((noinline)) void put_away(struct tp_stack *stack)
{
    unsigned class_index = stack->class_index;
    uint32_t room = ROOMS[class_index], half = room / 2;
    struct cache *cache = mine;
    if (cache) {
        struct tp_stack **stacks = cache->stacks[class_index];
        tp__depot_put(class_index, stacks, half);
        memmove(stacks, stacks + half, (room - half) * sizeof *stacks);
        stacks[room - half] = stack;
        tp_store_rlx(&cache->n[class_index], room - half + 1); /* relaxed: a number for those who count */
    } else if ((cache = make_cache())) {
        cache->stacks[class_index][0] = stack;
        tp_store_rlx(&cache->n[class_index], 1); /* relaxed: see above */
    } else {
        tp__depot_put(class_index, &stack, 1);
    }
}

TP_APART void tp_stack_release(struct tp_stack *stack)
{
    /* The canary above a guard is not looked at: its page may never have been touched. */
    if (stack->check != tp__stack_check(stack, TP_STACK_LIVE) || stack->canary != 0)
        examine(stack);
    stack->check = tp__stack_check(stack, TP_STACK_IDLE);
    tp__stack_poison(stack);
    struct cache *cache = mine;
    unsigned class_index = stack->class_index;
    uint32_t n = cache ? tp_load_rlx(&cache->n[class_index]) : ROOM; /* relaxed: the caller's own */
    if (n >= ROOMS[class_index]) {
        put_away(stack);
        return;
    }
    cache->stacks[class_index][n] = stack;
    tp_store_rlx(&cache->n[class_index], n + 1); /* relaxed: a number for those who count */
}

size_t tp_stack_bytes(size_t bytes)
{
    unsigned class_index = class_of(bytes);
    return class_index < TP_STACK_CLASSES ? tp__stack_class_bytes(class_index) : 0;
}

int tp_stack_reserve(size_t bytes, size_t n)
{
    unsigned class_index = class_of(bytes);
    if (class_index >= TP_STACK_CLASSES)
        return TP_EINVAL;
    tp_stack_flush(); /* they count */
    return tp__depot_reserve(class_index, n) ? 0 : TP_ENOMEM;
}

/* -- counting, and settings --------------------------------------------------------------------------- */

void tp_stack_get_stats(struct tp_stack_stats *out)
{
    /* Relaxed, here and below: exact when nothing happens meanwhile. */
    *out = (struct tp_stack_stats){
        .n_unguarded = tp_load_rlx(&tp__stack_tally.n_unguarded),
        .n_given_back = tp_load_rlx(&tp__stack_tally.n_given_back),
        .n_unmapped = tp_load_rlx(&tp__stack_tally.n_unmapped),
        .n_refused = tp_load_rlx(&tp__stack_tally.n_refused),
        .n_mappings = tp_load_rlx(&tp__stack_tally.n_mappings),
        /* relaxed */
        .mapped_bytes = tp_load_rlx(&tp__stack_tally.mapped_bytes),
    };
    tp__depot_stats(out);
    tp_spin_lock(&caches_lock);
    out->n_acquired = n_acquired_before;
    for (struct cache *cache = caches; cache; cache = cache->next) {
        out->n_caches++;
        /* Relaxed: see above. */
        out->n_acquired += tp_load_rlx(&cache->n_acquired);
        for (unsigned i = 0; i < TP_STACK_CLASSES; i++)
            out->classes[i].n_cached += tp_load_rlx(&cache->n[i]); /* relaxed: see above */
    }
    tp_spin_unlock(&caches_lock);
    out->n_released = out->n_acquired;
    for (unsigned i = 0; i < TP_STACK_CLASSES; i++) {
        out->classes[i].n_live -= out->classes[i].n_cached; /* all that are neither idle nor anywhere else */
        out->n_released -= out->classes[i].n_live;
    }
}

static const uint64_t NOT_READ = UINT64_MAX;

/* Written by tp_stack_tune, read when a stack is made; they have nothing to do with each other. */
static struct {
    tp_atomic(uint32_t) guard;
    tp_atomic(size_t) guard_bytes, keep_bytes;
    tp_atomic(uint64_t) mappings_max, period_ns;
} chosen = {TP_STACK_GUARD_MADVISE, 4096, (size_t)32 << 20, UINT64_MAX, UINT64_C(1000000000)};

/* A quarter of what the system allows a process. */
static uint64_t default_mappings(void)
{
    char text[32] = "";
    int file = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    return (n > 0 ? strtoull(text, NULL, 10) : 65530) / 4;
}

void tp_stack_get_settings(struct tp_stack_settings *out)
{
    /* Relaxed: single numbers. */
    uint64_t mappings_max = tp_load_rlx(&chosen.mappings_max);
    if (mappings_max == NOT_READ) {
        mappings_max = default_mappings();
        tp_store_rlx(&chosen.mappings_max, mappings_max);
    }
    *out = (struct tp_stack_settings){
        .guard = (enum tp_stack_guard)tp_load_rlx(&chosen.guard), /* relaxed: see above */
        .guard_bytes = tp_load_rlx(&chosen.guard_bytes),
        .mappings_max = mappings_max,
        .keep_bytes = tp_load_rlx(&chosen.keep_bytes), /* relaxed: see above */
        .period_ns = tp_load_rlx(&chosen.period_ns),
    };
}

int tp_stack_tune(const struct tp_stack_settings *settings)
{
    if (settings->guard > TP_STACK_GUARD_MADVISE || settings->guard_bytes > TP_STACK_MOST_BYTES)
        return TP_EINVAL;
    /* Relaxed: single numbers. */
    tp_store_rlx(&chosen.guard, settings->guard);
    tp_store_rlx(&chosen.guard_bytes, settings->guard_bytes);
    tp_store_rlx(&chosen.mappings_max, settings->mappings_max);
    tp_store_rlx(&chosen.keep_bytes, settings->keep_bytes);
    tp_store_rlx(&chosen.period_ns, settings->period_ns);
    return 0;
}
