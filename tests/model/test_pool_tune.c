/* A pool that changes while it runs: its capacity against submitters, waiters and tasks that end, and
 * its workers against submitters and a close. The variant's workers are those at the beginning. */
#include "template.h"

static void tuner_up(void *argument)
{
    (void)argument;
    model_check(job_pool_tune(pool, 3) == 0);
}

static void tuner_up_by_one(void *argument)
{
    (void)argument;
    model_check(job_pool_tune(pool, 2) == 0);
}

static void tuner_down(void *argument)
{
    (void)argument;
    model_check(job_pool_tune(pool, 1) == 0);
}

static void resize(uint32_t n)
{
    int status = job_pool_tune_workers(pool, n);
    model_check(status == 0 || status == TP_ECLOSED || status == TP_EUNCHANGED);
}

static void grower(void *argument)
{
    (void)argument;
    resize(2);
}

static void shrinker(void *argument)
{
    (void)argument;
    resize(1);
}

static void shrinker_and_grower(void *argument)
{
    (void)argument;
    resize(1);
    resize(2);
}

static void joiner(void *argument)
{
    submitter(argument);
    model_check(job_join_all(pool, TP_FOREVER) == 0);
    model_check(n_run[(uintptr_t)argument] == accepted[(uintptr_t)argument]);
}

static void reopener(void *argument)
{
    closer(argument);
    model_check(job_pool_reopen(pool) == 0);
    closer(argument);
}

/* Tasks that run at the same time or not at all: what a worker more is for. */
static tp_atomic(uint32_t) n_met;

static void meet(uintptr_t payload)
{
    (void)payload;
    tp_add_sc(&n_met, 1);
    while (tp_load_acq(&n_met) < 2)
        model_yield();
}

/* The first task holds its worker until the capacity has been raised and all tasks are in. */
static tp_atomic(uint32_t) is_raised;

static void hold(uintptr_t payload)
{
    (void)payload;
    while (tp_load_acq(&is_raised) == 0)
        model_yield();
}

/* The first task, whose worker is surplus from now on or is not, submits more than a worker's queue holds: the
 * last one goes to a lane, unless the pool closes. */
static void shrink_and_spread(uintptr_t payload)
{
    if (payload == 1)
        resize(1);
    for (uintptr_t i = 2; payload == 1 && i < 5; i++) {
        int status = give(i);
        model_check(status == 0 || status == TP_ECLOSED);
    }
}

/* Waits until all but one of the submitters sleep: then each needs a wake-up. */
static void await_sleepers(void)
{
    uint32_t n_waiting;
    do {
        model_yield();
        n_waiting = 0;
        for (size_t i = 0; i < sizeof pool->room / sizeof *pool->room; i++)
            n_waiting += tp_load_acq(&pool->room[i].n_waiting);
    } while (n_waiting < n_submitters - 1);
}

static unsigned first_submitter;

#if WITH_CLASSES
enum { CLASSES = JOB_CLASSES };
#else
enum { CLASSES = 1 };
#endif

static void raiser(void *argument)
{
    tuner_up(argument);
    for (unsigned i = 0; i < n_submitters; i++)
        model_join(first_submitter + i); /* all are in, by this room alone */
    tp_store_rel(&is_raised, 1);
}

static void late_raiser(void *argument)
{
    await_sleepers();
    raiser(argument);
}

/* -- scenarios ---------------------------------------------------------------------------------- */

static void tune(unsigned variant, void (*body)(void *))
{
    open_pool(variant);
    add_submitters(submitter);
    model_thread(body, NULL);
}

static void tune_up(unsigned variant)
{
    tune(variant, tuner_up);
    fits = true;
}

static void tune_up_by_one(unsigned variant)
{
    tune(variant, tuner_up_by_one);
    fits = true;
}

static void tune_down(unsigned variant)
{
    tune(variant, tuner_down);
    fits = true;
}

static void tune_while_held(unsigned variant, void (*body)(void *))
{
    open_pool(variant);
    on_run = hold;
    fits = true;
    tp_atomic_init(&is_raised, 0);
    for (uintptr_t i = 0; i < n_submitters; i++)
        model_thread(submitter, (void *)(1 + i * CLASSES)); /* tasks of one class, who wait together */
    first_submitter = model_thread(body, NULL) - n_submitters;
}

static void tune_up_while_held(unsigned variant)
{
    tune_while_held(variant, raiser);
}

