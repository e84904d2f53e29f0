/* Behaviour: a full pool. Each task is accepted, refused, run by the submitter or dropped, whichever
 * was chosen, and everybody who is concerned is told exactly that. */

#if WITH_BOUNDED
/* A pool whose workers are held, with tasks that wait. */
struct full {
    struct job_pool *pool;
    uint32_t workers;
    struct gate gate;
    struct call hold;
    struct entry *waiting;
    size_t n_waiting;
};

/* room: how many more than those that wait would fit. */
static void full_open(struct full *full, struct tp_pool_settings settings, uint32_t workers, size_t n_waiting, size_t room)
{
    *full = (struct full){.workers = workers, .gate = GATE_CLOSED, .n_waiting = n_waiting};
    full->pool = pool_open_as(settings, workers, workers + n_waiting + room);
    full->waiting = ledger_new(n_waiting + 1);
    pool_hold(full->pool, workers, &full->gate, &full->hold);
    for (size_t i = 0; i < n_waiting; i++)
        assert_int_equal(job_submit(full->pool, as_payload(&full->waiting[i].call)), 0);
#if WITH_DROPPED
    drops_forget();
#endif
}

static void full_finish(struct full *full)
{
    gate_open(&full->gate);
    assert_int_equal(job_join_all(full->pool, TP_FOREVER), 0);
    job_pool_free(full->pool);
    free(full->waiting);
}

static void full_check_counts(struct full *full, uint64_t pending)
{
    struct tp_pool_counts counts;
    job_pool_counts(full->pool, &counts);
    assert_int_equal(counts.running, full->workers);
    assert_int_equal(counts.pending, pending);
    uint64_t in_flight = full->workers + pending;
    assert_int_equal(counts.free, counts.capacity > in_flight ? counts.capacity - in_flight : 0);
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(full->pool, &stats);
    assert_int_equal(stats.submitted, stats.completed + stats.cancelled + stats.dropped + pending + full->workers);
#endif
}

#if WITH_STATS
static struct tp_pool_stats full_stats(struct full *full)
{
    struct tp_pool_stats stats;
    job_pool_stats(full->pool, &stats);
    return stats;
}
#endif

/* Tasks that note by whom and in which place they were run. */
struct seen {
    struct call call;
    pthread_t thread;
    uint32_t n_runs;
    size_t place;
};
enum { SEEN = 100 };

static int seen_run(void *argument)
{
    struct seen *seen = argument;
    seen->thread = pthread_self();
    seen->place = seen_place();
    seen->n_runs++;
    return 0;
}

/* n tasks, and their payloads. */
static void seen_make(struct seen *seen, uintptr_t *payloads, size_t n)
{
    tp_store_sc(&seen_next, 0);
    for (size_t i = 0; i < n; i++) {
        seen[i] = (struct seen){.call = {seen_run, &seen[i]}};
        payloads[i] = as_payload(&seen[i].call);
    }
}

/* The batch of a full pool stops where the first task is refused. */
static void check_refused_batch(int refusal, size_t n_told)
{
    enum { ROOM = 3 };
    EACH_WORKER_COUNT(workers)
    {
        struct full full;
        struct seen seen[SEEN];
        uintptr_t payloads[SEEN];
        size_t n = 77;
        full_open(&full, (struct tp_pool_settings){0}, (uint32_t)workers, 4, ROOM);
        seen_make(seen, payloads, SEEN);
        assert_int_equal(job_submit_batch(full.pool, payloads, SEEN, &n), refusal);
        assert_int_equal(n, ROOM);
        assert_int_equal(job_submit(full.pool, payloads[n]), refusal);
        full_check_counts(&full, 4 + ROOM);
#if WITH_STATS
        assert_int_equal(full_stats(&full).rejected, SEEN - ROOM + 1);
        assert_int_equal(full_stats(&full).dropped, 0);
#endif
#if WITH_DROPPED
        assert_int_equal(n_drops, 2 * n_told); /* the task that stopped the batch, and the single one */
        for (size_t i = 0; i < n_drops; i++)
            assert_int_equal(drops[i], payloads[n]);
#endif
        (void)n_told;
        gate_open(&full.gate);
        assert_int_equal(job_join_all(full.pool, TP_FOREVER), 0);
        for (size_t i = 0; i < SEEN; i++)
            assert_int_equal(seen[i].n_runs, i < n);
        ledger_check(full.waiting, full.n_waiting);
        full_finish(&full);
    }
}
#endif

#if WITH_BOUNDED && WITH_REJECT
static void test_reject_stops_a_batch(void **state)
{
    (void)state;
    check_refused_batch(TP_EFULL, 0);
}
#endif

#if WITH_BOUNDED && WITH_DROP_NEWEST
static void test_drop_newest(void **state)
{
    (void)state;
    check_refused_batch(TP_EDROPPED, 1);
}
#endif

