/* How the classes of a pool shared its workers: totals, and the slices they are made of.
 * Invariant: run time is counted when a task has ended, once, for the class it was submitted to. */
#ifndef TP_SHARE_H
#define TP_SHARE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one class has had since the pool was opened. */
struct tp_share {
    uint64_t n_tasks; /* tasks ended */
    uint64_t task_ns; /* their run time */
    uint64_t pending; /* tasks that wait now */
    uint32_t weight;
};

/* A stretch of time that one worker gave to one class. */
struct tp_slice {
    uint64_t end_ns;  /* on tp_clock_now_ns() */
    uint64_t task_ns; /* run time in it */
    uint32_t class_index;
    uint32_t n_tasks;
};

#ifdef __cplusplus
}
#endif

#endif
