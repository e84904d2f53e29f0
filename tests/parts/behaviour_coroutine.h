/* Tasks in coroutines: who yields lets others run, who waits keeps no worker, and nobody who sleeps is forgotten when the pool
 * closes, is cancelled or abandoned. */
#ifndef BEHAVIOUR_COROUTINE_H
#define BEHAVIOUR_COROUTINE_H

#include "behaviour.h"

#include "runtime/alarms.h"
#include "runtime/sleep.h"

enum { STEPS = 4,
    TURNS = 3,
#ifdef TP__TSAN /* each coroutine costs it a megabyte */
    SLEEPERS = 200,
#else
    SLEEPERS = 10000,
#endif
    FAMILY = 5,
    STORM = 300,
    STORM_TOKENS = TEST_SHARE > 1 ? 5 : 10 };

/* What tasks of a test wait for: a flag, or tokens. */
static struct tp_waitlist door;
static tp_atomic(uint32_t) n_tokens; /* UINT32_MAX: open */
static tp_atomic(uint32_t) n_through, n_cut, n_begun;

static inline void door_close(void)
{
    tp_waitlist_init(&door);
    tp_store_sc(&n_tokens, 0);
    tp_store_sc(&n_through, 0);
    tp_store_sc(&n_cut, 0);
    tp_store_sc(&n_begun, 0);
}

static inline void door_open(void)
{
    tp_store_sc(&n_tokens, UINT32_MAX);
    tp_waitlist_notify(&door, UINT32_MAX);
}

static inline bool door_try(void)
{
    uint32_t n = tp_load_acq(&n_tokens);
    while (n > 0)
        if (n == UINT32_MAX || tp_cas_sc(&n_tokens, &n, n - 1))
            return true;
    return false;
}

static inline int door_pass(uint64_t deadline_ns)
{
    int status = 0;
    while (status == 0 && !door_try()) {
        struct tp_waiter w;
        tp_waitlist_prepare(&door, &w);
        if (tp_load_acq(&n_tokens) == 0)
            status = tp_waitlist_wait(&door, &w, deadline_ns);
        else if (tp_waitlist_cancel(&door, &w))
            tp_waitlist_notify(&door, 1);
    }
    tp_add_sc(status == 0 ? &n_through : &n_cut, 1);
    return status;
}

/* A task. argument: NULL, or its deadline. */
static int door_run(void *argument)
{
    const uint64_t *deadline_ns = argument;
    tp_add_sc(&n_begun, 1);
    return door_pass(deadline_ns ? *deadline_ns : TP_FOREVER);
}

static inline uint64_t n_suspended(struct job_pool *pool)
{
    struct tp_pool_counts counts;
    job_pool_counts(pool, &counts);
    return counts.suspended;
}

static inline void await_suspended(struct job_pool *pool, uint64_t n)
{
    while (n_suspended(pool) != n)
        sched_yield();
}

/* A pool in which n tasks sleep at the door. */
static inline struct job_pool *pool_asleep(uint32_t workers, uint32_t n, struct call *call)
{
    struct job_pool *pool = pool_open(workers, n + 1);
    door_close();
    *call = (struct call){door_run, NULL};
    for (uint32_t i = 0; i < n; i++)
        submit(pool, call);
    await_suspended(pool, n);
    return pool;
}

static tp_atomic(uint32_t) n_reported;

static void count_report(const struct tp_panic_report *panic, void *context)
{
    (void)context;
    (void)panic;
    tp_add_sc(&n_reported, 1);
}

/* -- yields ------------------------------------------------------------------------------------- */

static tp_atomic(uint32_t) trace_at, trace[TURNS * STEPS];

static int trace_run(void *argument)
{
    for (int i = 0; i < STEPS; i++) {
        tp_store_rlx(&trace[tp_add_sc(&trace_at, 1)], (uint32_t)(uintptr_t)argument); /* relaxed: read after the join */
        if (tp_yield() != 0)
            return -1;
    }
    return 0;
}

