
/* -- 25 Open, join, close -----------------------------------------------------------------------
 * The states are the library's (docs/shutdown.md); here are the steps between them. */

static void job_worker_init(struct job_pool *pool, uint32_t index)
{
    struct job_worker *worker = &pool->workers[index];
#if WITH_COROUTINE
    memset(worker, 0, offsetof(struct job_worker, fibers.alarms)); /* which tp_fibers_init sees to; most of it, and the slots, stay untouched pages */
#endif
#if WITH_RING && !WITH_COROUTINE
    memset(worker, 0, offsetof(struct job_worker, queue)); /* the slots stay untouched pages */
#endif
#if !WITH_RING && !WITH_COROUTINE
    memset(worker, 0, sizeof *worker);
#endif
#if WITH_RING
    job_queue_init(&worker->queue);
#endif
    worker->base.pool = pool;
    worker->base.index = index;
    worker->pool = pool;
    job_run_init(pool, &worker->run, index);
#if WITH_PINNED
    tp_fiber_list_init(&worker->ready);
#endif
#if !WITH_BOARD
    worker->lane = &pool->lanes[index & (pool->n_lanes - 1)];
#endif
#if WITH_RING && WITH_STEALING && WITH_RANDOM
    worker->random = (pool->settings.seed ^ index) * 2654435769u | 1; /* never 0; neighbours begin far apart (Knuth 6.4) */
#endif
#if WITH_STATS
    worker->stride = 1;
#endif
    tp_crew_add(&pool->crew, &worker->base, VALUE_NAME, job_worker_main);
}

#if !WITH_BOARD
static int job_lanes_open(struct job_pool *pool)
{
    for (pool->n_lanes = JOB_LANES_MIN; pool->n_lanes < pool->settings.workers && pool->n_lanes < JOB_LANES_MAX;)
        pool->n_lanes *= 2;
    pool->lanes = aligned_alloc(alignof(struct job_lane), pool->n_lanes * sizeof *pool->lanes);
    if (!pool->lanes)
        return TP_ENOMEM;
    uint32_t n = 0;
    while (n < pool->n_lanes && job_lane_init(&pool->lanes[n]) == 0)
        n++;
#endif
#if !WITH_BOARD && WITH_PREALLOCATE
    uint64_t n_segments = pool->settings.preallocate / JOB_SEGMENT + pool->n_lanes;
    bool is_stocked = true;
    for (uint64_t i = 0; is_stocked && n == pool->n_lanes && i < n_segments; i++)
        is_stocked = job_lane_stock(&pool->lanes[i % pool->n_lanes]);
    if (!is_stocked)
        job_lane_free(&pool->lanes[--n]);
#endif
#if !WITH_BOARD
    if (n == pool->n_lanes)
        return 0;
    while (n > 0)
        job_lane_free(&pool->lanes[--n]);
    free(pool->lanes);
    pool->lanes = NULL;
    return TP_ENOMEM;
}
#endif

/* Memory for tasks. Returns 0 or TP_ENOMEM with nothing allocated. */
static int job_tasks_open(struct job_pool *pool)
{
#if WITH_TRACKING
    int status = tp_track_init(&pool->track, pool->settings.preallocate);
    if (status != 0)
        return status;
#endif
#if WITH_BOARD
    job_board_init(&pool->board);
#endif
#if WITH_FAIR || WITH_ADAPTIVE
    job_board_weigh(&pool->board, pool->settings.weights);
#endif
#if WITH_BOARD && WITH_PREALLOCATE
    int opened = job_board_reserve(&pool->board, pool->settings.preallocate);
    if (opened != 0)
        job_board_free(&pool->board);
#endif
#if WITH_BOARD && !WITH_PREALLOCATE
    int opened = 0;
#endif
#if !WITH_BOARD
    int opened = job_lanes_open(pool);
#endif
#if WITH_TRACKING
    if (opened != 0)
        tp_track_free(&pool->track);
#endif
    return opened;
}

