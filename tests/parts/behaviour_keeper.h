/* Behaviour: what a pool does by itself now and then. The test tells the time, and the minute of the
 * day; the pool's own keeper sleeps for ever. */

#if WITH_RANGE || WITH_EXPIRE
static struct job_pool *open_range(uint32_t workers_min, uint32_t workers, uint64_t capacity)
{
    struct tp_pool_settings settings = life_settings(workers, capacity);
    settings.workers_min = workers_min;
    return life_open_as(&settings);
}
#endif

#if WITH_RANGE && !WITH_AUTO
/* A range begins with its lower end; the others come when there is work for them. */
static void test_range(void **state)
{
    (void)state;
    unsigned n_threads = count_threads();
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct job_pool *pool = open_range(2, 5, 100);
    struct tp_pool_settings settings;
    job_pool_settings(pool, &settings);
    assert_int_equal(settings.workers, 5);
    assert_int_equal(settings.workers_min, 2);
    await_threads(n_threads + 2 + WITH_KEEPER);
    pool_hold(pool, 5, &gate, &hold);
    await_threads(n_threads + 5 + WITH_KEEPER);
    gate_open(&gate);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    await_threads(n_threads);
    assert_int_equal(job_pool_reopen(pool), 0); /* and so it does again */
    await_threads(n_threads + 2 + WITH_KEEPER);
    check_works(pool, 90);
    job_pool_free(pool);
    await_threads(n_threads);
}
#endif

#if WITH_EXPIRE
static enum tp_worker_place place_of(struct job_pool *pool, unsigned worker)
{
    tp_spin_lock(&pool->idle.lock);
    enum tp_worker_place place = pool->workers[worker].base.place;
    tp_spin_unlock(&pool->idle.lock);
    return place;
}

/* Lets the workers of these posts fall asleep, each at a time of its own, the first one first. */
static void fall_asleep(struct job_pool *pool, struct post *posts, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        gate_open(&posts[i].gate);
        await_parked(pool, i + 1);
        for (uint64_t now_ns = tp_clock_now_ns(); tp_clock_now_ns() == now_ns;)
            ;
    }
}

static uint64_t asleep_since_ns(struct job_pool *pool, unsigned worker)
{
    tp_spin_lock(&pool->idle.lock);
    uint64_t since_ns = pool->workers[worker].base.since_ns;
    tp_spin_unlock(&pool->idle.lock);
    return since_ns;
}

/* Who has slept longest goes first, the minimum stays, and who is needed comes back. */
static void test_expire(void **state)
{
    (void)state;
    enum { WORKERS = 5,
        LEAST = 2 };
    unsigned n_threads = count_threads();
    struct post posts[WORKERS], *of[WORKERS];
    struct job_pool *pool = open_range(LEAST, WORKERS, 100);
#if WITH_AUTO
    assert_int_equal(job_pool_tune_workers(pool, WORKERS), 0);
#endif
    posts_take(pool, posts, of, WORKERS);
    fall_asleep(pool, posts, WORKERS);
    job_tick(pool, asleep_since_ns(pool, posts[0].worker) + LONG_NS); /* nobody has slept longer than that */
    await_threads(n_threads + WORKERS + WITH_KEEPER);
    job_tick(pool, asleep_since_ns(pool, posts[2].worker) + LONG_NS); /* two have */
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_int_equal(place_of(pool, posts[i].worker), i < 2 ? TP_WORKER_VACANT : TP_WORKER_ASLEEP);
    await_threads(n_threads + 3 + WITH_KEEPER);
    job_tick(pool, tp_clock_now_ns() + LONG_NS); /* all have */
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_int_equal(place_of(pool, posts[i].worker), i < WORKERS - LEAST ? TP_WORKER_VACANT : TP_WORKER_ASLEEP);
    await_threads(n_threads + LEAST + WITH_KEEPER);
    posts_take(pool, posts, of, WORKERS); /* each is there again */
    for (uint32_t i = 0; i < WORKERS; i++)
        gate_open(&posts[i].gate);
    check_works(pool, 50);
    job_pool_free(pool);
    await_threads(n_threads);
}

