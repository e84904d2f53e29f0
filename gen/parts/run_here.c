
/* Ends a run of job_run_here. Apart from it, so that no local variable is changed between setjmp and longjmp. */
static void job_here_over(struct job_pool *pool, struct tp_run *run, const struct job_slot *task, struct tp_task_result result)
{
    tp_run_leave(run);
#if WITH_TRACKING
    tp_track_finish(&pool->track, task->id, result);
#endif
#if WITH_STATS
    if (result.state != TP_TASK_RETURNED)
        tp_add_rlx(&pool->n_here_failed, 1); /* relaxed: a number on its own */
    if (result.state == TP_TASK_PANICKED)
        tp_add_rlx(&pool->n_here_panicked, 1); /* relaxed: as above */
#endif
    (void)pool;
    (void)task;
    (void)result;
}

/* Runs a task in a thread that is not the pool's worker, or is but runs another task. Returns
 * false if it was cancelled meanwhile. */
static bool job_run_here(struct job_pool *pool, struct job_slot *task)
{
    struct tp_run run;
    struct job_worker *self = job_self(pool);
    job_run_init(pool, &run, self ? self->base.index : UINT_MAX);
#if WITH_TRACKING
    if (!tp_track_start(&pool->track, task->id)) {
        job_tell_dropped(task);
        return false;
    }
    run.id = task->id;
#endif
    tp_run_enter(&run);
    if (setjmp(run.point) == 0)
        job_here_over(pool, &run, task, job_returned(VALUE_RUN(task->payload)));
    else
        job_here_over(pool, &run, task, job_panicked());
    return true;
}
