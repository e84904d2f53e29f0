/* lock, Tidepool's spin lock (runtime/base/spin.h): yields ever longer while it is held. */
#include "../runtime/base/spin.h"

#include <stddef.h>

static struct tp_spin lock;

static void lock_enter(void)
{
    tp_spin_lock(&lock);
}

static void lock_leave(void)
{
    tp_spin_unlock(&lock);
}

#include "lock.h"

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    tp_spin_init(&lock);
    return bench_run(&bench, enter_all, NULL);
}
