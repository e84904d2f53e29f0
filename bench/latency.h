/* latency: one task every 100 µs to workers that have nothing else to do; from just before its
 * submission to its first instruction. The producer watches the clock rather than sleeping, so it
 * is one processor of the process's time; what is above is what the workers spend on waiting.
 * Prints percentiles over all tasks of the round, and processor time over time. */
#ifndef LATENCY_H
#define LATENCY_H

#include "bench.h"

#ifdef __cplusplus
extern "C" {
#endif

/* latency_run: a tenth of the tasks to warm up, then n_tasks tasks; prints what they waited.
 * submit: hands over task i, which calls latency_task(i).
 * Returns the exit status for main.
 * [thread: main] [suspends: no] [blocks: yes] [allocates: yes] */
int latency_run(const struct bench *bench, void (*submit)(uint64_t i, void *context), void *context);

/* latency_task: task i has started; the first thing it does.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void latency_task(uint64_t i);

#ifdef __cplusplus
}
#endif

#endif
