/* The inside of a multi-pool, for runtime/multi.c (who gets a task) and runtime/multi_all.c (what concerns all).
 * Invariant: members are written by tp_multi_open alone; a line is written by the threads whose index it has, and
 * read by others only to sum n_accepted (docs/multipool.md). */
#ifndef TP_MULTI_PARTS_H
#define TP_MULTI_PARTS_H

#include "base/align.h"
#include "base/atomic.h"
#include "multi.h"

struct tp_multi_pool {
    const struct tp_pool_ops *ops;
    void *pool;
    bool is_frank; /* full, it says so: submitting never waits, runs, drops or spills; or it is never full */
};

/* More members than these are not all looked at to find the one with the fewest tasks. */
#define TP__MULTI_SCAN_MAX 16

/* What the submitters of one thread index write, alone on its cache lines. But for n_accepted, all of it is relaxed:
 * where threads share a line and meet, what is lost is evenness. */
struct tp_multi_line {
    tp_line_aligned tp_atomic(uint32_t) turn;      /* the member whose turn it is */
    tp_atomic(uint64_t) n_accepted;                /* tasks handed over through this line; only grows [MULTI-1] */
    tp_atomic(uint64_t) tick;                      /* when the members were looked at, on a coarse clock; or draws so far */
    tp_atomic(uint32_t) n_choices;                 /* for which that look is still good */
    tp_atomic(uint32_t) loads[TP__MULTI_SCAN_MAX]; /* tasks in flight then, and what this line has handed over since */
};

struct tp_multi {
    uint32_t n_members, n_lines; /* n_lines is a power of two */
    uint32_t n_classes;          /* that every member has */
    bool can_spawn;              /* every member has tracking */
    bool is_counting;            /* some member does not count what it accepts, so we do [MULTI-1] */
    bool is_swift;               /* no need of that, and every member can be asked for one task by one call */
    enum tp_balance balance;
    size_t payload_bytes;
    struct tp_multi_line *lines;
    struct tp_multi_pool members[];
};

/* Gives each line its first turn: neighbours begin with different members. */
static inline void tp__multi_rewind(struct tp_multi *multi)
{
    for (uint32_t i = 0; i < multi->n_lines; i++) {
        /* Relaxed: a submitter in between loses nothing but evenness. */
        tp_store_rlx(&multi->lines[i].turn, i % multi->n_members);
        tp_store_rlx(&multi->lines[i].n_choices, 0);
    }
}

/* Is the caller a task of this member? Only then join_all answers TP_EDEADLK. */
static inline bool tp__multi_is_inside(const struct tp_multi_pool *member)
{
    return member->ops->join_all(member->pool, 0) == TP_EDEADLK;
}

#endif
