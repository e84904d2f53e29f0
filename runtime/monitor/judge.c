/* Judging looks. A trouble begins above its limit and is over below a lower one: half the latency, nine tenths of the memory, any step
 * of the task, any start of a task. */
#include "judge.h"

#include "../base/status.h"
#include "../clock.h"
#include "probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BYTES = 320 };

void tp_judge_init(struct tp_judge *judge, const struct tp_monitor_settings *settings)
{
    memset(judge, 0, sizeof *judge);
    if (settings)
        judge->settings = *settings;
    struct tp_monitor_settings *is = &judge->settings;
    is->period_ns = is->period_ns ? is->period_ns : 25 * TP_MILLISECOND;
    is->latency_ns = is->latency_ns ? is->latency_ns : 100 * TP_MILLISECOND;
    is->memory_bytes = is->memory_bytes ? is->memory_bytes : UINT64_C(1) << 30;
    is->stall_ns = is->stall_ns ? is->stall_ns : 100 * TP_MILLISECOND;
    is->starvation_ns = is->starvation_ns ? is->starvation_ns : TP_SECOND;
}

void tp_judge_free(struct tp_judge *judge)
{
    free(judge->pools);
    free(judge->workers);
}

static double ms(uint64_t ns)
{
    return (double)ns / (double)TP_MILLISECOND;
}

/* Does the worker hold a task? */
static bool is_busy(const struct tp_worker_info *worker)
{
    return worker->state == TP_ACTIVITY_RUNNING || (worker->state == TP_ACTIVITY_BLOCKED && worker->reason == TP_BLOCKED_TASK);
}

static bool has_thread(const struct tp_worker_info *worker)
{
    return worker->state != TP_ACTIVITY_BLOCKED || (worker->reason != TP_BLOCKED_NO_THREAD && worker->reason != TP_BLOCKED_SHUTDOWN);
}

/* -- what is remembered ------------------------------------------------------------------------- */

/* That of the last look, of which the numbers rise as those of this one do. NULL: the pool is new. */
static const struct tp_judge_pool *recall(const struct tp_judge *judge, uint64_t number)
{
    for (size_t i = 0; i < judge->n_pools; i++)
        if (judge->pools[i].number == number)
            return &judge->pools[i];
    return NULL;
}

/* Changes whenever a task starts, waits, ends or is given up, and never because others come: what was accepted and what is pending are
 * not numbers of one moment. */
static uint64_t progress_of(const struct tp_look *look, const struct tp_look_pool *seen)
{
    uint64_t n = seen->n_over + seen->counts.suspended;
    for (size_t j = 0; j < seen->n_workers; j++)
        n += is_busy(&look->workers[seen->first_worker + j]);
    return n;
}

/* What is to be remembered of this look, with what lasts from the one before. */
static void remember(const struct tp_judge *judge, const struct tp_look *look, struct tp_judge_pool *pools, struct tp_judge_worker *workers)
{
    for (size_t i = 0; i < look->n_pools; i++) {
        const struct tp_look_pool *seen = &look->pools[i];
        const struct tp_judge_pool *before = recall(judge, seen->number);
        struct tp_judge_pool *now = &pools[i];
        if (before)
            *now = *before;
        uint64_t progress = progress_of(look, seen);
        now->number = seen->number;
        if (!before || now->progress != progress || seen->counts.pending == 0) {
            now->progress = progress;
            now->since_ns = look->now_ns;
            now->is_starving = false;
        }
        for (size_t j = 0; j < seen->n_workers; j++) {
            const struct tp_worker_info *worker = &look->workers[seen->first_worker + j];
            struct tp_judge_worker *mine = &workers[seen->first_worker + j];
            if (before && j < before->n_workers)
                *mine = judge->workers[before->first_worker + j];
            if (!before || j >= before->n_workers || mine->n_steps != worker->n_steps)
                *mine = (struct tp_judge_worker){.n_steps = worker->n_steps, .since_ns = look->now_ns};
        }
        now->first_worker = seen->first_worker;
        now->n_workers = seen->n_workers;
    }
}

/* -- troubles ----------------------------------------------------------------------------------- */

/* Why tasks may wait, as far as a look can say. */
static void say_cause(const struct tp_judge *judge, const struct tp_look *look, const struct tp_look_pool *seen, char *out, size_t n_out)
{
    size_t n_busy = 0, n_threads = 0, longest = 0;
    uint64_t longest_ns = 0;
    for (size_t j = 0; j < seen->n_workers; j++) {
        const struct tp_worker_info *worker = &look->workers[seen->first_worker + j];
        uint64_t held_ns = look->now_ns - judge->workers[seen->first_worker + j].since_ns;
        n_busy += is_busy(worker);
        n_threads += has_thread(worker);
        if (is_busy(worker) && held_ns >= longest_ns) {
            longest = j;
            longest_ns = held_ns;
        }
    }
    int n = snprintf(out, n_out, "%" PRIu64 " tasks wait; ", seen->counts.pending);
    if (n < 0 || (size_t)n >= n_out)
        return;
    out += n;
    n_out -= (size_t)n;
    if (n_busy > 0 && longest_ns >= judge->settings.latency_ns)
        snprintf(out, n_out, "worker %zu has been in one task for %.0f ms", longest, ms(longest_ns));
    else if (n_busy == n_threads && n_threads > 0)
        snprintf(out, n_out, "all %zu workers are busy", n_threads);
    else if (seen->counts.waiting > 0)
        snprintf(out, n_out, "%" PRIu64 " submitters wait for room", seen->counts.waiting);
    else
        snprintf(out, n_out, "%zu of %zu workers are busy: perhaps the machine was", n_busy, n_threads);
}

