
/* -- 5 Workers and pool -------------------------------------------------------------------------
 * What a worker and the pool remember. Every field says who writes it; what several threads write
 * stands on lines of its own. */

#if WITH_NEWEST
/* Where a worker keeps its newest child; also a thief may take it. */
enum job_newest_state {
    JOB_NEWEST_EMPTY, /* the owner may fill it */
    JOB_NEWEST_FULL,  /* whoever moves it to BUSY copies the task */
    JOB_NEWEST_BUSY   /* being copied, or filled by the owner */
};

#endif
struct job_worker {
    struct tp_worker base; /* first: a tp_worker of this pool is a job_worker */
    struct tp_run run;     /* the task it runs, as tp_panic and tp_task_check see it */
    struct job_pool *pool;
    struct job_slot task; /* the task it runs, or ran last */
    uint32_t tick;        /* tasks looked for */
#if WITH_FORKS
    struct tp_branch *branch; /* of another worker's task, to run next; else NULL */
#endif
#if WITH_COROUTINE
    uint32_t n_takes; /* looks at what is there for any worker */
#endif
#if WITH_PINNED
    uint32_t n_pinned; /* tasks that it has begun and not ended: they go on here only */
#endif
#if !WITH_BOARD
    uint32_t next_lane;    /* where the next look at the lanes begins */
    struct job_lane *lane; /* for what does not fit into `queue` */
#endif
#if WITH_RING && WITH_STEALING
    uint32_t random; /* state of the victim order */
#endif
#if WITH_FAIR || WITH_ADAPTIVE
    struct job_turn turn; /* the class it serves */
#endif
#if WITH_STATS
    uint32_t stride;     /* one task in so many is timed */
    uint64_t started_ns; /* when the task started, if it is timed */
    bool is_timed;       /* its end is timed too */
    bool is_busy;        /* counted in n_busy */
#endif
#if WITH_STATS && WITH_COROUTINE
    uint32_t n_to_measured; /* tasks it begins before one whose stack is measured */
#endif
#if WITH_NEWEST
    uint32_t n_newest;                                /* newest children run in a row */
    tp_line_aligned tp_atomic(uint32_t) newest_state; /* enum job_newest_state; by owner and thieves */
    struct job_slot newest;
#endif
#if WITH_PINNED
    tp_line_aligned struct tp_fiber_list ready; /* of its tasks, those that may go on; filled by who wakes them */
#endif
    /* Counters: written by this worker alone, read by everyone who counts [COUNT-1]. */
    tp_line_aligned tp_atomic(uint64_t) n_finished; /* tasks that are over */
#if WITH_RING && !WITH_BOARD
    tp_atomic(uint64_t) n_pushed; /* tasks put into `queue` by its owner's tasks */
#endif
#if WITH_TIMEOUT
    tp_atomic(uint64_t) n_begun;  /* tasks begun and ended: odd while one runs, which has this serial */
    uint64_t seen_begun, seen_ns; /* the keeper's: what it saw last, and since when */
#endif
#if WITH_TIMEOUT && WITH_TRACKING
    tp_atomic(uint64_t) begun_id; /* the running task's, for the keeper */
#endif
#if WITH_STATS
    tp_atomic(uint64_t) n_failed;
    tp_atomic(uint64_t) n_panicked;
    tp_atomic(uint64_t) n_timed_out;
    tp_atomic(uint64_t) n_parks;
    tp_atomic(uint64_t) task_ns;
    struct tp_histogram_live latency;
#endif
#if WITH_STATS && WITH_RING && WITH_STEALING
    tp_atomic(uint64_t) n_steal_attempts;
    tp_atomic(uint64_t) n_steals;
    tp_atomic(uint64_t) n_stolen;
#endif
#if WITH_COROUTINE
    struct tp_fiber_cache fibers; /* that its tasks have left */
#endif
#if WITH_RING
    tp_line_aligned struct job_queue queue;
#endif
};