#if WITH_BOUNDED && WITH_SPILL
static void test_spill(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct full full;
        struct seen seen[SEEN];
        uintptr_t payloads[SEEN];
        size_t n = 77;
        full_open(&full, (struct tp_pool_settings){0}, (uint32_t)workers, 4, 3);
        seen_make(seen, payloads, SEEN);
        assert_int_equal(job_submit_batch(full.pool, payloads, SEEN - 1, &n), 0);
        assert_int_equal(n, SEEN - 1);
        assert_int_equal(job_submit(full.pool, payloads[SEEN - 1]), 0);
        full_check_counts(&full, 4 + SEEN);
        gate_open(&full.gate);
        assert_int_equal(job_join_all(full.pool, TP_FOREVER), 0);
        for (size_t i = 0; i < SEEN; i++)
            assert_int_equal(seen[i].n_runs, 1);
        struct tp_pool_counts counts;
        job_pool_counts(full.pool, &counts);
        assert_int_equal(counts.free, counts.capacity);
        full_finish(&full);
    }
}
#endif

#if WITH_BOUNDED && WITH_CALLER_RUNS
/* What fits is accepted, the rest is run by the submitter, in order, before it goes on. */
static void test_caller_runs(void **state)
{
    (void)state;
    enum { ROOM = 3 };
    EACH_WORKER_COUNT(workers)
    {
        struct full full;
        struct seen seen[SEEN];
        uintptr_t payloads[SEEN];
        size_t n = 77;
        full_open(&full, (struct tp_pool_settings){0}, (uint32_t)workers, 4, ROOM);
        seen_make(seen, payloads, SEEN);
        assert_int_equal(job_submit_batch(full.pool, payloads, SEEN - 1, &n), 0);
        assert_int_equal(n, SEEN - 1);
        assert_int_equal(job_submit(full.pool, payloads[SEEN - 1]), 0);
        for (size_t i = 0; i < SEEN; i++)
            assert_int_equal(seen[i].n_runs, i >= ROOM);
        for (size_t i = ROOM; i < SEEN; i++) {
            assert_true(pthread_equal(seen[i].thread, pthread_self()));
            assert_int_equal(seen[i].place, i - ROOM);
        }
        full_check_counts(&full, 4 + ROOM);
#if WITH_STATS
        assert_int_equal(full_stats(&full).completed, SEEN - ROOM);
        assert_int_equal(full_stats(&full).rejected, 0);
#endif
        gate_open(&full.gate);
        assert_int_equal(job_join_all(full.pool, TP_FOREVER), 0);
        for (size_t i = 0; i < SEEN; i++)
            assert_int_equal(seen[i].n_runs, 1);
        for (size_t i = 0; i < ROOM; i++)
            assert_false(pthread_equal(seen[i].thread, pthread_self()));
        full_finish(&full);
    }
}

/* From outside, too, the depth has a limit; and a task that the submitter runs is a task of the pool. */
struct outsider {
    struct chain chain;
    int join_status, close_status;
};

static int outsider_run(void *argument)
{
    struct outsider *outsider = argument;
    outsider->join_status = job_join_all(outsider->chain.pool, 0);
    outsider->close_status = job_pool_close(outsider->chain.pool, 0);
    return 0;
}

static void test_caller_runs_nested(void **state)
{
    (void)state;
    struct full full;
    full_open(&full, (struct tp_pool_settings){0}, 1, 0, 0);
    struct outsider outsider = {.chain = {.pool = full.pool, .left = 100}};
    struct call call = {outsider_run, &outsider};
    outsider.chain.call = (struct call){chain_run, &outsider.chain};
    assert_int_equal(job_submit(full.pool, as_payload(&outsider.chain.call)), 0);
    assert_int_equal(outsider.chain.deepest, JOB_NESTED_MAX);
    assert_int_equal(outsider.chain.n_full, 1);
#if WITH_STATS
    assert_int_equal(full_stats(&full).completed, JOB_NESTED_MAX);
    assert_int_equal(full_stats(&full).rejected, 1);
#endif
    assert_int_equal(job_submit(full.pool, as_payload(&call)), 0);
    assert_int_equal(outsider.join_status, TP_EDEADLK);
    assert_int_equal(outsider.close_status, TP_EDEADLK);
    full_finish(&full);
}
#endif

