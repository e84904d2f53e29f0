
/* -- 4 Counts -----------------------------------------------------------------------------------
 * How many tasks came and how many are done, as sums of counters with one writer each: no task
 * touches a line that two threads write. Whoever sums reads what is finished before what is
 * accepted, so the difference is never negative, and zero means that there was a moment at
 * which nothing was in flight [COUNT-1] (docs/memory-model.md). */

static uint64_t job_sum_finished(struct job_pool *pool)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < pool->n_workers; i++)
        n += tp_load_acq(&pool->workers[i].n_finished); /* pairs with the release in job_count */
    return n;
}

static uint64_t job_sum_accepted(struct job_pool *pool)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < pool->n_lanes; i++)
        n += tp_load_acq(&pool->lanes[i].n_put); /* pairs with the release in job_count */
    for (uint32_t i = 0; i < pool->n_workers; i++)
        n += tp_load_acq(&pool->workers[i].n_pushed);
    return n;
}

/* Is nothing in flight? A true answer was true at a moment during the call. */
static bool job_is_quiet(struct job_pool *pool)
{
    uint64_t n_finished = job_sum_finished(pool);
    return job_sum_accepted(pool) == n_finished;
}

/* Is there a task that a worker with an empty queue could take? */
static bool job_is_work_visible(struct job_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_lanes; i++)
        if (job_lane_length(&pool->lanes[i]) > 0)
            return true;
#if WITH_STEALING
    for (uint32_t i = 0; i < pool->n_workers; i++)
        if (job_queue_length(&pool->workers[i].queue) > 0)
            return true;
#endif
    return false;
}
