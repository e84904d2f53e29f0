/* Taking and giving back frames, by caches: the frame given back last, and two magazines, which go to and come from the
 * depot whole (Bonwick and Adams, "Magazines and Vmem", USENIX 2001).
 * Invariant: only who uses a cache touches its frames; others read how many there are, to count. */
#include "frame_parts.h"

#include "../runtime/base/apart.h"
#include "../runtime/base/at_exit.h"
#include "../runtime/base/status.h"

#include <stdlib.h>

enum { SLAB_BYTES_MIN = 256 << 10,
    SLAB_FRAMES_MIN = 16,
    MAGAZINE_BYTES = 256 << 10, /* of frames, but from 2 to 64 of them */
    ROUNDS_MAX = 64 };

/* The functions themselves. */
#undef tp_frame_new
#undef tp_frame_free
#undef tp_frame_cache_new
#undef tp_frame_cache_free

#if TP_DEBUG || TP__CHECK_ADDRESS
enum { CHECKED = 1 };
#else
enum { CHECKED = 0 };
#endif

_Static_assert(offsetof(struct tp_frames, id) == 0, "as frame_fast.h has it");

TP_TLS_DEFINE(struct tp__frames_known, tp__frames_known, {0});

/* In the initial block of thread-locals, so that an access is an instruction and not a call. All that touch them stay apart [CORO-2]. */
#define MINE static _Thread_local __attribute__((tls_model("initial-exec")))
MINE struct tp_frame_cache *mine; /* all */
MINE bool has_hook, has_ended;

static tp_atomic(uint64_t) n_pools;
static struct tp_spin ending; /* a pool is closed, or a cache goes: one after the other. Zeroed memory is a free lock */

/* -- caches ------------------------------------------------------------------------------------------- */

static void join(struct tp_frame_cache *cache, struct tp_frames *frames)
{
    cache->frames = frames;
    cache->id = frames->id;
    cache->is_checked = CHECKED;
    tp_spin_lock(&frames->lock);
    cache->next = frames->caches;
    if (cache->next)
        cache->next->prev = cache;
    frames->caches = cache;
    tp_spin_unlock(&frames->lock);
}

/* All that is in the cache goes to the depot. */
static void flush(struct tp_frame_cache *cache)
{
    struct tp_frames *frames = cache->frames;
    void *last = tp_load_rlx(&cache->last); /* relaxed, here and below: the caller's own */
    tp_spin_lock(&frames->lock);
    if (cache->spare) {
        cache->spare->n = tp_load_rlx(&cache->n_spare); /* relaxed: see above */
        tp__frames_leave(frames, cache->spare);
    }
    if (cache->loaded) {
        cache->loaded->n = tp_load_rlx(&cache->n); /* relaxed: see above */
        if (last && cache->loaded->n < frames->rounds) {
            cache->loaded->frames[cache->loaded->n++] = last;
            last = NULL;
        }
        tp__frames_leave(frames, cache->loaded);
    }
    if (last)
        tp__frames_leave_one(frames, last);
    cache->loaded = cache->spare = NULL;
    cache->slots = NULL;
    cache->room = 0;
    /* Relaxed: see above. */
    tp_store_rlx(&cache->last, NULL);
    tp_store_rlx(&cache->n, 0);
    tp_store_rlx(&cache->n_spare, 0);
    tp_spin_unlock(&frames->lock);
}

/* The caller has `ending`, so the pool is there if it was not closed before. */
static void leave(struct tp_frame_cache *cache)
{
    struct tp_frames *frames = cache->frames;
    if (!frames)
        return;
    flush(cache);
    tp_spin_lock(&frames->lock);
    *(cache->prev ? &cache->prev->next : &frames->caches) = cache->next;
    if (cache->next)
        cache->next->prev = cache->prev;
    frames->n_new_before += tp_load_rlx(&cache->n_new); /* relaxed: the caller's own */
    tp_spin_unlock(&frames->lock);
    cache->frames = NULL;
}

