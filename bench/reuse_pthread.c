/* reuse, POSIX threads: pthread_create and pthread_join for every task; `n_producers` is how many
 * threads are made before they are waited for. */
#include "bench.h"

#include <pthread.h>

enum { TOGETHER_MAX = 64 };

static uint64_t n_run[TOGETHER_MAX]; /* not bench_task: its lanes are for threads that stay */

static void *run_task(void *argument)
{
    ++*(uint64_t *)argument;
    return NULL;
}

static uint64_t run_all(const struct bench *bench, void *context)
{
    pthread_t threads[TOGETHER_MAX];
    uint64_t n_before = 0, n_after = 0;
    (void)context;
    for (int i = 0; i < TOGETHER_MAX; i++)
        n_before += n_run[i];
    for (uint64_t left = bench->n_tasks; left > 0;) {
        uint64_t n = left < bench->n_producers ? left : bench->n_producers;
        for (uint64_t i = 0; i < n; i++)
            bench_check(pthread_create(&threads[i], NULL, run_task, &n_run[i]) == 0, "cannot make a thread");
        for (uint64_t i = 0; i < n; i++)
            pthread_join(threads[i], NULL);
        left -= n;
    }
    for (int i = 0; i < TOGETHER_MAX; i++)
        n_after += n_run[i];
    return n_after - n_before;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    return bench_run(&bench, run_all, NULL);
}
