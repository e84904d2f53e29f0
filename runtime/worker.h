/* Workers and their crew: threads with a record, started and reaped together.
 * Invariant: `n_alive` counts the threads that have been started and have not left their entry. */
#ifndef TP_WORKER_H
#define TP_WORKER_H

#include "park.h"

#include <pthread.h>

struct tp_worker {
    struct tp_waiter waiter; /* for tp_idle */
    void *pool;              /* whose worker this is; compared, never followed, by the library */
    unsigned index;          /* 0 .. n-1 within its crew */
    struct tp_crew *crew;
    void (*entry)(struct tp_worker *);
    pthread_t thread;
    bool reaped; /* guarded by the crew's reap_lock */
};

struct tp_crew {
    pthread_mutex_t lock;
    pthread_cond_t left; /* signalled when n_alive reaches 0 */
    unsigned n_alive;    /* guarded by lock */
    pthread_mutex_t reap_lock;
};

/* tp_crew_init: a crew without workers, in the caller's memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_crew_init(struct tp_crew *crew);

/* tp_crew_start: run entry(worker) on a new thread, with the signals of the process blocked.
 * worker: caller-owned until tp_crew_reap; the caller has set pool and index.
 * name:   of the pool, for the thread's name "name/index" (cut at 15 bytes); not kept.
 * entry:  returns when the worker is to leave.
 * Returns 0, or TP_ETHREAD with nothing started.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_crew_start(struct tp_crew *crew, struct tp_worker *worker, const char *name, void (*entry)(struct tp_worker *));

/* tp_crew_wait: wait until every started worker has left its entry.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER for none.
 * Returns 0 or TP_ETIMEDOUT.
 * [thread: any but the crew's] [suspends: no] [blocks: yes] [allocates: no] */
int tp_crew_wait(struct tp_crew *crew, uint64_t deadline_ns);

/* tp_crew_reap: wait for a worker's thread to end, after tp_crew_wait returned 0. Any number of
 * calls, from any threads: when one returns, the thread has ended.
 * [thread: any but the crew's] [suspends: no] [blocks: yes] [allocates: no] */
void tp_crew_reap(struct tp_worker *worker);

/* tp_crew_free: end of a crew whose workers have been reaped.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_crew_free(struct tp_crew *crew);

/* tp_worker_self: the record of the calling worker, NULL on any other thread. Out of line on
 * purpose: a thread-local's address must not be kept over anything that may suspend.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_worker *tp_worker_self(void);

/* tp_thread_index: a small number for the calling thread, the same for its whole life; threads
 * are numbered as they first ask.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp_thread_index(void);

#endif
