/* What all pools have in common, whatever they were generated from: settings, counters, the states of
 * a task, and the table of functions through which a host drives any variant alike.
 * Invariant: 0 in a field of the settings means "as configured", so {0} is always valid. */
#ifndef TP_POOL_H
#define TP_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "activity.h"
#include "histogram.h"
#include "share.h"
#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The order in which tasks start. */
enum tp_policy {
    TP_POLICY_CONFIGURED,
    TP_POLICY_FIFO,
    TP_POLICY_LIFO,
    TP_POLICY_PRIORITY,
    TP_POLICY_FAIR,
    TP_POLICY_ADAPTIVE
};

/* Whether idle workers take tasks from the queues of others. */
enum tp_stealing {
    TP_STEALING_CONFIGURED,
    TP_STEALING_OFF,
    TP_STEALING_ONE,
    TP_STEALING_HALF
};

/* What tasks are. */
enum tp_tasks {
    TP_TASKS_CONFIGURED,
    TP_TASKS_FUNCTION, /* a plain call: what it waits for keeps its worker */
    TP_TASKS_COROUTINE /* with a stack of its own: it waits without its worker (docs/fibers.md) */
};

/* Whether a worker stays on one processor. */
enum tp_affinity {
    TP_AFFINITY_CONFIGURED,
    TP_AFFINITY_OFF,
    TP_AFFINITY_ON /* worker i on the i-th of those that the pool's opener could use, counted round */
};

/* What happens to a task when the pool is full. */
enum tp_overload {
    TP_OVERLOAD_CONFIGURED,
    TP_OVERLOAD_BLOCK,       /* the submitter waits */
    TP_OVERLOAD_REJECT,      /* TP_EFULL */
    TP_OVERLOAD_CALLER_RUNS, /* the submitter runs it */
    TP_OVERLOAD_DROP_OLDEST, /* the oldest task that has not started makes room */
    TP_OVERLOAD_DROP_NEWEST, /* the task itself is dropped */
    TP_OVERLOAD_SPILL        /* it is accepted beyond the capacity */
};

/* Most classes (levels of a priority pool, classes of a fair one) that a pool can have. */
#define TP_CLASSES_MAX 16

/* Most that a class can weigh. With far more, the time of a short task over the weight would come to nothing. */
#define TP_WEIGHT_MAX 1000

/* What can be chosen when a pool is opened. 0 in a field means: as configured. A generated pool
 * refuses, with TP_EINVAL, a choice its code was not generated for. */
struct tp_pool_settings {
    uint32_t workers;     /* threads, at most 4096 */
    uint32_t workers_min; /* threads kept when idle, and started when the pool opens */
    uint32_t workers_max; /* threads that a later change may ask for */
    uint32_t waiting_max; /* submitters that may wait for room */
    uint64_t capacity;    /* tasks in flight: accepted and not finished; UINT64_MAX: unlimited */
    uint64_t preallocate; /* tasks for which memory is held from the beginning */
    uint64_t deadline_ns; /* how long a submitter waits for room; UINT64_MAX: for ever */
    uint64_t timeout_ns;  /* how long a task may run; UINT64_MAX: for ever */
    uint64_t expire_ns;   /* how long a worker may sleep before its thread ends; UINT64_MAX: for ever */
    enum tp_policy policy;
    enum tp_stealing stealing;
    enum tp_overload overload;
    enum tp_affinity affinity;
    enum tp_tasks tasks;
    uint32_t seed;                                                        /* of the order in which workers look at each other's queues; 0: the usual one */
    uint32_t weights[TP_CLASSES_MAX];                                     /* of the classes, in their order; at most TP_WEIGHT_MAX */
    void (*on_panic)(const struct tp_panic_report *panic, void *context); /* told of panics and of tasks over their limit; NULL: tp_panic_log */
    void *context;                                                        /* handed to on_panic */
};

/* tp_pool_settings_fit: is everything that was asked for so, and may it be so?
 * asked: 0 in a field asks for nothing. is: the settings in force.
 * Returns 0 or TP_EINVAL.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_pool_settings_fit(const struct tp_pool_settings *asked, const struct tp_pool_settings *is);

/* The five numbers that are always kept. Each is exact at a moment of the call and never negative;
 * running + pending is what is in flight, and running never exceeds the threads. */
struct tp_pool_counts {
    uint64_t capacity;  /* tasks in flight at most; UINT64_MAX if unlimited */
    uint64_t pending;   /* accepted, not started */
    uint64_t running;   /* started, not finished */
    uint64_t free;      /* capacity left; 0 when more than the capacity is in flight */
    uint64_t waiting;   /* submitters that wait for room */
    uint64_t suspended; /* tasks in coroutines that sleep: neither pending nor running */
};

/* A look at the counters of a pool generated with `stats = on`. The snapshot is consistent: always
 * submitted = completed + cancelled + dropped + pending + running + suspended. What a variant cannot have is 0. */
