/* The two trees of the fork workloads, for C and C++.
 * fib: a call above 1 forks one of its two calls; tasks are forks. skynet: a node has ten children down to the leaves, each
 * of which gives its number; tasks are leaves. A round is right if the result is. */
#ifndef BENCH_FORK_H
#define BENCH_FORK_H

#include "bench.h"

#include <string.h>

enum { SKYNET_CHILDREN = 10 };

/* The n of which fib(n) forks so many times; *result receives fib(n). */
static inline unsigned fib_of(uint64_t n_forks, uint64_t *result)
{
    uint64_t forks = 0, before = 0; /* of n, n - 1 */
    uint64_t value = 1, value_before = 0;
    unsigned n = 1;
    while (forks < n_forks) {
        uint64_t forks_next = forks + before + 1, value_next = value + value_before;
        before = forks;
        forks = forks_next;
        value_before = value;
        value = value_next;
        n++;
    }
    bench_check(forks == n_forks, "no fib(n) forks so many times");
    *result = value;
    return n;
}

static inline uint64_t skynet_sum(uint64_t n_leaves)
{
    uint64_t power = 1;
    while (power < n_leaves)
        power *= SKYNET_CHILDREN;
    bench_check(power == n_leaves, "leaves are a power of ten");
    return n_leaves * (n_leaves - 1) / 2;
}

/* One round of the tree that the variant names, by these functions. Returns the tasks done. */
static inline uint64_t fork_round(const struct bench *bench, uint64_t (*fib)(unsigned n), uint64_t (*skynet)(uint64_t first, uint64_t size))
{
    uint64_t result;
    if (strncmp(bench->variant, "skynet", 6) == 0)
        return skynet(0, bench->n_tasks) == skynet_sum(bench->n_tasks) ? bench->n_tasks : 0;
    unsigned n = fib_of(bench->n_tasks, &result);
    return fib(n) == result ? bench->n_tasks : 0;
}

#endif
