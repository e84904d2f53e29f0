/* Behaviour: a task that panics ends alone, wherever it runs. */

/* What the handler was told, last. */
struct told {
    pthread_mutex_t lock;
    unsigned n;
    uint64_t id;
    unsigned worker;
    char pool[32], message[200];
    int n_frames;
};

static void tell_panic(const struct tp_panic_report *panic, void *context)
{
    struct told *told = context;
    pthread_mutex_lock(&told->lock);
    told->n++;
    told->id = panic->id;
    told->worker = panic->worker;
    told->n_frames = panic->n_frames;
    snprintf(told->pool, sizeof told->pool, "%s", panic->pool);
    snprintf(told->message, sizeof told->message, "%s", panic->message);
    pthread_mutex_unlock(&told->lock);
}

static struct job_pool *pool_open_told(struct told *told, uint32_t workers, uint64_t capacity)
{
    *told = (struct told){.lock = PTHREAD_MUTEX_INITIALIZER};
    return pool_open_as((struct tp_pool_settings){.on_panic = tell_panic, .context = told}, workers, capacity);
}

/* A task that goes down some frames, each with a defer, and panics there. */
struct diver {
    struct call call;
    int depth;
    int n_deferred, last;
    bool is_in_order;
    uint64_t id;
};

struct dive {
    struct diver *diver;
    int level;
};

static void dive_undone(void *argument)
{
    struct dive *dive = argument;
    struct diver *diver = dive->diver;
    diver->is_in_order = diver->is_in_order && dive->level == diver->last - 1;
    diver->last = dive->level;
    diver->n_deferred++;
}

static void dive_down(struct diver *diver, int level)
{
    struct dive dive = {diver, level};
    if (level > diver->depth)
        return;
    TP_DEFER(dive_undone, &dive);
    if (level == diver->depth)
        tp_panic("at %d", level);
    dive_down(diver, level + 1);
    diver->is_in_order = false; /* not reached: nothing after the panic is done */
}

static int diver_run(void *argument)
{
    struct diver *diver = argument;
    diver->id = tp_task_id();
    diver->last = diver->depth + 1;
    diver->is_in_order = true;
    dive_down(diver, 1);
    return 0;
}

static void diver_check(const struct diver *diver)
{
    assert_true(diver->is_in_order);
    assert_int_equal(diver->n_deferred, diver->depth);
    assert_int_equal(diver->last, 1);
}

static void check_panics(struct job_pool *pool, uint64_t n)
{
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.panicked, n);
    assert_int_equal(stats.failed, n);
#else
    (void)pool;
    (void)n;
#endif
}

/* From thirty frames deep, amid other tasks, which all run. */
static void test_panic_from_deep(void **state)
{
    (void)state;
    enum { TASKS = 200 };
    EACH_WORKER_COUNT(workers)
    {
        struct told told;
        struct job_pool *pool = pool_open_told(&told, (uint32_t)workers, TASKS + 1);
        struct entry *entries = ledger_new(TASKS);
        struct diver diver = {.call = {diver_run, &diver}, .depth = 30};
        uintptr_t payloads[TASKS + 1];
        for (size_t i = 0; i < TASKS; i++)
            payloads[i < TASKS / 2 ? i : i + 1] = as_payload(&entries[i].call);
        payloads[TASKS / 2] = as_payload(&diver.call);
        assert_int_equal(job_submit_batch(pool, payloads, TASKS + 1, NULL), 0);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        ledger_check(entries, TASKS);
        diver_check(&diver);
        assert_int_equal(told.n, 1);
        assert_string_equal(told.pool, VALUE_NAME);
        assert_string_equal(told.message, "at 30");
        assert_true(told.worker < workers);
        assert_true(told.n_frames > 0);
        assert_true(told.id == diver.id && (told.id != 0) == WITH_TRACKING);
        check_panics(pool, 1);
        job_pool_free(pool);
        free(entries);
    }
}

