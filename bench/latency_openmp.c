/* latency, OpenMP (libgomp): a team of the workers and the producer, which creates the tasks. The
 * others wait at the region's end, as long as GOMP_SPINCOUNT says without sleeping. */
#include "latency.h"

#include <omp.h>
#include <stddef.h>

static void submit(uint64_t i, void *context)
{
    (void)context;
#pragma omp task
    latency_task(i);
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    int status = 1;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(bench.n_workers + 1)
#pragma omp single
    status = latency_run(&bench, submit, NULL);
    return status;
}