void tp_frame_cache_init(struct tp_frame_cache *cache, struct tp_frames *frames)
{
    *cache = (struct tp_frame_cache){.frames = frames};
    join(cache, frames);
}

void tp_frame_cache_fini(struct tp_frame_cache *cache)
{
    tp_spin_lock(&ending);
    leave(cache);
    tp_spin_unlock(&ending);
}

/* -- the caches of a thread --------------------------------------------------------------------------- */

static void on_thread_exit(void *nothing)
{
    (void)nothing;
    tp_frames_thread_end();
}

/* Frees those of the thread's caches whose pool is closed, or all. */
static void drop(bool all)
{
    struct tp_frame_cache **end = &mine, *gone = NULL;
    tp_spin_lock(&ending);
    while (*end) {
        struct tp_frame_cache *cache = *end;
        if (all)
            leave(cache);
        if (cache->frames) {
            end = &cache->next_mine;
        } else {
            *end = cache->next_mine;
            cache->next_mine = gone;
            gone = cache;
        }
    }
    tp_spin_unlock(&ending);
    while (gone) {
        struct tp_frame_cache *next = gone->next_mine;
        free(gone);
        gone = next;
    }
}

TP_APART void tp_frames_thread_end(void)
{
    has_ended = true;
    for (int i = 0; i < TP__FRAMES_KNOWN; i++)
        tp_tls_place(tp__frames_known)->slots[i].id = 0;
    drop(true);
}

/* A cache for this pool; NULL if there is no memory or the thread has ended. */
static struct tp_frame_cache *make_mine(struct tp_frames *frames)
{
    drop(false);
    size_t bytes = (sizeof(struct tp_frame_cache) + TP_CACHE_LINE_BYTES - 1) / TP_CACHE_LINE_BYTES * TP_CACHE_LINE_BYTES;
    struct tp_frame_cache *cache = has_ended ? NULL : aligned_alloc(TP_CACHE_LINE_BYTES, bytes);
    if (!cache)
        return NULL;
    *cache = (struct tp_frame_cache){.next_mine = mine};
    mine = cache;
    join(cache, frames);
    if (!has_hook)
        has_hook = tp__at_thread_exit(on_thread_exit, NULL);
    return cache;
}

/* The caller's cache of this pool, or NULL if there can be none. */
static struct tp_frame_cache *look_up(struct tp_frames *frames)
{
    struct tp_frame_cache *cache = tp__frames_find(frames);
    if (cache)
        return cache;
    for (cache = mine; cache && cache->id != frames->id;)
        cache = cache->next_mine;
    if (!cache && !(cache = make_mine(frames)))
        return NULL;
    if (!CHECKED)
        tp_tls_place(tp__frames_known)->slots[frames->id % TP__FRAMES_KNOWN] = (struct tp__frames_slot){frames->id, cache};
    return cache;
}

TP_APART void tp_frames_flush(struct tp_frames *frames)
{
    struct tp_frame_cache *cache = mine;
    while (cache && cache->id != frames->id)
        cache = cache->next_mine;
    if (cache)
        flush(cache);
}

/* -- taking and giving back --------------------------------------------------------------------------- */

static void load(struct tp_frame_cache *cache, struct tp_frame_magazine *magazine, uint32_t n)
{
    cache->loaded = magazine;
    cache->slots = magazine ? magazine->frames : NULL;
    cache->room = magazine ? cache->frames->rounds : 0;
    tp_store_rlx(&cache->n, n); /* relaxed: a number for those who count */
}

static void exchange(struct tp_frame_cache *cache)
{
    struct tp_frame_magazine *magazine = cache->loaded;
    uint32_t n = tp_load_rlx(&cache->n), n_spare = tp_load_rlx(&cache->n_spare); /* relaxed: numbers for those who count */
    load(cache, cache->spare, n_spare);
    cache->spare = magazine;
    tp_store_rlx(&cache->n_spare, n); /* relaxed: see above */
}

