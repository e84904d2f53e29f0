/* timers, libuv: a timer each, on one loop, which one thread runs. Variant "cancel": one is started and stopped, while a thousand others
 * are started. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { OTHERS = 1000 };

static uv_loop_t loop;
static uv_timer_t *timers;

static void ring(uv_timer_t *timer)
{
    (void)timer;
    bench_task();
}

static uint64_t sleep_all(const struct bench *bench, void *context)
{
    (void)context;
    uv_update_time(&loop);
    for (uint64_t i = 1; i <= bench->n_tasks; i++)
        bench_check(uv_timer_start(&timers[i], ring, (i * UINT64_C(0x9e3779b97f4a7c15) >> 32) % 1000, 0) == 0, "cannot start a timer");
    uv_run(&loop, UV_RUN_DEFAULT);
    return bench_executed();
}

static uint64_t start_and_stop(const struct bench *bench, void *context)
{
    uint64_t n = 0;
    (void)context;
    for (uint64_t i = 0; i < bench->n_tasks; i++) {
        bench_check(uv_timer_start(&timers[0], ring, 1000 + i % 1024, 0) == 0, "cannot start a timer");
        n += uv_timer_stop(&timers[0]) == 0;
    }
    return n;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    timers = calloc(bench.n_tasks + 1, sizeof *timers);
    bench_check(timers != NULL && uv_loop_init(&loop) == 0, "cannot make a loop");
    for (uint64_t i = 0; i <= bench.n_tasks; i++)
        uv_timer_init(&loop, &timers[i]);
    if (strcmp(bench.variant, "cancel") != 0)
        return bench_run(&bench, sleep_all, NULL);
    for (uint64_t i = 1; i <= OTHERS && i <= bench.n_tasks; i++)
        uv_timer_start(&timers[i], ring, i * 1000, 0);
    return bench_run(&bench, start_and_stop, NULL);
}
