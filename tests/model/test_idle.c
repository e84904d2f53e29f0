/* Idle accounting: no task waits while every worker sleeps [IDLE-1], by the two fences [IDLE-2]
 * and the hand-over of the search [IDLE-3]. The workers' loop is the template's (gen/parts/worker.c)
 * with the queues reduced to one word per task. */
#include "model.h"

#include "runtime/idle.h"

#include <string.h>

enum { TASKS_MAX = 3,
    WORKERS_MAX = 3 };

/* Seeded bugs of a worker. */
enum habit {
    GOOD = 0,
    NO_HAND_OVER = 16, /* the last searcher does not look for more */
    NO_SECOND_LOOK = 32,
    LOOKS_BEFORE = 64 /* at the queues before it looks whether the pool is draining */
};

static struct tp_idle idle;
static struct tp_crew crew;
static struct tp_worker workers[WORKERS_MAX], *stack[WORKERS_MAX];
static tp_atomic(uint32_t) queued[TASKS_MAX]; /* 1: the task is there to take; set by one producer */
static int payload[TASKS_MAX];                /* plain: published by `queued` */
static unsigned n_run[TASKS_MAX], n_tasks, n_workers;
static tp_atomic(uint32_t) draining, n_meeting, n_left;
static enum habit habit;
static bool tasks_meet; /* each task waits until all have started */

static bool is_work_visible(void)
{
    for (unsigned i = 0; i < n_tasks; i++)
        if (tp_load_acq(&queued[i]) != 0)
            return true;
    return false;
}

static bool take(unsigned *task)
{
    for (unsigned i = 0; i < n_tasks; i++)
        if (tp_load_acq(&queued[i]) != 0 && tp_swap_acq(&queued[i], 0) != 0) {
            *task = i;
            return true;
        }
    return false;
}

static void run(unsigned task)
{
    model_check(payload[task] == 1);
    n_run[task]++;
    if (!tasks_meet)
        return;
    tp_add_sc(&n_meeting, 1);
    while (tp_load_acq(&n_meeting) < n_tasks)
        model_yield();
}

/* Searches and sleeps until there is a task; false when drained. */
static bool await(struct tp_worker *self, unsigned *task, bool searching)
{
    for (;;) {
        if (searching && take(task)) {
            if (tp_idle_end_search(&idle) && habit != NO_HAND_OVER && is_work_visible())
                tp_idle_notify(&idle);
            return true;
        }
        tp_idle_prepare(&idle, self, searching);
        searching = true;
        bool is_draining = habit != LOOKS_BEFORE && tp_load_acq(&draining) != 0;
        if (habit != NO_SECOND_LOOK && is_work_visible()) {
            tp_idle_cancel(&idle, self);
        } else if (is_draining || (habit == LOOKS_BEFORE && tp_load_acq(&draining) != 0)) {
            tp_idle_quit(&idle, self);
            return false;
        } else if (!tp_idle_sleep(&idle, self)) {
            return false;
        }
    }
}

static void worker(struct tp_worker *self)
{
    unsigned task;
    for (bool more = await(self, &task, true); more;
         more = take(&task) || await(self, &task, tp_idle_begin_search(&idle)))
        run(task);
    tp_add_sc(&n_left, 1);
}

static void put(unsigned task)
{
    payload[task] = 1;
    tp_store_rel(&queued[task], 1);
    tp_idle_notify(&idle);
}

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

/* -- scenarios: the variant is the number of workers plus a habit -------------------------------- */

static void open_idle(unsigned variant, unsigned tasks)
{
    habit = (enum habit)(variant & ~15u);
    n_workers = variant & 15;
    n_tasks = tasks;
    tasks_meet = false;
    draining = n_meeting = n_left = 0;
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        queued[i] = 0;
        n_run[i] = 0;
        payload[i] = 0;
    }
    tp_idle_init(&idle, stack, n_workers);
    tp_crew_init(&crew);
    memset(workers, 0, sizeof workers);
    for (unsigned i = 0; i < n_workers; i++) {
        tp_crew_add(&crew, &workers[i], "idle", worker);
        tp_idle_grow(&idle, &workers[i]);
    }
}

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

static void check_ran(void)
{
    for (unsigned i = 0; i < n_tasks; i++)
        model_check(n_run[i] == 1);
}

/* The workers may sleep for ever once all is done, and then all of them are counted so. */
static bool rest(void)
{
    for (unsigned i = 0; i < n_tasks; i++)
        if (n_run[i] != 1)
            return false;
    return tp_idle_sleeping(idle.counts) == n_workers && tp_idle_searching(idle.counts) == 0;
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
