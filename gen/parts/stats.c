
/* -- 23 Statistics ------------------------------------------------------------------------------
 * Sums over counters with one writer each; what cannot be read in one moment is made to fit: the
 * identity of struct tp_pool_stats holds in every snapshot. */

/* Adds one worker's counters. Relaxed: single numbers, no order between them is promised. */
static void job_stats_add(struct job_worker *worker, struct tp_pool_stats *sum)
{
    sum->failed += tp_load_rlx(&worker->n_failed);       /* relaxed: as above */
    sum->panicked += tp_load_rlx(&worker->n_panicked);   /* relaxed: as above */
    sum->timed_out += tp_load_rlx(&worker->n_timed_out); /* relaxed: as above */
    sum->parks += tp_load_rlx(&worker->n_parks);         /* relaxed: as above */
    sum->task_ns += tp_load_rlx(&worker->task_ns);       /* relaxed: as above */
#if WITH_RING && WITH_STEALING
    sum->steal_attempts += tp_load_rlx(&worker->n_steal_attempts); /* relaxed: as above */
    sum->steals += tp_load_rlx(&worker->n_steals);                 /* relaxed: as above */
    sum->stolen += tp_load_rlx(&worker->n_stolen);                 /* relaxed: as above */
#endif
    tp_histogram_read(&worker->latency, &sum->latency);
}

void job_pool_stats(struct job_pool *pool, struct tp_pool_stats *out)
{
    struct tp_pool_stats sum;
    memset(&sum, 0, sizeof sum);
    *out = sum;
    if (job_is_forked(pool))
        return;
    /* Before the look, which then finds no less: pairs with the releases in job_stats_reset. */
    uint64_t gone_before = tp_load_acq(&pool->gone_before), run_before = tp_load_acq(&pool->run_before);
    struct job_look look = job_look(pool);
    job_counts_fill(pool, &look, &sum.now);
    /* Relaxed: what is gone was counted by its kind before, so no kind is missing; it may be ahead. */
    uint64_t n_gone = look.n_gone - gone_before;
    uint64_t n_here = tp_load_rlx(&pool->n_here), n_helped = tp_load_rlx(&pool->n_helped);
    n_helped = n_helped < n_gone ? n_helped : n_gone;
    sum.dropped = tp_load_rlx(&pool->n_dropped);
    sum.dropped = sum.dropped < n_gone - n_helped ? sum.dropped : n_gone - n_helped;
    sum.cancelled = n_gone - n_helped - sum.dropped;
    uint64_t n_run = look.n_run - run_before;
    sum.completed = n_run + n_helped + n_here;
    sum.submitted = sum.completed + n_gone - n_helped + look.pending + look.running;
#if WITH_COROUTINE
    sum.submitted += look.suspended;
#endif
#if WITH_COROUTINE
    sum.stack_bytes = tp_stack_bytes(pool->fibers.stack_bytes);
    sum.stack_high_water = tp_load_rlx(&pool->stack_high_water); /* relaxed: as above */
#endif
    uint32_t n_workers = job_n_workers(pool);
    for (uint32_t i = 0; i < n_workers; i++)
        job_stats_add(&pool->workers[i], &sum);
    sum.failed += tp_load_rlx(&pool->n_here_failed);     /* relaxed: as above */
    sum.panicked += tp_load_rlx(&pool->n_here_panicked); /* relaxed: as above */
    sum.rejected = tp_load_rlx(&pool->n_rejected);       /* relaxed: as above */
    sum.most_running = tp_load_rlx(&pool->most_busy);    /* relaxed: as above */
    sum.parked = tp_idle_parked(&pool->idle);
    sum.workers = tp_idle_live(&pool->idle);
    sum.open_ns = tp_clock_now_ns() - tp_load_rlx(&pool->opened_ns); /* relaxed: as above */
    sum.average_ns = n_run > 0 ? sum.task_ns / n_run : 0;
    double had_ns = (double)sum.open_ns * (sum.workers > 0 ? sum.workers : 1);
    sum.utilisation = (double)sum.task_ns < had_ns ? (double)sum.task_ns / had_ns : 1;
    *out = sum;
}

/* A life begins anew: so do the counters. Nobody runs; tasks that are over stay counted, for room and
 * quiet. Relaxed: published by the opening. */
static void job_stats_reset(struct job_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_records; i++) {
        struct job_worker *worker = &pool->workers[i];
        tp_store_rlx(&worker->n_failed, 0); /* relaxed: as above, to the end */
        tp_store_rlx(&worker->n_panicked, 0);
        tp_store_rlx(&worker->n_timed_out, 0);
        tp_store_rlx(&worker->n_parks, 0);
        tp_store_rlx(&worker->task_ns, 0);
#if WITH_RING && WITH_STEALING
        tp_store_rlx(&worker->n_steal_attempts, 0); /* relaxed: as above */
        tp_store_rlx(&worker->n_steals, 0);         /* relaxed: as above */
        tp_store_rlx(&worker->n_stolen, 0);         /* relaxed: as above */
#endif
        tp_histogram_live_clear(&worker->latency);
        worker->stride = 1;
#if WITH_COROUTINE
        worker->n_to_measured = 0;
#endif
    }
    tp_store_rlx(&pool->n_dropped, 0); /* relaxed: as above, to the end */
    tp_store_rlx(&pool->n_rejected, 0);
    tp_store_rlx(&pool->n_here, 0);
    tp_store_rlx(&pool->n_helped, 0);
    tp_store_rlx(&pool->n_here_failed, 0);
    tp_store_rlx(&pool->n_here_panicked, 0);
#if WITH_COROUTINE
    tp_store_rlx(&pool->stack_high_water, 0); /* relaxed: as above */
#endif
    /* Relaxed: as above. */
    tp_store_rlx(&pool->most_busy, 0);
    tp_store_rlx(&pool->opened_ns, tp_clock_now_ns());
    tp_store_rel(&pool->gone_before, tp_load_rlx(&pool->n_gone)); /* pairs with the acquires in job_pool_stats */
    tp_store_rel(&pool->run_before, job_sum_run(pool));           /* likewise */
}
