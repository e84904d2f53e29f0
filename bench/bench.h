/* What all bench programs share: arguments, the clock, the task that counts itself, the report.
 * Every contender, ours and a peer's, is one program built on these few calls, so all of them
 * measure the same interval and prove the same count. How to read the results: docs/peers.md.
 *
 * A program does one round to warm up and reports the second; both must execute exactly the
 * number of tasks asked for, or it fails. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* PROGRAM [TASKS [WORKERS [PRODUCERS [VARIANT]]]] */
struct bench {
    uint64_t n_tasks;     /* per round; 1 000 000 if not given */
    unsigned n_workers;   /* threads that run tasks; 2 if not given */
    unsigned n_producers; /* threads that submit tasks; 1 if not given */
    const char *variant;  /* a program's own choice between ways to do it; "" if not given */
};

/* bench_read: the plan, from the command line; ends the process if that makes no sense.
 * [thread: main] [suspends: no] [blocks: no] [allocates: no] */
struct bench bench_read(int argc, char **argv);

/* bench_run: do the round twice and print what the second took.
 * round: does n_tasks tasks, waits for them, returns how many were done.
 * Returns the exit status for main.
 * [thread: main] [suspends: no] [blocks: yes] [allocates: no] */
int bench_run(const struct bench *bench, uint64_t (*round)(const struct bench *, void *), void *context);

/* bench_produce: share n_tasks out among n_producers calls of `produce`, and wait for all.
 * A single producer is the calling thread; more of them are threads made for this call.
 * produce: submits n tasks; producer: 0 .. n_producers - 1.
 * [thread: main] [suspends: no] [blocks: yes] [allocates: yes] */
void bench_produce(const struct bench *bench, void (*produce)(unsigned producer, uint64_t n, void *context),
    void *context);

/* bench_task: the empty task, the same for every contender: it only counts itself, on a cache
 * line of the thread that runs it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void bench_task(void);

/* bench_executed: how many tasks ran since the last round; to be called when all are done.
 * [thread: main] [suspends: no] [blocks: no] [allocates: no] */
uint64_t bench_executed(void);

/* bench_wait: for pools that have no "wait until all tasks are done": look every 50 µs whether
 * n tasks ran in this round.
 * Returns bench_executed().
 * [thread: main] [suspends: no] [blocks: yes] [allocates: no] */
uint64_t bench_wait(uint64_t n);

/* bench_time_ns, bench_cpu_ns: the time since an arbitrary start; the processor time that all
 * threads of the process have had.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t bench_time_ns(void);
uint64_t bench_cpu_ns(void);

/* bench_check: end the process with `what` unless ok.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void bench_check(int ok, const char *what);

#ifdef __cplusplus
}
#endif

#endif
