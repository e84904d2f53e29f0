/* Workers with tasks that no other may run [IDLE-7]: who makes such a task ready, against its worker falling asleep, being retired,
 * dismissed and taken back, against a close, and against a task that any worker may run.
 * Each worker counts as many of these tasks as it has begun; here they all sleep at first. */
#include "idle_loop.h"

#include "runtime/clock.h"

enum {
    TELLS_ANY = 16 << 8,     /* any worker is woken */
    TELLS_FIRST = 17 << 8,   /* the worker is woken before the task is in its list */
    LETS_GO = 18 << 8,       /* a worker does not say that it stays */
    LEAVES = 19 << 8,        /* a worker that is asked to does so, whatever it has */
    LOOKS_NOT = 20 << 8,     /* at its list, once it has announced its sleep */
    COUNTS_EARLY = 21 << 8,  /* a task is no longer asleep before it is in the list */
    LEAVES_QUIETLY = 22 << 8 /* who leaves a drained pool wakes nobody */
};

static unsigned slip;                                     /* one of these, or of idle_loop.h, or 0 */
static tp_atomic(uint32_t) listed[WORKERS_MAX], n_asleep; /* in the worker's list; asleep, in all */
static int message[WORKERS_MAX];                          /* plain: published by the list */
static unsigned n_own[WORKERS_MAX];                       /* tasks it has begun and not ended; the worker's */

/* -- the worker: as in idle_loop.h, with a list of its own -------------------------------------------- */

static unsigned index_of(const struct tp_worker *self)
{
    return (unsigned)(self - workers);
}

static bool is_listed(const struct tp_worker *self)
{
    return tp_load_sc(&listed[index_of(self)]) != 0;
}

static bool run_own(const struct tp_worker *self)
{
    if (!is_listed(self))
        return false;
    tp_add_sc(&listed[index_of(self)], (uint32_t)-1);
    model_check(message[index_of(self)] == 1);
    n_own[index_of(self)]--;
    return true;
}

static bool run_one(const struct tp_worker *self)
{
    unsigned task;
    if (run_own(self))
        return true;
    if (!take(&task))
        return false;
    run(task);
    return true;
}

/* Searches and sleeps until it has run something; false when it must leave. */
static bool await_one(struct tp_worker *self)
{
    for (bool searching = tp_idle_begin_search(&idle);; searching = true) {
        if (searching && run_one(self)) {
            if (tp_idle_end_search(&idle) && is_work_visible())
                tp_idle_notify(&idle);
            return true;
        }
        tp_idle_prepare(&idle, self, searching);
        bool is_draining = tp_load_acq(&draining) != 0;
        tp_fence_sc(); /* [FIBER-3] */
        is_draining = is_draining && tp_load_sc(&n_asleep) == 0;
        self->stays = n_own[index_of(self)] > 0 && slip != LETS_GO;
        if ((slip != LOOKS_NOT && is_listed(self)) || is_work_visible()) {
            tp_idle_cancel(&idle, self);
        } else if (is_draining) {
            tp_idle_quit(&idle, self);
            if (slip != LEAVES_QUIETLY)
                tp_idle_wake_all(&idle);
            return false;
        } else if (!tp_idle_sleep(&idle, self)) {
            return false;
        }
    }
}

static void home_worker(struct tp_worker *self)
{
    tp_idle_end_search(&idle); /* its entry begins as a searcher, and looks at once */
    for (bool more = true; more;) {
        if (tp_idle_is_leaving(self) && (n_own[index_of(self)] == 0 || slip == LEAVES) && leave(self))
            return;
        more = run_one(self) || await_one(self);
    }
}

/* -- threads ------------------------------------------------------------------------------------------ */

/* The task that sleeps at a worker is ready: as job_ready has it. */
static void ready(struct tp_worker *home)
{
    if (slip == TELLS_FIRST)
        tp_idle_wake_worker(&idle, home);
    if (slip == COUNTS_EARLY)
        tp_add_sc(&n_asleep, (uint32_t)-1);
    message[index_of(home)] = 1;
    tp_add_sc(&listed[index_of(home)], 1);
    if (slip != COUNTS_EARLY)
        tp_add_sc(&n_asleep, (uint32_t)-1);
    if (slip == TELLS_ANY)
        tp_idle_notify(&idle);
    else if (slip != TELLS_FIRST)
        tp_idle_wake_worker(&idle, home);
}

static void waker(void *home)
{
    ready(home);
}

static void producer(void *argument)
{
    (void)argument;
    put(0);
}

static void expirer(void *argument)
{
    (void)argument;
    tp_idle_expire(&idle, TP_FOREVER, 0);
}

static void shrinker(void *argument)
{
    (void)argument;
    tp_idle_shrink(&idle, &workers[0]);
}

static void shrinker_and_grower(void *argument)
{
    shrinker(argument);
    model_check(tp_idle_grow(&idle, &workers[0]) == 0);
}

static void check_done(void)
{
    check_ran();
    for (unsigned i = 0; i < n_workers; i++)
        model_check(n_own[i] == 0);
}

static void closer(void *argument)
{
    (void)argument;
    tp_store_sc(&draining, 1);
    tp_idle_wake_all(&idle);
    model_check(tp_crew_wait(&crew, TP_FOREVER) == 0);
    check_done();
}

/* -- scenarios ---------------------------------------------------------------------------------------- */

