/* Frames: blocks of one size and alignment per pool of them, cheap to take and to give back, from any thread.
 * Invariant: a frame is live, from tp_frame_new to tp_frame_free, or idle, in one cache or in the depot; an idle one is
 * touched by nobody. docs/frames.md has the picture.
 *
 *   tp_frames_open(&frames, &(struct tp_frames_settings){.bytes = 4000});
 *   void *frame = tp_frame_new(frames);
 *   tp_frame_free(frames, frame);
 *   tp_frames_close(frames);
 *
 * The plain calls find the calling thread's cache themselves. Who has a place for one per thread, such as a worker, may own
 * it (struct tp_frame_cache) and spare that step. */
#ifndef TP_FRAME_H
#define TP_FRAME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define tp_atomic(T) T /* of the same size; only C looks inside */
extern "C" {
#else
#include "../runtime/base/atomic.h"
#endif

enum { TP_FRAME_BYTES_MAX = 1 << 20,
    TP_FRAME_ALIGN = 64, /* if nothing else is said: a cache line */
    TP_FRAME_ALIGN_MAX = 4096 };

struct tp_frames;

struct tp_frames_settings {
    size_t bytes;      /* of a frame: 1 to TP_FRAME_BYTES_MAX */
    size_t align;      /* a power of two up to TP_FRAME_ALIGN_MAX; 0: TP_FRAME_ALIGN */
    uint64_t prealloc; /* frames that exist from the beginning, their memory touched */
    uint64_t max;      /* frames that may exist, live and idle ones, those in caches too; 0: any number */
};

/* Exact while nobody takes, gives back or trims. */
struct tp_frames_stats {
    size_t bytes; /* that a frame takes: those asked for, rounded up to the alignment */
    uint64_t n_live;
    uint64_t n_cached; /* idle, in the caches of threads */
    uint64_t n_idle;   /* idle, in the depot */
    uint64_t n_made;   /* all of these */
    uint64_t n_new;    /* frames given out, since the pool was opened, like the next four */
    uint64_t n_freed;
    uint64_t n_refused;  /* times that there was none: the maximum, or the system */
    uint64_t n_visits;   /* of caches to the depot */
    uint64_t n_unmapped; /* slabs */
    uint64_t n_slabs;
    uint64_t mapped_bytes;
    uint64_t n_caches;
};

struct tp_frame_magazine;

/* A cache with an owner, used by one thread at a time. Its fields are for coro/frame*.[ch] alone.
 * The atomics: written by who uses the cache, read by those who count. */
struct tp_frame_cache {
    tp_atomic(void *) last; /* given back last */
    void **slots;           /* of `loaded`: the next ones */
    tp_atomic(uint32_t) n;  /* frames there */
    uint32_t room;          /* 0 while there is no magazine */
    tp_atomic(uint64_t) n_new;
    uint64_t is_checked;                      /* the library was built to look at each frame: no short cuts */
    tp_atomic(uint32_t) n_spare;              /* frames in `spare` */
    struct tp_frame_magazine *loaded, *spare; /* NULL: none yet */
    struct tp_frames *frames;                 /* NULL when that is closed; then written under the lock of all ends */
    struct tp_frame_cache *next, *prev;       /* among the pool's, guarded by its lock */
    struct tp_frame_cache *next_mine;         /* among the thread's */
    uint64_t id;                              /* of the pool */
};

#ifdef __cplusplus
#undef tp_atomic
#endif

/* tp_frames_open: a new pool of frames.
 * out:      the caller's, until tp_frames_close.
 * settings: read during the call only.
 * Returns 0; TP_EINVAL for settings out of their ranges, or more preallocated than there may be; TP_ENOMEM with nothing left over.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_frames_open(struct tp_frames **out, const struct tp_frames_settings *settings);

/* tp_frames_close: all memory of the pool goes back, and its caches, also those with owners, belong to no pool any more.
 * Nobody uses the pool meanwhile, though threads that did may be about to end.
 * Returns 0, or TP_EBUSY while frames are live; then nothing has happened.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_frames_close(struct tp_frames *frames);

/* tp_frame_new: a frame of its own for the caller. What is in it is undefined.
 * Returns NULL at the maximum, or if the system refuses memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
void *tp_frame_new(struct tp_frames *frames);

/* tp_frame_free: the frame is idle again; whichever thread took it. The last one that a thread gave back is the first that
 * it gets. Debug builds abort with a message if it is no live frame of this pool.
 * frame: NULL does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_frame_free(struct tp_frames *frames, void *frame);

/* tp_frame_new_many: as n calls of tp_frame_new.
 * out: gets the frames; what lies beyond the result is not touched.
 * Returns how many there are; fewer than n as tp_frame_new returns NULL. The caller has those and may go on, or free them.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
size_t tp_frame_new_many(struct tp_frames *frames, void *out[], size_t n);

/* tp_frame_free_many: as n calls of tp_frame_free, in the order of the array.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_frame_free_many(struct tp_frames *frames, void *const in[], size_t n);

/* tp_frames_trim: give slabs of which no frame is live or cached back to the system, and spare magazines. Reaches the
 * depot and the caller's cache, not those of other threads. Others may wait meanwhile: some nanoseconds per idle frame.
 * keep_bytes: of such slabs, so much may stay.
 * Returns how many bytes it gave back.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t tp_frames_trim(struct tp_frames *frames, size_t keep_bytes);

/* tp_frames_flush: the caller's cache goes to the depot, for other threads and for tp_frames_trim.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_frames_flush(struct tp_frames *frames);

/* tp_frames_get_stats: what there is now, and what has happened.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_frames_get_stats(struct tp_frames *frames, struct tp_frames_stats *out);

/* tp_frames_thread_end: the calling thread gives back its caches of all pools, and gets no others: what it takes and gives
 * back from now on goes by the depot. This happens by itself at the thread's end, later.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_frames_thread_end(void);

/* tp_frame_cache_init: an empty cache of this pool, in the caller's memory, until tp_frame_cache_fini.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_frame_cache_init(struct tp_frame_cache *cache, struct tp_frames *frames);

/* tp_frame_cache_fini: what is in the cache goes to the depot. Nothing if the pool is closed.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: no] */
void tp_frame_cache_fini(struct tp_frame_cache *cache);

/* tp_frame_cache_new: tp_frame_new, by this cache.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: yes] */
void *tp_frame_cache_new(struct tp_frame_cache *cache);

/* tp_frame_cache_free: tp_frame_free, by this cache.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: no] */
void tp_frame_cache_free(struct tp_frame_cache *cache, void *frame);

#ifdef __cplusplus
}
#else
#include "frame_fast.h" /* the same four calls, without a call as long as the cache can do it */
#endif

