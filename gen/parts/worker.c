
/* -- 8 Worker loop ------------------------------------------------------------------------------
 * Own queue, then the lanes, then the queues of others, then a short search, then sleep. Every
 * JOB_FAIRNESS tasks of its own it looks at the lanes first, so that a task which feeds itself
 * does not starve those from outside. */

static inline struct job_worker *job_self(struct job_pool *pool)
{
    struct tp_worker *self = tp_worker_self();
    return self && self->pool == pool ? (struct job_worker *)self : NULL;
}

/* Runs one task and counts it. */
static void job_execute(struct job_worker *self, struct job_slot *task)
{
#if WITH_STATS
    job_count(&self->n_started, 1);
    if (VALUE_RUN(task->payload) < 0)
        job_count(&self->n_failed, 1);
#else
    (void)VALUE_RUN(task->payload);
#endif
    job_count(&self->n_finished, 1);
#if WITH_BOUNDED && WITH_BLOCK
    tp_waitlist_notify(&self->pool->room, 1); /* one task less, room for one more [PARK-1] */
#endif
}

/* Takes up to `most` tasks from the lanes, each lane in turn. */
static bool job_take(struct job_worker *self, struct job_slot *task, uint32_t most)
{
    struct job_pool *pool = self->pool;
    for (uint32_t i = 0; i < pool->n_lanes; i++) {
        struct job_lane *lane = &pool->lanes[self->next_lane++ & (pool->n_lanes - 1)];
        if (job_lane_length(lane) > 0 && job_lane_take(lane, self, task, most) > 0) {
            self->tick = 0;
            return true;
        }
    }
    return false;
}

/* Looks everywhere for a while: a task that comes soon is had without a system call. Each look
 * takes a cache line from those who work, so the pauses grow; and a theft costs more than a short
 * task, so the first looks leave short queues to their owners. The last one takes any task. */
static bool job_search(struct job_worker *self, struct job_slot *task)
{
    for (int look = 0; look < JOB_LOOKS; look++) {
        if (job_take(self, task, JOB_BATCH))
            return true;
#if WITH_STEALING
        if (job_steal(self, task, look < JOB_LOOKS - 1 ? (uint32_t)JOB_STEAL_FIRST >> 4 * look : 1))
            return true;
#endif
        for (int i = 0; i < JOB_PAUSES << look; i++)
            tp_relax();
    }
    return false;
}

/* Wakes whoever waits in job_join_all, if nothing is in flight. */
static void job_tell_quiet(struct job_pool *pool)
{
    tp_fence_sc(); /* [PARK-1] our n_finished comes before this look at the waiters */
    /* Relaxed: ordered by the fence. */
    if (tp_load_rlx(&pool->quiet.n_waiting) > 0 && job_is_quiet(pool))
        tp_waitlist_wake(&pool->quiet, UINT32_MAX);
}

/* Searches and sleeps until there is a task. Returns false when the worker is to leave.
 * searching: whether it is counted so. */
static bool job_wait(struct job_worker *self, struct job_slot *task, bool searching)
{
    struct job_pool *pool = self->pool;
    for (;;) {
        job_tell_quiet(pool);
        if (searching && job_search(self, task)) {
            if (tp_idle_end_search(&pool->idle) && job_is_work_visible(pool))
                tp_idle_notify(&pool->idle); /* the last searcher hands the search on [IDLE-3] */
            return true;
        }
        tp_idle_prepare(&pool->idle, &self->base, searching);
        searching = true; /* from here on, either way */
        /* Acquire: pairs with job_drain. Before the look at the queues: what was accepted until
         * the pool is draining is seen by a look that comes after [LIFE-2]. */
        bool is_draining = tp_load_acq(&pool->life) == JOB_DRAINING;
        if (job_is_work_visible(pool)) {
            tp_idle_cancel(&pool->idle, &self->base);
        } else if (is_draining) {
            tp_idle_quit(&pool->idle, &self->base);
            return false;
        } else {
#if WITH_STATS
            job_count(&self->n_parks, 1);
#endif
            if (!tp_idle_sleep(&pool->idle, &self->base))
                return false;
        }
    }
}

/* The next task to run. A batch is taken only when the queue is empty and is used up before the
 * lanes come first again (JOB_BATCH < JOB_FAIRNESS), so the order of a lane holds. */
static bool job_next(struct job_worker *self, struct job_slot *task)
{
    if (++self->tick % JOB_FAIRNESS == 0 && job_take(self, task, 1))
        return true;
    return job_queue_pop(&self->queue, task) ||
           job_take(self, task, JOB_BATCH) ||
           job_wait(self, task, tp_idle_begin_search(&self->pool->idle));
}

static void job_worker_main(struct tp_worker *worker)
{
    struct job_worker *self = (struct job_worker *)worker;
    struct job_slot task;
    /* It was counted as searching by whoever started it. */
    for (bool more = job_wait(self, &task, true); more; more = job_next(self, &task))
        job_execute(self, &task);
}
