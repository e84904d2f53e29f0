/* Lanes and rings: submitters, workers, joiners, children and a close. */
#include "template.h"

/* Two tasks that wait for each other; a task that submits two more. */
enum { MEETING = 7,
    PARENT = 9,
    PAIR = 2 };

static const uintptr_t meeting[PAIR] = {MEETING, MEETING + 1}, children[PAIR] = {PARENT + 1, PARENT + 2};
static tp_atomic(uint32_t) n_met;

static void give_pair(const uintptr_t *pair)
{
    size_t n = 0;
    job_submit_batch(pool, pair, PAIR, &n);
    for (size_t i = 0; i < n; i++)
        accepted[pair[i]] = true;
}

/* The parent's children, or the tasks that meet. */
static void run_task(uintptr_t payload)
{
    if (payload == PARENT)
        give_pair(children);
    if (payload == MEETING || payload == MEETING + 1) {
        tp_add_sc(&n_met, 1);
        while (tp_load_acq(&n_met) < PAIR)
            model_yield();
    }
}

static void joiner(void *argument)
{
    unsigned task = (unsigned)(uintptr_t)argument;
    submitter(argument);
    model_check(job_join_all(pool, TP_FOREVER) == 0);
    model_check(n_run[task] == accepted[task]); /* and what it wrote is seen */
}

static void parent_joiner(void *argument)
{
    (void)argument;
    submitter((void *)(uintptr_t)PARENT);
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

/* -- scenarios ---------------------------------------------------------------------------------- */

static void submitters(unsigned variant, void (*body)(void *))
{
    open_pool(variant);
    on_run = run_task;
    tp_atomic_init(&n_met, 0);
    add_submitters(body);
}

static void submit_two(unsigned variant)
{
    submitters(variant, double_submitter);
}

static void submit_one(unsigned variant)
{
    submitters(variant, submitter);
}

static void submit_what_fits(unsigned variant)
{
    submitters(variant, submitter);
    fits = true;
}

static void submit_meeting(unsigned variant)
{
    submitters(variant, meeting_submitter);
}

static void submit_and_close(unsigned variant)
{
    submitters(variant, submitter);
    model_thread(closer, NULL);
}

static void submit_two_and_close(unsigned variant)
{
    submitters(variant, double_submitter);
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

static const struct model_scenario scenarios[] = {
    {"pool: 1 worker, 1 submitter", submit_two, end, rest, .variant = 121, .preemptions = 2},
    {"pool: 2 workers, 1 submitter", submit_two, end, rest, .variant = 221, .preemptions = 1},
    {"pool: 1 worker, 2 submitters, capacity 1", submit_one, end, rest, .variant = 112, .preemptions = 1},
    {"pool: 1 worker, 2 submitters, capacity 2", submit_two, end, rest, .variant = 122, .preemptions = 1},
    {"pool: 1 worker, 1 submitter, close", submit_and_close, closed_end, .variant = 111, .preemptions = 2},
    {"pool: 1 worker, 2 tasks, capacity 1, close", submit_two_and_close, closed_end, .variant = 111, .preemptions = 1},
    {"pool: 2 workers, 1 submitter, close", submit_and_close, closed_end, .variant = 211, .preemptions = 1, .max_executions = 40000},
    {"pool: 1 worker, 2 submitters, capacity 1, close", submit_and_close, closed_end, .variant = 112, .preemptions = 1, .max_executions = 40000},
    {"pool: 1 worker, 3 submitters, capacity 1, close", submit_and_close, closed_end, .variant = 113, .preemptions = 0, .max_executions = 20000},
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
        .without = {"job_tell_room", MODEL_FENCE}},
#endif
    {"pool: work told without fence", submit_two, end, rest, .variant = 121, .preemptions = 2, .must_fail = true,
        .without = {"tp_idle_notify", MODEL_FENCE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
