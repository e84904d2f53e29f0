/* submit, Tidepool: the pool generated from submit.pool. Variants: "" submits one task at a time,
 * "batch" 64 with each call. A producer waits when the pool is full. */
#include "bench.h"
#include "empty_pool.h"

#include <string.h>

enum { BATCH = 64 };

int empty_run(uintptr_t payload)
{
    (void)payload;
    bench_task();
    return 0;
}

static void produce_single(unsigned producer, uint64_t n, void *context)
{
    (void)producer;
    for (uint64_t i = 0; i < n; i++)
        bench_check(empty_submit(context, i) == 0, "a task was refused");
}

static void produce_batch(unsigned producer, uint64_t n, void *context)
{
    (void)producer;
    uintptr_t payloads[BATCH] = {0};
    for (uint64_t left = n; left > 0;) {
        size_t size = left < BATCH ? left : BATCH;
        bench_check(empty_submit_batch(context, payloads, size, NULL) == 0, "a task was refused");
        left -= size;
    }
}

static uint64_t submit_all(const struct bench *bench, void *context)
{
    bench_produce(bench, strcmp(bench->variant, "batch") == 0 ? produce_batch : produce_single, context);
    bench_check(empty_join_all(context, TP_FOREVER) == 0, "cannot wait for the tasks");
    return bench_executed();
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    struct empty_pool *pool;
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    bench_check(empty_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = bench_run(&bench, submit_all, pool);
    empty_pool_free(pool);
    return status;
}