/* One worker: nobody has two turns while another that has begun has none. */
static void test_yield_in_turn(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open(1, TURNS + 1);
    struct gate gate = GATE_CLOSED;
    struct call hold, calls[TURNS];
    unsigned n_steps[TURNS] = {0};
    tp_store_sc(&trace_at, 0);
    pool_hold(pool, 1, &gate, &hold);
    for (uintptr_t i = 0; i < TURNS; i++) {
        calls[i] = (struct call){trace_run, (void *)i};
        submit(pool, &calls[i]);
    }
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_rlx(&trace_at), TURNS * STEPS);
    for (int at = 0; at < TURNS * STEPS; at++) {
        uint32_t task = tp_load_rlx(&trace[at]); /* relaxed: joined */
        n_steps[task]++;
#if WITH_STEALING && !WITH_LIFO && !WITH_PINNED
        assert_true(VALUE_QUEUE <= 4 || task == (uint32_t)(at % TURNS));
#endif
    }
    for (int i = 0; i < TURNS; i++)
        assert_int_equal(n_steps[i], STEPS);
    job_pool_free(pool);
}

static int errno_run(void *argument)
{
    int mine = (int)(intptr_t)argument;
    *tp_co_errno() = mine;
    for (int i = 0; i < STEPS; i++)
        if (tp_yield() != 0 || *tp_co_errno() != mine || tp_task_check() != 0)
            return -1;
    tp_add_sc(&n_through, 1);
    return 0;
}

static void test_errno_is_the_tasks(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, 100);
        struct call calls[90];
        door_close();
        for (int i = 0; i < 90; i++) {
            calls[i] = (struct call){errno_run, (void *)(intptr_t)(i + 1)};
            submit(pool, &calls[i]);
        }
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        assert_int_equal(tp_load_sc(&n_through), 90);
        job_pool_free(pool);
    }
}

/* Begun tasks are not pending ones: clean-up leaves them. */
static int yield_often_run(void *argument)
{
    (void)argument;
    tp_add_sc(&n_begun, 1);
    while (tp_load_acq(&n_tokens) == 0)
        if (tp_yield() != 0)
            return -1;
    tp_add_sc(&n_through, 1);
    return 0;
}

static void test_cleanup_leaves_the_begun(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, 50);
        struct call call = {yield_often_run, NULL};
        door_close();
        for (int i = 0; i < 20; i++)
            submit(pool, &call);
        while (tp_load_sc(&n_begun) < 20)
            sched_yield();
        for (int i = 0; i < 200; i++)
            assert_int_equal(job_pool_cleanup(pool), 0);
        door_open();
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        assert_int_equal(tp_load_sc(&n_through), 20);
        job_pool_free(pool);
    }
}

/* -- waits -------------------------------------------------------------------------------------- */

static void test_many_sleep(void **state)
{
    (void)state;
    struct call call;
    struct job_pool *pool = pool_asleep(2, SLEEPERS, &call);
    struct tp_pool_counts counts;
    job_pool_counts(pool, &counts);
    assert_int_equal(counts.pending + counts.running, 0);
#if WITH_BOUNDED
    assert_int_equal(counts.free, 1);
#endif
    assert_int_equal(job_join_all(pool, 1), TP_ETIMEDOUT);
    door_open();
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&n_through), SLEEPERS);
    assert_int_equal(n_suspended(pool), 0);
    job_pool_free(pool);
}

/* -- guards ------------------------------------------------------------------------------------- */

enum way_out { OUT_BY_RETURN,
    OUT_BY_PANIC,
    OUT_BY_DEADLINE,
    OUT_BY_DOOR, /* the waits go on until somebody opens, or ends the pool */
    WAYS_OUT };

enum { GUARDED = 40,
    LETTERS = 8 };

/* A task with two guards, the second inside of the first; what its scopes own is noted in the order of its end. */
struct guarded {
    enum way_out way;
    uint32_t n_seen;
    char seen[LETTERS];
};
static tp_atomic(uint32_t) n_guards_over;

struct noted {
    struct guarded *task;
    char letter;
};

static void note_letter(void *argument)
{
    const struct noted *noted = argument;
    if (noted->task->n_seen < LETTERS)
        noted->task->seen[noted->task->n_seen] = noted->letter;
    noted->task->n_seen++;
    if (noted->letter == '1')
        tp_add_sc(&n_guards_over, 1); /* the last of each task's */
}

/* In a pooled coroutine: yields until it is asked to end. */
static int read_on(void *argument)
{
    int status;
    TP_DEFER(note_letter, argument);
    while ((status = tp_pooled_yield(argument, NULL)) == 0)
        ;
    return status;
}

