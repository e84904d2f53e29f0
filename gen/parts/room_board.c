
/* -- 7 Room -------------------------------------------------------------------------------------
 * The capacity, under the board's lock: tasks accepted less tasks over. What is over is a sum, made
 * again only when the pool looks full, so a task is refused only while it really is [ROOM-2]. */

/* How many tasks may be in flight for one more of this class to be accepted. */
static inline uint64_t job_room_limit(struct job_pool *pool, unsigned class_)
{
    uint64_t capacity = tp_load_rlx(&pool->capacity); /* relaxed: written under the room lock */
#if WITH_PRIORITY
    uint64_t more = class_ == 0 ? JOB_EXCEED : (class_ == JOB_CLASSES - 1 ? JOB_PENDING : 0);
    capacity += more < UINT64_MAX - capacity ? more : 0;
#else
    (void)class_;
#endif
    return capacity;
}

/* Is there room for one more? The room lock is held. */
static bool job_room_is_left(struct job_pool *pool, unsigned class_)
{
    uint64_t limit = job_room_limit(pool, class_);
    uint64_t n_accepted = tp_load_rlx(&pool->n_accepted); /* relaxed: written under the room lock */
    if (n_accepted - pool->finished_seen >= limit)
        pool->finished_seen = job_sum_finished(pool);
    return n_accepted - pool->finished_seen < limit;
}

/* Is there room for the load's next task? */
static bool job_room_find(struct job_pool *pool, const struct job_load *load)
{
    tp_spin_lock(&pool->room_lock);
    bool found = job_room_is_left(pool, job_load_class(load));
    tp_spin_unlock(&pool->room_lock);
    return found;
}
