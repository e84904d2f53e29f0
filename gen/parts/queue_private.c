
/* -- 2 Local queue ------------------------------------------------------------------------------
 * A plain ring that nobody but its owner touches: stealing is off. Its cursors are atomic only so
 * that others can count; no read-modify-write, no fence. */

struct job_queue {
    tp_atomic(uint32_t) head, tail; /* written by the owner */
    tp_line_aligned struct job_slot slots[JOB_QUEUE];
};

static void job_queue_init(struct job_queue *queue)
{
    tp_atomic_init(&queue->head, 0);
    tp_atomic_init(&queue->tail, 0);
}

/* How many tasks are there. Any thread; exact for the owner. */
static inline uint32_t job_queue_length(struct job_queue *queue)
{
    /* Relaxed: nobody else follows the cursors to a slot. */
    uint32_t head = tp_load_rlx(&queue->head);
    return tp_load_rlx(&queue->tail) - head;
}

/* How many slots may be filled before they are published. */
static inline uint32_t job_queue_room(struct job_queue *queue)
{
    return JOB_QUEUE - job_queue_length(queue);
}

/* The slot that will be the i-th after the last published one. */
static inline struct job_slot *job_queue_ahead(struct job_queue *queue, uint32_t i)
{
    return &queue->slots[(tp_load_rlx(&queue->tail) + i) & (JOB_QUEUE - 1)]; /* relaxed: the owner's own */
}

static inline void job_queue_publish(struct job_queue *queue, uint32_t n)
{
    tp_store_rlx(&queue->tail, tp_load_rlx(&queue->tail) + n); /* relaxed: as above */
}

/* Takes the next task of the owner's order. Returns false if there is none. */
static inline bool job_queue_pop(struct job_queue *queue, struct job_slot *task)
{
    uint32_t head = tp_load_rlx(&queue->head), tail = tp_load_rlx(&queue->tail); /* relaxed: as above */
    if (head == tail)
        return false;
#if WITH_LIFO
    *task = queue->slots[--tail & (JOB_QUEUE - 1)];
    tp_store_rlx(&queue->tail, tail); /* relaxed: as above */
#else
    *task = queue->slots[head & (JOB_QUEUE - 1)];
    tp_store_rlx(&queue->head, head + 1); /* relaxed: as above */
#endif
    return true;
}
