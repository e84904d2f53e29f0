
/* -- 9 Tasks inside tasks -----------------------------------------------------------------------
 * The pool is full and a task of its own submits: waiting for room could be waiting for itself,
 * so the new task is run here, in its submitter. It is never in flight, so neither room nor quiet
 * counts it. */

static int job_run_nested(struct job_worker *self, VALUE_PAYLOAD const *payload)
{
    if (self->nested == JOB_NESTED_MAX)
        return TP_EFULL;
    self->nested++;
#if WITH_STATS
    if (VALUE_RUN(*payload) < 0)
        job_count(&self->n_failed, 1);
    job_count(&self->n_nested, 1);
#else
    (void)VALUE_RUN(*payload);
#endif
    self->nested--;
    return 0;
}
