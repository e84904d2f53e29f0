/* The depot of a pool of frames: magazines that caches exchange whole, and the slabs from which frames are made.
 * Invariant: a frame that was made is live, in one cache, in one magazine of the depot, or loose; a slab is fresh exactly
 * while it has frames that were never made. */
#include "frame_parts.h"

#include "../runtime/base/status.h"

#include <stdlib.h>
#include <sys/mman.h>

/* -- slabs -------------------------------------------------------------------------------------------- */

/* A mapping aligned to its own length, so that a frame's address tells where its slab begins. */
static void *map_aligned(size_t bytes)
{
    char *from = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (from == MAP_FAILED)
        return NULL;
    size_t before = (bytes - (uintptr_t)from % bytes) % bytes;
    if (before > 0)
        munmap(from, before);
    munmap(from + before + bytes, bytes - before);
    return from + before;
}

/* A record that is not in use, or a new one. */
static struct tp_frame_slab *take_record(struct tp_frames *frames)
{
    tp_spin_lock(&frames->lock);
    struct tp_frame_slab *slab = tp_load_rlx(&frames->known); /* relaxed: written under this lock */
    while (slab && slab->is_taken)
        slab = slab->next_known;
    if (slab)
        slab->is_taken = true;
    tp_spin_unlock(&frames->lock);
    if (slab)
        return slab;
#if TP_DEBUG
    slab = calloc(1, sizeof *slab + frames->per_slab);
#else
    slab = calloc(1, sizeof *slab);
#endif
    if (slab) {
        slab->is_taken = true;
        tp_spin_lock(&frames->lock);
        slab->next_known = tp_load_rlx(&frames->known); /* relaxed: see above */
        tp_store_rel(&frames->known, slab);             /* pairs with the acquire in slab_of_any */
        tp_spin_unlock(&frames->lock);
    }
    return slab;
}

/* AddressSanitizer knows the slab: its frames are idle, and what only a live one knows is no leak. */
static void watch(const struct tp_frames *frames, char *base)
{
    tp__check_keep_roots(base, frames->slab_bytes);
    tp__check_poison(base + frames->first, frames->slab_bytes - frames->first);
}

static void unwatch(const struct tp_frames *frames, char *base)
{
    tp__check_drop_roots(base, frames->slab_bytes);
    tp__check_unpoison(base, frames->slab_bytes);
}

/* One slab more; false if the system refuses. */
static bool grow(struct tp_frames *frames)
{
    struct tp_frame_slab *slab = take_record(frames);
    if (!slab)
        return false;
    char *base = map_aligned(frames->slab_bytes);
    if (base)
        watch(frames, base);
    tp_spin_lock(&frames->lock);
    slab->is_taken = base != NULL;
    if (base) {
        *(struct tp_frame_slab **)(void *)base = slab;
        slab->n_made = 0;
        slab->next_fresh = frames->fresh;
        frames->fresh = slab;
        frames->n_slabs++;
        tp_store_rel(&slab->base, (uintptr_t)base); /* pairs with the acquire in slab_of_any */
    }
    tp_spin_unlock(&frames->lock);
    return base != NULL;
}

/* The mapping goes; false, with all as it was, if the system refuses to split what it keeps as one with its neighbours. */
static bool unmap(const struct tp_frames *frames, struct tp_frame_slab *slab)
{
    char *base = (char *)tp_load_rlx(&slab->base); /* relaxed: the caller alone has the slab */
    unwatch(frames, base);
    tp_store_rel(&slab->base, 0); /* before the memory goes; pairs with the acquire in slab_of_any */
    if (munmap(base, frames->slab_bytes) == 0)
        return true;
    watch(frames, base);
    tp_store_rel(&slab->base, (uintptr_t)base); /* as in grow */
    return false;
}

static struct tp_frame_slab *slab_of(const struct tp_frames *frames, const void *frame)
{
    return *(struct tp_frame_slab **)((uintptr_t)frame & ~(uintptr_t)(frames->slab_bytes - 1));
}

#if TP_DEBUG
/* The slab of any address; NULL if it is in none. */
static struct tp_frame_slab *slab_of_any(const struct tp_frames *frames, uintptr_t address)
{
    struct tp_frame_slab *slab = tp_load_acq(&frames->known); /* pairs with the release in take_record */
    /* Acquire: pairs with the releases in grow and unmap. */
    while (slab && tp_load_acq(&slab->base) != (address & ~(uintptr_t)(frames->slab_bytes - 1)))
        slab = slab->next_known;
    return slab;
}

