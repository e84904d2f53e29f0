#ifndef JOB_POOL_H
#define JOB_POOL_H

#include <tidepool.h>

#include VALUE_INCLUDE

#if TIDEPOOL_VERSION_MAJOR != 0 || TIDEPOOL_VERSION_MINOR != 1
#error "this pool was generated for tidepool 0.1: generate it again"
#endif

#if WITH_BOUNDED && WITH_BLOCK
/* How deep a task of a full pool may run the tasks it submits. */
#define JOB_NESTED_MAX 32
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_WAITING
/* How many submitters may wait for room. */
#define JOB_WAITING_MAX VALUE_WAITING
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_DEADLINE
/* How long a submitter waits for room. */
#define JOB_DEADLINE_NS VALUE_DEADLINE_NS
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Runs one task on a worker; written by the host. payload: the task's own copy.
 * Returns 0, or a negative value if the task failed: it is counted, nothing else stops. */
int VALUE_RUN(VALUE_PAYLOAD payload);

/* A pool of threads that run VALUE_RUN. Opaque; any thread may use it. */
struct job_pool;

/* What can still be chosen when the pool is opened. 0 in a field means: as configured. */
struct job_pool_settings {
    uint32_t workers;  /* threads, at most 4096 */
#if WITH_BOUNDED
    uint64_t capacity; /* tasks in flight: accepted and not finished */
#endif
};

/* job_pool_open: make a pool and start its workers.
 * out:      receives the pool; untouched on error. Ends with job_pool_free.
 * settings: read during the call only; NULL means all as configured.
 * Returns 0, TP_EINVAL (a field out of range), TP_ENOMEM, or TP_ETHREAD (nothing is left running).
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int job_pool_open(struct job_pool **out, const struct job_pool_settings *settings);

/* job_submit: hand one task to the pool.
 * payload: copied into the pool's queue; what it points to must live until the task has run.
#if WITH_BOUNDED && WITH_BLOCK
 * When the pool is full the caller waits for room; a task of this same pool never waits: it runs
 * the new task itself, at once; JOB_NESTED_MAX deep it gets TP_EFULL.
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_WAITING
 * At most JOB_WAITING_MAX callers wait; further ones get TP_EFULL at once.
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_DEADLINE
 * A caller waits at most JOB_DEADLINE_NS, then gets TP_ETIMEDOUT.
#endif
#if WITH_BOUNDED && !WITH_BLOCK
 * When the pool is full the task is refused with TP_EFULL.
#endif
#if !WITH_STEALING
 * What a task of this pool submits is run by the same worker, later: a task must not wait for it.
#endif
 * On any error the task was not accepted and will not run.
 * Returns 0, TP_ECLOSED, TP_ENOMEM, or as said above.
#if WITH_BOUNDED && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if !WITH_BOUNDED || !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
 */
int job_submit(struct job_pool *pool, VALUE_PAYLOAD payload);

/* job_submit_batch: hand n tasks to the pool with one synchronisation for as many as fit.
 * payloads:   n of them, copied in order; the caller keeps the array. NULL only if n is 0.
 * n_accepted: receives how many were accepted, on success and on error: the first so many of
 *             the array. May be NULL.
 * Returns 0 if all were accepted, else the error that stopped payloads[*n_accepted], as job_submit.
#if WITH_BOUNDED && WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: when full] [allocates: rarely]
#endif
#if !WITH_BOUNDED || !WITH_BLOCK
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely]
#endif
 */
int job_submit_batch(struct job_pool *pool, VALUE_PAYLOAD const *payloads, size_t n, size_t *n_accepted);

/* job_join_all: wait until the pool is quiet: every accepted task finished, also those that
 * tasks submitted meanwhile.
 * deadline_ns: a point on tp_clock_now_ns(), e.g. tp_deadline_in_ns(TP_SECOND); or TP_FOREVER.
 * Returns 0, TP_ETIMEDOUT, or TP_EDEADLK when called by a task of this pool.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_join_all(struct job_pool *pool, uint64_t deadline_ns);

/* job_pool_close: refuse new tasks, wake every waiting submitter with TP_ECLOSED, finish the
 * tasks already accepted, and end the workers. Any number of calls, from any threads.
 * deadline_ns: when to stop waiting; the pool goes on closing, and a later call waits again.
 * Returns 0 when no worker is left, TP_ETIMEDOUT, or TP_EDEADLK when called by a task of this
 * pool (which is then not closed).
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int job_pool_close(struct job_pool *pool, uint64_t deadline_ns);

/* job_pool_free: close without a deadline and give the memory back.
 * pool: no other thread may be inside a call on it; NULL does nothing. Must not be called by a
 *       task of this pool.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
void job_pool_free(struct job_pool *pool);

#if WITH_STATS
/* A look at the counters. Each is exact and never goes back, except those marked "now": these were
 * true at some moment of the call, but not all at the same one. */
struct job_stats {
    uint64_t submitted;      /* tasks accepted */
    uint64_t completed;      /* tasks finished, failed ones included */
    uint64_t failed;         /* tasks that returned a negative value */
    uint64_t rejected;       /* tasks refused because the pool was full */
#endif
#if WITH_STATS && WITH_STEALING
    uint64_t steal_attempts; /* looks into another worker's queue */
    uint64_t steals;         /* looks that brought tasks */
    uint64_t stolen;         /* tasks they brought */
#endif
#if WITH_STATS
    uint64_t parks;          /* times a worker went to sleep */
    uint64_t capacity;       /* now: tasks in flight at most; UINT64_MAX if unlimited */
    uint64_t pending;        /* now: accepted, not started */
    uint64_t running;        /* now: started, not finished */
    uint32_t waiting;        /* now: submitters blocked because the pool is full */
    uint32_t parked;         /* now: workers asleep */
    uint32_t workers;        /* threads */
};

/* job_pool_stats: read the counters.
 * out: filled. Always completed <= submitted and running <= workers, and no number wraps.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void job_pool_stats(struct job_pool *pool, struct job_stats *out);
#endif

#ifdef __cplusplus
}
#endif

#endif
