/* Behaviour: the numbers a pool tells are exact where docs/statistics.md says so, and fit each other always. */

#if WITH_STATS
static void check_identity(const struct tp_pool_stats *stats)
{
    if (stats->submitted != stats->completed + stats->cancelled + stats->dropped + stats->now.pending + stats->now.running)
        abort();
}

/* Threads submit, clean up and cancel; others look. */
struct crowd {
    struct job_pool *pool;
    struct entry *entries;
    size_t n;
    tp_atomic(uint64_t) n_accepted;
    tp_atomic(uint32_t) n_left; /* threads that still submit */
};
enum { CROWD = 4,
    EACH_OF_CROWD = OFTEN(3000) };

static int crowd_put(struct crowd *crowd, size_t i)
{
    uintptr_t payload = as_payload(&crowd->entries[i].call);
#if WITH_TRACKING
    uint64_t id;
    int status = job_spawn(crowd->pool, payload, &id);
    if (status == 0 && i % 3 == 0)
        (void)job_cancel_task(crowd->pool, id); /* it may be over */
    if (status == 0 && job_detach(crowd->pool, id) != 0)
        abort();
    return status;
#else
    return job_submit(crowd->pool, payload);
#endif
}

static void *crowd_run(void *argument)
{
    struct crowd *crowd = argument;
    size_t from = (size_t)(tp_add_sc(&crowd->n_left, 1)) * EACH_OF_CROWD;
    for (size_t i = from; i < from + EACH_OF_CROWD; i++) {
        int status = crowd_put(crowd, i);
        if (status == 0)
            tp_add_sc(&crowd->n_accepted, 1);
        else if (!is_refusal(status))
            abort();
        if (i % 1000 == 0)
            (void)job_pool_cleanup(crowd->pool);
    }
    return NULL;
}

static void test_identity(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct crowd crowd = {.pool = pool_open((uint32_t)workers, 20), .entries = ledger_new(CROWD * EACH_OF_CROWD)};
        struct tp_pool_stats stats, before = {0};
        pthread_t threads[CROWD];
        for (size_t i = 0; i < CROWD; i++)
            pthread_create(&threads[i], NULL, crowd_run, &crowd);
        for (int i = 0; i < OFTEN(2000); i++) {
            job_pool_stats(crowd.pool, &stats);
            check_identity(&stats);
            assert_true(stats.now.running <= workers);
            assert_true(stats.submitted >= before.submitted && stats.completed >= before.completed);
            before = stats;
        }
        for (size_t i = 0; i < CROWD; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(job_join_all(crowd.pool, TP_FOREVER), 0);
        uint64_t n_run = 0;
        for (size_t i = 0; i < CROWD * EACH_OF_CROWD; i++)
            n_run += tp_load_rlx(&crowd.entries[i].n_runs); /* relaxed: joined */
        job_pool_stats(crowd.pool, &stats);
        check_identity(&stats);
        assert_int_equal(stats.submitted, tp_load_sc(&crowd.n_accepted));
        assert_int_equal(stats.completed, n_run);
        assert_int_equal(stats.submitted + stats.rejected, CROWD * EACH_OF_CROWD);
        assert_int_equal(stats.now.pending + stats.now.running, 0);
        job_pool_free(crowd.pool);
        free(crowd.entries);
    }
}

/* Held workers: each number is exact, also the most that ran at once. */
static void test_stats_when_held(void **state)
{
    (void)state;
    struct tp_pool_stats stats;
    struct gate gates[3] = {GATE_CLOSED, GATE_CLOSED, GATE_CLOSED};
    struct call holds[3], failing = {failing_run, NULL};
    struct job_pool *pool = pool_open(5, 100);
    pool_hold(pool, 1, &gates[0], &holds[0]);
    pool_hold(pool, 2, &gates[1], &holds[1]);
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.now.running, 3);
    assert_int_equal(stats.most_running, 3);
    assert_int_equal(stats.submitted, 3);
    assert_int_equal(stats.completed, 0);
    assert_int_equal(stats.workers, 5);
    gate_open(&gates[0]);
    gate_open(&gates[1]);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    await_parked(pool, 5);
    pool_hold(pool, 5, &gates[2], &holds[2]);
    for (int i = 0; i < 7; i++)
        submit(pool, &failing);
    job_pool_stats(pool, &stats);
    check_identity(&stats);
    assert_int_equal(stats.now.running, 5);
    assert_int_equal(stats.now.pending, 7);
    assert_int_equal(stats.most_running, 5);
    assert_int_equal(stats.completed, 3);
    assert_int_equal(stats.failed, 0);
    assert_int_equal(stats.parked, 0);
    gate_open(&gates[2]);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.completed, 3 + 5 + 7);
    assert_int_equal(stats.failed, 7);
    assert_int_equal(stats.panicked, 0);
    job_pool_free(pool);
}

/* A task that takes some virtual time. */
static int lasting_run(void *argument)
{
    tp_add_sc(&virtual_now_ns, *(uint64_t *)argument);
    return 0;
}

/* Long tasks are timed each, short ones by samples; latencies count as many as started. */
static void check_times(uint64_t ns)
{
    enum { TASKS = 160 };
    struct tp_pool_stats stats;
    struct gate gate = GATE_CLOSED;
    struct call hold, lasting = {lasting_run, &ns};
    tp_store_sc(&virtual_now_ns, TP_SECOND);
    struct job_pool *pool = pool_open(1, TASKS + 1);
    await_parked(pool, 1);
    pool_hold(pool, 1, &gate, &hold);
    for (size_t i = 0; i < TASKS; i++)
        submit(pool, &lasting);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    job_pool_stats(pool, &stats);
    /* The first came when the worker slept; of the others one in JOB_SAMPLE stands for all. */
    assert_int_equal(tp_histogram_count(&stats.latency), 1 + TASKS);
    assert_true(tp_histogram_max(&stats.latency) <= ns * TASKS + ns * TASKS / 8);
    uint64_t had = TASKS * ns, slack = ns < JOB_SHORT_NS ? JOB_SAMPLE * ns : 0;
    assert_true(stats.task_ns + slack >= had && stats.task_ns <= had + slack);
    assert_int_equal(stats.average_ns, stats.task_ns / (TASKS + 1));
    assert_int_equal(stats.open_ns, had);
    assert_true(stats.utilisation > 0.85 && stats.utilisation <= 1.0);
    job_pool_free(pool);
    tp_store_sc(&virtual_now_ns, 0);
}

static void test_times(void **state)
{
    (void)state;
    check_times(JOB_SHORT_NS);
    check_times(50 * TP_MICROSECOND);
    check_times(100);
}
#endif
