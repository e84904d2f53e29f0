/* A keeper: one thread that looks after something at regular times, as a pool's workers that have
 * slept too long. Invariant: a tick runs only between tp_keeper_start and the return of
 * tp_keeper_stop, and one at a time. */
#ifndef TP_KEEPER_H
#define TP_KEEPER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Zeroed memory is a keeper that has not been started. */
struct tp_keeper {
    pthread_mutex_t stop_lock; /* guards is_started; taken before `lock`, held while the thread is joined */
    bool is_started;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped; /* signalled when is_stopping is set */
    bool is_stopping;       /* guarded by lock */
    uint64_t period_ns;
    void (*tick)(void *context, uint64_t now_ns);
    void *context;
    char title[16];
};

/* tp_keeper_start: call tick(context, now) every period_ns from now on, on a thread of its own with
 * the signals of the process blocked. The first call comes after one period; calls that are missed
 * because a tick took longer are not made up for.
 * keeper:    the caller's; zeroed, or stopped.
 * name:      of the pool, for the thread's name "name/keeper" (cut at 15 bytes); not kept.
 * period_ns: 1 or more. `now` is on the clock of tp_clock_now_ns().
 * Returns 0, or TP_ETHREAD with nothing started.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_keeper_start(struct tp_keeper *keeper, const char *name, uint64_t period_ns,
    void (*tick)(void *context, uint64_t now_ns), void *context);

/* tp_keeper_stop: no tick runs afterwards; the thread has ended. Waits for a tick that runs. Any
 * number of calls, from any threads but from within a tick; a keeper that was not started is stopped.
 * [thread: any but the keeper's] [suspends: no] [blocks: yes] [allocates: no] */
void tp_keeper_stop(struct tp_keeper *keeper);

#endif
