/* The whole template with hostile sizes (shrink.sed): what is accepted runs exactly once, nobody
 * waits for ever, and nothing is left when the pool is freed. Built once per variant. */
#include "model.h"

#include <stdlib.h>

#define malloc(n) model_alloc(n)
#define aligned_alloc(a, n) model_alloc(n)
#define free(p) model_free(p)

#include "pool.c"

#if !WITH_LIFO
_Static_assert(JOB_SPARES == 1, "shrink.sed");
#endif
_Static_assert(JOB_SEGMENT == 2 && JOB_LANES_MIN == 1 && JOB_LANES_MAX == 2, "shrink.sed");
_Static_assert(JOB_BATCH == (WITH_STEALING ? 2 : 1) && JOB_FAIRNESS == 3 && JOB_LOOKS == 1 && JOB_PAUSES == 1, "shrink.sed");
#if WITH_BOUNDED
_Static_assert(JOB_CREDIT == 2, "shrink.sed");
#endif
#if WITH_BOUNDED && WITH_BLOCK
_Static_assert(JOB_YIELDS == 1, "shrink.sed");
#endif

/* Two tasks that wait for each other; a task that submits two more. */
enum { TASKS_MAX = 12,
    MEETING = 7,
    PARENT = 9,
    PAIR = 2 };

static struct job_pool *pool;
static unsigned n_run[TASKS_MAX + 1]; /* plain: written by a worker, read by who joined */
static bool accepted[TASKS_MAX + 1];  /* plain: written by the submitter */
static const uintptr_t meeting[PAIR] = {MEETING, MEETING + 1}, children[PAIR] = {PARENT + 1, PARENT + 2};
static tp_atomic(uint32_t) n_met;
static unsigned n_submitters;
static bool fits; /* the capacity suffices: nobody may be refused */

static void give_pair(const uintptr_t *pair)
{
    size_t n = 0;
    job_submit_batch(pool, pair, PAIR, &n);
    for (size_t i = 0; i < n; i++)
        accepted[pair[i]] = true;
}

int job_run(uintptr_t payload)
{
    n_run[payload]++;
    if (payload == PARENT)
        give_pair(children);
    if (payload == MEETING || payload == MEETING + 1) {
        tp_add_sc(&n_met, 1);
        while (tp_load_acq(&n_met) < PAIR)
            model_yield();
    }
    return 0;
}

static bool give(uintptr_t task)
{
    int status = job_submit(pool, task);
    model_check(status == 0 || (!fits && (status == TP_ECLOSED || status == TP_EFULL)));
    accepted[task] = status == 0;
    return status == 0;
}

/* Submits the tasks 2i + 1 and 2i + 2. */
static void submitter(void *argument)
{
    unsigned i = *(unsigned *)argument;
    give(2 * i + 1);
    give(2 * i + 2);
}

static void single_submitter(void *argument)
{
    give(2 * *(unsigned *)argument + 1);
}

static void joiner(void *argument)
{
    unsigned task = 2 * *(unsigned *)argument + 1;
    bool mine = give(task);
    model_check(job_join_all(pool, TP_FOREVER) == 0);
    model_check(n_run[task] == mine); /* and what it wrote is seen */
}

static void parent_joiner(void *argument)
{
    (void)argument;
    give(PARENT);
    model_check(job_join_all(pool, TP_FOREVER) == 0);
    model_check(n_run[PARENT] == 1);
    for (unsigned i = 0; i < PAIR; i++)
        model_check(n_run[children[i]] == accepted[children[i]]);
}

static void meeting_submitter(void *argument)
{
    (void)argument;
    give_pair(meeting);
}

static void closer(void *argument)
{
    (void)argument;
    model_check(job_pool_close(pool, TP_FOREVER) == 0);
}

/* -- scenarios: the variant is workers * 100 + capacity * 10 + submitters ---------------------------- */

static const unsigned numbers[] = {0, 1, 2, 3};

static void open_pool(unsigned variant)
{
    struct tp_pool_settings settings = {.workers = variant / 100};
#if WITH_BOUNDED
    settings.capacity = variant / 10 % 10;
#endif
    for (unsigned i = 0; i <= TASKS_MAX; i++) {
        n_run[i] = 0;
        accepted[i] = false;
    }
    tp_atomic_init(&n_met, 0);
    fits = false;
    model_check(job_pool_open(&pool, &settings) == 0);
    n_submitters = variant % 10;
}

static void submitters(unsigned variant, void (*body)(void *))
{
    open_pool(variant);
    for (unsigned i = 0; i < n_submitters; i++)
        model_thread(body, (void *)&numbers[i]);
}

static void submit_two(unsigned variant)
{
    submitters(variant, submitter);
}

