/* timers, Tidepool: tasks in coroutines, each of which sleeps for a random time below a second. Variant "cancel": an alarm is set and cleared,
 * as each wait with a deadline does that ends before it, while a thousand others are set. */
#include "bench.h"
#include "player_pool.h"

#include "../runtime/alarms.h"

#include <string.h>

enum { OTHERS = 1000 };

static struct player_pool *pool;
static struct tp_alarms alarms;
static struct tp_alarm others[OTHERS], one;

/* payload: any number but 0. */
int player_run(uint64_t payload)
{
    uint64_t bits = payload * UINT64_C(0x9e3779b97f4a7c15); /* scattered (Knuth 6.4) */
    bench_check(tp_sleep_ns((bits >> 32) % TP_SECOND) == 0, "cannot sleep");
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

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    if (strcmp(bench.variant, "cancel") == 0) {
        tp_alarms_init(&alarms, 0);
        for (uint64_t i = 0; i < OTHERS; i++)
            tp_alarm_set(&alarms, &others[i], tp_deadline_in_ns((i + 1) * TP_SECOND));
        return bench_run(&bench, set_and_clear, NULL);
    }
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    bench_check(player_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = bench_run(&bench, sleep_all, NULL);
    player_pool_free(pool);
    return status;
}