static void job_tasks_free(struct job_pool *pool)
{
    /* In a child of fork(), what a thread of the parent was about to change is left as it is. */
#if WITH_BOARD
    if (!job_is_forked(pool) || !tp_spin_is_held(&pool->room_lock))
        job_board_free(&pool->board);
#else
    for (uint32_t i = 0; i < pool->n_lanes; i++)
        if (!job_is_forked(pool) || !tp_spin_is_held(&pool->lanes[i].lock))
            job_lane_free(&pool->lanes[i]);
    free(pool->lanes);
#endif
#if WITH_TRACKING
    tp_track_free(&pool->track);
#endif
}

/* Memory for workers. Returns 0 or TP_ENOMEM with nothing allocated. */
static int job_workers_open(struct job_pool *pool)
{
    pool->n_records = pool->settings.workers_max;
    pool->sleepers = malloc(pool->n_records * sizeof *pool->sleepers);
    pool->workers = aligned_alloc(alignof(struct job_worker), pool->n_records * sizeof *pool->workers);
    bool is_there = pool->sleepers && pool->workers;
#if WITH_FORKS
    is_there = is_there && tp_forks_init(&pool->forks, pool->n_records, &pool->idle) == 0;
#endif
    if (!is_there) {
        free(pool->sleepers);
        free(pool->workers);
        return TP_ENOMEM;
    }
    tp_crew_init(&pool->crew);
    tp_idle_init(&pool->idle, pool->sleepers, pool->n_records);
    for (uint32_t i = 0; i < pool->n_records; i++)
        job_worker_init(pool, i);
    return 0;
}

/* The pool's memory, after its last worker has left, or in a forked process, where there are none. */
static void job_destroy(void *context)
{
    struct job_pool *pool = context;
#if WITH_OPS
    tp_roll_remove(&pool->roll); /* first: nobody looks any more */
#endif
#if WITH_COROUTINE
    tp_fibers_free(&pool->fibers, job_is_forked(pool)); /* first: a waker may still ask the crew for a thread */
#endif
    if (!job_is_forked(pool))
        tp_crew_free(&pool->crew);
#if WITH_FORKS
    tp_forks_free(&pool->forks);
#endif
    tp_life_free(&pool->life);
    job_tasks_free(pool);
    free(pool->sleepers);
    free(pool->workers);
    free(pool);
}

/* Tells the workers to finish what was accepted and to leave. */
static void job_drain(struct job_pool *pool)
{
    tp_life_drain(&pool->life);
    tp_idle_wake_all(&pool->idle);
}

/* Starts the workers and what else runs with the pool. Returns 0, or an error with all of it ended. */
static int job_start(struct job_pool *pool)
{
    int status = 0;
    uint32_t n = pool->settings.workers, n_threads = n;
#if WITH_RANGE
    n_threads = pool->settings.workers_min;
#endif
#if WITH_AUTO
    n = n_threads; /* the monitor adds the others */
#endif
#if WITH_TUNE
    pool->n_wanted = n;
#endif
    tp_idle_clear(&pool->idle);
    job_workers_use(pool, n);
    for (uint32_t i = 0; status == 0 && i < n_threads; i++)
        status = tp_idle_grow(&pool->idle, &pool->workers[i].base);
    for (uint32_t i = n_threads; status == 0 && i < n; i++)
        tp_idle_add_vacant(&pool->idle, &pool->workers[i].base);
#if WITH_KEEPER
    if (status == 0 && job_period_ns(pool) < UINT64_MAX / 4) /* else all limits were given up */
        status = tp_keeper_start(&pool->keeper, VALUE_NAME, job_period_ns(pool), job_tick, pool);
#endif
    if (status == 0) {
        tp_life_open(&pool->life);
        return 0;
    }
    uint32_t generation = tp_life_generation(tp_life_look(&pool->life));
    tp_add_sc(&pool->n_closing, 1); /* as a closer: nobody reopens before this has ended [LIFE-5] */
    job_drain(pool);
    tp_crew_wait(&pool->crew, TP_FOREVER);
    for (uint32_t i = 0; i < pool->n_records; i++)
        tp_crew_reap(&pool->workers[i].base);
    tp_life_end(&pool->life, generation);
    tp_add_sc(&pool->n_closing, (uint32_t)-1); /* in one order, as in job_close */
    return status;
}

