/* Behaviour: a pool that is closed opens again, and nothing of one life reaches into the next. */

/* All that was counted or tuned is as at the first opening. */
static void test_reopen_is_fresh(void **state)
{
    (void)state;
    struct tp_pool_settings first, again;
    struct job_pool *pool = life_open(2, 10);
    job_pool_settings(pool, &first);
    check_works(pool, 30);
#if WITH_TUNE
    assert_int_equal(job_pool_tune(pool, 1000), WITH_BOUNDED ? 0 : TP_EUNCHANGED);
    assert_int_equal(job_pool_tune_workers(pool, 5), 0);
    check_works(pool, 300);
#endif
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    assert_int_equal(job_pool_reopen(pool), 0);
    job_pool_settings(pool, &again);
    assert_memory_equal(&first, &again, sizeof first);
    assert_int_equal(counts_of(pool).capacity, WITH_BOUNDED ? 10 : UINT64_MAX);
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.submitted, 0);
    assert_int_equal(stats.completed, 0);
    assert_int_equal(stats.rejected, 0);
    assert_int_equal(stats.most_running, 0);
    assert_int_equal(stats.task_ns, 0);
    assert_int_equal(tp_histogram_count(&stats.latency), 0);
    assert_int_equal(stats.workers, 2);
#endif
    check_works(pool, 30);
#if WITH_STATS
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.completed, 30);
#endif
    job_pool_free(pool);
}

#if WITH_BOUNDED
/* With all workers held, as many tasks fit as the capacity says, not as an earlier life was tuned to. */
static void check_capacity(struct job_pool *pool, uint32_t workers, uint64_t capacity)
{
    struct gate gate = GATE_CLOSED;
    struct call hold, nothing = {nothing_run, NULL};
    pool_hold(pool, workers, &gate, &hold);
    for (uint64_t i = workers; i < capacity; i++)
        assert_int_equal(job_submit(pool, as_payload(&nothing)), 0);
    assert_int_equal(counts_of(pool).free, 0);
    assert_int_equal(counts_of(pool).pending + counts_of(pool).running, capacity);
#if !WITH_BLOCK && WITH_REJECT
    assert_int_equal(job_submit(pool, as_payload(&nothing)), TP_EFULL);
#endif
#if WITH_BLOCK
    struct caller caller = {.call = &nothing, .class_ = (unsigned)(sizeof pool->room / sizeof *pool->room) / 2};
    caller_start(&caller, pool, call_submit);
    await_blocked(pool, 1);
    assert_int_equal(counts_of(pool).pending + counts_of(pool).running, capacity);
#endif
    gate_open(&gate);
#if WITH_BLOCK
    assert_int_equal(caller_end(&caller), 0);
#endif
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
}

static void test_reopen_capacity(void **state)
{
    (void)state;
    struct job_pool *pool = life_open(2, 10);
    check_capacity(pool, 2, 10);
#if WITH_TUNE
    assert_int_equal(job_pool_tune(pool, 1000), 0);
    check_works(pool, 100);
#endif
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    assert_int_equal(job_pool_reopen(pool), 0);
    check_capacity(pool, 2, 10);
    job_pool_free(pool);
}
#endif

static void test_reopen_refused(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct job_pool *pool = life_open(1, 8);
    assert_int_equal(job_pool_reopen(pool), TP_EINVAL); /* it is open */
    pool_hold(pool, 1, &gate, &hold);
    assert_int_equal(job_pool_close(pool, 0), TP_ETIMEDOUT);
    assert_int_equal(job_pool_reopen(pool), TP_EINVAL); /* it is not closed yet */
    gate_open(&gate);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    assert_int_equal(job_pool_reopen(pool), 0);
    assert_int_equal(job_pool_reopen(pool), TP_EINVAL);
    check_works(pool, 5);
    job_pool_free(pool);
}