/* Workers come and go under load; each task runs once. */
static void test_expire_under_load(void **state)
{
    (void)state;
    struct job_pool *pool = open_range(1, 4, PLENTY);
    for (int round = 0; round < 100; round++) {
        struct entry *entries = ledger_new(20);
        for (size_t i = 0; i < 20; i++) {
            submit(pool, &entries[i].call);
            if (i % 5 == (size_t)round % 5)
                job_tick(pool, tp_clock_now_ns() + LONG_NS);
        }
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        ledger_check(entries, 20);
        job_tick(pool, tp_clock_now_ns() + LONG_NS);
        free(entries);
    }
    job_pool_free(pool);
}

/* No worker has a thread, and the first of two closers has not passed the locks yet: the second one must not take
 * that for the end. */
static void test_close_without_threads(void **state)
{
    (void)state;
    unsigned n_threads = count_threads();
    struct caller closer = {0};
    struct job_pool *pool = open_range(1, 2, 100);
    await_parked(pool, tp_idle_live(&pool->idle));
    tp_idle_expire(&pool->idle, UINT64_MAX, 0);
    await_threads(n_threads + WITH_KEEPER);
    pthread_mutex_lock(&pool->control);
    caller_start(&closer, pool, call_close);
    await_state(pool, TP_LIFE_CLOSING);
    assert_int_equal(job_pool_close(pool, 0), TP_ETIMEDOUT);
    pthread_mutex_unlock(&pool->control);
    assert_int_equal(caller_end(&closer), 0);
    assert_int_equal(job_pool_close(pool, 0), 0);
    job_pool_free(pool);
}

#if WITH_COROUTINE
static struct tp_waitlist bed;
static tp_atomic(uint32_t) is_morning;

static int sleeper_run(void *argument)
{
    struct tp_waiter w;
    (void)argument;
    while (tp_load_acq(&is_morning) == 0) {
        tp_waitlist_prepare(&bed, &w);
        if (tp_load_acq(&is_morning) != 0)
            tp_waitlist_cancel(&bed, &w);
        else if (tp_waitlist_wait(&bed, &w, TP_FOREVER) != 0)
            return -1;
    }
    return 0;
}

/* A task sleeps, and no worker has a thread when the pool closes: one comes, and waits for the task. */
static void test_close_without_threads_but_a_sleeper(void **state)
{
    (void)state;
    unsigned n_threads = count_threads();
    struct call call = {sleeper_run, NULL};
    struct job_pool *pool = open_range(1, 2, 100);
    struct tp_pool_counts counts;
    tp_waitlist_init(&bed);
    tp_store_sc(&is_morning, 0);
    submit(pool, &call);
    do
        job_pool_counts(pool, &counts);
    while (counts.suspended == 0);
    await_parked(pool, tp_idle_live(&pool->idle));
    tp_idle_expire(&pool->idle, UINT64_MAX, 0);
    await_threads(n_threads + WITH_KEEPER);
    assert_int_equal(job_pool_close(pool, 0), TP_ETIMEDOUT);
    tp_store_sc(&is_morning, 1);
    tp_waitlist_notify(&bed, 1);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    job_pool_free(pool);
}
#endif

#if WITH_TUNE
/* The one worker that has a thread is surplus: another one gets its thread before it goes. */
static void test_expire_then_shrink(void **state)
{
    (void)state;
    struct post posts[2], *of[2];
    struct job_pool *pool = open_range(1, 2, 100);
#if WITH_AUTO
    assert_int_equal(job_pool_tune_workers(pool, 2), 0);
#endif
    posts_take(pool, posts, of, 2);
    gate_open(&of[0]->gate);
    await_parked(pool, 1);
    gate_open(&of[1]->gate);
    await_parked(pool, 2);
    while (tp_clock_now_ns() <= asleep_since_ns(pool, 1))
        ;
    job_tick(pool, tp_clock_now_ns() + LONG_NS);
    assert_int_equal(place_of(pool, 0), TP_WORKER_VACANT);
    assert_int_equal(job_pool_tune_workers(pool, 1), 0);
    assert_true(tp_idle_live(&pool->idle) > 0);
    check_works(pool, 20);
    job_pool_free(pool);
}
#endif
#endif