/* A worker survives any number. */
static void test_many_panics(void **state)
{
    (void)state;
    enum { TASKS = OFTEN(10000) };
    struct told told;
    struct job_pool *pool = pool_open_told(&told, 1, TASKS);
    struct diver diver = {.call = {diver_run, &diver}, .depth = 2};
    for (size_t i = 0; i < TASKS; i++)
        submit(pool, &diver.call);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(told.n, TASKS);
    assert_int_equal(diver.n_deferred, 2 * TASKS);
    check_panics(pool, TASKS);
    job_pool_free(pool);
}

/* Without a handler a panic is reported on stderr, once. */
static void test_panic_log(void **state)
{
    (void)state;
    FILE *log = tmpfile();
    assert_non_null(log);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0 && dup2(fileno(log), STDERR_FILENO) >= 0);
    struct job_pool *pool = pool_open(2, 8);
    struct diver diver = {.call = {diver_run, &diver}, .depth = 3};
    submit(pool, &diver.call);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    job_pool_free(pool);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    char text[4096];
    rewind(log);
    text[fread(text, 1, sizeof text - 1, log)] = 0;
    fclose(log);
    char *first = strstr(text, "at 3");
    assert_non_null(first);
    assert_null(strstr(first + 1, "at 3"));
    assert_non_null(strstr(text, VALUE_NAME));
}

#if (WITH_BOUNDED && WITH_CALLER_RUNS) || (WITH_BOUNDED && WITH_BLOCK)
/* A task that a full pool has its submitter run, inside of another task, which goes on. */
struct nest {
    struct job_pool *pool;
    struct call call;
    struct diver diver;
    int status;
    bool went_on;
};

static int nest_run(void *argument)
{
    struct nest *nest = argument;
    nest->status = job_submit(nest->pool, as_payload(&nest->diver.call));
    nest->went_on = true;
    return 0;
}

static void test_panic_nested(void **state)
{
    (void)state;
    struct told told;
    struct nest nest = {.pool = pool_open_told(&told, 1, 1), .diver = {.depth = 5}};
    nest.call = (struct call){nest_run, &nest};
    nest.diver.call = (struct call){diver_run, &nest.diver};
    submit(nest.pool, &nest.call);
    assert_int_equal(job_join_all(nest.pool, TP_FOREVER), 0);
    assert_int_equal(nest.status, 0);
    assert_true(nest.went_on);
    diver_check(&nest.diver);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.worker, 0);
    check_panics(nest.pool, 1);
    job_pool_free(nest.pool);
}
#endif

#if WITH_BOUNDED && WITH_CALLER_RUNS
static void test_panic_in_caller(void **state)
{
    (void)state;
    struct told told;
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct job_pool *pool = pool_open_told(&told, 1, 1);
    struct diver diver = {.call = {diver_run, &diver}, .depth = 30};
    pool_hold(pool, 1, &gate, &hold);
    assert_int_equal(job_submit(pool, as_payload(&diver.call)), 0);
    diver_check(&diver);
    assert_int_equal(told.n, 1);
    assert_true(told.worker == UINT_MAX);
    assert_true(told.id == diver.id && (told.id != 0) == WITH_TRACKING);
    check_panics(pool, 1);
    gate_open(&gate);
    job_pool_free(pool);
}
#endif

#if WITH_BOARD
static void test_panic_in_help(void **state)
{
    (void)state;
    struct told told;
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct job_pool *pool = pool_open_told(&told, 1, 3);
    struct diver diver = {.call = {diver_run, &diver}, .depth = 30};
    struct entry entry = {{entry_run, &entry}, 0};
    pool_hold(pool, 1, &gate, &hold);
    submit(pool, &diver.call);
    submit(pool, &entry.call);
    assert_int_equal(job_process_pending(pool, 2), 2);
    diver_check(&diver);
    assert_int_equal(tp_load_rlx(&entry.n_runs), 1); /* relaxed: our own */
    assert_int_equal(told.n, 1);
    check_panics(pool, 1);
    gate_open(&gate);
    job_pool_free(pool);
}
#endif
