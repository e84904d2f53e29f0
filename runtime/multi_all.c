/* Multi-pools: what concerns all members: tasks by their ids, quiet, changes, the end, numbers. Everything that waits
 * begins in all members before it waits for one, so they wait for the same time and no thread is needed. */
#include "multi.h"

#include "base/assert.h"
#include "base/status.h"
#include "clock.h"
#include "multi_parts.h"

#include <stdlib.h>

/* -- tasks with handles ------------------------------------------------------------------------- */

int tp_multi_wait(struct tp_multi *multi, struct tp_multi_id id, uint64_t deadline_ns, struct tp_task_result *result)
{
    if (id.member >= multi->n_members)
        return TP_ESTALE;
    const struct tp_multi_pool *member = &multi->members[id.member];
    return member->ops->wait ? member->ops->wait(member->pool, id.id, deadline_ns, result) : TP_ENOTSUP;
}

int tp_multi_join(struct tp_multi *multi, struct tp_multi_id id, uint64_t deadline_ns, struct tp_task_result *result)
{
    int status = tp_multi_wait(multi, id, deadline_ns, result);
    return status == 0 ? tp_multi_detach(multi, id) : status;
}

int tp_multi_detach(struct tp_multi *multi, struct tp_multi_id id)
{
    if (id.member >= multi->n_members)
        return TP_ESTALE;
    const struct tp_multi_pool *member = &multi->members[id.member];
    return member->ops->detach ? member->ops->detach(member->pool, id.id) : TP_ENOTSUP;
}

int tp_multi_cancel_task(struct tp_multi *multi, struct tp_multi_id id)
{
    if (id.member >= multi->n_members)
        return TP_ESTALE;
    const struct tp_multi_pool *member = &multi->members[id.member];
    return member->ops->cancel_task ? member->ops->cancel_task(member->pool, id.id) : TP_ENOTSUP;
}

/* -- quiet -------------------------------------------------------------------------------------- */

/* Who is a task of a member must not wait for all. */
static bool is_inside(const struct tp_multi *multi)
{
    for (uint32_t i = 0; i < multi->n_members; i++)
        if (tp__multi_is_inside(&multi->members[i]))
            return true;
    return false;
}

/* Tasks accepted so far: as the members count them, or, if some do not, as submitters did. */
static uint64_t sum_accepted(struct tp_multi *multi)
{
    uint64_t n = 0;
    for (uint32_t i = 0; multi->is_counting && i < multi->n_lines; i++)
        n += tp_load_acq(&multi->lines[i].n_accepted); /* pairs with the addition in hand_all [MULTI-1] */
    for (uint32_t i = 0; !multi->is_counting && i < multi->n_members; i++) {
        uint64_t n_accepted, n_over;
        multi->members[i].ops->flow(multi->members[i].pool, &n_accepted, &n_over);
        n += n_accepted;
    }
    return n;
}

int tp_multi_join_all(struct tp_multi *multi, uint64_t deadline_ns)
{
    if (is_inside(multi))
        return TP_EDEADLK;
    for (;;) {
        uint64_t before = sum_accepted(multi);
        for (uint32_t i = 0; i < multi->n_members; i++) {
            int status = multi->members[i].ops->join_all(multi->members[i].pool, deadline_ns);
            if (status != 0)
                return status;
        }
        if (sum_accepted(multi) == before) /* nothing went from one member to another behind our back [MULTI-1] */
            return 0;
        if (deadline_ns != TP_FOREVER && tp_clock_now_ns() >= deadline_ns)
            return TP_ETIMEDOUT;
    }
}

/* -- changes ------------------------------------------------------------------------------------ */

/* What all members said. */
struct answers {
    int error; /* the first; 0: none */
    bool is_changed;
};

static void answers_add(struct answers *answers, int status)
{
    if (status == 0)
        answers->is_changed = true;
    else if (status != TP_EUNCHANGED && answers->error == 0)
        answers->error = status;
}

static int answers_sum(const struct answers *answers)
{
    return answers->error != 0 || answers->is_changed ? answers->error : TP_EUNCHANGED;
}

int tp_multi_tune(struct tp_multi *multi, uint64_t capacity)
{
    struct answers answers = {0};
    for (uint32_t i = 0; i < multi->n_members; i++) {
        const struct tp_multi_pool *member = &multi->members[i];
        answers_add(&answers, member->ops->tune ? member->ops->tune(member->pool, capacity) : TP_ENOTSUP);
    }
    return answers_sum(&answers);
}

int tp_multi_tune_workers(struct tp_multi *multi, uint32_t workers)
{
    struct answers answers = {0};
    for (uint32_t i = 0; i < multi->n_members; i++) {
        const struct tp_multi_pool *member = &multi->members[i];
        answers_add(&answers, member->ops->tune_workers ? member->ops->tune_workers(member->pool, workers) : TP_ENOTSUP);
    }
    return answers_sum(&answers);
}

/* -- the end, and again ------------------------------------------------------------------------- */

static int end_member(const struct tp_multi_pool *member, bool cancels, uint64_t deadline_ns)
{
    if (!cancels)
        return member->ops->close(member->pool, deadline_ns);
    return member->ops->cancel ? member->ops->cancel(member->pool, deadline_ns) : TP_ENOTSUP;
}

/* Ends all members and waits for each until the deadline. Returns the first error. */
static int end_members(struct tp_multi *multi, bool cancels, uint64_t deadline_ns)
{
    struct answers answers = {0};
    for (uint32_t i = 0; i < multi->n_members; i++)
        answers_add(&answers, end_member(&multi->members[i], cancels, deadline_ns));
    return answers.error;
}