#if WITH_TIMEOUT
struct witness {
    tp_atomic(uint32_t) n_reports;
    uint64_t id; /* of the last report */
    unsigned worker;
};

static void witness_report(const struct tp_panic_report *report, void *context)
{
    struct witness *witness = context;
    tp_add_sc(&witness->n_reports, 1); /* any order would do */
    witness->id = report->id;
    witness->worker = report->worker;
    if (!report->message || !report->pool)
        abort();
}

static struct job_pool *open_watched(struct witness *witness)
{
    struct tp_pool_settings settings = life_settings(1, 100);
    settings.on_panic = witness_report;
    settings.context = witness;
    return life_open_as(&settings);
}

/* What a task finds when it looks whether to stop. */
struct looker {
    struct call call;
    int seen;
};

static int looker_run(void *argument)
{
    ((struct looker *)argument)->seen = tp_task_check();
    return 0;
}

static void check_next_is_unaffected(struct job_pool *pool)
{
    struct looker looker = {.seen = 77};
    looker.call = (struct call){looker_run, &looker};
#if WITH_TRACKING
    uint64_t id;
    struct tp_task_result result;
    assert_int_equal(job_spawn(pool, as_payload(&looker.call), &id), 0);
    assert_int_equal(job_join(pool, id, TP_FOREVER, &result), 0);
    assert_int_equal(result.state, TP_TASK_RETURNED);
#else
    submit(pool, &looker.call);
#endif
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(looker.seen, 0);
}

static void check_timed_out(struct job_pool *pool, uint64_t n)
{
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.timed_out, n);
#else
    (void)pool;
    (void)n;
#endif
}

/* A task over its limit is reported once and asked to stop; the next one on its worker is not. */
static void test_timeout(void **state)
{
    (void)state;
    struct witness witness = {.id = 77, .worker = 77};
    struct runner runner;
    struct job_pool *pool = open_watched(&witness);
    uint64_t begin_ns = tp_clock_now_ns(), id = 0;
    runner_init(&runner);
#if WITH_TRACKING
    struct tp_task_result result;
    assert_int_equal(job_spawn(pool, as_payload(&runner.call), &id), 0);
#else
    submit(pool, &runner.call);
#endif
    gate_await(&runner.started, 1);
    job_tick(pool, begin_ns); /* it is seen */
    job_tick(pool, begin_ns + LONG_NS - 1);
    assert_int_equal(tp_load_sc(&witness.n_reports), 0); /* any order would do */
    job_tick(pool, begin_ns + LONG_NS);
    job_tick(pool, begin_ns + LONG_NS + 1);
    job_tick(pool, begin_ns + 3 * LONG_NS);
    assert_int_equal(tp_load_sc(&witness.n_reports), 1); /* any order would do */
    assert_int_equal(witness.id, id);
    assert_int_equal(witness.worker, 0);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&runner.seen), TP_ETIMEDOUT); /* likewise */
#if WITH_TRACKING
    assert_int_equal(job_join(pool, id, TP_FOREVER, &result), 0);
    assert_int_equal(result.state, TP_TASK_TIMED_OUT);
#endif
    check_timed_out(pool, 1);
    check_next_is_unaffected(pool);
    check_timed_out(pool, 1);
    job_pool_free(pool);
}

/* One task after the other on the same worker, each within its limit. */
static void test_timeout_is_per_task(void **state)
{
    (void)state;
    struct witness witness = {0};
    struct job_pool *pool = open_watched(&witness);
    uint64_t now_ns = tp_clock_now_ns();
    for (uint64_t i = 0; i < 6; i++) {
        struct gate gate = GATE_CLOSED;
        struct call hold;
        pool_hold(pool, 1, &gate, &hold);
        job_tick(pool, now_ns + i * (LONG_NS / 2));
        gate_open(&gate);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        if (i == 3)
            job_tick(pool, now_ns + 2 * LONG_NS - 1); /* nothing runs */
    }
    assert_int_equal(tp_load_sc(&witness.n_reports), 0); /* any order would do */
    check_timed_out(pool, 0);
    job_pool_free(pool);
}

