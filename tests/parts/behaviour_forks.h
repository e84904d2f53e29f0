/* Behaviour: tasks that fork. Idle workers take branches, whatever queues the pool has; a branch is a part of its task. */
#ifndef BEHAVIOUR_FORKS_H
#define BEHAVIOUR_FORKS_H

#include "behaviour.h"

enum { FIBS = 12,
    FIB_N = 18,
    FIB_RESULT = 2584,
    FIB_YIELDS = 12 }; /* below it, a coroutine leaves its worker with branches open */

struct fib {
    uint64_t result;
    unsigned n;
};

static uint64_t fib(unsigned n);

static void fib_run(void *argument)
{
    struct fib *self = argument;
    self->result = fib(self->n);
}

static uint64_t fib(unsigned n)
{
    if (n < 2)
        return n;
    struct tp_branch branch;
    struct fib other = {0, n - 1};
    tp_fork(&branch, fib_run, &other);
    uint64_t mine = fib(n - 2);
#if WITH_COROUTINE
    if (n == FIB_YIELDS)
        tp_yield();
#endif
    tp_join(&branch);
    return mine + other.result;
}

static int fib_task(void *argument)
{
    fib_run(argument);
    return 0;
}

/* Several tasks that fork, by any number of workers. */
static void test_forks(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, FIBS + 1);
        struct fib fibs[FIBS];
        struct call calls[FIBS];
        for (int i = 0; i < FIBS; i++) {
            fibs[i] = (struct fib){0, FIB_N};
            calls[i] = (struct call){fib_task, &fibs[i]};
            submit(pool, &calls[i]);
        }
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        for (int i = 0; i < FIBS; i++)
            assert_int_equal(fibs[i].result, FIB_RESULT);
#if WITH_STATS
        struct tp_pool_stats stats;
        job_pool_stats(pool, &stats);
        assert_int_equal(stats.completed, FIBS); /* branches are no tasks */
#endif
        job_pool_free(pool);
    }
}

/* -- branches that wait for each other ---------------------------------------------------------- */

static tp_atomic(uint32_t) n_met;

/* Goes on when so many have come, each on a worker of its own; and forks meanwhile, so that others hear of it. */
static void meet(uint32_t n)
{
    tp_add_sc(&n_met, 1);
    while (tp_load_acq(&n_met) < n) {
        struct tp_branch pretext;
        struct fib nothing = {0, 0};
        tp_fork(&pretext, fib_run, &nothing);
        tp_join(&pretext);
        sched_yield();
    }
}

static void meet_run(void *argument)
{
    meet(*(uint32_t *)argument);
}

static int meet_task(void *argument)
{
    struct tp_branch branches[4];
    uint32_t n = *(uint32_t *)argument;
    for (uint32_t i = 0; i + 1 < n; i++)
        tp_fork(&branches[i], meet_run, argument);
    meet(n);
    for (uint32_t i = 0; i + 1 < n; i++)
        tp_join(&branches[i]);
    return 0;
}

/* One task, and all other workers asleep: they wake up for its branches. */
static void test_forks_wake_workers(void **state)
{
    (void)state;
    for (uint32_t n = 2; n <= 5; n++) {
        struct job_pool *pool = pool_open(n, 8);
        struct call call = {meet_task, &n};
        for (int round = 0; round < 10; round++) {
            tp_store_sc(&n_met, 0);
            if (round % 2 == 0)
                await_parked(pool, n);
            submit(pool, &call);
            assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
            assert_true(tp_load_acq(&n_met) == n);
        }
        job_pool_free(pool);
    }
}

/* -- a part of its task ------------------------------------------------------------------------- */

struct part {
    struct gate *gate;
    uint64_t id;
    int check;
    unsigned worker;
    bool panics;
};

static void part_run(void *argument)
{
    struct part *part = argument;
    tp_add_sc(&n_met, 1);
    if (part->gate)
        gate_pass(part->gate);
    part->id = tp_task_id();
    part->check = tp_task_check();
    part->worker = job_self(tp_worker_self()->pool)->base.index;
    if (part->panics)
        tp_panic("in a branch");
}

/* Forks until somebody has taken the part. */
static int part_task(void *argument)
{
    struct tp_branch branch;
    tp_fork(&branch, part_run, argument);
    meet(2);
    tp_join(&branch);
    return 5;
}

