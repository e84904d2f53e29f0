/* The table of metrics, and reading them. Invariant: see metrics.h; each row says where in a look its number lies, and how to read it. */
#include "metrics.h"

#include "../../coro/stack.h"
#include "../base/status.h"
#include "look.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct process {
    uint64_t n_pools, resident_bytes, n_stacks, n_stacks_idle, stack_mapped_bytes;
};

struct tp_metrics {
    struct process process;
    struct tp_look look;
};

/* What lies at a row's offset. */
enum form {
    U64,
    U32,
    NS, /* a uint64_t, told in seconds */
    REAL,
    LIMIT, /* a uint64_t of which the largest means: none */
    HISTOGRAM,
    STATE, /* of a worker: one sample for each word */
};

/* Which pools have it. */
enum keeper {
    ALL,
    STATS, /* those generated with `stats = on` */
    FIBERS /* those whose tasks are coroutines */
};

#define AT(struct_, field) offsetof(struct struct_, field)
#define COUNTER TP_METRIC_COUNTER
#define GAUGE TP_METRIC_GAUGE

/* Order: process, pools, workers. No name goes, nor changes its meaning; new ones come to the end of their scope. */
static const struct row {
    struct tp_metric is;
    size_t at;
    enum form form;
    enum keeper keeper;
} rows[] = {
    {{"tidepool_pools", "", "Pools that are open, or closed and not freed", GAUGE, TP_METRIC_OF_PROCESS}, AT(process, n_pools), U64, ALL},
    {{"tidepool_resident_memory_bytes", "bytes", "Memory of the process that is not swapped out or unused", GAUGE, TP_METRIC_OF_PROCESS}, AT(process, resident_bytes), U64, ALL},
    {{"tidepool_stacks", "", "Stacks of coroutines in use", GAUGE, TP_METRIC_OF_PROCESS}, AT(process, n_stacks), U64, ALL},
    {{"tidepool_stacks_idle", "", "Stacks of coroutines kept for later", GAUGE, TP_METRIC_OF_PROCESS}, AT(process, n_stacks_idle), U64, ALL},
    {{"tidepool_stack_mapped_bytes", "bytes", "Address space that stacks of coroutines take", GAUGE, TP_METRIC_OF_PROCESS}, AT(process, stack_mapped_bytes), U64, ALL},

    {{"tidepool_pool_workers", "", "Worker threads there are", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.workers), U32, STATS},
    {{"tidepool_pool_workers_parked", "", "Worker threads asleep", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.parked), U32, STATS},
    {{"tidepool_pool_capacity_tasks", "tasks", "Tasks that may be in flight", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, counts.capacity), LIMIT, ALL},
    {{"tidepool_pool_pending_tasks", "tasks", "Tasks accepted and not started", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, counts.pending), U64, ALL},
    {{"tidepool_pool_running_tasks", "tasks", "Tasks started and not over", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, counts.running), U64, ALL},
    {{"tidepool_pool_suspended_tasks", "tasks", "Tasks that wait without their worker", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, counts.suspended), U64, FIBERS},
    {{"tidepool_pool_waiting_submitters", "", "Submitters that wait for room", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, counts.waiting), U64, ALL},
    {{"tidepool_pool_descriptors", "", "Descriptors that the pool's driver watches", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, waits.n_linked), U64, FIBERS},
    {{"tidepool_pool_accepted_tasks", "tasks", "Tasks accepted, ever", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, n_accepted), U64, ALL},
    {{"tidepool_pool_over_tasks", "tasks", "Accepted tasks that are over, in whatever way", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, n_over), U64, ALL},
    {{"tidepool_pool_submitted_tasks", "tasks", "Tasks accepted since the pool was opened, also those that their submitter ran", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.submitted), U64, STATS},
    {{"tidepool_pool_completed_tasks", "tasks", "Tasks that ran to an end of any kind", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.completed), U64, STATS},
    {{"tidepool_pool_failed_tasks", "tasks", "Completed tasks that returned a negative value, or panicked", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.failed), U64, STATS},
    {{"tidepool_pool_panicked_tasks", "tasks", "Failed tasks that panicked", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.panicked), U64, STATS},
    {{"tidepool_pool_timed_out_tasks", "tasks", "Completed tasks that ran longer than their limit", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.timed_out), U64, STATS},
    {{"tidepool_pool_cancelled_tasks", "tasks", "Tasks cancelled before they started", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.cancelled), U64, STATS},
    {{"tidepool_pool_dropped_tasks", "tasks", "Tasks dropped for newer ones", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.dropped), U64, STATS},
    {{"tidepool_pool_rejected_tasks", "tasks", "Tasks refused because the pool was full", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.rejected), U64, STATS},
    {{"tidepool_pool_stolen_tasks", "tasks", "Tasks that a worker took from another one", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.stolen), U64, STATS},
    {{"tidepool_pool_steals", "", "Looks into the queue of another worker that brought tasks", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.steals), U64, STATS},
    {{"tidepool_pool_steal_attempts", "", "Looks into the queue of another worker", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.steal_attempts), U64, STATS},
    {{"tidepool_pool_parks", "", "Times a worker went to sleep", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.parks), U64, STATS},
    {{"tidepool_pool_busy_seconds", "seconds", "Time that workers spent in tasks", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.task_ns), NS, STATS},
    {{"tidepool_pool_open_seconds", "seconds", "Time since the pool was opened", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.open_ns), NS, STATS},
    {{"tidepool_pool_utilisation_ratio", "ratio", "Share of the workers' time that was spent in tasks, since the pool was opened", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.utilisation), REAL, STATS},
    {{"tidepool_pool_most_running_tasks", "tasks", "Tasks that ran at the same time, at most", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.most_running), U32, STATS},
    {{"tidepool_pool_stack_high_water_bytes", "bytes", "Most of its stack that a measured task has used", GAUGE, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.stack_high_water), U64, FIBERS},
    {{"tidepool_pool_latency_seconds", "seconds", "Time from acceptance to start", TP_METRIC_HISTOGRAM, TP_METRIC_OF_POOL}, AT(tp_look_pool, stats.latency), HISTOGRAM, STATS},
    {{"tidepool_pool_set_alarms", "alarms", "Deadlines that tasks and timers have set", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, waits.n_set), U64, FIBERS},
    {{"tidepool_pool_cleared_alarms", "alarms", "Deadlines that were taken back, or no longer needed, before they came", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, waits.n_cleared), U64, FIBERS},
    {{"tidepool_pool_rung_alarms", "alarms", "Deadlines that have come", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, waits.n_rung), U64, FIBERS},
    {{"tidepool_pool_timer_calls", "", "Calls of timers", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, waits.n_called), U64, FIBERS},
    {{"tidepool_pool_dispatched_events", "events", "Events of descriptors that the driver told to who waits", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, waits.n_events), U64, FIBERS},
    {{"tidepool_pool_polls", "", "Times that a worker asked the system for events, or slept until there were some", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, waits.n_polls), U64, FIBERS},
    {{"tidepool_pool_vain_polls", "", "Polls that ended without an event, nor because there was a task", COUNTER, TP_METRIC_OF_POOL}, AT(tp_look_pool, waits.n_vain_polls), U64, FIBERS},

    {{"tidepool_worker_tasks", "tasks", "Tasks that have ended on the worker", COUNTER, TP_METRIC_OF_WORKER}, AT(tp_worker_info, n_tasks), U64, ALL},
    {{"tidepool_worker_pending_tasks", "tasks", "Tasks in the worker's own queue", GAUGE, TP_METRIC_OF_WORKER}, AT(tp_worker_info, pending), U64, ALL},
    {{"tidepool_worker_sleeps", "", "Times that the worker fell asleep", COUNTER, TP_METRIC_OF_WORKER}, AT(tp_worker_info, n_sleeps), U64, ALL},
    {{"tidepool_worker_vain_wakeups", "", "Times that it woke up and slept again without having run a task", COUNTER, TP_METRIC_OF_WORKER}, AT(tp_worker_info, n_vain), U64, ALL},
    {{"tidepool_worker_state", "", "1 for what the worker does, 0 for what it does not", GAUGE, TP_METRIC_OF_WORKER}, 0, STATE, ALL},
};