static int guarded_run(void *argument)
{
    struct guarded *task = argument;
    struct noted notes[6] = {{task, 'a'}, {task, '1'}, {task, '2'}, {task, 'b'}, {task, '3'}, {task, '4'}};
    struct tp_cleanup cleanups[4];
    uint64_t soon_ns = tp_deadline_in_ns(TP_MILLISECOND);
    tp_add_sc(&n_begun, 1);
    TP_GUARD(outer, tp_copool_default(), read_on, &notes[0]);
    tp_guard_on_end(&outer, &cleanups[0], note_letter, &notes[1]);
    tp_guard_on_end(&outer, &cleanups[1], note_letter, &notes[2]);
    TP_GUARD(inner, tp_copool_default(), read_on, &notes[3]);
    tp_guard_on_end(&inner, &cleanups[2], note_letter, &notes[4]);
    tp_guard_on_end(&inner, &cleanups[3], note_letter, &notes[5]);
    for (int i = 0; i < 3; i++) { /* each time perhaps on another worker */
        if (tp_guard_resume(&outer, NULL, NULL) != 0 || tp_guard_resume(&inner, NULL, NULL) != 0)
            abort();
        if (tp_yield() != 0)
            return -1;
    }
    if (task->way == OUT_BY_PANIC)
        tp_panic("out");
    if (task->way == OUT_BY_RETURN)
        return 0;
    return door_pass(task->way == OUT_BY_DEADLINE ? soon_ns : TP_FOREVER);
}

enum ending { BY_DOOR_AND_CLOSE,
    BY_CANCEL,
    BY_ABANDON,
    ENDINGS };

static void end_guarded(struct job_pool *pool, enum ending ending)
{
    if (ending == BY_DOOR_AND_CLOSE) {
        door_open();
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    }
    if (ending == BY_CANCEL)
        assert_int_equal(job_pool_cancel(pool, TP_FOREVER), 0);
    if (ending == BY_ABANDON)
        job_pool_abandon(pool);
    else
        job_pool_free(pool);
}

/* Whatever ends a task, on whichever worker: its guards end in order, and once. */
static void test_guards(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    for (int ending = 0; ending < ENDINGS; ending++) {
        static struct guarded tasks[GUARDED];
        struct call calls[GUARDED];
        struct job_pool *pool = pool_open_as((struct tp_pool_settings){.on_panic = count_report}, (uint32_t)workers, GUARDED);
        door_close();
        tp_store_sc(&n_guards_over, 0);
        for (uint32_t i = 0; i < GUARDED; i++) {
            tasks[i] = (struct guarded){.way = (enum way_out)(i % WAYS_OUT)};
            calls[i] = (struct call){guarded_run, &tasks[i]};
            submit(pool, &calls[i]);
        }
        while (tp_load_sc(&n_begun) < GUARDED) /* those that have not when they are cancelled have no guards */
            sched_yield();
        end_guarded(pool, (enum ending)ending);
        while (tp_load_sc(&n_guards_over) < GUARDED)
            sched_yield();
        for (int i = 0; i < GUARDED; i++) {
            assert_int_equal(tasks[i].n_seen, 6);
            assert_memory_equal(tasks[i].seen, "b43a21", 6);
        }
    }
}

static int storm_run(void *argument)
{
    (void)argument;
    for (int i = 0; i < STORM_TOKENS; i++)
        if (door_pass(TP_FOREVER) != 0 || tp_yield() != 0)
            return -1;
    return 0;
}

static void *storm_wake(void *argument)
{
    for (int i = 0; i < STORM * STORM_TOKENS / 2; i++) {
        tp_add_sc(&n_tokens, 1);
        tp_waitlist_notify(&door, 1);
    }
    return argument;
}

/* Foreign threads wake; the pool closes meanwhile. */
#if !WITH_PINNED
static int wake_and_compute(void *argument)
{
    (void)argument;
    door_open();
    while (tp_load_acq(&n_through) == 0) /* computes: it does not wait by any call of the library */
        sched_yield();
    return 0;
}

/* Who wakes a task and goes on does not keep it from a worker that has nothing to do. */
static void test_woken_runs_elsewhere(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct call sleeper, waker = {wake_and_compute, NULL};
        struct job_pool *pool = pool_asleep(2, 1, &sleeper);
        await_parked(pool, 2);
        submit(pool, &waker);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        job_pool_free(pool);
    }
}
#endif

static void test_wake_storm(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, STORM);
        struct call call = {storm_run, NULL};
        pthread_t wakers[2];
        door_close();
        for (int i = 0; i < 2; i++)
            pthread_create(&wakers[i], NULL, storm_wake, NULL);
        for (int i = 0; i < STORM; i++)
            submit(pool, &call);
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        assert_int_equal(tp_load_sc(&n_through), STORM * STORM_TOKENS);
        job_pool_free(pool); /* while the last waker may be in it still */
        for (int i = 0; i < 2; i++)
            pthread_join(wakers[i], NULL);
    }
}

