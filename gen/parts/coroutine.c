
/* -- 9 Running a task, in a coroutine -----------------------------------------------------------
 * A task that waits or yields leaves its worker; who has ended its wait queues it again, by job_ready. A slot
 * with a fiber holds such a task, one without a new one. A fiber that sleeps is in no queue, but in flight, and
 * counted by the library, so that the pool is not left meanwhile [FIBER-3] (docs/fibers.md). */

/* The task, on a stack of its own; `argument` is its worker's, and copied before it can be suspended. */
static int job_body(void *argument)
{
    const struct job_slot *task = argument;
    return VALUE_RUN(task->payload);
}

#if WITH_PINNED
/* Queues a fiber that is ready: for the worker that began its task, and for no other. */
static void job_requeue(struct tp_fiber *fiber)
{
    struct job_worker *home = fiber->home;
    tp_fiber_list_put(&home->ready, fiber);
}

/* Called by whoever ends the sleep of a task. */
static void job_ready(struct tp_fiber *fiber)
{
    struct job_pool *pool = fiber->fibers->owner;
    struct job_worker *home = fiber->home;
    struct job_worker *self = job_self(pool);
    job_requeue(fiber);
    tp_fibers_woken(&pool->fibers, self ? &self->fibers : NULL);
    if (self != home)
        tp_idle_wake_worker(&pool->idle, &home->base); /* last: also a worker that would leave looks again [FIBER-3] */
}
#endif
#if !WITH_PINNED
/* Queues a fiber that is ready: behind the tasks of a worker of this pool, or for any worker. */
static void job_requeue(struct job_pool *pool, struct job_worker *self, struct tp_fiber *fiber)
{
#endif
#if WITH_STEALING && !WITH_LIFO && !WITH_PINNED
    if (self && job_queue_room(&self->queue) > 0) {
        job_queue_ahead(&self->queue, 0)->fiber = fiber;
        job_queue_publish(&self->queue, 1);
        return;
    }
#endif
#if !WITH_PINNED
    (void)self;
    tp_fiber_list_put(&pool->fibers.list, fiber);
}

/* Called by whoever ends the sleep of a task. */
static void job_ready(struct tp_fiber *fiber)
{
    struct job_pool *pool = fiber->fibers->owner;
    struct job_worker *self = job_self(pool);
    job_requeue(pool, self, fiber);
    tp_fibers_woken(&pool->fibers, self ? &self->fibers : NULL);
    if (!self || job_n_workers(pool) > 1) /* else there is nobody to wake */
        tp_idle_notify(&pool->idle);      /* last: also a worker that would leave looks again [FIBER-3] */
}
#endif

static void job_fibers_open(struct job_pool *pool)
{
    pool->fibers.owner = pool;
    pool->fibers.body = job_body;
    pool->fibers.ready = job_ready;
    pool->fibers.sleepers = &pool->idle;
    pool->fibers.stack_bytes = VALUE_STACK;
    pool->fibers.caches = &pool->workers->fibers;
    pool->fibers.cache_stride = sizeof *pool->workers;
    pool->fibers.n_caches = pool->n_records;
    job_run_init(pool, &pool->fibers.run, UINT_MAX);
    tp_fibers_init(&pool->fibers);
}

#if WITH_STATS
/* Before a task begins: the stack of the worker's first one, and of one in JOB_DEPTH, is measured. */
static inline void job_depth_begin(struct job_worker *self, struct tp_fiber *fiber)
{
    fiber->is_measured = self->n_to_measured-- == 0;
    if (!fiber->is_measured)
        return;
    self->n_to_measured = JOB_DEPTH - 1;
    tp_co_wipe(fiber->co);
}

