/* Ends: cancel and clean-up against submitters and takers, and a pool that opens again while others
 * still submit and close. No task both runs and is cancelled; each accepted one is over once. */
#include "template.h"

/* Each generation ends with nothing in flight, whatever the threads of the one before still do. */
static void canceller(void *argument)
{
    (void)argument;
    model_check(job_pool_cancel(pool, TP_FOREVER) == 0);
}

static void cleaner(void *argument)
{
    (void)argument;
    job_pool_cleanup(pool);
}

static void reopener(void *argument)
{
    closer(NULL);
    model_check(job_pool_reopen(pool) == 0);
    submitter(argument);
    closer(NULL);
}

/* -- scenarios ---------------------------------------------------------------------------------- */

static void submit_and_cancel(unsigned variant)
{
    open_pool(variant);
    add_submitters(submitter);
    model_thread(canceller, NULL);
}

static void submit_two_and_cancel(unsigned variant)
{
    open_pool(variant);
    add_submitters(double_submitter);
    model_thread(canceller, NULL);
}

static void submit_close_and_cancel(unsigned variant)
{
    submit_and_cancel(variant);
    model_thread(closer, NULL);
}

static void submit_and_clean(unsigned variant)
{
    open_pool(variant);
    add_submitters(submitter);
    model_thread(cleaner, NULL);
}

static void submit_two_and_clean(unsigned variant)
{
    open_pool(variant);
    add_submitters(double_submitter);
    model_thread(cleaner, NULL);
}

static void submit_clean_and_close(unsigned variant)
{
    submit_and_clean(variant);
    model_thread(closer, NULL);
}

static void submit_and_reopen(unsigned variant)
{
    open_pool(variant);
    add_submitters(submitter);
    model_thread(reopener, (void *)7);
}

static void close_and_reopen(unsigned variant)
{
    submit_and_reopen(variant);
    model_thread(closer, NULL);
}

static const struct model_scenario scenarios[] = {
    {"end: 1 worker, 1 submitter, cancel", submit_and_cancel, closed_end, .variant = 111, .preemptions = 2, .max_executions = 40000},
    {"end: 1 worker, 2 tasks, capacity 2, cancel", submit_two_and_cancel, closed_end, .variant = 121, .preemptions = 1},
    {"end: 1 worker, 2 submitters, capacity 1, cancel", submit_and_cancel, closed_end, .variant = 112, .preemptions = 1, .max_executions = 20000},
    {"end: 2 workers, 1 submitter, cancel", submit_and_cancel, closed_end, .variant = 211, .preemptions = 1, .max_executions = 20000},
    {"end: 1 worker, 1 submitter, close and cancel", submit_close_and_cancel, closed_end, .variant = 111, .preemptions = 1, .max_executions = 20000},
    {"end: 1 worker, 2 tasks, clean-up", submit_two_and_clean, end, rest, .variant = 121, .preemptions = 2, .max_executions = 20000},
    {"end: 1 worker, 2 submitters, capacity 1, clean-up", submit_and_clean, end, rest, .variant = 112, .preemptions = 1, .max_executions = 20000},
    {"end: 1 worker, 1 submitter, clean-up, close", submit_clean_and_close, closed_end, .variant = 111, .preemptions = 1, .max_executions = 20000},
    {"end: 1 worker, reopen", submit_and_reopen, closed_end, .variant = 110, .preemptions = 1},
    {"end: 1 worker, 1 submitter, reopen", submit_and_reopen, closed_end, .variant = 121, .preemptions = 1, .max_executions = 20000},
    {"end: 1 worker, a second closer, reopen", close_and_reopen, closed_end, .variant = 120, .preemptions = 1, .max_executions = 20000},

    {"end: cancel, a task that is late is put down", submit_and_cancel, closed_end, .variant = 1000 * PUTS_LATE + 111, .preemptions = 2, .must_fail = true},
    {"end: reopen, a task that is late is put down", submit_and_reopen, closed_end, .variant = 1000 * PUTS_LATE + 121, .preemptions = 1, .must_fail = true},
    {"end: clean-up, over without release", submit_clean_and_close, closed_end, .variant = 111, .preemptions = 2, .must_fail = true,
        .without = {"tp_spin_unlock", MODEL_RELEASE}},
#if WITH_BLOCK
    {"end: clean-up tells nobody of room", submit_two_and_clean, end, rest, .variant = 1000 * WAKES_NOBODY + 111, .preemptions = 2, .must_fail = true},
#endif
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
