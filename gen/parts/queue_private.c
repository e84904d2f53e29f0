
/* -- 2 Local queue ------------------------------------------------------------------------------
 * A plain ring that nobody but its owner touches: stealing is off. */

static void job_queue_init(struct job_queue *queue)
{
    queue->head = queue->tail = 0;
}

/* How many slots may be filled before they are published. */
static inline uint32_t job_queue_room(const struct job_queue *queue)
{
    return JOB_QUEUE - (queue->tail - queue->head);
}

/* The slot that will be the i-th after the last published one. */
static inline struct job_slot *job_queue_ahead(struct job_queue *queue, uint32_t i)
{
    return &queue->slots[(queue->tail + i) & (JOB_QUEUE - 1)];
}

static inline void job_queue_publish(struct job_queue *queue, uint32_t n)
{
    queue->tail += n;
}

/* Takes the next task of the owner's order. Returns false if there is none. */
static inline bool job_queue_pop(struct job_queue *queue, struct job_slot *task)
{
    if (queue->head == queue->tail)
        return false;
#if WITH_LIFO
    *task = queue->slots[--queue->tail & (JOB_QUEUE - 1)];
#else
    *task = queue->slots[queue->head++ & (JOB_QUEUE - 1)];
#endif
    return true;
}
