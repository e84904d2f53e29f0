/* Workers: thread start, thread identity, and the wait for the last one out. */
#include "worker.h"

#include "base/assert.h"
#include "base/status.h"
#include "clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static _Thread_local struct tp_worker *self_worker;
static _Thread_local unsigned self_index_plus_1;

struct tp_worker *tp_worker_self(void)
{
    return self_worker;
}

unsigned tp_thread_index(void)
{
    /* Relaxed: only uniqueness matters; the number publishes nothing. */
    static tp_atomic(unsigned) n_threads;
    if (self_index_plus_1 == 0)
        self_index_plus_1 = tp_add_rlx(&n_threads, 1) + 1;
    return self_index_plus_1 - 1;
}

void tp_crew_init(struct tp_crew *crew)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&crew->left, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_mutex_init(&crew->reap_lock, NULL);
    crew->n_alive = 0;
}

static void crew_count(struct tp_crew *crew, int delta)
{
    pthread_mutex_lock(&crew->lock);
    crew->n_alive += (unsigned)delta;
    if (crew->n_alive == 0)
        pthread_cond_broadcast(&crew->left);
    pthread_mutex_unlock(&crew->lock);
}

static void *worker_thread(void *argument)
{
    struct tp_worker *worker = argument;
    self_worker = worker;
    worker->entry(worker);
    self_worker = NULL;
    crew_count(worker->crew, -1);
    return NULL;
}

/* All signals but those that a fault raises in the thread itself: the host's own threads
 * handle the rest, as they did before the pool was opened. */
static void block_signals(sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    sigset_t mask;
    sigfillset(&mask);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&mask, faults[i]);
    pthread_sigmask(SIG_SETMASK, &mask, before);
}

int tp_crew_start(struct tp_crew *crew, struct tp_worker *worker, const char *name, void (*entry)(struct tp_worker *))
{
    worker->crew = crew;
    worker->entry = entry;
    worker->reaped = false;
    tp_store_rlx(&worker->waiter.state, TP_WAITER_OFF); /* relaxed: published by pthread_create */
    crew_count(crew, +1);
    sigset_t before;
    block_signals(&before);
    int error = pthread_create(&worker->thread, NULL, worker_thread, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        crew_count(crew, -1);
        return TP_ETHREAD;
    }
    char title[16];
    snprintf(title, sizeof title, "%.9s/%u", name, worker->index);
    pthread_setname_np(worker->thread, title);
    return 0;
}

int tp_crew_wait(struct tp_crew *crew, uint64_t deadline_ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(deadline_ns / TP_SECOND),
        .tv_nsec = (long)(deadline_ns % TP_SECOND),
    };
    int error = 0;
    pthread_mutex_lock(&crew->lock);
    while (crew->n_alive != 0 && error != ETIMEDOUT) {
        if (deadline_ns == TP_FOREVER)
            pthread_cond_wait(&crew->left, &crew->lock);
        else
            error = pthread_cond_timedwait(&crew->left, &crew->lock, &until);
    }
    int status = crew->n_alive == 0 ? 0 : TP_ETIMEDOUT;
    pthread_mutex_unlock(&crew->lock);
    return status;
}

void tp_crew_reap(struct tp_worker *worker)
{
    tp_assert(worker->crew && tp_worker_self() != worker);
    pthread_mutex_lock(&worker->crew->reap_lock);
    if (!worker->reaped)
        pthread_join(worker->thread, NULL);
    worker->reaped = true;
    pthread_mutex_unlock(&worker->crew->reap_lock);
}

void tp_crew_free(struct tp_crew *crew)
{
    tp_assert(crew->n_alive == 0);
    pthread_cond_destroy(&crew->left);
    pthread_mutex_destroy(&crew->reap_lock);
    pthread_mutex_destroy(&crew->lock);
}