enum { N_ROWS = sizeof rows / sizeof *rows };

const struct tp_metric *tp_metrics_at(size_t index)
{
    return index < N_ROWS ? &rows[index].is : NULL;
}

/* -- reading ------------------------------------------------------------------------------------ */

/* Of /proc/self/statm, the second number: pages. 0 if it cannot be read. */
uint64_t tp__resident_bytes(void)
{
    unsigned long all, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%lu %lu", &all, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void read_process(struct process *process)
{
    struct tp_stack_stats stacks;
    tp_stack_get_stats(&stacks);
    *process = (struct process){.resident_bytes = tp__resident_bytes(), .stack_mapped_bytes = stacks.mapped_bytes};
    for (size_t i = 0; i < TP_STACK_CLASSES; i++) {
        process->n_stacks += stacks.classes[i].n_live;
        process->n_stacks_idle += stacks.classes[i].n_cached + stacks.classes[i].n_warm + stacks.classes[i].n_cold;
    }
}

int tp_metrics_read(struct tp_metrics **out)
{
    struct tp_metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics)
        return TP_ENOMEM;
    if (tp_look_take(&metrics->look) != 0) {
        free(metrics);
        return TP_ENOMEM;
    }
    read_process(&metrics->process);
    metrics->process.n_pools = metrics->look.n_pools;
    *out = metrics;
    return 0;
}

