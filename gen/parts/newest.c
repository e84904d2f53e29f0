
/* -- 10 Newest child ----------------------------------------------------------------------------
 * A task's last submitted child runs next, while its data is warm, at most JOB_NEWEST times in a row.
 * Claim, then copy: whoever moves the state from FULL to BUSY owns the slot [NEWEST-1]. Thieves take
 * it only in the last round of a search, so that a long task does not keep its child from running
 * [NEWEST-2]. */

/* Takes the newest child of a worker. Returns false if there is none. */
static inline bool job_newest_take(struct job_worker *worker, struct job_slot *task)
{
    uint32_t state = JOB_NEWEST_FULL;
    /* Relaxed: a look; the exchange decides. */
    if (tp_load_rlx(&worker->newest_state) != JOB_NEWEST_FULL)
        return false;
    /* Acquire half: pairs with the store in job_newest_put. Losing means that another thread took it. */
    if (!tp_cas_sc(&worker->newest_state, &state, JOB_NEWEST_BUSY))
        return false;
    *task = worker->newest;
    tp_store_rel(&worker->newest_state, JOB_NEWEST_EMPTY); /* pairs with the acquire in job_newest_put */
    return true;
}

/* Makes a task the worker's newest child; the one before goes to the queue, which has room. Returns
 * false if a thief is copying: then the slot is not free. Owner only. */
static inline bool job_newest_put(struct job_worker *self, const struct job_slot *task)
{
    struct job_slot older;
    if (job_newest_take(self, &older)) {
        *job_queue_ahead(&self->queue, 0) = older;
        job_queue_publish(&self->queue, 1);
    } else if (tp_load_acq(&self->newest_state) != JOB_NEWEST_EMPTY) { /* pairs with the release in job_newest_take */
        return false;
    }
    self->newest = *task;
    /* Release half: pairs with the exchange in job_newest_take. Sequentially consistent, so that the
     * following look for sleepers comes after it [IDLE-2]. */
    tp_store_sc(&self->newest_state, JOB_NEWEST_FULL);
    return true;
}

/* The owner's next task from here, unless it had enough of them in a row. */
static inline bool job_newest_pop(struct job_worker *self, struct job_slot *task)
{
    if (self->n_newest < JOB_NEWEST && job_newest_take(self, task)) {
        self->n_newest++;
        return true;
    }
    self->n_newest = 0;
    return false;
}
