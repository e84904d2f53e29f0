
/* -- 6 Waiting for room -------------------------------------------------------------------------
 * The submitter waits. Each finished task wakes one waiter, closing wakes all [ROOM-3]. */

enum { JOB_YIELDS = 16 }; /* times a submitter lets the workers run before it sleeps */

/* Sleeps until the lane has credit. Returns 0, TP_ECLOSED, or TP_ETIMEDOUT. */
static int job_room_sleep(struct job_pool *pool, struct job_lane *lane)
{
#if WITH_DEADLINE
    uint64_t deadline_ns = tp_deadline_in_ns(JOB_DEADLINE_NS);
#else
    uint64_t deadline_ns = TP_FOREVER;
#endif
    struct tp_waiter waiter;
    for (;;) {
        /* Prepare, look again, sleep [PARK-1]: workers look for waiters after each task. */
        tp_waitlist_prepare(&pool->room, &waiter);
        int status = TP_ECLOSED;
        bool stays = true;
        if (tp_load_acq(&pool->life) == JOB_OPEN) { /* pairs with the exchange in job_pool_close */
            status = 0;
            stays = job_room_grant(pool, lane, 1);
        }
        if (stays) {
            /* A wake-up that came meanwhile belongs to the next in line. */
            if (tp_waitlist_cancel(&pool->room, &waiter))
                tp_waitlist_notify(&pool->room, 1);
            return status;
        }
        status = tp_waitlist_wait(&pool->room, &waiter, deadline_ns);
        if (status != 0)
            return status;
    }
}

/* Gets credit for the lane, waiting if need be. Returns 0 or an error as job_submit says. */
static int job_room_wait(struct job_pool *pool, struct job_lane *lane, uint64_t n)
{
    for (int i = 0; i < JOB_YIELDS; i++) {
        if (tp_load_acq(&pool->life) != JOB_OPEN) /* pairs with the exchange in job_pool_close */
            return TP_ECLOSED;
        if (job_room_grant(pool, lane, job_room_wanted(pool, n)))
            return 0;
        sched_yield();
    }
#if WITH_WAITING
    /* Sequentially consistent: the limit holds among submitters that arrive together. */
    if (tp_add_sc(&pool->n_blocked, 1) >= JOB_WAITING_MAX) {
        tp_add_sc(&pool->n_blocked, (uint32_t)-1);
        return TP_EFULL;
    }
#endif
    int status = job_room_sleep(pool, lane);
#if WITH_WAITING
    tp_add_sc(&pool->n_blocked, (uint32_t)-1); /* in one order, as above */
#endif
    return status;
}
