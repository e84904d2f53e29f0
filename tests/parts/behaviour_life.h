/* Behaviour: opening, joining, closing, counting; from every side and at every moment. */

static void test_join_deadline(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct job_pool *pool = pool_open(1, 8);
    assert_int_equal(job_join_all(pool, 0), 0); /* quiet: no wait, no error */
    pool_hold(pool, 1, &gate, &hold);
    assert_int_equal(job_join_all(pool, 0), TP_ETIMEDOUT);
    assert_int_equal(job_join_all(pool, tp_deadline_in_ns(TP_MILLISECOND)), TP_ETIMEDOUT);
    assert_null(pool->quiet.first); /* whoever timed out waits no more */
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    job_pool_free(pool);
}

struct insider {
    struct job_pool *pool;
    int join_status, close_status;
};

static int insider_run(void *argument)
{
    struct insider *insider = argument;
    insider->join_status = job_join_all(insider->pool, TP_FOREVER);
    insider->close_status = job_pool_close(insider->pool, TP_FOREVER);
    return 0;
}

static void test_own_worker_is_refused(void **state)
{
    (void)state;
    struct insider insider = {.pool = pool_open(2, 8)};
    struct call call = {insider_run, &insider};
    submit(insider.pool, &call);
    assert_int_equal(job_join_all(insider.pool, TP_FOREVER), 0);
    assert_int_equal(insider.join_status, TP_EDEADLK);
    assert_int_equal(insider.close_status, TP_EDEADLK);
    submit(insider.pool, &call); /* still open */
    job_pool_free(insider.pool);
}

static void test_close_drains(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct gate gate = GATE_CLOSED;
        struct call hold;
        struct job_pool *pool = pool_open((uint32_t)workers, 3000);
        struct entry *entries = ledger_new(2000);
        pool_hold(pool, (uint32_t)workers, &gate, &hold);
        for (size_t i = 0; i < 2000; i++)
            submit(pool, &entries[i].call);
        assert_int_equal(job_pool_close(pool, 0), TP_ETIMEDOUT);
        assert_int_equal(job_submit(pool, as_payload(&entries[0].call)), TP_ECLOSED);
        gate_open(&gate);
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        assert_int_equal(job_pool_close(pool, 0), 0); /* again: nothing left to do */
        assert_int_equal(job_join_all(pool, 0), 0);
        assert_int_equal(job_submit(pool, as_payload(&entries[0].call)), TP_ECLOSED);
        ledger_check(entries, 2000);
        job_pool_free(pool);
        free(entries);
    }
}

/* A task of a closing pool learns so when it submits. */
struct late {
    struct job_pool *pool;
    struct gate gate;
    struct call child;
    int status;
};

static int late_run(void *argument)
{
    struct late *late = argument;
    gate_pass(&late->gate);
    late->status = job_submit(late->pool, as_payload(&late->child));
    return 0;
}

static void test_closing_refuses_inside(void **state)
{
    (void)state;
    struct late late = {.pool = pool_open(1, 8), .gate = GATE_CLOSED};
    struct call call = {late_run, &late};
    submit(late.pool, &call);
    gate_await(&late.gate, 1);
    assert_int_equal(job_pool_close(late.pool, 0), TP_ETIMEDOUT);
    gate_open(&late.gate);
    assert_int_equal(job_pool_close(late.pool, TP_FOREVER), 0);
    assert_int_equal(late.status, TP_ECLOSED);
    job_pool_free(late.pool);
}

/* Submitters race with the close: what was accepted runs, what was refused does not. */
static void *submit_until_closed(void *argument)
{
    struct producer *producer = argument;
    while (producer->n_accepted < producer->n) {
        int status = job_submit(producer->pool, as_payload(&producer->entries[producer->n_accepted].call));
        if (status == TP_ECLOSED)
            break;
        if (is_refusal(status))
            sched_yield();
        producer->n_accepted += status == 0;
    }
    return NULL;
}

static void *close_pool(void *argument)
{
    assert_int_equal(job_pool_close(argument, TP_FOREVER), 0);
    return NULL;
}

