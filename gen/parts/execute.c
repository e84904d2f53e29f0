
/* -- 9 Running a task ---------------------------------------------------------------------------
 * From slot to result. A task that panics comes back where its runner called setjmp: a worker does
 * so once, not once per task. Whatever happens, the task is counted as over exactly once. */

static inline struct job_worker *job_self(struct job_pool *pool)
{
    struct tp_worker *self = tp_worker_self();
    return self && self->pool == pool ? (struct job_worker *)self : NULL;
}

/* A change of what a worker does, which is always one that may be. */
static inline void job_must(enum tp_activity_outcome outcome)
{
    tp_assert(outcome == TP_ACTIVITY_MADE);
    (void)outcome;
}

static void job_run_init(struct job_pool *pool, struct tp_run *run, unsigned worker)
{
    memset(run, 0, sizeof *run);
    run->owner = pool;
    run->pool = VALUE_NAME;
    run->worker = worker;
    run->stop = &pool->stop;
    run->on_panic = pool->settings.on_panic;
    run->context = pool->settings.context;
#if WITH_TRACKING
    run->track = &pool->track;
#endif
#if WITH_OPS
    run->ops = &job_pool_ops;
#endif
}

/* Tells the host of an accepted task that will not run. */
static inline void job_tell_dropped(struct job_slot *task)
{
#if WITH_BOUNDED && WITH_DROPPED
    VALUE_DROPPED(task->payload);
#else
    (void)task;
#endif
}

/* Gives up a task that will not run. state: TP_TASK_DROPPED or TP_TASK_CANCELLED. */
static void job_discard(struct job_pool *pool, struct job_slot *task, enum tp_task_state state)
{
#if WITH_TRACKING
    if (!tp_track_drop(&pool->track, task->id, state))
        state = TP_TASK_CANCELLED; /* it was before */
#endif
    job_tell_dropped(task);
#if WITH_STATS
    if (state == TP_TASK_DROPPED)
        tp_add_rlx(&pool->n_dropped, 1); /* relaxed: job_gone publishes it */
#endif
    (void)pool;
    (void)task;
    (void)state;
}

#if !WITH_COROUTINE || WITH_BOUNDED && WITH_BLOCK || WITH_BOUNDED && WITH_CALLER_RUNS
/* How a task ended that returned `code`. */
static inline struct tp_task_result job_returned(int code)
{
    return (struct tp_task_result){code < 0 ? TP_TASK_FAILED : TP_TASK_RETURNED, code};
}
#endif

static inline struct tp_task_result job_panicked(void)
{
    return (struct tp_task_result){TP_TASK_PANICKED, TP_EPANICKED};
}
#if WITH_STATS

/* Counts the worker as running tasks, or not any more; it changes when a worker runs out of tasks. */
static void job_set_busy(struct job_worker *self, bool is_busy)
{
    struct job_pool *pool = self->pool;
    if (self->is_busy == is_busy)
        return;
    self->is_busy = is_busy;
    /* One order of all changes: the sum after each is how many there were. */
    uint32_t n = tp_add_sc(&pool->n_busy, is_busy ? 1 : (uint32_t)-1) + 1;
    uint32_t most = tp_load_rlx(&pool->most_busy); /* relaxed: the exchange decides */
    while (is_busy && most < n && !tp_cas_sc(&pool->most_busy, &most, n))
        ; /* losing means that another worker raised it: look again */
}

/* Reads the clock if this task is to be timed: each one while tasks are long, else one in JOB_SAMPLE. */
static inline void job_time_begin(struct job_worker *self)
{
    uint64_t stamp = self->task.stamp;
    bool is_timed = self->stride == 1 || tp_load_rlx(&self->n_finished) % JOB_SAMPLE == 0; /* relaxed: our own */
    self->started_ns = stamp != 0 || is_timed ? tp_clock_now_ns() : 0;
    if (stamp != 0)
        tp_histogram_add(&self->latency, self->started_ns > stamp ? self->started_ns - stamp : 0, stamp & 1 ? 1 : JOB_SAMPLE);
    self->is_timed = is_timed;
}

