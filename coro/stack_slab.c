/* Slabs: many stacks in one mapping, each with a guard below it.
 * A mapping is what the system has few of (65530 by default), so a slab is one, whatever it holds: its guards are made
 * inside of it where the kernel can (MADV_GUARD_INSTALL), and by mprotect, which splits it, only within a limit.
 * Invariant: a record is found by the fault handler from the release of `base` on, and everything else in it that the
 * handler reads was written before and never changes. */
#include "stack_parts.h"

#include "../runtime/base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

enum { FIRST_SLAB_BYTES = 256 << 10,
    LARGEST_SLAB_BYTES = 64 << 20,
    STACKS_MAX = 1 << 13 }; /* indices are 16 bits wide */

static const uint64_t CANARY = UINT64_C(0x7469646570006f6c); /* no text, no address, no small number */

struct tp_stack_tally tp__stack_tally;

enum obedience { UNTRIED,
    OBEYS,
    DEAF };
static tp_atomic(unsigned) obedience; /* of the system, to MADV_GUARD_INSTALL; written by who makes the first stacks */

static struct tp_spin records_lock;       /* zeroed memory is a free lock */
static tp_atomic(struct tp_slab *) known; /* all records; written under the lock, read by the handler too */

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

size_t tp__stack_class_bytes(unsigned class_index)
{
    return round_up((size_t)TP_STACK_LEAST_BYTES << class_index, page_bytes());
}

uint32_t tp__slab_stacks_per(unsigned class_index, uint64_t n_stacks)
{
    size_t bytes = tp__stack_class_bytes(class_index) + page_bytes();
    uint64_t least = FIRST_SLAB_BYTES / bytes, most = LARGEST_SLAB_BYTES / bytes;
    uint64_t n = n_stacks > least ? n_stacks : least; /* so that the number of slabs is logarithmic at first */
    n = n < most ? n : most;
    return n == 0 ? 1 : n > STACKS_MAX ? STACKS_MAX
                                       : (uint32_t)n;
}

/* -- records ------------------------------------------------------------------------------------------ */

static bool has_shape(const struct tp_slab *slab, const struct tp_slab *shape)
{
    return slab->class_index == shape->class_index && slab->n == shape->n && slab->guard_bytes == shape->guard_bytes;
}

/* A record of this shape that is not in use, or a new one, which is not known yet. */
static struct tp_slab *take_record(const struct tp_slab *shape)
{
    tp_spin_lock(&records_lock);
    struct tp_slab *slab = tp_load_rlx(&known); /* relaxed: written under this lock */
    while (slab && (slab->is_taken || !has_shape(slab, shape)))
        slab = slab->next_known;
    if (slab)
        slab->is_taken = true;
    tp_spin_unlock(&records_lock);
    if (slab)
        return slab;
    slab = malloc(sizeof *slab);
    if (slab) {
        *slab = *shape;
        slab->is_taken = true;
        tp_spin_lock(&records_lock);
        slab->next_known = tp_load_rlx(&known); /* relaxed: see above */
        tp_store_rel(&known, slab);             /* pairs with the acquire in tp__slab_find */
        tp_spin_unlock(&records_lock);
    }
    return slab;
}

static void leave_record(struct tp_slab *slab)
{
    tp_spin_lock(&records_lock);
    slab->is_taken = false;
    tp_spin_unlock(&records_lock);
}

struct tp_slab *tp__slab_find(uintptr_t address)
{
    struct tp_slab *slab = tp_load_acq(&known); /* pairs with the release in take_record */
    for (; slab; slab = slab->next_known) {
        uintptr_t base = tp_load_acq(&slab->base); /* pairs with the release in tp__slab_map */
        if (base != 0 && address - base < slab->bytes)
            return slab;
    }
    return NULL;
}

/* -- mappings ----------------------------------------------------------------------------------------- */

static struct tp_slab shape_of(unsigned class_index, uint32_t n)
{
    struct tp_stack_settings settings;
    tp_stack_get_settings(&settings);
    struct tp_slab shape = {.n = n, .class_index = class_index};
    shape.guard_bytes = settings.guard == TP_STACK_GUARD_NONE ? 0 : round_up(settings.guard_bytes, page_bytes());
    /* A page more, for the lowest stack to overflow into if it has no guard. */
    shape.front_bytes = round_up(n * (sizeof *shape.idle + sizeof *shape.guards), page_bytes()) + page_bytes();
    shape.stride = tp__stack_class_bytes(class_index) + shape.guard_bytes;
    shape.bytes = shape.front_bytes + n * shape.stride;
    return shape;
}

struct tp_slab *tp__slab_map(unsigned class_index, uint32_t n)
{
    struct tp_slab shape = shape_of(class_index, n);
    struct tp_slab *slab = take_record(&shape);
    if (!slab)
        return NULL;
    void *base = mmap(NULL, slab->bytes, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED) {
        tp_add_rlx(&tp__stack_tally.n_refused, 1); /* relaxed: a number for those who count */
        leave_record(slab);
        return NULL;
    }
    madvise(base, slab->bytes, MADV_NOHUGEPAGE); /* else a touched page may cost 2 MiB; refused where there are no such */
    slab->idle = base;
    slab->guards = (uint8_t *)(slab->idle + n);
    slab->next = slab->prev = NULL;
    slab->is_listed = false;
    slab->n_idle = slab->n_cold = slab->n_made = 0;
    tp_store_rel(&slab->base, (uintptr_t)base);             /* pairs with the acquire in tp__slab_find */
    tp_add_rlx(&tp__stack_tally.mapped_bytes, slab->bytes); /* relaxed: a number for those who count */
    return slab;
}

