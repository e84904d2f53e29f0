
/* -- 8 Waiting for room -------------------------------------------------------------------------
 * The submitter waits. Each task that is over wakes one waiter, closing wakes all [ROOM-3]. */

enum { JOB_YIELDS = 16 }; /* times a submitter lets the workers run before it sleeps */

/* Sleeps until there is room for the load's next task. Returns 0, or an error as job_submit says. */
static int job_room_sleep(struct job_pool *pool, const struct job_load *load)
{
    struct tp_waitlist *list = &pool->room[job_load_class(load)];
    struct tp_waiter waiter;
    for (;;) {
        /* Prepare, look again, sleep [PARK-1]: workers look for waiters after each task. */
        tp_waitlist_prepare(list, &waiter);
        uint64_t life = tp_load_acq(&pool->life.word); /* pairs with the transitions: closing wakes */
        int status = life == load->life ? 0 : tp_life_refusal(life);
        if (status != 0 || job_room_find(pool, load)) {
            /* A wake-up that came meanwhile belongs to the next in line. */
            if (tp_waitlist_cancel(list, &waiter))
                tp_waitlist_notify(list, 1);
            return status;
        }
        status = tp_waitlist_wait(list, &waiter, load->deadline_ns);
        if (status != 0)
            return status;
    }
}

/* Waits until there is room for the load's next task. Returns 0 or an error as job_submit says. */
static int job_room_wait(struct job_pool *pool, struct job_load *load)
{
    for (int i = 0; i < JOB_YIELDS; i++) {
        if (!tp_life_same(&pool->life, load->life))
            return tp_life_refusal(tp_life_look(&pool->life));
        if (job_room_find(pool, load))
            return 0;
        sched_yield();
    }
#if WITH_DEADLINE
    if (load->deadline_ns == 0)
        load->deadline_ns = tp_deadline_in_ns(pool->settings.deadline_ns);
#else
    load->deadline_ns = TP_FOREVER;
#endif
#if WITH_WAITING
    /* Sequentially consistent: the limit holds among submitters that arrive together. */
    if (tp_add_sc(&pool->n_blocked, 1) >= pool->settings.waiting_max) {
        tp_add_sc(&pool->n_blocked, (uint32_t)-1);
        return TP_EFULL;
    }
#endif
    int status = job_room_sleep(pool, load);
#if WITH_WAITING
    tp_add_sc(&pool->n_blocked, (uint32_t)-1); /* in one order, as above */
#endif
    return status;
}
