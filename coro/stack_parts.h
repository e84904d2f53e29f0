/* What the files of the stacks share: slabs, the depot, and words with the sanitizers. For coro/stack*.c alone. */
#ifndef TP_STACK_PARTS_H
#define TP_STACK_PARTS_H

#include "stack.h"

#include "../runtime/base/align.h"
#include "../runtime/base/atomic.h"
#include "../runtime/base/spin.h"
#include "sanitize.h"

/* One mapping with room for n stacks: the front, with the two arrays, then guard and stack, n times.
 * The record is never freed, so that a signal handler may walk through all of them; all but `base` in the first part
 * stays as it is once the record is known, and a record is used again for a slab of the same shape. */
struct tp_slab {
    tp_atomic(uintptr_t) base; /* 0: not mapped. Written by who maps and unmaps; publishes the mapping to the handler */
    struct tp_slab *next_known;
    size_t bytes, front_bytes, stride, guard_bytes;
    uint32_t n, class_index;

    bool is_taken; /* mapped or about to be; guarded by the records' lock */

    /* Guarded by the lock of the class. */
    struct tp_slab *next, *prev; /* in the depot's list, while it has idle stacks */
    bool is_listed;
    uint16_t *idle;                  /* first the cold ones, then the warm ones, the last released at the end */
    uint32_t n_idle, n_cold, n_made; /* those from n_made on have never been used */

    uint8_t *guards; /* of each stack; written by who makes it. enum tp_stack_guard */
};

_Static_assert(sizeof(struct tp_stack) == 64, "the header is as long as its alignment");

/* Live and idle stacks differ in their `check`, which also tells that the header is whole. */
enum tp_stack_state { TP_STACK_LIVE = 0x5,
    TP_STACK_IDLE = 0xa };

/* Differs from stack to stack, so that a copy of a header is none. */
static inline uintptr_t tp__stack_check(const struct tp_stack *stack, enum tp_stack_state state)
{
    return ((uintptr_t)stack ^ (uintptr_t)0x9e3779b97f4a7c15u) + state;
}

/* The stacks of the slab that have no owner and no memory. */
static inline uint32_t tp__slab_n_cold(const struct tp_slab *slab)
{
    return slab->n_cold + (slab->n - slab->n_made);
}

/* Those that have memory, and no owner. */
static inline uint32_t tp__slab_n_warm(const struct tp_slab *slab)
{
    return slab->n_idle - slab->n_cold;
}

/* The header of a stack, which need not be there yet. */
static inline struct tp_stack *tp__slab_stack(const struct tp_slab *slab, uint32_t index)
{
    /* Relaxed: the caller has the class's lock, or a stack of the slab. */
    uintptr_t end = tp_load_rlx(&slab->base) + slab->front_bytes + slab->stride * (index + 1);
    return (struct tp_stack *)(end - sizeof(struct tp_stack));
}

/* The stack's first byte, that of the canary. */
static inline char *tp__stack_bottom(const struct tp_stack *stack)
{
    return stack->low - TP_STACK_CANARY_BYTES;
}

/* To AddressSanitizer, idle stacks are poison, from the canary up to the header. */
static inline void tp__stack_poison(const struct tp_stack *stack)
{
    tp__check_poison(tp__stack_bottom(stack), (size_t)(stack->top - tp__stack_bottom(stack)));
}

/* The way back. */
static inline void tp__stack_unpoison(const struct tp_stack *stack)
{
    tp__check_unpoison(tp__stack_bottom(stack), (size_t)(stack->top - tp__stack_bottom(stack)));
}

/* Numbers of the whole process, for tp_stack_stats. */
struct tp_stack_tally {
    tp_atomic(uint64_t) n_unguarded, n_given_back, n_unmapped, n_refused, n_mappings, mapped_bytes;
};
extern struct tp_stack_tally tp__stack_tally;

/* -- stack_slab.c ---------------------------------------------------------------------------------- */

/* tp__slab_map: a new slab of n stacks, none of them made.
 * Returns NULL if the system refuses.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
struct tp_slab *tp__slab_map(unsigned class_index, uint32_t n);

/* tp__slab_unmap: the end of a slab that is in no list and has no live stack.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__slab_unmap(struct tp_slab *slab);

/* tp__slab_make: guard, header and canary of a stack that the caller has taken out of the slab. It is live.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_stack *tp__slab_make(struct tp_slab *slab, uint32_t index);

/* tp__slab_give_back: the memory of an idle stack goes to the system.
 * Returns false if the system refuses.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp__slab_give_back(struct tp_slab *slab, uint32_t index);

/* tp__slab_find: the slab in which the address lies, or NULL. Takes no lock.
 * [thread: any, signal handlers too] [suspends: no] [blocks: no] [allocates: no] */
struct tp_slab *tp__slab_find(uintptr_t address);

/* tp__slab_stacks_per: how many stacks a slab of this class should have when there are n already.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint32_t tp__slab_stacks_per(unsigned class_index, uint64_t n_stacks);

/* tp__stack_class_bytes: of a class, on this machine.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t tp__stack_class_bytes(unsigned class_index);

/* -- stack_depot.c --------------------------------------------------------------------------------- */

/* tp__depot_take: up to n warm stacks, as idle ones; or if there are none, one that is made, live.
 * Returns how many; 0 if there is no memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
unsigned tp__depot_take(unsigned class_index, struct tp_stack **out, unsigned n);

/* tp__depot_put: n idle stacks, the last released at the end.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__depot_put(unsigned class_index, struct tp_stack *const *stacks, unsigned n);

/* tp__depot_reserve: n warm stacks are there, or as many as could be had.
 * Returns false if they are fewer.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
bool tp__depot_reserve(unsigned class_index, uint64_t n);

/* tp__depot_stats: what the depot knows of each class: its stacks but those warm or cold are counted as live.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__depot_stats(struct tp_stack_stats *out);

/* -- stack_fault.c --------------------------------------------------------------------------------- */

/* tp__stack_report: say what happened to a stack, and abort.
 * [thread: any, signal handlers too] [suspends: no] [blocks: no] [allocates: no] */
_Noreturn void tp__stack_report(const struct tp_stack *stack, const char *what);

/* tp__stack_unwatch: give back the calling thread's signal stack.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__stack_unwatch(void);

#endif
