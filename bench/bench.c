/* The common half of every bench program. It uses nothing of the pools it measures: of Tidepool
 * only the atomics header, so a peer's program contains no line of ours that could slow it.
 * Invariant: a lane is written by one thread only, so counting a task costs no locked operation. */
#include "bench.h"

#include "../runtime/base/align.h"
#include "../runtime/base/atomic.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LANES_MAX = 256,
    PRODUCERS_MAX = 64,
    WAIT_NS = 50000 };

struct lane {
    tp_line_aligned tp_atomic(uint64_t) n_run; /* written by its thread, read by the main thread */
};

static struct lane lanes[LANES_MAX];
static tp_atomic(unsigned) n_lanes; /* lanes given out */
static _Thread_local struct lane *own_lane;
static uint64_t n_run_before; /* the sum of all lanes when the last round ended */

void bench_check(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(2);
}

static uint64_t number(int argc, char **argv, int i, uint64_t otherwise, uint64_t max)
{
    if (i >= argc)
        return otherwise;
    char *end;
    unsigned long long value = strtoull(argv[i], &end, 10);
    bench_check(*argv[i] != '\0' && *end == '\0' && value >= 1 && value <= max,
        "usage: PROGRAM [TASKS [WORKERS [PRODUCERS [VARIANT]]]]");
    return value;
}

struct bench bench_read(int argc, char **argv)
{
    return (struct bench){
        .n_tasks = number(argc, argv, 1, 1000000, UINT64_C(1) << 32),
        .n_workers = (unsigned)number(argc, argv, 2, 2, LANES_MAX / 2),
        .n_producers = (unsigned)number(argc, argv, 3, 1, PRODUCERS_MAX),
        .variant = argc > 4 ? argv[4] : "",
    };
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t bench_time_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
    return now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

int bench_run(const struct bench *bench, uint64_t (*round)(const struct bench *, void *), void *context)
{
    uint64_t took_ns = 0, cpu_ns = 0;
    for (int i = 0; i < 2; i++) {
        uint64_t cpu_start_ns = bench_cpu_ns();
        uint64_t start_ns = bench_time_ns();
        uint64_t n_done = round(bench, context);
        took_ns = bench_time_ns() - start_ns;
        cpu_ns = bench_cpu_ns() - cpu_start_ns;
        if (n_done != bench->n_tasks) {
            fprintf(stderr, "bench: %llu tasks were asked for, %llu were done\n",
                (unsigned long long)bench->n_tasks, (unsigned long long)n_done);
            return 1;
        }
    }
    double n = (double)bench->n_tasks;
    printf("ns_per_task=%.2f cpu_ns_per_task=%.2f tasks=%llu workers=%u producers=%u\n", (double)took_ns / n,
        (double)cpu_ns / n, (unsigned long long)bench->n_tasks, bench->n_workers, bench->n_producers);
    return 0;
}

struct producer {
    pthread_t thread;
    unsigned index;
    uint64_t n;
    void (*produce)(unsigned, uint64_t, void *);
    void *context;
};

static void *producer_thread(void *argument)
{
    struct producer *self = argument;
    self->produce(self->index, self->n, self->context);
    return NULL;
}

void bench_produce(const struct bench *bench, void (*produce)(unsigned producer, uint64_t n, void *context),
    void *context)
{
    unsigned n_producers = bench->n_producers;
    if (n_producers == 1) {
        produce(0, bench->n_tasks, context);
        return;
    }
    struct producer producers[PRODUCERS_MAX];
    for (unsigned i = 0; i < n_producers; i++) {
        uint64_t n = bench->n_tasks / n_producers + (i < bench->n_tasks % n_producers ? 1 : 0);
        producers[i] = (struct producer){.index = i, .n = n, .produce = produce, .context = context};
        bench_check(pthread_create(&producers[i].thread, NULL, producer_thread, &producers[i]) == 0,
            "cannot start a producer");
    }
    for (unsigned i = 0; i < n_producers; i++)
        pthread_join(producers[i].thread, NULL);
}

void bench_task(void)
{
    if (!own_lane) {
        unsigned i = tp_add_rlx(&n_lanes, 1); /* relaxed: only uniqueness matters */
        bench_check(i < LANES_MAX, "too many threads run tasks");
        own_lane = &lanes[i];
    }
    /* Release: pairs with the acquire in n_run_ever, for programs that wait by looking.
     * Relaxed: this thread alone writes the lane. */
    tp_store_rel(&own_lane->n_run, tp_load_rlx(&own_lane->n_run) + 1);
}

static uint64_t n_run_ever(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < LANES_MAX; i++)
        sum += tp_load_acq(&lanes[i].n_run);
    return sum;
}

uint64_t bench_executed(void)
{
    uint64_t ever = n_run_ever(), n = ever - n_run_before;
    n_run_before = ever;
    return n;
}

uint64_t bench_wait(uint64_t n)
{
    const struct timespec pause = {.tv_nsec = WAIT_NS};
    while (n_run_ever() - n_run_before < n)
        nanosleep(&pause, NULL);
    return bench_executed();
}
