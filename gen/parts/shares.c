
/* -- 20 Shares ----------------------------------------------------------------------------------
 * What the classes have had: copies, made under the board's lock. */

void job_pool_shares(struct job_pool *pool, struct tp_share *out)
{
    memset(out, 0, JOB_CLASSES * sizeof *out);
    if (job_is_forked(pool))
        return;
    tp_spin_lock(&pool->room_lock);
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        job_share_read(&pool->board, c, &out[c]);
    tp_spin_unlock(&pool->room_lock);
}

size_t job_pool_history(struct job_pool *pool, struct tp_slice *out, size_t n)
{
    if (job_is_forked(pool))
        return 0;
    tp_spin_lock(&pool->room_lock);
    n = job_slices_read(&pool->board, out, n);
    tp_spin_unlock(&pool->room_lock);
    return n;
}
