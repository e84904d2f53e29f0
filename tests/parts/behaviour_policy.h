/* Behaviour: the order in which classes are served, through real workers. The places of tasks are
 * compared with the rule as it is promised (docs/policies.md), not as it is written. */

#if WITH_CLASSES
/* A task of a class, that takes some virtual time. */
struct ranked {
    struct call call;
    uint64_t ns;
    unsigned class_;
    uint32_t n_runs;
    size_t place;
};

static int ranked_run(void *argument)
{
    struct ranked *ranked = argument;
    ranked->place = seen_place();
    ranked->n_runs++;
    if (ranked->ns > 0)
        tp_add_sc(&virtual_now_ns, ranked->ns);
    return 0;
}

static struct ranked *ranked_new(size_t n)
{
    struct ranked *tasks = calloc(n, sizeof *tasks);
    assert_non_null(tasks);
    tp_store_sc(&seen_next, 0);
    for (size_t i = 0; i < n; i++)
        tasks[i].call = (struct call){ranked_run, &tasks[i]};
    return tasks;
}

/* Hands all of them in, in one go. */
static void ranked_submit(struct job_pool *pool, struct ranked *tasks, size_t n)
{
    uintptr_t *payloads = calloc(n, sizeof *payloads);
    enum job_class *classes = calloc(n, sizeof *classes);
    assert_non_null(payloads);
    assert_non_null(classes);
    for (size_t i = 0; i < n; i++) {
        payloads[i] = as_payload(&tasks[i].call);
        classes[i] = (enum job_class)tasks[i].class_;
    }
    size_t n_accepted = 0;
    assert_int_equal(job_submit_batch_class(pool, classes, payloads, n, &n_accepted), 0);
    assert_int_equal(n_accepted, n);
    free(payloads);
    free(classes);
}

