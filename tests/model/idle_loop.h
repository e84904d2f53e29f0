/* The worker's loop of the idle scenarios: the template's (gen/parts/worker.c), with the queues
 * reduced to one word per task. Included by one scenario file each. */
#ifndef IDLE_LOOP_H
#define IDLE_LOOP_H

#include "crew.h"
#include "model.h"

#include "runtime/idle.h"

#include <string.h>

enum { TASKS_MAX = 3,
    WORKERS_MAX = 3 };

/* Seeded bugs, of a worker and of those who decide how many there are. */
enum habit {
    GOOD = 0,
    NO_HAND_OVER = 1 << 8, /* the last searcher does not look for more */
    NO_SECOND_LOOK = 2 << 8,
    LOOKS_BEFORE = 3 << 8, /* at the queues before it looks whether the pool is draining */
    LEAVES_BLINDLY = 4 << 8,
    OWNER_LOOKS_NOT = 5 << 8
};

static struct tp_idle idle;
static struct tp_crew crew;
static struct tp_worker workers[WORKERS_MAX], *stack[WORKERS_MAX];
static tp_atomic(uint32_t) queued[TASKS_MAX]; /* 1: the task is there to take; set by one producer */
static int payload[TASKS_MAX];                /* plain: published by `queued` */
static unsigned n_run[TASKS_MAX], n_tasks, n_workers;
static tp_atomic(uint32_t) draining, n_meeting, n_entered, n_left;
static enum habit habit;
static bool tasks_meet; /* each task waits until all have started */
static bool is_closed;  /* plain: nobody enters any more */

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

/* Searches and sleeps until there is a task; false when it must leave. */
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

static bool leave(struct tp_worker *self)
{
    if (!tp_idle_leave(&idle, self))
        return false;
    if (habit != LEAVES_BLINDLY && is_work_visible())
        tp_idle_notify(&idle);
    return true;
}

static bool next(struct tp_worker *self, unsigned *task)
{
    if (tp_idle_is_leaving(self) && leave(self))
        return false;
    return take(task) || await(self, task, tp_idle_begin_search(&idle));
}

static void worker(struct tp_worker *self)
{
    unsigned task;
    model_check(!is_closed);
    tp_add_sc(&n_entered, 1);
    for (bool more = await(self, &task, true); more; more = next(self, &task))
        run(task);
    tp_add_sc(&n_left, 1);
}

static void put(unsigned task)
{
    payload[task] = 1;
    tp_store_rel(&queued[task], 1);
    tp_idle_notify(&idle);
}

/* The variant is the number of threads at the beginning, plus 16 times the vacant workers, plus a habit. */
static void open_idle(unsigned variant, unsigned tasks)
{
    unsigned n_threads = variant & 15;
    habit = (enum habit)(variant & ~255u);
    n_workers = n_threads + (variant >> 4 & 15);
    n_tasks = tasks;
    tasks_meet = is_closed = false;
    draining = n_meeting = n_entered = n_left = 0;
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        queued[i] = 0;
        n_run[i] = 0;
        payload[i] = 0;
    }
    tp_idle_init(&idle, stack, WORKERS_MAX);
    tp_crew_init(&crew);
    memset(workers, 0, sizeof workers);
    for (unsigned i = 0; i < n_workers; i++) {
        tp_crew_add(&crew, &workers[i], "idle", worker);
        if (i < n_threads)
            tp_idle_grow(&idle, &workers[i]);
        else
            tp_idle_add_vacant(&idle, &workers[i]);
    }
}

static inline void check_ran(void)
{
    for (unsigned i = 0; i < n_tasks; i++)
        model_check(n_run[i] == 1);
}

static inline bool all_ran(void)
{
    for (unsigned i = 0; i < n_tasks; i++)
        if (n_run[i] != 1)
            return false;
    return true;
}

#endif
