/* timers, Tidepool: tasks in coroutines, each of which sleeps for a random time below a second. Variants: "object": a timer each, which is
 * called; "object-ms": with a slack of a millisecond, as libuv's and Tokio's have; "cancel": an alarm is set and cleared, as each wait with a deadline does that ends before it, while a thousand others are set;
 * "cancel-object": a timer likewise. */
#include "bench.h"
#include "player_pool.h"

#include "../runtime/alarms.h"
#include "../runtime/tidepool.h"

#include <stdlib.h>

#include <string.h>

enum { OTHERS = 1000 };

static struct player_pool *pool;
static struct tp_alarms alarms;
static struct tp_alarm others[OTHERS], one;

static uint64_t duration_of(uint64_t i)
{
    return (i * UINT64_C(0x9e3779b97f4a7c15) >> 32) % TP_SECOND; /* scattered (Knuth 6.4) */
}

/* payload: any number but 0. */
int player_run(uint64_t payload)
{
    bench_check(tp_sleep_ns(duration_of(payload)) == 0, "cannot sleep");
    bench_task();
    return 0;
}

static uint64_t sleep_all(const struct bench *bench, void *context)
{
    (void)context;
    for (uint64_t i = 1; i <= bench->n_tasks; i++)
        bench_check(player_submit(pool, i) == 0, "a task was refused");
    bench_check(player_join_all(pool, TP_FOREVER) == 0, "cannot wait for the tasks");
    return bench_executed();
}

static uint64_t set_and_clear(const struct bench *bench, void *context)
{
    uint64_t n = 0, now_ns = tp_clock_now_ns();
    (void)context;
    for (uint64_t i = 0; i < bench->n_tasks; i++) {
        tp_alarm_set(&alarms, &one, now_ns + TP_SECOND + i % 1024 * TP_MILLISECOND);
        n += !tp_alarm_clear(&one);
    }
    return n;
}

/* -- timer objects ------------------------------------------------------------------------------ */

static struct tp_runtime *runtime;
static struct tp_timer *timers;
static struct tp_semaphore all_called;
static tp_atomic(uint64_t) n_left; /* relaxed: a number; the semaphore orders what follows */

static void called(void *unused)
{
    (void)unused;
    bench_task();
    if (tp_add_rlx(&n_left, (uint64_t)-1) == 1)
        tp_semaphore_release(&all_called, 1);
}

static uint64_t call_all(const struct bench *bench, void *context)
{
    (void)context;
    tp_store_rlx(&n_left, bench->n_tasks);
    for (uint64_t i = 1; i <= bench->n_tasks; i++) {
        bench_check(tp_timer_init(&timers[i], tp_runtime_target(runtime), called, NULL) == 0, "a timer was refused");
        tp_timer_set(&timers[i], tp_deadline_in_ns(duration_of(i)), 0);
    }
    bench_check(tp_semaphore_acquire(&all_called, 1, TP_FOREVER) == 0, "cannot wait for the timers");
    return bench_executed();
}

static uint64_t set_and_cancel(const struct bench *bench, void *context)
{
    uint64_t n = 0, now_ns = tp_clock_now_ns();
    (void)context;
    for (uint64_t i = 0; i < bench->n_tasks; i++) {
        tp_timer_set(&timers[0], now_ns + TP_SECOND + i % 1024 * TP_MILLISECOND, 0);
        n += tp_timer_cancel(&timers[0]) == TP_TIMER_SET;
    }
    return n;
}

static int run_objects(const struct bench *bench)
{
    bool is_cancel = strcmp(bench->variant, "cancel-object") == 0;
    if (strcmp(bench->variant, "object-ms") == 0)
        tp_slack_set(TP_MILLISECOND);
    const struct tp_runtime_settings settings = {.workers = bench->n_workers};
    uint64_t n = is_cancel ? OTHERS : bench->n_tasks;
    bench_check(tp_runtime_open(&runtime, &settings) == 0, "cannot open the runtime");
    timers = calloc(n + 1, sizeof *timers);
    bench_check(timers != NULL, "no memory");
    tp_semaphore_init(&all_called, 0);
    for (uint64_t i = 0; is_cancel && i <= OTHERS; i++) {
        bench_check(tp_timer_init(&timers[i], tp_runtime_target(runtime), called, NULL) == 0, "a timer was refused");
        if (i > 0)
            tp_timer_set(&timers[i], tp_deadline_in_ns(i * TP_SECOND), 0);
    }
    int status = bench_run(bench, is_cancel ? set_and_cancel : call_all, NULL);
    for (uint64_t i = 0; is_cancel && i <= OTHERS; i++)
        tp_timer_end(&timers[i]);
    tp_runtime_free(runtime);
    free(timers);
    return status;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    if (strcmp(bench.variant, "cancel") == 0) {
        tp_alarms_init(&alarms, 0);
        for (uint64_t i = 0; i < OTHERS; i++)
            tp_alarm_set(&alarms, &others[i], tp_deadline_in_ns((i + 1) * TP_SECOND));
        return bench_run(&bench, set_and_clear, NULL);
    }
    if (strncmp(bench.variant, "object", 6) == 0 || strcmp(bench.variant, "cancel-object") == 0)
        return run_objects(&bench);
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    bench_check(player_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = bench_run(&bench, sleep_all, NULL);
    player_pool_free(pool);
    return status;
}
