/* Behaviour: a task's id is its own for ever, and says how the task ended to everybody who asks. */

#if WITH_TRACKING
static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void check_unique(uint64_t *ids, size_t n)
{
    qsort(ids, n, sizeof *ids, compare_ids);
    assert_true(ids[0] != 0);
    for (size_t i = 1; i < n; i++)
        assert_true(ids[i] != ids[i - 1]);
}

/* Waits until no record is held: what is over has let go of its own. */
static void check_no_records(struct job_pool *pool)
{
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(tp_track_count(&pool->track), 0);
    assert_int_equal(job_tasks(pool, NULL, 0), 0);
}

static void test_ids_are_unique(void **state)
{
    (void)state;
    enum { TASKS = OFTEN(100000),
        PART = 1000 };
    struct call nothing = {nothing_run, NULL};
    static uint64_t ids[TASKS];
    static uintptr_t payloads[PART];
    struct job_pool *pool = pool_open(2, room_for(TASKS, 2 * PART));
    for (size_t i = 0; i < PART; i++)
        payloads[i] = as_payload(&nothing);
    for (size_t done = 0; done < TASKS;) {
        size_t n = TASKS - done < PART ? TASKS - done : PART, n_accepted = 77;
        int status = job_spawn_batch(pool, payloads, n, ids + done, &n_accepted);
        assert_true(status == 0 ? n_accepted == n : is_refusal(status));
        for (size_t i = 0; i < n_accepted; i++)
            assert_int_equal(job_detach(pool, ids[done + i]), 0);
        done += n_accepted;
    }
    check_unique(ids, TASKS);
    check_no_records(pool);
    job_pool_free(pool);
}

/* At the end of its generations a record is not used again. */
static void test_last_generations(void **state)
{
    (void)state;
    enum { TASKS = 500 };
    struct call nothing = {nothing_run, NULL};
    uint64_t ids[TASKS];
    struct job_pool *pool = pool_open(1, 8);
    pool->track.first_generation = UINT32_MAX - 1; /* of records that are not made yet: all */
    for (size_t i = 0; i < TASKS; i++) {
        assert_int_equal(job_spawn(pool, as_payload(&nothing), &ids[i]), 0);
        assert_int_equal(job_join(pool, ids[i], TP_FOREVER, NULL), 0);
    }
    check_unique(ids, TASKS);
    check_no_records(pool);
    job_pool_free(pool);
}

/* Tasks that end in each way. */
static int returning_run(void *argument)
{
    return *(int *)argument;
}

static int panicking_run(void *argument)
{
    tp_panic("%s", (const char *)argument);
}

static void ignore_panic(const struct tp_panic_report *panic, void *context)
{
    (void)panic;
    (void)context;
}

/* A long task that asks now and then whether it should stop. */
struct long_task {
    struct gate gate;
};

static int long_run(void *argument)
{
    struct long_task *task = argument;
    pthread_mutex_lock(&task->gate.lock);
    task->gate.n_waiting++;
    pthread_cond_broadcast(&task->gate.changed);
    pthread_mutex_unlock(&task->gate.lock);
    int asked;
    while ((asked = tp_task_check()) == 0)
        sched_yield();
    return asked;
}

static void check_result(struct job_pool *pool, uint64_t id, enum tp_task_state state, int code)
{
    struct tp_task_result result = {TP_TASK_PENDING, 77};
    assert_int_equal(job_wait(pool, id, TP_FOREVER, &result), 0);
    assert_int_equal(result.state, state);
    assert_int_equal(result.code, code);
    result.code = 77;
    assert_int_equal(job_join(pool, id, TP_FOREVER, &result), 0);
    assert_int_equal(result.state, state);
    assert_int_equal(result.code, code);
    result.code = 77;
    assert_int_equal(job_join(pool, id, TP_FOREVER, &result), TP_ESTALE);
    if (state != TP_TASK_CANCELLED) /* else it may lie in its queue still, and be known there */
        assert_int_equal(job_wait(pool, id, 0, NULL), TP_ESTALE);
    assert_int_equal(job_cancel_task(pool, id), TP_ESTALE);
    assert_int_equal(job_detach(pool, id), TP_ESTALE);
    assert_int_equal(result.code, 77);
}

