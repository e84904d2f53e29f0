/* Workers: thread start and restart, thread identity, and the wait for the last one out. */
#include "worker.h"

#include "base/apart.h"
#include "base/assert.h"
#include "base/status.h"
#include "clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static _Thread_local struct tp_worker *self_worker;
static _Thread_local unsigned self_index_plus_1;

/* Out of line for the optimiser as well: a coroutine may ask again on another thread [CORO-2]. */
TP_APART struct tp_worker *tp_worker_self(void)
{
    return self_worker;
}

TP_APART unsigned tp_thread_index(void)
{
    /* Relaxed: only uniqueness matters; the number publishes nothing. */
    static tp_atomic(unsigned) n_threads;
    if (self_index_plus_1 == 0)
        self_index_plus_1 = tp_add_rlx(&n_threads, 1) + 1;
    return self_index_plus_1 - 1;
}

void tp_worker_look(const struct tp_worker *worker, struct tp_worker_info *out)
{
    *out = (struct tp_worker_info){.thread = tp_load_rlx(&worker->tid)}; /* relaxed: a number on its own */
    tp_activity_look(&worker->activity, out);
}

void tp_crew_init(struct tp_crew *crew)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&crew->none, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_mutex_init(&crew->reap_lock, NULL);
    crew->n_alive = 0;
    crew->is_closed = false;
    crew->left = NULL;
    crew->last_out = NULL;
}

void tp_crew_add(struct tp_crew *crew, struct tp_worker *worker, const char *name, void (*entry)(struct tp_worker *))
{
    worker->crew = crew;
    worker->entry = entry;
    snprintf(worker->title, sizeof worker->title, "%.9s/%u", name, worker->index);
}

/* -- the threads that have left; the lock is held ------------------------------------------------ */

static void left_push(struct tp_crew *crew, struct tp_worker *worker)
{
    worker->prev_left = NULL;
    worker->next_left = crew->left;
    if (crew->left)
        crew->left->prev_left = worker;
    crew->left = worker;
}

static void left_remove(struct tp_crew *crew, struct tp_worker *worker)
{
    if (worker->prev_left)
        worker->prev_left->next_left = worker->next_left;
    else
        crew->left = worker->next_left;
    if (worker->next_left)
        worker->next_left->prev_left = worker->prev_left;
}

static bool has_left(const struct tp_worker *worker)
{
    return worker->has_thread && worker->n_started == worker->n_left;
}

/* The worker's last thread has left, or the start of another failed: whose is it to join? Unless
 * there is a thread after it, which joins it, the crew's; an abandoned crew joins nobody. */
static void left_settle(struct tp_crew *crew, struct tp_worker *worker)
{
    if (!has_left(worker))
        return;
    if (!crew->last_out) {
        left_push(crew, worker);
        return;
    }
    pthread_detach(worker->thread);
    worker->has_thread = false;
}

/* -- who is in -------------------------------------------------------------------------------------- */

/* Counts one less and lets go of the lock. The last one out of an abandoned crew says so; from
 * then on nothing of the crew may be touched [CREW-2]. */
static void crew_leave(struct tp_crew *crew)
{
    bool is_last = --crew->n_alive == 0;
    void (*last_out)(void *) = is_last ? crew->last_out : NULL;
    void *context = crew->context;
    crew->is_closed = crew->is_closed || last_out; /* a waker that is late gets no room */
    if (is_last)
        pthread_cond_broadcast(&crew->none);
    pthread_mutex_unlock(&crew->lock);
    if (last_out)
        last_out(context);
}

/* Takes room for a thread, in a crew that has not been found empty by a wait [CREW-1]. */
static bool crew_enter(struct tp_crew *crew, bool opens)
{
    pthread_mutex_lock(&crew->lock);
    crew->is_closed = crew->is_closed && !opens;
    bool entered = !crew->is_closed;
    crew->n_alive += entered;
    pthread_mutex_unlock(&crew->lock);
    return entered;
}

bool tp__crew_enter(struct tp_crew *crew)
{
    return crew_enter(crew, false);
}

void tp__crew_forgo(struct tp_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew_leave(crew);
}

/* -- threads ------------------------------------------------------------------------------------------ */