/* The keeper's word comes when the task has ended just now: it is nobody's. */
static void test_timeout_too_late(void **state)
{
    (void)state;
    struct witness witness = {0};
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct job_pool *pool = open_watched(&witness);
    pool_hold(pool, 1, &gate, &hold);
    uint64_t begun = tp_load_sc(&pool->workers[0].n_begun); /* any order would do */
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    job_report_overdue(&pool->workers[0], begun);
    check_next_is_unaffected(pool);
    check_timed_out(pool, 0);
    job_pool_free(pool);
}
#endif

#if WITH_AUTO
#if WITH_HOURS
enum { IN_HOURS = VALUE_HOURS_FROM,
    STILL_IN_HOURS = (VALUE_HOURS_TO + 1439) % 1440,
    OUT_OF_HOURS = VALUE_HOURS_TO,
    STILL_OUT_OF_HOURS = (VALUE_HOURS_FROM + 1439) % 1440 };
#else
enum { IN_HOURS = 0,
    STILL_IN_HOURS = 1439 };
#endif

static uint32_t workers_of(struct job_pool *pool)
{
    struct tp_pool_settings settings;
    job_pool_settings(pool, &settings);
    return settings.workers;
}

static void check_decision(struct job_pool *pool, size_t n, uint64_t time_ns, uint32_t from, uint32_t to, uint64_t before)
{
    struct tp_decision decisions[64];
    assert_int_equal(job_pool_decisions(pool, decisions, 64), n);
    const struct tp_decision *last = &decisions[n - 1];
    assert_int_equal(last->time_ns, time_ns);
    assert_int_equal(last->kind, TP_DECISION_WORKERS);
    assert_int_equal(last->from, from);
    assert_int_equal(last->to, to);
    assert_int_equal(last->before, before);
    assert_int_equal(last->after, to);
    assert_non_null(last->why);
}

/* One more at a look, while tasks wait; one less after so many looks that found one free. */
static void test_auto(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold = {gate_pass, &gate};
    struct tp_decision decision;
    struct job_pool *pool = open_range(1, 4, 100);
    assert_int_equal(workers_of(pool), 1);
    job_monitor(pool, 1, IN_HOURS); /* nothing waits */
    pool_hold(pool, 1, &gate, &hold);
    job_monitor(pool, 2, IN_HOURS); /* nor now */
    assert_int_equal(job_pool_decisions(pool, &decision, 1), 0);
    for (int i = 0; i < 5; i++)
        submit(pool, &hold);
    for (uint32_t n = 1; n < 4; n++) {
        job_monitor(pool, 10 + n, n % 2 == 0 ? IN_HOURS : STILL_IN_HOURS);
        gate_await(&gate, n + 1);
        assert_int_equal(workers_of(pool), n + 1);
        check_decision(pool, n, 10 + n, n, n + 1, 6 - n);
    }
    job_monitor(pool, 20, IN_HOURS); /* two wait still, but there are enough */
    assert_int_equal(workers_of(pool), 4);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    await_parked(pool, 4);
    for (uint32_t n = 4; n > 1; n--) {
        for (int look = 1; look < JOB_IDLE_LOOKS; look++)
            job_monitor(pool, 30, IN_HOURS);
        assert_int_equal(workers_of(pool), n);
        job_monitor(pool, 100 + n, IN_HOURS);
        assert_int_equal(workers_of(pool), n - 1);
        check_decision(pool, 3 + 4 - n + 1, 100 + n, n, n - 1, JOB_IDLE_LOOKS);
        await_parked(pool, n - 1);
    }
    for (int look = 0; look < 3 * JOB_IDLE_LOOKS; look++)
        job_monitor(pool, 300, IN_HOURS);
    assert_int_equal(workers_of(pool), 1); /* one stays */
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    job_monitor(pool, 400, IN_HOURS); /* a look at a closed pool decides nothing */
    check_decision(pool, 6, 102, 2, 1, JOB_IDLE_LOOKS);
    assert_int_equal(job_pool_reopen(pool), 0);
    assert_int_equal(job_pool_decisions(pool, &decision, 1), 0); /* fresh */
    check_works(pool, 20);
    job_pool_free(pool);
}

