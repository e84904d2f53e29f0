/* fork, without any: plain calls in one thread. The function stays a function: inlined into itself some levels deep, as a
 * compiler may, it would be another one than that of the others. */
#include "fork.h"

static __attribute__((noinline)) uint64_t fib(unsigned n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static __attribute__((noinline)) uint64_t skynet(uint64_t first, uint64_t size)
{
    if (size == 1)
        return first;
    uint64_t sum = 0, part = size / SKYNET_CHILDREN;
    for (uint64_t i = 0; i < SKYNET_CHILDREN; i++)
        sum += skynet(first + i * part, part);
    return sum;
}

static uint64_t run(const struct bench *bench, void *context)
{
    (void)context;
    return fork_round(bench, fib, skynet);
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    return bench_run(&bench, run, NULL);
}
