/* A program that traces itself: 30 tasks of two pools, of which ten wait, and the trace on its standard output. */
#include "../../runtime/tidepool.h"

#include <unistd.h>

static int give_way(void *unused)
{
    (void)unused;
    return tp_yield();
}

static int wait_a_little(void *unused)
{
    (void)unused;
    return tp_sleep_ns(1);
}

int main(void)
{
    const struct tp_pool_settings settings = {.workers = 2, .workers_min = 2, .expire_ns = TP_FOREVER};
    const struct tp_pool_settings other = {.workers = 2, .workers_min = 2, .tasks = TP_TASKS_COROUTINE, .expire_ns = TP_FOREVER};
    struct tp_pool *plain, *coroutines;
    if (tp_pool_open(&plain, &settings) != 0 || tp_pool_open(&coroutines, &other) != 0 || tp_trace_start(NULL) != 0)
        return 1;
    for (int i = 0; i < 10; i++) {
        if (tp_pool_submit(plain, give_way, NULL) != 0 || tp_pool_submit(coroutines, give_way, NULL) != 0)
            return 1;
        if (tp_pool_submit(coroutines, wait_a_little, NULL) != 0)
            return 1;
        tp_pool_join_all(plain, TP_FOREVER);
        tp_pool_join_all(coroutines, TP_FOREVER);
    }
    tp_pool_free(plain);
    tp_pool_free(coroutines);
    return tp_trace_stop(STDOUT_FILENO, NULL) != 0;
}
