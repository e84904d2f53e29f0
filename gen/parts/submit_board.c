
/* -- 15 Putting tasks down ----------------------------------------------------------------------
 * All tasks go to the board [BOARD-1]. A task is accepted under the room lock, while the pool's life is seen
 * there as the submitter saw it first [LIFE-2] [LIFE-3]. */

/* Brings the board another segment. Returns false if there is no memory. */
static bool job_board_fetch(struct job_pool *pool)
{
    struct job_segment *segment = job_segment_new();
    if (!segment)
        return false;
    tp_spin_lock(&pool->room_lock);
    job_board_stock(&pool->board, segment);
    tp_spin_unlock(&pool->room_lock);
    return true;
}

/* May the load's next task be accepted? The room lock is held. */
static inline bool job_board_admits(struct job_pool *pool, const struct job_load *load)
{
#if WITH_BOUNDED && WITH_SPILL
    if (load->is_spilled)
        return true;
#endif
#if WITH_BOUNDED
    return job_room_is_left(pool, job_load_class(load));
#else
    (void)pool;
    (void)load;
    return true;
#endif
}

/* Puts down as many of the load's tasks as may be accepted now, and passes them in the load.
 * Returns 0 also if not all went in, or TP_ECLOSED, or TP_ENOMEM if the board lacks a segment. */
static int job_board_accept(struct job_pool *pool, struct job_load *load)
{
    int status = 0;
    size_t first = load->i;
#if WITH_STATS
    job_load_stamp(pool, load, tp_load_rlx(&pool->n_accepted)); /* relaxed: a hint */
#endif
    tp_spin_lock(&pool->room_lock);
    if (!tp_life_same(&pool->life, load->life))
        status = tp_life_refusal(tp_life_look(&pool->life));
    while (status == 0 && load->i < load->n && job_board_admits(pool, load)) {
        struct job_slot task;
        job_load_fill(load, 0, tp_load_rlx(&pool->n_accepted), &task); /* relaxed: written under the lock */
        if (job_board_put(&pool->board, job_load_class(load), &task)) {
            job_count(&pool->n_accepted, 1);
            load->i++;
        } else {
            status = TP_ENOMEM;
        }
    }
    job_board_tell(pool);
    tp_spin_unlock(&pool->room_lock);
    if (load->i > first)
        tp_idle_notify(&pool->idle);
    return status;
}

/* Hands a load to the pool. Returns as job_submit; load->i is how many were accepted. */
static int job_load_put(struct job_pool *pool, struct job_load *load)
{
    int status = 0;
    while (load->i < load->n && status == 0) {
        status = job_board_accept(pool, load);
        if (status == TP_ENOMEM && job_board_fetch(pool)) {
            status = 0;
            continue;
        }
#if WITH_BOUNDED
        if (status == 0 && load->i < load->n && !job_room_find(pool, load))
            status = job_full(pool, load);
#endif
    }
#if WITH_BOUNDED && WITH_BLOCK
    if (status == TP_ENOMEM)
        job_tell_room(pool, 1); /* the room we could not use is there for another */
#endif
    return status;
}
