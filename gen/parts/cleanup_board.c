
/* -- 18 Clean-up and help -----------------------------------------------------------------------
 * Threads that are not the pool's workers take tasks from the board, to run or to cancel them. */

/* Takes the next task by the pool's policy. Returns false if there is none. */
static bool job_help_take(struct job_pool *pool, struct job_slot *task)
{
#if WITH_FAIR || WITH_ADAPTIVE
    struct job_turn turn = {0};
    uint64_t now_ns = tp_clock_now_ns();
#endif
    tp_spin_lock(&pool->room_lock);
#if WITH_FAIR || WITH_ADAPTIVE
    bool found = job_board_pick(&pool->board, &turn, now_ns, task);
    job_board_charge(&pool->board, &turn, now_ns);
#else
    bool found = job_board_pick(&pool->board, task);
#endif
    job_board_tell(pool);
    struct job_segment *surplus = job_board_surplus(&pool->board);
    tp_spin_unlock(&pool->room_lock);
    job_segments_free(surplus);
#if WITH_RING
    uint32_t n_workers = job_n_workers(pool); /* what workers took with them */
    for (uint32_t i = 0; !found && i < n_workers; i++)
        found = job_queue_steal(&pool->workers[i].queue, NULL, task, 1) > 0;
#endif
    return found;
}

size_t job_process_pending(struct job_pool *pool, size_t n)
{
    size_t n_run = 0;
    struct job_slot task;
    if (job_is_forked(pool))
        return 0;
    while (n_run < n && tp_load_rlx(&pool->stop) == 0 && job_help_take(pool, &task)) { /* relaxed: as in job_begin */
        if (job_run_here(pool, &task)) {
#if WITH_STATS
            tp_add_rlx(&pool->n_helped, 1); /* relaxed: job_gone publishes it */
#endif
            n_run++;
        }
        job_gone(pool, 1);
    }
    return n_run;
}

size_t job_pool_cleanup(struct job_pool *pool)
{
    size_t n = 0;
    struct job_slot task;
    if (job_is_forked(pool))
        return 0;
    while (job_help_take(pool, &task)) {
        job_discard(pool, &task, TP_TASK_CANCELLED);
        job_gone(pool, 1);
        n++;
    }
    tp_spin_lock(&pool->room_lock);
    struct job_segment *spares = pool->board.spares;
    pool->board.spares = NULL;
    pool->board.n_spares = 0;
    tp_spin_unlock(&pool->room_lock);
    job_segments_free(spares);
    return n;
}
