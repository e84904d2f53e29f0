/* The board: submitters, takers, sleepers and waiters of several classes; tasks that are dropped for
 * newer ones, accepted beyond the capacity, or run by a thread that helps. */
#include "template.h"

static void joiner(void *argument)
{
    uintptr_t task = (uintptr_t)argument;
    submitter(argument);
    model_check(job_join_all(pool, TP_FOREVER) == 0);
    model_check(n_run[task] + n_lost[task] == accepted[task]);
}

static void helper(void *argument)
{
    (void)argument;
    model_check(job_process_pending(pool, 2) <= 2);
}

/* -- scenarios ---------------------------------------------------------------------------------- */

static void submit(unsigned variant)
{
    open_pool(variant);
    add_submitters(submitter);
}

static void submit_what_fits(unsigned variant)
{
    submit(variant);
    fits = true;
}

static void submit_two(unsigned variant)
{
    open_pool(variant);
    add_submitters(double_submitter);
}

static void submit_and_close(unsigned variant)
{
    submit(variant);
    model_thread(closer, NULL);
}

static void join(unsigned variant)
{
    open_pool(variant);
    add_submitters(joiner);
}

static void help(unsigned variant)
{
    submit(variant);
    model_thread(helper, NULL);
}

static void help_and_close(unsigned variant)
{
    submit_and_close(variant);
    model_thread(helper, NULL);
}

static const struct model_scenario scenarios[] = {
    {"board: 1 worker, 1 submitter of 2 tasks", submit_two, end, rest, .variant = 121, .preemptions = 2},
    {"board: 2 workers, 1 submitter of 2 tasks", submit_two, end, rest, .variant = 221, .preemptions = 1},
    {"board: 1 worker, 2 submitters, capacity 1", submit, end, rest, .variant = 112, .preemptions = 2},
    {"board: 1 worker, 3 submitters, capacity 1", submit, end, rest, .variant = 113, .preemptions = 1, .max_executions = 20000},
    {"board: 2 workers, 2 submitters, room for both", submit_what_fits, end, rest, .variant = 222, .preemptions = 1},
    {"board: 1 worker, 1 submitter, close", submit_and_close, closed_end, .variant = 111, .preemptions = 2},
    {"board: 1 worker, 2 submitters, capacity 1, close", submit_and_close, closed_end, .variant = 112, .preemptions = 1, .max_executions = 20000},
    {"board: 2 workers, 1 submitter, close", submit_and_close, closed_end, .variant = 211, .preemptions = 1, .max_executions = 20000},
    {"board: 1 worker, 2 joiners", join, end, rest, .variant = 122, .preemptions = 1},
    {"board: 1 worker, 2 joiners, capacity 1", join, end, rest, .variant = 112, .preemptions = 1},
    {"board: 1 worker, 1 submitter, help", help, end, rest, .variant = 111, .preemptions = 2},
    {"board: 1 worker, 2 submitters, capacity 1, help", help, end, rest, .variant = 112, .preemptions = 1},
    {"board: 1 worker, 1 submitter, close, help", help_and_close, closed_end, .variant = 111, .preemptions = 1},

    {"board: the lock without acquire", submit, end, rest, .variant = 112, .preemptions = 1, .must_fail = true,
        .without = {"tp_spin_lock", MODEL_ACQUIRE}},
    {"board: the lock without release", submit, end, rest, .variant = 112, .preemptions = 1, .must_fail = true,
        .without = {"tp_spin_unlock", MODEL_RELEASE}},
    {"board: counts without release", join, end, rest, .variant = 121, .preemptions = 2, .must_fail = true,
        .without = {"job_count", MODEL_RELEASE}},
    {"board: work told without fence", submit, end, rest, .variant = 111, .preemptions = 2, .must_fail = true,
        .without = {"tp_idle_notify", MODEL_FENCE}},
    {"board: a task that is late is put down", submit_and_close, closed_end, .variant = 1000 * PUTS_LATE + 111, .preemptions = 2, .must_fail = true},
#if WITH_BLOCK
    {"board: room told without fence", submit, end, rest, .variant = 112, .preemptions = 2, .must_fail = true,
        .without = {"job_tell_room", MODEL_FENCE}},
    {"board: nobody is told of room", submit, end, rest, .variant = 1000 * WAKES_NOBODY + 112, .preemptions = 2, .must_fail = true},
#else
    {"board: helped, told without fence", help_and_close, closed_end, .variant = 111, .preemptions = 2, .must_fail = true,
        .without = {"job_tell_quiet", MODEL_FENCE}},
#endif
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
