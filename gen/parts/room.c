
/* -- 7 Room -------------------------------------------------------------------------------------
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

/* Room that is not granted. The room lock is held. */
static uint64_t job_room_left(struct job_pool *pool)
{
    uint64_t in_use = pool->granted - job_sum_finished(pool);
    uint64_t capacity = tp_load_rlx(&pool->capacity); /* relaxed: written under the room lock */
    return in_use < capacity ? capacity - in_use : 0;
}

/* Is as much in flight as may be? Accepted is read first, so a true answer was true then; without a
 * lock. The room lock is held for the capacity's sake. */
static bool job_room_is_used(struct job_pool *pool)
{
    uint64_t n_accepted = job_sum_accepted(pool);
    uint64_t capacity = tp_load_rlx(&pool->capacity); /* relaxed: as above */
    return (int64_t)(n_accepted - job_sum_finished(pool) - capacity) >= 0;
}

static void job_room_give(struct job_pool *pool, struct job_lane *lane, uint64_t n)
{
    pool->granted += n;
    tp_spin_lock(&lane->lock);
    lane->credit += n;
    tp_spin_unlock(&lane->lock);
}

/* Gives the lane up to `want` credit. Returns false if the pool is full. */
static bool job_room_grant(struct job_pool *pool, struct job_lane *lane, uint64_t want)
{
    tp_spin_lock(&pool->room_lock);
    uint64_t left = job_room_left(pool);
    if (left == 0 && !job_room_is_used(pool)) { /* some of it is unused credit */
        job_room_reclaim(pool);
        left = job_room_left(pool);
    }
    uint64_t n = left < want ? left : want;
    job_room_give(pool, lane, n);
    tp_spin_unlock(&pool->room_lock);
    return n > 0;
}

/* Finds room for the load's next tasks. Some ahead, to come here rarely. Returns false if the pool
 * is full. */
static bool job_room_find(struct job_pool *pool, const struct job_load *load)
{
    uint64_t want = load->n - load->i;
#if WITH_BLOCK
    /* Relaxed: a hint. While others wait, nobody takes room ahead; a stale look is put right by
     * the next waiter, which takes unused credit back. */
    if (tp_load_rlx(&pool->room[0].n_waiting) > 0)
        return job_room_grant(pool, load->lane, 1);
#endif
    return job_room_grant(pool, load->lane, want > JOB_CREDIT ? want : JOB_CREDIT);
}

/* Pays for one task of the worker's own. Returns false if there is no credit. */
static inline bool job_room_pay(struct job_lane *lane)
{
    tp_spin_lock(&lane->lock);
    bool paid = lane->credit > 0;
    lane->credit -= paid;
    tp_spin_unlock(&lane->lock);
    return paid;
}
