/* -- 1 Payload and slots ------------------------------------------------------------------------
 * A task is its payload, copied into a slot when it is accepted and out of it when it starts.
 * Nothing is allocated per task. Every field says who writes it; fields that two sides write
 * stand on lines of their own. */

enum {
    JOB_WORKERS_MAX = 4096,
    JOB_SEGMENT = 64, /* slots of one segment of a chain */
    JOB_SPARES = 64,  /* empty segments that are kept, at most */
#if WITH_RING
    JOB_QUEUE = VALUE_QUEUE, /* slots of a worker's own queue; a power of two */
    JOB_FAIRNESS = 61,       /* after so many of its own a worker looks elsewhere first */
#endif
#if WITH_RING && WITH_STEALING
    JOB_BATCH = 32,                  /* tasks a worker takes into its queue at once, at most */
    JOB_STEAL_FIRST = JOB_QUEUE / 2, /* tasks worth a theft in the first round of a search */
#endif
#if WITH_RING && !WITH_STEALING
    JOB_BATCH = 1, /* tasks a worker takes from a lane at once: what it has, nobody else can run */
#endif
#if !WITH_BOARD
    JOB_LANES_MIN = 4,  /* lanes at least; a power of two */
    JOB_LANES_MAX = 64, /* lanes at most; a power of two */
#endif
#if WITH_BOUNDED && !WITH_BOARD
    JOB_CREDIT = 64, /* room a lane is given at once */
#endif
#if WITH_NEWEST
    JOB_NEWEST = VALUE_NEWEST, /* newest children run in a row at most */
#endif
#if WITH_COROUTINE
    JOB_RING = 16,   /* after so many tasks a worker looks at the clock, if a task waits for it */
    JOB_GLANCE = 64, /* and after so many at descriptors, if a task waits for one */
#endif
#if WITH_TUNE
    JOB_WORKERS_ROOM = 64, /* threads that tuning may ask for, unless the settings say */
#endif
#if WITH_AUTO
    JOB_IDLE_LOOKS = 10, /* looks in a row that find a free worker before the monitor lets one go */
#endif
#if WITH_STATS
    JOB_SAMPLE = 16,     /* while tasks are many and short, one in so many is timed and stands for all */
    JOB_SHORT_NS = 2000, /* a task is short below this */
#endif
#if WITH_STATS && WITH_COROUTINE
    JOB_DEPTH = 127, /* of one task in so many the stack is measured; odd, so that those are not always timed, too */
#endif
    JOB_LOOKS = 4,  /* rounds a searching worker looks, some 3 us, before it sleeps */
    JOB_PAUSES = 16 /* pauses after the first round; twice as many after each further one */
};

#if WITH_RING
_Static_assert(JOB_BATCH < JOB_FAIRNESS, "a batch is used up before the others come first");
_Static_assert(JOB_BATCH <= JOB_SEGMENT, "a batch empties one segment at most");
_Static_assert((JOB_QUEUE & (JOB_QUEUE - 1)) == 0 && JOB_QUEUE >= 2 && JOB_QUEUE <= 16384, "queue: a power of two, 2 to 16384");
#endif

struct job_slot {
    VALUE_PAYLOAD payload;
#if WITH_COROUTINE
    struct tp_fiber *fiber; /* a task that has begun; then the rest is not used. NULL: a new one */
#endif
#if WITH_TRACKING
    uint64_t id;
#endif
#if WITH_STATS
    uint64_t stamp; /* when it was accepted, if it is timed; the lowest bit: it stands for itself only */
#endif
};

/* Tasks on their way in: n payloads, of which the first i have been accepted. */
struct job_load {
    VALUE_PAYLOAD const *payloads;
    size_t n, i;
    uint64_t life; /* the word of the pool's life that its submitter saw first [LIFE-3] */
#if !WITH_BOARD
    struct job_lane *lane; /* the submitting thread's */
#endif
#if WITH_BOUNDED && WITH_BLOCK
    uint64_t deadline_ns; /* of waiting for room; 0: has not waited yet */
#endif
#if WITH_BOUNDED && WITH_SPILL
    bool is_spilled; /* the capacity does not matter any more */
#endif
#if WITH_BOUNDED && WITH_OPS
    bool is_offer; /* TP_EFULL, whatever the policy */
#endif
#if WITH_TRACKING
    const uint64_t *ids;
#endif
#if WITH_CLASSES
    const enum job_class *classes; /* NULL: all are of class_ */
    enum job_class class_;
#endif
#if WITH_STATS
    uint64_t stamp; /* for the slots that get one; 0: none does */
#endif
};

struct job_segment {
    struct job_segment *next;
#if WITH_BOARD
    struct job_segment *prev;
#endif
    struct job_slot slots[JOB_SEGMENT];
};

/* Adds to a counter that only the calling thread, or the holder of its lock, writes.
 * Release: pairs with the acquire of whoever counts, so that a task's effects are counted first. */
static inline void job_count(tp_atomic(uint64_t) *counter, uint64_t n)
{
    tp_store_rel(counter, tp_load_rlx(counter) + n); /* relaxed: our own writes */
}

/* Fills the slot of the load's next task but `ahead`. serial: the task's number where it is put. */
static inline void job_load_fill(const struct job_load *load, size_t ahead, uint64_t serial, struct job_slot *slot)
{
    slot->payload = load->payloads[load->i + ahead];
#if WITH_COROUTINE
    slot->fiber = NULL;
#endif
#if WITH_TRACKING
    slot->id = load->ids[load->i + ahead];
#endif
#if WITH_STATS
    slot->stamp = (load->stamp & 1) != 0 || serial % JOB_SAMPLE == 0 ? load->stamp : 0;
#else
    (void)serial;
#endif
}
#if WITH_CLASSES

/* The class of the load's next task. */
static inline unsigned job_load_class(const struct job_load *load)
{
    return load->classes ? load->classes[load->i] : load->class_;
}
#endif
#if !WITH_CLASSES && WITH_BOARD || !WITH_CLASSES && WITH_BOUNDED && WITH_BLOCK

/* Tasks have no classes. */
static inline unsigned job_load_class(const struct job_load *load)
{
    (void)load;
    return 0;
}
#endif

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
