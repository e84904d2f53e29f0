/* spawn, OpenMP (libgomp): one task of a team of n_workers creates the children and waits for
 * them with taskwait, which runs them too; while more than 64 tasks per thread are waiting,
 * libgomp runs a new child's body at once instead of queueing it. */
#include "bench.h"

#include <omp.h>
#include <stddef.h>

static uint64_t spawn_all(const struct bench *bench, void *context)
{
    (void)context;
    uint64_t n = bench->n_tasks;
#pragma omp parallel num_threads(bench->n_workers)
#pragma omp single
#pragma omp task
    {
        for (uint64_t i = 0; i < n; i++) {
#pragma omp task
            bench_task();
        }
#pragma omp taskwait
    }
    return bench_executed();
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    omp_set_dynamic(0);
    return bench_run(&bench, spawn_all, NULL);
}
