/* latency, the kernel alone: one thread sleeps on a word, and the producer writes the word and
 * wakes it, whether it sleeps or not. What a pool adds to this is the pool's; the rest is the machine's. */
#include "latency.h"

#include "../runtime/base/atomic.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { IN_FLIGHT_MAX = 1024 };

static tp_atomic(uint32_t) n_submitted, n_taken; /* written by the producer; by the worker */
static uint64_t tasks[IN_FLIGHT_MAX];            /* n_submitted publishes them, n_taken gives the place back */

static void *work(void *argument)
{
    for (uint32_t n = 0; *(const uint64_t *)argument > n; n++) {
        /* Acquire: pairs with the release in submit. */
        while (tp_load_acq(&n_submitted) == n)
            syscall(SYS_futex, (uint32_t *)&n_submitted, FUTEX_WAIT_PRIVATE, n, NULL, NULL, 0);
        uint64_t task = tasks[n % IN_FLIGHT_MAX];
        tp_store_rel(&n_taken, n + 1); /* release: pairs with the acquire in submit */
        latency_task(task);
    }
    return NULL;
}

static void submit(uint64_t i, void *context)
{
    (void)context;
    uint32_t n = tp_load_rlx(&n_submitted);            /* relaxed: only this thread writes it */
    while (n - tp_load_acq(&n_taken) == IN_FLIGHT_MAX) /* acquire: pairs with the release in work */
        tp_relax();
    tasks[n % IN_FLIGHT_MAX] = i;
    tp_store_rel(&n_submitted, n + 1); /* release: pairs with the acquire in work */
    syscall(SYS_futex, (uint32_t *)&n_submitted, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    pthread_t worker;
    uint64_t n_both = bench.n_tasks / 10 + 1 + bench.n_tasks; /* rounds of latency_run */
    bench_check(pthread_create(&worker, NULL, work, &n_both) == 0, "cannot start the worker");
    int status = latency_run(&bench, submit, NULL);
    pthread_join(worker, NULL);
    return status;
}