static void test_deadline_of_a_sleeper(void **state)
{
    (void)state;
    uint64_t deadlines_ns[3] = {7000, 5000, 6000};
    struct call calls[3];
    tp_store_sc(&virtual_now_ns, 1000);
    tp_slack_set(1);
    struct job_pool *pool = pool_open(1, 4);
    door_close();
    for (int i = 0; i < 3; i++) {
        calls[i] = (struct call){door_run, &deadlines_ns[i]};
        submit(pool, &calls[i]);
    }
    while (tp_load_sc(&n_begun) < 3)
        sched_yield();
    await_suspended(pool, 3);
    for (uint32_t n = 1; n <= 2; n++) {
        tp_store_sc(&virtual_now_ns, 4000 + n * 1000);
        while (tp_load_sc(&n_cut) < n)
            sched_yield();
    }
    await_suspended(pool, 1);
    door_open();
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&n_cut), 2);
    assert_int_equal(tp_load_sc(&n_through), 1);
    tp_store_sc(&virtual_now_ns, 0);
    tp_slack_set(TP_ALARMS_SLACK_NS);
    job_pool_free(pool);
}

/* The real clock: a worker that sleeps wakes itself. */
static void test_deadline_wakes_a_worker(void **state)
{
    (void)state;
    uint64_t deadline_ns;
    struct job_pool *pool = pool_open(2, 4);
    struct call call = {door_run, &deadline_ns};
    door_close();
    for (int i = 0; i < 5; i++) {
        deadline_ns = tp_deadline_in_ns(TP_MILLISECOND);
        submit(pool, &call);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        assert_true(tp_clock_now_ns() >= deadline_ns);
    }
    assert_int_equal(tp_load_sc(&n_cut), 5);
    job_pool_free(pool);
}

#if WITH_TRACKING
struct family {
    struct job_pool *pool;
    int depth;
};

/* Has children, waits for each, and counts them and theirs. */
static int family_run(void *argument)
{
    const struct family *family = argument;
    struct family next = {family->pool, family->depth - 1};
    struct call call = {family_run, &next};
    uint64_t ids[FAMILY];
    int n = 1;
    for (int i = 0; i < FAMILY && next.depth >= 0; i++)
        if (job_spawn(family->pool, as_payload(&call), &ids[i]) != 0)
            abort();
    for (int i = 0; i < FAMILY && next.depth >= 0; i++) {
        struct tp_task_result result;
        if (job_join(family->pool, ids[i], TP_FOREVER, &result) != 0 || result.state != TP_TASK_RETURNED)
            abort();
        n += result.code;
    }
    return n;
}

/* Also with one worker: who waits does not keep it. */
static void test_join_children(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct family family = {pool_open((uint32_t)workers, 1000), 3};
        struct call call = {family_run, &family};
        struct tp_task_result result;
        uint64_t id;
        assert_int_equal(job_spawn(family.pool, as_payload(&call), &id), 0);
        assert_int_equal(job_join(family.pool, id, TP_FOREVER, &result), 0);
        assert_int_equal(result.code, 1 + FAMILY * (1 + FAMILY * (1 + FAMILY)));
        job_pool_free(family.pool);
    }
}

static void test_cancel_a_sleeper(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open(1, 10);
    struct call call = {door_run, NULL};
    struct tp_task_result result;
    uint64_t ids[3];
    door_close();
    for (int i = 0; i < 3; i++)
        assert_int_equal(job_spawn(pool, as_payload(&call), &ids[i]), 0);
    await_suspended(pool, 3);
    assert_int_equal(job_cancel_task(pool, ids[1]), 0);
    assert_int_equal(job_join(pool, ids[1], TP_FOREVER, &result), 0);
    assert_int_equal(result.state, TP_TASK_FAILED);
    assert_int_equal(result.code, TP_ECANCELED);
    assert_int_equal(n_suspended(pool), 2);
    door_open();
    for (int i = 0; i < 3; i += 2) {
        assert_int_equal(job_join(pool, ids[i], TP_FOREVER, &result), 0);
        assert_int_equal(result.state, TP_TASK_RETURNED);
    }
    job_pool_free(pool);
}
#endif

/* -- ends ---------------------------------------------------------------------------------------- */

