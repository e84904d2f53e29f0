// latency, oneTBB: task_arena::enqueue from outside an arena of n_workers threads.
#include "latency.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

using arena = oneapi::tbb::task_arena;

static void submit(uint64_t i, void *context)
{
    static_cast<arena *>(context)->enqueue([i] { latency_task(i); });
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    using limit = oneapi::tbb::global_control;
    limit threads(limit::max_allowed_parallelism, bench.n_workers + 1);
    arena tasks(static_cast<int>(bench.n_workers), 0);
    return latency_run(&bench, submit, &tasks);
}