struct tp_pool_stats {
    uint64_t submitted;          /* tasks accepted */
    uint64_t completed;          /* tasks run to an end of any kind */
    uint64_t failed;             /* of these: returned a negative value, or panicked */
    uint64_t panicked;           /* of the failed: by tp_panic */
    uint64_t timed_out;          /* of the completed: ran longer than the limit */
    uint64_t cancelled;          /* tasks cancelled before they started */
    uint64_t dropped;            /* tasks accepted and then dropped for newer ones */
    uint64_t rejected;           /* tasks refused because the pool was full */
    uint64_t steal_attempts;     /* looks into another worker's queue */
    uint64_t steals;             /* looks that brought tasks */
    uint64_t stolen;             /* tasks they brought */
    uint64_t parks;              /* times a worker went to sleep */
    uint64_t task_ns;            /* time spent in tasks; sampled, see docs/statistics.md */
    uint64_t average_ns;         /* of one task */
    uint64_t open_ns;            /* since the pool was opened or reopened */
    double utilisation;          /* task_ns over the time that all workers had; 0 to 1 */
    struct tp_histogram latency; /* ns from submission to start; sampled likewise */
    struct tp_pool_counts now;
    uint32_t parked;           /* workers asleep now */
    uint32_t workers;          /* threads now */
    uint32_t most_running;     /* tasks that ran at the same time, at most */
    uint64_t stack_bytes;      /* of a coroutine; 0: tasks have no stacks of their own */
    uint64_t stack_high_water; /* most bytes of it that a task has used; sampled, 0: none was measured */
};

/* One decision of a pool about itself, for people who ask why. */
enum tp_decision_kind {
    TP_DECISION_WORKERS, /* from and to: threads */
    TP_DECISION_POLICY   /* from and to: enum tp_policy; TP_POLICY_FIFO stands for stealing */
};
struct tp_decision {
    uint64_t time_ns; /* on tp_clock_now_ns() */
    enum tp_decision_kind kind;
    uint32_t from, to;
    uint64_t before, after; /* what was compared, as `why` says: waiting submitters, tasks per second */
    const char *why;        /* a static sentence */
};

struct tp_fibers;
struct tp_track;

/* How any pool is driven. `pool` is what the variant's own open returned; each function is the
 * variant's own function of that name, with its contract. NULL: the variant was built without it. */
struct tp_pool_ops {
    const char *name;     /* of the pool, static */
    const char *payload;  /* type of one task's payload, as the config has it */
    size_t payload_bytes; /* its size */
    uint32_t n_classes;   /* 1 if the pool has no classes */
    int (*open)(void **pool, const struct tp_pool_settings *settings);
    int (*submit)(void *pool, const void *payload);
    int (*submit_class)(void *pool, unsigned class_, const void *payload);
    int (*submit_batch)(void *pool, const void *payloads, size_t n, size_t *n_accepted);
    /* class_: also UINT_MAX, for a task that names none; without classes, that or 0. */
    int (*spawn)(void *pool, unsigned class_, const void *payload, uint64_t *id);
    int (*wait)(void *pool, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result);
    int (*detach)(void *pool, uint64_t id);
    int (*cancel_task)(void *pool, uint64_t id);
    int (*join_all)(void *pool, uint64_t deadline_ns);
    int (*tune)(void *pool, uint64_t capacity);
    int (*tune_workers)(void *pool, uint32_t workers);
    int (*close)(void *pool, uint64_t deadline_ns);
    int (*cancel)(void *pool, uint64_t deadline_ns);
    int (*reopen)(void *pool);
    void (*abandon)(void *pool);
    void (*free)(void *pool);
    void (*counts)(void *pool, struct tp_pool_counts *out);
    void (*stats)(void *pool, struct tp_pool_stats *out);
    void (*settings)(void *pool, struct tp_pool_settings *out);
    /* As submit_batch, all in one class (UINT_MAX: the default one), with handles if ids is not NULL; but it never
     * waits, runs, drops or spills a task because the pool is full: it stops with TP_EFULL. */
    int (*offer)(void *pool, unsigned class_, const void *payloads, size_t n, uint64_t *ids, size_t *n_accepted);
    /* How many tasks were accepted since the pool was opened, and how many of them are over, which is read first. A task is
     * counted before the call that hands it over returns, and before it can be over. Costs less than counts. */
    void (*flow)(void *pool, uint64_t *accepted, uint64_t *over);
    struct tp_track *(*track)(void *pool); /* the records of its tasks, for tp_case_task */
    /* What each worker does: the first n of them are told of, in the order of their indices. Returns how many there are. */
    size_t (*workers)(void *pool, struct tp_worker_info *out, size_t n);
    struct tp_fibers *(*fibers)(void *pool); /* the coroutines of its tasks, for tp_timer_init; NULL: they are plain */
};

#ifdef __cplusplus
}
#endif

#endif
