
/* -- 18 Clean-up --------------------------------------------------------------------------------
 * Takes every task that has not started out of the pool, as a thief would: one at a time. */

/* Takes a task from anywhere it can be taken. Returns false if there is none. */
static bool job_cleanup_take(struct job_pool *pool, struct job_slot *task)
{
    for (uint32_t i = 0; i < pool->n_lanes; i++)
        if (job_lane_take(&pool->lanes[i], NULL, 1, task, 1) > 0)
            return true;
#if WITH_STEALING
    uint32_t n_workers = job_n_workers(pool);
    for (uint32_t i = 0; i < n_workers; i++)
        if (job_queue_steal(&pool->workers[i].queue, NULL, task, 1) > 0)
            return true;
#endif
#if WITH_NEWEST
    for (uint32_t i = 0; i < n_workers; i++)
        if (job_newest_take(&pool->workers[i], task))
            return true;
#endif
    return false;
}

size_t job_pool_cleanup(struct job_pool *pool)
{
    size_t n = 0;
    struct job_slot task;
    if (job_is_forked(pool))
        return 0;
#if WITH_COROUTINE && !WITH_PINNED
    tp_fibers_hold(&pool->fibers, 1); /* a task that has begun is put back: nobody leaves meanwhile [FIBER-3] */
#endif
    while (job_cleanup_take(pool, &task)) {
#if WITH_COROUTINE && !WITH_PINNED
        if (task.fiber) {
            tp_fiber_list_put(&pool->fibers.list, task.fiber);
            continue;
        }
#endif
        job_discard(pool, &task, TP_TASK_CANCELLED);
        job_gone(pool, 1);
        n++;
    }
#if WITH_COROUTINE && !WITH_PINNED
    tp_fibers_hold(&pool->fibers, -1);
    tp_idle_notify(&pool->idle);
#endif
    for (uint32_t i = 0; i < pool->n_lanes; i++) {
        tp_spin_lock(&pool->lanes[i].lock);
        struct job_segment *spares = pool->lanes[i].spares;
        pool->lanes[i].spares = NULL;
        tp_spin_unlock(&pool->lanes[i].lock);
        job_segments_free(spares);
    }
    return n;
}
