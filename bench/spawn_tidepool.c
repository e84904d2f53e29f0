/* spawn, Tidepool: the pool generated from spawn.pool. One task submits the children to its own
 * pool; the main thread waits for all, so both workers run tasks. It is built twice, for spawn.pool and
 * for spawn_bounded.pool: a parent never waits for room but runs the child itself. */
#include "bench.h"
#include "child_pool.h"

static struct child_pool *pool;

/* payload: how many children to spawn; a child's own is 0. */
int child_run(uint64_t payload)
{
    if (payload == 0) {
        bench_task();
        return 0;
    }
    for (uint64_t i = 0; i < payload; i++)
        bench_check(child_submit(pool, 0) == 0, "a child was refused");
    return 0;
}

static uint64_t spawn_all(const struct bench *bench, void *context)
{
    (void)context;
    bench_check(child_submit(pool, bench->n_tasks) == 0, "the parent was refused");
    bench_check(child_join_all(pool, TP_FOREVER) == 0, "cannot wait for the children");
    return bench_executed();
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    bench_check(child_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = bench_run(&bench, spawn_all, NULL);
    child_pool_free(pool);
    return status;
}
