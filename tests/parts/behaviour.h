/* What every behaviour test of a pool uses: tasks that call a function, gates, and waiting.
 * The template is compiled into the test itself, so that a variant is one -D line and a test may
 * look inside. Nothing here sleeps: whoever waits is told. */
#ifndef BEHAVIOUR_H
#define BEHAVIOUR_H

#include "gen/parts/options.h"

#include "gen/parts/pool.c"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A task: run(argument). */
struct call {
    int (*run)(void *);
    void *argument;
};

int job_run(uintptr_t payload)
{
    struct call *call = (struct call *)payload;
    return call->run(call->argument);
}

static inline uintptr_t as_payload(struct call *call)
{
    return (uintptr_t)call;
}

/* A door that tasks wait at until the test opens it; the test can wait until some have come. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n_waiting;
    bool is_open;
};

#define GATE_CLOSED {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false}

static inline int gate_pass(void *argument)
{
    struct gate *gate = argument;
    pthread_mutex_lock(&gate->lock);
    gate->n_waiting++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->is_open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return 0;
}

static inline void gate_await(struct gate *gate, unsigned n)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->n_waiting < n)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static inline void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->is_open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static inline struct job_pool *pool_open(uint32_t workers, uint64_t capacity)
{
    struct job_pool *pool = NULL;
    struct tp_pool_settings settings = {.workers = workers};
#if WITH_BOUNDED
    settings.capacity = capacity;
#else
    (void)capacity;
#endif
    assert_int_equal(job_pool_open(&pool, &settings), 0);
    assert_non_null(pool);
    return pool;
}

/* Submits, and tries again for as long as the pool is full, at once or after its deadline. */
static inline void submit(struct job_pool *pool, struct call *call)
{
    int status;
    while ((status = job_submit(pool, as_payload(call))) == TP_EFULL || status == TP_ETIMEDOUT)
        sched_yield();
    assert_int_equal(status, 0);
}

/* Blocks all workers at the gate. */
static inline void pool_hold(struct job_pool *pool, uint32_t workers, struct gate *gate, struct call *call)
{
    *call = (struct call){gate_pass, gate};
    for (uint32_t i = 0; i < workers; i++) {
        submit(pool, call);
        gate_await(gate, i + 1);
    }
}

/* A ledger of tasks, for "each exactly once". */
enum { LEDGER = 20000 };
struct entry {
    struct call call;
    tp_atomic(uint32_t) n_runs;
};

static inline int entry_run(void *argument)
{
    struct entry *entry = argument;
    tp_add_rlx(&entry->n_runs, 1); /* relaxed: read after the join */
    return 0;
}

static inline struct entry *ledger_new(size_t n)
{
    struct entry *entries = calloc(n, sizeof *entries);
    assert_non_null(entries);
    for (size_t i = 0; i < n; i++)
        entries[i].call = (struct call){entry_run, &entries[i]};
    return entries;
}

static inline void ledger_check(struct entry *entries, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(tp_load_rlx(&entries[i].n_runs), 1); /* relaxed: all have been joined */
}

static const uint32_t worker_counts[] = {1, 2, 5};
#define EACH_WORKER_COUNT(w) \
    for (size_t w##_i = 0, w = 0; w##_i < sizeof worker_counts / sizeof *worker_counts && (w = worker_counts[w##_i], true); w##_i++)

#endif
