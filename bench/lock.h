/* lock: n_workers threads enter one critical section, n_tasks times together. The section is a
 * chain of dependent multiplications of about 20 ns, on a plain counter's side: if the lock failed
 * to exclude, the count would be short and the program would fail.
 * A contender defines lock_enter and lock_leave and includes this file. */
#ifndef LOCK_H
#define LOCK_H

#include "bench.h"

enum { SECTION_STEPS = 15 };

static uint64_t n_entered;         /* guarded by the lock measured */
static uint64_t section_value = 1; /* as well */

static void enter_often(unsigned thread, uint64_t n, void *context)
{
    (void)thread;
    (void)context;
    for (uint64_t i = 0; i < n; i++) {
        lock_enter();
        uint64_t value = section_value;
        for (int step = 0; step < SECTION_STEPS; step++)
            value = value * UINT64_C(6364136223846793005) + 1442695040888963407;
        section_value = value;
        n_entered++;
        lock_leave();
    }
}

static uint64_t enter_all(const struct bench *bench, void *context)
{
    n_entered = 0;
    bench_produce(bench, enter_often, context);
    return n_entered;
}

#endif
