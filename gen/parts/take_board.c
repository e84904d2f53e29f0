
/* -- 12 Taking from the board -------------------------------------------------------------------
 * One visit under the lock: the worker accounts for what it ran, and picks what it runs next. */

/* Lets others see how many tasks are on the board [BOARD-2]. The room lock is held. */
static inline void job_board_tell(struct job_pool *pool)
{
    tp_store_rel(&pool->n_pending, pool->board.n); /* pairs with the looks in job_shared_pending */
}

/* Takes the next task by the pool's policy. */
static bool job_take(struct job_worker *self, struct job_slot *task, uint32_t most)
{
    struct job_pool *pool = self->pool;
    struct job_segment *surplus;
    bool found;
#if WITH_FAIR || WITH_ADAPTIVE
    if (!self->turn.is_running && job_shared_pending(pool) == 0)
        return false;
    uint64_t now_ns = tp_clock_now_ns();
    tp_spin_lock(&pool->room_lock);
    job_board_charge(&pool->board, &self->turn, now_ns);
    found = job_board_pick(&pool->board, &self->turn, now_ns, task);
#else
    if (job_shared_pending(pool) == 0)
        return false;
    tp_spin_lock(&pool->room_lock);
    found = job_board_pick(&pool->board, task);
#endif
#if WITH_RING
    /* Throughput first: some more, for the worker's own queue, from where others may steal. */
    uint64_t share = job_board_mode(&pool->board) == TP_POLICY_FIFO ? pool->board.n / job_n_workers(pool) : 0;
    while (found && share-- > 0 && most-- > 1 && job_queue_room(&self->queue) > 0) {
        struct job_turn none = {0}; /* anew for each: a pick that ends no task cannot end the window, and so the mode */
        if (!job_board_pick(&pool->board, &none, now_ns, job_queue_ahead(&self->queue, 0)))
            break;
        job_queue_publish(&self->queue, 1);
    }
#else
    (void)most;
#endif
    job_board_tell(pool);
    surplus = job_board_surplus(&pool->board);
    tp_spin_unlock(&pool->room_lock);
    job_segments_free(surplus);
    return found;
}
#if WITH_TUNE && WITH_FAIR || WITH_TUNE && WITH_ADAPTIVE

/* Accounts for what the worker ran last; it takes nothing more for now. */
static void job_settle(struct job_worker *self)
{
    struct job_pool *pool = self->pool;
    uint64_t now_ns = tp_clock_now_ns();
    tp_spin_lock(&pool->room_lock);
    job_board_charge(&pool->board, &self->turn, now_ns);
    job_slice_end(&pool->board, &self->turn, now_ns);
    tp_spin_unlock(&pool->room_lock);
}
#endif