static void test_cancel_reaches_branches(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct part part = {.gate = &gate};
    struct job_pool *pool = pool_open(2, 8);
    struct call call = {part_task, &part};
    tp_store_sc(&n_met, 0);
    submit(pool, &call);
    gate_await(&gate, 1);
    assert_int_equal(job_pool_cancel(pool, 0), TP_ETIMEDOUT);
    gate_open(&gate);
    assert_int_equal(job_pool_cancel(pool, TP_FOREVER), 0);
    assert_int_equal(part.check, TP_ECANCELED);
    job_pool_free(pool);
}

/* The handler is told once, of the task and of the worker where it happened. */
static void test_panic_in_branch(void **state)
{
    (void)state;
    struct told told;
    struct part part = {.panics = true};
    struct job_pool *pool = pool_open_told(&told, 2, 8);
    struct call call = {part_task, &part};
    for (unsigned i = 1; i <= 10; i++) {
        tp_store_sc(&n_met, 0);
#if WITH_TRACKING
        uint64_t id;
        struct tp_task_result result;
        int status;
        while (is_refusal(status = job_spawn(pool, as_payload(&call), &id)))
            sched_yield();
        assert_int_equal(status, 0);
        assert_int_equal(job_join(pool, id, TP_FOREVER, &result), 0);
        assert_int_equal(result.state, TP_TASK_PANICKED);
        assert_true(told.id == id);
        assert_true(part.id == id);
#else
        submit(pool, &call);
#endif
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        assert_int_equal(told.n, i);
        assert_string_equal(told.message, "in a branch");
        assert_int_equal(told.worker, part.worker);
    }
    job_pool_free(pool);
}

/* -- tasks of branches -------------------------------------------------------------------------- */

static struct job_pool *submitted_to;
static struct entry *submitted;

static void submit_run(void *argument)
{
    submit(submitted_to, &((struct entry *)argument)->call);
}

static int submit_task(void *argument)
{
    struct tp_branch branches[8];
    struct entry *entries = argument;
    for (int i = 0; i < 8; i++)
        tp_fork(&branches[i], submit_run, &entries[i]);
    for (int i = 0; i < 8; i++)
        tp_join(&branches[i]);
    return 0;
}

/* What a branch submits is run, by whichever worker. */
static void test_branches_submit(void **state)
{
    (void)state;
    enum { SUBMITTERS = 50 };
    struct call calls[SUBMITTERS];
    submitted_to = pool_open(3, 10 * SUBMITTERS);
    submitted = ledger_new(8 * SUBMITTERS);
    for (int i = 0; i < SUBMITTERS; i++) {
        calls[i] = (struct call){submit_task, &submitted[8 * i]};
        submit(submitted_to, &calls[i]);
    }
    assert_int_equal(job_join_all(submitted_to, TP_FOREVER), 0);
    ledger_check(submitted, 8 * SUBMITTERS);
    free(submitted);
    job_pool_free(submitted_to);
}

#if WITH_TUNE
/* Workers come and go while tasks fork: one leaves with nothing open, and a new one is heard. */
static void test_tune_while_forking(void **state)
{
    (void)state;
    enum { ROUNDS = 40 };
    struct job_pool *pool = pool_open_as((struct tp_pool_settings){.workers_max = 5}, 5, ROUNDS + 1);
    struct fib fibs[ROUNDS];
    struct call calls[ROUNDS];
    for (uint32_t i = 0; i < ROUNDS; i++) {
        fibs[i] = (struct fib){0, FIB_N};
        calls[i] = (struct call){fib_task, &fibs[i]};
        submit(pool, &calls[i]);
        assert_true(job_pool_tune_workers(pool, 1 + i * 3 % 5) != TP_EINVAL);
    }
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(fibs[i].result, FIB_RESULT);
    job_pool_free(pool);
}
#endif

/* Pools come and go while tasks fork. */
static void test_close_while_forking(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct job_pool *pool = pool_open(3, 8);
        struct fib one = {0, FIB_N};
        struct call call = {fib_task, &one};
        submit(pool, &call);
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        assert_int_equal(one.result, FIB_RESULT);
        assert_int_equal(job_pool_reopen(pool), 0);
        one.result = 0;
        submit(pool, &call);
        job_pool_free(pool);
        assert_int_equal(one.result, FIB_RESULT);
    }
}

#endif