/* Of two that reopen one does. */
static void test_two_reopen(void **state)
{
    (void)state;
    struct job_pool *pool = life_open(2, 8);
    for (int round = 0; round < 50; round++) {
        struct caller callers[2] = {0};
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        for (size_t i = 0; i < 2; i++)
            caller_start(&callers[i], pool, call_reopen);
        int first = caller_end(&callers[0]), second = caller_end(&callers[1]);
        assert_true((first == 0 && second == TP_EINVAL) || (first == TP_EINVAL && second == 0));
        check_works(pool, 5);
    }
    job_pool_free(pool);
}

#if WITH_TRACKING
/* Ids of an earlier life are obeyed by nobody; a handle keeps its result beyond. */
static void test_reopen_ids(void **state)
{
    (void)state;
    struct call nothing = {nothing_run, NULL};
    struct tp_task_result result;
    uint64_t kept, gone, now;
    struct job_pool *pool = life_open(1, 8);
    assert_int_equal(job_spawn(pool, as_payload(&nothing), &kept), 0);
    assert_int_equal(job_spawn(pool, as_payload(&nothing), &gone), 0);
    assert_int_equal(job_detach(pool, gone), 0);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    assert_int_equal(job_pool_reopen(pool), 0);
    struct gate gate = GATE_CLOSED;
    struct call hold;
    pool_hold(pool, 1, &gate, &hold);
    assert_int_equal(job_spawn(pool, as_payload(&nothing), &now), 0);
    assert_int_equal(job_wait(pool, gone, TP_FOREVER, NULL), TP_ESTALE);
    assert_int_equal(job_cancel_task(pool, gone), TP_ESTALE);
    assert_int_equal(job_detach(pool, gone), TP_ESTALE);
    assert_int_equal(job_cancel_task(pool, kept), TP_ESTALE);
    assert_int_equal(job_join(pool, kept, TP_FOREVER, &result), 0);
    assert_int_equal(result.state, TP_TASK_RETURNED);
    assert_int_equal(job_join(pool, kept, TP_FOREVER, &result), TP_ESTALE);
    gate_open(&gate);
    assert_int_equal(job_join(pool, now, TP_FOREVER, &result), 0);
    assert_int_equal(result.state, TP_TASK_RETURNED); /* nobody cancelled it by an old id */
    job_pool_free(pool);
}
#endif

/* A submitter that came before the close, and goes on after the reopening. */
static void test_late_submitter(void **state)
{
    (void)state;
    struct entry *entry = ledger_new(1);
    uintptr_t payload = as_payload(&entry->call);
    struct job_load load;
    struct job_pool *pool = life_open(1, 8);
    job_load_init(&load, pool, &payload, 1);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    assert_int_equal(job_pool_reopen(pool), 0);
    assert_int_equal(job_load_submit(pool, &load, NULL), TP_ECLOSED);
#if BLOCKS
    assert_int_equal(job_room_wait(pool, &load), TP_ECLOSED); /* it was waiting for room meanwhile */
    assert_int_equal(job_room_sleep(pool, &load), TP_ECLOSED);
#endif
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_rlx(&entry->n_runs), 0); /* relaxed: joined */
    check_works(pool, 5);
    job_pool_free(pool);
    free(entry);
}

/* -- many lives against many threads ---------------------------------------------------------------- */

enum { LIVES = OFTEN(200),
    SUBMITTERS = 4,
    EACH_SUBMITS = OFTEN(20000) };

struct storm {
    struct job_pool *pool;
    struct entry *entries; /* of this thread alone */
    size_t n_accepted;
    pthread_t thread;
    tp_atomic(uint32_t) *is_over;
};

static void *storm_submit(void *argument)
{
    struct storm *storm = argument;
    while (storm->n_accepted < EACH_SUBMITS && tp_load_sc(storm->is_over) == 0) { /* any order would do */
        int status = job_submit(storm->pool, as_payload(&storm->entries[storm->n_accepted].call));
        if (status == 0)
            storm->n_accepted++;
        else if (status == TP_ECLOSED || status == TP_EFULL)
            sched_yield();
        else
            abort();
    }
    return NULL;
}