void tp__frame_mark(const struct tp_frames *frames, const void *frame, bool is_live)
{
    struct tp_frame_slab *slab = slab_of_any(frames, (uintptr_t)frame);
    if (!slab)
        tp__broken(__FILE__, __LINE__, "a frame is given back to its own pool");
    size_t offset = (uintptr_t)frame % frames->slab_bytes - frames->first;
    if (offset % frames->stride != 0 || offset / frames->stride >= frames->per_slab)
        tp__broken(__FILE__, __LINE__, "what is given back is the beginning of a frame");
    if (tp_swap_acq(&slab->is_live[offset / frames->stride], is_live) == is_live) /* acquire: no partner, the last one wins */
        tp__broken(__FILE__, __LINE__, "a frame is given back once");
}
#endif

/* -- what the depot has: the caller has the lock ------------------------------------------------------ */

static void *take_loose(struct tp_frames *frames)
{
    void **frame = frames->loose;
    if (!frame)
        return NULL;
    tp__check_unpoison(frame, sizeof *frame);
    frames->loose = *frame;
    tp__check_poison(frame, sizeof *frame);
    frames->n_idle--;
    return frame;
}

/* A frame that is new, as far as the maximum and the slabs go. */
static void *make(struct tp_frames *frames)
{
    struct tp_frame_slab *slab = frames->fresh;
    if (!slab || frames->n_made == frames->max)
        return NULL;
    /* Relaxed: written under this lock. */
    void *frame = (char *)tp_load_rlx(&slab->base) + frames->first + frames->stride * slab->n_made;
    if (++slab->n_made == frames->per_slab)
        frames->fresh = slab->next_fresh;
    frames->n_made++;
    return frame;
}

/* Loose frames, then new ones, the first of which comes out first. */
static void fill(struct tp_frames *frames, struct tp_frame_magazine *magazine, uint64_t n_max)
{
    uint32_t n = 0, room = n_max < frames->rounds ? (uint32_t)n_max : frames->rounds;
    void *frame;
    while (n < room && ((frame = take_loose(frames)) || (frame = make(frames))))
        magazine->frames[n++] = frame;
    magazine->n = n;
    for (uint32_t i = 0; i < n / 2; i++) {
        frame = magazine->frames[i];
        magazine->frames[i] = magazine->frames[n - 1 - i];
        magazine->frames[n - 1 - i] = frame;
    }
}

void tp__frames_leave(struct tp_frames *frames, struct tp_frame_magazine *magazine)
{
    struct tp_frame_magazine **list = magazine->n > 0 ? &frames->full : &frames->empty;
    magazine->next = *list;
    *list = magazine;
    frames->n_idle += magazine->n;
}

void tp__frames_leave_one(struct tp_frames *frames, void *frame)
{
    tp__check_unpoison(frame, sizeof(void *));
    *(void **)frame = frames->loose;
    tp__check_poison(frame, sizeof(void *));
    frames->loose = frame;
    frames->n_idle++;
}

static struct tp_frame_magazine *take_full(struct tp_frames *frames)
{
    struct tp_frame_magazine *magazine = frames->full;
    frames->full = magazine->next;
    frames->n_idle -= magazine->n;
    return magazine;
}

static struct tp_frame_magazine *take_empty(struct tp_frames *frames)
{
    struct tp_frame_magazine *magazine = frames->empty;
    if (magazine)
        frames->empty = magazine->next;
    return magazine;
}

/* -- exchanges ---------------------------------------------------------------------------------------- */

static struct tp_frame_magazine *new_magazine(const struct tp_frames *frames)
{
    struct tp_frame_magazine *magazine = malloc(sizeof *magazine + frames->rounds * sizeof *magazine->frames);
    if (magazine)
        magazine->n = 0;
    return magazine;
}

/* There was no frame: is there more to come from the system? The caller has the lock, and not any more afterwards. */
static bool unlock_and_grow(struct tp_frames *frames)
{
    bool may_grow = frames->n_made < frames->max;
    if (!may_grow)
        frames->n_refused++;
    tp_spin_unlock(&frames->lock);
    if (!may_grow || grow(frames))
        return may_grow;
    tp_spin_lock(&frames->lock);
    frames->n_refused++;
    tp_spin_unlock(&frames->lock);
    return false;
}

