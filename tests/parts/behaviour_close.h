/* Behaviour: closing. From every side, at once and again; in time or not; and nothing is left. */

/* Several close at once; all come back when the last task is over. */
static void test_close_from_many(void **state)
{
    (void)state;
    enum { CLOSERS = 4 };
    unsigned n_threads = count_threads();
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct caller closers[CLOSERS] = {0};
    struct job_pool *pool = life_open(2, 100);
    struct entry *entries = ledger_new(50);
    pool_hold(pool, 2, &gate, &hold);
    for (size_t i = 0; i < 50; i++)
        submit(pool, &entries[i].call);
    for (size_t i = 0; i < CLOSERS; i++)
        caller_start(&closers[i], pool, call_close);
    await_state(pool, TP_LIFE_DRAINING);
    gate_open(&gate);
    for (size_t i = 0; i < CLOSERS; i++)
        assert_int_equal(caller_end(&closers[i]), 0);
    assert_int_equal(job_pool_close(pool, 0), 0);
    ledger_check(entries, 50);
    await_threads(n_threads);
    job_pool_free(pool);
    free(entries);
}

/* What did not finish in time is told, by number and by name; a second call waits for it. */
static void test_close_in_vain(void **state)
{
    (void)state;
    enum { PENDING = 20 };
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct job_pool *pool = life_open(3, 100);
    struct entry *entries = ledger_new(PENDING);
    pool_hold(pool, 3, &gate, &hold);
    for (size_t i = 0; i < PENDING; i++)
        submit(pool, &entries[i].call);
    assert_int_equal(job_pool_close(pool, tp_deadline_in_ns(TP_MILLISECOND)), TP_ETIMEDOUT);
    assert_int_equal(counts_of(pool).running, 3);
    assert_int_equal(counts_of(pool).pending, PENDING);
#if WITH_TRACKING
    struct tp_task_info infos[3 + PENDING + 1];
    size_t n_running = 0;
    assert_int_equal(job_tasks(pool, NULL, 0), 3 + PENDING);
    assert_int_equal(job_tasks(pool, infos, 3 + PENDING + 1), 3 + PENDING);
    for (size_t i = 0; i < 3 + PENDING; i++) {
        assert_true(infos[i].state == TP_TASK_RUNNING || infos[i].state == TP_TASK_PENDING);
        n_running += infos[i].state == TP_TASK_RUNNING;
    }
    assert_int_equal(n_running, 3);
#endif
    assert_int_equal(job_pool_close(pool, 0), TP_ETIMEDOUT);
    gate_open(&gate);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    ledger_check(entries, PENDING);
    assert_int_equal(counts_of(pool).running + counts_of(pool).pending, 0);
#if WITH_TRACKING
    assert_int_equal(job_tasks(pool, NULL, 0), 0);
#endif
    job_pool_free(pool);
    free(entries);
}

/* A closed pool refuses everything, and is quiet. */
static void test_closed_refuses(void **state)
{
    (void)state;
    struct call nothing = {nothing_run, NULL};
    uintptr_t payload = as_payload(&nothing);
    size_t n = 77;
    struct job_pool *pool = life_open(2, 8);
    check_works(pool, 20);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    assert_int_equal(job_submit(pool, payload), TP_ECLOSED);
    assert_int_equal(job_submit_batch(pool, &payload, 1, &n), TP_ECLOSED);
    assert_int_equal(n, 0);
#if WITH_TRACKING
    uint64_t id = 77;
    assert_int_equal(job_spawn(pool, payload, &id), TP_ECLOSED);
    assert_int_equal(id, 77);
#endif
#if WITH_CLASSES
    assert_int_equal(job_submit_class(pool, (enum job_class)0, payload), TP_ECLOSED);
#endif
#if WITH_BOARD
    assert_int_equal(job_process_pending(pool, 1), 0);
#endif
#if WITH_TUNE
    assert_int_equal(job_pool_tune_workers(pool, 3), TP_ECLOSED);
    assert_int_equal(job_pool_tune_workers(pool, 1), TP_ECLOSED);
#endif
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(job_pool_cleanup(pool), 0);
    assert_int_equal(job_pool_cancel(pool, TP_FOREVER), 0);
    job_pool_free(pool);
}

/* -- from a task of the pool itself ---------------------------------------------------------------- */

struct within {
    struct job_pool *pool;
    int join, close, cancel;
    bool done;
};

static int within_run(void *argument)
{
    struct within *within = argument;
    within->join = job_join_all(within->pool, TP_FOREVER);
    within->close = job_pool_close(within->pool, TP_FOREVER);
    within->cancel = job_pool_cancel(within->pool, TP_FOREVER);
    within->done = true;
    return 0;
}

/* It would wait for itself; the pool stays open. */
static void check_refused_within(struct within *within)
{
    assert_true(within->done);
    assert_int_equal(within->join, TP_EDEADLK);
    assert_int_equal(within->close, TP_EDEADLK);
    assert_int_equal(within->cancel, TP_EDEADLK);
    check_works(within->pool, 5);
}

