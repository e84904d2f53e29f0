/* The depot: idle stacks that are in no thread's cache, by class and slab.
 * Which stacks of a slab are idle stands in the slab's front, not in the stacks, so that one without memory stays so.
 * Invariant: a slab is in its class's list exactly while it has idle stacks; those with warm ones come first. */
#include "stack_parts.h"

#include <string.h>

enum { BATCH = 64,        /* stacks that are given back under one visit to the lock */
    STEP_MAX = 1 << 14 }; /* stacks of a class in one step of tp_stack_tend: some milliseconds */

struct depot {
    tp_line_aligned struct tp_spin lock;
    struct tp_slab *first, *last;
    uint64_t n_slabs, n_stacks, n_warm, n_cold;
    uint64_t n_away;     /* being given back */
    uint64_t n_surplus;  /* the fewest warm ones since the last step of tp_stack_tend */
    uint64_t n_reserved; /* warm ones that such a step leaves */
};

static struct depot depots[TP_STACK_CLASSES]; /* zeroed memory is a free lock */
static tp_atomic(uint64_t) next_step_ns;

/* -- the list of a class: the caller has the lock ----------------------------------------------------- */

static void unlist(struct depot *depot, struct tp_slab *slab)
{
    if (!slab->is_listed)
        return;
    *(slab->prev ? &slab->prev->next : &depot->first) = slab->next;
    *(slab->next ? &slab->next->prev : &depot->last) = slab->prev;
    slab->is_listed = false;
}

/* Puts the slab where it belongs: to the front if it has warm stacks, to the back if only cold ones. */
static void list(struct depot *depot, struct tp_slab *slab)
{
    unlist(depot, slab);
    bool is_warm = tp__slab_n_warm(slab) > 0;
    if (!is_warm && tp__slab_n_cold(slab) == 0)
        return;
    slab->prev = is_warm ? NULL : depot->last;
    slab->next = is_warm ? depot->first : NULL;
    *(slab->prev ? &slab->prev->next : &depot->first) = slab;
    *(slab->next ? &slab->next->prev : &depot->last) = slab;
    slab->is_listed = true;
}

static void add_slab(struct depot *depot, struct tp_slab *slab)
{
    depot->n_slabs++;
    depot->n_stacks += slab->n;
    depot->n_cold += slab->n;
    list(depot, slab);
}

static void remove_slab(struct depot *depot, struct tp_slab *slab)
{
    unlist(depot, slab);
    depot->n_slabs--;
    depot->n_stacks -= slab->n;
    depot->n_warm -= tp__slab_n_warm(slab);
    depot->n_cold -= tp__slab_n_cold(slab);
    if (depot->n_surplus > depot->n_warm)
        depot->n_surplus = depot->n_warm;
}

static unsigned take_warm(struct depot *depot, struct tp_stack **out, unsigned n)
{
    unsigned n_taken = 0;
    while (n_taken < n && depot->n_warm > 0) {
        struct tp_slab *slab = depot->first;
        for (; n_taken < n && tp__slab_n_warm(slab) > 0; depot->n_warm--)
            out[n_taken++] = tp__slab_stack(slab, slab->idle[--slab->n_idle]);
        if (tp__slab_n_warm(slab) == 0)
            list(depot, slab);
    }
    if (depot->n_surplus > depot->n_warm)
        depot->n_surplus = depot->n_warm;
    return n_taken;
}

/* A stack without memory; its slab, or NULL if there is none. */
static struct tp_slab *take_cold(struct depot *depot, uint32_t *index)
{
    struct tp_slab *slab = depot->last;
    while (slab && tp__slab_n_cold(slab) == 0)
        slab = slab->prev; /* only when a reserve goes past slabs that are warm throughout */
    if (!slab)
        return NULL;
    if (slab->n_cold > 0) {
        *index = slab->idle[--slab->n_cold];
        slab->n_idle--;
        uint16_t *hole = &slab->idle[slab->n_cold];
        memmove(hole, hole + 1, tp__slab_n_warm(slab) * sizeof *hole);
    } else {
        *index = slab->n_made++;
    }
    depot->n_cold--;
    if (tp__slab_n_warm(slab) == 0 && tp__slab_n_cold(slab) == 0)
        unlist(depot, slab);
    return slab;
}

/* -- taking and putting ------------------------------------------------------------------------------- */

/* A slab more. When the system refuses, what is idle goes back first, then a smaller one is tried. */
static bool grow(unsigned class_index)
{
    struct depot *depot = &depots[class_index];
    tp_spin_lock(&depot->lock);
    uint32_t n = tp__slab_stacks_per(class_index, depot->n_stacks);
    tp_spin_unlock(&depot->lock);
    struct tp_slab *slab = tp__slab_map(class_index, n);
    if (!slab) {
        tp_stack_trim(0);
        slab = tp__slab_map(class_index, n);
    }
    while (!slab && n > 1) {
        n /= 2;
        slab = tp__slab_map(class_index, n);
    }
    if (!slab)
        return false;
    tp_spin_lock(&depot->lock);
    add_slab(depot, slab);
    tp_spin_unlock(&depot->lock);
    return true;
}

