/* The inside of a multi-pool, for runtime/multi.c (who gets a task) and runtime/multi_all.c (what concerns all).
 * Invariant: members are written by tp_multi_open alone; a line is written by the threads whose index it has, and
 * read by others only to sum `accepted` (docs/multipool.md). */
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

/* What the submitters of one thread index write, alone on its cache line. */
struct tp_multi_line {
    tp_line_aligned tp_atomic(uint64_t) turn; /* whose turn it is, modulo the members; publishes nothing */
    tp_atomic(uint64_t) n_accepted;           /* tasks handed over through this line; only grows [MULTI-1] */
};

struct tp_multi {
    uint32_t n_members, n_lines; /* n_lines is a power of two */
    uint32_t n_classes;          /* that every member has */
    bool can_spawn;              /* every member has tracking */
    enum tp_balance balance;
    size_t payload_bytes;
    struct tp_multi_line *lines;
    struct tp_multi_pool members[];
};

/* Gives each line its first turn: neighbours begin with different members. */
static inline void tp__multi_rewind(struct tp_multi *multi)
{
    for (uint32_t i = 0; i < multi->n_lines; i++)
        tp_store_rlx(&multi->lines[i].turn, i); /* relaxed: a submitter in between loses nothing but evenness */
}

/* Is the caller a task of this member? Only then join_all answers TP_EDEADLK. */
static inline bool tp__multi_is_inside(const struct tp_multi_pool *member)
{
    return member->ops->join_all(member->pool, 0) == TP_EDEADLK;
}

#endif