static void submit_what_fits(unsigned variant)
{
    submitters(variant, single_submitter);
    fits = true;
}

static void submit_meeting(unsigned variant)
{
    submitters(variant, meeting_submitter);
}

static void submit_and_close(unsigned variant)
{
    submitters(variant, single_submitter);
    model_thread(closer, NULL);
}

static void submit_two_and_close(unsigned variant)
{
    submitters(variant, submitter);
    model_thread(closer, NULL);
}

static void join(unsigned variant)
{
    submitters(variant, joiner);
}

static void join_children(unsigned variant)
{
    submitters(variant, parent_joiner);
}

/* Only workers may be left asleep, with nothing in flight. */
static bool rest(void)
{
#if WITH_BOUNDED && WITH_BLOCK
    if (pool->room[0].n_waiting != 0)
        return false;
#endif
    return pool->quiet.n_waiting == 0 && job_is_quiet(pool) && !job_is_work_visible(pool);
}

static void end(void)
{
    for (unsigned i = 1; i <= TASKS_MAX; i++)
        model_check(n_run[i] == accepted[i]);
    model_check(job_is_quiet(pool));
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    model_check(stats.submitted == stats.completed && stats.now.running == 0 && stats.now.pending == 0);
#endif
#if WITH_BOUNDED
    uint64_t credit = 0;
    for (unsigned i = 0; i < pool->n_lanes; i++)
        credit += pool->lanes[i].credit;
    model_check(pool->granted - job_sum_finished(pool) == credit && credit <= pool->capacity); /* [ROOM-1] */
#endif
}

/* The workers are gone: nothing may be left of the pool. */
static void closed_end(void)
{
    end();
    job_pool_free(pool);
    model_check(model_n_blocks() == 0);
}

static const struct model_scenario scenarios[] = {
    {"pool: 1 worker, 1 submitter", submit_two, end, rest, .variant = 121, .preemptions = 2},
    {"pool: 2 workers, 1 submitter", submit_two, end, rest, .variant = 221, .preemptions = 1},
    {"pool: 1 worker, 2 submitters, capacity 1", submit_two, end, rest, .variant = 112, .preemptions = 1},
    {"pool: 1 worker, 2 submitters, capacity 2", submit_two, end, rest, .variant = 122, .preemptions = 1},
    {"pool: 1 worker, 1 submitter, close", submit_and_close, closed_end, .variant = 111, .preemptions = 2},
    {"pool: 1 worker, 2 tasks, capacity 1, close", submit_two_and_close, closed_end, .variant = 111, .preemptions = 2},
    {"pool: 2 workers, 1 submitter, close", submit_and_close, closed_end, .variant = 211, .preemptions = 1},
    {"pool: 1 worker, 2 submitters, capacity 1, close", submit_and_close, closed_end, .variant = 112, .preemptions = 1},
    {"pool: 1 worker, 3 submitters, capacity 1, close", submit_and_close, closed_end, .variant = 113, .preemptions = 0, .max_executions = 150000},
    {"pool: 2 workers, 2 submitters, room for both", submit_what_fits, end, rest, .variant = 222, .preemptions = 1},
    {"pool: 2 workers, 2 tasks that meet", submit_meeting, end, rest, .variant = 221, .preemptions = 1},
    {"pool: 1 worker, 1 joiner", join, end, rest, .variant = 121, .preemptions = 2},
    {"pool: 1 worker, 2 joiners", join, end, rest, .variant = 122, .preemptions = 1},
    {"pool: 2 workers, 1 joiner", join, end, rest, .variant = 221, .preemptions = 1},
    {"pool: 1 worker, children are joined", join_children, end, rest, .variant = 131, .preemptions = 2},
    {"pool: 2 workers, children are joined", join_children, end, rest, .variant = 221, .preemptions = 1},

#if !WITH_BOUNDED || !WITH_BLOCK /* else telling of room has a fence already */
    {"pool: joiners told without fence", join, end, rest, .variant = 121, .preemptions = 2, .must_fail = true,
        .without = {"job_tell_quiet", MODEL_FENCE}},
#endif
    {"pool: counts without release", join, end, rest, .variant = 121, .preemptions = 2, .must_fail = true,
        .without = {"job_count", MODEL_RELEASE}},
#if WITH_BOUNDED && WITH_BLOCK
    {"pool: room told without fence", submit_two, end, rest, .variant = 111, .preemptions = 2, .must_fail = true,
        .without = {"tp_waitlist_notify", MODEL_FENCE}},
#endif
    {"pool: work told without fence", submit_two, end, rest, .variant = 121, .preemptions = 2, .must_fail = true,
        .without = {"tp_idle_notify", MODEL_FENCE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
