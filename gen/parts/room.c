
/* -- 5 Room -------------------------------------------------------------------------------------
 * The capacity, without a counter that every task writes. Room is given to lanes some at a time,
 * and a lane's credit pays for the tasks it accepts. Invariant [ROOM-1]: tasks in flight plus all
 * credit = granted - finished <= capacity. When nothing is left, unused credit is taken back from
 * every lane, so a task is refused only while the pool is really full [ROOM-2]. */

/* Takes all unused credit back from the lanes. The room lock is held. */
static void job_room_reclaim(struct job_pool *pool)
{
    for (uint32_t i = 0; i < pool->n_lanes; i++) {
        struct job_lane *lane = &pool->lanes[i];
        tp_spin_lock(&lane->lock);
        pool->granted -= lane->credit;
        lane->credit = 0;
        tp_spin_unlock(&lane->lock);
    }
}

static uint64_t job_room_left(struct job_pool *pool)
{
    uint64_t in_use = pool->granted - job_sum_finished(pool);
    return in_use < pool->capacity ? pool->capacity - in_use : 0;
}

/* Gives the lane up to `want` credit. Returns false if the pool is full. */
static bool job_room_grant(struct job_pool *pool, struct job_lane *lane, uint64_t want)
{
    tp_spin_lock(&pool->room_lock);
    uint64_t left = job_room_left(pool);
    if (left == 0) {
        job_room_reclaim(pool);
        left = job_room_left(pool);
    }
    uint64_t n = left < want ? left : want;
    pool->granted += n;
    tp_spin_lock(&lane->lock);
    lane->credit += n;
    tp_spin_unlock(&lane->lock);
    tp_spin_unlock(&pool->room_lock);
    return n > 0;
}

/* How much room to ask for when the lane needs n: some ahead, to come here rarely. */
static inline uint64_t job_room_wanted(struct job_pool *pool, uint64_t n)
{
#if WITH_BLOCK
    /* Relaxed: a hint. While others wait, nobody takes room ahead; a stale look is put right by
     * the next waiter, which takes unused credit back. */
    if (tp_load_rlx(&pool->room.n_waiting) > 0)
        return 1;
#else
    (void)pool;
#endif
    return n > JOB_CREDIT ? n : JOB_CREDIT;
}

/* Pays for one task of the worker's own. Returns false if the pool is full. */
static inline bool job_room_pay(struct job_worker *self)
{
    struct job_pool *pool = self->pool;
    for (;;) {
        tp_spin_lock(&self->lane->lock);
        bool paid = self->lane->credit > 0;
        self->lane->credit -= paid;
        tp_spin_unlock(&self->lane->lock);
        if (paid || !job_room_grant(pool, self->lane, job_room_wanted(pool, 1)))
            return paid;
    }
}
