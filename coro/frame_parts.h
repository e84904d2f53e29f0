/* What the files of the frames share: magazines, slabs, the depot. For coro/frame*.c alone. */
#ifndef TP_FRAME_PARTS_H
#define TP_FRAME_PARTS_H

#include "frame.h"

#include "../runtime/base/align.h"
#include "../runtime/base/assert.h"
#include "../runtime/base/atomic.h"
#include "../runtime/base/spin.h"
#include "sanitize.h"

/* Idle frames, the last given back at the end. Its owner is one cache, or the depot. */
struct tp_frame_magazine {
    struct tp_frame_magazine *next; /* in the depot */
    uint32_t n;                     /* in the depot; a cache counts itself */
    void *frames[];                 /* as many as the pool's `rounds` */
};

/* One mapping, as long as it is aligned, with a pointer to this record at its beginning.
 * Records stay until the pool is closed, so that debug builds may walk through them without the lock. */
struct tp_frame_slab {
    tp_atomic(uintptr_t) base; /* 0: not mapped. Written under the lock, read by debug builds anywhere */
    struct tp_frame_slab *next_known;
    /* Guarded by the depot's lock. */
    struct tp_frame_slab *next_fresh; /* among those with frames that were never made */
    struct tp_frame_slab *next_gone;  /* among those that one trim is about to unmap */
    uint32_t n_made;                  /* the first so many frames */
    uint32_t n_idle;                  /* while trimming: of them in the depot */
    bool is_taken, goes;
    tp_atomic(uint8_t) is_live[]; /* of each frame; in debug builds alone, by who takes and gives it back */
};

struct tp_frames {
    /* Written once. */
    uint64_t id; /* of no other pool before or after */
    size_t bytes, stride, first, slab_bytes;
    uint32_t per_slab, rounds;
    uint64_t max;

    tp_line_aligned struct tp_spin lock; /* guards the rest */
    struct tp_frame_magazine *full;      /* none of them empty */
    struct tp_frame_magazine *empty;
    void *loose; /* idle frames for which there was no magazine, each with a pointer to the next */
    struct tp_frame_slab *fresh;
    tp_atomic(struct tp_frame_slab *) known; /* all records; read by debug builds without the lock */
    uint64_t n_made, n_idle, n_slabs, n_visits, n_refused, n_unmapped;
    uint64_t n_new_before;         /* by caches that are gone, and without one */
    struct tp_frame_cache *caches; /* all */
};

/* tp__frames_get: a magazine with frames for an empty one.
 * Returns NULL, with the empty one still the caller's, if there are none and none can be made.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
struct tp_frame_magazine *tp__frames_get(struct tp_frames *frames, struct tp_frame_magazine *empty);

/* tp__frames_put: an empty magazine for one with frames, or for NULL.
 * Returns NULL, with nothing changed, if the system refuses memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
struct tp_frame_magazine *tp__frames_put(struct tp_frames *frames, struct tp_frame_magazine *full);

/* tp__frames_leave: the magazine is the depot's, with its n frames.
 * [thread: who has the lock] [suspends: no] [blocks: no] [allocates: no] */
void tp__frames_leave(struct tp_frames *frames, struct tp_frame_magazine *magazine);

/* tp__frames_leave_one: the idle frame is the depot's.
 * [thread: who has the lock] [suspends: no] [blocks: no] [allocates: no] */
void tp__frames_leave_one(struct tp_frames *frames, void *frame);

/* tp__frames_take_one: an idle frame, counted as given out.
 * Returns NULL if there is none and none can be made.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
void *tp__frames_take_one(struct tp_frames *frames);

/* tp__frames_reserve: n frames exist, their memory touched. For a pool that nobody uses yet.
 * Returns 0 or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp__frames_reserve(struct tp_frames *frames, uint64_t n);

/* tp__frames_unmap_all: the end of all slabs, records and magazines in the depot.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__frames_unmap_all(struct tp_frames *frames);

#if TP_DEBUG
/* tp__frame_mark: the frame is live from now on, or idle; aborts if it was so before, or is none of the pool.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__frame_mark(const struct tp_frames *frames, const void *frame, bool is_live);
#else
static inline void tp__frame_mark(const struct tp_frames *frames, const void *frame, bool is_live)
{
    /* Nothing is kept. */
    (void)frames;
    (void)frame;
    (void)is_live;
}
#endif

/* The frame is the caller's. To AddressSanitizer, idle ones are poison. */
static inline void *tp__frame_hand_out(const struct tp_frames *frames, void *frame)
{
    tp__frame_mark(frames, frame, true);
    tp__check_unpoison(frame, frames->bytes);
    return frame;
}

/* The frame is nobody's. */
static inline void tp__frame_take_back(const struct tp_frames *frames, void *frame)
{
    tp__frame_mark(frames, frame, false);
    tp__check_poison(frame, frames->stride);
}

#endif
