/* What a pool will do under a load, from the costs of this machine: throughput, utilisation and latency. docs/model.md has the
 * formulas with their sources, and how well they hold.
 * Invariant: pure arithmetic on what it is given; nothing is measured here. */
#ifndef TP_MODEL_H
#define TP_MODEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What scheduling costs here, in nanoseconds; `./tidepool calibrate` measures it. */
struct tp_model_costs {
    double submit_ns; /* of the submitter's processor, per task */
    double run_ns;    /* of a worker's processor, per task, besides the task itself */
    double wake_ns;   /* from a submission to the first instruction of its task, if a worker sleeps */
    unsigned n_cpus;  /* that the process may use; not 0 */
};

/* What comes in. */
struct tp_model_load {
    double rate;        /* tasks per second; 0: as fast as the pool takes them */
    double task_ns;     /* how long one takes, on average */
    double blocked;     /* the part of that in which it waits and holds its worker, but no processor: 0 to below 1 */
    double variation;   /* of task_ns: standard deviation over average; 0: all alike, 1: exponential */
    double capacity;    /* tasks in flight at most; 0: unlimited */
    unsigned n_workers; /* not 0 */
};

struct tp_model_forecast {
    double most;        /* tasks per second that the pool can do */
    double throughput;  /* that it does */
    double utilisation; /* of its workers: 0 to 1 */
    double latency_ns;  /* from submission to start, on average; infinity, if more comes than it can do and nothing bounds the queue */
};

/* tp_model_forecast_of: the forecast for a load.
 * Returns 0, or TP_EINVAL (a number out of range; *out is untouched).
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_model_forecast_of(const struct tp_model_costs *costs, const struct tp_model_load *load, struct tp_model_forecast *out);

/* tp_model_erlang_c: the part of the tasks that find all workers busy, if they come at random and take exponential times.
 * offered: arrivals per second times seconds that a task takes; at or above n_workers all of them do.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
double tp_model_erlang_c(unsigned n_workers, double offered);

#ifdef __cplusplus
}
#endif

#endif