/* First all begin, then each is waited for. */
static int end_all(struct tp_multi *multi, bool cancels, uint64_t deadline_ns)
{
    if (is_inside(multi))
        return TP_EDEADLK;
    int status = end_members(multi, cancels, 0);
    return deadline_ns == 0 ? status : end_members(multi, cancels, deadline_ns);
}

int tp_multi_close(struct tp_multi *multi, uint64_t deadline_ns)
{
    return end_all(multi, false, deadline_ns);
}

int tp_multi_cancel(struct tp_multi *multi, uint64_t deadline_ns)
{
    return end_all(multi, true, deadline_ns);
}

int tp_multi_reopen(struct tp_multi *multi)
{
    struct answers answers = {0};
    tp__multi_rewind(multi); /* before anything is accepted */
    for (uint32_t i = 0; i < multi->n_members; i++) {
        const struct tp_multi_pool *member = &multi->members[i];
        answers_add(&answers, member->ops->reopen ? member->ops->reopen(member->pool) : TP_ENOTSUP);
    }
    return answers.error;
}

static void give_back(struct tp_multi *multi)
{
    free(multi->lines);
    free(multi);
}

void tp_multi_free(struct tp_multi *multi)
{
    if (!multi)
        return;
    tp_assert(!is_inside(multi));
    end_members(multi, false, 0);
    for (uint32_t i = 0; i < multi->n_members; i++)
        multi->members[i].ops->free(multi->members[i].pool);
    give_back(multi);
}

void tp_multi_abandon(struct tp_multi *multi)
{
    if (!multi)
        return;
    for (uint32_t i = 0; i < multi->n_members; i++) {
        const struct tp_multi_pool *member = &multi->members[i];
        if (member->ops->abandon)
            member->ops->abandon(member->pool);
        else
            member->ops->free(member->pool);
    }
    give_back(multi);
}

/* -- numbers ------------------------------------------------------------------------------------ */

size_t tp_multi_size(const struct tp_multi *multi)
{
    return multi->n_members;
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a < UINT64_MAX - b ? a + b : UINT64_MAX;
}

static void counts_add(struct tp_pool_counts *sum, const struct tp_pool_counts *counts)
{
    sum->capacity = add_saturated(sum->capacity, counts->capacity);
    sum->free = add_saturated(sum->free, counts->free);
    sum->pending += counts->pending;
    sum->running += counts->running;
    sum->waiting += counts->waiting;
    sum->suspended += counts->suspended;
}

void tp_multi_counts(struct tp_multi *multi, struct tp_pool_counts *out)
{
    *out = (struct tp_pool_counts){0};
    for (uint32_t i = 0; i < multi->n_members; i++) {
        struct tp_pool_counts counts;
        tp_multi_member_counts(multi, i, &counts);
        counts_add(out, &counts);
    }
}

void tp_multi_member_counts(struct tp_multi *multi, size_t index, struct tp_pool_counts *out)
{
    tp_assert(index < multi->n_members);
    multi->members[index].ops->counts(multi->members[index].pool, out);
}

/* Adds what is a plain sum, or the greatest of all. */
static void stats_add(struct tp_pool_stats *sum, const struct tp_pool_stats *stats)
{
    sum->submitted += stats->submitted;
    sum->completed += stats->completed;
    sum->failed += stats->failed;
    sum->panicked += stats->panicked;
    sum->timed_out += stats->timed_out;
    sum->cancelled += stats->cancelled;
    sum->dropped += stats->dropped;
    sum->rejected += stats->rejected;
    sum->steal_attempts += stats->steal_attempts;
    sum->steals += stats->steals;
    sum->stolen += stats->stolen;
    sum->parks += stats->parks;
    sum->task_ns += stats->task_ns;
    sum->parked += stats->parked;
    sum->workers += stats->workers;
    sum->most_running += stats->most_running;
    sum->stack_bytes = stats->stack_bytes > sum->stack_bytes ? stats->stack_bytes : sum->stack_bytes; /* the largest */
    sum->stack_high_water = stats->stack_high_water > sum->stack_high_water ? stats->stack_high_water : sum->stack_high_water;
    tp_histogram_merge(&sum->latency, &stats->latency);
    counts_add(&sum->now, &stats->now);
}

void tp_multi_stats(struct tp_multi *multi, struct tp_pool_stats *out)
{
    double used = 0, had = 0, total_ns = 0; /* time of workers in tasks, and open; time of completed tasks */
    *out = (struct tp_pool_stats){0};
    for (uint32_t i = 0; i < multi->n_members; i++) {
        struct tp_pool_stats stats = {0};
        if (multi->members[i].ops->stats)
            multi->members[i].ops->stats(multi->members[i].pool, &stats);
        else
            tp_multi_member_counts(multi, i, &stats.now);
        stats_add(out, &stats);
        out->open_ns = stats.open_ns > out->open_ns ? stats.open_ns : out->open_ns;
        had += (double)stats.workers * (double)stats.open_ns;
        used += (double)stats.workers * (double)stats.open_ns * stats.utilisation;
        total_ns += (double)stats.completed * (double)stats.average_ns;
    }
    out->utilisation = had > 0 ? used / had : 0;
    out->average_ns = out->completed > 0 ? (uint64_t)(total_ns / (double)out->completed) : 0;
}