static void tune_up_while_they_sleep(unsigned variant)
{
    tune_while_held(variant, late_raiser);
}

static void grow(unsigned variant)
{
    tune(variant, grower);
}

static void grow_to_meet(unsigned variant)
{
    open_pool(variant);
    on_run = meet;
    tp_atomic_init(&n_met, 0);
    model_thread(double_submitter, (void *)1);
    model_thread(grower, NULL);
}

static void shrink(unsigned variant)
{
    tune(variant, shrinker);
}

static void shrink_and_join(unsigned variant)
{
    open_pool(variant);
    add_submitters(joiner);
    model_thread(shrinker, NULL);
}

static void shrink_and_grow(unsigned variant)
{
    tune(variant, shrinker_and_grower);
}

static void grow_and_shrink(unsigned variant)
{
    grow(variant);
    model_thread(shrinker, NULL);
}

static void grow_and_close(unsigned variant)
{
    grow(variant);
    model_thread(closer, NULL);
}

static void shrink_and_close(unsigned variant)
{
    shrink(variant);
    model_thread(closer, NULL);
}

static void spread_and_close(unsigned variant)
{
    open_pool(variant);
    on_run = shrink_and_spread;
    model_thread(closer, NULL);
    add_submitters(submitter);
}

static void grow_and_reopen(unsigned variant)
{
    grow(variant);
    model_thread(reopener, NULL);
}

static const struct model_scenario scenarios[] = {
    {"tune: capacity 1 to 3, 1 worker, 2 submitters", tune_up, end, rest, .variant = 112, .preemptions = 1, .max_executions = 20000},
    {"tune: capacity 1 to 2, 1 worker, 2 submitters", tune_up_by_one, end, rest, .variant = 112, .preemptions = 1, .max_executions = 20000},
    {"tune: capacity 2 to 1, 1 worker, 2 submitters", tune_down, end, rest, .variant = 122, .preemptions = 1, .max_executions = 20000},
    {"tune: room for all by tuning alone", tune_up_while_held, end, rest, .variant = 113, .preemptions = 0, .max_executions = 20000},
    {"tune: room for all who sleep by tuning alone", tune_up_while_they_sleep, end, rest, .variant = 113, .preemptions = 0, .max_executions = 20000},
    {"tune: 1 worker and one more, 1 submitter", grow, end, rest, .variant = 111, .preemptions = 2, .max_executions = 20000},
    {"tune: 1 worker and one more, 2 tasks that meet", grow_to_meet, end, rest, .variant = 121, .preemptions = 1},
    {"tune: 2 workers and one less, 1 submitter", shrink, end, rest, .variant = 211, .preemptions = 1, .max_executions = 20000},
    {"tune: 2 workers and one less, 1 joiner", shrink_and_join, end, rest, .variant = 211, .preemptions = 1, .max_executions = 20000},
    {"tune: 2 workers, one less and one more", shrink_and_grow, end, rest, .variant = 211, .preemptions = 1, .max_executions = 20000},
    {"tune: 1 worker, one more and one less at once", grow_and_shrink, end, rest, .variant = 111, .preemptions = 1, .max_executions = 20000},
    {"tune: 1 worker and one more, close, no task", grow_and_close, closed_end, .variant = 110, .preemptions = 1},
    {"tune: 1 worker and one more, reopen", grow_and_reopen, closed_end, .variant = 110, .preemptions = 1},
    {"tune: 1 worker and one more, close", grow_and_close, closed_end, .variant = 111, .preemptions = 1, .max_executions = 20000},
    {"tune: 2 workers and one less, close", shrink_and_close, closed_end, .variant = 211, .preemptions = 1, .max_executions = 20000},
    {"tune: 2 workers and one less, a task of four, close", spread_and_close, closed_end, .variant = 251, .preemptions = 1, .max_executions = 40000},

    {"tune: nobody is told of room", tune_up_while_they_sleep, end, rest, .variant = 1000 * WAKES_NOBODY + 113, .preemptions = 1, .must_fail = true},
    {"tune: one is told of room for two", tune_up_while_they_sleep, end, rest, .variant = 1000 * WAKES_ONE + 113, .preemptions = 1, .must_fail = true},
    {"tune: the control lock without acquire", grow_and_shrink, end, rest, .variant = 110, .preemptions = 1, .must_fail = true,
        .without = {"tp_spin_lock", MODEL_ACQUIRE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
