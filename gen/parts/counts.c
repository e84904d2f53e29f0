
/* -- 6 Counts -----------------------------------------------------------------------------------
 * How many tasks came and how many are over, as sums of counters with one writer each: no task
 * touches a line that two threads write. Whoever sums reads what is over before what is
 * accepted, so the difference is never negative, and zero means that there was a moment at
 * which nothing was in flight [COUNT-1] (docs/memory-model.md). */

/* Tasks that workers ran. */
static uint64_t job_sum_run(struct job_pool *pool)
{
    uint64_t n = 0;
    uint32_t n_workers = job_n_workers(pool);
    for (uint32_t i = 0; i < n_workers; i++)
        n += tp_load_acq(&pool->workers[i].n_finished); /* pairs with the release in job_count */
    return n;
}

static uint64_t job_sum_finished(struct job_pool *pool)
{
    uint64_t n_gone = tp_load_acq(&pool->n_gone); /* pairs with the addition in job_gone */
    return n_gone + job_sum_run(pool);
}

static uint64_t job_sum_accepted(struct job_pool *pool)
{
#if WITH_BOARD
    return tp_load_acq(&pool->n_accepted); /* pairs with the release in job_count */
#else
    uint64_t n = 0;
    for (uint32_t i = 0; i < pool->n_lanes; i++)
        n += tp_load_acq(&pool->lanes[i].n_put); /* pairs with the release in job_count */
    uint32_t n_workers = job_n_workers(pool);
    for (uint32_t i = 0; i < n_workers; i++)
        n += tp_load_acq(&pool->workers[i].n_pushed);
    return n;
#endif
}

/* Is nothing in flight? A true answer was true at a moment during the call. */
static bool job_is_quiet(struct job_pool *pool)
{
    uint64_t n_finished = job_sum_finished(pool);
    return job_sum_accepted(pool) == n_finished;
}

/* Tasks that wait in a worker's own queue. */
static inline uint64_t job_worker_pending(struct job_worker *worker)
{
    uint64_t n = 0;
#if WITH_RING
    n += job_queue_length(&worker->queue);
#else
    (void)worker;
#endif
#if WITH_NEWEST
    /* Sequentially consistent: one side of "publish, then look for sleepers" [IDLE-2]. */
    n += tp_load_sc(&worker->newest_state) == JOB_NEWEST_FULL;
#endif
    return n;
}

/* Tasks that wait where any worker finds them. */
static inline uint64_t job_shared_pending(struct job_pool *pool)
{
#if WITH_BOARD
    /* Sequentially consistent: one side of "publish, then look for sleepers" [IDLE-2]. */
    return tp_load_sc(&pool->n_pending);
#else
    uint64_t n = 0;
    for (uint32_t i = 0; i < pool->n_lanes; i++)
        n += job_lane_length(&pool->lanes[i]);
    return n;
#endif
}

/* Is there a task that a worker with an empty queue could take? */
static bool job_is_work_visible(struct job_pool *pool)
{
    if (job_shared_pending(pool) > 0)
        return true;
#if WITH_COROUTINE && !WITH_PINNED
    if (tp_fiber_list_length(&pool->fibers.list) > 0)
        return true;
#endif
#if WITH_FORKS
    if (tp_forks_are_offered(&pool->forks))
        return true;
#endif
#if WITH_RING && WITH_STEALING
    uint32_t n_workers = job_n_workers(pool);
    for (uint32_t i = 0; i < n_workers; i++)
        if (job_worker_pending(&pool->workers[i]) > 0)
            return true;
#endif
    return false;
}

/* Wakes whoever waits in job_join_all, if nothing is in flight. */
static void job_tell_quiet(struct job_pool *pool)
{
    tp_fence_sc(); /* [PARK-1] what the caller counted as over comes before this look at the waiters */
    /* Relaxed: ordered by the fence. */
    if (tp_load_rlx(&pool->quiet.n_waiting) > 0 && job_is_quiet(pool))
        tp_waitlist_wake(&pool->quiet, UINT32_MAX);
}

/* Counts accepted tasks as over that no worker ran, and tells who waits for that. */
static void job_gone(struct job_pool *pool, uint64_t n)
{
    /* Release half: pairs with the acquire in job_sum_finished. Several threads add, in one order. */
    tp_add_sc(&pool->n_gone, n);
#if WITH_BOUNDED && WITH_BLOCK
    job_tell_room(pool, n > 1 ? UINT32_MAX : 1);
#endif
    job_tell_quiet(pool);
}