static void test_close_within_worker(void **state)
{
    (void)state;
    struct within within = {.pool = life_open(2, 8)};
    struct call call = {within_run, &within};
    submit(within.pool, &call);
    assert_int_equal(job_join_all(within.pool, TP_FOREVER), 0);
    check_refused_within(&within);
    job_pool_free(within.pool);
}

#if WITH_BOUNDED && WITH_CALLER_RUNS
/* The submitter runs the task that closes. */
static void test_close_within_submitter(void **state)
{
    (void)state;
    struct tp_pool_settings settings = life_settings(1, 1);
#if WITH_ANY
    settings.overload = TP_OVERLOAD_CALLER_RUNS;
#endif
    struct within within = {.pool = life_open_as(&settings)};
    struct gate gate = GATE_CLOSED;
    struct call hold, call = {within_run, &within};
    pool_hold(within.pool, 1, &gate, &hold);
    submit(within.pool, &call);
    gate_open(&gate);
    assert_int_equal(job_join_all(within.pool, TP_FOREVER), 0);
    check_refused_within(&within);
    job_pool_free(within.pool);
}
#endif

#if WITH_BOARD
/* A thread that helps out runs the task that closes. */
static void test_close_within_helper(void **state)
{
    (void)state;
    struct within within = {.pool = life_open(1, 8)};
    struct gate gate = GATE_CLOSED;
    struct call hold, call = {within_run, &within};
    pool_hold(within.pool, 1, &gate, &hold);
    submit(within.pool, &call);
    assert_int_equal(job_process_pending(within.pool, 5), 1);
    gate_open(&gate);
    check_refused_within(&within);
    job_pool_free(within.pool);
}

static int call_process(struct caller *caller)
{
    return (int)job_process_pending(caller->pool, 1);
}

/* A thread that helps out holds the last task: the close waits for it, too. */
static void test_close_waits_for_helper(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED, helped = GATE_CLOSED;
    struct call hold, last = {gate_pass, &helped};
    struct caller helper = {0}, closer = {0};
    struct job_pool *pool = life_open(2, 8);
    pool_hold(pool, 2, &gate, &hold);
    submit(pool, &last);
    caller_start(&helper, pool, call_process);
    gate_await(&helped, 1);
    gate_open(&gate);
    assert_int_equal(job_pool_close(pool, tp_deadline_in_ns(TP_MILLISECOND)), TP_ETIMEDOUT);
    assert_int_equal(job_pool_reopen(pool), TP_EINVAL);
    while (counts_of(pool).pending + counts_of(pool).running != 1) /* until those that were held are over, too */
        sched_yield();
    caller_start(&closer, pool, call_close);
    gate_open(&helped);
    assert_int_equal(caller_end(&closer), 0);
    assert_int_equal(caller_end(&helper), 1);
    assert_int_equal(counts_of(pool).pending + counts_of(pool).running, 0);
    job_pool_free(pool);
}
#endif

#if BLOCKS
/* Submitters of every class wait for room: each is told. */
static void test_close_wakes_every_class(void **state)
{
    (void)state;
    enum { EACH = 2,
        CLASSES = sizeof(((struct job_pool *)0)->room) / sizeof(struct tp_waitlist) };
    struct gate gate = GATE_CLOSED;
    struct call hold, nothing = {nothing_run, NULL};
    struct caller callers[EACH * CLASSES] = {0};
    struct job_pool *pool = life_open(1, 1);
    pool_hold(pool, 1, &gate, &hold);
#if WITH_PRIORITY
    for (size_t i = 0; i < JOB_EXCEED; i++)
        assert_int_equal(job_submit_class(pool, (enum job_class)0, as_payload(&nothing)), 0);
#endif
    for (unsigned i = 0; i < EACH * CLASSES; i++) {
        callers[i].call = &nothing;
        callers[i].class_ = i % CLASSES;
        caller_start(&callers[i], pool, call_submit);
    }
    await_blocked(pool, EACH * CLASSES);
    assert_int_equal(counts_of(pool).waiting, EACH * CLASSES);
    assert_int_equal(job_pool_close(pool, 0), TP_ETIMEDOUT);
    for (size_t i = 0; i < EACH * CLASSES; i++)
        assert_int_equal(caller_end(&callers[i]), TP_ECLOSED);
    assert_int_equal(counts_of(pool).waiting, 0);
    gate_open(&gate);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    job_pool_free(pool);
}
#endif

/* No thread outlives its pool. */
static void test_no_thread_is_left(void **state)
{
    (void)state;
    unsigned n_threads = count_threads();
    for (uint32_t round = 0; round < 20; round++) {
        struct job_pool *pool = life_open(1 + round % 4, 16);
        check_works(pool, 10);
        if (round % 2 == 0)
            assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        if (round % 2 == 0)
            await_threads(n_threads);
        job_pool_free(pool);
        await_threads(n_threads);
    }
}