static uint32_t dice(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static void test_class_out_of_range(void **state)
{
    (void)state;
    struct call nothing = {nothing_run, NULL};
    struct job_pool *pool = pool_open(1, 8);
    const enum job_class classes[] = {JOB_CLASS_HIGH, JOB_CLASSES};
    const uintptr_t payloads[] = {as_payload(&nothing), as_payload(&nothing)};
    size_t n = 77;
    assert_int_equal(job_submit_class(pool, JOB_CLASSES, payloads[0]), TP_EINVAL);
    assert_int_equal(job_submit_batch_class(pool, classes, payloads, 2, &n), TP_EINVAL);
    assert_int_equal(n, 0);
    assert_int_equal(job_submit_batch_class(pool, NULL, payloads, 2, &n), 0);
    assert_int_equal(n, 2);
    job_pool_free(pool);
}
#endif

#if WITH_PRIORITY || WITH_ADAPTIVE
/* Which level is next: of those passed over so often that they are due, the one passed over most; else
 * the highest. left: tasks of each level. */
static unsigned level_expected(const size_t *left, unsigned *passed)
{
    const unsigned due = VALUE_AGE > JOB_CLASSES - 2 ? VALUE_AGE - (JOB_CLASSES - 2) : 1;
    unsigned next = JOB_CLASSES;
    for (unsigned c = 0; c < JOB_CLASSES; c++)
        if (left[c] > 0 && passed[c] >= due && (next == JOB_CLASSES || passed[c] > passed[next]))
            next = c;
    for (unsigned c = 0; c < JOB_CLASSES && next == JOB_CLASSES; c++)
        if (left[c] > 0)
            next = c;
    for (unsigned c = 0; c < JOB_CLASSES; c++)
        passed[c] = c != next && left[c] > 0 ? passed[c] + 1 : 0;
    return next;
}

/* One worker, tasks of all levels waiting: the order is exact, and no level waits longer than promised. */
static void test_order_of_levels(void **state)
{
    (void)state;
    enum { TASKS = 600 };
    const size_t longest = VALUE_AGE > JOB_CLASSES - 1 ? VALUE_AGE : JOB_CLASSES - 1;
    uint32_t seed = 1;
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct job_pool *pool = pool_open(1, TASKS + 1);
    struct ranked *tasks = ranked_new(TASKS), *at[TASKS];
    size_t left[JOB_CLASSES] = {0};
    for (size_t i = 0; i < TASKS; i++)
        left[tasks[i].class_ = dice(&seed) % JOB_CLASSES]++;
    pool_hold(pool, 1, &gate, &hold);
    ranked_submit(pool, tasks, TASKS);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    for (size_t i = 0; i < TASKS; i++) {
        assert_int_equal(tasks[i].n_runs, 1);
        at[tasks[i].place] = &tasks[i];
    }
    unsigned passed[JOB_CLASSES] = {0};
    struct ranked *last[JOB_CLASSES] = {NULL};
    for (size_t i = 0; i < TASKS; i++) {
        unsigned class_ = at[i]->class_;
        assert_int_equal(class_, level_expected(left, passed));
        assert_true(last[class_] < at[i]); /* the oldest of its level */
        assert_true(i - (last[class_] ? last[class_]->place + 1 : 0) <= longest);
        last[class_] = at[i];
        left[class_]--;
    }
    job_pool_free(pool);
    free(tasks);
}
#endif

#if WITH_FAIR || WITH_ADAPTIVE
/* Waits until the workers sleep; then all run time has been charged and all slices have ended. */
static void shares_settle(struct job_pool *pool, uint32_t workers, struct tp_share *shares)
{
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    await_parked(pool, workers);
    job_pool_shares(pool, shares);
}
#endif

#if WITH_FAIR || (WITH_ADAPTIVE && !WITH_STEALING)
/* The shares of run time when 10 000 tasks have run, tasks of each class still waiting; many slices
 * long, so that the last one does not show. */
struct stop {
    struct job_pool *pool;
    struct ranked *tasks;
    struct tp_share shares[JOB_CLASSES];
};
enum { STOP_AT = 10000 };
static struct stop stop;

static int stopping_run(void *argument)
{
    if (tp_load_sc(&seen_next) == STOP_AT)
        job_pool_shares(stop.pool, stop.shares);
    return ranked_run(argument);
}

static void check_shares(const uint64_t *class_ns)
{
    static const uint32_t weights[JOB_CLASSES] = {VALUE_WEIGHTS};
    enum { TASKS = JOB_CLASSES * STOP_AT };
    struct gate gate = GATE_CLOSED;
    struct call hold;
    tp_store_sc(&virtual_now_ns, TP_SECOND);
    stop.pool = pool_open(1, TASKS + 1);
    stop.tasks = ranked_new(TASKS);
#if WITH_ADAPTIVE
    pool_set_mode(stop.pool, TP_POLICY_FAIR);
#endif
    for (size_t i = 0; i < TASKS; i++) {
        stop.tasks[i].class_ = (unsigned)(i % JOB_CLASSES);
        stop.tasks[i].ns = class_ns[i % JOB_CLASSES];
        stop.tasks[i].call.run = stopping_run;
    }
    pool_hold(stop.pool, 1, &gate, &hold);
    ranked_submit(stop.pool, stop.tasks, TASKS);
    gate_open(&gate);
    struct tp_share after[JOB_CLASSES];
    shares_settle(stop.pool, 1, after);
    uint64_t ns = 0, weight = 0;
    for (unsigned c = 0; c < JOB_CLASSES; c++) {
        assert_int_equal(stop.shares[c].weight, weights[c]);
        assert_true(stop.shares[c].pending > 0);
        assert_int_equal(after[c].n_tasks, STOP_AT + (c == VALUE_CLASS_DEFAULT)); /* and the one that held */
        assert_true(after[c].task_ns >= STOP_AT * class_ns[c]);
        ns += stop.shares[c].task_ns;
        weight += weights[c];
    }
    for (unsigned c = 0; c < JOB_CLASSES; c++) {
        uint64_t due = ns * weights[c] / weight;
        assert_true(stop.shares[c].task_ns >= due - due / 20);
        assert_true(stop.shares[c].task_ns <= due + due / 20);
    }
    job_pool_free(stop.pool);
    free(stop.tasks);
    tp_store_sc(&virtual_now_ns, 0);
}

static void test_shares(void **state)
{
    (void)state;
    check_shares((const uint64_t[]){10000, 10000, 10000});
    check_shares((const uint64_t[]){20000, 150000, 60000});
    check_shares((const uint64_t[]){200000, 20000, 50000});
}
#endif

#if WITH_FAIR
/* The slices that can be read back are what the shares are made of. */
static void test_history(void **state)
{
    (void)state;
    enum { TASKS = 300 };
    struct tp_share shares[JOB_CLASSES];
    struct tp_slice slices[JOB_HISTORY + 1];
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, TASKS);
        struct ranked *tasks = ranked_new(TASKS);
        uint32_t seed = 7;
        assert_int_equal(job_pool_history(pool, slices, JOB_HISTORY), 0);
        for (size_t i = 0; i < TASKS; i++)
            tasks[i].class_ = dice(&seed) % JOB_CLASSES;
        ranked_submit(pool, tasks, TASKS);
        shares_settle(pool, (uint32_t)workers, shares);
        size_t n = job_pool_history(pool, slices, JOB_HISTORY + 1);
        assert_true(n > 0 && n < JOB_HISTORY); /* so they are all there */
        for (size_t i = 0; i < n; i++) {
            assert_true(shares[slices[i].class_index].n_tasks >= slices[i].n_tasks);
            shares[slices[i].class_index].n_tasks -= slices[i].n_tasks;
            shares[slices[i].class_index].task_ns -= slices[i].task_ns;
        }
        for (unsigned c = 0; c < JOB_CLASSES; c++) {
            assert_int_equal(shares[c].n_tasks, 0);
            assert_int_equal(shares[c].task_ns, 0);
            assert_int_equal(shares[c].pending, 0);
        }
        struct tp_slice last;
        assert_int_equal(job_pool_history(pool, &last, 1), 1);
        assert_int_equal(last.n_tasks, slices[n - 1].n_tasks);
        job_pool_free(pool);
        free(tasks);
    }
}
#endif