/* The cache has none: the other magazine, or one from the depot. Returns whether it has some now. */
static bool reload(struct tp_frame_cache *cache)
{
    if (tp_load_rlx(&cache->n_spare) > 0) { /* relaxed: the caller's own */
        exchange(cache);
        return true;
    }
    if (!cache->loaded)
        load(cache, tp__frames_put(cache->frames, NULL), 0);
    struct tp_frame_magazine *magazine = cache->loaded ? tp__frames_get(cache->frames, cache->loaded) : NULL;
    if (magazine)
        load(cache, magazine, magazine->n);
    return magazine != NULL;
}

static void *new_without_cache(struct tp_frames *frames)
{
    void *frame = tp__frames_take_one(frames);
    return frame ? tp__frame_hand_out(frames, frame) : NULL;
}

static void *new_by(struct tp_frame_cache *cache)
{
    void *frame = tp__frame_cache_take(cache);
    if (!frame && reload(cache))
        frame = tp__frame_cache_take(cache);
    if (frame)
        return tp__frame_hand_out(cache->frames, frame);
    return cache->loaded ? NULL : new_without_cache(cache->frames);
}

/* Room for at least one frame in `loaded`, by an exchange; false if there is no magazine to be had. */
static bool unload(struct tp_frame_cache *cache)
{
    /* Relaxed, here and below: the caller's own, and others count. */
    if (!cache->spare || tp_load_rlx(&cache->n_spare) > 0) {
        if (cache->spare)
            cache->spare->n = tp_load_rlx(&cache->n_spare); /* relaxed: see above */
        struct tp_frame_magazine *empty = tp__frames_put(cache->frames, cache->spare);
        if (!empty)
            return false;
        cache->spare = empty;
        tp_store_rlx(&cache->n_spare, 0); /* relaxed: see above */
    }
    exchange(cache);
    return true;
}

static void leave_one(struct tp_frames *frames, void *frame)
{
    tp_spin_lock(&frames->lock);
    tp__frames_leave_one(frames, frame);
    tp_spin_unlock(&frames->lock);
}

static void free_by(struct tp_frame_cache *cache, void *frame)
{
    tp__frame_take_back(cache->frames, frame);
    if (tp__frame_cache_give(cache, frame))
        return;
    if (unload(cache)) {
        tp__frame_cache_give(cache, frame);
    } else {
        leave_one(cache->frames, tp_load_rlx(&cache->last)); /* relaxed: the caller's own */
        tp_store_rlx(&cache->last, frame);                   /* relaxed: others count */
    }
}

static void free_without_cache(struct tp_frames *frames, void *frame)
{
    tp__frame_take_back(frames, frame);
    leave_one(frames, frame);
}

void *tp_frame_cache_new(struct tp_frame_cache *cache)
{
    return new_by(cache);
}

void tp_frame_cache_free(struct tp_frame_cache *cache, void *frame)
{
    if (frame)
        free_by(cache, frame);
}

TP_APART void *tp_frame_new(struct tp_frames *frames)
{
    struct tp_frame_cache *cache = look_up(frames);
    return cache ? new_by(cache) : new_without_cache(frames);
}

TP_APART void tp_frame_free(struct tp_frames *frames, void *frame)
{
    struct tp_frame_cache *cache;
    if (!frame)
        return;
    if ((cache = look_up(frames)))
        free_by(cache, frame);
    else
        free_without_cache(frames, frame);
}

TP_APART size_t tp_frame_new_many(struct tp_frames *frames, void *out[], size_t n)
{
    struct tp_frame_cache *cache = look_up(frames);
    for (size_t i = 0; i < n; i++) {
        void *frame = cache ? tp__frame_cache_new(cache) : new_without_cache(frames);
        if (!frame)
            return i;
        out[i] = frame;
    }
    return n;
}

TP_APART void tp_frame_free_many(struct tp_frames *frames, void *const in[], size_t n)
{
    struct tp_frame_cache *cache = look_up(frames);
    for (size_t i = 0; i < n; i++)
        if (cache)
            tp__frame_cache_free(cache, in[i]);
        else
            tp_frame_free(frames, in[i]);
}

