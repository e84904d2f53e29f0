/* Idle accounting: no task waits while every worker sleeps [IDLE-1], by the two fences [IDLE-2]
 * and the hand-over of the search [IDLE-3]. Workers that come and go are in test_idle_change.c. */
#include "idle_loop.h"

static void producer(void *argument)
{
    put((unsigned)((tp_atomic(uint32_t) *)argument - queued));
}

/* Two tasks become visible before the one notification, as in a batch. */
static void batch_producer(void *argument)
{
    (void)argument;
    payload[0] = payload[1] = 1;
    tp_store_rel(&queued[0], 1);
    tp_store_rel(&queued[1], 1);
    tp_idle_notify(&idle);
}

static void double_producer(void *argument)
{
    (void)argument;
    put(0);
    put(1);
}

/* Closes behind its own task, as a pool does behind its last submitter. */
static void closing_producer(void *argument)
{
    producer(argument);
    tp_store_sc(&draining, 1);
    tp_idle_wake_all(&idle);
}

/* -- scenarios --------------------------------------------------------------------------------- */

static void one_task(unsigned variant)
{
    open_idle(variant, 1);
    model_thread(producer, &queued[0]);
}

static void two_producers(unsigned variant)
{
    open_idle(variant, 2);
    model_thread(producer, &queued[0]);
    model_thread(producer, &queued[1]);
}

static void two_tasks_meet(unsigned variant)
{
    open_idle(variant, 2);
    tasks_meet = true;
    model_thread(double_producer, NULL);
}

static void batch_meets(unsigned variant)
{
    open_idle(variant, 2);
    tasks_meet = true;
    model_thread(batch_producer, NULL);
}

static void producers_meet(unsigned variant)
{
    two_producers(variant);
    tasks_meet = true;
}

static void drained(unsigned variant)
{
    open_idle(variant, 1);
    model_thread(closing_producer, &queued[0]);
}

/* The workers may sleep for ever once all is done, and then all of them are counted so. */
static bool rest(void)
{
    return all_ran() && tp_idle_sleeping(idle.counts) == n_workers && tp_idle_searching(idle.counts) == 0;
}

static void check_left(void)
{
    check_ran();
    model_check(n_left == n_workers && idle.counts == 0 && idle.n_stacked == 0);
}

static const struct model_scenario scenarios[] = {
    {"idle: 1 worker, 1 task", one_task, check_ran, rest, .variant = 1, .preemptions = 4, .spurious = 1},
    {"idle: 2 workers, 1 task", one_task, check_ran, rest, .variant = 2, .preemptions = 2},
    {"idle: 1 worker, 2 producers", two_producers, check_ran, rest, .variant = 1, .preemptions = 2},
    {"idle: 2 workers, 2 producers", two_producers, check_ran, rest, .variant = 2, .preemptions = 1},
    {"idle: 3 workers, 2 producers", two_producers, check_ran, rest, .variant = 3, .preemptions = 0},
    {"idle: 2 workers, 2 tasks that meet", two_tasks_meet, check_ran, rest, .variant = 2, .preemptions = 1},
    {"idle: 2 workers, a batch of tasks that meet", batch_meets, check_ran, rest, .variant = 2, .preemptions = 2},
    {"idle: 3 workers, a batch of tasks that meet", batch_meets, check_ran, rest, .variant = 3, .preemptions = 1},
    {"idle: 2 workers, 2 producers, tasks that meet", producers_meet, check_ran, rest, .variant = 2, .preemptions = 1},
    {"idle: 1 worker, drained", drained, check_left, .variant = 1, .preemptions = 3},
    {"idle: 2 workers, drained", drained, check_left, .variant = 2, .preemptions = 2},
    {"idle: 3 workers, drained", drained, check_left, .variant = 3, .preemptions = 1},

    {"idle: notify without fence", one_task, check_ran, rest, .variant = 1, .preemptions = 2, .must_fail = true,
        .without = {"tp_idle_notify", MODEL_FENCE}},
    {"idle: prepare without fence", one_task, check_ran, rest, .variant = 1, .preemptions = 2, .must_fail = true,
        .without = {"tp_idle_prepare", MODEL_FENCE}},
    {"idle: end of search without fence", producers_meet, check_ran, rest, .variant = 2, .preemptions = 2,
        .must_fail = true, .without = {"tp_idle_end_search", MODEL_FENCE}},
    {"idle: no second look", one_task, check_ran, rest, .variant = 1 + NO_SECOND_LOOK, .preemptions = 2,
        .must_fail = true},
    {"idle: a worker leaves that looked too early", drained, check_left, .variant = 1 + LOOKS_BEFORE, .preemptions = 2,
        .must_fail = true},
    {"idle: the search is not handed over", batch_meets, check_ran, rest, .variant = 2 + NO_HAND_OVER,
        .preemptions = 2, .must_fail = true},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