int job_pool_open(struct job_pool **out, const struct tp_pool_settings *settings)
{
    struct job_pool *pool = aligned_alloc(alignof(struct job_pool), sizeof *pool);
    if (!pool)
        return TP_ENOMEM;
    memset(pool, 0, sizeof *pool);
    int status = job_settings_resolve(settings, &pool->settings);
    if (status != 0)
        goto fail_pool;
#if WITH_AFFINITY
    tp_cpu_mask_get(&pool->cpus); /* here, since a worker that starts another may be pinned itself */
#endif
    status = tp_life_init(&pool->life);
    if (status != 0)
        goto fail_pool;
    status = job_tasks_open(pool);
    if (status != 0)
        goto fail_life;
    status = job_workers_open(pool);
    if (status != 0)
        goto fail_tasks;
    tp_waitlist_init(&pool->quiet);
#if WITH_COROUTINE
    job_fibers_open(pool);
#endif
    pthread_mutex_init(&pool->control, NULL);
#if WITH_BOUNDED || WITH_BOARD
    tp_spin_init(&pool->room_lock);
#endif
#if WITH_BOUNDED
    tp_atomic_init(&pool->capacity, pool->settings.capacity);
#endif
#if WITH_BOUNDED && WITH_BLOCK
    for (unsigned i = 0; i < sizeof pool->room / sizeof *pool->room; i++)
        tp_waitlist_init(&pool->room[i]);
#endif
#if WITH_STATS
    tp_atomic_init(&pool->opened_ns, tp_clock_now_ns());
#endif
    status = job_start(pool);
    if (status != 0) {
        job_destroy(pool);
        return status;
    }
#if WITH_OPS && WITH_COROUTINE
    tp_roll_add(&pool->roll, &job_pool_ops, pool, &pool->fibers);
#endif
#if WITH_OPS && !WITH_COROUTINE
    tp_roll_add(&pool->roll, &job_pool_ops, pool, NULL);
#endif
    *out = pool;
    return 0;

fail_tasks:
    job_tasks_free(pool);
fail_life:
    tp_life_free(&pool->life);
fail_pool:
    free(pool);
    return status;
}

/* Waits until nothing is in flight. */
static int job_await_quiet(struct job_pool *pool, uint64_t deadline_ns)
{
    struct tp_waiter waiter;
    int status = 0;
    while (status == 0 && !job_is_quiet(pool)) {
        /* Prepare, look again, sleep [PARK-1]: a worker out of tasks looks for joiners. */
        tp_waitlist_prepare(&pool->quiet, &waiter);
        if (job_is_quiet(pool))
            tp_waitlist_cancel(&pool->quiet, &waiter);
        else
            status = tp_waitlist_wait(&pool->quiet, &waiter, deadline_ns);
    }
    return status;
}

int job_join_all(struct job_pool *pool, uint64_t deadline_ns)
{
    if (tp_run_depth(pool) > 0)
        return TP_EDEADLK;
    if (job_is_forked(pool))
        return TP_EFORKED;
    return job_await_quiet(pool, deadline_ns);
}

/* Passes every lock under which tasks are put down, or threads started: the last submitters are through
 * [LIFE-2], and nobody changes the number of workers any more. */
static void job_pass_locks(struct job_pool *pool)
{
#if WITH_TUNE || WITH_EXPIRE
    pthread_mutex_lock(&pool->control);
    pthread_mutex_unlock(&pool->control);
#endif
#if WITH_BOARD
    tp_spin_lock(&pool->room_lock);
    tp_spin_unlock(&pool->room_lock);
#else
    for (uint32_t i = 0; i < pool->n_lanes; i++) {
        tp_spin_lock(&pool->lanes[i].lock);
        tp_spin_unlock(&pool->lanes[i].lock);
    }
#endif
}

