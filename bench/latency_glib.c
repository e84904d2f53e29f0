/* latency, GLib: g_thread_pool_push into an exclusive GThreadPool. */
#include "latency.h"

#include <glib.h>

/* A task of GLib's must not be NULL, so each is one more than its number. */
static void run_task(gpointer task, gpointer context)
{
    (void)context;
    latency_task(GPOINTER_TO_SIZE(task) - 1);
}

static void submit(uint64_t i, void *context)
{
    g_thread_pool_push(context, GSIZE_TO_POINTER(i + 1), NULL);
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    GThreadPool *pool = g_thread_pool_new(run_task, NULL, (gint)bench.n_workers, TRUE, NULL);
    bench_check(pool != NULL, "cannot start the pool");
    int status = latency_run(&bench, submit, pool);
    g_thread_pool_free(pool, FALSE, TRUE);
    return status;
}