/* A worker in use now and then is not let go. */
static void test_auto_needs_a_row(void **state)
{
    (void)state;
    struct job_pool *pool = open_range(1, 2, 100);
    assert_int_equal(job_pool_tune_workers(pool, 2), 0);
    for (int round = 0; round < 3; round++) {
        struct gate gate = GATE_CLOSED;
        struct call hold;
        await_parked(pool, 2);
        for (int look = 1; look < JOB_IDLE_LOOKS; look++)
            job_monitor(pool, 1, IN_HOURS);
        pool_hold(pool, 2, &gate, &hold);
        job_monitor(pool, 2, IN_HOURS);
        gate_open(&gate);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    }
    assert_int_equal(workers_of(pool), 2);
    job_pool_free(pool);
}

/* Workers beyond the upper bound, which tuning may ask for, are gone at the next look, and it says why. */
static void test_auto_above(void **state)
{
    (void)state;
    struct tp_decision decision;
    struct job_pool *pool = open_range(1, 2, 100);
    assert_int_equal(job_pool_tune_workers(pool, 4), 0);
    job_monitor(pool, 5, IN_HOURS);
    check_decision(pool, 1, 5, 4, 2, 4);
    assert_int_equal(job_pool_decisions(pool, &decision, 1), 1);
    assert_string_equal(decision.why, "so many workers are more than the bound that holds now");
    job_pool_free(pool);
}

#if BLOCKS
/* Submitters that wait for room count as work that waits. */
static void test_auto_sees_submitters(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold, nothing = {nothing_run, NULL};
    struct caller callers[2] = {0};
    struct job_pool *pool = open_range(1, 2, 1);
    pool_hold(pool, 1, &gate, &hold);
    for (size_t i = 0; i < 2; i++) {
        callers[i].call = &nothing;
        callers[i].class_ = (unsigned)(sizeof pool->room / sizeof *pool->room) / 2;
        caller_start(&callers[i], pool, call_submit);
    }
    await_blocked(pool, 2);
    job_monitor(pool, 5, IN_HOURS);
    check_decision(pool, 1, 5, 1, 2, 2);
    gate_open(&gate);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(caller_end(&callers[i]), 0);
    job_pool_free(pool);
}
#endif

#if WITH_HOURS
/* Out of hours the lower bound holds at once, and nothing grows. */
static void test_auto_hours(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold = {gate_pass, &gate};
    struct tp_decision decisions[8];
    struct job_pool *pool = open_range(1, 3, 100);
    pool_hold(pool, 1, &gate, &hold);
    for (int i = 0; i < 4; i++)
        submit(pool, &hold);
    job_monitor(pool, 1, OUT_OF_HOURS);
    job_monitor(pool, 2, STILL_OUT_OF_HOURS);
    assert_int_equal(workers_of(pool), 1);
    job_monitor(pool, 3, IN_HOURS);
    gate_await(&gate, 2);
    job_monitor(pool, 4, STILL_IN_HOURS);
    gate_await(&gate, 3);
    check_decision(pool, 2, 4, 2, 3, 3);
    job_monitor(pool, 5, OUT_OF_HOURS);
    assert_int_equal(workers_of(pool), 1);
    check_decision(pool, 3, 5, 3, 1, 3);
    job_monitor(pool, 6, STILL_OUT_OF_HOURS);
    assert_int_equal(job_pool_decisions(pool, decisions, 8), 3);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    job_pool_free(pool);
}
#endif
#endif