static inline void job_time_end(struct job_worker *self)
{
    if (!self->is_timed)
        return;
    uint64_t ns = tp_clock_now_ns() - self->started_ns;
    job_count(&self->task_ns, ns * self->stride);
    self->stride = ns < JOB_SHORT_NS ? JOB_SAMPLE : 1;
}
#endif
#if WITH_STATS && WITH_COROUTINE

/* As job_time_begin, for a task that goes on: only its time counts. */
static inline void job_time_again(struct job_worker *self)
{
    self->is_timed = self->stride == 1 || tp_load_rlx(&self->n_finished) % JOB_SAMPLE == 0; /* relaxed: our own */
    self->started_ns = self->is_timed ? tp_clock_now_ns() : 0;
}
#endif

/* The worker's task is over, in whatever way. */
static inline void job_over(struct job_worker *self)
{
    job_count(&self->n_finished, 1);
#if WITH_ADAPTIVE
    self->turn.n_run++;
#endif
#if WITH_BOUNDED && WITH_BLOCK
    job_tell_room(self->pool, 1); /* one task less, room for one more */
#endif
}

/* Prepares the worker's task. Returns false if it must not run any more; then it is over. */
static inline bool job_begin(struct job_worker *self)
{
    struct job_pool *pool = self->pool;
    if (tp_load_rlx(&pool->stop) != 0) { /* relaxed: a task may still start while another thread cancels */
        job_discard(pool, &self->task, TP_TASK_CANCELLED);
        job_gone(pool, 1);
        return false;
    }
#if WITH_TRACKING
    if (!tp_track_start(&pool->track, self->task.id)) {
        job_tell_dropped(&self->task);
        job_gone(pool, 1);
        return false;
    }
    self->run.id = self->task.id;
#endif
#if WITH_TIMEOUT
    job_count(&self->n_begun, 1);
    self->run.serial = tp_load_rlx(&self->n_begun); /* relaxed: our own */
#endif
#if WITH_TIMEOUT && WITH_TRACKING
    tp_store_rlx(&self->begun_id, self->task.id); /* relaxed: for a report */
#endif
#if WITH_STATS
    if (!self->is_busy)
        job_set_busy(self, true);
    job_time_begin(self);
#endif
    return true;
}

/* The worker's task has ended. */
static inline void job_end(struct job_worker *self, struct tp_task_result result)
{
#if WITH_STATS
    job_time_end(self);
    if (result.state != TP_TASK_RETURNED)
        job_count(&self->n_failed, 1);
    if (result.state == TP_TASK_PANICKED)
        job_count(&self->n_panicked, 1);
#endif
#if WITH_TIMEOUT
    job_count(&self->n_begun, 1);
    if (tp_load_rlx(&self->run.overdue) == self->run.serial) { /* relaxed: a late word of it is lost */
        result.state = TP_TASK_TIMED_OUT;
#endif
#if WITH_TIMEOUT && WITH_STATS
        job_count(&self->n_timed_out, 1);
#endif
#if WITH_TIMEOUT
    }
#endif
#if WITH_TRACKING
    tp_track_finish(&self->pool->track, self->task.id, result);
    self->run.id = 0;
#endif
    (void)result;
    job_over(self);
}
#if WITH_FORKS

/* Runs the branch that was taken instead of a task. It is a part of another worker's task, and counted there. */
static void job_execute_branch(struct job_worker *self)
{
    struct tp_branch *branch = self->branch;
    self->branch = NULL;
#endif
#if WITH_FORKS && WITH_STATS
    job_set_busy(self, true);
#endif
#if WITH_FORKS
    tp_branch_run(branch);
}
#endif
#if !WITH_COROUTINE

/* Runs the worker's task. */
static inline void job_execute(struct job_worker *self)
{
#endif
#if !WITH_COROUTINE && WITH_FORKS
    if (self->branch) {
        job_execute_branch(self);
        return;
    }
#endif
#if !WITH_COROUTINE
    if (job_begin(self))
        job_end(self, job_returned(VALUE_RUN(self->task.payload)));
}
#endif
