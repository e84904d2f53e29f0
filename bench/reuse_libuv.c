/* reuse, libuv: as many uv_queue_work as there are tasks in flight together, then the loop until
 * all "after" calls have come. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { TOGETHER_MAX = 64 };

static uv_work_t requests[TOGETHER_MAX];

static void run_task(uv_work_t *request)
{
    (void)request;
    bench_task();
}

static void after_task(uv_work_t *request, int status)
{
    (void)request;
    bench_check(status == 0, "libuv cancelled a request");
}

static uint64_t run_all(const struct bench *bench, void *context)
{
    for (uint64_t left = bench->n_tasks; left > 0;) {
        uint64_t n = left < bench->n_producers ? left : bench->n_producers;
        for (uint64_t i = 0; i < n; i++)
            bench_check(uv_queue_work(context, &requests[i], run_task, after_task) == 0, "uv_queue_work failed");
        uv_run(context, UV_RUN_DEFAULT);
        left -= n;
    }
    return bench_executed();
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    char size[16];
    uv_loop_t loop;
    snprintf(size, sizeof size, "%u", bench.n_workers);
    setenv("UV_THREADPOOL_SIZE", size, 1);
    bench_check(uv_loop_init(&loop) == 0, "uv_loop_init failed");
    int status = bench_run(&bench, run_all, &loop);
    bench_check(uv_loop_close(&loop) == 0, "the loop is still in use");
    return status;
}
