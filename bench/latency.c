/* The common half of the latency programs: the pace, the times, the percentiles.
 * Invariant: task i alone writes waited_ns[i]; n_started publishes it. A producer that comes late
 * does not catch up, so tasks never meet each other in a queue unless one waits a whole period. */
#include "latency.h"

#include "../runtime/base/atomic.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PERIOD_NS = 100000,
    WAIT_NS = 50000 };

static uint64_t *submitted_ns, *waited_ns;
static tp_atomic(uint64_t) n_started; /* added to by tasks, read by the main thread */

void latency_task(uint64_t i)
{
    waited_ns[i] = bench_time_ns() - submitted_ns[i];
    tp_add_sc(&n_started, 1); /* at least a release: pairs with the acquire in round_of */
}

static void round_of(uint64_t n, void (*submit)(uint64_t i, void *context), void *context)
{
    const struct timespec pause = {.tv_nsec = WAIT_NS};
    uint64_t due_ns = bench_time_ns(), time_ns;
    tp_store_rlx(&n_started, 0); /* relaxed: no task is in flight */
    for (uint64_t i = 0; i < n; i++) {
        due_ns += PERIOD_NS;
        while ((time_ns = bench_time_ns()) < due_ns)
            tp_relax();
        if (time_ns > due_ns + PERIOD_NS)
            due_ns = time_ns;
        submitted_ns[i] = bench_time_ns();
        submit(i, context);
    }
    while (tp_load_acq(&n_started) < n) /* acquire: pairs with the addition in latency_task */
        nanosleep(&pause, NULL);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_us(uint64_t n, double share)
{
    uint64_t i = (uint64_t)((double)n * share);
    return (double)waited_ns[i < n ? i : n - 1] / 1000;
}

int latency_run(const struct bench *bench, void (*submit)(uint64_t i, void *context), void *context)
{
    uint64_t n = bench->n_tasks;
    submitted_ns = calloc(n, sizeof *submitted_ns);
    waited_ns = calloc(n, sizeof *waited_ns);
    bench_check(submitted_ns && waited_ns, "out of memory");
    round_of(n / 10 + 1, submit, context);
    for (uint64_t i = 0; i < n; i++)
        submitted_ns[i] = waited_ns[i] = 0; /* the memory is there now */
    uint64_t cpu_start_ns = bench_cpu_ns(), start_ns = bench_time_ns();
    round_of(n, submit, context);
    double took_ns = (double)(bench_time_ns() - start_ns);
    double cpu_ns = (double)(bench_cpu_ns() - cpu_start_ns);
    qsort(waited_ns, n, sizeof *waited_ns, compare);
    bench_check(tp_load_acq(&n_started) == n && waited_ns[0] > 0, "not every task ran once"); /* as in round_of */
    printf("p50_us=%.2f p99_us=%.2f p999_us=%.2f max_us=%.2f cpu_percent=%.1f tasks=%llu workers=%u\n",
        percentile_us(n, 0.5), percentile_us(n, 0.99), percentile_us(n, 0.999), percentile_us(n, 1),
        100 * cpu_ns / took_ns, (unsigned long long)n, bench->n_workers);
    free(waited_ns);
    free(submitted_ns);
    return 0;
}
