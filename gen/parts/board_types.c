
/* What the board is made of: see the next section for what it does. Everything is guarded by the lock
 * of its owner, but for what says otherwise. */

#if !WITH_CLASSES
enum { JOB_CLASSES = 1 };
#endif

enum {
#if WITH_PRIORITY || WITH_ADAPTIVE
    /* A level is due when it has been passed over so often; the other levels that are due may still
     * come first, all but the one served last. Together that makes VALUE_AGE times [PICK-1]. */
    JOB_AGE = VALUE_AGE >= JOB_CLASSES ? VALUE_AGE - (JOB_CLASSES - 2) : 1,
#endif
#if WITH_FAIR || WITH_ADAPTIVE
    JOB_SLICE_TASKS = 32, /* tasks that a worker gives to a class at once, at most: short ones share soon */
    JOB_SCALE = 1024,     /* virtual time is counted in 1/1024 ns */
    JOB_HISTORY = 256,    /* slices that can be read back */
#endif
#if WITH_ADAPTIVE
    JOB_SECOND = 1000000000,         /* ns */
    JOB_WINDOW_NS = 10000000,        /* a window lasts so long, */
    JOB_WINDOW_TASKS = 1024,         /* and until so many tasks have run in it, */
    JOB_WINDOW_LONGEST = JOB_SECOND, /* but no longer; then it says nothing about throughput */
    JOB_STARVED = 8,                 /* windows in a row in which a class starves before fair takes over */
    JOB_CALM = 8,                    /* windows in a row without a backlog before priority comes back */
#endif
#if WITH_ADAPTIVE && WITH_STEALING
    JOB_PROBE_EVERY = 64, /* windows between two in which the other way is tried */
    JOB_PROBE_FIRST = 8,  /* windows before the first */
    JOB_ORDER_WORTH = 5,  /* order is kept as long as it leaves 4/5 of the throughput */
    JOB_ORDER_OF = 4,
    JOB_BETTER = 9, /* and nothing changes unless the other way is 9/8 as good [PICK-3] */
    JOB_BETTER_THAN = 8,
#endif
    JOB_BOARD_SPARES = 64 /* empty segments that the board keeps */
};

/* The tasks of one class, in the order they came: a chain of segments, open at both ends. */
struct job_shelf {
    struct job_segment *first; /* the oldest; NULL before the first task */
    struct job_segment *last;
    uint32_t first_at; /* oldest task, in `first` */
    uint32_t last_at;  /* next free slot, in `last` */
    uint64_t n;        /* tasks */
};

#if WITH_FAIR || WITH_ADAPTIVE
/* What a class has had. Virtual time is run time over weight, in 1/JOB_SCALE ns. It may wrap:
 * only differences count. */
struct job_account {
    uint64_t weight;
    uint64_t paid;        /* virtual time of the tasks that have ended */
    uint64_t prepaid;     /* virtual time expected of the slices that run */
    uint64_t expected_ns; /* run time of a task: a moving average */
    uint64_t n_running;   /* tasks that run */
    uint64_t n_tasks;     /* tasks that have ended */
    uint64_t task_ns;     /* their run time */
    bool is_in;           /* takes part: had tasks, waiting or running, at the last pick or charge */
};

/* What a worker remembers from one task to the next. All zero at the begin; written under the lock. */
struct job_turn {
    uint64_t began_ns;    /* when its task was taken */
    uint64_t prepaid;     /* what the class has paid in advance, for it and the rest of the slice */
    uint64_t slice_ns;    /* run time of the slice */
    uint32_t slice_n;     /* tasks of the slice that have ended; 0: no slice */
    uint32_t class_index; /* of the task, and of the slice */
    bool is_running;      /* a task was taken and not yet charged */
#endif
#if WITH_ADAPTIVE
    uint32_t mode;  /* how the task was chosen */
    uint64_t n_run; /* tasks run since the last visit: the worker adds one for each, without the lock */
#endif
#if WITH_FAIR || WITH_ADAPTIVE
};
#endif

#if WITH_ADAPTIVE
/* How an adaptive pool chooses its next task, and what it knows about that. A mode is an enum
 * tp_policy; TP_POLICY_FIFO is throughput first: each class in turn. */
struct job_adapt {
    tp_atomic(uint32_t) mode; /* written under the board's lock, read by anyone as a hint */
    uint32_t order;           /* the mode that keeps order: priority or fair */
    /* The window, a stretch of time that is looked at as a whole. */
    uint64_t window_ns;             /* its begin; 0 before the first */
    uint64_t n_tasks;               /* tasks run in it */
    uint64_t worker_ns;             /* time of workers they took */
    uint64_t class_ns[JOB_CLASSES]; /* run time per class */
    uint32_t waiting;               /* bits of the classes that had tasks waiting all the time */
    bool was_empty;                 /* no task was waiting at some time */
    /* What many windows said. */
    uint32_t n_starved[JOB_CLASSES]; /* windows in a row in which the class starved */
    uint32_t n_calm;                 /* windows in a row in which nothing waited at some time */
    struct job_diary diary;
#endif
#if WITH_ADAPTIVE && WITH_STEALING
    uint64_t rate;       /* tasks per second and worker in the mode that is kept; a moving average; 0: unknown */
    uint32_t home;       /* the mode that is kept; another one is being tried if `mode` differs */
    uint32_t n_since;    /* windows since another mode was tried */
    uint32_t next_class; /* whose turn it is, throughput first */
#endif
#if WITH_ADAPTIVE
};
#endif

/* The pending tasks of a pool. Its owner guards it: one lock around every call. */
struct job_board {
    struct job_shelf shelves[JOB_CLASSES];
    uint64_t n;                  /* tasks on all shelves */
    struct job_segment *spares;  /* empty segments, kept */
    struct job_segment *surplus; /* empty segments, to be freed without the lock */
    uint32_t n_spares;
    uint32_t n_keep; /* empty segments worth keeping */
#if WITH_PRIORITY || WITH_ADAPTIVE
    uint32_t passed[JOB_CLASSES]; /* picks in a row that went to other levels while this one had tasks */
#endif
#if WITH_FAIR || WITH_ADAPTIVE
    struct job_account accounts[JOB_CLASSES];
    uint64_t virtual_now; /* the least that a class taking part has paid; never goes back */
    uint64_t n_slices;    /* ever ended */
    struct tp_slice slices[JOB_HISTORY];
#endif
#if WITH_ADAPTIVE
    struct job_adapt adapt;
#endif
};
