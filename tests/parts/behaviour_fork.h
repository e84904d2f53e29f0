/* Behaviour: fork() while the pool is at work. The child has a copy of its memory, but none of its
 * threads, and whatever lock one of them held is held for ever: no call may want it. */

enum { FORKS = OFTEN(40) };

#define MUST(number, condition) \
    do {                        \
        if (!(condition))       \
            return (number);    \
    } while (0)

/* All that hands tasks in. */
static int child_submits(struct job_pool *pool)
{
    struct call nothing = {nothing_run, NULL};
    uintptr_t payload = as_payload(&nothing);
    size_t n = 77;
    MUST(1, job_submit(pool, payload) == TP_EFORKED);
    MUST(2, job_submit_batch(pool, &payload, 1, &n) == TP_EFORKED && n == 0);
#if WITH_CLASSES
    MUST(3, job_submit_class(pool, (enum job_class)0, payload) == TP_EFORKED);
#endif
#if WITH_TRACKING
    uint64_t id = 77;
    MUST(4, job_spawn(pool, payload, &id) == TP_EFORKED && id == 77);
#endif
    return 0;
}

/* All that looks. */
static int child_looks(struct job_pool *pool)
{
    struct tp_pool_settings settings;
    struct tp_pool_counts counts;
    job_pool_settings(pool, &settings);
    MUST(11, settings.workers == 2);
    job_pool_counts(pool, &counts);
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
#endif
#if WITH_AUTO || WITH_ADAPTIVE
    struct tp_decision decisions[8];
    MUST(12, job_pool_decisions(pool, decisions, 8) == 0);
#endif
#if WITH_FAIR || WITH_ADAPTIVE
    struct tp_share shares[JOB_CLASSES];
    struct tp_slice slices[8];
    job_pool_shares(pool, shares);
    MUST(13, job_pool_history(pool, slices, 8) == 0);
#endif
    return 0;
}

/* All that changes something. kept: a handle of a task that is over; running: of one that is not. */
static int child_acts(struct job_pool *pool, uint64_t kept, uint64_t running)
{
    MUST(21, job_join_all(pool, TP_FOREVER) == TP_EFORKED);
    MUST(22, job_pool_reopen(pool) == TP_EFORKED);
    MUST(23, job_pool_cleanup(pool) == 0);
#if WITH_BOARD
    MUST(24, job_process_pending(pool, 100) == 0);
#endif
#if WITH_TUNE
    MUST(25, job_pool_tune(pool, 5) == TP_EFORKED);
    MUST(26, job_pool_tune_workers(pool, 5) == TP_EFORKED);
#endif
#if WITH_TRACKING
    struct tp_task_info info;
    MUST(27, job_wait(pool, kept, TP_FOREVER, NULL) == TP_EFORKED);
    MUST(28, job_wait(pool, running, TP_FOREVER, NULL) == TP_EFORKED);
    MUST(29, job_join(pool, running, TP_FOREVER, NULL) == TP_EFORKED);
    MUST(30, job_cancel_task(pool, running) == TP_EFORKED);
    MUST(31, job_detach(pool, kept) == TP_EFORKED);
    (void)job_tasks(pool, &info, 1);
#else
    (void)kept;
    (void)running;
#endif
    MUST(32, job_pool_close(pool, TP_FOREVER) == 0);
    MUST(33, job_pool_cancel(pool, TP_FOREVER) == 0);
    return 0;
}

/* What the child of fork() does; 0 if all was well. */
static int child_of_fork(struct job_pool *pool, uint64_t kept, uint64_t running, bool abandons)
{
    alarm(60); /* for a child that hangs: the test is told, and nobody waits for ever */
    int status = child_submits(pool);
    status = status != 0 ? status : child_looks(pool);
    status = status != 0 ? status : child_acts(pool, kept, running);
    if (abandons)
        job_pool_abandon(pool);
    else
        job_pool_free(pool);
    return status;
}

static void test_fork_under_load(void **state)
{
    (void)state;
    tp_atomic(uint32_t) is_over = 0;
    struct storm storms[2];
    struct job_pool *pool = life_open(2, 64);
    uint64_t kept = 0, running = 0;
    struct runner runner;
    runner_init(&runner);
#if WITH_TRACKING
    struct call nothing = {nothing_run, NULL};
    assert_int_equal(job_spawn(pool, as_payload(&nothing), &kept), 0);
    assert_int_equal(job_wait(pool, kept, TP_FOREVER, NULL), 0);
    assert_int_equal(job_spawn(pool, as_payload(&runner.call), &running), 0);
    gate_await(&runner.started, 1); /* else it might be dropped for another */
#endif
    for (size_t i = 0; i < 2; i++) {
        storms[i] = (struct storm){.pool = pool, .entries = ledger_new(EACH_SUBMITS), .is_over = &is_over};
        assert_int_equal(pthread_create(&storms[i].thread, NULL, i == 0 ? storm_submit : storm_watch, &storms[i]), 0);
    }
    for (int i = 0; i < FORKS; i++) {
        for (int k = 0; k < i % 7; k++)
            sched_yield();
        pid_t child = fork();
        if (child == 0)
            _exit(child_of_fork(pool, kept, running, i % 4 == 3));
        int status = 77;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    tp_store_sc(&is_over, 1); /* any order would do */
    for (size_t i = 0; i < 2; i++)
        pthread_join(storms[i].thread, NULL);
#if WITH_TRACKING
    assert_int_equal(job_cancel_task(pool, running), 0);
#endif
    check_works(pool, 20); /* the parent has not noticed */
    assert_int_equal(job_pool_cancel(pool, TP_FOREVER), 0);
    job_pool_free(pool);
    for (size_t i = 0; i < 2; i++)
        free(storms[i].entries);
}
