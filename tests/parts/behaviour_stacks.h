/* Stacks of tasks in coroutines: idle ones go back after a burst, and statistics say how deep they are used. */
#ifndef BEHAVIOUR_STACKS_H
#define BEHAVIOUR_STACKS_H

#include "behaviour_coroutine.h"

#include "coro/sanitize.h"
#include "coro/stack.h"

static uint64_t n_stacks_live(void)
{
    struct tp_stack_stats stats;
    uint64_t n = 0;
    tp_stack_get_stats(&stats);
    for (int i = 0; i < TP_STACK_CLASSES; i++)
        n += stats.classes[i].n_live;
    return n;
}

/* After a burst the worker wakes up for one step after the other, until there are as few as are kept: for all, and in its cache. */
static void test_idle_stacks_go_back(void **state)
{
    (void)state;
    enum { BURST = 200,
        IN_CACHE = 40 };
    uint64_t n_before = n_stacks_live();
    struct call call;
    tp_store_sc(&virtual_now_ns, 1000);
    struct job_pool *pool = pool_asleep(1, BURST, &call);
    assert_int_equal(n_stacks_live() - n_before, BURST);
    door_open();
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    while (tp_fibers_are_many(&pool->fibers)) {
        tp_add_sc(&virtual_now_ns, TP_FIBER_PERIOD_NS / 4);
        sched_yield();
    }
    await_parked(pool, 1);
    assert_int_equal(tp_load_rlx(&pool->fibers.n_idle), TP_FIBER_KEEP);
    assert_int_equal(n_stacks_live() - n_before, TP_FIBER_KEEP + IN_CACHE);
    door_close();
    for (int i = 0; i < BURST; i++)
        submit(pool, &call);
    await_suspended(pool, BURST);
    assert_int_equal(n_stacks_live() - n_before, BURST);
    door_open();
    job_pool_free(pool);
    tp_store_sc(&virtual_now_ns, 0);
    assert_int_equal(n_stacks_live(), n_before);
}

#if WITH_STATS && !TP__CHECK_ADDRESS && !TP__CHECK_THREAD
enum { SHALLOW = 20000,
    DEEP = 40000,
    SLACK = 2048 };

static __attribute__((noinline)) int deep_run(void *argument)
{
    char room[DEEP];
    memset(room, 1, sizeof room);
    __asm__ volatile(""
                     :
                     : "r"(room)
                     : "memory");
    (void)argument;
    return 0;
}

static __attribute__((noinline)) int shallow_run(void *argument)
{
    char room[SHALLOW];
    memset(room, 1, sizeof room);
    __asm__ volatile(""
                     :
                     : "r"(room)
                     : "memory");
    (void)argument;
    return 0;
}

static void run_deep(struct job_pool *pool, int (*run)(void *), uint64_t least)
{
    struct tp_pool_stats stats;
    struct call call = {run, NULL};
    submit(pool, &call);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.stack_bytes, VALUE_STACK);
    assert_true(stats.stack_high_water >= least && stats.stack_high_water < least + SLACK);
}

/* The first task of the worker is measured, and then one in JOB_DEPTH; those before are wiped away. */
static void test_stack_high_water(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open(1, 10);
    run_deep(pool, deep_run, DEEP);
    run_deep(pool, shallow_run, DEEP);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    assert_int_equal(job_pool_reopen(pool), 0);
    run_deep(pool, shallow_run, SHALLOW);
    for (int i = 1; i < JOB_DEPTH; i++)
        run_deep(pool, deep_run, SHALLOW);
    run_deep(pool, deep_run, DEEP);
    job_pool_free(pool);
}
#endif

#endif
