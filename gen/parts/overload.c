
/* -- 14 Overload --------------------------------------------------------------------------------
 * What happens to a task when the pool is full. Each function deals with the load's next task and
 * returns 0 if the submitter is to go on, else the error that it gets; load->i passes a task that
 * was dealt with. Nothing here holds a lock while it runs, drops or waits. */

#if WITH_BLOCK || WITH_CALLER_RUNS
/* The submitter runs the task. It is never in flight, so neither room nor quiet counts it. */
static int job_full_run(struct job_pool *pool, struct job_load *load)
{
    if (tp_run_depth(pool) >= JOB_NESTED_MAX + (job_self(pool) != NULL))
        return TP_EFULL;
    struct job_slot task;
    job_load_fill(load, 0, 0, &task);
    load->i++;
    if (job_run_here(pool, &task))
        tp_add_rlx(&pool->n_here, 1); /* relaxed: a number on its own */
    return 0;
}
#endif
#if WITH_BLOCK

/* The submitter waits; a task of the pool does not, since it could wait for itself: it runs the task. */
static int job_full_block(struct job_pool *pool, struct job_load *load)
{
    return tp_run_depth(pool) > 0 ? job_full_run(pool, load) : job_room_wait(pool, load);
}
#endif
#if WITH_DROP_OLDEST

/* The oldest pending task makes room, but none of a higher class, and none in vain: with more in
 * flight than the load's class may have, one task less is not enough. */
static int job_full_drop_oldest(struct job_pool *pool, struct job_load *load)
{
    struct job_slot task;
    bool found = false;
    unsigned class_ = job_load_class(load);
    tp_spin_lock(&pool->room_lock);
    bool is_left = job_room_is_left(pool, class_);                             /* there was none a moment ago */
    uint64_t in_flight = tp_load_rlx(&pool->n_accepted) - pool->finished_seen; /* relaxed: written under the lock */
    for (unsigned c = class_; c < JOB_CLASSES; c++)
        found = found || pool->board.shelves[c].n > 0;
    found = found && !is_left && in_flight == job_room_limit(pool, class_) && job_board_drop(&pool->board, &task);
    job_board_tell(pool);
    struct job_segment *surplus = job_board_surplus(&pool->board);
    tp_spin_unlock(&pool->room_lock);
    job_segments_free(surplus);
    if (!found)
        return is_left ? 0 : TP_EFULL;
    job_discard(pool, &task, TP_TASK_DROPPED);
    job_gone(pool, 1);
    return 0;
}
#endif
#if WITH_DROP_NEWEST

/* The task itself is dropped. */
static int job_full_drop_newest(struct job_pool *pool, struct job_load *load)
{
#endif
#if WITH_DROP_NEWEST && WITH_DROPPED
    VALUE_DROPPED(load->payloads[load->i]);
#endif
#if WITH_DROP_NEWEST
    (void)pool;
    (void)load;
    return TP_EDROPPED;
}
#endif
#if WITH_SPILL

/* The task is accepted all the same. */
static int job_full_spill(struct job_pool *pool, struct job_load *load)
{
    load->is_spilled = true;
#endif
#if WITH_SPILL && !WITH_BOARD
    tp_spin_lock(&pool->room_lock);
    job_room_give(pool, load->lane, load->n - load->i);
    tp_spin_unlock(&pool->room_lock);
#endif
#if WITH_SPILL && WITH_BOARD
    (void)pool;
#endif
#if WITH_SPILL
    return 0;
}
#endif

/* The pool is full: deals with the load's next task as configured. */
static int job_full(struct job_pool *pool, struct job_load *load)
{
#if WITH_OPS
    if (load->is_offer)
        return TP_EFULL;
#endif
#if WITH_ANY
    switch (pool->settings.overload) {
    case TP_OVERLOAD_REJECT:
        return TP_EFULL;
    case TP_OVERLOAD_CALLER_RUNS:
        return job_full_run(pool, load);
    case TP_OVERLOAD_DROP_NEWEST:
        return job_full_drop_newest(pool, load);
    case TP_OVERLOAD_SPILL:
        return job_full_spill(pool, load);
    case TP_OVERLOAD_DROP_OLDEST:
#endif
#if WITH_ANY && WITH_BOARD
        return job_full_drop_oldest(pool, load);
#endif
#if WITH_ANY
    default:
        return job_full_block(pool, load);
    }
#endif
#if WITH_BLOCK && !WITH_ANY
    return job_full_block(pool, load);
#endif
#if WITH_REJECT && !WITH_ANY
    (void)pool;
    (void)load;
    return TP_EFULL;
#endif
#if WITH_CALLER_RUNS && !WITH_ANY
    return job_full_run(pool, load);
#endif
#if WITH_DROP_OLDEST && !WITH_ANY
    return job_full_drop_oldest(pool, load);
#endif
#if WITH_DROP_NEWEST && !WITH_ANY
    return job_full_drop_newest(pool, load);
#endif
#if WITH_SPILL && !WITH_ANY
    return job_full_spill(pool, load);
#endif
}
