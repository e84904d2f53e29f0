/* The newest child: each task is taken exactly once, whole, whether by the owner from its slot or its
 * queue or by thieves; the slot is filled only when nobody copies from it. And in the whole pool. */
#include "template.h"

enum { PARENT = 9,
    CHILDREN = 3 };

static struct job_worker *owner_of; /* whose slot it is */
static tp_atomic(uint32_t) n_taken[TASKS_MAX];

static void consume(const struct job_slot *task)
{
    model_check(task->payload >= 1 && task->payload <= CHILDREN);
    model_check(tp_add_rlx(&n_taken[task->payload], 1) == 0);
}

static void owner(void *argument)
{
    (void)argument;
    struct job_slot task;
    for (uintptr_t i = 1; i <= CHILDREN; i++) {
        while (job_queue_room(&owner_of->queue) == 0)
            if (job_queue_pop(&owner_of->queue, &task))
                consume(&task);
            else
                model_yield();
        struct job_slot child = {.payload = i};
        if (!job_newest_put(owner_of, &child)) {
            *job_queue_ahead(&owner_of->queue, 0) = child;
            job_queue_publish(&owner_of->queue, 1);
        }
    }
    while (job_newest_pop(owner_of, &task) || job_queue_pop(&owner_of->queue, &task))
        consume(&task);
}

static void thief(void *argument)
{
    (void)argument;
    struct job_slot task;
    if (job_newest_take(owner_of, &task))
        consume(&task);
}

static void queue_thief(void *argument)
{
    thief(argument);
    struct job_slot task;
    if (job_queue_steal(&owner_of->queue, NULL, &task, 1) > 0)
        consume(&task);
}

static void have_children(uintptr_t payload)
{
    if (payload == PARENT)
        for (uintptr_t i = 1; i <= 2; i++)
            give(i);
}

/* -- scenarios ---------------------------------------------------------------------------------- */

/* One record of a worker, without its thread. */
static void one_thief(unsigned variant)
{
    (void)variant;
    static struct job_worker worker;
    memset(&worker, 0, sizeof worker);
    memset(n_taken, 0, sizeof n_taken);
    owner_of = &worker;
    model_thread(owner, NULL);
    model_thread(thief, NULL);
}

static void two_thieves(unsigned variant)
{
    one_thief(variant);
    model_thread(queue_thief, NULL);
}

static void all_taken(void)
{
    for (unsigned i = 1; i <= CHILDREN; i++)
        model_check(n_taken[i] == 1);
    model_check(owner_of->newest_state == JOB_NEWEST_EMPTY && job_queue_length(&owner_of->queue) == 0);
}

static void parent(unsigned variant)
{
    open_pool(variant);
    on_run = have_children;
    model_thread(submitter, (void *)PARENT);
}

static void parent_and_close(unsigned variant)
{
    parent(variant);
    model_thread(closer, NULL);
}

static const struct model_scenario scenarios[] = {
    {"newest: 1 thief", one_thief, all_taken, .preemptions = 4},
    {"newest: 2 thieves", two_thieves, all_taken, .preemptions = 3},
    {"newest: 1 worker, a parent", parent, end, rest, .variant = 130, .preemptions = 2},
    {"newest: 2 workers, a parent", parent, end, rest, .variant = 230, .preemptions = 2, .max_executions = 40000},
    {"newest: 2 workers, a parent, close", parent_and_close, closed_end, .variant = 230, .preemptions = 1, .max_executions = 40000},

    {"newest: put without release", one_thief, all_taken, .preemptions = 2, .must_fail = true,
        .without = {"job_newest_put", MODEL_RELEASE}},
    {"newest: taken without acquire", one_thief, all_taken, .preemptions = 2, .must_fail = true,
        .without = {"job_newest_take", MODEL_ACQUIRE}},
    {"newest: taken without release", one_thief, all_taken, .preemptions = 2, .must_fail = true,
        .without = {"job_newest_take", MODEL_RELEASE}},
    {"newest: the slot's end without acquire", one_thief, all_taken, .preemptions = 3, .must_fail = true,
        .without = {"job_newest_put", MODEL_ACQUIRE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
