/* submit, libuv: uv_queue_work on the one thread pool of the process, UV_THREADPOOL_SIZE set to
 * the workers. Only a loop's own thread may queue, so each producer is a loop. The requests are
 * allocated once and used again as soon as their "after" call came, 65536 in flight at most, as
 * our pool's capacity has it; a request allocated per task would only add the allocator's time. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { IN_FLIGHT_MAX = 65536 };

struct loop {
    uv_loop_t uv;
    uv_work_t *requests;
    uv_work_t **idle; /* a stack of n_idle requests that are not in flight */
    size_t n_idle;
};

static void run_task(uv_work_t *request)
{
    (void)request;
    bench_task();
}

static void after_task(uv_work_t *request, int status)
{
    struct loop *loop = request->data;
    bench_check(status == 0, "libuv cancelled a request");
    loop->idle[loop->n_idle++] = request;
}

static void loop_open(struct loop *loop, size_t n_requests)
{
    bench_check(uv_loop_init(&loop->uv) == 0, "uv_loop_init failed");
    loop->requests = calloc(n_requests, sizeof *loop->requests);
    loop->idle = calloc(n_requests, sizeof *loop->idle);
    bench_check(loop->requests && loop->idle, "out of memory");
    loop->n_idle = n_requests;
    for (size_t i = 0; i < n_requests; i++) {
        loop->requests[i].data = loop;
        loop->idle[i] = &loop->requests[i];
    }
}

static void loop_close(struct loop *loop)
{
    bench_check(uv_loop_close(&loop->uv) == 0, "a loop is still in use");
    free(loop->idle);
    free(loop->requests);
}

static void produce(unsigned producer, uint64_t n, void *context)
{
    struct loop *loop = (struct loop *)context + producer;
    for (uint64_t i = 0; i < n; i++) {
        while (loop->n_idle == 0)
            uv_run(&loop->uv, UV_RUN_ONCE);
        uv_work_t *request = loop->idle[--loop->n_idle];
        bench_check(uv_queue_work(&loop->uv, request, run_task, after_task) == 0, "uv_queue_work failed");
    }
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static uint64_t submit_all(const struct bench *bench, void *context)
{
    bench_produce(bench, produce, context);
    return bench_executed();
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    char size[16];
    snprintf(size, sizeof size, "%u", bench.n_workers);
    setenv("UV_THREADPOOL_SIZE", size, 1);
    struct loop *loops = calloc(bench.n_producers, sizeof *loops);
    bench_check(loops != NULL, "out of memory");
    for (unsigned i = 0; i < bench.n_producers; i++)
        loop_open(&loops[i], IN_FLIGHT_MAX / bench.n_producers);
    int status = bench_run(&bench, submit_all, loops);
    for (unsigned i = 0; i < bench.n_producers; i++)
        loop_close(&loops[i]);
    free(loops);
    return status;
}
