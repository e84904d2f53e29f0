/* The roll of pools. Invariant: it changes under one mutex, which no child of fork() finds locked. */
#include "roll.h"

#include <pthread.h>
#include <stddef.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tp_roll_entry *first, *last; /* guarded by lock, as the links and the number */
static uint64_t n_ever;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void take(void)
{
    pthread_mutex_lock(&lock);
}

static void give(void)
{
    pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
    (void)pthread_atfork(take, give, give); /* without memory for that, a child may wait for ever */
}

struct tp_roll_entry *tp__roll_lock(void)
{
    pthread_once(&once, watch_forks);
    take();
    return first;
}

void tp__roll_unlock(void)
{
    give();
}

void tp_roll_add(struct tp_roll_entry *entry, const struct tp_pool_ops *ops, void *pool, struct tp_fibers *fibers)
{
    tp__roll_lock();
    *entry = (struct tp_roll_entry){.ops = ops, .pool = pool, .fibers = fibers, .number = ++n_ever, .prev = last};
    *(last ? &last->next : &first) = entry;
    last = entry;
    tp__roll_unlock();
}

void tp_roll_remove(struct tp_roll_entry *entry)
{
    if (!entry->ops)
        return;
    tp__roll_lock();
    *(entry->prev ? &entry->prev->next : &first) = entry->next;
    *(entry->next ? &entry->next->prev : &last) = entry->prev;
    tp__roll_unlock();
    entry->ops = NULL;
}
