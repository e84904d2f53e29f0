
/* -- 26 The pool behind a table of functions ------------------------------------------------- */

static int job_ops_open(void **out, const struct tp_pool_settings *settings)
{
    struct job_pool *pool;
    int status = job_pool_open(&pool, settings);
    if (status == 0)
        *out = pool;
    return status;
}

static int job_ops_submit(void *pool, const void *payload)
{
    return job_submit(pool, *(VALUE_PAYLOAD const *)payload);
}

#if WITH_BOUNDED
/* Submits, but a full pool refuses, whatever its policy. class_: UINT_MAX for tasks that name none. */
static int job_ops_offer(void *pool, unsigned class_, const void *payloads, size_t n, uint64_t *ids, size_t *n_accepted)
{
    struct job_load load;
    int status = 0;
    job_load_init(&load, pool, payloads, n);
    load.is_offer = true;
#endif
#if WITH_BOUNDED && WITH_CLASSES
    load.class_ = class_ == UINT_MAX ? VALUE_CLASS_DEFAULT : (enum job_class)class_;
    status = (unsigned)load.class_ < JOB_CLASSES ? 0 : TP_EINVAL;
#endif
#if WITH_BOUNDED
    (void)class_;
    if (status == 0)
        status = job_load_submit(pool, &load, ids);
    if (n_accepted)
        *n_accepted = load.i;
    return status;
}

#endif
static int job_ops_submit_batch(void *pool, const void *payloads, size_t n, size_t *n_accepted)
{
    return job_submit_batch(pool, payloads, n, n_accepted);
}

#if WITH_CLASSES
static int job_ops_submit_class(void *pool, unsigned class_, const void *payload)
{
    return job_submit_class(pool, (enum job_class)class_, *(VALUE_PAYLOAD const *)payload);
}

#endif
#if WITH_TRACKING && WITH_CLASSES
static int job_ops_spawn(void *pool, unsigned class_, const void *payload, uint64_t *id)
{
    if (class_ == UINT_MAX)
        return job_spawn(pool, *(VALUE_PAYLOAD const *)payload, id);
    return job_spawn_class(pool, (enum job_class)class_, *(VALUE_PAYLOAD const *)payload, id);
}

#endif
#if WITH_TRACKING && !WITH_CLASSES
static int job_ops_spawn(void *pool, unsigned class_, const void *payload, uint64_t *id)
{
    return class_ == 0 || class_ == UINT_MAX ? job_spawn(pool, *(VALUE_PAYLOAD const *)payload, id) : TP_EINVAL;
}

#endif
#if WITH_TRACKING
static int job_ops_wait(void *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    return job_wait(pool, id, deadline_ns, result);
}

static int job_ops_detach(void *pool, uint64_t id)
{
    return job_detach(pool, id);
}

static int job_ops_cancel_task(void *pool, uint64_t id)
{
    return job_cancel_task(pool, id);
}

static struct tp_track *job_ops_track(void *pool)
{
    return &((struct job_pool *)pool)->track;
}

#endif
static int job_ops_join_all(void *pool, uint64_t deadline_ns)
{
    return job_join_all(pool, deadline_ns);
}

#if WITH_TUNE
static int job_ops_tune(void *pool, uint64_t capacity)
{
    return job_pool_tune(pool, capacity);
}

static int job_ops_tune_workers(void *pool, uint32_t workers)
{
    return job_pool_tune_workers(pool, workers);
}

#endif
static int job_ops_close(void *pool, uint64_t deadline_ns)
{
    return job_pool_close(pool, deadline_ns);
}

static int job_ops_cancel(void *pool, uint64_t deadline_ns)
{
    return job_pool_cancel(pool, deadline_ns);
}

static int job_ops_reopen(void *pool)
{
    return job_pool_reopen(pool);
}

static void job_ops_abandon(void *pool)
{
    job_pool_abandon(pool);
}

static void job_ops_free(void *pool)
{
    job_pool_free(pool);
}

static void job_ops_flow(void *pool, uint64_t *accepted, uint64_t *over)
{
    *over = job_sum_finished(pool); /* first: no more than what is accepted [COUNT-1] */
    *accepted = job_sum_accepted(pool);
}

static void job_ops_counts(void *pool, struct tp_pool_counts *out)
{
    job_pool_counts(pool, out);
}

static size_t job_ops_workers(void *pool, struct tp_worker_info *out, size_t n)
{
    return job_pool_workers(pool, out, n);
}

#if WITH_COROUTINE
static struct tp_fibers *job_ops_fibers(void *pool)
{
    return &((struct job_pool *)pool)->fibers;
}

#endif
#if WITH_STATS
static void job_ops_stats(void *pool, struct tp_pool_stats *out)
{
    job_pool_stats(pool, out);
}

#endif
static void job_ops_settings(void *pool, struct tp_pool_settings *out)
{
    job_pool_settings(pool, out);
}

const struct tp_pool_ops job_pool_ops = {
    .name = VALUE_NAME,
    .payload = VALUE_PAYLOAD_NAME,
    .payload_bytes = sizeof(VALUE_PAYLOAD),
#if WITH_CLASSES
    .n_classes = JOB_CLASSES,
    .submit_class = job_ops_submit_class,
#else
    .n_classes = 1,
#endif
    .open = job_ops_open,
    .submit = job_ops_submit,
    .submit_batch = job_ops_submit_batch,
#if WITH_TRACKING
    .spawn = job_ops_spawn,
    .wait = job_ops_wait,
    .detach = job_ops_detach,
    .cancel_task = job_ops_cancel_task,
    .track = job_ops_track,
#endif
    .join_all = job_ops_join_all,
#if WITH_TUNE
    .tune = job_ops_tune,
    .tune_workers = job_ops_tune_workers,
#endif
    .close = job_ops_close,
    .cancel = job_ops_cancel,
    .reopen = job_ops_reopen,
    .abandon = job_ops_abandon,
    .free = job_ops_free,
    .counts = job_ops_counts,
#if WITH_STATS
    .stats = job_ops_stats,
#endif
    .settings = job_ops_settings,
#if WITH_BOUNDED
    .offer = job_ops_offer,
#endif
    .flow = job_ops_flow,
    .workers = job_ops_workers,
#if WITH_COROUTINE
    .fibers = job_ops_fibers,
#endif
};