/* The first so many workers have a task each that sleeps. */
static void begin(unsigned variant, unsigned n_tasks_asleep, unsigned n_shared)
{
    open_idle(variant, n_shared);
    slip = variant & ~255u;
    n_asleep = n_tasks_asleep;
    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        listed[i] = 0;
        message[i] = 0;
        n_own[i] = i < n_tasks_asleep;
        workers[i].entry = home_worker;
        if (i < n_tasks_asleep)
            model_thread(waker, &workers[i]);
    }
    if (n_shared > 0)
        model_thread(producer, NULL);
}

static void wake(unsigned variant)
{
    begin(variant, 1, 0);
}

static void wake_two(unsigned variant)
{
    begin(variant, 2, 0);
}

static void wake_and_produce(unsigned variant)
{
    begin(variant, 1, 1);
}

static void expire(unsigned variant)
{
    wake(variant);
    model_thread(expirer, NULL);
}

static void expire_and_produce(unsigned variant)
{
    wake_and_produce(variant);
    model_thread(expirer, NULL);
}

static void shrink(unsigned variant)
{
    wake(variant);
    model_thread(shrinker, NULL);
}

static void shrink_and_produce(unsigned variant)
{
    wake_and_produce(variant);
    model_thread(shrinker, NULL);
}

static void shrink_and_grow(unsigned variant)
{
    wake(variant);
    model_thread(shrinker_and_grower, NULL);
}

static void wake_and_close(unsigned variant)
{
    wake(variant);
    model_thread(closer, NULL);
}

static void expire_and_close(unsigned variant)
{
    expire(variant);
    model_thread(closer, NULL);
}

/* All is done; who was asked to leave is out, and the others sleep, or are vacant, and are counted so. */
static bool rest(void)
{
    unsigned n[TP_WORKER_VACANT + 1] = {0};
    bool is_done = all_ran();
    for (unsigned i = 0; i < n_workers; i++) {
        n[workers[i].place]++;
        is_done = is_done && n_own[i] == 0 && (workers[i].place == TP_WORKER_OUT) == tp_idle_is_leaving(&workers[i]);
    }
    return is_done && n[TP_WORKER_AWAKE] == 0 && n[TP_WORKER_ASLEEP] == idle.n_live &&
           idle.n_stacked == n[TP_WORKER_ASLEEP] + n[TP_WORKER_VACANT] &&
           tp_idle_sleeping(idle.counts) == idle.n_stacked && tp_idle_searching(idle.counts) == 0;
}

static void check_rest(void)
{
    model_check(rest());
}

enum { SOME = 60000 };

static const struct model_scenario scenarios[] = {
    {"home: 1 worker", wake, check_rest, rest, .variant = 1, .preemptions = 4},
    {"home: 2 workers", wake, check_rest, rest, .variant = 2, .preemptions = 2},
    {"home: 2 workers, a task each", wake_two, check_rest, rest, .variant = 2, .preemptions = 1},
    {"home: 1 worker, and a task for any", wake_and_produce, check_rest, rest, .variant = 1, .preemptions = 2},
    {"home: 2 workers, and a task for any", wake_and_produce, check_rest, rest, .variant = 2, .preemptions = 1},
    {"home: 1 worker expires", expire, check_rest, rest, .variant = 1, .preemptions = 3, .max_executions = SOME},
    {"home: 2 workers expire", expire, check_rest, rest, .variant = 2, .preemptions = 2, .max_executions = SOME},
    {"home: 1 worker expires, and a task for any", expire_and_produce, check_rest, rest, .variant = 1, .preemptions = 2, .max_executions = SOME},
    {"home: 1 of 2 workers leaves", shrink, check_rest, rest, .variant = 2, .preemptions = 2, .max_executions = SOME},
    {"home: 1 of 2 workers leaves, and a task for any", shrink_and_produce, check_rest, rest, .variant = 2, .preemptions = 1, .max_executions = SOME},
    {"home: 1 worker leaves and stays", shrink_and_grow, check_rest, rest, .variant = 1, .preemptions = 2, .max_executions = SOME},
    {"home: 1 worker, close", wake_and_close, check_done, .variant = 1, .preemptions = 3, .max_executions = SOME},
    {"home: 2 workers, close", wake_and_close, check_done, .variant = 2, .preemptions = 2, .max_executions = SOME},
    {"home: 1 worker expires, close", expire_and_close, check_done, .variant = 1, .preemptions = 2, .max_executions = SOME},

    {"home: any worker is woken", wake, check_rest, rest, .variant = 2 + TELLS_ANY, .preemptions = 2, .must_fail = true},
    {"home: woken before the task is listed", wake, check_rest, rest, .variant = 1 + TELLS_FIRST, .preemptions = 2, .must_fail = true},
    {"home: no second look", wake, check_rest, rest, .variant = 1 + LOOKS_NOT, .preemptions = 2, .must_fail = true},
    {"home: expired with its task", expire, check_rest, rest, .variant = 1 + LETS_GO, .preemptions = 2, .must_fail = true},
    {"home: dismissed with its task", shrink, check_rest, rest, .variant = 2 + LETS_GO, .preemptions = 2, .must_fail = true},
    {"home: leaves with its task", shrink, check_rest, rest, .variant = 2 + LEAVES, .preemptions = 2, .must_fail = true},
    {"home: counted early", wake_and_close, check_done, .variant = 1 + COUNTS_EARLY, .preemptions = 2, .must_fail = true},
    {"home: who leaves wakes nobody", wake_and_close, check_done, .variant = 2 + LEAVES_QUIETLY, .preemptions = 2, .must_fail = true},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