static void *worker_thread(void *argument)
{
    struct tp_worker *worker = argument;
    struct tp_crew *crew = worker->crew;
    if (worker->joins_last)
        pthread_join(worker->thread, NULL);
    worker->thread = pthread_self();
    pthread_setname_np(worker->thread, worker->title);
    self_worker = worker;
    tp_note(&worker->tid, gettid());
    tp_activity_begin(&worker->activity);
    worker->entry(worker);
    tp_activity_block(&worker->activity, TP_BLOCKED_NO_THREAD); /* unless its entry has said why */
    tp_note(&worker->tid, 0);
    self_worker = NULL;
    pthread_mutex_lock(&crew->lock);
    worker->n_left++;
    left_settle(crew, worker);
    crew_leave(crew);
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
    sigdelset(&mask, TP_PROBE_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &mask, before);
}

int tp__thread_create(pthread_t *thread, void *(*body)(void *), void *argument)
{
    sigset_t before;
    block_signals(&before);
    int error = pthread_create(thread, NULL, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? 0 : TP_ETHREAD;
}

int tp__crew_launch(struct tp_worker *worker)
{
    struct tp_crew *crew = worker->crew;
    pthread_mutex_lock(&crew->lock);
    if (has_left(worker))
        left_remove(crew, worker);
    worker->joins_last = worker->has_thread;
    worker->has_thread = true;
    worker->n_started++;
    pthread_mutex_unlock(&crew->lock);

    pthread_t thread; /* the new thread writes its handle itself: it may be gone before we could */
    if (tp__thread_create(&thread, worker_thread, worker) == 0)
        return 0;

    pthread_mutex_lock(&crew->lock);
    worker->n_started--;
    worker->has_thread = worker->joins_last;
    left_settle(crew, worker);
    pthread_mutex_unlock(&crew->lock);
    return TP_ETHREAD;
}

int tp_crew_start(struct tp_worker *worker)
{
    crew_enter(worker->crew, true);
    int status = tp__crew_launch(worker);
    if (status != 0)
        tp__crew_forgo(worker->crew);
    return status;
}

/* -- the end ------------------------------------------------------------------------------------------ */

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
            pthread_cond_wait(&crew->none, &crew->lock);
        else
            error = pthread_cond_timedwait(&crew->none, &crew->lock, &until);
    }
    int status = crew->n_alive == 0 ? 0 : TP_ETIMEDOUT;
    if (status == 0)
        crew->is_closed = true;
    pthread_mutex_unlock(&crew->lock);
    return status;
}

void tp_crew_reap(struct tp_worker *worker)
{
    struct tp_crew *crew = worker->crew;
    tp_assert(crew && tp_worker_self() != worker);
    pthread_mutex_lock(&crew->reap_lock);
    pthread_mutex_lock(&crew->lock);
    bool joins = has_left(worker);
    pthread_t thread = joins ? worker->thread : pthread_self();
    if (joins) {
        left_remove(crew, worker);
        worker->has_thread = false;
    }
    pthread_mutex_unlock(&crew->lock);
    if (joins)
        pthread_join(thread, NULL);
    pthread_mutex_unlock(&crew->reap_lock);
}

void tp_crew_sweep(struct tp_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    for (struct tp_worker *worker = crew->left, *next; worker; worker = next) {
        next = worker->next_left;
        if (pthread_tryjoin_np(worker->thread, NULL) == 0) {
            left_remove(crew, worker);
            worker->has_thread = false;
        }
    }
    pthread_mutex_unlock(&crew->lock);
}

void tp_crew_abandon(struct tp_crew *crew, void (*last_out)(void *context), void *context)
{
    pthread_mutex_lock(&crew->lock);
    tp_assert(last_out && !crew->last_out);
    crew->last_out = last_out;
    crew->context = context;
    crew->n_alive++; /* this call, so that whoever is last leaves in the same way [CREW-2] */
    while (crew->left) {
        struct tp_worker *worker = crew->left;
        left_remove(crew, worker);
        left_settle(crew, worker);
    }
    crew_leave(crew);
}

void tp_crew_free(struct tp_crew *crew)
{
    tp_assert(crew->n_alive == 0 && !crew->left);
    pthread_cond_destroy(&crew->none);
    pthread_mutex_destroy(&crew->reap_lock);
    pthread_mutex_destroy(&crew->lock);
}
