/* mutex, Tidepool: the section of lock.h under a tp_mutex. Variants: "" for tasks in coroutines, as many as there are producers; "threads"
 * for as many threads. */
#include "bench.h"
#include "player_pool.h"

static struct tp_mutex mutex;

static void lock_enter(void)
{
    bench_check(tp_mutex_lock(&mutex, TP_FOREVER) == 0, "cannot lock");
}

static void lock_leave(void)
{
    tp_mutex_unlock(&mutex);
}

#include "lock.h"

#include <string.h>

static struct player_pool *pool;

/* payload: how often. */
int player_run(uint64_t payload)
{
    enter_often(0, payload, NULL);
    return 0;
}

static uint64_t enter_by_tasks(const struct bench *bench, void *context)
{
    (void)context;
    n_entered = 0;
    for (unsigned i = 0; i < bench->n_producers; i++) {
        uint64_t n = bench->n_tasks / bench->n_producers + (i < bench->n_tasks % bench->n_producers);
        bench_check(player_submit(pool, n) == 0, "a task was refused");
    }
    bench_check(player_join_all(pool, TP_FOREVER) == 0, "cannot wait for the tasks");
    return n_entered;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    tp_mutex_init(&mutex);
    if (strcmp(bench.variant, "threads") == 0)
        return bench_run(&bench, enter_all, NULL);
    bench_check(player_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = bench_run(&bench, enter_by_tasks, NULL);
    player_pool_free(pool);
    return status;
}
