
/* -- 11 Open, join, close -----------------------------------------------------------------------
 * Open -> closing -> draining, one way, by whoever calls first [LIFE-1]. Two steps, because a
 * submitter may have seen the pool open and be about to put a task down: closing refuses, then
 * every lane's lock is passed once; after that all that was accepted is visible, and a worker that
 * finds nothing may leave [LIFE-2] (docs/shutdown.md). */

static uint32_t job_workers_wanted(const struct job_pool_settings *settings)
{
    if (settings && settings->workers > 0)
        return settings->workers;
#if WITH_CORES
    uint32_t n = tp_cpu_count() * VALUE_WORKERS / VALUE_WORKERS_DIVISOR;
    return n < 1 ? 1 : (n < JOB_WORKERS_MAX ? n : JOB_WORKERS_MAX);
#else
    return VALUE_WORKERS;
#endif
}

static void job_worker_init(struct job_pool *pool, uint32_t index)
{
    struct job_worker *worker = &pool->workers[index];
    memset(worker, 0, offsetof(struct job_worker, queue)); /* the slots stay untouched pages */
    worker->base.pool = pool;
    worker->base.index = index;
    tp_crew_add(&pool->crew, &worker->base, VALUE_NAME, job_worker_main);
    worker->pool = pool;
    worker->lane = &pool->lanes[index & (pool->n_lanes - 1)];
#if WITH_STEALING
    worker->random = index * 2654435769u + 1; /* never 0; neighbours begin far apart (Knuth 6.4) */
#endif
    job_queue_init(&worker->queue);
}

static int job_lanes_init(struct job_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_lanes; i++) {
        int status = job_lane_init(&pool->lanes[i]);
        if (status != 0) {
            while (i > 0)
                job_lane_free(&pool->lanes[--i]);
            return status;
        }
    }
    return 0;
}

/* Lets the workers leave when they find nothing more. */
static void job_drain(struct job_pool *pool)
{
    tp_store_sc(&pool->life, JOB_DRAINING); /* before the wake-up that sends workers to look at it */
    tp_idle_wake_all(&pool->idle);
}

int job_pool_open(struct job_pool **out, const struct job_pool_settings *settings)
{
    uint32_t n_workers = job_workers_wanted(settings);
    if (n_workers > JOB_WORKERS_MAX)
        return TP_EINVAL;
    int status = TP_ENOMEM;
    struct job_pool *pool = aligned_alloc(alignof(struct job_pool), sizeof *pool);
    if (!pool)
        return status;
    memset(pool, 0, sizeof *pool);
    pool->n_workers = n_workers;
    for (pool->n_lanes = JOB_LANES_MIN; pool->n_lanes < n_workers && pool->n_lanes < JOB_LANES_MAX;)
        pool->n_lanes *= 2;
    tp_atomic_init(&pool->life, JOB_OPEN);
    tp_waitlist_init(&pool->quiet);
#if WITH_BOUNDED
    pool->capacity = settings && settings->capacity > 0 ? settings->capacity : VALUE_CAPACITY;
    tp_spin_init(&pool->room_lock);
#endif
#if WITH_BOUNDED && WITH_BLOCK
    tp_waitlist_init(&pool->room);
#endif
    pool->lanes = aligned_alloc(alignof(struct job_lane), pool->n_lanes * sizeof *pool->lanes);
    if (!pool->lanes)
        goto fail_pool;
    status = job_lanes_init(pool);
    if (status != 0)
        goto fail_lanes_memory;
    status = TP_ENOMEM;
    pool->workers = aligned_alloc(alignof(struct job_worker), n_workers * sizeof *pool->workers);
    if (!pool->workers)
        goto fail_lanes;
    pool->sleepers = malloc(n_workers * sizeof(struct tp_worker *));
    if (!pool->sleepers)
        goto fail_workers_memory;
    tp_idle_init(&pool->idle, pool->sleepers, n_workers);
    for (uint32_t i = 0; i < n_workers; i++)
        job_worker_init(pool, i);

    tp_crew_init(&pool->crew);
    uint32_t n_started = 0;
    do
        status = tp_idle_grow(&pool->idle, &pool->workers[n_started].base);
    while (status == 0 && ++n_started < n_workers);
    if (status != 0)
        goto fail_workers;
    *out = pool;
    return 0;

fail_workers:
    job_drain(pool);
    tp_crew_wait(&pool->crew, TP_FOREVER);
    while (n_started > 0)
        tp_crew_reap(&pool->workers[--n_started].base);
    tp_crew_free(&pool->crew);
    free(pool->sleepers);
fail_workers_memory:
    free(pool->workers);
fail_lanes:
    for (uint32_t i = 0; i < pool->n_lanes; i++)
        job_lane_free(&pool->lanes[i]);
fail_lanes_memory:
    free(pool->lanes);
fail_pool:
    free(pool);
    return status;
}

int job_join_all(struct job_pool *pool, uint64_t deadline_ns)
{
    if (job_self(pool))
        return TP_EDEADLK;
    struct tp_waiter waiter;
    int status = 0;
    while (status == 0 && !job_is_quiet(pool)) {
        /* Prepare, look again, sleep [PARK-1]: a worker out of tasks looks for joiners. */
        tp_waitlist_prepare(&pool->quiet, &waiter);
        if (job_is_quiet(pool))
            tp_waitlist_cancel(&pool->quiet, &waiter);
        else
            status = tp_waitlist_wait(&pool->quiet, &waiter, deadline_ns);
    }
    return status;
}

int job_pool_close(struct job_pool *pool, uint64_t deadline_ns)
{
    if (job_self(pool))
        return TP_EDEADLK;
    uint32_t life = JOB_OPEN;
    /* Losing means that another thread closes: wait with it. */
    if (tp_cas_sc(&pool->life, &life, JOB_CLOSING)) {
        for (uint32_t i = 0; i < pool->n_lanes; i++) { /* [LIFE-2] the last submitters are through */
            tp_spin_lock(&pool->lanes[i].lock);
            tp_spin_unlock(&pool->lanes[i].lock);
        }
#if WITH_BOUNDED && WITH_BLOCK
        tp_waitlist_notify(&pool->room, UINT32_MAX); /* waiting submitters learn of the close */
#endif
        job_drain(pool);
    }
    int status = tp_crew_wait(&pool->crew, deadline_ns);
    if (status != 0)
        return status;
    for (uint32_t i = 0; i < pool->n_workers; i++)
        tp_crew_reap(&pool->workers[i].base);
    return 0;
}

void job_pool_free(struct job_pool *pool)
{
    if (!pool)
        return;
    int status = job_pool_close(pool, TP_FOREVER);
    tp_assert(status == 0); /* else a task of this pool frees it */
    (void)status;
    tp_crew_free(&pool->crew);
    for (uint32_t i = 0; i < pool->n_lanes; i++)
        job_lane_free(&pool->lanes[i]);
    free(pool->lanes);
    free(pool->sleepers);
    free(pool->workers);
    free(pool);
}
