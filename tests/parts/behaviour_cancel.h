/* Behaviour: ends that do not wait for what was accepted. Cancelling, cleaning up, abandoning. */

enum { WAITING = 30 };

#if WITH_TRACKING
/* What the handles of cancelled tasks say; they end here. */
static void check_cancelled(struct job_pool *pool, const uint64_t *ids, size_t n)
{
    struct tp_task_result result;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(job_join(pool, ids[i], TP_FOREVER, &result), 0);
        assert_int_equal(result.state, TP_TASK_CANCELLED);
        assert_int_equal(result.code, TP_ECANCELED);
        assert_int_equal(job_join(pool, ids[i], TP_FOREVER, &result), TP_ESTALE);
    }
}
#endif

/* Puts so many tasks down that cannot start yet. */
static void submit_waiting(struct job_pool *pool, struct entry *entries, uint64_t *ids)
{
    for (size_t i = 0; i < WAITING; i++) {
#if WITH_TRACKING
        assert_int_equal(job_spawn(pool, as_payload(&entries[i].call), &ids[i]), 0);
#else
        (void)ids;
        submit(pool, &entries[i].call);
#endif
    }
}

static void check_none_ran(struct entry *entries, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(tp_load_rlx(&entries[i].n_runs), 0); /* relaxed: the pool is closed */
}

/* What waits is cancelled, exactly; what runs is asked to stop. */
static void test_cancel(void **state)
{
    (void)state;
    struct runner runners[2];
    uint64_t ids[WAITING];
    unsigned n_threads = count_threads();
    struct job_pool *pool = life_open(2, 100);
    struct entry *entries = ledger_new(WAITING);
    runners_start(pool, runners, 2);
    submit_waiting(pool, entries, ids);
    told_forget();
    assert_int_equal(job_pool_cancel(pool, TP_FOREVER), 0);
    await_threads(n_threads);
    assert_int_equal(tp_load_sc(&runners[0].seen), TP_ECANCELED); /* any order would do */
    assert_int_equal(tp_load_sc(&runners[1].seen), TP_ECANCELED); /* likewise */
    check_none_ran(entries, WAITING);
    assert_int_equal(n_told(), WITH_BOUNDED && WITH_DROPPED ? WAITING : 0);
#if WITH_TRACKING
    assert_int_equal(job_tasks(pool, NULL, 0), 0);
    check_cancelled(pool, ids, WAITING);
#endif
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.cancelled, WAITING);
    assert_int_equal(stats.completed, 2);
    assert_int_equal(stats.submitted, 2 + WAITING);
    assert_int_equal(stats.dropped, 0);
#endif
    assert_int_equal(counts_of(pool).pending + counts_of(pool).running, 0);
    assert_int_equal(job_pool_cancel(pool, 0), 0);
    assert_int_equal(job_pool_reopen(pool), 0); /* and nothing of it is left */
    check_works(pool, 20);
    job_pool_free(pool);
    free(entries);
}

/* Children that wait in a worker's own queue are cancelled as well. */
struct mother {
    struct job_pool *pool;
    struct entry *children;
    struct runner runner;
    struct call call;
};

static int mother_run(void *argument)
{
    struct mother *mother = argument;
    for (size_t i = 0; i < WAITING; i++)
        if (job_submit(mother->pool, as_payload(&mother->children[i].call)) != 0)
            abort();
    return runner_run(&mother->runner);
}

static void test_cancel_children(void **state)
{
    (void)state;
    struct mother mother = {.pool = life_open(1, 100), .children = ledger_new(WAITING)};
    mother.call = (struct call){mother_run, &mother};
    runner_init(&mother.runner);
    submit(mother.pool, &mother.call);
    gate_await(&mother.runner.started, 1);
    assert_int_equal(counts_of(mother.pool).pending, WAITING);
    assert_int_equal(job_pool_cancel(mother.pool, TP_FOREVER), 0);
    check_none_ran(mother.children, WAITING);
    assert_int_equal(tp_load_sc(&mother.runner.seen), TP_ECANCELED); /* any order would do */
    job_pool_free(mother.pool);
    free(mother.children);
}

