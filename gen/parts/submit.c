
/* -- 10 Submit ----------------------------------------------------------------------------------
 * A worker's own tasks go to its queue, everybody else's to the lane of the submitting thread.
 * A task is accepted under the lane's lock, while the pool is seen open there [LIFE-2]. */

/* Brings the lane another segment. Returns false if there is no memory. */
static bool job_lane_stock(struct job_lane *lane)
{
    struct job_segment *segment = job_segment_new();
    if (!segment)
        return false;
    tp_spin_lock(&lane->lock);
    segment->next = lane->spares;
    lane->spares = segment;
    tp_spin_unlock(&lane->lock);
    return true;
}

/* Puts down as many of the n tasks as the lane may accept now.
 * Returns 0 with *n_put possibly less than n, or TP_ECLOSED, or TP_ENOMEM if it lacks a segment. */
static inline int job_lane_accept(struct job_pool *pool, struct job_lane *lane, VALUE_PAYLOAD const *payloads, size_t n, size_t *n_put)
{
    int status = 0;
    *n_put = 0;
    tp_spin_lock(&lane->lock);
    if (tp_load_rlx(&pool->life) != JOB_OPEN) { /* relaxed: ordered by the lane's lock [LIFE-2] */
        status = TP_ECLOSED;
    } else {
#if WITH_BOUNDED
        n = n < lane->credit ? n : (size_t)lane->credit;
#endif
        *n_put = job_lane_put(lane, payloads, n);
#if WITH_BOUNDED
        lane->credit -= *n_put;
#endif
        if (*n_put < n)
            status = TP_ENOMEM;
    }
    tp_spin_unlock(&lane->lock);
    if (*n_put > 0)
        tp_idle_notify(&pool->idle);
    return status;
}

static inline int job_submit_outside(struct job_pool *pool, VALUE_PAYLOAD const *payloads, size_t n, size_t *n_accepted)
{
    /* From the last lane down: the first ones are the workers' own. */
    struct job_lane *lane = &pool->lanes[~tp_thread_index() & (pool->n_lanes - 1)];
    int status = 0;
    size_t n_put;
    *n_accepted = 0;
    while (*n_accepted < n && status == 0) {
        status = job_lane_accept(pool, lane, payloads + *n_accepted, n - *n_accepted, &n_put);
        *n_accepted += n_put;
        if (status == TP_ENOMEM && job_lane_stock(lane)) {
            status = 0;
            continue;
        }
#if WITH_BOUNDED && WITH_BLOCK
        if (status == 0 && *n_accepted < n)
            status = job_room_wait(pool, lane, n - *n_accepted);
#endif
#if WITH_BOUNDED && !WITH_BLOCK
        if (status == 0 && *n_accepted < n && !job_room_grant(pool, lane, job_room_wanted(pool, n - *n_accepted)))
            status = TP_EFULL;
#endif
    }
#if WITH_BOUNDED && WITH_BLOCK
    if (status == TP_ENOMEM)
        tp_waitlist_notify(&pool->room, 1); /* the credit we could not use is there for another */
#endif
#if WITH_BOUNDED && WITH_STATS
    if (status == TP_EFULL || status == TP_ETIMEDOUT) {
        tp_spin_lock(&lane->lock);
        job_count(&lane->n_rejected, n - *n_accepted);
        tp_spin_unlock(&lane->lock);
    }
#endif
    return status;
}

/* Puts one task into the worker's queue, or into its lane if the queue is full. */
static inline int job_inside_put(struct job_worker *self, VALUE_PAYLOAD const *payload)
{
    struct job_queue *queue = &self->queue;
    if (job_queue_room(queue) > 0) {
        job_queue_ahead(queue, 0)->payload = *payload;
        job_count(&self->n_pushed, 1); /* before a thief can finish it [COUNT-1] */
        job_queue_publish(queue, 1);
        return 0;
    }
    do {
        tp_spin_lock(&self->lane->lock);
        size_t n_put = job_lane_put(self->lane, payload, 1);
        tp_spin_unlock(&self->lane->lock);
        if (n_put == 1)
            return 0;
    } while (job_lane_stock(self->lane));
#if WITH_BOUNDED
    tp_spin_lock(&self->lane->lock);
    self->lane->credit++; /* paid for what was not put down [ROOM-1] */
    tp_spin_unlock(&self->lane->lock);
#endif
#if WITH_BOUNDED && WITH_BLOCK
    tp_waitlist_notify(&self->pool->room, 1); /* it is there for another */
#endif
    return TP_ENOMEM;
}

static inline int job_submit_inside(struct job_worker *self, VALUE_PAYLOAD const *payloads, size_t n, size_t *n_accepted)
{
    struct job_pool *pool = self->pool;
    int status = 0;
    size_t i = 0;
    while (i < n && status == 0) {
        /* Relaxed: this worker drains what it accepts; it need not see the close at once. */
        if (tp_load_rlx(&pool->life) != JOB_OPEN)
            status = TP_ECLOSED;
#if WITH_BOUNDED && WITH_BLOCK
        else if (!job_room_pay(self))
            status = job_run_nested(self, &payloads[i]);
#endif
#if WITH_BOUNDED && !WITH_BLOCK
        else if (!job_room_pay(self))
            status = TP_EFULL;
#endif
        else
            status = job_inside_put(self, &payloads[i]);
        i += status == 0;
    }
    *n_accepted = i;
#if WITH_BOUNDED && WITH_STATS
    if (status == TP_EFULL)
        job_count(&self->n_rejected, n - i);
#endif
    if (i > 0)
        tp_idle_notify(&pool->idle);
    return status;
}

int job_submit(struct job_pool *pool, VALUE_PAYLOAD payload)
{
    size_t n_accepted;
    struct job_worker *self = job_self(pool);
    return self ? job_submit_inside(self, &payload, 1, &n_accepted) : job_submit_outside(pool, &payload, 1, &n_accepted);
}

int job_submit_batch(struct job_pool *pool, VALUE_PAYLOAD const *payloads, size_t n, size_t *n_accepted)
{
    size_t n_done = 0;
    struct job_worker *self = job_self(pool);
    int status = self ? job_submit_inside(self, payloads, n, &n_done) : job_submit_outside(pool, payloads, n, &n_done);
    if (n_accepted)
        *n_accepted = n_done;
    return status;
}
