// submit, oneTBB. Variants: "group": task_group::run from inside an arena with a slot for each
// producer, which also runs tasks while it waits; "enqueue": task_arena::enqueue from outside an
// arena of workers only. Both leave oneTBB exactly n_workers threads of its own.
#include "bench.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <cstring>

using arena = oneapi::tbb::task_arena;

static void produce_group(unsigned, uint64_t n, void *context)
{
    static_cast<arena *>(context)->execute([n] {
        oneapi::tbb::task_group group;
        for (uint64_t i = 0; i < n; i++)
            group.run(bench_task);
        group.wait();
    });
}

static void produce_enqueue(unsigned, uint64_t n, void *context)
{
    for (uint64_t i = 0; i < n; i++)
        static_cast<arena *>(context)->enqueue(bench_task);
}

static uint64_t round_group(const struct bench *bench, void *context)
{
    bench_produce(bench, produce_group, context);
    return bench_executed();
}

static uint64_t round_enqueue(const struct bench *bench, void *context)
{
    bench_produce(bench, produce_enqueue, context);
    return bench_wait(bench->n_tasks);
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    bool enqueue = std::strcmp(bench.variant, "enqueue") == 0;
    // The limit counts the main thread, so that workers + 1 means that many workers.
    using limit = oneapi::tbb::global_control;
    limit threads(limit::max_allowed_parallelism, bench.n_workers + 1);
    unsigned n_reserved = enqueue ? 0 : bench.n_producers;
    arena tasks(static_cast<int>(bench.n_workers + n_reserved), n_reserved);
    return bench_run(&bench, enqueue ? round_enqueue : round_group, &tasks);
}
