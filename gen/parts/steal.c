
/* -- 11 Stealing --------------------------------------------------------------------------------
 * A worker without tasks takes some of another's oldest: it moves `head` over them, copies them,
 * and moves `done` to say that it has. While one thief copies, another one goes elsewhere. */

/* Moves tasks from another worker's queue: the first to *task, the rest into the
 * thief's own, or NULL for a single task.
 * Returns how many, 0 if there are fewer than `least` or another thief is at work. */
static uint32_t job_queue_steal(struct job_queue *from, struct job_queue *own, struct job_slot *task, uint32_t least)
{
#if WITH_HALF
    uint32_t most = 1 + (own ? job_queue_room(own) : 0);
#else
    (void)own; /* one task needs no room */
#endif
#if WITH_MOST
    most = most < VALUE_MOST ? most : VALUE_MOST;
#endif
    uint32_t n;
    struct job_cursors at;
    /* Acquire: pairs with the owner's publish; the slots below `tail` are written [RING-2]. */
    uint64_t word = tp_load_acq(&from->cursors);
    do {
        at = job_unpack(word);
        n = (uint16_t)(at.tail - at.head);
        if (n == 0 || n < least || at.done != at.head)
            return 0;
#if WITH_HALF
        n -= n / 2;
        n = n < most ? n : most;
#else
        n = 1;
#endif
        at.head = (uint16_t)(at.head + n);
        /* Losing means that the owner or another thief moved: look again. */
    } while (!tp_cas_sc(&from->cursors, &word, job_pack(at)));

    uint32_t first = at.head - n;
    *task = from->slots[first & (JOB_QUEUE - 1)];
#if WITH_HALF
    for (uint32_t i = 1; i < n; i++)
        *job_queue_ahead(own, i - 1) = from->slots[(first + i) & (JOB_QUEUE - 1)];
#endif

    /* Relaxed: re-read by the exchange. `head` may have moved on by the owner's own pops, whose
     * copies only the owner can overwrite, so the whole span is done. */
    word = tp_load_rlx(&from->cursors);
    do {
        at = job_unpack(word);
        at.done = at.head;
        /* Release half: pairs with the acquire in job_queue_room [RING-3]. Losing means that the
         * owner moved; only this thief can move `done` now, so a few rounds suffice. */
    } while (!tp_cas_sc(&from->cursors, &word, job_pack(at)));
#if WITH_HALF
    if (n > 1)
        job_queue_publish(own, n - 1);
#endif
    return n;
}

/* Tries every other worker once, from a random one or the next one on. Returns false if none had `least` tasks. */
static bool job_steal(struct job_worker *self, struct job_slot *task, uint32_t least)
{
    struct job_pool *pool = self->pool;
    uint32_t n_workers = job_n_workers(pool);
#if WITH_RANDOM
    self->random ^= self->random << 13; /* xorshift32 (Marsaglia 2003) */
    self->random ^= self->random >> 17;
    self->random ^= self->random << 5;
    uint32_t start = self->random % n_workers;
#else
    uint32_t start = self->base.index + 1;
#endif
    for (uint32_t i = 0; i < n_workers; i++) {
        struct job_worker *victim = &pool->workers[(start + i) % n_workers];
        if (victim == self)
            continue;
        job_must(tp_activity_steal(&self->base.activity, victim->base.index));
        uint32_t n = job_queue_steal(&victim->queue, &self->queue, task, least);
#if WITH_NEWEST
        if (n == 0 && least == 1)
            n = job_newest_take(victim, task);
#endif
#if WITH_STATS
        job_count(&self->n_steal_attempts, 1);
        if (n > 0)
            job_count(&self->n_steals, 1);
        job_count(&self->n_stolen, n);
#endif
        if (n > 0)
            return true;
    }
    return false;
}
