
/* -- 19 What the pool tells about itself ----------------------------------------------------- */

#if WITH_AUTO || WITH_ADAPTIVE
size_t job_pool_decisions(struct job_pool *pool, struct tp_decision *out, size_t n)
{
    if (job_is_forked(pool))
        return 0;
#endif
#if WITH_AUTO
    pthread_mutex_lock(&pool->control);
    size_t n_read = job_diary_read(&pool->diary, out, n);
    pthread_mutex_unlock(&pool->control);
#endif
#if WITH_ADAPTIVE && !WITH_AUTO
    size_t n_read = 0;
#endif
#if WITH_ADAPTIVE
    tp_spin_lock(&pool->room_lock);
    n_read += job_diary_read(&pool->board.adapt.diary, out + n_read, n - n_read);
    tp_spin_unlock(&pool->room_lock);
#endif
#if WITH_AUTO || WITH_ADAPTIVE
    return n_read;
}
#endif

/* Tasks that are accepted and have not started. */
static uint64_t job_sum_pending(struct job_pool *pool)
{
    uint64_t n = job_shared_pending(pool);
    uint32_t n_workers = job_n_workers(pool);
    for (uint32_t i = 0; i < n_workers; i++)
        n += job_worker_pending(&pool->workers[i]);
    return n;
}

/* What is in flight, looked at in one go. */
struct job_look {
    uint64_t n_gone, n_run, n_accepted; /* ever */
    uint64_t pending, running;
#if WITH_COROUTINE
    uint64_t suspended;
#endif
};

/* Reads what is over first and what is accepted last, so nothing is negative; and again if tasks came
 * or went meanwhile, for as long as that is reasonable. */
static struct job_look job_look(struct job_pool *pool)
{
    struct job_look look;
    uint64_t pending;
    int tries = 8;
    do {
        look.n_gone = tp_load_acq(&pool->n_gone); /* pairs with the addition in job_gone */
        look.n_run = job_sum_run(pool);
        pending = job_sum_pending(pool);
        look.n_accepted = job_sum_accepted(pool);
    } while (--tries > 0 && look.n_gone + look.n_run != job_sum_finished(pool));
    uint64_t in_flight = look.n_accepted - look.n_gone - look.n_run;
#if WITH_BOUNDED && !WITH_PRIORITY && !WITH_SPILL && !WITH_TUNE
    if (in_flight > pool->settings.capacity) { /* some have gone since */
        look.n_run += in_flight - pool->settings.capacity;
        in_flight = pool->settings.capacity;
    }
#endif
    uint32_t n_workers = job_n_workers(pool);
#if WITH_COROUTINE
    uint64_t begun = in_flight > pending ? in_flight - pending : 0;
    uint64_t n_asleep = tp_fibers_n_asleep(&pool->fibers);
    look.suspended = n_asleep < begun ? n_asleep : begun;
    in_flight -= look.suspended;
#endif
    look.running = in_flight > pending ? in_flight - pending : 0;
    look.running = look.running < n_workers ? look.running : n_workers;
    look.pending = in_flight - look.running;
    return look;
}

static void job_counts_fill(struct job_pool *pool, const struct job_look *look, struct tp_pool_counts *out)
{
    struct tp_pool_counts now = {.capacity = UINT64_MAX, .free = UINT64_MAX, .pending = look->pending, .running = look->running};
#if WITH_BOUNDED
    uint64_t in_flight = look->pending + look->running;
#endif
#if WITH_BOUNDED && WITH_COROUTINE
    in_flight += look->suspended;
#endif
#if WITH_BOUNDED
    now.capacity = tp_load_rlx(&pool->capacity); /* relaxed: a number on its own */
    now.free = now.capacity > in_flight ? now.capacity - in_flight : 0;
#endif
#if WITH_BOUNDED && WITH_BLOCK
    for (unsigned i = 0; i < sizeof pool->room / sizeof *pool->room; i++)
        now.waiting += tp_load_rlx(&pool->room[i].n_waiting); /* relaxed: as above */
#endif
#if WITH_COROUTINE
    now.suspended = look->suspended;
#endif
    (void)pool;
    *out = now;
}

void job_pool_counts(struct job_pool *pool, struct tp_pool_counts *out)
{
    struct job_look look = job_look(pool);
    job_counts_fill(pool, &look, out);
}

size_t job_pool_workers(struct job_pool *pool, struct tp_worker_info *out, size_t n)
{
    uint32_t n_workers = job_n_workers(pool);
    for (uint32_t i = 0; i < n_workers && i < n; i++) {
        struct job_worker *worker = &pool->workers[i];
        tp_worker_look(&worker->base, &out[i]);
        out[i].n_tasks = tp_load_acq(&worker->n_finished); /* pairs with the release in job_count */
        out[i].n_steps += out[i].n_tasks;
#if WITH_COROUTINE
        out[i].n_steps += tp_fiber_cache_n_left(&worker->fibers);
#endif
        out[i].pending = job_worker_pending(worker);
    }
    return n_workers;
}

void job_pool_settings(struct job_pool *pool, struct tp_pool_settings *out)
{
    *out = pool->settings;
#if WITH_TUNE
    if (job_is_forked(pool))
        return; /* the lock may be held for ever */
    pthread_mutex_lock(&pool->control);
    out->workers = pool->n_wanted;
    pthread_mutex_unlock(&pool->control);
#endif
#if WITH_TUNE && WITH_BOUNDED
    out->capacity = tp_load_rlx(&pool->capacity); /* relaxed: a number on its own */
#endif
}