struct job_pool {
    /* Read by everyone, written when the pool is opened, tuned or closed. */
    tp_line_aligned struct tp_life life;
    tp_atomic(uint32_t) stop;      /* non-zero: tasks are to end, see tp_task_check; by who cancels */
    tp_atomic(uint32_t) n_workers; /* worker records in use; only grows; by open and tune */
    uint32_t n_records;            /* worker records there are */
    struct job_worker *workers;
    struct tp_worker **sleepers; /* room for all of them, for `idle` */
#if !WITH_BOARD
    uint32_t n_lanes; /* a power of two */
    struct job_lane *lanes;
#endif
    struct tp_pool_settings settings; /* as opened */
#if WITH_AFFINITY
    struct tp_cpu_mask cpus; /* of who opened it; read by workers as they begin */
#endif
#if WITH_BOUNDED
    tp_atomic(uint64_t) capacity; /* by open and tune, under room_lock */
#endif
#if WITH_TRACKING
    struct tp_track track;
#endif
#if WITH_COROUTINE
    struct tp_fibers fibers;
#endif
#if WITH_FORKS
    struct tp_forks forks;
#endif
#if WITH_OPS
    struct tp_roll_entry roll; /* by which who looks at all pools finds this one */
#endif
    struct tp_crew crew;
    struct tp_idle idle;
    tp_line_aligned struct tp_waitlist quiet; /* who waits in job_join_all */
    pthread_mutex_t control;                  /* taken by open, reopen, tune and close's last steps */
    tp_atomic(uint32_t) n_closing;            /* threads in job_close, any number */
    /* Tasks that were not run by a worker of this pool, but by who submitted or cleaned up. */
    tp_atomic(uint64_t) n_here; /* never in flight: the submitter ran them */
    tp_atomic(uint64_t) n_gone; /* accepted, then dropped or cleaned up: over */
#if WITH_BOARD
    tp_line_aligned struct tp_spin room_lock; /* guards the board and the fields down to n_pending */
    struct job_board board;
    tp_atomic(uint64_t) n_accepted; /* tasks ever put on the board; read by who counts */
    tp_atomic(uint64_t) n_pending;  /* tasks on the board; read by workers that look for some */
#endif
#if WITH_BOARD && WITH_BOUNDED
    uint64_t finished_seen; /* finished tasks, when that was last summed */
#endif
#if !WITH_BOARD && WITH_BOUNDED
    tp_line_aligned struct tp_spin room_lock; /* taken before any lane's lock, never after */
    uint64_t granted;                         /* room ever given to lanes; guarded by room_lock */
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_CLASSES
    struct tp_waitlist room[JOB_CLASSES]; /* submitters that wait for room */
#endif
#if WITH_BOUNDED && WITH_BLOCK && !WITH_CLASSES
    struct tp_waitlist room[1]; /* submitters that wait for room */
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_WAITING
    tp_atomic(uint32_t) n_blocked; /* submitters in job_room_wait */
#endif
#if WITH_TUNE
    uint32_t n_wanted; /* workers that shall be; guarded by control */
#endif
#if WITH_KEEPER
    struct tp_keeper keeper;
#endif
#if WITH_AUTO
    uint32_t n_idle_looks;  /* of the monitor, in a row, that found an idle worker; guarded by control */
    struct job_diary diary; /* what it decided; guarded by control */
#endif
#if WITH_STATS
    tp_atomic(uint64_t) n_rejected;
    tp_atomic(uint64_t) n_dropped;
    tp_atomic(uint64_t) n_helped;
    tp_atomic(uint64_t) n_here_failed;
    tp_atomic(uint64_t) n_here_panicked;
    tp_atomic(uint32_t) n_busy, most_busy; /* workers that run tasks; by workers as that changes */
    /* When the pool was last opened or reopened, and tasks over then; written there. */
    tp_atomic(uint64_t) gone_before, run_before, opened_ns;
#endif
#if WITH_STATS && WITH_COROUTINE
    tp_atomic(uint64_t) stack_high_water; /* the greatest of the tasks measured; by workers, seldom */
#endif
};

/* Is this a copy of a pool whose threads are in another process? Then its locks may be held for ever
 * by threads that are not here, and no call may take one. */
static inline bool job_is_forked(struct job_pool *pool)
{
    return tp_life_state(tp_life_look(&pool->life)) == TP_LIFE_FORKED;
}

/* Makes the first n worker records known to everyone who counts. By open and tune. */
static void job_workers_use(struct job_pool *pool, uint32_t n)
{
    if (n > tp_load_rlx(&pool->n_workers)) /* relaxed: our own */
        tp_store_rel(&pool->n_workers, n); /* pairs with the acquire in job_n_workers */
}

/* The worker records in use. */
static inline uint32_t job_n_workers(struct job_pool *pool)
{
    return tp_load_acq(&pool->n_workers); /* pairs with the release in job_workers_use: they are filled */
}

#if WITH_STATS
/* Reads the clock if one of the load's tasks is to be timed: each one that is about to wake a worker,
 * since then tasks are few; else one in JOB_SAMPLE. */
static inline void job_load_stamp(struct job_pool *pool, struct job_load *load, uint64_t serial)
{
    uint32_t counts = tp_load_rlx(&pool->idle.counts); /* relaxed: a hint */
    bool few = tp_idle_sleeping(counts) > 0 && tp_idle_searching(counts) == 0;
    bool timed = few || serial % JOB_SAMPLE == 0 || serial % JOB_SAMPLE + (load->n - load->i) > JOB_SAMPLE;
    load->stamp = timed ? (tp_clock_now_ns() & ~(uint64_t)1) | few : 0;
}
#endif