void tp__slab_unmap(struct tp_slab *slab)
{
    uintptr_t base = tp_load_rlx(&slab->base); /* relaxed: only the caller changes it */
    uint64_t n_walls = 0;
    for (uint32_t i = 0; i < slab->n_made; i++)
        n_walls += slab->guards[i] == TP_STACK_GUARD_MPROTECT;
    tp__check_unpoison((char *)base, slab->bytes);
    tp_store_rel(&slab->base, 0); /* before the memory goes; pairs with the acquire in tp__slab_find */
    munmap((void *)base, slab->bytes);
    /* Relaxed: numbers for those who count, and a limit. */
    tp_add_rlx(&tp__stack_tally.mapped_bytes, 0 - (uint64_t)slab->bytes);
    tp_add_rlx(&tp__stack_tally.n_mappings, 0 - 2 * n_walls);
    tp_add_rlx(&tp__stack_tally.n_unmapped, 1);
    leave_record(slab);
}

/* -- stacks ------------------------------------------------------------------------------------------- */

/* Two mappings more: the guard, and what lies above it. */
static bool protect(char *from, size_t bytes, uint64_t mappings_max)
{
    /* Relaxed: a limit on a number; who goes beyond it takes its part back. */
    if (tp_add_rlx(&tp__stack_tally.n_mappings, 2) + 2 <= mappings_max && mprotect(from, bytes, PROT_NONE) == 0)
        return true;
    tp_add_rlx(&tp__stack_tally.n_mappings, (uint64_t)-2); /* relaxed: see above */
    return false;
}

/* A guard by advice, where that is followed. Emulators take advice without following it, so the first guard is tried: to bring
 * in what it covers must fail. No byte is looked at, which Valgrind would do itself, and die. */
static bool advise(char *from, size_t bytes)
{
    /* Relaxed, here and below: whoever looks again finds the same. */
    enum obedience before = (enum obedience)tp_load_rlx(&obedience);
    if (before == DEAF || madvise(from, bytes, MADV_GUARD_INSTALL) != 0)
        return false;
    if (before == OBEYS)
        return true;
    bool obeys = madvise(from, bytes, MADV_POPULATE_READ) != 0 && errno == EFAULT;
    tp_store_rlx(&obedience, obeys ? OBEYS : DEAF); /* relaxed: see above */
    return obeys;
}

/* The best guard that can be had, in a slab that has room for one. */
static enum tp_stack_guard install_guard(char *from, size_t bytes)
{
    struct tp_stack_settings settings;
    tp_stack_get_settings(&settings);
    if (settings.guard >= TP_STACK_GUARD_MADVISE && advise(from, bytes))
        return TP_STACK_GUARD_MADVISE;
    if (settings.guard >= TP_STACK_GUARD_MPROTECT && protect(from, bytes, settings.mappings_max))
        return TP_STACK_GUARD_MPROTECT;
    tp_add_rlx(&tp__stack_tally.n_unguarded, 1); /* relaxed: a number for those who count */
    return TP_STACK_GUARD_NONE;
}

struct tp_stack *tp__slab_make(struct tp_slab *slab, uint32_t index)
{
    struct tp_stack *stack = tp__slab_stack(slab, index);
    char *bottom = (char *)(stack + 1) - (slab->stride - slab->guard_bytes);
    tp__check_unpoison(bottom, (size_t)((char *)stack - bottom));
    if (slab->guards[index] == TP_STACK_GUARD_NONE && slab->guard_bytes > 0)
        slab->guards[index] = (uint8_t)install_guard(bottom - slab->guard_bytes, slab->guard_bytes);
    stack->low = bottom + TP_STACK_CANARY_BYTES;
    stack->top = (char *)stack;
    stack->slab = slab;
    stack->index = index;
    stack->class_index = (uint8_t)slab->class_index;
    stack->guard = slab->guards[index];
    /* Below a guarded stack the canary is the zeros that the system gave: to write it would cost a page. */
    stack->canary = stack->guard == TP_STACK_GUARD_NONE ? CANARY : 0;
    for (size_t i = 0; i < TP_STACK_CANARY_BYTES / sizeof CANARY && stack->canary != 0; i++)
        ((uint64_t *)(void *)bottom)[i] = stack->canary;
    stack->check = tp__stack_check(stack, TP_STACK_LIVE);
    return stack;
}

bool tp__slab_give_back(struct tp_slab *slab, uint32_t index)
{
    char *end = (char *)(tp__slab_stack(slab, index) + 1);
    size_t bytes = slab->stride - slab->guard_bytes;
    return madvise(end - bytes, bytes, MADV_DONTNEED) == 0; /* guards, which lie outside, stay */
}
