
/* -- 12 Statistics ------------------------------------------------------------------------------
 * Sums over counters with one writer each, read in the order finished, started, accepted, so that
 * no difference is negative [COUNT-1]. */

void job_pool_stats(struct job_pool *pool, struct job_stats *out)
{
    struct job_stats sum = {.workers = pool->n_workers};
    uint64_t n_started = 0;
    sum.completed = job_sum_finished(pool);
    for (uint32_t i = 0; i < pool->n_workers; i++) {
        struct job_worker *worker = &pool->workers[i];
        uint64_t n_before = tp_load_acq(&worker->n_finished); /* pairs with job_count, as below */
        uint64_t n = tp_load_acq(&worker->n_started);
        sum.running += n != n_before; /* one task at a time, however many went by */
        n_started += n;
    }
    sum.submitted = job_sum_accepted(pool);
    sum.pending = sum.submitted - n_started;
    for (uint32_t i = 0; i < pool->n_workers; i++) {
        struct job_worker *worker = &pool->workers[i];
        /* Relaxed: single numbers, no order between them is promised. */
        sum.failed += tp_load_rlx(&worker->n_failed);
        sum.parks += tp_load_rlx(&worker->n_parks);
#if WITH_STEALING
        sum.steal_attempts += tp_load_rlx(&worker->n_steal_attempts);
        sum.steals += tp_load_rlx(&worker->n_steals);
        sum.stolen += tp_load_rlx(&worker->n_stolen);
#endif
    }
    sum.parked = tp_idle_sleeping(tp_load_rlx(&pool->idle.counts)); /* relaxed: as above */
    sum.capacity = UINT64_MAX;
#if WITH_BOUNDED
    sum.capacity = pool->capacity;
    /* Tasks that came and started between the two sums would count as pending. */
    uint64_t most = sum.capacity > sum.running ? sum.capacity - sum.running : 0;
    sum.pending = sum.pending < most ? sum.pending : most;
    for (uint32_t i = 0; i < pool->n_lanes; i++)
        sum.rejected += tp_load_rlx(&pool->lanes[i].n_rejected); /* relaxed: as above */
    for (uint32_t i = 0; i < pool->n_workers; i++)
        sum.rejected += tp_load_rlx(&pool->workers[i].n_rejected); /* relaxed: as above */
#endif
#if WITH_BOUNDED && WITH_BLOCK
    for (uint32_t i = 0; i < pool->n_workers; i++) {
        uint64_t n_nested = tp_load_rlx(&pool->workers[i].n_nested); /* relaxed: as above */
        sum.submitted += n_nested;
        sum.completed += n_nested;
    }
    sum.waiting = tp_load_rlx(&pool->room.n_waiting); /* relaxed: as above */
#endif
    *out = sum;
}
