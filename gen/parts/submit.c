
/* -- 16 Submit ----------------------------------------------------------------------------------
 * The calls of submitters. */

/* Begins a load. Field by field: a copy of the whole would wait for its parts to be written. */
static inline void job_load_init(struct job_load *load, struct job_pool *pool, VALUE_PAYLOAD const *payloads, size_t n)
{
    load->payloads = payloads;
    load->n = n;
    load->i = 0;
    load->life = tp_life_look(&pool->life);
#if WITH_BOUNDED && WITH_BLOCK
    load->deadline_ns = 0;
#endif
#if WITH_BOUNDED && WITH_SPILL
    load->is_spilled = false;
#endif
#if WITH_BOUNDED && WITH_OPS
    load->is_offer = false;
#endif
#if WITH_CLASSES
    load->classes = NULL;
    load->class_ = VALUE_CLASS_DEFAULT;
#endif
}

#if WITH_CLASSES
/* Gives the load's tasks their classes. Returns 0, or TP_EINVAL if there is no such class. */
static int job_load_classify(struct job_load *load, const enum job_class *classes)
{
    load->classes = classes;
    for (size_t i = 0; classes && i < load->n; i++)
        if ((unsigned)classes[i] >= JOB_CLASSES)
            return TP_EINVAL;
    return 0;
}

#endif
#if WITH_TRACKING
/* Hands a load of tasks with records to the pool, JOB_IDS at a time; records of tasks that were not
 * accepted are given back. ids: receives those of the accepted ones, which then have handles; NULL:
 * nobody keeps them. */
static int job_load_track(struct job_pool *pool, struct job_load *load, uint64_t *ids)
{
    enum { JOB_IDS = 64 };
    uint64_t own[JOB_IDS];
    struct job_load part = *load;
    int status = 0;
    while (status == 0 && load->i < load->n) {
        size_t n = load->n - load->i < JOB_IDS ? load->n - load->i : JOB_IDS;
        size_t n_begun;
        int begun = tp_track_begin(&pool->track, n, ids != NULL, own, &n_begun);
        part.payloads = load->payloads + load->i;
        part.n = n_begun;
        part.i = 0;
        part.ids = own;
#endif
#if WITH_TRACKING && WITH_CLASSES
        part.classes = load->classes ? load->classes + load->i : NULL;
#endif
#if WITH_TRACKING
        status = job_load_put(pool, &part);
        tp_track_undo(&pool->track, own + part.i, n_begun - part.i);
        if (ids)
            memcpy(ids + load->i, own, part.i * sizeof *ids);
        load->i += part.i;
        status = status != 0 ? status : begun;
    }
    return status;
}

#endif
/* Hands a load to an open pool, and counts what it refuses for want of room. ids: receives the handles of the accepted tasks; NULL: nobody keeps
 * them. Returns as job_submit_batch. */
static inline int job_load_submit(struct job_pool *pool, struct job_load *load, uint64_t *ids)
{
    if (!tp_life_is_open(load->life))
        return tp_life_refusal(load->life);
#if WITH_TRACKING
    int status = job_load_track(pool, load, ids);
#else
    (void)ids;
    int status = job_load_put(pool, load);
#endif
#if WITH_BOUNDED && WITH_STATS
    if (status == TP_EFULL || status == TP_ETIMEDOUT || status == TP_EDROPPED)
        tp_add_rlx(&pool->n_rejected, load->n - load->i); /* relaxed: a number on its own */
#endif
    return status;
}

int job_submit(struct job_pool *pool, VALUE_PAYLOAD payload)
{
    struct job_load load;
    job_load_init(&load, pool, &payload, 1);
    return job_load_submit(pool, &load, NULL);
}

int job_submit_batch(struct job_pool *pool, VALUE_PAYLOAD const *payloads, size_t n, size_t *n_accepted)
{
    struct job_load load;
    job_load_init(&load, pool, payloads, n);
    int status = job_load_submit(pool, &load, NULL);
    if (n_accepted)
        *n_accepted = load.i;
    return status;
}
#if WITH_CLASSES

int job_submit_class(struct job_pool *pool, enum job_class class_, VALUE_PAYLOAD payload)
{
    return job_submit_batch_class(pool, &class_, &payload, 1, NULL);
}

int job_submit_batch_class(struct job_pool *pool, const enum job_class *classes, VALUE_PAYLOAD const *payloads, size_t n, size_t *n_accepted)
{
    struct job_load load;
    job_load_init(&load, pool, payloads, n);
    int status = job_load_classify(&load, classes);
    if (status == 0)
        status = job_load_submit(pool, &load, NULL);
    if (n_accepted)
        *n_accepted = load.i;
    return status;
}
#endif
#if WITH_TRACKING

int job_spawn(struct job_pool *pool, VALUE_PAYLOAD payload, uint64_t *id)
{
    struct job_load load;
    job_load_init(&load, pool, &payload, 1);
    return job_load_submit(pool, &load, id);
}

int job_spawn_batch(struct job_pool *pool, VALUE_PAYLOAD const *payloads, size_t n, uint64_t *ids, size_t *n_accepted)
{
    struct job_load load;
    job_load_init(&load, pool, payloads, n);
    int status = job_load_submit(pool, &load, ids);
    if (n_accepted)
        *n_accepted = load.i;
    return status;
}
#endif
#if WITH_TRACKING && WITH_CLASSES

int job_spawn_class(struct job_pool *pool, enum job_class class_, VALUE_PAYLOAD payload, uint64_t *id)
{
    return job_spawn_batch_class(pool, &class_, &payload, 1, id, NULL);
}

int job_spawn_batch_class(struct job_pool *pool, const enum job_class *classes, VALUE_PAYLOAD const *payloads, size_t n, uint64_t *ids, size_t *n_accepted)
{
    struct job_load load;
    job_load_init(&load, pool, payloads, n);
    int status = job_load_classify(&load, classes);
    if (status == 0)
        status = job_load_submit(pool, &load, ids);
    if (n_accepted)
        *n_accepted = load.i;
    return status;
}
#endif