static void test_close_waits_for_sleepers(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct call call;
        struct job_pool *pool = pool_asleep((uint32_t)workers, 50, &call);
        assert_int_equal(job_pool_close(pool, 1), TP_ETIMEDOUT);
        assert_int_equal(n_suspended(pool), 50);
        assert_int_equal(job_submit(pool, as_payload(&call)), TP_ECLOSED);
        door_open();
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        assert_int_equal(tp_load_sc(&n_through), 50);
        job_pool_free(pool);
    }
}

static void test_cancel_wakes_sleepers(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct call call;
        struct job_pool *pool = pool_asleep((uint32_t)workers, 50, &call);
        assert_int_equal(job_pool_cancel(pool, TP_FOREVER), 0);
        assert_int_equal(tp_load_sc(&n_cut), 50);
        assert_int_equal(job_pool_reopen(pool), 0); /* and none of it is left */
        door_close();
        for (int i = 0; i < 50; i++)
            submit(pool, &call);
        await_suspended(pool, 50);
        door_open();
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        assert_int_equal(tp_load_sc(&n_through), 50);
        assert_int_equal(tp_load_sc(&n_cut), 0);
        job_pool_free(pool);
    }
}

static int shielded_run(void *argument)
{
    (void)argument;
    {
        TP_SHIELD;
        if (door_pass(TP_FOREVER) != 0 || tp_task_check() != 0)
            return -1;
    }
    return door_pass(TP_FOREVER) == TP_ECANCELED && tp_yield() == TP_ECANCELED ? 0 : -1;
}

/* Sleeps in a shield, and leaves it by a panic. */
static int shielded_part(void *argument)
{
    (void)argument;
    tp_shield_begin();
    if (door_pass(TP_FOREVER) != 0 || tp_task_check() != 0)
        abort();
    tp_panic("in a part of a task");
}

static int protected_run(void *argument)
{
    return tp_task_protect(shielded_part, argument) == TP_EPANICKED && tp_yield() == TP_ECANCELED && tp_task_check() == TP_ECANCELED ? 0 : -1;
}

/* The part waits as the task does, and its shields end with it. */
static void test_protected_part_sleeps(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open_as((struct tp_pool_settings){.on_panic = count_report}, 1, 10);
    struct call call = {protected_run, NULL};
    door_close();
    tp_store_sc(&n_reported, 0);
    submit(pool, &call);
    await_suspended(pool, 1);
    assert_int_equal(job_pool_cancel(pool, 1), TP_ETIMEDOUT);
    door_open();
    assert_int_equal(job_pool_cancel(pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&n_through), 1);
    assert_int_equal(tp_load_sc(&n_reported), 1);
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.failed + stats.panicked, 0);
#endif
    job_pool_free(pool);
}

static void test_shield_outlasts_cancel(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open(1, 10);
    struct call call = {shielded_run, NULL};
    door_close();
    submit(pool, &call);
    await_suspended(pool, 1);
    assert_int_equal(job_pool_cancel(pool, 1), TP_ETIMEDOUT);
    assert_int_equal(n_suspended(pool), 1);
    tp_store_sc(&n_tokens, 1);
    tp_waitlist_notify(&door, 1);
    assert_int_equal(job_pool_cancel(pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&n_through), 1);
    assert_int_equal(tp_load_sc(&n_cut), 1);
    job_pool_free(pool);
}

static void test_abandon_sleepers(void **state)
{
    (void)state;
    struct call call;
    struct job_pool *pool = pool_asleep(2, 50, &call);
    job_pool_abandon(pool);
    while (tp_load_sc(&n_cut) < 50)
        sched_yield();
}

static void count_cut(void *argument)
{
    (void)argument;
    tp_add_sc(&n_cut, 1);
}

static int panic_after_sleep_run(void *argument)
{
    TP_DEFER(count_cut, argument);
    if (door_pass(TP_FOREVER) != 0)
        return -1;
    tp_panic("awake");
}

static void test_panic_after_sleep(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open_as((struct tp_pool_settings){.on_panic = count_report}, (uint32_t)workers, 30);
        struct call call = {panic_after_sleep_run, NULL};
        door_close();
        tp_store_sc(&n_reported, 0);
        for (int i = 0; i < 20; i++)
            submit(pool, &call);
        await_suspended(pool, 20);
        door_open();
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        assert_int_equal(tp_load_sc(&n_reported), 20);
        assert_int_equal(tp_load_sc(&n_cut), 20);
        job_pool_free(pool);
    }
}

#endif
