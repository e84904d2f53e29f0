/* submit, OpenMP (libgomp): the producers create tasks, the rest of the team waits at the
 * region's end and runs them there. OpenMP has no producer outside the team: a producer runs
 * tasks too once it has created its own, and while more than 64 tasks per thread are waiting
 * it runs the body at once instead of creating a task. Variants: "" for a team of the workers
 * alone, producers being among them; "extra" for producers besides the workers. */
#include "bench.h"

#include <omp.h>
#include <string.h>

static uint64_t submit_all(const struct bench *bench, void *context)
{
    const unsigned *n_threads = context;
    unsigned n_producers = bench->n_producers < *n_threads ? bench->n_producers : *n_threads;
#pragma omp parallel num_threads(*n_threads)
    {
        unsigned id = (unsigned)omp_get_thread_num();
        uint64_t n = id >= n_producers ? 0 : bench->n_tasks / n_producers + (id < bench->n_tasks % n_producers ? 1 : 0);
        for (uint64_t i = 0; i < n; i++) {
#pragma omp task
            bench_task();
        }
    }
    return bench_executed();
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    unsigned n_extra = strcmp(bench.variant, "extra") == 0 ? bench.n_producers : 0;
    unsigned n_threads = bench.n_workers + n_extra;
    omp_set_dynamic(0);
    return bench_run(&bench, submit_all, &n_threads);
}
