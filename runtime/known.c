/* The list of all fibers' pools.
 * Invariant: it changes under one mutex, which no child of fork() finds locked. */
#include "known.h"

#include "fibers.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tp_fibers *first; /* guarded by lock, as the links */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void take(void)
{
    pthread_mutex_lock(&lock);
}

static void unlock_it(void)
{
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
    (void)pthread_atfork(take, unlock_it, unlock_it); /* without memory for that, a child may wait for ever */
}

static void lock_it(void)
{
    pthread_once(&once, watch_forks);
    take();
}

void tp__known_add(struct tp_fibers *fibers)
{
    lock_it();
    fibers->prev_known = NULL;
    fibers->next_known = first;
    if (first)
        first->prev_known = fibers;
    first = fibers;
    unlock_it();
}

void tp__known_remove(struct tp_fibers *fibers)
{
    lock_it();
    *(fibers->prev_known ? &fibers->prev_known->next_known : &first) = fibers->next_known;
    if (fibers->next_known)
        fibers->next_known->prev_known = fibers->prev_known;
    unlock_it();
}

struct tp_fibers *tp__known_lock(void)
{
    lock_it();
    return first;
}

void tp__known_unlock(void)
{
    unlock_it();
}
