/* The monitor: one thread that looks at all pools now and then, and tells of trouble: tasks that start late, much memory, a task that
 * holds its worker, a pool that does nothing although tasks wait.
 * Invariant: each trouble is told of once, when it begins; it may be told of again only after it was over, which takes more than
 * going just below the limit. Without tp_monitor_start nothing of this runs (docs/monitoring.md). */
#ifndef TP_MONITOR_H
#define TP_MONITOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tp_trouble_kind {
    TP_TROUBLE_LATENCY,   /* tasks wait long before they start; of pools with statistics */
    TP_TROUBLE_MEMORY,    /* the process holds much */
    TP_TROUBLE_STALL,     /* one task holds its worker */
    TP_TROUBLE_STARVATION /* tasks wait, and none starts */
};

struct tp_trouble {
    enum tp_trouble_kind kind;
    const char *pool;    /* its name; NULL: of the process */
    uint64_t instance;   /* which of that name, as in metrics */
    int worker;          /* its index; -1: none in particular */
    uint64_t id;         /* of the task; 0: not known */
    uint64_t value;      /* what was measured, in ns or bytes */
    uint64_t limit;      /* what it is above */
    const char *message; /* one sentence with all that, and the likely cause */
    void *const *frames; /* where the task is, innermost first */
    int n_frames;        /* 0: its thread did not answer */
};

/* All 0 is valid: the defaults. TP_FOREVER as a limit: never. */
struct tp_monitor_settings {
    uint64_t period_ns;     /* between two looks; 0: 25 ms */
    uint64_t latency_ns;    /* of the 99th percentile since the last look; 0: 100 ms */
    uint64_t memory_bytes;  /* resident; 0: 1 GiB */
    uint64_t stall_ns;      /* 0: 100 ms */
    uint64_t starvation_ns; /* 0: 1 s */
    /* Told of each trouble, on the monitor's thread; it may take its time, but not stop the monitor. What the trouble points to lives as
     * long as the call. NULL: one line on stderr. */
    void (*on_trouble)(const struct tp_trouble *trouble, void *context);
    void *context;
};

/* tp_monitor_start: look from now on. One monitor per process. To learn where a task is, its thread is sent the signal SIGRTMIN + 5,
 * which the library handles from then on, unless the host does: then there are no frames.
 * settings: copied; NULL: the defaults.
 * Returns 0; TP_EBUSY, if there is one already, or one still ends; TP_ENOMEM; TP_ETHREAD.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_monitor_start(const struct tp_monitor_settings *settings);

/* tp_monitor_stop: no further looks; waits for one that is under way. Nothing happens if there is no monitor.
 * [thread: any but the monitor's] [suspends: no] [blocks: yes] [allocates: no] */
void tp_monitor_stop(void);

#ifdef __cplusplus
}
#endif

#endif