#if WITH_BOUNDED && WITH_DROP_OLDEST
/* The oldest that waits makes room; never one that runs; and each drop is told once. */
static void test_drop_oldest(void **state)
{
    (void)state;
    enum { WAITING = 5 };
    EACH_WORKER_COUNT(workers)
    {
        struct full full;
        struct seen seen[SEEN];
        uintptr_t payloads[SEEN];
        size_t n = 77;
        full_open(&full, (struct tp_pool_settings){0}, (uint32_t)workers, WAITING, 2);
        seen_make(seen, payloads, SEEN);
        assert_int_equal(job_submit_batch(full.pool, payloads, 4, &n), 0);
        assert_int_equal(n, 4);
        full_check_counts(&full, WAITING + 2);
#if WITH_STATS
        assert_int_equal(full_stats(&full).dropped, 2);
        assert_int_equal(full_stats(&full).rejected, 0);
#endif
#if WITH_DROPPED
        assert_int_equal(n_drops, 2);
        assert_int_equal(drops[0], as_payload(&full.waiting[0].call));
        assert_int_equal(drops[1], as_payload(&full.waiting[1].call));
#endif
        /* A batch that is larger than the pool drops its own beginning. */
        assert_int_equal(job_submit_batch(full.pool, payloads + 4, SEEN - 4, &n), 0);
        assert_int_equal(n, SEEN - 4);
        full_check_counts(&full, WAITING + 2);
        gate_open(&full.gate);
        assert_int_equal(job_join_all(full.pool, TP_FOREVER), 0);
        for (size_t i = 0; i < SEEN; i++)
            assert_int_equal(seen[i].n_runs, i >= SEEN - WAITING - 2);
        for (size_t i = 0; i < WAITING; i++)
            assert_int_equal(tp_load_rlx(&full.waiting[i].n_runs), 0); /* relaxed: joined */
#if WITH_STATS
        assert_int_equal(full_stats(&full).dropped, SEEN - 2);
        assert_int_equal(full_stats(&full).completed, WAITING + 2 + workers);
#endif
#if WITH_DROPPED
        assert_int_equal(n_drops, SEEN - 2);
        for (size_t i = WAITING; i < n_drops; i++)
            assert_int_equal(drops[i], payloads[i - WAITING]);
#endif
        full_finish(&full);
    }
}

/* All have started: there is nothing to drop. */
static void test_drop_oldest_but_none_waits(void **state)
{
    (void)state;
    struct full full;
    struct seen seen;
    uintptr_t payload;
    size_t n = 77;
    full_open(&full, (struct tp_pool_settings){0}, 2, 0, 0);
    seen_make(&seen, &payload, 1);
    assert_int_equal(job_submit(full.pool, payload), TP_EFULL);
    assert_int_equal(job_submit_batch(full.pool, &payload, 1, &n), TP_EFULL);
    assert_int_equal(n, 0);
#if WITH_STATS
    assert_int_equal(full_stats(&full).rejected, 2);
    assert_int_equal(full_stats(&full).dropped, 0);
#endif
    full_finish(&full);
    assert_int_equal(seen.n_runs, 0);
}

/* Many submit at once into a small pool: each task runs, or is dropped, and none is both. */
static void test_drop_oldest_storm(void **state)
{
    (void)state;
    enum { PRODUCERS = 4,
        EACH = 2000 };
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, 7);
        struct entry *entries = ledger_new(PRODUCERS * EACH);
        struct producer producers[PRODUCERS];
#if WITH_DROPPED
        drops_forget();
#endif
        for (size_t i = 0; i < PRODUCERS; i++) {
            producers[i] = (struct producer){.pool = pool, .entries = entries + i * EACH, .n = EACH};
            pthread_create(&producers[i].thread, NULL, producer_run, &producers[i]);
        }
        for (size_t i = 0; i < PRODUCERS; i++)
            pthread_join(producers[i].thread, NULL);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        uint64_t n_run = 0;
        for (size_t i = 0; i < PRODUCERS * EACH; i++) {
            assert_true(tp_load_rlx(&entries[i].n_runs) <= 1); /* relaxed: joined */
            n_run += tp_load_rlx(&entries[i].n_runs);
        }
        (void)n_run;
#if WITH_STATS
        struct tp_pool_stats stats;
        job_pool_stats(pool, &stats);
        assert_int_equal(stats.submitted, PRODUCERS * EACH);
        assert_int_equal(stats.completed, n_run);
        assert_int_equal(stats.dropped, PRODUCERS * EACH - n_run);
#endif
#if WITH_DROPPED
        assert_int_equal(n_drops, PRODUCERS * EACH - n_run);
#endif
        job_pool_free(pool);
        free(entries);
    }
}
#endif