/* A cancellation hurries a close that is under way; the closer is told, too. */
static void test_cancel_upgrades(void **state)
{
    (void)state;
    struct runner runners[2];
    uint64_t ids[WAITING];
    struct caller closer = {0}, canceller = {0};
    struct job_pool *pool = life_open(2, 100);
    struct entry *entries = ledger_new(WAITING);
    runners_start(pool, runners, 2);
    submit_waiting(pool, entries, ids);
    caller_start(&closer, pool, call_close);
    await_state(pool, TP_LIFE_DRAINING);
    assert_false(tp_life_is_cancelled(tp_life_look(&pool->life)));
    caller_start(&canceller, pool, call_cancel);
    assert_int_equal(caller_end(&closer), 0);
    assert_int_equal(caller_end(&canceller), 0);
    check_none_ran(entries, WAITING);
    assert_int_equal(tp_load_sc(&runners[0].seen), TP_ECANCELED); /* any order would do */
#if WITH_TRACKING
    check_cancelled(pool, ids, WAITING);
#endif
    job_pool_free(pool);
    free(entries);
}

/* A clean-up takes what has not started, and the pool goes on. */
static void test_cleanup(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold;
    uint64_t ids[WAITING];
    struct job_pool *pool = life_open(2, 2 + WAITING);
    struct entry *entries = ledger_new(WAITING);
    pool_hold(pool, 2, &gate, &hold);
    submit_waiting(pool, entries, ids);
    told_forget();
    assert_int_equal(job_pool_cleanup(pool), WAITING);
    assert_int_equal(job_pool_cleanup(pool), 0);
    assert_int_equal(counts_of(pool).pending, 0);
    assert_int_equal(counts_of(pool).running, 2);
    assert_int_equal(n_told(), WITH_BOUNDED && WITH_DROPPED ? WAITING : 0);
#if WITH_TRACKING
    check_cancelled(pool, ids, WAITING);
#endif
    submit_waiting(pool, entries, ids); /* there is room for all of them again */
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    ledger_check(entries, WAITING);
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.cancelled, WAITING);
    assert_int_equal(stats.completed, 2 + WAITING);
#endif
    job_pool_free(pool);
    free(entries);
}

#if BLOCKS
/* Submitters that wait get the room of what was cleaned up. */
static void test_cleanup_makes_room(void **state)
{
    (void)state;
    enum { CALLERS = 3 };
    struct gate gate = GATE_CLOSED;
    struct call hold, nothing = {nothing_run, NULL};
    struct caller callers[CALLERS] = {0};
    struct job_pool *pool = life_open(1, 1 + CALLERS);
    struct entry *entries = ledger_new(CALLERS);
    pool_hold(pool, 1, &gate, &hold);
    for (size_t i = 0; i < CALLERS; i++)
        submit(pool, &entries[i].call);
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i].call = &nothing;
        callers[i].class_ = (unsigned)(sizeof pool->room / sizeof *pool->room) / 2; /* where nothing is exceeded */
        caller_start(&callers[i], pool, call_submit);
    }
    await_blocked(pool, CALLERS);
    size_t n = 0; /* who comes in first may be cleaned up with the others */
    while (n < CALLERS)
        n += job_pool_cleanup(pool);
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(caller_end(&callers[i]), 0);
    check_none_ran(entries, CALLERS);
    gate_open(&gate);
    job_pool_free(pool);
    free(entries);
}
#endif

#if WITH_BOUNDED && WITH_DROPPED
static int call_cleanup(struct caller *caller)
{
    return (int)job_pool_cleanup(caller->pool);
}

