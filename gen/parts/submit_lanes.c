
/* -- 15 Putting tasks down ----------------------------------------------------------------------
 * A worker's own tasks go to its queue, everybody else's to the lane of the submitting thread.
 * A task is accepted under the lane's lock, while the pool's life is seen there as the submitter
 * saw it first [LIFE-2] [LIFE-3]. */

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

/* Puts down as many of the load's tasks as its lane may accept now, and passes them in the load.
 * Returns 0 also if not all went in, or TP_ECLOSED, or TP_ENOMEM if the lane lacks a segment. */
static inline int job_lane_accept(struct job_pool *pool, struct job_load *load)
{
    struct job_lane *lane = load->lane;
    int status = 0;
    size_t n_put = 0;
#if WITH_STATS
    job_load_stamp(pool, load, tp_load_rlx(&lane->n_put)); /* relaxed: a hint */
#endif
    tp_spin_lock(&lane->lock);
    if (!tp_life_same(&pool->life, load->life)) {
        status = tp_life_refusal(tp_life_look(&pool->life));
    } else {
        size_t n = load->n - load->i;
#if WITH_BOUNDED
        n = n < lane->credit ? n : (size_t)lane->credit;
#endif
        n_put = job_lane_put(lane, load, n);
#if WITH_BOUNDED
        lane->credit -= n_put;
#endif
        if (n_put < n)
            status = TP_ENOMEM;
    }
    tp_spin_unlock(&lane->lock);
    load->i += n_put;
    if (n_put > 0)
        tp_idle_notify(&pool->idle);
    return status;
}

static inline int job_submit_outside(struct job_pool *pool, struct job_load *load)
{
    /* From the last lane down: the first ones are the workers' own. */
    load->lane = &pool->lanes[~tp_thread_index() & (pool->n_lanes - 1)];
    int status = 0;
    while (load->i < load->n && status == 0) {
        status = job_lane_accept(pool, load);
        if (status == TP_ENOMEM && job_lane_stock(load->lane)) {
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
        job_tell_room(pool, 1); /* the credit we could not use is there for another */
#endif
    return status;
}

/* Puts the load's next task into the worker's queue. Returns false if that is full. */
static inline bool job_inside_keep(struct job_worker *self, struct job_load *load)
{
    struct job_queue *queue = &self->queue;
    if (job_queue_room(queue) == 0)
        return false;
#if WITH_STATS
    job_load_stamp(self->pool, load, tp_load_rlx(&self->n_pushed)); /* relaxed: our own */
#endif
    uint64_t serial = tp_load_rlx(&self->n_pushed); /* relaxed: our own */
    job_count(&self->n_pushed, 1);                  /* before a thief can finish it [COUNT-1] */
#if WITH_NEWEST
    struct job_slot task;
    job_load_fill(load, 0, serial, &task);
    if (job_newest_put(self, &task))
        return true;
    *job_queue_ahead(queue, 0) = task;
#else
    job_load_fill(load, 0, serial, job_queue_ahead(queue, 0));
#endif
    job_queue_publish(queue, 1);
    return true;
}

/* Puts the load's next task into the worker's queue, or into its lane if the queue is full. */
static inline int job_inside_put(struct job_worker *self, struct job_load *load)
{
    if (job_inside_keep(self, load))
        return 0;
    do {
        tp_spin_lock(&self->lane->lock);
        size_t n_put = job_lane_put(self->lane, load, 1);
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
    job_tell_room(self->pool, 1); /* it is there for another */
#endif
    return TP_ENOMEM;
}

static inline int job_submit_inside(struct job_worker *self, struct job_load *load)
{
    struct job_pool *pool = self->pool;
    size_t n_put = 0;
    int status = 0;
    load->lane = self->lane;
    while (load->i < load->n && status == 0) {
        /* This worker drains what it accepts; it need not see the close at once. */
        if (!tp_life_same(&pool->life, load->life)) {
            status = tp_life_refusal(tp_life_look(&pool->life));
            break;
        }
#if WITH_BOUNDED
        if (!job_room_pay(self->lane)) {
            if (!job_room_find(pool, load)) {
                if (n_put > 0) /* first: a task that is run here may wait for these */
                    tp_idle_notify(&pool->idle);
                n_put = 0;
                status = job_full(pool, load);
            }
            continue;
        }
#endif
        status = job_inside_put(self, load);
        n_put += status == 0;
        load->i += status == 0;
    }
    if (n_put > 0)
        tp_idle_notify(&pool->idle);
    return status;
}

/* Hands a load to the pool. Returns as job_submit; load->i is how many were accepted. */
static inline int job_load_put(struct job_pool *pool, struct job_load *load)
{
    struct job_worker *self = job_self(pool);
    return self ? job_submit_inside(self, load) : job_submit_outside(pool, load);
}
