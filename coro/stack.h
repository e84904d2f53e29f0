/* Stacks for coroutines: size classes, caches, guards, and what is known of their depth.
 * Invariant: a stack is live, from tp_stack_acquire to tp_stack_release, or idle, in one cache or in the depot; an idle
 * one is touched by nobody. docs/stacks.md has the picture. */
#ifndef TP_STACK_H
#define TP_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TP_STACK_CLASSES = 12,                                             /* each twice the one before */
    TP_STACK_LEAST_BYTES = 4096,                                          /* of the first; of a page, where pages are larger */
    TP_STACK_MOST_BYTES = TP_STACK_LEAST_BYTES << (TP_STACK_CLASSES - 1), /* 8 MiB */
    TP_STACK_CANARY_BYTES = 64 };

/* What stands below a stack, against an overflow. */
enum tp_stack_guard {
    TP_STACK_GUARD_NONE,     /* the canary alone: found when the stack is released */
    TP_STACK_GUARD_MPROTECT, /* pages without access; each costs the process two of its mappings */
    TP_STACK_GUARD_MADVISE   /* the same without mappings: Linux 6.13 */
};

struct tp_slab;

/* The header, at the high end of the stack's own memory. The bytes of a class are those from the canary's first to
 * the header's last, so that a stack which is used to one page's depth costs one page. */
struct tp_stack {
    char *low;            /* the lowest byte that may be used */
    char *top;            /* the first that may not: this header; 64-aligned */
    struct tp_slab *slab; /* the rest is not for users */
    uint64_t canary;
    uint32_t index;
    uint8_t class_index;
    uint8_t guard; /* enum tp_stack_guard */
    char spare[18];
    uintptr_t check; /* the last: the first that an overflow from above would meet */
};

struct tp_stack_settings {
    enum tp_stack_guard guard; /* the best kind that may be used; the next is used where it fails */
    size_t guard_bytes;        /* below each stack, rounded up to pages; 0: none */
    uint64_t mappings_max;     /* that TP_STACK_GUARD_MPROTECT may use up; beyond it, the canary alone */
    size_t keep_bytes;         /* idle memory that tp_stack_tend leaves alone */
    uint64_t period_ns;        /* at least this between two steps of tp_stack_tend */
};

/* Per class. Exact while nobody acquires, releases or trims. */
struct tp_stack_class_stats {
    size_t bytes;
    uint64_t n_live;
    uint64_t n_cached; /* idle, in the caches of threads */
    uint64_t n_warm;   /* idle, in the depot, with memory */
    uint64_t n_cold;   /* idle, in the depot, without memory: never used, or given back */
    uint64_t n_slabs;
};

struct tp_stack_stats {
    struct tp_stack_class_stats classes[TP_STACK_CLASSES];
    uint64_t n_acquired; /* since the program began, like the next five */
    uint64_t n_released;
    uint64_t n_unguarded;  /* stacks made with the canary alone, although a guard was asked for */
    uint64_t n_given_back; /* idle stacks whose memory went back to the system */
    uint64_t n_unmapped;   /* slabs */
    uint64_t n_refused;    /* mappings */
    uint64_t n_mappings;   /* used up by guards now */
    uint64_t mapped_bytes; /* of address space, now */
    uint64_t n_caches;     /* threads with a cache now */
};

/* tp_stack_acquire: a stack of its own for the caller, who may use from `low` to `top`.
 * bytes: rounded up to a class; of them, the header and the canary take 128.
 * out:   the stack; what is below `top` is undefined.
 * Returns 0, TP_EINVAL beyond TP_STACK_MOST_BYTES, or TP_ENOMEM when the system refuses memory even after all idle
 * stacks were given back to it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_stack_acquire(size_t bytes, struct tp_stack **out);

/* tp_stack_release: the stack is idle again; nobody runs on it or looks into it any more. The last one that a thread
 * has released is the first that it acquires. Aborts with a message if the canary of a stack without guard was
 * overwritten, or the header, or if the stack is not live.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_stack_release(struct tp_stack *stack);

/* tp_stack_is_whole: is the canary below the stack untouched?
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_stack_is_whole(const struct tp_stack *stack);

/* tp_stack_high_water: the most bytes below `top` that have been in use since the stack got its memory or was wiped,
 * as far as they were not zero. One system call for a stack of more than a page.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t tp_stack_high_water(const struct tp_stack *stack);

/* tp_stack_wipe: all that was ever used is zero again, so that tp_stack_high_water tells of what comes. Nobody runs
 * on the stack.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_stack_wipe(struct tp_stack *stack);

/* tp_stack_wipe_below: the same for what lies below `limit`, which nobody uses, while somebody's frames lie above.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_stack_wipe_below(struct tp_stack *stack, char *limit);

/* tp_stack_bytes: how large a stack that is acquired with this size is, with its header and canary; 0 if there is none so large.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t tp_stack_bytes(size_t bytes);

/* tp_stack_reserve: n stacks of this class are in the depot with their memory and guards, and tp_stack_tend leaves them.
 * n: in all, with those that are there or in the caller's cache; the highest number of all calls counts.
 * Returns 0, TP_EINVAL as tp_stack_acquire, or TP_ENOMEM with as many as could be had.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_stack_reserve(size_t bytes, size_t n);

/* tp_stack_trim: give memory of idle stacks back to the system, the largest classes first, what was reserved too.
 * Reaches the caller's cache and the depot, not the caches of other threads.
 * keep_bytes: idle memory that may stay, each stack counting with the bytes of its class.
 * Returns how many bytes it gave back, counted in this way.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t tp_stack_trim(size_t keep_bytes);

/* tp_stack_tend: a step of giving back, for a thread that looks after things: half of what has lain idle in the depot
 * since the last step, but for what the settings keep and what is reserved. Does nothing before the settings' period
 * is over.
 * now_ns: on one clock for all calls; of several at the same time one takes the step.
 * Returns how many bytes it gave back.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t tp_stack_tend(uint64_t now_ns);

/* tp_stack_flush: the caller's cache goes to the depot, for other threads and for tp_stack_tend.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_stack_flush(void);

/* tp_stack_thread_end: the calling thread gives back its cache and its signal stack, and gets no others. This
 * happens by itself at the thread's end, later.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_stack_thread_end(void);

/* tp_stack_get_stats: what there is now, and what has happened.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_stack_get_stats(struct tp_stack_stats *out);

/* tp_stack_get_settings: the present settings, or the defaults: the best guard, one page of it, a quarter of the mappings
 * that the system allows, 32 MiB kept, steps of a second.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_stack_get_settings(struct tp_stack_settings *out);

/* tp_stack_tune: other settings, for stacks that are made from now on; those that exist keep their guards.
 * Returns 0, or TP_EINVAL for a guard of more than TP_STACK_MOST_BYTES or of no known kind.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: no] */
int tp_stack_tune(const struct tp_stack_settings *settings);

/* tp_stack_set_namer: who knows the names of the stacks' owners, for the report of an overflow.
 * namer: called in a signal handler, for a live stack; returns NULL if its owner has none. NULL: nobody knows.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_stack_set_namer(const char *(*namer)(const struct tp_stack *stack));

/* tp_stack_watch_faults: an overflow of a stack with a guard, on the calling thread, is reported with its owner's name,
 * its size and its high-water mark, and the program aborted. The first call of the process sets a handler for SIGSEGV
 * and SIGBUS, which passes on all other faults; each thread needs a call, for its signal stack.
 * Returns 0, or TP_ENOMEM with nothing changed.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_stack_watch_faults(void);

#ifdef __cplusplus
}
#endif

#endif