static void judge_memory(struct tp_judge *judge, uint64_t bytes)
{
    uint64_t limit = judge->settings.memory_bytes;
    char message[MESSAGE_BYTES];
    if (bytes < limit - limit / 10)
        judge->is_fat = false;
    if (bytes <= limit || judge->is_fat)
        return;
    judge->is_fat = true;
    snprintf(message, sizeof message, "the process holds %" PRIu64 " MiB of memory, more than %" PRIu64 " MiB", bytes >> 20, limit >> 20);
    struct tp_trouble trouble = {.kind = TP_TROUBLE_MEMORY, .worker = -1, .value = bytes, .limit = limit, .message = message};
    judge->tell(&trouble, 0, judge->context);
}

static void judge_latency(struct tp_judge *judge, const struct tp_look *look, const struct tp_look_pool *seen, struct tp_judge_pool *mine)
{
    uint64_t limit = judge->settings.latency_ns;
    struct tp_histogram since; /* the last look */
    char cause[MESSAGE_BYTES / 2], message[MESSAGE_BYTES];
    for (int i = 0; i < TP_HISTOGRAM_BUCKETS; i++) {
        uint64_t now = seen->stats.latency.counts[i], before = mine->latency.counts[i];
        since.counts[i] = now > before ? now - before : 0;
    }
    mine->latency = seen->stats.latency;
    uint64_t p99_ns = tp_histogram_quantile(&since, 0.99);
    bool is_quiet = tp_histogram_count(&since) == 0 && seen->counts.pending == 0;
    if (is_quiet || (tp_histogram_count(&since) > 0 && p99_ns < limit / 2))
        mine->is_late = false;
    if (p99_ns <= limit || mine->is_late)
        return;
    mine->is_late = true;
    say_cause(judge, look, seen, cause, sizeof cause);
    snprintf(message, sizeof message, "pool %s: tasks start %.0f ms after they were accepted (99th percentile), later than %.0f ms: %s", seen->name, ms(p99_ns), ms(limit), cause);
    struct tp_trouble trouble = {.kind = TP_TROUBLE_LATENCY, .pool = seen->name, .instance = seen->number, .worker = -1, .value = p99_ns, .limit = limit, .message = message};
    judge->tell(&trouble, 0, judge->context);
}

static void judge_starvation(struct tp_judge *judge, const struct tp_look *look, const struct tp_look_pool *seen, struct tp_judge_pool *mine)
{
    uint64_t limit = judge->settings.starvation_ns, held_ns = look->now_ns - mine->since_ns;
    char cause[MESSAGE_BYTES / 2], message[MESSAGE_BYTES];
    if (seen->counts.pending == 0 || held_ns < limit || mine->is_starving)
        return;
    mine->is_starving = true;
    say_cause(judge, look, seen, cause, sizeof cause);
    snprintf(message, sizeof message, "pool %s: no task has started for %.0f ms: %s", seen->name, ms(held_ns), cause);
    struct tp_trouble trouble = {.kind = TP_TROUBLE_STARVATION, .pool = seen->name, .instance = seen->number, .worker = -1, .value = held_ns, .limit = limit, .message = message};
    judge->tell(&trouble, 0, judge->context);
}

static void judge_worker(struct tp_judge *judge, const struct tp_look *look, const struct tp_look_pool *seen, size_t index)
{
    const struct tp_worker_info *worker = &look->workers[seen->first_worker + index];
    struct tp_judge_worker *mine = &judge->workers[seen->first_worker + index];
    uint64_t limit = judge->settings.stall_ns, held_ns = look->now_ns - mine->since_ns;
    char message[MESSAGE_BYTES];
    if (!is_busy(worker) || held_ns < limit || mine->is_stalled)
        return;
    mine->is_stalled = true;
    snprintf(message, sizeof message, "pool %s, worker %zu: one task has held the worker for %.0f ms%s", seen->name, index, ms(held_ns), worker->state == TP_ACTIVITY_RUNNING ? "" : ", and waits");
    struct tp_trouble trouble = {.kind = TP_TROUBLE_STALL, .pool = seen->name, .instance = seen->number, .worker = (int)index, .value = held_ns, .limit = limit, .message = message};
    bool may_be_probed = seen->stack_bytes == 0 || seen->stack_bytes >= TP_PROBE_STACK_BYTES;
    judge->tell(&trouble, may_be_probed ? worker->thread : 0, judge->context);
}

int tp_judge_step(struct tp_judge *judge, const struct tp_look *look, uint64_t resident_bytes)
{
    struct tp_judge_pool *pools = calloc(look->n_pools + 1, sizeof *pools);
    struct tp_judge_worker *workers = calloc(look->n_workers + 1, sizeof *workers);
    if (!pools || !workers) {
        free(pools);
        free(workers);
        return TP_ENOMEM;
    }
    remember(judge, look, pools, workers);
    free(judge->pools);
    free(judge->workers);
    judge->pools = pools;
    judge->workers = workers;
    judge->n_pools = look->n_pools;
    judge_memory(judge, resident_bytes);
    for (size_t i = 0; i < look->n_pools; i++) {
        const struct tp_look_pool *seen = &look->pools[i];
        if (seen->has_stats)
            judge_latency(judge, look, seen, &pools[i]);
        judge_starvation(judge, look, seen, &pools[i]);
        for (size_t j = 0; j < seen->n_workers; j++)
            judge_worker(judge, look, seen, j);
    }
    return 0;
}