/* It has ended, perhaps on another worker. */
static inline void job_depth_end(struct job_pool *pool, struct tp_fiber *fiber)
{
    if (!fiber->is_measured)
        return;
    uint64_t high_water = tp_stack_high_water(tp_co_stack(fiber->co));
    uint64_t most = tp_load_rlx(&pool->stack_high_water); /* relaxed: the exchange decides */
    while (most < high_water && !tp_cas_sc(&pool->stack_high_water, &most, high_water))
        ; /* losing means that another worker raised it: look again */
}
#endif

/* Runs a task until it ends or leaves the worker. */
static void job_go(struct job_worker *self, struct tp_fiber *fiber)
{
    struct job_pool *pool = self->pool;
    fiber->run.worker = self->base.index;
    switch (tp_fiber_run(fiber, &self->fibers)) {
    case TP_FIBER_ENDED: {
        struct tp_task_result result = fiber->result;
#if WITH_PINNED
        self->n_pinned--;
#endif
#if WITH_TRACKING
        self->task.id = fiber->run.id;
#endif
#if WITH_STATS
        job_depth_end(pool, fiber);
#endif
        tp_fiber_put(&pool->fibers, &self->fibers, fiber);
        job_end(self, result);
        return;
    }
    case TP_FIBER_READY:
#if WITH_PINNED
        job_requeue(fiber);
#else
        /* Behind those for any worker, too: else this one might run it again and again, and look at them now and then. */
        job_requeue(pool, tp_fiber_list_length(&pool->fibers.list) > 0 ? NULL : self, fiber);
        if (job_worker_pending(self) + tp_fiber_list_length(&pool->fibers.list) > 1) /* else this worker takes it next */
            tp_idle_notify(&pool->idle);
#endif
        break;
    case TP_FIBER_AWAY:
        break;
    }
#if WITH_STATS
    job_time_end(self);
#endif
}

/* Runs the worker's task, a new one or one that goes on. */
static inline void job_execute(struct job_worker *self)
{
#if WITH_FORKS
    if (self->branch) {
        job_execute_branch(self);
        return;
    }
#endif
    struct tp_fiber *fiber = self->task.fiber;
    if (fiber) {
#if WITH_STATS
        job_set_busy(self, true);
        job_time_again(self);
#endif
        tp_fiber_continue(fiber);
        job_go(self, fiber);
        return;
    }
    if (!job_begin(self))
        return;
    fiber = tp_fiber_get(&self->pool->fibers, &self->fibers);
    if (!fiber) { /* no memory for a stack, also after all idle ones were given back */
        job_tell_dropped(&self->task);
        job_end(self, (struct tp_task_result){TP_TASK_FAILED, TP_ENOMEM});
        return;
    }
#if WITH_STATS
    job_depth_begin(self, fiber);
#endif
#if WITH_PINNED
    fiber->home = self;
    self->n_pinned++;
#endif
#if WITH_TRACKING
    tp_fiber_begin(fiber, &self->task, self->task.id);
#else
    tp_fiber_begin(fiber, &self->task, 0);
#endif
    job_go(self, fiber);
}

#if WITH_PINNED
/* Takes a task that waits for this worker. */
static bool job_take_ready(struct job_worker *self, struct job_slot *task)
{
    task->fiber = tp_fiber_list_take(&self->ready);
    return task->fiber != NULL;
}
#else
/* Takes a task that waits for any worker. */
static bool job_take_ready(struct job_worker *self, struct job_slot *task)
{
    task->fiber = tp_fiber_list_take(&self->pool->fibers.list);
    return task->fiber != NULL;
}
#endif

/* Wakes the tasks whose time has come: all of them if the worker has slept, perhaps for that; else some. */
static inline void job_ring(struct job_worker *self, bool has_slept)
{
    struct tp_fibers *fibers = &self->pool->fibers;
    if (has_slept && tp_fibers_next_ns(fibers) != TP_FOREVER)
        tp_fibers_ring(fibers, tp_clock_now_ns());
    else if (!has_slept && tp_fibers_near_ns(fibers, &self->fibers) != TP_FOREVER)
        tp_fibers_ring_near(fibers, &self->fibers, tp_clock_now_ns());
}
