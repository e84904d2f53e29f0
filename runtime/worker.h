/* Workers and their crew: threads with a record, started, started again, and reaped.
 * Invariant: `n_alive` counts the threads that have been started, or for which room was taken by
 * tp__crew_enter, and that have not left their entry. Nobody is started once a wait has found 0. */
#ifndef TP_WORKER_H
#define TP_WORKER_H

#include "activity.h"
#include "park.h"

#include <pthread.h>
#include <signal.h>

/* Where the idle accounting has a worker (docs/parking.md). */
enum tp_worker_place {
    TP_WORKER_OUT,    /* not of the pool */
    TP_WORKER_AWAKE,  /* its thread runs or searches, or is being started to search */
    TP_WORKER_ASLEEP, /* its thread has announced sleep */
    TP_WORKER_VACANT  /* it has no thread, or one that is about to leave; a waker may start one */
};

/* Zeroed by its owner, who then sets pool and index and calls tp_crew_add. */
struct tp_worker {
    struct tp_waiter waiter; /* for tp_idle */
    void *pool;              /* whose worker this is; compared, never followed, by the library */
    unsigned index;          /* 0 .. n-1 within its crew */
    struct tp_crew *crew;
    void (*entry)(struct tp_worker *);
    struct tp_activity activity; /* what it does, for who looks */
    tp_atomic(int) tid;          /* the system's number of its thread, 0: none; likewise */
    bool stays;                  /* by itself, before it sleeps: it has tasks that no other may run, so it is not sent away meanwhile */

    /* For tp_idle, guarded by its lock. */
    tp_atomic(uint32_t) leaving; /* 1: it is asked to leave; also read by the worker without the lock */
    enum tp_worker_place place;
    bool retired;      /* told to leave when asleep, and its thread has not noticed; published to it by WOKEN */
    uint64_t since_ns; /* asleep since */

    /* For tp_crew, guarded by its lock. */
    pthread_t thread; /* written by each thread itself, after it has joined the one before */
    uint32_t n_started, n_left;
    bool has_thread; /* `thread` is to be joined or detached */
    bool joins_last; /* the thread being started joins `thread` first; published by its start */
    struct tp_worker *next_left, *prev_left;
    char title[16]; /* of its threads */
};

struct tp_crew {
    pthread_mutex_t lock;
    pthread_cond_t none;             /* signalled when n_alive reaches 0 */
    unsigned n_alive;                /* guarded by lock, like the rest */
    bool is_closed;                  /* only tp_crew_start starts threads */
    struct tp_worker *left;          /* their last thread has left and is not joined */
    void (*last_out)(void *context); /* not NULL: abandoned */
    void *context;
    pthread_mutex_t reap_lock; /* taken before lock, held while a thread is joined */
};

/* tp_crew_init: a crew without workers, in the caller's memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_crew_init(struct tp_crew *crew);

/* tp_crew_add: prepare a worker's record for its threads; none is started.
 * worker: caller-owned until tp_crew_reap; the caller has zeroed it and set pool and index.
 * name:   of the pool, for the threads' name "name/index" (cut at 15 bytes); not kept.
 * entry:  what each of its threads runs; returns when the worker is to leave.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_crew_add(struct tp_crew *crew, struct tp_worker *worker, const char *name, void (*entry)(struct tp_worker *));

/* tp_crew_start: run the worker's entry on a new thread, with the signals of the process blocked.
 * worker: added; its thread, if it had one, has left its entry or is about to. The new thread waits
 *         for the end of the old one before it enters.
 * Returns 0, or TP_ETHREAD with nothing started. After a tp_crew_wait that returned 0 it opens the
 * crew again.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_crew_start(struct tp_worker *worker);

/* tp_crew_wait: wait until every started worker has left its entry. From a return of 0 until the
 * next tp_crew_start nobody starts a thread.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER for none.
 * Returns 0 or TP_ETIMEDOUT.
 * [thread: any but the crew's] [suspends: no] [blocks: yes] [allocates: no] */
int tp_crew_wait(struct tp_crew *crew, uint64_t deadline_ns);

/* tp_crew_reap: if the worker's thread has left its entry, wait for its end, in which it runs its
 * thread-local destructors. Any number of calls, from any threads: when one returns, the thread
 * has ended. Nothing happens if the worker has no thread or it has not left.
 * [thread: any but the crew's] [suspends: no] [blocks: yes] [allocates: no] */
void tp_crew_reap(struct tp_worker *worker);

/* tp_crew_sweep: give back what the threads that have ended still hold. Does not wait for those
 * that have left and run their destructors.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_crew_sweep(struct tp_crew *crew);

/* tp_crew_abandon: nobody will wait for this crew; its threads end by themselves. The caller has
 * seen to it that they leave, and that nobody is inside a call that could start one.
 * last_out: called once, by the last to leave, on its way out, or by this call if nobody is left.
 *           From then on the library touches neither the crew nor its workers: last_out may call
 *           tp_crew_free and free their memory. Destructors of thread-locals may run later.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_crew_abandon(struct tp_crew *crew, void (*last_out)(void *context), void *context);

/* tp_crew_free: end of a crew whose workers have been reaped, or which was abandoned, in last_out.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_crew_free(struct tp_crew *crew);

/* tp__crew_enter: take room for one thread, so that tp_crew_wait waits for it.
 * Returns false if the crew is closed.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp__crew_enter(struct tp_crew *crew);

/* tp__crew_forgo: give the room back that tp__crew_enter took.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__crew_forgo(struct tp_crew *crew);

/* tp__crew_launch: as tp_crew_start, in room that tp__crew_enter took. On success the room is the
 * thread's, else it is still the caller's.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp__crew_launch(struct tp_worker *worker);

/* The signal by which the monitor asks a thread where it is (runtime/monitor/probe.h). */
#define TP_PROBE_SIGNAL (SIGRTMIN + 5)

/* tp__thread_create: pthread_create, with all signals blocked in the new thread but those that a
 * fault raises in the thread itself, and TP_PROBE_SIGNAL.
 * Returns 0 or TP_ETHREAD.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp__thread_create(pthread_t *thread, void *(*body)(void *), void *argument);

/* tp_worker_look: what a worker does; n_tasks and pending are left at 0.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_worker_look(const struct tp_worker *worker, struct tp_worker_info *out);

/* tp_worker_self: the record of the calling worker, NULL on any other thread. Out of line on
 * purpose: a thread-local's address must not be kept over anything that may suspend.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_worker *tp_worker_self(void);

/* tp_thread_index: a small number for the calling thread, the same for its whole life; threads
 * are numbered as they first ask.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp_thread_index(void);

#endif