struct tp_frame_magazine *tp__frames_get(struct tp_frames *frames, struct tp_frame_magazine *empty)
{
    do {
        struct tp_frame_magazine *magazine = empty;
        tp_spin_lock(&frames->lock);
        if (frames->full) {
            magazine = take_full(frames);
            empty->n = 0;
            tp__frames_leave(frames, empty);
        } else {
            fill(frames, empty, UINT64_MAX);
        }
        if (magazine->n > 0) {
            frames->n_visits++;
            tp_spin_unlock(&frames->lock);
            return magazine;
        }
    } while (unlock_and_grow(frames));
    return NULL;
}

struct tp_frame_magazine *tp__frames_put(struct tp_frames *frames, struct tp_frame_magazine *full)
{
    tp_spin_lock(&frames->lock);
    struct tp_frame_magazine *empty = take_empty(frames);
    if (!empty) {
        tp_spin_unlock(&frames->lock);
        empty = new_magazine(frames);
        if (!empty)
            return NULL;
        tp_spin_lock(&frames->lock);
    }
    if (full) {
        tp__frames_leave(frames, full);
        frames->n_visits++;
    }
    tp_spin_unlock(&frames->lock);
    return empty;
}

void *tp__frames_take_one(struct tp_frames *frames)
{
    do {
        tp_spin_lock(&frames->lock);
        void *frame = NULL;
        if (frames->full) {
            struct tp_frame_magazine *magazine = take_full(frames);
            frame = magazine->frames[--magazine->n];
            tp__frames_leave(frames, magazine);
        } else if (!(frame = take_loose(frames))) {
            frame = make(frames);
        }
        if (frame) {
            frames->n_new_before++;
            frames->n_visits++;
            tp_spin_unlock(&frames->lock);
            return frame;
        }
    } while (unlock_and_grow(frames));
    return NULL;
}

/* One byte of each page, and the last. */
static void touch(const struct tp_frames *frames, const struct tp_frame_magazine *magazine)
{
    for (uint32_t i = 0; i < magazine->n; i++) {
        char *frame = magazine->frames[i];
        tp__check_unpoison(magazine->frames[i], frames->stride);
        for (size_t at = 0; at < frames->stride; at += TP_FRAME_ALIGN_MAX)
            frame[at] = 0;
        frame[frames->stride - 1] = 0;
        tp__check_poison(magazine->frames[i], frames->stride);
    }
}

int tp__frames_reserve(struct tp_frames *frames, uint64_t n)
{
    uint64_t n_made = 0;
    while (n_made < n) {
        struct tp_frame_magazine *magazine = new_magazine(frames);
        if (!magazine)
            return TP_ENOMEM;
        tp_spin_lock(&frames->lock);
        fill(frames, magazine, n - n_made);
        tp_spin_unlock(&frames->lock);
        touch(frames, magazine);
        n_made += magazine->n;
        bool is_dry = magazine->n == 0;
        tp_spin_lock(&frames->lock);
        tp__frames_leave(frames, magazine);
        tp_spin_unlock(&frames->lock);
        if (is_dry && !grow(frames))
            return TP_ENOMEM;
    }
    return 0;
}

/* -- giving back -------------------------------------------------------------------------------------- */

/* Frees a list of magazines, which are empty or whose frames are gone. */
static void free_magazines(struct tp_frame_magazine *magazine)
{
    while (magazine) {
        struct tp_frame_magazine *next = magazine->next;
        free(magazine);
        magazine = next;
    }
}

/* The caller has the lock. */
static void count_idle(struct tp_frames *frames)
{
    struct tp_frame_slab *slab = tp_load_rlx(&frames->known); /* relaxed: written under this lock */
    for (; slab; slab = slab->next_known)
        slab->n_idle = 0;
    for (struct tp_frame_magazine *magazine = frames->full; magazine; magazine = magazine->next)
        for (uint32_t i = 0; i < magazine->n; i++)
            slab_of(frames, magazine->frames[i])->n_idle++;
    for (void *frame = frames->loose; frame;) {
        slab_of(frames, frame)->n_idle++;
        tp__check_unpoison(frame, sizeof(void *));
        void *next = *(void **)frame;
        tp__check_poison(frame, sizeof(void *));
        frame = next;
    }
}

