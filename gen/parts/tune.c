
/* -- 21 Tuning ----------------------------------------------------------------------------------
 * Capacity and number of workers change while the pool runs. Nobody is stopped: what is in flight
 * stays, a surplus worker leaves after its task. */

int job_pool_tune(struct job_pool *pool, uint64_t capacity)
{
    if (job_is_forked(pool))
        return TP_EFORKED;
#if WITH_BOUNDED
    if (capacity == 0 || capacity > INT64_MAX)
        return TP_EUNCHANGED;
    tp_spin_lock(&pool->room_lock);
    uint64_t before = tp_load_rlx(&pool->capacity); /* relaxed: written under the room lock */
    tp_store_rlx(&pool->capacity, capacity);        /* relaxed: likewise */
#endif
#if WITH_BOUNDED && !WITH_BOARD
    job_room_reclaim(pool); /* credit was given for the capacity before */
#endif
#if WITH_BOUNDED
    tp_spin_unlock(&pool->room_lock);
    if (before == capacity)
        return TP_EUNCHANGED;
#endif
#if WITH_BOUNDED && WITH_BLOCK
    job_tell_room(pool, capacity == before + 1 ? 1 : UINT32_MAX);
#endif
#if WITH_BOUNDED
    return 0;
#else
    (void)capacity;
    return TP_EUNCHANGED;
#endif
}

/* Changes the number of workers. The control lock is held. */
static int job_resize(struct job_pool *pool, uint32_t workers)
{
    int status = tp_life_is_open(tp_life_look(&pool->life)) ? 0 : TP_ECLOSED;
    tp_crew_sweep(&pool->crew); /* threads that left after earlier changes */
    while (status == 0 && pool->n_wanted < workers) {
        job_workers_use(pool, pool->n_wanted + 1);
        status = tp_idle_grow(&pool->idle, &pool->workers[pool->n_wanted].base);
        pool->n_wanted += status == 0;
    }
#if WITH_EXPIRE || WITH_RANGE
    /* One that stays has a thread: the surplus ones may be the only ones that have. */
    if (status == 0 && pool->n_wanted > workers)
        status = tp_idle_grow(&pool->idle, &pool->workers[0].base);
#endif
    while (status == 0 && pool->n_wanted > workers)
        tp_idle_shrink(&pool->idle, &pool->workers[--pool->n_wanted].base);
    return status;
}

int job_pool_tune_workers(struct job_pool *pool, uint32_t workers)
{
    uint64_t life = tp_life_look(&pool->life);
    if (!tp_life_is_open(life))
        return tp_life_refusal(life);
    if (workers > pool->settings.workers_max)
        return TP_EINVAL;
    pthread_mutex_lock(&pool->control);
    int status = workers == 0 || workers == pool->n_wanted ? TP_EUNCHANGED : job_resize(pool, workers);
    pthread_mutex_unlock(&pool->control);
    return status;
}