static void test_results(void **state)
{
    (void)state;
    int codes[] = {0, 7, TP_EINVAL, INT_MIN};
    struct call call;
    uint64_t id;
    struct job_pool *pool = pool_open_as((struct tp_pool_settings){.on_panic = ignore_panic}, 1, 8);
    for (size_t i = 0; i < 4; i++) {
        call = (struct call){returning_run, &codes[i]};
        assert_int_equal(job_spawn(pool, as_payload(&call), &id), 0);
        check_result(pool, id, codes[i] < 0 ? TP_TASK_FAILED : TP_TASK_RETURNED, codes[i]);
    }
    call = (struct call){panicking_run, "no"};
    assert_int_equal(job_spawn(pool, as_payload(&call), &id), 0);
    check_result(pool, id, TP_TASK_PANICKED, TP_EPANICKED);
    check_no_records(pool);
    job_pool_free(pool);
}

/* A task that runs is asked to stop; one that does not will not. */
static void test_cancel(void **state)
{
    (void)state;
    struct long_task running = {.gate = GATE_CLOSED};
    struct entry entry = {{entry_run, &entry}, 0};
    struct call call = {long_run, &running};
    struct tp_task_info infos[3];
    struct tp_task_result result = {TP_TASK_PENDING, 77};
    uint64_t running_id, pending_id;
    struct job_pool *pool = pool_open(1, 8);
#if WITH_BOUNDED && WITH_DROPPED
    drops_forget();
#endif
    assert_int_equal(job_spawn(pool, as_payload(&call), &running_id), 0);
    gate_await(&running.gate, 1);
    assert_int_equal(job_spawn(pool, as_payload(&entry.call), &pending_id), 0);
    assert_int_equal(job_tasks(pool, infos, 3), 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(infos[i].state, infos[i].id == running_id ? TP_TASK_RUNNING : TP_TASK_PENDING);
    assert_int_equal(job_wait(pool, pending_id, 0, &result), TP_ETIMEDOUT);
    assert_int_equal(job_join(pool, running_id, tp_clock_now_ns(), &result), TP_ETIMEDOUT);
    assert_int_equal(result.code, 77);
    assert_int_equal(job_cancel_task(pool, pending_id), 0);
    assert_int_equal(job_cancel_task(pool, pending_id), TP_ESTALE); /* it is over */
    check_result(pool, pending_id, TP_TASK_CANCELLED, TP_ECANCELED);
    assert_int_equal(job_cancel_task(pool, running_id), 0);
    check_result(pool, running_id, TP_TASK_FAILED, TP_ECANCELED);
    check_no_records(pool);
    assert_int_equal(tp_load_rlx(&entry.n_runs), 0); /* relaxed: joined */
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.cancelled, 1);
    assert_int_equal(stats.completed, 1);
    assert_int_equal(stats.dropped, 0);
#endif
#if WITH_BOUNDED && WITH_DROPPED
    assert_int_equal(n_drops, 1); /* also of a cancelled task the host is told */
    assert_int_equal(drops[0], as_payload(&entry.call));
#endif
    job_pool_free(pool);
}

/* Any number of threads wait for one task. */
struct asker {
    struct job_pool *pool;
    uint64_t id;
    int status;
    struct tp_task_result result;
    pthread_t thread;
};

static void *asker_run(void *argument)
{
    struct asker *asker = argument;
    asker->status = job_wait(asker->pool, asker->id, TP_FOREVER, &asker->result);
    return NULL;
}

static void await_askers(struct job_pool *pool, uint64_t id, uint32_t n)
{
    while (tp_load_sc(&pool->track.lists[(uint32_t)id % TP_TRACK_LISTS].n_waiting) != n)
        sched_yield();
}