/* TP_FRAMES(parcel, struct parcel): parcel_open, parcel_new, parcel_free, ... for frames that are structs of this type,
 * aligned for it and to a cache line. */
#ifdef __cplusplus
#define TP__FRAME_ALIGNOF(type) alignof(type)
#define TP__FRAME_CAST(type, value) static_cast<type *>(value)
#else
#define TP__FRAME_ALIGNOF(type) _Alignof(type)
#define TP__FRAME_CAST(type, value) (value)
#endif
#define TP__FRAME_UNUSED __attribute__((unused)) static inline
#define TP_FRAMES(name, type)                                                                             \
    TP__FRAME_UNUSED int name##_open(struct tp_frames **tp__out, uint64_t tp__prealloc, uint64_t tp__max) \
    {                                                                                                     \
        struct tp_frames_settings tp__settings;                                                           \
        tp__settings.bytes = sizeof(type);                                                                \
        tp__settings.align = TP__FRAME_ALIGNOF(type);                                                     \
        if (tp__settings.align < TP_FRAME_ALIGN)                                                          \
            tp__settings.align = TP_FRAME_ALIGN;                                                          \
        tp__settings.prealloc = tp__prealloc;                                                             \
        tp__settings.max = tp__max;                                                                       \
        return tp_frames_open(tp__out, &tp__settings);                                                    \
    }                                                                                                     \
    TP__FRAME_UNUSED type *name##_new(struct tp_frames *tp__pool)                                         \
    {                                                                                                     \
        return TP__FRAME_CAST(type, tp_frame_new(tp__pool));                                              \
    }                                                                                                     \
    TP__FRAME_UNUSED void name##_free(struct tp_frames *tp__pool, type *tp__frame)                        \
    {                                                                                                     \
        tp_frame_free(tp__pool, tp__frame);                                                               \
    }                                                                                                     \
    TP__FRAME_UNUSED type *name##_cache_new(struct tp_frame_cache *tp__cache)                             \
    {                                                                                                     \
        return TP__FRAME_CAST(type, tp_frame_cache_new(tp__cache));                                       \
    }                                                                                                     \
    TP__FRAME_UNUSED void name##_cache_free(struct tp_frame_cache *tp__cache, type *tp__frame)            \
    {                                                                                                     \
        tp_frame_cache_free(tp__cache, tp__frame);                                                        \
    }                                                                                                     \
    struct tp_frames /* so that a semicolon may follow */

#endif
