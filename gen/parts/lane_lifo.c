
/* -- 3 Inject lanes -----------------------------------------------------------------------------
 * How tasks come in from outside: a stack of segments under one lock. Workers take the newest
 * tasks, several at a time. A thread keeps its lane; between lanes there is no order. */

/* Where submitters put tasks and workers take them; a thread always uses the same lane. */
struct job_lane {
    tp_line_aligned struct tp_spin lock; /* guards all of it */
    uint32_t put_at;                     /* next free slot of `put` */
    struct job_segment *put;             /* the topmost segment */
    struct job_segment *spares;          /* empty segments, kept */
    tp_atomic(uint64_t) n_put;           /* tasks ever put; read by who counts */
    tp_atomic(uint64_t) n_taken;         /* tasks ever taken; likewise */
#if WITH_BOUNDED
    uint64_t credit; /* tasks this lane may still accept [ROOM-1] */
#endif
};

/* How many of the tasks in a lane one worker takes: its share, so that the others find some too. */
static inline uint32_t job_share(uint64_t n_there, uint32_t n_workers, uint32_t most)
{
    uint64_t share = n_there / n_workers;
    return n_there > 0 && share == 0 ? 1 : (share < most ? (uint32_t)share : most);
}

static int job_lane_init(struct job_lane *lane)
{
    lane->put = job_segment_new();
    if (!lane->put)
        return TP_ENOMEM;
    lane->spares = NULL;
    lane->put_at = 0;
    tp_spin_init(&lane->lock);
    tp_atomic_init(&lane->n_put, 0);
    tp_atomic_init(&lane->n_taken, 0);
#if WITH_BOUNDED
    lane->credit = 0;
#endif
    return 0;
}

/* Nobody else touches the lane any more. */
static void job_lane_free(struct job_lane *lane)
{
    job_segments_free(lane->put);
    job_segments_free(lane->spares);
}

/* Tasks there to take. Any thread; never negative, because n_taken follows n_put. */
static inline uint64_t job_lane_length(struct job_lane *lane)
{
    /* Sequentially consistent: one side of "publish, then look for sleepers" [IDLE-2]. */
    uint64_t n_taken = tp_load_sc(&lane->n_taken);
    return tp_load_sc(&lane->n_put) - n_taken;
}

/* Puts a kept segment on top. Returns false if there is none. */
static bool job_lane_grow(struct job_lane *lane)
{
    struct job_segment *segment = lane->spares;
    if (!segment)
        return false;
    lane->spares = segment->next;
    segment->next = lane->put;
    lane->put = segment;
    lane->put_at = 0;
    return true;
}

/* Puts the next n tasks of a load down. The lane's lock is held.
 * Returns how many; fewer only if the lane has no segment left, see job_lane_stock. */
static inline size_t job_lane_put(struct job_lane *lane, const struct job_load *load, size_t n)
{
    uint64_t n_put = tp_load_rlx(&lane->n_put); /* relaxed: written under the lock */
    size_t i;
    for (i = 0; i < n; i++) {
        if (lane->put_at == JOB_SEGMENT && !job_lane_grow(lane))
            break;
        job_load_fill(load, i, n_put + i, &lane->put->slots[lane->put_at++]);
    }
    job_count(&lane->n_put, i);
    return i;
}

/* Takes the newest task into *task. The lane's lock is held and the lane not empty.
 * Returns an emptied segment if one is kept already, else NULL. */
static inline struct job_segment *job_lane_pop(struct job_lane *lane, struct job_slot *task)
{
    struct job_segment *surplus = NULL;
    if (lane->put_at == 0) {
        struct job_segment *empty = lane->put;
        lane->put = empty->next;
        lane->put_at = JOB_SEGMENT;
        if (lane->spares) {
            surplus = empty;
        } else {
            empty->next = NULL;
            lane->spares = empty;
        }
    }
    *task = lane->put->slots[--lane->put_at];
    return surplus;
}

/* Takes the newest tasks, one of `n_sharers` shares but at most `most`: the newest to *task, the
 * rest into the taker's own queue, or NULL for a single task, so that it pops the newest of them first. Returns how many. */
static uint32_t job_lane_take(struct job_lane *lane, struct job_queue *own, uint32_t n_sharers, struct job_slot *task, uint32_t most)
{
    tp_spin_lock(&lane->lock);
    /* Relaxed: both are written under this lock. */
    uint64_t n_there = tp_load_rlx(&lane->n_put) - tp_load_rlx(&lane->n_taken);
    uint32_t room = 1 + (own ? job_queue_room(own) : 0);
    uint32_t n = job_share(n_there, n_sharers, most < room ? most : room);
    struct job_segment *surplus = NULL;
    for (uint32_t i = 0; i < n; i++) {
        struct job_segment *empty = job_lane_pop(lane, i == 0 ? task : job_queue_ahead(own, n - 1 - i));
        surplus = empty ? empty : surplus;
    }
    if (n > 1)
        job_queue_publish(own, n - 1);
    job_count(&lane->n_taken, n);
    tp_spin_unlock(&lane->lock);
    free(surplus);
    return n;
}
