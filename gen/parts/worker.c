
/* -- 13 Worker loop -----------------------------------------------------------------------------
 * Own tasks first, then what is there for any worker, then the queues of others, then a short
 * search, then sleep. */

/* Looks everywhere for a while: a task that comes soon is had without a system call. Each look
 * takes a cache line from those who work, so the pauses between them grow; and a theft costs more
 * than a short task, so only the last look takes any task: the first ones leave short queues to
 * their owners. */
static bool job_search(struct job_worker *self, struct job_slot *task)
{
    for (int look = 0;; look++) {
#if WITH_RING
        if (job_take(self, task, JOB_BATCH))
            return true;
#else
        if (job_take(self, task, 1))
            return true;
#endif
#if WITH_RING && WITH_STEALING
        if (job_steal(self, task, look < JOB_LOOKS - 1 ? (uint32_t)JOB_STEAL_FIRST >> 2 * look : 1))
            return true;
#endif
#if WITH_FORKS
        self->branch = tp_forks_take(&self->pool->forks);
        if (self->branch)
            return true;
#endif
        if (look == JOB_LOOKS - 1)
            return false;
        for (int i = 0; i < JOB_PAUSES << look; i++)
            tp_relax();
    }
}

#if !WITH_COROUTINE
/* The last searcher that found something, or begins to work, hands the search on [IDLE-3]. */
static void job_end_search(struct job_pool *pool)
{
    if (tp_idle_end_search(&pool->idle) && job_is_work_visible(pool))
        tp_idle_notify(&pool->idle);
}
#endif
#if WITH_COROUTINE
/* The last searcher that found something, or begins to work, hands the search on [IDLE-3], and the lookout for deadlines and
 * descriptors [LOOK-1]. */
static void job_end_search(struct job_pool *pool)
{
    if (tp_idle_end_search(&pool->idle) && (job_is_work_visible(pool) || tp_lookout_is_vacant(&pool->fibers)))
        tp_idle_notify(&pool->idle);
}

/* Takes a step of clean-up among idle coroutines, if one is due: awake, as if in a task, since it may last. Returns true if so: the
 * caller, which is not counted as searching any more, looks again for tasks. */
static bool job_tend(struct job_pool *pool, bool searching)
{
    if (!tp_fibers_are_many(&pool->fibers))
        return false;
    uint64_t now_ns = tp_clock_now_ns();
    if (!tp_fibers_is_due(&pool->fibers, now_ns))
        return false;
    if (searching)
        job_end_search(pool);
    tp_fibers_tend(&pool->fibers, now_ns);
    return true;
}

#endif

