
/* -- 17 Waiting for one task --------------------------------------------------------------------
 * Records are kept by the library; here are the pool's own rules. */

int job_wait(struct job_pool *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    if (job_is_forked(pool))
        return TP_EFORKED;
    if (id != 0 && tp_run_is_inside(pool, id))
        return TP_EDEADLK;
    return tp_track_wait(&pool->track, id, deadline_ns, result);
}

int job_join(struct job_pool *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    struct tp_task_result got;
    int status = job_wait(pool, id, deadline_ns, &got);
    if (status == 0)
        status = tp_track_release(&pool->track, id);
    if (status == 0 && result)
        *result = got;
    return status;
}

int job_detach(struct job_pool *pool, uint64_t id)
{
    return job_is_forked(pool) ? TP_EFORKED : tp_track_release(&pool->track, id);
}

int job_cancel_task(struct job_pool *pool, uint64_t id)
{
#if WITH_COROUTINE
    if (job_is_forked(pool))
        return TP_EFORKED;
    int status = tp_track_cancel(&pool->track, id);
    if (status == 0)
        tp_fibers_ask(&pool->fibers, id); /* it may sleep */
    return status;
#else
    return job_is_forked(pool) ? TP_EFORKED : tp_track_cancel(&pool->track, id);
#endif
}

size_t job_tasks(struct job_pool *pool, struct tp_task_info *infos, size_t n)
{
    return tp_track_list(&pool->track, infos, n);
}
