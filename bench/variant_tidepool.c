/* variant, Tidepool: the pools of the submit and spawn benches, but stock ones: chosen by settings when
 * the program runs, with all that a pool can have. Variants: "submit" and "spawn". */
#include "bench.h"

#include <string.h>
#include <tidepool.h>

static struct tp_pool *pool;

static int empty_run(void *argument)
{
    (void)argument;
    bench_task();
    return 0;
}

static void submit_empty(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        bench_check(tp_pool_submit(pool, empty_run, NULL) == 0, "a task was refused");
}

static int parent_run(void *argument)
{
    submit_empty(*(const uint64_t *)argument);
    return 0;
}

static void produce(unsigned producer, uint64_t n, void *context)
{
    (void)producer;
    (void)context;
    submit_empty(n);
}

static uint64_t submit_all(const struct bench *bench, void *context)
{
    bench_produce(bench, produce, context);
    bench_check(tp_pool_join_all(pool, TP_FOREVER) == 0, "cannot wait for the tasks");
    return bench_executed();
}

static uint64_t spawn_all(const struct bench *bench, void *context)
{
    (void)context;
    uint64_t n = bench->n_tasks;
    bench_check(tp_pool_submit(pool, parent_run, &n) == 0, "the parent was refused");
    bench_check(tp_pool_join_all(pool, TP_FOREVER) == 0, "cannot wait for the children");
    return bench_executed();
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    const struct tp_pool_settings settings = {.workers = bench.n_workers, .capacity = 65536, .policy = TP_POLICY_FIFO, .stealing = TP_STEALING_HALF, .overload = TP_OVERLOAD_BLOCK};
    bench_check(tp_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = bench_run(&bench, strcmp(bench.variant, "spawn") == 0 ? spawn_all : submit_all, NULL);
    tp_pool_free(pool);
    return status;
}