/* Marks slabs that are wholly idle until no more of them stay than may; returns these as a list, without those that another
 * thread is about to unmap. The caller has the lock. */
static struct tp_frame_slab *choose(struct tp_frames *frames, size_t keep_bytes)
{
    size_t idle_bytes = 0;
    struct tp_frame_slab *known = tp_load_rlx(&frames->known), *slab, *gone = NULL; /* relaxed: written under this lock */
    /* Relaxed: as before. */
    for (slab = known; slab; slab = slab->next_known)
        if (tp_load_rlx(&slab->base) != 0 && !slab->goes && slab->n_idle == slab->n_made)
            idle_bytes += frames->slab_bytes;
    for (slab = known; slab && idle_bytes > keep_bytes; slab = slab->next_known) {
        /* Relaxed: as before. */
        if (tp_load_rlx(&slab->base) == 0 || slab->goes || slab->n_idle != slab->n_made)
            continue;
        slab->goes = true;
        slab->next_gone = gone;
        gone = slab;
        idle_bytes -= frames->slab_bytes;
        frames->n_made -= slab->n_made;
        frames->n_slabs--;
    }
    return gone;
}

/* The frames of slabs that go leave the depot, where they were idle. The caller has the lock. */
static void sift(struct tp_frames *frames)
{
    struct tp_frame_magazine *magazine = frames->full;
    frames->full = NULL;
    frames->n_idle = 0;
    struct tp_frame_magazine *turned = NULL;
    while (magazine) {
        struct tp_frame_magazine *next = magazine->next;
        uint32_t n = 0;
        for (uint32_t i = 0; i < magazine->n; i++)
            if (!slab_of(frames, magazine->frames[i])->goes)
                magazine->frames[n++] = magazine->frames[i];
        magazine->n = n;
        magazine->next = turned;
        turned = magazine;
        magazine = next;
    }
    while (turned) {
        struct tp_frame_magazine *next = turned->next;
        tp__frames_leave(frames, turned);
        turned = next;
    }
    for (void *frame = frames->loose, *next = (frames->loose = NULL); frame; frame = next) {
        tp__check_unpoison(frame, sizeof(void *));
        next = *(void **)frame;
        tp__check_poison(frame, sizeof(void *));
        if (!slab_of(frames, frame)->goes)
            tp__frames_leave_one(frames, frame);
    }
}

/* Slabs that go are not fresh any more. The caller has the lock. */
static void sift_fresh(struct tp_frames *frames)
{
    struct tp_frame_slab **end = &frames->fresh;
    while (*end) {
        if ((*end)->goes)
            *end = (*end)->next_fresh;
        else
            end = &(*end)->next_fresh;
    }
}

size_t tp_frames_trim(struct tp_frames *frames, size_t keep_bytes)
{
    tp_frames_flush(frames);
    tp_spin_lock(&frames->lock);
    count_idle(frames);
    struct tp_frame_slab *slab = choose(frames, keep_bytes);
    sift(frames);
    sift_fresh(frames);
    struct tp_frame_magazine *spare = frames->empty;
    frames->empty = NULL;
    tp_spin_unlock(&frames->lock);
    free_magazines(spare);
    size_t n_bytes = 0;
    while (slab) {
        struct tp_frame_slab *next = slab->next_gone;
        bool is_gone = unmap(frames, slab);
        tp_spin_lock(&frames->lock);
        slab->goes = false;
        slab->is_taken = !is_gone;
        if (is_gone) {
            frames->n_unmapped++;
            n_bytes += frames->slab_bytes;
        } else {
            slab->n_made = 0;
            slab->next_fresh = frames->fresh;
            frames->fresh = slab;
            frames->n_slabs++;
        }
        tp_spin_unlock(&frames->lock);
        slab = next;
    }
    return n_bytes;
}

void tp__frames_unmap_all(struct tp_frames *frames)
{
    free_magazines(frames->full);
    free_magazines(frames->empty);
    struct tp_frame_slab *slab = tp_load_rlx(&frames->known); /* relaxed: nobody else is there */
    while (slab) {
        struct tp_frame_slab *next = slab->next_known;
        if (tp_load_rlx(&slab->base) != 0) /* relaxed: as before */
            unmap(frames, slab);
        free(slab);
        slab = next;
    }
}