/* Takes the steps of closing, if this call is the first. Returns false if there is nothing to wait for. */
static bool job_begin_close(struct job_pool *pool, bool cancel, uint32_t *generation)
{
    enum tp_life_outcome outcome = tp_life_close(&pool->life, cancel, generation);
    if (cancel && (outcome == TP_LIFE_FIRST || outcome == TP_LIFE_UPGRADED))
        tp_store_sc(&pool->stop, 1); /* before the wake-ups that send workers to look at it */
#if WITH_COROUTINE
    if (cancel && (outcome == TP_LIFE_FIRST || outcome == TP_LIFE_UPGRADED))
        tp_fibers_ask_all(&pool->fibers); /* after `stop`, which those see that begin meanwhile [FIBER-4] */
#endif
    if (outcome == TP_LIFE_FIRST) {
        job_pass_locks(pool);
#if WITH_BOUNDED && WITH_BLOCK
        job_tell_room(pool, UINT32_MAX); /* waiting submitters learn of the close */
#endif
        job_drain(pool);
#if WITH_EXPIRE
        if (job_is_work_visible(pool)) /* there may be no thread, nor one that was told [CREW-1] */
            tp_idle_insist(&pool->idle);
#endif
#if WITH_EXPIRE && WITH_COROUTINE
        if (!tp_fibers_are_queued(&pool->fibers)) /* likewise; who sleeps is waited for by a worker */
            tp_idle_insist(&pool->idle);
#endif
    }
    return outcome != TP_LIFE_OVER && outcome != TP_LIFE_DEAD;
}

/* Waits for the first closer to pass the locks: until then a crew without threads is not at its end, since
 * a submitter may be about to start one. This closer is counted, so nobody reopens meanwhile [LIFE-5].
 * Returns 0 or TP_ETIMEDOUT. */
static int job_await_drain(struct job_pool *pool, uint64_t deadline_ns)
{
    while (tp_life_state(tp_life_look(&pool->life)) == TP_LIFE_CLOSING) {
        if (deadline_ns != TP_FOREVER && tp_clock_now_ns() >= deadline_ns)
            return TP_ETIMEDOUT;
        sched_yield();
    }
    return 0;
}

#if WITH_EXPIRE && WITH_COROUTINE
/* Is there a task that has begun and not ended, though no worker is left? Others are cancelled. */
static bool job_is_deserted(struct job_pool *pool)
{
    if (job_is_work_visible(pool))
        job_pool_cleanup(pool);
    return !tp_fibers_are_queued(&pool->fibers) || job_is_work_visible(pool);
}

/* Waits until all workers have left. A task that has begun keeps one; if none has a thread, since the system refused it, it is
 * asked again and again. Returns 0 or TP_ETIMEDOUT. */
static int job_await_crew(struct job_pool *pool, uint64_t deadline_ns)
{
    enum { PAUSE_NS = 1000000 };
    int status;
    while ((status = tp_crew_wait(&pool->crew, deadline_ns)) == 0 && job_is_deserted(pool)) {
        pthread_mutex_lock(&pool->control);
        status = tp_idle_grow(&pool->idle, &pool->workers[0].base);
        pthread_mutex_unlock(&pool->control);
        if (status == 0)
            continue;
        if (deadline_ns != TP_FOREVER && tp_clock_now_ns() >= deadline_ns)
            return TP_ETIMEDOUT;
        struct tp_waiter waiter; /* nobody wakes it but time */
        tp_waitlist_prepare(&pool->quiet, &waiter);
        tp_waitlist_wait(&pool->quiet, &waiter, tp_deadline_in_ns(PAUSE_NS));
    }
    return status;
}
#endif

