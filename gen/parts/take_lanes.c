
/* Takes up to `most` tasks from the lanes, each lane in turn: one to *task, the rest into the
 * worker's queue. */
static bool job_take(struct job_worker *self, struct job_slot *task, uint32_t most)
{
    struct job_pool *pool = self->pool;
#if WITH_COROUTINE
    bool ready_first = ++self->n_takes % 2 == 0; /* in turn, so that neither starves the other */
    if (ready_first && job_take_ready(self, task))
        return true;
#endif
    for (uint32_t i = 0; i < pool->n_lanes; i++) {
        struct job_lane *lane = &pool->lanes[self->next_lane++ & (pool->n_lanes - 1)];
        if (job_lane_length(lane) > 0 && job_lane_take(lane, &self->queue, job_n_workers(pool), task, most) > 0) {
            self->tick = 0;
            return true;
        }
    }
#if WITH_COROUTINE
    if (!ready_first && job_take_ready(self, task))
        return true;
#endif
    return false;
}
