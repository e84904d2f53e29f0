/* latency, libuv: uv_queue_work on the thread pool of the process, UV_THREADPOOL_SIZE set to the
 * workers. After each submission the loop takes the "after" calls that have come, without waiting. */
#include "latency.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { IN_FLIGHT_MAX = 1024 };

static uv_work_t requests[IN_FLIGHT_MAX];
static uint64_t tasks[IN_FLIGHT_MAX]; /* the number of each request's task */

static void run_task(uv_work_t *request)
{
    latency_task(tasks[request - requests]);
}

static void after_task(uv_work_t *request, int status)
{
    bench_check(status == 0, "libuv cancelled a request");
    request->data = NULL;
}

static void submit(uint64_t i, void *context)
{
    uv_work_t *request = &requests[i % IN_FLIGHT_MAX];
    while (request->data) /* in flight since IN_FLIGHT_MAX tasks */
        uv_run(context, UV_RUN_ONCE);
    request->data = request;
    tasks[i % IN_FLIGHT_MAX] = i;
    bench_check(uv_queue_work(context, request, run_task, after_task) == 0, "uv_queue_work failed");
    uv_run(context, UV_RUN_NOWAIT);
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    char size[16];
    uv_loop_t loop;
    snprintf(size, sizeof size, "%u", bench.n_workers);
    setenv("UV_THREADPOOL_SIZE", size, 1);
    bench_check(uv_loop_init(&loop) == 0, "uv_loop_init failed");
    int status = latency_run(&bench, submit, &loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    bench_check(uv_loop_close(&loop) == 0, "the loop is still in use");
    return status;
}