/* As job_await, once the worker has said that it is idle. */
static bool job_find(struct job_worker *self, struct job_slot *task, bool searching)
{
    struct job_pool *pool = self->pool;
#if WITH_STATS
    job_set_busy(self, false);
#endif
    searching = searching || tp_idle_begin_search(&pool->idle);
#if WITH_COROUTINE
    bool has_slept = false;
#endif
    for (;;) {
        job_tell_quiet(pool);
#if WITH_COROUTINE
        job_ring(self, has_slept);
        bool found = job_queue_pop(&self->queue, task); /* it has woken one */
#endif
#if WITH_PINNED
        found = found || job_take_ready(self, task);
#endif
#if WITH_COROUTINE
        if (found) {
            if (searching)
                job_end_search(pool);
            return true;
        }
#endif
        if (searching && job_search(self, task)) {
            job_end_search(pool);
            return true;
        }
#if WITH_COROUTINE
        if (job_tend(pool, searching)) {
            searching = tp_idle_begin_search(&pool->idle);
            continue;
        }
#endif
        tp_idle_prepare(&pool->idle, &self->base, searching);
        searching = true; /* from here on, either way */
#if WITH_FORKS
        tp_forks_want(&pool->forks); /* before the look at the queues [FORK-3] */
#endif
        /* Before the look at the queues: what was accepted until the pool is draining is seen by a
         * look that comes after [LIFE-2]. */
        bool is_draining = tp_life_is_draining(tp_life_look(&pool->life));
#if WITH_COROUTINE
        tp_fence_sc(); /* [FIBER-3] whether the pool is draining, who sleeps, the queues: in this order */
        is_draining = is_draining && tp_fibers_are_queued(&pool->fibers);
#endif
#if WITH_PINNED
        self->base.stays = self->n_pinned > 0;
        if (tp_fiber_list_length(&self->ready) > 0 || job_is_work_visible(pool)) {
#else
        if (job_is_work_visible(pool)) {
#endif
            tp_idle_cancel(&pool->idle, &self->base);
        } else if (is_draining) {
            tp_idle_quit(&pool->idle, &self->base);
#if WITH_COROUTINE
            tp_idle_wake_all(&pool->idle);         /* those that slept while a task did [FIBER-3] */
            tp_fibers_await_wakers(&pool->fibers); /* before the pool may be taken for empty [FIBER-2] */
#endif
            return false;
        } else {
#if WITH_STATS
            job_count(&self->n_parks, 1);
#endif
#if WITH_COROUTINE
            has_slept = true;
            if (!tp_lookout_sleep(&pool->fibers, &self->base)) /* to the next deadline of a task, if no other does */
                return false;
#else
            if (!tp_idle_sleep(&pool->idle, &self->base))
                return false;
#endif
        }
    }
}

/* Searches and sleeps until there is a task. searching: the worker has just begun, and is counted so already. Returns
 * false when the worker is to leave. */
static bool job_await(struct job_worker *self, struct job_slot *task, bool searching)
{
    if (!searching)
        job_must(tp_activity_seek(&self->base.activity));
    if (!job_find(self, task, searching))
        return false;
    job_must(tp_activity_run(&self->base.activity));
    return true;
}

#if WITH_RING
/* A task of the worker's own. */
static inline bool job_own(struct job_worker *self, struct job_slot *task)
{
#endif
#if WITH_NEWEST
    if (job_newest_pop(self, task))
        return true;
#endif
#if WITH_RING
    return job_queue_pop(&self->queue, task);
}
#endif
#if WITH_TUNE

/* A worker that is surplus leaves when it has nothing of its own, and hands on what it was woken
 * for. While the pool closes it stays to the end: who it would hand a late task of its own to may
 * have left [LIFE-2]. Returns whether it leaves. */
static bool job_leave(struct job_worker *self)
{
#endif
#if WITH_TUNE && WITH_STATS
    job_set_busy(self, false);
#endif
#if WITH_TUNE && WITH_FAIR || WITH_TUNE && WITH_ADAPTIVE
    job_settle(self);
#endif
#if WITH_TUNE && WITH_PINNED
    if (self->n_pinned > 0) /* they go on here only */
        return false;
#endif
#if WITH_TUNE
    job_tell_quiet(self->pool); /* as before a sleep: its task may have been the last */
    /* After the fence in job_tell_quiet, which what its tasks put down comes before. */
    if (!tp_life_is_open(tp_life_look(&self->pool->life)) || !tp_idle_leave(&self->pool->idle, &self->base))
        return false;
    if (job_is_work_visible(self->pool))
        tp_idle_notify(&self->pool->idle);
    return true;
}
#endif

/* The next task to run. Every JOB_FAIRNESS tasks of its own a worker looks elsewhere first, so that
 * a task which feeds itself does not starve others. A batch is taken only when the queue is empty
 * and is used up before that (JOB_BATCH < JOB_FAIRNESS), so the order of a lane holds. */
static inline bool job_next(struct job_worker *self, struct job_slot *task)
{
#if WITH_COROUTINE
    if (self->tick % JOB_RING == 0)
        job_ring(self, false);
    if (self->tick % JOB_GLANCE == 0)
        tp_lookout_glance(&self->pool->fibers);
#endif
#if WITH_TUNE && WITH_RING
    if (tp_idle_is_leaving(&self->base)) {
        if (job_own(self, task))
            return true;
        if (job_leave(self))
            return false;
    }
#endif
#if WITH_TUNE && !WITH_RING
    if (tp_idle_is_leaving(&self->base) && job_leave(self))
        return false;
#endif
#if WITH_PINNED
    if (self->tick % 2 == 0 && job_take_ready(self, task)) { /* in turn with its own queue */
        self->tick++;
        return true;
    }
#endif
#if WITH_RING
    if (++self->tick % JOB_FAIRNESS == 0 && job_take(self, task, 1))
        return true;
    if (job_own(self, task) || job_take(self, task, JOB_BATCH))
        return true;
#endif
#if WITH_NEWEST
    if (job_newest_take(self, task)) /* it had its turns, but there is nothing else */
        return true;
#endif
#if WITH_RING
    return job_await(self, task, false);
#else
    return job_take(self, task, 1) || job_await(self, task, false);
#endif
}

/* Runs tasks until the worker is to leave. has_panicked: its last task did. Not inlined, since who calls
 * setjmp keeps no variable that changes. */
static __attribute__((noinline)) void job_work(struct job_worker *self, bool has_panicked)
{
    bool found;
    if (has_panicked) {
        job_end(self, job_panicked());
        found = job_next(self, &self->task);
    } else {
        found = job_await(self, &self->task, true); /* its entry begins as a searcher */
    }
    while (found) {
        job_execute(self);
        found = job_next(self, &self->task);
    }
}

static void job_worker_main(struct tp_worker *worker)
{
    struct job_worker *self = (struct job_worker *)worker;
#if WITH_AFFINITY
    if (self->pool->settings.affinity == TP_AFFINITY_ON)
        tp_cpu_pin(&self->pool->cpus, worker->index);
#endif
#if WITH_FORKS
    tp_forks_enter(&self->pool->forks, worker->index);
#endif
    tp_run_enter(&self->run);
    if (setjmp(self->run.point) == 0)
        job_work(self, false);
    else
        job_work(self, true);
    tp_run_leave(&self->run);
#if WITH_FORKS
    tp_forks_leave();
#endif
}