/* A task that a cleaner holds is in flight: the close waits for it. */
static void test_close_waits_for_cleaner(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct caller cleaner = {0};
    struct job_pool *pool = life_open(1, 8);
    struct entry *entries = ledger_new(1);
    pool_hold(pool, 1, &gate, &hold);
    submit(pool, &entries[0].call);
    pthread_mutex_lock(&drops_lock); /* the cleaner stops where it tells of the task */
    caller_start(&cleaner, pool, call_cleanup);
    while (job_is_work_visible(pool))
        sched_yield();
    gate_open(&gate);
    assert_int_equal(job_pool_close(pool, tp_deadline_in_ns(TP_MILLISECOND)), TP_ETIMEDOUT);
    assert_int_equal(tp_crew_wait(&pool->crew, TP_FOREVER), 0); /* now the worker has left as well */
    assert_int_equal(job_pool_close(pool, tp_deadline_in_ns(TP_MILLISECOND)), TP_ETIMEDOUT);
    pthread_mutex_unlock(&drops_lock);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    assert_int_equal(counts_of(pool).pending + counts_of(pool).running, 0);
    assert_int_equal(caller_end(&cleaner), 1);
    job_pool_free(pool);
    check_none_ran(entries, 1);
    free(entries);
}
#endif

/* -- abandoned pools: the memory is given back all the same, which the address sanitizer checks ------ */

static void test_abandon_running(void **state)
{
    (void)state;
    unsigned n_threads = count_threads();
    for (int how = 0; how < 3; how++) {
        struct runner runners[2];
        uint64_t ids[WAITING];
        struct job_pool *pool = life_open(2, 100);
        struct entry *entries = ledger_new(WAITING);
        runners_start(pool, runners, 2);
        submit_waiting(pool, entries, ids);
        if (how == 1)
            assert_int_equal(job_pool_close(pool, 0), TP_ETIMEDOUT); /* the close was too slow for us */
        if (how == 2)
            (void)job_pool_cancel(pool, 0); /* nor did we want to wait for that */
        job_pool_abandon(pool);
        await_threads(n_threads);
        assert_int_equal(tp_load_sc(&runners[0].seen), TP_ECANCELED); /* any order would do */
        assert_int_equal(tp_load_sc(&runners[1].seen), TP_ECANCELED); /* likewise */
        check_none_ran(entries, WAITING);
        free(entries);
    }
}

/* A task that never looks whether it should stop: the pool's memory waits for it. The task's own memory is
 * static, as nothing tells that the task is done with it: that its thread is gone orders no memory. */
static void test_abandon_deaf(void **state)
{
    (void)state;
    unsigned n_threads = count_threads();
    static struct gate gate = GATE_CLOSED;
    static struct call hold;
    struct job_pool *pool = life_open(2, 8);
    pool_hold(pool, 1, &gate, &hold);
    job_pool_abandon(pool);
    gate_open(&gate);
    await_threads(n_threads);
}

struct leaver {
    struct job_pool *pool;
    struct call call;
    struct gate gate;      /* open when nobody else is inside a call on the pool */
    tp_atomic(int) status; /* stored last, when the task needs the rest no more */
};

static int leaver_run(void *argument)
{
    struct leaver *leaver = argument;
    gate_pass(&leaver->gate);
    job_pool_abandon(leaver->pool);
    int status = tp_task_check();          /* the task itself goes on, and is asked to end */
    tp_store_rel(&leaver->status, status); /* release: to the test's load */
    return 0;
}

static void test_abandon_within(void **state)
{
    (void)state;
    unsigned n_threads = count_threads();
    struct leaver leaver = {.pool = life_open(2, 8), .gate = GATE_CLOSED};
    leaver.call = (struct call){leaver_run, &leaver};
    submit(leaver.pool, &leaver.call);
    gate_open(&leaver.gate);
    await_threads(n_threads);
    assert_int_equal(tp_load_acq(&leaver.status), TP_ECANCELED); /* acquire: from the task's store */
}

static void test_abandon_idle(void **state)
{
    (void)state;
    unsigned n_threads = count_threads();
    job_pool_abandon(NULL);
    job_pool_abandon(life_open(3, 8));
    await_threads(n_threads);
    struct job_pool *pool = life_open(3, 8);
    check_works(pool, 20);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    job_pool_abandon(pool);
    await_threads(n_threads);
}