unsigned tp__depot_take(unsigned class_index, struct tp_stack **out, unsigned n)
{
    struct depot *depot = &depots[class_index];
    for (bool may_grow = true;; may_grow = grow(class_index)) {
        uint32_t index = 0;
        struct tp_slab *slab = NULL;
        tp_spin_lock(&depot->lock);
        unsigned n_taken = take_warm(depot, out, n);
        if (n_taken == 0)
            slab = take_cold(depot, &index);
        tp_spin_unlock(&depot->lock);
        if (slab)
            out[n_taken++] = tp__slab_make(slab, index);
        if (n_taken > 0 || !may_grow)
            return n_taken;
    }
}

void tp__depot_put(unsigned class_index, struct tp_stack *const *stacks, unsigned n)
{
    struct depot *depot = &depots[class_index];
    tp_spin_lock(&depot->lock);
    for (unsigned i = 0; i < n; i++) {
        struct tp_slab *slab = stacks[i]->slab;
        slab->idle[slab->n_idle++] = (uint16_t)stacks[i]->index;
        if (slab != depot->first)
            list(depot, slab);
    }
    depot->n_warm += n;
    tp_spin_unlock(&depot->lock);
}

/* Makes one more warm stack out of a cold one. */
static bool warm_one(unsigned class_index)
{
    struct depot *depot = &depots[class_index];
    for (bool may_grow = true;; may_grow = grow(class_index)) {
        uint32_t index = 0;
        tp_spin_lock(&depot->lock);
        struct tp_slab *slab = take_cold(depot, &index);
        tp_spin_unlock(&depot->lock);
        if (slab) {
            struct tp_stack *stack = tp__slab_make(slab, index);
            stack->check = tp__stack_check(stack, TP_STACK_IDLE);
            tp__stack_poison(stack);
            tp__depot_put(class_index, &stack, 1);
            return true;
        }
        if (!may_grow)
            return false;
    }
}

bool tp__depot_reserve(unsigned class_index, uint64_t n)
{
    struct depot *depot = &depots[class_index];
    for (;;) {
        tp_spin_lock(&depot->lock);
        if (depot->n_reserved < n)
            depot->n_reserved = n;
        bool is_enough = depot->n_warm >= n;
        tp_spin_unlock(&depot->lock);
        if (is_enough)
            return true;
        if (!warm_one(class_index))
            return false;
    }
}

/* -- giving back -------------------------------------------------------------------------------------- */

/* Takes the warm stacks that were released longest ago out of one slab; returns it, or NULL. */
static struct tp_slab *take_oldest(struct depot *depot, uint16_t *indices, unsigned n, unsigned *n_taken)
{
    struct tp_slab *slab = depot->last;
    while (slab && tp__slab_n_warm(slab) == 0)
        slab = slab->prev;
    if (!slab)
        return NULL;
    *n_taken = tp__slab_n_warm(slab) < n ? tp__slab_n_warm(slab) : n;
    uint16_t *oldest = &slab->idle[slab->n_cold];
    memcpy(indices, oldest, *n_taken * sizeof *oldest);
    slab->n_idle -= *n_taken;
    memmove(oldest, oldest + *n_taken, tp__slab_n_warm(slab) * sizeof *oldest);
    depot->n_away += *n_taken;
    depot->n_warm -= *n_taken;
    if (depot->n_surplus > depot->n_warm)
        depot->n_surplus = depot->n_warm;
    if (tp__slab_n_warm(slab) == 0)
        list(depot, slab);
    return slab;
}

/* Puts them back as the oldest: the first n_cold without memory. */
static void put_oldest(struct depot *depot, struct tp_slab *slab, const uint16_t *indices, unsigned n, unsigned n_cold)
{
    uint16_t *oldest = &slab->idle[slab->n_cold];
    memmove(oldest + n, oldest, tp__slab_n_warm(slab) * sizeof *oldest);
    memcpy(oldest, indices, n * sizeof *oldest);
    slab->n_idle += n;
    slab->n_cold += n_cold;
    depot->n_away -= n;
    depot->n_warm += n - n_cold;
    depot->n_cold += n_cold;
    if (!slab->is_listed || n_cold < n)
        list(depot, slab);
}