#if WITH_ADAPTIVE && WITH_STEALING
/* The window is over when a worker takes several tasks at once: in whatever way they are chosen from then on,
 * when all have ended, no class runs one or has paid for one in advance. */
static void test_window_ends_in_a_batch(void **state)
{
    (void)state;
    enum { TASKS = 16 };
    struct job_pool *pool = pool_open(1, TASKS);
    struct ranked *tasks = ranked_new(TASKS);
    await_parked(pool, 1);
    pool_set_mode(pool, TP_POLICY_PRIORITY);
    tp_spin_lock(&pool->room_lock);
    job_adapt_set(&pool->board, TP_POLICY_FIFO); /* for a try */
    pool->board.adapt.window_ns = 1;             /* since ever */
    tp_spin_unlock(&pool->room_lock);
    ranked_submit(pool, tasks, TASKS);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    await_parked(pool, 1);
    tp_spin_lock(&pool->room_lock);
    for (unsigned c = 0; c < JOB_CLASSES; c++) {
        assert_int_equal(pool->board.accounts[c].n_running, 0);
        assert_int_equal(pool->board.accounts[c].prepaid, 0);
    }
    tp_spin_unlock(&pool->room_lock);
    job_pool_free(pool);
    free(tasks);
}
#endif

#if WITH_ADAPTIVE
/* Each task once, in whatever way they are chosen, and while that changes. */
static void test_modes(void **state)
{
    (void)state;
    enum { TASKS = 6000,
        PART = 500 };
    const enum tp_policy modes[] = {TP_POLICY_PRIORITY, TP_POLICY_FAIR, WITH_STEALING ? TP_POLICY_FIFO : TP_POLICY_PRIORITY};
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, TASKS);
        struct ranked *tasks = ranked_new(TASKS);
        uint32_t seed = 3;
        for (size_t i = 0; i < TASKS; i++)
            tasks[i].class_ = dice(&seed) % JOB_CLASSES;
        for (size_t i = 0; i < TASKS; i += PART) {
            if (i / PART % 5 == 4)
                assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
            pool_set_mode(pool, modes[i / PART % 3]);
            ranked_submit(pool, tasks + i, PART);
        }
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        for (size_t i = 0; i < TASKS; i++)
            assert_int_equal(tasks[i].n_runs, 1);
        job_pool_free(pool);
        free(tasks);
    }
}

/* Levels starve a class for some windows in a row: the pool decides for shares, and says so. A level
 * runs after being passed over VALUE_AGE times; if that is its share already, nobody starves. */
