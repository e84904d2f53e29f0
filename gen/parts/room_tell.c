
/* Tells submitters that wait for room that there is some: up to n of each class. */
static inline void job_tell_room(struct job_pool *pool, uint32_t n)
{
    tp_fence_sc(); /* [PARK-1] what the caller counted as over comes before this look at the waiters */
    for (unsigned i = 0; i < sizeof pool->room / sizeof *pool->room; i++)
        if (tp_load_rlx(&pool->room[i].n_waiting) != 0) /* relaxed: ordered by the fence */
            tp_waitlist_wake(&pool->room[i], n);
}
