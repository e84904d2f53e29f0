/* Behaviour: submitters that wait for room come in in turn, in time, and whenever there is some. */

#if WITH_BOUNDED && WITH_BLOCK
/* A thread that submits, and may have to wait for it. */
struct blocked {
    struct job_pool *pool;
    const uintptr_t *payloads;
    size_t n, n_accepted;
    unsigned class_;
    int status;
    pthread_t thread;
};

static void *blocked_run(void *argument)
{
    struct blocked *blocked = argument;
#if WITH_CLASSES
    enum job_class classes[SEEN];
    for (size_t i = 0; i < blocked->n; i++)
        classes[i] = (enum job_class)blocked->class_;
    blocked->status = job_submit_batch_class(blocked->pool, classes, blocked->payloads, blocked->n, &blocked->n_accepted);
#else
    blocked->status = job_submit_batch(blocked->pool, blocked->payloads, blocked->n, &blocked->n_accepted);
#endif
    return NULL;
}

static void blocked_start(struct blocked *blocked, struct job_pool *pool, unsigned class_, const uintptr_t *payloads, size_t n)
{
    *blocked = (struct blocked){.pool = pool, .class_ = class_, .payloads = payloads, .n = n};
    pthread_create(&blocked->thread, NULL, blocked_run, blocked);
}

static void blocked_check(struct blocked *blocked, int status, size_t n_accepted)
{
    pthread_join(blocked->thread, NULL);
    assert_int_equal(blocked->status, status);
    assert_int_equal(blocked->n_accepted, n_accepted);
}

#if WITH_CLASSES
enum { MIDDLE = JOB_CLASS_NORMAL };
#else
enum { MIDDLE = 0 };
#endif

/* Who waits first is let in first. */
static void test_block_in_turn(void **state)
{
    (void)state;
    enum { WAITERS = 5 };
    struct full full;
    struct seen seen[WAITERS];
    uintptr_t payloads[WAITERS];
    struct blocked blocked[WAITERS];
    full_open(&full, (struct tp_pool_settings){0}, 1, 0, 0);
    seen_make(seen, payloads, WAITERS);
    for (uint32_t i = 0; i < WAITERS; i++) {
        blocked_start(&blocked[i], full.pool, MIDDLE, &payloads[i], 1);
        await_waiting(full.pool, i + 1);
    }
    gate_open(&full.gate);
    for (size_t i = 0; i < WAITERS; i++)
        blocked_check(&blocked[i], 0, 1);
    assert_int_equal(job_join_all(full.pool, TP_FOREVER), 0);
    for (size_t i = 0; i < WAITERS; i++)
        assert_int_equal(seen[i].place, i);
    full_finish(&full);
}

/* A batch goes in as room comes. */
static void test_block_a_batch(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct full full;
        struct seen seen[SEEN];
        uintptr_t payloads[SEEN];
        struct blocked blocked;
        full_open(&full, (struct tp_pool_settings){0}, (uint32_t)workers, 4, 3);
        seen_make(seen, payloads, SEEN);
        blocked_start(&blocked, full.pool, MIDDLE, payloads, SEEN);
        await_waiting(full.pool, 1);
        full_check_counts(&full, 4 + 3);
        gate_open(&full.gate);
        blocked_check(&blocked, 0, SEEN);
        assert_int_equal(job_join_all(full.pool, TP_FOREVER), 0);
        for (size_t i = 0; i < SEEN; i++)
            assert_int_equal(seen[i].n_runs, 1);
        full_finish(&full);
    }
}

