
/* -- 3 Inject lanes -----------------------------------------------------------------------------
 * How tasks come in from outside: a chain of segments with one side for submitters and one for
 * workers, each under its own lock, so that the two never write the same line per task. `n_put`
 * hands the filled slots over [LANE-1]. Tasks of one lane start in the order they were put; a
 * thread keeps its lane, so its own tasks do. Between lanes there is no order. */

/* Where submitters put tasks and workers take them; a thread always uses the same lane. */
struct job_lane {
    /* The submitters' side, guarded by `lock`. */
    tp_line_aligned struct tp_spin lock;
    uint32_t put_at; /* next free slot of `put` */
    struct job_segment *put;
    struct job_segment *spares; /* empty segments, kept */
    tp_atomic(uint64_t) n_put;  /* tasks ever put; publishes their slots */
#if WITH_BOUNDED
    uint64_t credit; /* tasks this lane may still accept [ROOM-1] */
#endif
    /* The workers' side. */
    tp_line_aligned tp_atomic(uint64_t) n_taken; /* tasks ever taken; publishes their slots' reuse */
    struct tp_spin take_lock;                    /* guards this side */
    uint32_t take_at;                            /* next full slot of `take` */
    struct job_segment *take;
    uint32_t n_returned;                      /* segments pushed on `returned` since it was last empty */
    tp_atomic(struct job_segment *) returned; /* pushed by takers, taken whole by submitters */
};

/* How many of the tasks in a lane one worker takes: its share, so that the others find some too. */
static inline uint32_t job_share(uint64_t n_there, uint32_t n_workers, uint32_t most)
{
    uint64_t share = n_there / n_workers;
    return n_there > 0 && share == 0 ? 1 : (share < most ? (uint32_t)share : most);
}

static int job_lane_init(struct job_lane *lane)
{
    struct job_segment *segment = job_segment_new();
    if (!segment)
        return TP_ENOMEM;
    tp_spin_init(&lane->lock);
    tp_spin_init(&lane->take_lock);
    lane->put = lane->take = segment;
    lane->spares = NULL;
    lane->put_at = lane->take_at = lane->n_returned = 0;
    tp_atomic_init(&lane->returned, NULL);
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
    job_segments_free(lane->take);
    job_segments_free(lane->spares);
    job_segments_free(tp_load_rlx(&lane->returned)); /* relaxed: the workers have been reaped */
}

/* Tasks there to take. Any thread; never negative, because n_taken follows n_put. */
static inline uint64_t job_lane_length(struct job_lane *lane)
{
    /* Sequentially consistent: one side of "publish, then look for sleepers" [IDLE-2]. */
    uint64_t n_taken = tp_load_sc(&lane->n_taken);
    return tp_load_sc(&lane->n_put) - n_taken;
}

/* Appends an empty segment, kept or given back by workers. Returns false if there is none. */
static bool job_lane_grow(struct job_lane *lane)
{
    if (!lane->spares)
        lane->spares = tp_swap_acq(&lane->returned, NULL); /* pairs with the exchange in job_lane_return */
    struct job_segment *segment = lane->spares;
    if (!segment)
        return false;
    lane->spares = segment->next;
    segment->next = NULL;
    lane->put->next = segment; /* read by takers after n_put has passed it [LANE-1] */
    lane->put = segment;
    lane->put_at = 0;
    return true;
}

/* Puts the next n tasks of a load down and publishes them. The lane's lock is held.
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
    job_count(&lane->n_put, i); /* release: pairs with the acquire in job_lane_take [LANE-1] */
    return i;
}

/* Gives an emptied segment back to the submitters' side. Returns it if enough are kept there. */
static struct job_segment *job_lane_return(struct job_lane *lane, struct job_segment *segment)
{
    struct job_segment *top = tp_load_rlx(&lane->returned); /* relaxed: the exchange decides */
    do {
        lane->n_returned = top ? lane->n_returned : 0;
        if (lane->n_returned >= JOB_SPARES)
            return segment;
        segment->next = top;
        /* Losing means that a submitter took them all: the stack is empty now [LANE-2]. */
    } while (!tp_cas_sc(&lane->returned, &top, segment));
    lane->n_returned++;
    return NULL;
}

/* Takes the oldest tasks, one of `n_sharers` shares but at most `most`: the first to *task, the
 * rest into the taker's own queue; NULL for a single task. Returns how many; 0 also if another worker is taking. */
static uint32_t job_lane_take(struct job_lane *lane, struct job_queue *own, uint32_t n_sharers, struct job_slot *task, uint32_t most)
{
    if (!tp_spin_try_lock(&lane->take_lock))
        return 0;
    uint64_t n_taken = tp_load_rlx(&lane->n_taken);         /* relaxed: written under this lock */
    uint64_t n_there = tp_load_acq(&lane->n_put) - n_taken; /* pairs with the release in job_lane_put */
    uint32_t room = 1 + (own ? job_queue_room(own) : 0);
    uint32_t n = job_share(n_there, n_sharers, most < room ? most : room);
    struct job_segment *surplus = NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (lane->take_at == JOB_SEGMENT) {
            struct job_segment *empty = lane->take;
            lane->take = empty->next;
            lane->take_at = 0;
            surplus = job_lane_return(lane, empty);
        }
        *(i == 0 ? task : job_queue_ahead(own, i - 1)) = lane->take->slots[lane->take_at++];
    }
    if (n > 1)
        job_queue_publish(own, n - 1);
    job_count(&lane->n_taken, n);
    tp_spin_unlock(&lane->take_lock);
    free(surplus);
    return n;
}