static void test_close_against_submit(void **state)
{
    (void)state;
    enum { PRODUCERS = 3, EACH = 3000 };
    for (int round = 0; round < OFTEN(30); round++) {
        struct job_pool *pool = pool_open(1 + (uint32_t)round % 3, room_for(PRODUCERS * EACH, 50));
        struct entry *entries = ledger_new(PRODUCERS * EACH);
        struct producer producers[PRODUCERS];
        pthread_t closer;
        for (size_t i = 0; i < PRODUCERS; i++) {
            producers[i] = (struct producer){.pool = pool, .entries = entries + i * EACH, .n = EACH};
            pthread_create(&producers[i].thread, NULL, submit_until_closed, &producers[i]);
        }
        for (int i = 0; i < round * 5 * TEST_SHARE; i++)
            sched_yield();
        pthread_create(&closer, NULL, close_pool, pool);
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        pthread_join(closer, NULL);
        for (size_t i = 0; i < PRODUCERS; i++) {
            pthread_join(producers[i].thread, NULL);
            ledger_check(producers[i].entries, producers[i].n_accepted);
            for (size_t k = producers[i].n_accepted; k < EACH; k++)
                assert_int_equal(tp_load_rlx(&producers[i].entries[k].n_runs), 0); /* relaxed: closed */
        }
        job_pool_free(pool);
        free(entries);
    }
}

static void test_open_and_close(void **state)
{
    (void)state;
    struct entry *entries = ledger_new(OFTEN(200));
    for (size_t i = 0; i < OFTEN(200); i++) {
        struct job_pool *pool = pool_open(1 + (uint32_t)i % 4, 4);
        submit(pool, &entries[i].call);
        job_pool_free(pool);
    }
    ledger_check(entries, OFTEN(200));
    free(entries);
    job_pool_free(NULL);
}

static void test_open_as_configured(void **state)
{
    (void)state;
    struct job_pool *pool = NULL;
    assert_int_equal(job_pool_open(&pool, NULL), 0);
    assert_true(pool->n_workers >= 1);
    job_pool_free(pool);
    struct job_pool *untouched = pool;
    struct tp_pool_settings settings = {.workers = JOB_WORKERS_MAX + 1};
    assert_int_equal(job_pool_open(&pool, &settings), TP_EINVAL);
    assert_ptr_equal(pool, untouched);
}

#if WITH_STATS
static int failing_run(void *argument)
{
    (void)argument;
    return TP_EINVAL;
}

static void *watch_stats(void *argument)
{
    struct producer *watched = argument;
    struct tp_pool_stats stats, before = {0};
    do {
        job_pool_stats(watched->pool, &stats);
        if (stats.completed > stats.submitted || stats.completed < before.completed || stats.submitted < before.submitted)
            abort();
        bool is_exact = WITH_BOUNDED && !WITH_PRIORITY && overload != TP_OVERLOAD_SPILL;
        if (stats.now.running > stats.workers || stats.now.pending > (is_exact ? stats.now.capacity : stats.submitted))
            abort();
        before = stats;
    } while (stats.completed < watched->n);
    return NULL;
}

static void test_stats(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open(3, room_for(LEDGER + 100, 500));
    struct entry *entries = ledger_new(LEDGER);
    struct call failing = {failing_run, NULL};
    struct producer watched = {.pool = pool, .n = LEDGER + 100};
    pthread_create(&watched.thread, NULL, watch_stats, &watched);
    for (size_t i = 0; i < LEDGER; i++)
        submit(pool, &entries[i].call);
    for (int i = 0; i < 100; i++)
        submit(pool, &failing);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    pthread_join(watched.thread, NULL);
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.submitted, LEDGER + 100);
    assert_int_equal(stats.completed, LEDGER + 100);
    assert_int_equal(stats.failed, 100);
    assert_int_equal(stats.now.pending, 0);
    assert_int_equal(stats.now.running, 0);
    assert_int_equal(stats.now.waiting, 0);
    assert_int_equal(stats.workers, 3);
    assert_true(stats.now.capacity == (WITH_BOUNDED ? room_for(LEDGER + 100, 500) : UINT64_MAX));
    job_pool_free(pool);
    free(entries);
}
#endif
