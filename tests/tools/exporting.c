/* A program that an operator looks at: two pools, one worker busy, one task that waits, some past; until its input ends.
 * Its argument is the address of the exporter. */
#include "../../runtime/tidepool.h"

#include <stdio.h>
#include <unistd.h>

static struct tp_semaphore gate;

static int pass(void *unused)
{
    (void)unused;
    return tp_semaphore_acquire(&gate, 1, TP_FOREVER);
}

int main(int argc, char **argv)
{
    struct tp_exporter *exporter;
    struct tp_pool *plain, *coroutines;
    const struct tp_pool_settings settings = {.workers = 2, .workers_min = 2, .capacity = 100, .expire_ns = TP_FOREVER};
    const struct tp_pool_settings other = {.workers = 2, .workers_min = 2, .tasks = TP_TASKS_COROUTINE, .expire_ns = TP_FOREVER};
    char byte;
    tp_semaphore_init(&gate, 20);
    if (argc != 2 || tp_pool_open(&plain, &settings) != 0 || tp_pool_open(&coroutines, &other) != 0)
        return 1;
    for (int i = 0; i < 10; i++)
        if (tp_pool_submit(plain, pass, NULL) != 0 || tp_pool_submit(coroutines, pass, NULL) != 0)
            return 1;
    tp_pool_join_all(plain, TP_FOREVER);
    tp_pool_join_all(coroutines, TP_FOREVER);
    if (tp_pool_submit(plain, pass, NULL) != 0 || tp_pool_submit(coroutines, pass, NULL) != 0)
        return 1;
    if (tp_exporter_open(&exporter, argv[1]) != 0)
        return 1;
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    tp_exporter_close(exporter);
    tp_semaphore_release(&gate, 2);
    tp_pool_free(plain);
    tp_pool_free(coroutines);
    return 0;
}
