/* The short ways through tp_frame_new and the like, for C: what a cache can do alone is done in the caller, all else by the
 * function. A call and its return cost more than the rest of it.
 * Invariant: a cache means the same to these as to coro/frame.c, which holds the long ways. Included by frame.h. */
#ifndef TP_FRAME_FAST_H
#define TP_FRAME_FAST_H

#include "frame.h"

#include "../runtime/base/tls.h"

enum { TP__FRAMES_KNOWN = 8 };

#define TP__FRAME_LIKELY(condition) __builtin_expect(!!(condition), 1)

/* The thread's caches of the pools used last, but none that looks at each frame. An id is never used again, so an old one does
 * no harm, and 0 is no id. Looked up anew at each use, as this is inlined into functions that may suspend [CORO-2]. */
struct tp__frames_known {
    struct tp__frames_slot {
        uint64_t id;
        struct tp_frame_cache *cache;
    } slots[TP__FRAMES_KNOWN];
};
TP_TLS_DECLARE(struct tp__frames_known, tp__frames_known);

/* The caller's cache of the pool, if it is found at once; else NULL. */
static inline struct tp_frame_cache *tp__frames_find(const struct tp_frames *frames)
{
    uint64_t id = *(const uint64_t *)(const void *)frames; /* its first field, written once */
    uint64_t at = id % TP__FRAMES_KNOWN * sizeof(struct tp__frames_slot);
    if (!TP__FRAME_LIKELY(tp_tls_word(tp__frames_known, at) == id))
        return NULL;
    return (struct tp_frame_cache *)(uintptr_t)tp_tls_word(tp__frames_known, at + offsetof(struct tp__frames_slot, cache));
}

/* A frame, if the cache has one; else NULL. */
static inline void *tp__frame_cache_take(struct tp_frame_cache *cache)
{
    /* Relaxed, throughout: the caller's own, and others only count. */
    void *frame = tp_load_rlx(&cache->last);
    if (TP__FRAME_LIKELY(frame)) {
        tp_store_rlx(&cache->last, NULL);
    } else {
        uint32_t n = tp_load_rlx(&cache->n); /* relaxed: see above */
        if (!TP__FRAME_LIKELY(n > 0))
            return NULL;
        frame = cache->slots[n - 1];
        tp_store_rlx(&cache->n, n - 1); /* relaxed: see above */
    }
    tp_store_rlx(&cache->n_new, tp_load_rlx(&cache->n_new) + 1); /* relaxed: see above */
    return frame;
}

/* Puts the frame into the cache, if there is room; else false. */
static inline bool tp__frame_cache_give(struct tp_frame_cache *cache, void *frame)
{
    /* Relaxed, throughout: the caller's own, and others only count. */
    void *before = tp_load_rlx(&cache->last);
    if (before) {
        uint32_t n = tp_load_rlx(&cache->n); /* relaxed: see above */
        if (!TP__FRAME_LIKELY(n < cache->room))
            return false;
        cache->slots[n] = before;
        tp_store_rlx(&cache->n, n + 1); /* relaxed: see above */
    }
    tp_store_rlx(&cache->last, frame); /* relaxed: see above */
    return true;
}

/* tp_frame_cache_new. */
static inline void *tp__frame_cache_new(struct tp_frame_cache *cache)
{
    void *frame = TP__FRAME_LIKELY(!cache->is_checked) ? tp__frame_cache_take(cache) : NULL;
    return TP__FRAME_LIKELY(frame) ? frame : tp_frame_cache_new(cache);
}

/* tp_frame_cache_free. */
static inline void tp__frame_cache_free(struct tp_frame_cache *cache, void *frame)
{
    if (TP__FRAME_LIKELY(frame && !cache->is_checked) && TP__FRAME_LIKELY(tp__frame_cache_give(cache, frame)))
        return;
    tp_frame_cache_free(cache, frame);
}

/* tp_frame_new. */
static inline void *tp__frame_new(struct tp_frames *frames)
{
    struct tp_frame_cache *cache = tp__frames_find(frames);
    void *frame = TP__FRAME_LIKELY(cache) ? tp__frame_cache_take(cache) : NULL;
    return TP__FRAME_LIKELY(frame) ? frame : tp_frame_new(frames);
}

/* tp_frame_free. */
static inline void tp__frame_free(struct tp_frames *frames, void *frame)
{
    struct tp_frame_cache *cache = tp__frames_find(frames);
    if (TP__FRAME_LIKELY(cache && frame) && TP__FRAME_LIKELY(tp__frame_cache_give(cache, frame)))
        return;
    tp_frame_free(frames, frame);
}

#define tp_frame_cache_new(cache) tp__frame_cache_new(cache)
#define tp_frame_cache_free(cache, frame) tp__frame_cache_free(cache, frame)
#define tp_frame_new(frames) tp__frame_new(frames)
#define tp_frame_free(frames, frame) tp__frame_free(frames, frame)

#endif
