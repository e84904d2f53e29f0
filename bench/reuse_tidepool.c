/* reuse, Tidepool: the pool generated from submit.pool. A task at a time is submitted and waited
 * for, with join_all; `n_producers` is how many tasks are in flight together. */
#include "bench.h"
#include "empty_pool.h"

int empty_run(uintptr_t payload)
{
    (void)payload;
    bench_task();
    return 0;
}

static uint64_t run_all(const struct bench *bench, void *context)
{
    for (uint64_t left = bench->n_tasks; left > 0;) {
        uint64_t n = left < bench->n_producers ? left : bench->n_producers;
        for (uint64_t i = 0; i < n; i++)
            bench_check(empty_submit(context, i) == 0, "a task was refused");
        bench_check(empty_join_all(context, TP_FOREVER) == 0, "cannot wait for the task");
        left -= n;
    }
    return bench_executed();
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    struct empty_pool *pool;
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    bench_check(empty_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = bench_run(&bench, run_all, pool);
    empty_pool_free(pool);
    return status;
}
