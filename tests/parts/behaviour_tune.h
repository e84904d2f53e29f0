/* Behaviour: capacity and number of workers change while the pool runs, and no task is lost over it. */

#if WITH_TUNE
static void test_tune_says_so(void **state)
{
    (void)state;
    struct tp_pool_settings settings;
    struct job_pool *pool = life_open(2, 10);
    assert_int_equal(job_pool_tune(pool, 10), TP_EUNCHANGED);
    assert_int_equal(job_pool_tune(pool, 0), TP_EUNCHANGED);
    assert_int_equal(job_pool_tune(pool, UINT64_MAX), TP_EUNCHANGED);
    assert_int_equal(job_pool_tune(pool, (uint64_t)-5), TP_EUNCHANGED);
    assert_int_equal(counts_of(pool).capacity, WITH_BOUNDED ? 10 : UINT64_MAX);
    assert_int_equal(job_pool_tune(pool, 11), WITH_BOUNDED ? 0 : TP_EUNCHANGED);
    assert_int_equal(counts_of(pool).capacity, WITH_BOUNDED ? 11 : UINT64_MAX);
    job_pool_settings(pool, &settings);
    assert_int_equal(settings.capacity, WITH_BOUNDED ? 11 : UINT64_MAX);

    assert_int_equal(job_pool_tune_workers(pool, 2), TP_EUNCHANGED);
    assert_int_equal(job_pool_tune_workers(pool, 0), TP_EUNCHANGED);
    assert_int_equal(job_pool_tune_workers(pool, settings.workers_max + 1), TP_EINVAL);
    assert_int_equal(job_pool_tune_workers(pool, 3), 0);
    job_pool_settings(pool, &settings);
    assert_int_equal(settings.workers, 3);
    check_works(pool, 20);
    job_pool_free(pool);
}

/* So many tasks can run at once, and not one more. */
static void check_workers(struct job_pool *pool, uint32_t n)
{
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct entry *more = ledger_new(1);
    pool_hold(pool, n, &gate, &hold);
    submit(pool, &more->call);
    assert_int_equal(counts_of(pool).running, n);
    assert_int_equal(counts_of(pool).pending, 1);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    free(more);
}

static void test_tune_workers(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {4, 3, 1, 2, 7, 1};
    unsigned n_threads = count_threads();
    struct job_pool *pool = life_open(2, 100);
    check_workers(pool, 2);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(job_pool_tune_workers(pool, sizes[i]), 0);
        await_threads(n_threads + sizes[i] + WITH_KEEPER); /* who sleeps leaves at once */
        check_workers(pool, sizes[i]);
    }
    job_pool_free(pool);
    await_threads(n_threads);
}

/* What runs is not stopped: a worker too many leaves after its task. */
static void test_tune_workers_in_use(void **state)
{
    (void)state;
    unsigned n_threads = count_threads();
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct job_pool *pool = life_open(4, 100);
    pool_hold(pool, 4, &gate, &hold);
    assert_int_equal(job_pool_tune_workers(pool, 1), 0);
    assert_int_equal(counts_of(pool).running, 4);
    assert_int_equal(job_pool_tune_workers(pool, 3), 0); /* two may stay after all */
    assert_int_equal(job_pool_tune_workers(pool, 1), 0);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    await_threads(n_threads + 1 + WITH_KEEPER);
    check_workers(pool, 1);
    job_pool_free(pool);
}

/* The last task is run by a worker that leaves after it: who waits for all is told. */
static void test_leaver_tells_joiner(void **state)
{
    (void)state;
    struct post posts[2], *of[2];
    struct caller joiner = {0};
    struct job_pool *pool = life_open(2, 8);
    posts_take(pool, posts, of, 2);
    assert_int_equal(job_pool_tune_workers(pool, 1), 0);
    gate_open(&of[0]->gate);
    await_parked(pool, 1);
    caller_start(&joiner, pool, call_join);
    while (tp_load_sc(&pool->quiet.n_waiting) == 0) /* any order would do */
        sched_yield();
    gate_open(&of[1]->gate);
    assert_int_equal(caller_end(&joiner), 0);
    job_pool_free(pool);
}

