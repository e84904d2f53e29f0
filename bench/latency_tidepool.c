/* latency, Tidepool: the pool generated from submit.pool, one task at a time. */
#include "latency.h"

#include "empty_pool.h"

int empty_run(uintptr_t payload)
{
    latency_task(payload);
    return 0;
}

static void submit(uint64_t i, void *context)
{
    bench_check(empty_submit(context, i) == 0, "a task was refused");
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    struct empty_pool *pool;
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    bench_check(empty_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = latency_run(&bench, submit, pool);
    empty_pool_free(pool);
    return status;
}