/* A clean-up makes room: who waits is told. */
static void test_cleanup_lets_in(void **state)
{
    (void)state;
    struct full full;
    struct seen seen[3];
    uintptr_t payloads[3];
    struct blocked blocked;
    full_open(&full, (struct tp_pool_settings){0}, 2, 3, 0);
    seen_make(seen, payloads, 3);
    blocked_start(&blocked, full.pool, MIDDLE, payloads, 3);
    await_waiting(full.pool, 1);
    assert_true(job_pool_cleanup(full.pool) >= 3);
    blocked_check(&blocked, 0, 3);
    gate_open(&full.gate);
    assert_int_equal(job_join_all(full.pool, TP_FOREVER), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(tp_load_rlx(&full.waiting[i].n_runs), 0); /* relaxed: joined */
    full_finish(&full);
}
#endif

#if WITH_BOUNDED && WITH_BLOCK && WITH_BOARD
/* So does help. */
static void test_help_lets_in(void **state)
{
    (void)state;
    struct full full;
    struct seen seen;
    uintptr_t payload;
    struct blocked blocked;
    full_open(&full, (struct tp_pool_settings){0}, 2, 3, 0);
    seen_make(&seen, &payload, 1);
    blocked_start(&blocked, full.pool, MIDDLE, &payload, 1);
    await_waiting(full.pool, 1);
    assert_int_equal(job_process_pending(full.pool, 1), 1);
    blocked_check(&blocked, 0, 1);
    full_check_counts(&full, 3);
    full_finish(&full);
    assert_int_equal(seen.n_runs, 1);
}
#endif

#if WITH_BOUNDED && WITH_BLOCK && WITH_PRIORITY
/* One end of a task is news for each level; who may not come in yet goes on waiting. */
static void test_block_by_level(void **state)
{
    (void)state;
    struct full full;
    struct call nothing = {nothing_run, NULL};
    struct seen seen[JOB_CLASSES];
    uintptr_t payloads[JOB_CLASSES];
    struct blocked blocked[JOB_CLASSES];
    full_open(&full, (struct tp_pool_settings){0}, 1, 0, 2);
    for (unsigned c = JOB_CLASSES; c-- > 0;) {
        fill_class(&full, (enum job_class)c, &nothing);
    }
    seen_make(seen, payloads, JOB_CLASSES);
    for (unsigned c = 0; c < JOB_CLASSES; c++) {
        blocked_start(&blocked[c], full.pool, c, &payloads[c], 1);
        await_waiting(full.pool, c + 1);
    }
    /* The highest level may come in; were it not so, the lowest might. */
    assert_int_equal(job_process_pending(full.pool, 1), 1);
    await_waiting(full.pool, JOB_CLASSES - 1);
    await_pending(full.pool, 2 + (JOB_EXCEED > JOB_PENDING ? JOB_EXCEED : JOB_PENDING));
    if (JOB_EXCEED > JOB_PENDING)
        blocked_check(&blocked[0], 0, 1);
    gate_open(&full.gate);
    for (unsigned c = JOB_EXCEED > JOB_PENDING ? 1 : 0; c < JOB_CLASSES; c++)
        blocked_check(&blocked[c], 0, 1);
    full_finish(&full);
    for (unsigned c = 0; c < JOB_CLASSES; c++)
        assert_int_equal(seen[c].n_runs, 1);
}
#endif

#if WITH_BOUNDED && WITH_BLOCK && WITH_WAITING
/* So many may wait; the next is refused at once, and may wait when another has left. */
static void test_waiting_limit(void **state)
{
    (void)state;
    enum { WAITERS = 2 };
    struct full full;
    struct seen seen[WAITERS + 1];
    uintptr_t payloads[WAITERS + 1];
    struct blocked blocked[WAITERS];
    full_open(&full, (struct tp_pool_settings){.waiting_max = WAITERS, .deadline_ns = WITH_DEADLINE ? 3600 * TP_SECOND : 0}, 1, 1, 0);
    seen_make(seen, payloads, WAITERS + 1);
    for (uint32_t i = 0; i < WAITERS; i++) {
        blocked_start(&blocked[i], full.pool, MIDDLE, &payloads[i], 1);
        await_waiting(full.pool, i + 1);
    }
    assert_int_equal(job_submit(full.pool, payloads[WAITERS]), TP_EFULL);
#if WITH_STATS
    assert_int_equal(full_stats(&full).rejected, 1);
#endif
    gate_open(&full.gate);
    for (size_t i = 0; i < WAITERS; i++)
        blocked_check(&blocked[i], 0, 1);
    assert_int_equal(tp_load_sc(&full.pool->n_blocked), 0);
    full_finish(&full);
    for (size_t i = 0; i <= WAITERS; i++)
        assert_int_equal(seen[i].n_runs, i < WAITERS);
}
#endif

#if WITH_BOUNDED && WITH_BLOCK && WITH_DEADLINE
/* The deadline is one for the whole call: wake-ups in vain, and waiting anew, do not move it. */
static void test_one_deadline(void **state)
{
    (void)state;
    enum { TASKS = 4 };
    struct full full;
    struct gate gates[TASKS];
    struct call calls[TASKS];
    uintptr_t payloads[TASKS];
    struct blocked blocked;
    for (size_t i = 0; i < TASKS; i++) {
        gates[i] = (struct gate)GATE_CLOSED;
        calls[i] = (struct call){gate_pass, &gates[i]};
        payloads[i] = as_payload(&calls[i]);
    }
    full_open(&full, (struct tp_pool_settings){.deadline_ns = 3600 * TP_SECOND}, 1, 0, 0);
    tp_store_sc(&n_deadlines, 0);
    blocked_start(&blocked, full.pool, MIDDLE, payloads, TASKS);
    for (int i = 0; i < 5; i++) {
        await_waiting(full.pool, 1);
        job_tell_room(full.pool, 1); /* there is none */
    }
    gate_open(&full.gate);
    for (size_t i = 0; i < TASKS; i++) {
        gate_await(&gates[i], 1); /* it runs, and the next one waits */
        await_waiting(full.pool, i < TASKS - 1 ? 1 : 0);
        gate_open(&gates[i]);
    }
    blocked_check(&blocked, 0, TASKS);
    assert_int_equal(tp_load_sc(&n_deadlines), 1);
    full_finish(&full);
}

/* What was accepted before the time was over stays so. */
static void test_deadline_of_a_batch(void **state)
{
    (void)state;
    struct full full;
    struct seen seen[SEEN];
    uintptr_t payloads[SEEN];
    size_t n = 77;
    full_open(&full, (struct tp_pool_settings){.deadline_ns = 3600 * TP_SECOND}, 1, 2, 3);
    seen_make(seen, payloads, SEEN);
    tp_store_sc(&next_deadline_ns, 1); /* over */
    assert_int_equal(job_submit_batch(full.pool, payloads, SEEN, &n), TP_ETIMEDOUT);
    tp_store_sc(&next_deadline_ns, 0);
    assert_int_equal(n, 3);
    full_check_counts(&full, 2 + 3);
#if WITH_STATS
    assert_int_equal(full_stats(&full).rejected, SEEN - 3);
#endif
#if WITH_WAITING
    assert_int_equal(tp_load_sc(&full.pool->n_blocked), 0);
#endif
    full_finish(&full);
    for (size_t i = 0; i < SEEN; i++)
        assert_int_equal(seen[i].n_runs, i < 3);
}
#endif
