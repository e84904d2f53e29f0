/* What every behaviour test of a pool uses: tasks that call a function, gates, and waiting.
 * The template is compiled into the test itself, so that a variant is one -D line and a test may
 * look inside. Nothing here sleeps: whoever waits is told. */
#ifndef BEHAVIOUR_H
#define BEHAVIOUR_H

#include <tidepool_kit.h>

/* The template's clock; the library's stays the real one. */
static uint64_t test_now_ns(void);
static uint64_t test_deadline_in_ns(uint64_t duration_ns);
#define tp_clock_now_ns test_now_ns
#define tp_deadline_in_ns test_deadline_in_ns

#include "gen/parts/options.h"

#include "gen/parts/pool.c"

/* The tests themselves are compiled as they stand: half the time to compile goes, and the pool above is what is tested. */
#if defined(__clang__)
#pragma clang optimize off
#else
#pragma GCC optimize("O0")
#endif

#undef tp_clock_now_ns
#undef tp_deadline_in_ns

#include "coro/sanitize.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

/* How often a test repeats what only its number makes likely. Not so often where each step takes ten times as long, but shows a race
 * whether or not it does harm; nor in each of the products (variants.lua), which have the same loops. */
#if !defined(TEST_SHARE) && TP__CHECK_THREAD
#define TEST_SHARE 4
#elif !defined(TEST_SHARE)
#define TEST_SHARE 1
#endif
#define OFTEN(n) ((n) / TEST_SHARE)

/* A clock that tasks move, for exact times; 0: the real one. */
static tp_atomic(uint64_t) virtual_now_ns;

static uint64_t test_now_ns(void)
{
    uint64_t now_ns = tp_load_sc(&virtual_now_ns);
    return now_ns != 0 ? now_ns : tp_clock_now_ns();
}

/* Deadlines that the template made, and the one to give it; 0: what it asks for. */
static tp_atomic(uint32_t) n_deadlines;
static tp_atomic(uint64_t) next_deadline_ns;

static uint64_t test_deadline_in_ns(uint64_t duration_ns)
{
    tp_add_sc(&n_deadlines, 1);
    uint64_t deadline_ns = tp_load_sc(&next_deadline_ns);
    return deadline_ns != 0 ? deadline_ns : tp_deadline_in_ns(duration_ns);
}

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

#if WITH_BOUNDED && WITH_DROPPED
/* What the pool said that it dropped: how often, and the last tasks. */
enum { DROPS = 512 };
static pthread_mutex_t drops_lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t drops[DROPS];
static size_t n_drops;

void job_dropped(uintptr_t payload)
{
    pthread_mutex_lock(&drops_lock);
    drops[n_drops++ % DROPS] = payload;
    pthread_mutex_unlock(&drops_lock);
}

static inline void drops_forget(void)
{
    pthread_mutex_lock(&drops_lock);
    n_drops = 0;
    pthread_mutex_unlock(&drops_lock);
}
#endif

static inline uintptr_t as_payload(struct call *call)
{
    return (uintptr_t)call;
}

static int nothing_run(void *argument)
{
    (void)argument;
    return 0;
}

/* The next place of tasks that note theirs. */
static tp_atomic(uint64_t) seen_next;

static inline size_t seen_place(void)
{
    return (size_t)tp_add_sc(&seen_next, 1);
}

/* What a full pool does in this run of the tests; a pool with `any` is told so when it is opened. */
#if !WITH_BOUNDED || WITH_ANY
static enum tp_overload overload = TP_OVERLOAD_CONFIGURED;
#else
static enum tp_overload overload = WITH_REJECT        ? TP_OVERLOAD_REJECT
                                   : WITH_CALLER_RUNS ? TP_OVERLOAD_CALLER_RUNS
                                   : WITH_DROP_OLDEST ? TP_OVERLOAD_DROP_OLDEST
                                   : WITH_DROP_NEWEST ? TP_OVERLOAD_DROP_NEWEST
                                   : WITH_SPILL       ? TP_OVERLOAD_SPILL
                                                      : TP_OVERLOAD_BLOCK;
#endif

/* A capacity for n tasks each of which has to run: a small one, unless older tasks would be dropped. */
static inline uint64_t room_for(uint64_t n, uint64_t small)
{
    return overload == TP_OVERLOAD_DROP_OLDEST ? n : small;
}

/* A door that tasks wait at until the test opens it; the test can wait until some have come. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n_waiting;
    bool is_open;
};

#define GATE_CLOSED                                                   \
    {                                                                 \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false \
    }

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

/* Opens a pool as the settings say, but for what is named. */
static inline struct job_pool *pool_open_as(struct tp_pool_settings settings, uint32_t workers, uint64_t capacity)
{
    struct job_pool *pool = NULL;
    settings.workers = workers;
#if WITH_BOUNDED
    settings.capacity = capacity;
    settings.overload = overload;
#else
    (void)capacity;
#endif
    assert_int_equal(job_pool_open(&pool, &settings), 0);
    assert_non_null(pool);
    return pool;
}

static inline struct job_pool *pool_open(uint32_t workers, uint64_t capacity)
{
    return pool_open_as((struct tp_pool_settings){0}, workers, capacity);
}

static inline bool is_refusal(int status)
{
    return status == TP_EFULL || status == TP_ETIMEDOUT || status == TP_EDROPPED;
}

/* Submits, and tries again for as long as the pool is full, at once or after its deadline. */
static inline void submit(struct job_pool *pool, struct call *call)
{
    int status;
    while (is_refusal(status = job_submit(pool, as_payload(call))))
        sched_yield();
    assert_int_equal(status, 0);
}

/* Waits until all of the pool's workers sleep. */
static inline void await_parked(struct job_pool *pool, uint32_t workers)
{
    while (tp_idle_parked(&pool->idle) != workers)
        sched_yield();
}

#if WITH_ADAPTIVE
/* Has an adaptive pool choose tasks in a certain way, for now. */
static inline void pool_set_mode(struct job_pool *pool, enum tp_policy mode)
{
    tp_spin_lock(&pool->room_lock);
    if (mode != TP_POLICY_FIFO)
        pool->board.adapt.order = mode;
#if WITH_STEALING
    pool->board.adapt.home = mode;
#endif
    job_adapt_set(&pool->board, mode);
    tp_spin_unlock(&pool->room_lock);
}
#endif

/* Blocks all workers at the gate. */
static inline void pool_hold(struct job_pool *pool, uint32_t workers, struct gate *gate, struct call *call)
{
    *call = (struct call){gate_pass, gate};
    for (uint32_t i = 0; i < workers; i++) {
        submit(pool, call);
        gate_await(gate, i + 1);
    }
}

/* Waits until so many tasks wait: who is let in is off the waiting list a moment before its task is seen. */
static inline void await_pending(struct job_pool *pool, uint64_t n)
{
    struct tp_pool_counts counts;
    do {
        sched_yield();
        job_pool_counts(pool, &counts);
    } while (counts.pending != n);
}

/* A ledger of tasks, for "each exactly once". */
enum { LEDGER = OFTEN(20000) };
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
