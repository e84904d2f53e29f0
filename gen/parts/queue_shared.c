
/* -- 2 Local queue ------------------------------------------------------------------------------
 * A ring whose three cursors share one word, so that every transition is one atomic operation on
 * it: [head, tail) holds tasks, [done, head) is being copied out by one thief. Claim, then copy:
 * a slot belongs to whoever moved a cursor over it, until `done` has passed it. Only the owner
 * writes slots and moves `tail`. The argument is in docs/memory-model.md [RING-1..4]. */

/* A worker's own queue: filled and emptied by its owner. */
struct job_queue {
    tp_atomic(uint64_t) cursors; /* done, head and tail in one word; written by owner and thieves */
    tp_line_aligned struct job_slot slots[JOB_QUEUE];
};

struct job_cursors {
    uint16_t done, head, tail; /* count up and wrap; differences are what counts */
};

/* `tail` has the highest bits, so that adding to it cannot carry into another cursor. */
enum {
    JOB_HEAD_SHIFT = 16,
    JOB_TAIL_SHIFT = 48
};

static inline struct job_cursors job_unpack(uint64_t word)
{
    return (struct job_cursors){(uint16_t)word, (uint16_t)(word >> JOB_HEAD_SHIFT), (uint16_t)(word >> JOB_TAIL_SHIFT)};
}

static inline uint64_t job_pack(struct job_cursors at)
{
    return (uint64_t)at.done | (uint64_t)at.head << JOB_HEAD_SHIFT | (uint64_t)at.tail << JOB_TAIL_SHIFT;
}

static void job_queue_init(struct job_queue *queue)
{
    tp_atomic_init(&queue->cursors, 0);
}

/* How many tasks are there to take. Any thread. */
static inline uint32_t job_queue_length(struct job_queue *queue)
{
    /* Sequentially consistent: one side of "publish, then look for sleepers" [IDLE-2]. */
    struct job_cursors at = job_unpack(tp_load_sc(&queue->cursors));
    return (uint16_t)(at.tail - at.head);
}

/* How many slots the owner may fill before it publishes them. */
static inline uint32_t job_queue_room(struct job_queue *queue)
{
    /* Acquire: pairs with the thief that moved `done`; it has read its slots [RING-3]. */
    struct job_cursors at = job_unpack(tp_load_acq(&queue->cursors));
    return (uint32_t)(JOB_QUEUE - (uint16_t)(at.tail - at.done));
}

/* The slot that will be the i-th after the last published one. Owner only. */
static inline struct job_slot *job_queue_ahead(struct job_queue *queue, uint32_t i)
{
    /* Relaxed: only the owner moves `tail`. */
    struct job_cursors at = job_unpack(tp_load_rlx(&queue->cursors));
    return &queue->slots[(at.tail + i) & (JOB_QUEUE - 1)];
}

/* Makes n filled slots visible. Owner only. */
static inline void job_queue_publish(struct job_queue *queue, uint32_t n)
{
    /* Release half: pairs with the acquire of a thief's claim [RING-2]. Sequentially consistent,
     * so that the following look for sleepers comes after it [IDLE-2]. */
    tp_add_sc(&queue->cursors, (uint64_t)n << JOB_TAIL_SHIFT);
}

/* Takes the next task of the owner's order. Owner only. Returns false if there is none. */
static inline bool job_queue_pop(struct job_queue *queue, struct job_slot *task)
{
    /* Relaxed: the slots are the owner's own writes; the exchange decides who takes. */
    uint64_t word = tp_load_rlx(&queue->cursors);
    for (;;) {
        struct job_cursors at = job_unpack(word);
        if (at.head == at.tail)
            return false;
#if WITH_LIFO
        uint16_t index = --at.tail;
#else
        uint16_t index = at.head++;
        if (at.done == index)
            at.done++; /* no thief is copying: the slot is free again */
#endif
        /* Losing means that a thief claimed or finished: look again, there may be less. */
        if (tp_cas_sc(&queue->cursors, &word, job_pack(at))) {
            *task = queue->slots[index & (JOB_QUEUE - 1)];
            return true;
        }
    }
}
