/* spawn, GLib: a task pushes the children into its own exclusive GThreadPool. The task does not
 * wait for them, since waiting would hold one of the pool's threads: the main thread does. */
#include "bench.h"

#include <glib.h>

struct root {
    GThreadPool *pool;
    uint64_t n_children;
};

static void run_task(gpointer task, gpointer context)
{
    struct root *root = context;
    if (task != root) {
        bench_task();
        return;
    }
    for (uint64_t i = 0; i < root->n_children; i++)
        g_thread_pool_push(root->pool, GUINT_TO_POINTER(1), NULL);
}

static uint64_t spawn_all(const struct bench *bench, void *context)
{
    struct root *root = context;
    g_thread_pool_push(root->pool, root, NULL);
    return bench_wait(bench->n_tasks);
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    struct root root = {.n_children = bench.n_tasks};
    root.pool = g_thread_pool_new(run_task, &root, (gint)bench.n_workers, TRUE, NULL);
    bench_check(root.pool != NULL, "cannot start the pool");
    int status = bench_run(&bench, spawn_all, &root);
    g_thread_pool_free(root.pool, FALSE, TRUE);
    return status;
}