void tp_metrics_free(struct tp_metrics *metrics)
{
    if (!metrics)
        return;
    tp_look_free(&metrics->look);
    free(metrics);
}

/* -- telling ------------------------------------------------------------------------------------ */

struct teller {
    void (*f)(const struct tp_sample *sample, void *context);
    void *context;
};

static double number(const struct row *row, const void *base)
{
    const void *at = (const char *)base + row->at;
    switch (row->form) {
    case U32:
        return *(const uint32_t *)at;
    case NS:
        return (double)*(const uint64_t *)at / 1e9;
    case REAL:
        return *(const double *)at;
    case LIMIT:
        return *(const uint64_t *)at == UINT64_MAX ? (double)INFINITY : (double)*(const uint64_t *)at;
    case HISTOGRAM:
        return (double)tp_histogram_count(at);
    default:
        return (double)*(const uint64_t *)at;
    }
}

static void tell_of_pool(const struct teller *to, const struct row *row, const struct tp_look_pool *pool)
{
    if ((row->keeper == STATS && !pool->has_stats) || (row->keeper == FIBERS && !pool->has_fibers))
        return;
    struct tp_sample sample = {.metric = &row->is, .pool = pool->name, .instance = pool->number, .worker = -1, .value = number(row, pool)};
    if (row->form == HISTOGRAM)
        sample.histogram = (const struct tp_histogram *)(const void *)((const char *)pool + row->at);
    to->f(&sample, to->context);
}

static void tell_of_worker(const struct teller *to, const struct row *row, const struct tp_look_pool *pool, int index, const struct tp_worker_info *worker)
{
    struct tp_sample sample = {.metric = &row->is, .pool = pool->name, .instance = pool->number, .worker = index};
    if (row->form != STATE) {
        sample.value = number(row, worker);
        to->f(&sample, to->context);
        return;
    }
    struct tp_worker_info any = {.state = TP_ACTIVITY_BLOCKED};
    for (int i = 0; i <= TP_BLOCKED_TASK + TP_ACTIVITY_STEALING; i++) { /* the reasons to be blocked, then the other states */
        any.reason = i <= TP_BLOCKED_TASK ? (enum tp_blocked)i : TP_BLOCKED_NO_THREAD;
        any.state = i <= TP_BLOCKED_TASK ? TP_ACTIVITY_BLOCKED : (enum tp_activity_state)(i - TP_BLOCKED_TASK);
        sample.state = tp_worker_info_word(&any);
        sample.value = any.state == worker->state && any.reason == worker->reason;
        to->f(&sample, to->context);
    }
}

void tp_metrics_each(const struct tp_metrics *metrics, void (*f)(const struct tp_sample *sample, void *context), void *context)
{
    const struct teller to = {f, context};
    const struct tp_look *look = &metrics->look;
    for (const struct row *row = rows; row < rows + N_ROWS; row++) {
        if (row->is.scope == TP_METRIC_OF_PROCESS) {
            struct tp_sample sample = {.metric = &row->is, .worker = -1, .value = number(row, &metrics->process)};
            f(&sample, context);
        }
        for (size_t i = 0; row->is.scope == TP_METRIC_OF_POOL && i < look->n_pools; i++)
            tell_of_pool(&to, row, &look->pools[i]);
        for (size_t i = 0; row->is.scope == TP_METRIC_OF_WORKER && i < look->n_pools; i++)
            for (size_t j = 0; j < look->pools[i].n_workers; j++)
                tell_of_worker(&to, row, &look->pools[i], (int)j, &look->workers[look->pools[i].first_worker + j]);
    }
}
