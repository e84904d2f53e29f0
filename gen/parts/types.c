/* -- 1 Payload and slots ------------------------------------------------------------------------
 * A task is its payload, copied into a slot when it is accepted and out of it when it starts.
 * Nothing is allocated per task. Every field says who writes it; fields that two sides write
 * stand on lines of their own. */

enum {
    JOB_WORKERS_MAX = 4096,
    JOB_QUEUE = VALUE_QUEUE, /* slots of a worker's own queue; a power of two */
    JOB_SEGMENT = 64,        /* slots of one segment of a lane */
#if !WITH_LIFO
    JOB_SPARES = 64, /* empty segments that workers give back to a lane, at most */
#endif
    JOB_LANES_MIN = 4,  /* lanes at least; a power of two */
    JOB_LANES_MAX = 64, /* lanes at most; a power of two */
#if WITH_STEALING
    JOB_BATCH = 32, /* tasks a worker takes from a lane at once, at most */
#else
    JOB_BATCH = 1, /* tasks a worker takes from a lane at once: what it has, nobody else can run */
#endif
    JOB_FAIRNESS = 61, /* after so many of its own a worker looks at the lanes first */
    JOB_LOOKS = 5,     /* rounds a searching worker looks, some 25 us, before it sleeps */
    JOB_PAUSES = 16,   /* pauses after the first round; twice as many after each further one */
#if WITH_STEALING
    JOB_STEAL_FIRST = JOB_QUEUE / 2, /* tasks worth a theft in the first round */
#endif
#if WITH_BOUNDED
    JOB_CREDIT = 64 /* room a lane is given at once */
#endif
};

_Static_assert(JOB_BATCH < JOB_FAIRNESS, "a batch is used up before the lanes come first");
_Static_assert(JOB_BATCH <= JOB_SEGMENT, "a batch empties one segment at most");
_Static_assert((JOB_QUEUE & (JOB_QUEUE - 1)) == 0 && JOB_QUEUE >= 2 && JOB_QUEUE <= 16384, "queue: a power of two, 2 to 16384");

struct job_slot {
    VALUE_PAYLOAD payload;
};

/* The one way through a pool's life: open -> closing -> draining [LIFE-1]. */
enum job_life {
    JOB_OPEN,    /* tasks are accepted */
    JOB_CLOSING, /* tasks are refused, but a submitter may still be putting one down */
    JOB_DRAINING /* every accepted task is visible; a worker that finds none leaves */
};

/* A worker's own queue: filled and emptied by its owner. */
struct job_queue {
#if WITH_STEALING
    tp_atomic(uint64_t) cursors; /* done, head and tail in one word; written by owner and thieves */
#else
    uint32_t head, tail;
#endif
    tp_line_aligned struct job_slot slots[JOB_QUEUE];
};

struct job_segment {
    struct job_segment *next;
    struct job_slot slots[JOB_SEGMENT];
};

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
#if WITH_BOUNDED && WITH_STATS
    tp_atomic(uint64_t) n_rejected;
#endif
    /* The workers' side. */
    tp_line_aligned tp_atomic(uint64_t) n_taken; /* tasks ever taken; publishes their slots' reuse */
#if !WITH_LIFO
    struct tp_spin take_lock; /* guards this side */
    uint32_t take_at;         /* next full slot of `take` */
    struct job_segment *take;
    uint32_t n_returned;                      /* segments pushed on `returned` since it was last empty */
    tp_atomic(struct job_segment *) returned; /* pushed by takers, taken whole by submitters */
#endif
};

struct job_worker {
    struct tp_worker base; /* first: a tp_worker of this pool is a job_worker */
    struct job_pool *pool;
    struct job_lane *lane; /* for what does not fit into `queue` */
    uint32_t tick;         /* tasks looked for */
    uint32_t next_lane;    /* where the next look at the lanes begins */
#if WITH_STEALING
    uint32_t random; /* state of the victim order */
#endif
#if WITH_BOUNDED && WITH_BLOCK
    uint32_t nested; /* tasks run inside tasks, now */
#endif
    /* Counters: written by this worker alone, read by everyone who counts [COUNT-1]. */
    tp_line_aligned tp_atomic(uint64_t) n_pushed; /* tasks put into `queue` by its owner's tasks */
    tp_atomic(uint64_t) n_finished;               /* tasks run to their end */
#if WITH_STATS
    tp_atomic(uint64_t) n_started;
    tp_atomic(uint64_t) n_failed;
    tp_atomic(uint64_t) n_parks;
#endif
#if WITH_STATS && WITH_STEALING
    tp_atomic(uint64_t) n_steal_attempts;
    tp_atomic(uint64_t) n_steals;
    tp_atomic(uint64_t) n_stolen;
#endif
#if WITH_STATS && WITH_BOUNDED
    tp_atomic(uint64_t) n_rejected;
#endif
#if WITH_STATS && WITH_BOUNDED && WITH_BLOCK
    tp_atomic(uint64_t) n_nested; /* tasks run inside their submitter; not in the counts above */
#endif
    tp_line_aligned struct job_queue queue;
};

struct job_pool {
    /* Read by everyone, written when the pool is opened or closed. */
    tp_line_aligned tp_atomic(uint32_t) life; /* enum job_life; written by the closing thread */
    uint32_t n_workers;
    uint32_t n_lanes; /* a power of two */
    struct job_worker *workers;
    struct job_lane *lanes;
    struct tp_crew crew;
    struct tp_idle idle;
    struct tp_worker **sleepers;              /* the stack of `idle` */
    tp_line_aligned struct tp_waitlist quiet; /* who waits in job_join_all */
#if WITH_BOUNDED
    uint64_t capacity;
    tp_line_aligned struct tp_spin room_lock; /* taken before any lane's lock, never after */
    uint64_t granted;                         /* room ever given to lanes; guarded by room_lock */
#endif
#if WITH_BOUNDED && WITH_BLOCK
    struct tp_waitlist room; /* submitters that wait for room */
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_WAITING
    tp_atomic(uint32_t) n_blocked; /* submitters in job_room_wait */
#endif
};

/* Adds to a counter that only the calling thread, or the holder of its lock, writes.
 * Release: pairs with the acquire of whoever counts, so that a task's effects are counted first. */
static inline void job_count(tp_atomic(uint64_t) *counter, uint64_t n)
{
    tp_store_rel(counter, tp_load_rlx(counter) + n); /* relaxed: our own writes */
}

/* How many of the tasks in a lane one worker takes: its share, so that the others find some too. */
static inline uint32_t job_share(uint64_t n_there, uint32_t n_workers, uint32_t most)
{
    uint64_t share = n_there / n_workers;
    return n_there > 0 && share == 0 ? 1 : (share < most ? (uint32_t)share : most);
}

/* Segments are aligned for any payload. Memory is asked for and given back outside of all locks. */
static struct job_segment *job_segment_new(void)
{
    struct job_segment *segment = aligned_alloc(alignof(struct job_segment), sizeof *segment);
    if (segment)
        segment->next = NULL;
    return segment;
}

static void job_segments_free(struct job_segment *segment)
{
    while (segment) {
        struct job_segment *next = segment->next;
        free(segment);
        segment = next;
    }
}
