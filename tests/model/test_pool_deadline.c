/* Submitters that wait for room for a limited time: one that gives up in the moment it is woken takes
 * the room after all or leaves the wake-up to the next in line. */
#include "template.h"

static bool is_early; /* time may pass before nobody else can go on */

static void patient_submitter(void *argument)
{
    int status = give((uintptr_t)argument);
    model_check(status == 0 || status == TP_ECLOSED || (is_early && status == TP_ETIMEDOUT));
}

static void submit(unsigned variant)
{
    is_early = false;
    open_pool(variant);
    add_submitters(patient_submitter);
}

static void submit_early(unsigned variant)
{
    submit(variant);
    is_early = true;
}

static void submit_and_close(unsigned variant)
{
    submit_early(variant);
    model_thread(closer, NULL);
}

static const struct model_scenario scenarios[] = {
    {"deadline: 2 submitters, capacity 1", submit, end, rest, .variant = 112, .preemptions = 1},
    {"deadline: 2 submitters, capacity 1, too late", submit_early, end, rest, .variant = 112, .preemptions = 2, .timeouts = 1, .max_executions = 20000},
    {"deadline: 3 submitters, capacity 1, too late", submit_early, end, rest, .variant = 113, .preemptions = 1, .timeouts = 1, .max_executions = 20000},
    {"deadline: 2 submitters, capacity 1, close", submit_and_close, closed_end, .variant = 112, .preemptions = 1, .timeouts = 1, .max_executions = 20000},

    {"deadline: nobody is told of room", submit, end, rest, .variant = 1000 * WAKES_NOBODY + 112, .preemptions = 1, .must_fail = true},
    {"deadline: room told without fence", submit, end, rest, .variant = 112, .preemptions = 2, .must_fail = true,
        .without = {"job_tell_room", MODEL_FENCE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