/* Looks at all that can be looked at: never an absurd number, never a hang. */
static void *storm_watch(void *argument)
{
    struct storm *storm = argument;
    while (tp_load_sc(storm->is_over) == 0) { /* any order would do */
        struct tp_pool_settings settings;
        job_pool_settings(storm->pool, &settings);
        struct tp_pool_counts counts = counts_of(storm->pool);
        if (settings.workers == 0 || counts.running > 8 || counts.pending > SUBMITTERS * EACH_SUBMITS)
            abort();
#if WITH_STATS
        struct tp_pool_stats stats;
        job_pool_stats(storm->pool, &stats);
        if (stats.submitted != stats.completed + stats.cancelled + stats.dropped + stats.now.pending + stats.now.running)
            abort();
        if (stats.submitted > SUBMITTERS * EACH_SUBMITS || stats.parked > 8 || stats.workers > 8)
            abort();
#endif
#if WITH_AUTO || WITH_ADAPTIVE
        struct tp_decision decisions[8];
        if (job_pool_decisions(storm->pool, decisions, 8) > 8)
            abort();
#endif
#if WITH_FAIR || WITH_ADAPTIVE
        struct tp_share shares[JOB_CLASSES];
        job_pool_shares(storm->pool, shares);
#endif
#if WITH_TRACKING
        if (job_tasks(storm->pool, NULL, 0) > SUBMITTERS * EACH_SUBMITS)
            abort();
#endif
    }
    return NULL;
}

static void *storm_join(void *argument)
{
    struct storm *storm = argument;
    while (tp_load_sc(storm->is_over) == 0) /* any order would do */
        if (job_join_all(storm->pool, TP_FOREVER) != 0)
            abort();
    return NULL;
}

static void storm_lives(struct job_pool *pool)
{
    for (int life = 0; life < LIVES; life++) {
        struct caller closer = {0};
        for (int i = 0; i < life % 8; i++)
            sched_yield();
        if (life % 4 == 0)
            caller_start(&closer, pool, call_close);
#if WITH_TUNE
        if (life % 3 == 0)
            job_pool_tune_workers(pool, 1 + (uint32_t)life % 5);
#endif
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        if (life % 4 == 0)
            assert_int_equal(caller_end(&closer), 0);
        assert_int_equal(job_pool_reopen(pool), 0);
    }
}

/* What was accepted has run, once, but for what was dropped; what was refused has not. */
static void storm_check(const struct storm *storms)
{
    uint64_t n_runs = 0, n_accepted = 0;
    for (size_t i = 0; i < SUBMITTERS; i++) {
        n_accepted += storms[i].n_accepted;
        for (size_t k = 0; k < EACH_SUBMITS; k++) {
            uint32_t n = tp_load_rlx(&storms[i].entries[k].n_runs); /* relaxed: the pool is closed */
            assert_true(n <= (k < storms[i].n_accepted));
            n_runs += n;
        }
    }
    assert_int_equal(n_runs + n_told(), n_accepted);
}

static void test_reopen_storm(void **state)
{
    (void)state;
    tp_atomic(uint32_t) is_over = 0;
    struct storm storms[SUBMITTERS + 2];
    void *(*const roles[SUBMITTERS + 2])(void *) = {storm_submit, storm_submit, storm_submit, storm_submit, storm_watch, storm_join};
    struct job_pool *pool = life_open(2, 64);
    told_forget();
    for (size_t i = 0; i < SUBMITTERS + 2; i++) {
        storms[i] = (struct storm){.pool = pool, .entries = i < SUBMITTERS ? ledger_new(EACH_SUBMITS) : NULL, .is_over = &is_over};
        assert_int_equal(pthread_create(&storms[i].thread, NULL, roles[i], &storms[i]), 0);
    }
    storm_lives(pool);
    tp_store_sc(&is_over, 1); /* any order would do */
    for (size_t i = 0; i < SUBMITTERS + 2; i++)
        pthread_join(storms[i].thread, NULL);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    storm_check(storms);
    job_pool_free(pool);
    for (size_t i = 0; i < SUBMITTERS; i++)
        free(storms[i].entries);
}