static void test_decisions(void **state)
{
    (void)state;
    static const uint32_t weights[JOB_CLASSES] = {VALUE_WEIGHTS};
    const bool starves = 2 * (weights[JOB_CLASS_HIGH] + weights[JOB_CLASS_LOW]) < weights[JOB_CLASS_LOW] * (VALUE_AGE + 1);
    enum { HIGH = 12000,
        LOW = 1000,
        TASKS = HIGH + LOW };
    struct tp_decision decisions[JOB_DECISIONS + 1];
    struct gate gate = GATE_CLOSED;
    struct call hold;
    tp_store_sc(&virtual_now_ns, TP_SECOND);
    struct job_pool *pool = pool_open(1, TASKS + 1);
    struct ranked *tasks = ranked_new(TASKS);
    assert_int_equal(job_pool_decisions(pool, decisions, JOB_DECISIONS), 0);
    for (size_t i = 0; i < TASKS; i++) {
        tasks[i].class_ = i < HIGH ? JOB_CLASS_HIGH : JOB_CLASS_LOW;
        tasks[i].ns = 11 * TP_MICROSECOND;
    }
    pool_hold(pool, 1, &gate, &hold);
    ranked_submit(pool, tasks, TASKS);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    size_t n = job_pool_decisions(pool, decisions, JOB_DECISIONS + 1);
    assert_true(n <= JOB_DECISIONS);
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(decisions[i].kind, TP_DECISION_POLICY);
        assert_true(decisions[i].time_ns >= TP_SECOND && decisions[i].time_ns <= tp_load_sc(&virtual_now_ns));
        assert_true(i == 0 || decisions[i].time_ns >= decisions[i - 1].time_ns);
        assert_non_null(decisions[i].why);
        if (decisions[i].from == TP_POLICY_PRIORITY && decisions[i].to == TP_POLICY_FAIR) {
            found = true;
            assert_true(decisions[i].before * 2 < decisions[i].after); /* had, was due */
        }
    }
    assert_int_equal(found, starves);
    struct tp_decision last;
    assert_int_equal(job_pool_decisions(pool, &last, 1), n > 0 ? 1 : 0);
    if (n > 0)
        assert_int_equal(last.time_ns, decisions[n - 1].time_ns);
    assert_int_equal(job_pool_decisions(pool, NULL, 0), 0);
    job_pool_free(pool);
    free(tasks);
    tp_store_sc(&virtual_now_ns, 0);
}
#endif

#if WITH_BOARD
/* The caller helps: all workers are held, and their pool's tasks run all the same, in order. */
static void test_help_in_order(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, ORDERED + workers);
        struct gate gate = GATE_CLOSED;
        struct call hold;
        static struct ordered tasks[ORDERED];
        assert_int_equal(job_process_pending(pool, 10), 0);
        pool_hold(pool, (uint32_t)workers, &gate, &hold);
        assert_int_equal(job_process_pending(pool, 10), 0);
        order_next = 0;
        for (size_t i = 0; i < ORDERED; i++) {
            tasks[i].call = (struct call){ordered_run, &tasks[i]};
            submit(pool, &tasks[i].call);
        }
        assert_int_equal(job_process_pending(pool, 0), 0);
        assert_int_equal(order_next, 0);
        assert_int_equal(job_process_pending(pool, 3), 3);
        assert_int_equal(order_next, 3);
        assert_int_equal(job_process_pending(pool, ORDERED), ORDERED - 3);
        assert_int_equal(order_next, ORDERED);
        check_order(tasks);
        struct tp_pool_counts counts;
        job_pool_counts(pool, &counts);
        assert_int_equal(counts.pending, 0);
        assert_int_equal(counts.running, workers);
#if WITH_STATS
        struct tp_pool_stats stats;
        job_pool_stats(pool, &stats);
        assert_int_equal(stats.completed, ORDERED);
        assert_int_equal(stats.cancelled, 0);
        assert_int_equal(stats.submitted, ORDERED + workers);
#endif
        gate_open(&gate);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        job_pool_free(pool);
    }
}

/* A task that is helped is a task of the pool, and may submit, and be helped in turn. */
struct helped {
    struct job_pool *pool;
    struct call child;
    int join_status, close_status, submit_status;
    size_t n_helped;
    bool has_run;
};

static int helped_child(void *argument)
{
    ((struct helped *)argument)->has_run = true;
    return 0;
}