static void test_many_wait(void **state)
{
    (void)state;
    enum { ASKERS = 4 };
    EACH_WORKER_COUNT(workers)
    {
        struct gate gate = GATE_CLOSED;
        struct call call = {gate_pass, &gate};
        struct asker askers[ASKERS];
        uint64_t id;
        struct job_pool *pool = pool_open((uint32_t)workers, 8);
        assert_int_equal(job_spawn(pool, as_payload(&call), &id), 0);
        for (size_t i = 0; i < ASKERS; i++) {
            askers[i] = (struct asker){.pool = pool, .id = id, .result = {TP_TASK_PENDING, 77}};
            pthread_create(&askers[i].thread, NULL, asker_run, &askers[i]);
        }
        await_askers(pool, id, ASKERS);
        assert_int_equal(job_detach(pool, id), 0); /* who waits keeps the result */
        assert_int_equal(job_detach(pool, id), TP_ESTALE);
        gate_open(&gate);
        for (size_t i = 0; i < ASKERS; i++) {
            pthread_join(askers[i].thread, NULL);
            assert_int_equal(askers[i].status, 0);
            assert_int_equal(askers[i].result.state, TP_TASK_RETURNED);
            assert_int_equal(askers[i].result.code, 0);
        }
        check_no_records(pool);
        job_pool_free(pool);
    }
}

/* A handle may end before its task, or after. */
static void test_detach(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call call = {gate_pass, &gate};
    uint64_t before, after;
    struct job_pool *pool = pool_open(2, 8);
    assert_int_equal(job_spawn(pool, as_payload(&call), &before), 0);
    assert_int_equal(job_spawn(pool, as_payload(&call), &after), 0);
    assert_int_equal(job_detach(pool, before), 0);
    assert_int_equal(job_wait(pool, before, 0, NULL), TP_ETIMEDOUT); /* the task goes on */
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(job_wait(pool, before, 0, NULL), TP_ESTALE);
    assert_int_equal(tp_track_count(&pool->track), 1);
    assert_int_equal(job_wait(pool, after, 0, NULL), 0);
    assert_int_equal(job_detach(pool, after), 0);
    assert_int_equal(job_detach(pool, after), TP_ESTALE);
    assert_int_equal(job_wait(pool, after, 0, NULL), TP_ESTALE);
    assert_int_equal(job_wait(pool, 0, 0, NULL), TP_ESTALE);
    assert_int_equal(job_detach(pool, UINT64_MAX), TP_ESTALE);
    check_no_records(pool);
    job_pool_free(pool);
}

/* Who waits for itself would wait for ever. */
struct selfish {
    struct job_pool *pool;
    uint64_t id;
    int wait_status, join_status;
};

static int selfish_run(void *argument)
{
    struct selfish *selfish = argument;
    selfish->id = tp_task_id();
    selfish->wait_status = job_wait(selfish->pool, selfish->id, TP_FOREVER, NULL);
    selfish->join_status = job_join(selfish->pool, selfish->id, TP_FOREVER, NULL);
    return 0;
}

static void test_wait_for_oneself(void **state)
{
    (void)state;
    struct selfish selfish = {.pool = pool_open(1, 8)};
    struct call call = {selfish_run, &selfish};
    uint64_t id;
    assert_int_equal(tp_task_id(), 0);
    assert_int_equal(job_spawn(selfish.pool, as_payload(&call), &id), 0);
    check_result(selfish.pool, id, TP_TASK_RETURNED, 0);
    assert_int_equal(selfish.id, id);
    assert_int_equal(selfish.wait_status, TP_EDEADLK);
    assert_int_equal(selfish.join_status, TP_EDEADLK);
    check_no_records(selfish.pool);
    job_pool_free(selfish.pool);
}

/* Tasks for which nobody has a handle leave nothing behind. */
static void test_no_handles(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, room_for(LEDGER, 50));
        struct entry *entries = ledger_new(LEDGER);
        for (size_t i = 0; i < LEDGER; i++)
            submit(pool, &entries[i].call);
        check_no_records(pool);
        assert_true(tp_load_sc(&pool->track.n_records) > 0);
        ledger_check(entries, LEDGER);
        job_pool_free(pool);
        free(entries);
    }
}
#endif