/* Gives the memory of up to n warm stacks back; returns of how many. */
static uint64_t give_back(unsigned class_index, uint64_t n)
{
    struct depot *depot = &depots[class_index];
    uint16_t indices[BATCH];
    uint64_t n_done = 0;
    while (n_done < n) {
        unsigned n_taken = 0, n_cold = 0;
        tp_spin_lock(&depot->lock);
        struct tp_slab *slab = take_oldest(depot, indices, n - n_done < BATCH ? (unsigned)(n - n_done) : BATCH, &n_taken);
        tp_spin_unlock(&depot->lock);
        if (!slab)
            break;
        while (n_cold < n_taken && tp__slab_give_back(slab, indices[n_cold]))
            n_cold++;
        tp_spin_lock(&depot->lock);
        put_oldest(depot, slab, indices, n_taken, n_cold);
        tp_spin_unlock(&depot->lock);
        n_done += n_cold;
        if (n_cold < n_taken)
            break; /* the system refuses, as for memory that is locked */
    }
    tp_add_rlx(&tp__stack_tally.n_given_back, n_done); /* relaxed: a number for those who count */
    return n_done;
}

/* Unmaps the slabs all of whose stacks are idle; unless `warm`, only if all are cold. Returns how many warm ones went. */
static uint64_t unmap_idle(unsigned class_index, bool warm)
{
    struct depot *depot = &depots[class_index];
    struct tp_slab *gone = NULL;
    uint64_t n_warm = 0;
    tp_spin_lock(&depot->lock);
    for (struct tp_slab *slab = depot->first, *next; slab; slab = next) {
        next = slab->next;
        bool is_idle = slab->n_idle == slab->n_made;
        if (!is_idle || (!warm && tp__slab_n_warm(slab) > 0))
            continue;
        n_warm += tp__slab_n_warm(slab);
        remove_slab(depot, slab);
        slab->next = gone;
        gone = slab;
    }
    tp_spin_unlock(&depot->lock);
    while (gone) {
        struct tp_slab *slab = gone;
        gone = slab->next;
        tp__slab_unmap(slab);
    }
    tp_add_rlx(&tp__stack_tally.n_given_back, n_warm); /* relaxed: a number for those who count */
    return n_warm;
}

/* How many warm stacks of this class may stay, if `*keep_bytes` may in all classes; takes them off. */
static uint64_t stay(uint64_t n_warm, size_t bytes, size_t *keep_bytes)
{
    uint64_t n = *keep_bytes / bytes < n_warm ? *keep_bytes / bytes : n_warm;
    *keep_bytes -= n * bytes;
    return n;
}

size_t tp_stack_trim(size_t keep_bytes)
{
    size_t given_bytes = 0;
    tp_stack_flush();
    for (unsigned i = 0; i < TP_STACK_CLASSES; i++) { /* the small ones stay first */
        size_t bytes = tp__stack_class_bytes(i);
        tp_spin_lock(&depots[i].lock);
        uint64_t n_warm = depots[i].n_warm;
        tp_spin_unlock(&depots[i].lock);
        uint64_t n_stay = stay(n_warm, bytes, &keep_bytes), n = 0;
        if (n_stay == 0)
            n += unmap_idle(i, true);
        if (n < n_warm - n_stay)
            n += give_back(i, n_warm - n_stay - n);
        unmap_idle(i, false);
        given_bytes += n * bytes;
    }
    return given_bytes;
}

size_t tp_stack_tend(uint64_t now_ns)
{
    struct tp_stack_settings settings;
    size_t given_bytes = 0;
    tp_stack_get_settings(&settings);
    uint64_t due_ns = tp_load_rlx(&next_step_ns);                                           /* relaxed: the exchange decides */
    if (now_ns < due_ns || !tp_cas_sc(&next_step_ns, &due_ns, now_ns + settings.period_ns)) /* losing: it is another one's */
        return 0;
    size_t keep_bytes = settings.keep_bytes;
    for (unsigned i = 0; i < TP_STACK_CLASSES; i++) {
        struct depot *depot = &depots[i];
        size_t bytes = tp__stack_class_bytes(i);
        tp_spin_lock(&depot->lock);
        uint64_t n_stay = stay(depot->n_warm, bytes, &keep_bytes);
        if (n_stay < depot->n_reserved)
            n_stay = depot->n_reserved;
        uint64_t n = n_stay < depot->n_surplus ? depot->n_surplus - n_stay : 0;
        tp_spin_unlock(&depot->lock);
        n -= n / 2;
        given_bytes += give_back(i, n < STEP_MAX ? n : STEP_MAX) * bytes;
        tp_spin_lock(&depot->lock);
        depot->n_surplus = depot->n_warm;
        tp_spin_unlock(&depot->lock);
    }
    return given_bytes;
}

void tp__depot_stats(struct tp_stack_stats *out)
{
    for (unsigned i = 0; i < TP_STACK_CLASSES; i++) {
        struct depot *depot = &depots[i];
        struct tp_stack_class_stats *stats = &out->classes[i];
        tp_spin_lock(&depot->lock);
        stats->n_slabs = depot->n_slabs;
        stats->n_warm = depot->n_warm + depot->n_away;
        stats->n_cold = depot->n_cold;
        stats->n_live = depot->n_stacks - stats->n_warm - stats->n_cold;
        tp_spin_unlock(&depot->lock);
        stats->bytes = tp__stack_class_bytes(i);
    }
}