#if WITH_BOUNDED && WITH_DROP_OLDEST && WITH_CLASSES
/* A task is dropped for one of its own class or of a higher one, the lowest class first. */
static void test_drop_lowest_class(void **state)
{
    (void)state;
    const enum job_class first[] = {JOB_CLASS_LOW, JOB_CLASS_NORMAL, JOB_CLASS_LOW, JOB_CLASS_HIGH};
    const size_t dropped[] = {0, 2, 1};
    struct full full;
    struct seen seen[8];
    uintptr_t payloads[8];
    full_open(&full, (struct tp_pool_settings){0}, 2, 0, 4);
    seen_make(seen, payloads, 8);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(job_submit_class(full.pool, first[i], payloads[i]), 0);
    for (size_t i = 4; i < 7; i++)
        assert_int_equal(job_submit_class(full.pool, JOB_CLASS_NORMAL, payloads[i]), 0);
#if !WITH_PRIORITY || JOB_PENDING == 0
    assert_int_equal(job_submit_class(full.pool, JOB_CLASS_LOW, payloads[7]), TP_EFULL);
#endif
    full_check_counts(&full, 4);
#if WITH_DROPPED
    assert_int_equal(n_drops, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(drops[i], payloads[dropped[i]]);
#endif
    gate_open(&full.gate);
    assert_int_equal(job_join_all(full.pool, TP_FOREVER), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(seen[dropped[i]].n_runs, 0);
    for (size_t i = 3; i < 8; i++)
        assert_int_equal(seen[i].n_runs, i < 7);
    full_finish(&full);
}
#endif

#if WITH_BOUNDED && WITH_DROP_OLDEST && WITH_PRIORITY
/* Nothing is dropped in vain: with more in flight than the capacity, one drop would not make room. */
static void test_drop_not_in_vain(void **state)
{
    (void)state;
    struct full full;
    struct seen seen[8 + JOB_EXCEED];
    uintptr_t payloads[8 + JOB_EXCEED];
    full_open(&full, (struct tp_pool_settings){0}, 1, 0, 4);
    seen_make(seen, payloads, 8 + JOB_EXCEED);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(job_submit_class(full.pool, JOB_CLASS_NORMAL, payloads[i]), 0);
    for (size_t i = 4; i < 4 + JOB_EXCEED; i++)
        assert_int_equal(job_submit_class(full.pool, JOB_CLASS_HIGH, payloads[i]), 0);
    full_check_counts(&full, 4 + JOB_EXCEED);
    assert_int_equal(job_submit_class(full.pool, JOB_CLASS_NORMAL, payloads[4 + JOB_EXCEED]), TP_EFULL);
    full_check_counts(&full, 4 + JOB_EXCEED);
    /* One of the highest level does make room for another. */
    assert_int_equal(job_submit_class(full.pool, JOB_CLASS_HIGH, payloads[5 + JOB_EXCEED]), 0);
    full_check_counts(&full, 4 + JOB_EXCEED);
    gate_open(&full.gate);
    assert_int_equal(job_join_all(full.pool, TP_FOREVER), 0);
    for (size_t i = 0; i < 8 + JOB_EXCEED; i++)
        assert_int_equal(seen[i].n_runs, (i > 0 && i < 4 + JOB_EXCEED) || i == 5 + JOB_EXCEED);
    full_finish(&full);
}
#endif

#if WITH_BOUNDED && WITH_PRIORITY
static size_t fill_class(struct full *full, enum job_class class_, struct call *call)
{
    for (size_t n = 0;; n++) {
        tp_spin_lock(&full->pool->room_lock);
        bool is_left = job_room_is_left(full->pool, class_);
        tp_spin_unlock(&full->pool->room_lock);
        if (!is_left)
            return n;
        assert_int_equal(job_submit_class(full->pool, class_, as_payload(call)), 0);
    }
}

/* Each level has its own limit, exactly; whoever is beyond it meets a full pool. */
static void test_limits_of_levels(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct full full;
        struct call nothing = {nothing_run, NULL};
        full_open(&full, (struct tp_pool_settings){0}, (uint32_t)workers, 0, 20);
        assert_int_equal(fill_class(&full, JOB_CLASS_NORMAL, &nothing), 20);
        assert_int_equal(fill_class(&full, JOB_CLASS_LOW, &nothing), JOB_PENDING);
        assert_int_equal(fill_class(&full, JOB_CLASS_NORMAL, &nothing), 0);
        assert_int_equal(fill_class(&full, JOB_CLASS_HIGH, &nothing), JOB_EXCEED > JOB_PENDING ? JOB_EXCEED - JOB_PENDING : 0);
        assert_int_equal(fill_class(&full, JOB_CLASS_LOW, &nothing), 0);
        uint64_t most = 20 + (JOB_EXCEED > JOB_PENDING ? JOB_EXCEED : JOB_PENDING);
        full_check_counts(&full, most);
        if (overload == TP_OVERLOAD_REJECT)
            for (unsigned c = 0; c < JOB_CLASSES; c++)
                assert_int_equal(job_submit_class(full.pool, (enum job_class)c, as_payload(&nothing)), TP_EFULL);
        full_check_counts(&full, most);
        full_finish(&full);
    }
}
#endif