#if WITH_TRACKING && WITH_CLASSES
static void test_spawn_class(void **state)
{
    (void)state;
    enum { TASKS = 100 };
    struct job_pool *pool = pool_open(2, TASKS);
    struct entry *entries = ledger_new(TASKS);
    uintptr_t payloads[TASKS];
    enum job_class classes[TASKS];
    uint64_t ids[TASKS];
    size_t n = 77;
    for (size_t i = 0; i < TASKS; i++) {
        payloads[i] = as_payload(&entries[i].call);
        classes[i] = (enum job_class)(i % JOB_CLASSES);
    }
    assert_int_equal(job_spawn_class(pool, JOB_CLASSES, payloads[0], &ids[0]), TP_EINVAL);
    assert_int_equal(job_spawn_class(pool, JOB_CLASS_LOW, payloads[0], &ids[0]), 0);
    assert_int_equal(job_spawn_batch_class(pool, classes + 1, payloads + 1, TASKS - 1, ids + 1, &n), 0);
    assert_int_equal(n, TASKS - 1);
    for (size_t i = 0; i < TASKS; i++)
        check_result(pool, ids[i], TP_TASK_RETURNED, 0);
    ledger_check(entries, TASKS);
    check_no_records(pool);
    job_pool_free(pool);
    free(entries);
}
#endif

#if WITH_TRACKING && WITH_BOUNDED
/* What becomes of each task of a batch that does not fit, by its handle. */
static void test_handles_of_a_full_pool(void **state)
{
    (void)state;
    enum { ROOM = 70 }; /* more than records are made at once */
    struct full full;
    struct seen seen[SEEN];
    uintptr_t payloads[SEEN];
    uint64_t ids[SEEN];
    size_t n = 77, n_expected = ROOM, n_dropped = 0;
    if (overload == TP_OVERLOAD_BLOCK || overload == TP_OVERLOAD_CONFIGURED)
        return; /* nobody would make room; see test_block_a_batch */
    if (overload == TP_OVERLOAD_DROP_OLDEST)
        n_dropped = SEEN - ROOM;
    if (overload != TP_OVERLOAD_REJECT && overload != TP_OVERLOAD_DROP_NEWEST)
        n_expected = SEEN;
    full_open(&full, (struct tp_pool_settings){0}, 2, 0, ROOM);
    seen_make(seen, payloads, SEEN);
    memset(ids, 0, sizeof ids);
    int status = job_spawn_batch(full.pool, payloads, SEEN, ids, &n);
    assert_int_equal(status, n_expected == SEEN ? 0 : overload == TP_OVERLOAD_REJECT ? TP_EFULL
                                                                                     : TP_EDROPPED);
    assert_int_equal(n, n_expected);
    assert_int_equal(tp_track_count(&full.pool->track), 2 + n);
    for (size_t i = 0; i < SEEN; i++)
        assert_int_equal(ids[i] != 0, i < n);
    gate_open(&full.gate);
    for (size_t i = 0; i < n; i++) {
        bool is_dropped = i < n_dropped;
        check_result(full.pool, ids[i], is_dropped ? TP_TASK_DROPPED : TP_TASK_RETURNED, is_dropped ? TP_EDROPPED : 0);
    }
    check_no_records(full.pool);
    for (size_t i = 0; i < SEEN; i++)
        assert_int_equal(seen[i].n_runs, i >= n_dropped && i < n);
    full_finish(&full);
}
#endif

#if WITH_TRACKING && WITH_BOUNDED && WITH_DROP_OLDEST
/* A task that was cancelled is not dropped as well. */
static void test_cancelled_then_dropped(void **state)
{
    (void)state;
    struct full full;
    struct seen seen[2];
    uintptr_t payloads[2];
    uint64_t id;
    full_open(&full, (struct tp_pool_settings){0}, 1, 0, 1);
    seen_make(seen, payloads, 2);
    assert_int_equal(job_spawn(full.pool, payloads[0], &id), 0);
    assert_int_equal(job_cancel_task(full.pool, id), 0);
    assert_int_equal(job_submit(full.pool, payloads[1]), 0);
    check_result(full.pool, id, TP_TASK_CANCELLED, TP_ECANCELED);
#if WITH_STATS
    assert_int_equal(full_stats(&full).cancelled, 1);
    assert_int_equal(full_stats(&full).dropped, 0);
#endif
#if WITH_DROPPED
    assert_int_equal(n_drops, 1);
#endif
    full_finish(&full);
    assert_int_equal(seen[0].n_runs, 0);
    assert_int_equal(seen[1].n_runs, 1);
}
#endif
