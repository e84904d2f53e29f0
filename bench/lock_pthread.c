/* lock, POSIX threads. Variants: "" for a mutex of the default kind, "spin" for a spin lock. */
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_spinlock_t spin;
static bool use_spin;

static void lock_enter(void)
{
    if (use_spin)
        pthread_spin_lock(&spin);
    else
        pthread_mutex_lock(&mutex);
}

static void lock_leave(void)
{
    if (use_spin)
        pthread_spin_unlock(&spin);
    else
        pthread_mutex_unlock(&mutex);
}

#include "lock.h"

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    use_spin = strcmp(bench.variant, "spin") == 0;
    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    return bench_run(&bench, enter_all, NULL);
}
