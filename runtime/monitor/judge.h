/* What the monitor makes of looks at all pools: pure, so that tests give it the looks and the time.
 * Invariant: memory of what was seen is kept for pools in the last look, and no others. */
#ifndef TP_JUDGE_H
#define TP_JUDGE_H

#include "look.h"
#include "monitor.h"

/* What is remembered of a worker. */
struct tp_judge_worker {
    uint64_t n_steps, since_ns;
    bool is_stalled;
};

/* And of a pool. */
struct tp_judge_pool {
    uint64_t number;
    uint64_t progress, since_ns; /* what changes when a task starts, and since when it has not */
    bool is_late, is_starving;
    struct tp_histogram latency; /* up to the last look */
    size_t first_worker, n_workers;
};

struct tp_judge {
    struct tp_monitor_settings settings; /* with no 0 in it */
    bool is_fat;
    struct tp_judge_pool *pools;
    struct tp_judge_worker *workers;
    size_t n_pools;

    /* Told of each trouble. thread: of the worker, the system's number; 0: none, or none that may be probed. */
    void (*tell)(struct tp_trouble *trouble, int thread, void *context);
    void *context;
};

/* tp_judge_init: nothing was seen yet.
 * settings: NULL: the defaults. The caller sets tell and context.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_judge_init(struct tp_judge *judge, const struct tp_monitor_settings *settings);

/* tp_judge_step: one more look, at look->now_ns. resident_bytes: memory of the process; 0: not known.
 * Returns 0, or TP_ENOMEM: then it was as if there had been no look.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: yes] */
int tp_judge_step(struct tp_judge *judge, const struct tp_look *look, uint64_t resident_bytes);

/* tp_judge_free: the end.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_judge_free(struct tp_judge *judge);

#endif