/* -- the life of a pool, and counting ----------------------------------------------------------------- */

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* What follows from the size and the alignment. */
static void measure(struct tp_frames *frames, size_t bytes, size_t align)
{
    align = align < sizeof(void *) * 2 ? sizeof(void *) * 2 : align; /* an idle one may hold a pointer */
    frames->bytes = bytes;
    frames->stride = round_up(bytes, align);
    frames->first = round_up(sizeof(void *), align);
    frames->slab_bytes = SLAB_BYTES_MIN;
    while ((frames->slab_bytes - frames->first) / frames->stride < SLAB_FRAMES_MIN)
        frames->slab_bytes *= 2;
    frames->per_slab = (uint32_t)((frames->slab_bytes - frames->first) / frames->stride);
    size_t rounds = MAGAZINE_BYTES / frames->stride;
    frames->rounds = rounds < 2 ? 2 : rounds > ROUNDS_MAX ? ROUNDS_MAX
                                                          : (uint32_t)rounds;
}

int tp_frames_open(struct tp_frames **out, const struct tp_frames_settings *settings)
{
    size_t align = settings->align ? settings->align : TP_FRAME_ALIGN;
    uint64_t max = settings->max ? settings->max : UINT64_MAX;
    if (settings->bytes == 0 || settings->bytes > TP_FRAME_BYTES_MAX || align > TP_FRAME_ALIGN_MAX ||
        (align & (align - 1)) != 0 || settings->prealloc > max)
        return TP_EINVAL;
    struct tp_frames *frames = aligned_alloc(TP_CACHE_LINE_BYTES, sizeof *frames);
    if (!frames)
        return TP_ENOMEM;
    /* Relaxed: that each is different is all. */
    *frames = (struct tp_frames){.id = tp_add_rlx(&n_pools, 1) + 1, .max = max};
    measure(frames, settings->bytes, align);
    int status = tp__frames_reserve(frames, settings->prealloc);
    if (status == 0) {
        *out = frames;
        return 0;
    }
    tp__frames_unmap_all(frames);
    free(frames);
    return status;
}

void tp_frames_get_stats(struct tp_frames *frames, struct tp_frames_stats *out)
{
    tp_spin_lock(&frames->lock);
    *out = (struct tp_frames_stats){
        .bytes = frames->stride,
        .n_idle = frames->n_idle,
        .n_made = frames->n_made,
        .n_new = frames->n_new_before,
        .n_refused = frames->n_refused,
        .n_visits = frames->n_visits,
        .n_unmapped = frames->n_unmapped,
        .n_slabs = frames->n_slabs,
        .mapped_bytes = frames->n_slabs * frames->slab_bytes,
    };
    for (struct tp_frame_cache *cache = frames->caches; cache; cache = cache->next) {
        out->n_caches++;
        /* Relaxed: exact when nothing happens meanwhile. */
        out->n_new += tp_load_rlx(&cache->n_new);
        out->n_cached += tp_load_rlx(&cache->n);
        out->n_cached += tp_load_rlx(&cache->n_spare);
        out->n_cached += tp_load_rlx(&cache->last) != NULL;
    }
    tp_spin_unlock(&frames->lock);
    out->n_live = out->n_made - out->n_idle - out->n_cached; /* all that are neither idle nor anywhere else */
    out->n_freed = out->n_new - out->n_live;
}

int tp_frames_close(struct tp_frames *frames)
{
    struct tp_frames_stats stats;
    tp_spin_lock(&ending);
    tp_frames_get_stats(frames, &stats);
    if (stats.n_live > 0) {
        tp_spin_unlock(&ending);
        return TP_EBUSY;
    }
    while (frames->caches) {
        struct tp_frame_cache *cache = frames->caches;
        flush(cache);
        frames->caches = cache->next;
        cache->frames = NULL;
    }
    tp_spin_unlock(&ending);
    tp__frames_unmap_all(frames);
    free(frames);
    return 0;
}
