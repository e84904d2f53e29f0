/* fork, OpenMP (libgomp): tasks with taskwait in a team of n_workers, of which the main thread is one. */
#include "fork.h"

#include <omp.h>
#include <stddef.h>

static uint64_t fib(unsigned n)
{
    if (n < 2)
        return n;
    uint64_t other;
#pragma omp task shared(other)
    other = fib(n - 1);
    uint64_t sum = fib(n - 2);
#pragma omp taskwait
    return sum + other;
}

static uint64_t skynet(uint64_t first, uint64_t size)
{
    if (size == 1)
        return first;
    uint64_t sums[SKYNET_CHILDREN], part = size / SKYNET_CHILDREN;
    for (unsigned i = 1; i < SKYNET_CHILDREN; i++) {
#pragma omp task shared(sums) firstprivate(first, part, i)
        sums[i] = skynet(first + i * part, part);
    }
    uint64_t sum = skynet(first, part);
#pragma omp taskwait
    for (unsigned i = 1; i < SKYNET_CHILDREN; i++)
        sum += sums[i];
    return sum;
}

static uint64_t run(const struct bench *bench, void *context)
{
    uint64_t n = 0;
    (void)context;
#pragma omp parallel num_threads(bench->n_workers)
#pragma omp single
    n = fork_round(bench, fib, skynet);
    return n;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    omp_set_dynamic(0);
    return bench_run(&bench, run, NULL);
}
