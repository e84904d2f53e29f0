/* Tasks in coroutines that may not change workers: whoever wakes them, whatever is stolen, and whoever is sent away meanwhile. */
#ifndef BEHAVIOUR_PINNED_H
#define BEHAVIOUR_PINNED_H

#include "behaviour_coroutine.h"

#include "runtime/base/apart.h"

enum { CREW = 4,
    STORM_PASSES = 2 * STORM * STORM_TOKENS };

static tp_atomic(uint32_t) n_moved, n_arrived;

/* Where a task runs. */
struct here {
    pthread_t thread;
    unsigned worker;
};

TP_APART static struct here here_now(void)
{
    return (struct here){pthread_self(), tp_worker_self()->index};
}

static inline void check_here(const struct here *first)
{
    struct here now = here_now();
    if (now.worker != first->worker || !pthread_equal(now.thread, first->thread))
        tp_add_sc(&n_moved, 1);
}

/* So each worker has begun as many tasks as any other. */
static inline void arrive_in_groups_of(uint32_t workers)
{
    uint32_t n = tp_add_sc(&n_arrived, 1);
    while (tp_load_sc(&n_arrived) < n - n % workers + workers)
        sched_yield();
}

static int pinned_storm_run(void *argument)
{
    struct here first = here_now();
    arrive_in_groups_of((uint32_t)(uintptr_t)argument);
    for (int i = 0; i < STORM_TOKENS; i++) {
        if (door_pass(TP_FOREVER) != 0)
            return -1;
        check_here(&first);
        tp_add_sc(&n_tokens, 1);
        tp_waitlist_notify(&door, 1); /* from one worker to another, too */
        if (door_pass(TP_FOREVER) != 0 || tp_yield() != 0)
            return -1;
        check_here(&first);
    }
    return 0;
}

static inline void send_away(struct job_pool *pool, uint32_t n_stay)
{
    (void)pool;
    (void)n_stay;
#if WITH_TUNE
    job_pool_tune_workers(pool, n_stay);
#endif
#if WITH_EXPIRE
    tp_idle_expire(&pool->idle, UINT64_MAX, 1);
#endif
}

/* Foreign threads wake, others steal what has not begun, workers come and go. */
static void test_pinned_storm(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, STORM);
        struct call call = {pinned_storm_run, (void *)workers};
        pthread_t wakers[2];
        door_close();
        tp_store_sc(&n_moved, 0);
        tp_store_sc(&n_arrived, 0);
        assert_int_equal(STORM % workers, 0);
        for (int i = 0; i < STORM; i++)
            submit(pool, &call);
        await_suspended(pool, STORM);
        for (int i = 0; i < 2; i++)
            pthread_create(&wakers[i], NULL, storm_wake, NULL);
        while (tp_load_sc(&n_through) < STORM_PASSES)
            send_away(pool, 1 + tp_load_sc(&n_through) % (uint32_t)workers);
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        assert_int_equal(tp_load_sc(&n_through), STORM_PASSES);
        assert_int_equal(tp_load_sc(&n_moved), 0);
        job_pool_free(pool);
        for (int i = 0; i < 2; i++)
            pthread_join(wakers[i], NULL);
    }
}

/* One on each worker. */
static int crew_run(void *argument)
{
    (void)argument;
    struct here first = here_now();
    tp_add_sc(&n_arrived, 1);
    while (tp_load_sc(&n_arrived) < CREW)
        sched_yield();
    int status = door_pass(TP_FOREVER);
    check_here(&first);
    return status;
}

/* Workers that are sent away while their tasks sleep stay until these have ended. */
static void test_pinned_sent_away(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open(CREW, CREW + 1);
    struct call call = {crew_run, NULL};
    door_close();
    tp_store_sc(&n_moved, 0);
    tp_store_sc(&n_arrived, 0);
    for (int i = 0; i < CREW; i++)
        submit(pool, &call);
    await_suspended(pool, CREW);
    for (int i = 0; i < 3; i++) {
        while (tp_idle_parked(&pool->idle) < CREW)
            sched_yield();
        send_away(pool, 1);
    }
    door_open();
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&n_through), CREW);
    assert_int_equal(tp_load_sc(&n_moved), 0);
#if WITH_TUNE
    while (tp_idle_live(&pool->idle) > 1)
        sched_yield();
#endif
    job_pool_free(pool);
}

struct post_at {
    struct call call;
    struct gate gate;
    unsigned worker;
};

static int post_at_run(void *argument)
{
    struct post_at *post = argument;
    post->worker = here_now().worker;
    return gate_pass(&post->gate);
}

static int sleep_at_run(void *argument)
{
    unsigned *home = argument;
    *home = here_now().worker;
    int status = door_pass(TP_FOREVER);
    if (here_now().worker != *home)
        tp_add_sc(&n_moved, 1);
    return status;
}

/* A task whose worker is in another one waits for it, although a worker sleeps. */
static void test_pinned_waits_for_its_worker(void **state)
{
    (void)state;
    unsigned home;
    struct job_pool *pool = pool_open(2, 5);
    struct call sleeper = {sleep_at_run, &home};
    struct post_at posts[2];
    door_close();
    tp_store_sc(&n_moved, 0);
    submit(pool, &sleeper);
    await_suspended(pool, 1);
    for (int i = 0; i < 2; i++) {
        posts[i] = (struct post_at){.call = {post_at_run, &posts[i]}, .gate = GATE_CLOSED};
        submit(pool, &posts[i].call);
        gate_await(&posts[i].gate, 1);
    }
    door_open();
    gate_open(&posts[posts[0].worker == home].gate);
    while (tp_idle_parked(&pool->idle) < 1)
        sched_yield();
    assert_int_equal(tp_load_sc(&n_through), 0);
    gate_open(&posts[posts[0].worker != home].gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&n_moved), 0);
    assert_int_equal(tp_load_sc(&n_through), 1);
    job_pool_free(pool);
}

static int run_pinned(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pinned_storm),
        cmocka_unit_test(test_pinned_sent_away),
        cmocka_unit_test(test_pinned_waits_for_its_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