#if WITH_STATS
/* A worker that has left is not at work any more. */
static void test_leaver_is_not_busy(void **state)
{
    (void)state;
    struct post posts[3], *of[3];
    struct tp_pool_stats stats;
    struct job_pool *pool = life_open(3, 8);
    posts_take(pool, posts, of, 3);
    assert_int_equal(job_pool_tune_workers(pool, 1), 0);
    for (size_t i = 0; i < 3; i++)
        gate_open(&posts[i].gate);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    assert_int_equal(job_pool_reopen(pool), 0);
    check_workers(pool, 3);
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.most_running, 3);
    job_pool_free(pool);
}
#endif

#if WITH_FAIR || WITH_ADAPTIVE
/* What a worker that leaves ran is on its class's account. */
static void test_leaver_pays(void **state)
{
    (void)state;
    struct post posts[2], *of[2];
    struct tp_share shares[JOB_CLASSES];
    struct job_pool *pool = life_open(2, 8);
    posts_take(pool, posts, of, 2);
    assert_int_equal(job_pool_tune_workers(pool, 1), 0);
    gate_open(&of[1]->gate);
    while (tp_idle_live(&pool->idle) != 1)
        sched_yield();
    job_pool_shares(pool, shares);
    uint64_t n_tasks = 0;
    for (size_t i = 0; i < JOB_CLASSES; i++)
        n_tasks += shares[i].n_tasks;
    assert_int_equal(n_tasks, 1);
    gate_open(&of[0]->gate);
    job_pool_free(pool);
}
#endif

/* -- the capacity ------------------------------------------------------------------------------------- */

#if WITH_BOUNDED
/* Less than is in flight: nobody is stopped, and nobody comes in before there is room. */
static void test_tune_shrinks(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct job_pool *pool = life_open(2, 20);
    struct entry *entries = ledger_new(18);
    pool_hold(pool, 2, &gate, &hold);
    for (size_t i = 0; i < 18; i++)
        submit(pool, &entries[i].call);
    assert_int_equal(job_pool_tune(pool, 5), 0);
    assert_int_equal(counts_of(pool).capacity, 5);
    assert_int_equal(counts_of(pool).free, 0);
    assert_int_equal(counts_of(pool).pending, 18);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    ledger_check(entries, 18);
    check_capacity(pool, 2, 5);
    assert_int_equal(job_pool_tune(pool, 7), 0);
    check_capacity(pool, 2, 7);
    job_pool_free(pool);
    free(entries);
}
#endif

#if BLOCKS
/* One more lets one of those in who wait; many more, all of them. */
static void test_tune_lets_in(void **state)
{
    (void)state;
    enum { CALLERS = 5 };
    struct gate gate = GATE_CLOSED;
    struct call hold, nothing = {nothing_run, NULL};
    struct caller callers[CALLERS] = {0};
    struct job_pool *pool = life_open(1, 1);
    pool_hold(pool, 1, &gate, &hold);
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i].call = &nothing;
        callers[i].class_ = (unsigned)(sizeof pool->room / sizeof *pool->room) / 2;
        caller_start(&callers[i], pool, call_submit);
    }
    await_blocked(pool, CALLERS);
    assert_int_equal(job_pool_tune(pool, 2), 0);
    await_blocked(pool, CALLERS - 1);
    await_pending(pool, 1);
    assert_int_equal(job_pool_tune(pool, 3), 0);
    await_blocked(pool, CALLERS - 2);
    await_pending(pool, 2);
    assert_int_equal(job_pool_tune(pool, 100), 0);
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(caller_end(&callers[i]), 0);
    assert_int_equal(counts_of(pool).pending, CALLERS);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    job_pool_free(pool);
}
#endif

/* -- under load -------------------------------------------------------------------------------------- */

/* A task with two children, which go to its worker's own queue where there is one. */
struct family {
    struct call call;
    struct job_pool *pool;
    struct entry *entries; /* of the parent and the children */
};

