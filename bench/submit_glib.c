/* submit, GLib: g_thread_pool_push into an exclusive GThreadPool, whose threads all start with
 * the pool and stay. Its queue has no bound, and no way to wait for the last task but to end the
 * pool; so the end is seen by looking at the tasks' own count. */
#include "bench.h"

#include <glib.h>

static void run_task(gpointer task, gpointer context)
{
    (void)task;
    (void)context;
    bench_task();
}

static void produce(unsigned producer, uint64_t n, void *context)
{
    (void)producer;
    for (uint64_t i = 0; i < n; i++)
        g_thread_pool_push(context, GUINT_TO_POINTER(1), NULL);
}

static uint64_t submit_all(const struct bench *bench, void *context)
{
    bench_produce(bench, produce, context);
    return bench_wait(bench->n_tasks);
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    GThreadPool *pool = g_thread_pool_new(run_task, NULL, (gint)bench.n_workers, TRUE, NULL);
    bench_check(pool != NULL, "cannot start the pool");
    int status = bench_run(&bench, submit_all, pool);
    g_thread_pool_free(pool, FALSE, TRUE);
    return status;
}
