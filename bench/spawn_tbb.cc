// spawn, oneTBB: a task runs the children in a task_group of its own and waits for them there,
// which runs them too. The main thread waits outside the arena of n_workers threads.
#include "bench.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

using arena = oneapi::tbb::task_arena;

static uint64_t spawn_all(const struct bench *bench, void *context)
{
    arena *tasks = static_cast<arena *>(context);
    uint64_t n = bench->n_tasks;
    tasks->enqueue([n] {
        oneapi::tbb::task_group children;
        for (uint64_t i = 0; i < n; i++)
            children.run(bench_task);
        children.wait();
    });
    return bench_wait(n);
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    using limit = oneapi::tbb::global_control;
    limit threads(limit::max_allowed_parallelism, bench.n_workers + 1);
    arena tasks(static_cast<int>(bench.n_workers), 0);
    return bench_run(&bench, spawn_all, &tasks);
}