static int helped_run(void *argument)
{
    struct helped *helped = argument;
    helped->join_status = job_join_all(helped->pool, TP_FOREVER);
    helped->close_status = job_pool_close(helped->pool, TP_FOREVER);
    helped->child = (struct call){helped_child, helped};
    helped->submit_status = job_submit(helped->pool, as_payload(&helped->child));
    helped->n_helped = job_process_pending(helped->pool, 5);
    return 0;
}

static void test_help_inside(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct helped helped = {.pool = pool_open(2, 8)};
    struct call call = {helped_run, &helped};
    pool_hold(helped.pool, 2, &gate, &hold);
    submit(helped.pool, &call);
    assert_int_equal(job_process_pending(helped.pool, 1), 1);
    assert_int_equal(helped.join_status, TP_EDEADLK);
    assert_int_equal(helped.close_status, TP_EDEADLK);
    assert_int_equal(helped.submit_status, 0);
    assert_int_equal(helped.n_helped, 1);
    assert_true(helped.has_run);
    gate_open(&gate);
    job_pool_free(helped.pool);
}
#endif

#if WITH_ADAPTIVE && WITH_STEALING
/* Also what lies in the queue of a worker that is held. */
static void test_help_from_queues(void **state)
{
    (void)state;
    enum { TASKS = 40 };
    struct job_pool *pool = pool_open(1, TASKS + 2);
    struct gate first = GATE_CLOSED, second = GATE_CLOSED;
    struct call hold, other_hold = {gate_pass, &second};
    struct ranked *tasks = ranked_new(TASKS);
    pool_hold(pool, 1, &first, &hold);
    pool_set_mode(pool, TP_POLICY_FIFO);
    assert_int_equal(job_submit_class(pool, JOB_CLASS_HIGH, as_payload(&other_hold)), 0);
    ranked_submit(pool, tasks, TASKS);
    gate_open(&first);
    gate_await(&second, 1); /* the worker took some with it */
    struct tp_pool_counts counts;
    job_pool_counts(pool, &counts);
    assert_int_equal(counts.pending, TASKS);
    assert_int_equal(job_process_pending(pool, TASKS + 1), TASKS);
    for (size_t i = 0; i < TASKS; i++)
        assert_int_equal(tasks[i].n_runs, 1);
    ranked_submit(pool, tasks, 1);
    gate_open(&second);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    job_pool_free(pool);
    free(tasks);
}
#endif

#if WITH_NEWEST
/* A parent's newest child runs first, the older ones in their order. */
static void test_newest_first(void **state)
{
    (void)state;
    static struct parent parent;
    parent.pool = pool_open(1, CHILDREN + 1);
    struct call call = {parent_run, &parent};
    order_next = 0;
    submit(parent.pool, &call);
    assert_int_equal(job_join_all(parent.pool, TP_FOREVER), 0);
    assert_int_equal(order_next, CHILDREN);
    for (size_t i = 0; i < CHILDREN; i++)
        assert_int_equal(parent.children[i].place, i == CHILDREN - 1 ? 0 : i + 1);
    job_pool_free(parent.pool);
}

/* A task that goes on in its child, again and again, lets an older one in after so many. */
struct lineage {
    struct job_pool *pool;
    struct call call;
    struct ordered older;
    unsigned left;
};

static int lineage_run(void *argument)
{
    struct lineage *lineage = argument;
    if (order_next == 0) {
        lineage->older.call = (struct call){ordered_run, &lineage->older};
        submit(lineage->pool, &lineage->older.call);
    }
    order_next++;
    if (lineage->left-- > 1)
        submit(lineage->pool, &lineage->call);
    return 0;
}

static void test_newest_in_a_row(void **state)
{
    (void)state;
    struct lineage lineage = {.pool = pool_open(1, 8), .left = 1 + 4 * JOB_NEWEST};
    lineage.call = (struct call){lineage_run, &lineage};
    order_next = 0;
    submit(lineage.pool, &lineage.call);
    assert_int_equal(job_join_all(lineage.pool, TP_FOREVER), 0);
    assert_int_equal(order_next, 2 + 4 * JOB_NEWEST);
    assert_int_equal(lineage.older.place, 1 + JOB_NEWEST);
    job_pool_free(lineage.pool);
}
#endif
