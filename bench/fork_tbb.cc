// fork, oneTBB: a task_group per node, in an arena of n_workers threads, of which the main thread is one.
#include "fork.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

static uint64_t fib(unsigned n)
{
    if (n < 2)
        return n;
    uint64_t other;
    oneapi::tbb::task_group group;
    group.run([&other, n] { other = fib(n - 1); });
    uint64_t sum = fib(n - 2);
    group.wait();
    return sum + other;
}

static uint64_t skynet(uint64_t first, uint64_t size)
{
    if (size == 1)
        return first;
    uint64_t sums[SKYNET_CHILDREN], part = size / SKYNET_CHILDREN;
    oneapi::tbb::task_group group;
    for (unsigned i = 1; i < SKYNET_CHILDREN; i++)
        group.run([&sums, first, part, i] { sums[i] = skynet(first + i * part, part); });
    uint64_t sum = skynet(first, part);
    group.wait();
    for (unsigned i = 1; i < SKYNET_CHILDREN; i++)
        sum += sums[i];
    return sum;
}

static uint64_t run(const struct bench *bench, void *context)
{
    uint64_t n = 0;
    static_cast<oneapi::tbb::task_arena *>(context)->execute([&] { n = fork_round(bench, fib, skynet); });
    return n;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    using limit = oneapi::tbb::global_control;
    limit threads(limit::max_allowed_parallelism, bench.n_workers);
    oneapi::tbb::task_arena arena(static_cast<int>(bench.n_workers));
    return bench_run(&bench, run, &arena);
}
