/* A keeper: its thread sleeps on a condition variable, so that stopping it takes no period. */
#include "keeper.h"

#include "base/assert.h"
#include "clock.h"
#include "worker.h"

#include <errno.h>
#include <stdio.h>

/* Sleeps until then. Returns false if the keeper is to stop. The lock is held. */
static bool keeper_sleep(struct tp_keeper *keeper, uint64_t until_ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(until_ns / TP_SECOND),
        .tv_nsec = (long)(until_ns % TP_SECOND),
    };
    int error = 0;
    while (!keeper->is_stopping && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&keeper->stopped, &keeper->lock, &until);
    return !keeper->is_stopping;
}

static uint64_t time_after(uint64_t time_ns, uint64_t period_ns)
{
    return period_ns < TP_FOREVER - time_ns ? time_ns + period_ns : TP_FOREVER;
}

static void *keeper_thread(void *argument)
{
    struct tp_keeper *keeper = argument;
    pthread_setname_np(pthread_self(), keeper->title);
    uint64_t next_ns = tp_deadline_in_ns(keeper->period_ns);
    pthread_mutex_lock(&keeper->lock);
    while (keeper_sleep(keeper, next_ns)) {
        pthread_mutex_unlock(&keeper->lock); /* so that a tick may take its time while others stop */
        uint64_t now_ns = tp_clock_now_ns();
        keeper->tick(keeper->context, now_ns);
        next_ns = time_after(next_ns, keeper->period_ns);
        now_ns = tp_clock_now_ns();
        if (next_ns < now_ns)
            next_ns = time_after(now_ns, keeper->period_ns);
        pthread_mutex_lock(&keeper->lock);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

static void keeper_free(struct tp_keeper *keeper)
{
    pthread_cond_destroy(&keeper->stopped);
    pthread_mutex_destroy(&keeper->lock);
}

int tp_keeper_start(struct tp_keeper *keeper, const char *name, uint64_t period_ns,
    void (*tick)(void *context, uint64_t now_ns), void *context)
{
    tp_assert(period_ns > 0);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_lock(&keeper->stop_lock);
    tp_assert(!keeper->is_started);
    pthread_cond_init(&keeper->stopped, &attributes);
    pthread_mutex_init(&keeper->lock, NULL);
    keeper->is_stopping = false;
    keeper->period_ns = period_ns;
    keeper->tick = tick;
    keeper->context = context;
    snprintf(keeper->title, sizeof keeper->title, "%.8s/keeper", name);
    int status = tp__thread_create(&keeper->thread, keeper_thread, keeper);
    keeper->is_started = status == 0;
    if (status != 0)
        keeper_free(keeper);
    pthread_mutex_unlock(&keeper->stop_lock);
    pthread_condattr_destroy(&attributes);
    return status;
}

void tp_keeper_stop(struct tp_keeper *keeper)
{
    pthread_mutex_lock(&keeper->stop_lock);
    if (keeper->is_started) {
        tp_assert(!pthread_equal(pthread_self(), keeper->thread));
        pthread_mutex_lock(&keeper->lock);
        keeper->is_stopping = true;
        pthread_cond_signal(&keeper->stopped);
        pthread_mutex_unlock(&keeper->lock);
        pthread_join(keeper->thread, NULL);
        keeper_free(keeper);
        keeper->is_started = false;
    }
    pthread_mutex_unlock(&keeper->stop_lock);
}