static int family_run(void *argument)
{
    struct family *family = argument;
    entry_run(&family->entries[0]);
    for (size_t i = 1; i < 3; i++) {
        int status = job_submit(family->pool, as_payload(&family->entries[i].call));
        if (status == TP_EFULL || status == TP_ECLOSED)
            entry_run(&family->entries[i]); /* refused: it does that itself */
        else if (status != 0)
            abort();
    }
    return 0;
}

enum { FAMILIES = 3000 };

struct nursery {
    struct job_pool *pool;
    struct family *families;
    struct entry *entries;
    pthread_t thread;
};

static void *nursery_submit(void *argument)
{
    struct nursery *nursery = argument;
    for (size_t i = 0; i < FAMILIES; i++)
        submit(nursery->pool, &nursery->families[i].call);
    return NULL;
}

static void nursery_start(struct nursery *nursery, struct job_pool *pool)
{
    *nursery = (struct nursery){.pool = pool, .families = calloc(FAMILIES, sizeof(struct family)), .entries = ledger_new(3 * FAMILIES)};
    assert_non_null(nursery->families);
    for (size_t i = 0; i < FAMILIES; i++)
        nursery->families[i] = (struct family){{family_run, &nursery->families[i]}, pool, &nursery->entries[3 * i]};
    assert_int_equal(pthread_create(&nursery->thread, NULL, nursery_submit, nursery), 0);
}

static void test_tune_under_load(void **state)
{
    (void)state;
    struct nursery nurseries[2];
    struct job_pool *pool = life_open(2, PLENTY);
    for (size_t i = 0; i < 2; i++)
        nursery_start(&nurseries[i], pool);
    for (uint32_t round = 0; round < 300; round++) {
        int status = job_pool_tune_workers(pool, 1 + round * 5 % 7);
        assert_true(status == 0 || status == TP_EUNCHANGED);
        sched_yield();
    }
    for (size_t i = 0; i < 2; i++)
        pthread_join(nurseries[i].thread, NULL);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    for (size_t i = 0; i < 2; i++)
        ledger_check(nurseries[i].entries, 3 * FAMILIES);
    job_pool_free(pool);
    for (size_t i = 0; i < 2; i++) {
        free(nurseries[i].families);
        free(nurseries[i].entries);
    }
}

/* -- against the end --------------------------------------------------------------------------------- */

struct tuner {
    struct job_pool *pool;
    pthread_t thread;
    tp_atomic(uint32_t) *is_over;
};

static void *tune_on(void *argument)
{
    struct tuner *tuner = argument;
    for (uint32_t i = 0; tp_load_sc(tuner->is_over) == 0; i++) { /* any order would do */
        int status = job_pool_tune_workers(tuner->pool, 1 + i % 4);
        if (status != 0 && status != TP_EUNCHANGED && status != TP_ECLOSED)
            abort();
        status = job_pool_tune(tuner->pool, 16 + i % 4);
        if (status != 0 && status != TP_EUNCHANGED)
            abort();
    }
    return NULL;
}

/* Somebody tunes while another closes and reopens: no thread is left behind by either. */
static void test_tune_against_close(void **state)
{
    (void)state;
    unsigned n_threads = count_threads();
    tp_atomic(uint32_t) is_over = 0;
    struct job_pool *pool = life_open(2, 16);
    struct tuner tuner = {.pool = pool, .is_over = &is_over};
    assert_int_equal(pthread_create(&tuner.thread, NULL, tune_on, &tuner), 0);
    for (int round = 0; round < OFTEN(200); round++) {
        struct entry *entries = ledger_new(10);
        for (size_t i = 0; i < 10; i++)
            submit(pool, &entries[i].call);
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        ledger_check(entries, 10);
        await_threads(n_threads + 1);
        assert_int_equal(job_pool_reopen(pool), 0);
        free(entries);
    }
    tp_store_sc(&is_over, 1); /* any order would do */
    pthread_join(tuner.thread, NULL);
    job_pool_free(pool);
    await_threads(n_threads);
}
#endif
