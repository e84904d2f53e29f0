/* One trial: a pool, tasks of a certain length, and what they took. Invariant: nothing of a trial is left when it returns. */
#ifndef TRIAL_H
#define TRIAL_H

#include <stdint.h>

/* Finds out how long a turn of the tasks' empty loop takes; first of all.
 * Tasks compute for a number of turns, not until a time: one that has to wait for a processor is longer by that. */
void trial_begin(void);

/* What tasks without content cost: the time between two that one thread submits while workers take them; and a worker's time to
 * take and finish one of many that are there. */
struct trial_costs {
    double submit_ns, run_ns;
};
struct trial_costs trial_costs_of(unsigned n_workers, unsigned n_cpus, uint64_t n_tasks);

/* From submission to start, the median of n tasks each of which finds all workers asleep. */
double trial_wake_ns(unsigned n_workers, uint64_t n_tasks);

/* One switch of a coroutine, the average of n. */
double trial_switch_ns(uint64_t n);

/* What was seen of tasks with content. */
struct trial_sight {
    double rate;       /* tasks per second */
    double task_ns;    /* how long one took, the median: processors are not equally fast all the time */
    double latency_ns; /* from submission to start, on average */
};

/* Tasks of about task_ns, submitted as fast as they are taken; without latency. */
struct trial_sight trial_throughput(unsigned n_workers, double task_ns, uint64_t n_tasks);

/* Tasks of about task_ns that come at random, with exponential times between them, at `rate` per second. */
struct trial_sight trial_latency(unsigned n_workers, double task_ns, double rate, uint64_t n_tasks);

#endif