static int job_close(struct job_pool *pool, bool cancel, uint64_t deadline_ns)
{
    uint32_t generation;
    if (tp_run_depth(pool) > 0)
        return TP_EDEADLK;
    tp_add_sc(&pool->n_closing, 1); /* before the look at the life; see job_pool_reopen */
    int status = 0;
    if (job_begin_close(pool, cancel, &generation)) {
        status = job_await_drain(pool, deadline_ns);
#if WITH_EXPIRE && WITH_COROUTINE
        if (status == 0)
            status = job_await_crew(pool, deadline_ns);
#else
        if (status == 0)
            status = tp_crew_wait(&pool->crew, deadline_ns);
#endif
        if (status == 0) {
#if WITH_KEEPER
            tp_keeper_stop(&pool->keeper);
#endif
            for (uint32_t i = 0; i < pool->n_records; i++)
                tp_crew_reap(&pool->workers[i].base);
            if (job_is_work_visible(pool)) /* the system refused the thread that would have run it */
                job_pool_cleanup(pool);
            status = job_await_quiet(pool, deadline_ns); /* some may be on their way out by job_pool_cleanup and the like */
        }
        if (status == 0)
            tp_life_end(&pool->life, generation);
    }
    tp_add_sc(&pool->n_closing, (uint32_t)-1); /* [LIFE-5] one order, after all that touches this generation */
    return status;
}

int job_pool_close(struct job_pool *pool, uint64_t deadline_ns)
{
    return job_close(pool, false, deadline_ns);
}

int job_pool_cancel(struct job_pool *pool, uint64_t deadline_ns)
{
    return job_close(pool, true, deadline_ns);
}

void job_pool_abandon(struct job_pool *pool)
{
    if (!pool)
        return;
    if (job_is_forked(pool)) {
        job_destroy(pool);
        return;
    }
    job_begin_close(pool, true, NULL);
#if WITH_KEEPER
    tp_keeper_stop(&pool->keeper);
#endif
    tp_crew_abandon(&pool->crew, job_destroy, pool);
}

/* Everything is as it was opened first, but for what keeps counting. The control lock is held. */
static void job_renew(struct job_pool *pool)
{
    tp_store_rlx(&pool->stop, 0); /* relaxed: published by the opening, as the rest */
#if WITH_BOUNDED
    tp_spin_lock(&pool->room_lock);
    tp_store_rlx(&pool->capacity, pool->settings.capacity); /* relaxed: written under the room lock */
#endif
#if WITH_BOUNDED && !WITH_BOARD
    job_room_reclaim(pool); /* credit was given for the capacity before */
#endif
#if WITH_BOUNDED
    tp_spin_unlock(&pool->room_lock);
#endif
#if WITH_AUTO
    memset(&pool->diary, 0, sizeof pool->diary);
    pool->n_idle_looks = 0;
#endif
#if WITH_BOARD
    tp_spin_lock(&pool->room_lock);
    job_board_renew(&pool->board);
#endif
#if WITH_FAIR || WITH_ADAPTIVE
    job_board_weigh(&pool->board, pool->settings.weights);
#endif
#if WITH_BOARD
    tp_spin_unlock(&pool->room_lock);
#endif
#if WITH_FAIR || WITH_ADAPTIVE
    for (uint32_t i = 0; i < pool->n_records; i++)
        memset(&pool->workers[i].turn, 0, sizeof pool->workers[i].turn);
#endif
#if WITH_STATS
    job_stats_reset(pool);
#endif
}

int job_pool_reopen(struct job_pool *pool)
{
    int status = tp_life_reopen(&pool->life);
    if (status != 0)
        return status;
    /* One order with the additions in job_close [LIFE-5]: the last closers leave. */
    while (tp_load_sc(&pool->n_closing) != 0)
        sched_yield();
    pthread_mutex_lock(&pool->control); /* others may be reading settings and decisions */
    job_renew(pool);
    status = job_start(pool);
    pthread_mutex_unlock(&pool->control);
    return status;
}

void job_pool_free(struct job_pool *pool)
{
    if (!pool)
        return;
    int status = job_pool_close(pool, TP_FOREVER);
    tp_assert(status == 0); /* else a task of this pool frees it */
    (void)status;
    job_destroy(pool);
}
