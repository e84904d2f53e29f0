// lock, oneTBB: a spin_mutex, which pauses ever longer and then yields.
#include <oneapi/tbb/spin_mutex.h>

static oneapi::tbb::spin_mutex mutex;

static void lock_enter()
{
    mutex.lock();
}

static void lock_leave()
{
    mutex.unlock();
}

#include "lock.h"

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    return bench_run(&bench, enter_all, nullptr);
}
