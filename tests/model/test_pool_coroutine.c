/* A pool whose tasks are coroutines: tasks that sleep, wake each other and yield, against wakers from outside, a close, a cancel,
 * clean-up, and workers that go [FIBER-1] to [FIBER-4] (nothing is stripped here [FIBER-5]); and with those that stay with their workers [IDLE-7].
 * Each task that has begun ends once, on its own worker if it is to stay there, and no pool ends before. */
#include "template.h"

#include "stacks.h"

/* What the tasks do. */
enum { SLEEPS = 1, /* and SLEEPS + 1: until the flag is up */
    RAISES = 3,    /* raises the flag */
    YIELDS = 4 };  /* and YIELDS + 1: once */

static tp_atomic(uint32_t) flag;
static int published; /* plain: by the flag */
static struct tp_waitlist list;
static unsigned n_ended[TASKS_MAX];
static bool may_be_asked;

static void raise_flag(void)
{
    published = 1;
    tp_store_rel(&flag, 1);
    tp_waitlist_notify(&list, UINT32_MAX);
}

static int await_flag(void)
{
    struct tp_waiter w;
    int status = 0;
    while (status == 0 && tp_load_acq(&flag) == 0) { /* prepare, look again, sleep [PARK-1] */
        tp_waitlist_prepare(&list, &w);
        if (tp_load_acq(&flag) != 0)
            tp_waitlist_cancel(&list, &w);
        else
            status = tp_waitlist_wait(&list, &w, TP_FOREVER);
    }
    model_check(status != 0 || published == 1);
    return status;
}

static void run_task(uintptr_t payload)
{
    int status = 0;
    const struct tp_worker *home = tp_worker_self();
    if (payload == RAISES)
        raise_flag();
    else
        status = payload >= YIELDS ? tp_yield() : await_flag();
    model_check(status == 0 || (status == TP_ECANCELED && may_be_asked));
    model_check(!WITH_PINNED || home == tp_worker_self());
    n_ended[payload]++;
}

/* -- threads ---------------------------------------------------------------------------------------- */

static void waker(void *argument)
{
    (void)argument;
    raise_flag();
}

static void check_ended(void)
{
    for (unsigned i = 0; i < TASKS_MAX; i++)
        model_check(n_ended[i] == n_run[i]);
    end();
}

/* The waker may still be there [FIBER-2]. */
static void free_it(void)
{
    check_ended();
    job_pool_free(pool);
}

static void ender(void *argument)
{
    closer(argument);
    free_it();
}

static void canceller(void *argument)
{
    (void)argument;
    model_check(job_pool_cancel(pool, TP_FOREVER) == 0);
    free_it();
}

static void cleaner(void *argument)
{
    (void)argument;
    job_pool_cleanup(pool);
}

#if WITH_TUNE
/* Sends the second worker away. */
static void sender_away(void *argument)
{
    (void)argument;
    int status = job_pool_tune_workers(pool, 1);
    model_check(status == 0 || status == TP_ECLOSED);
}
#endif
#if WITH_EXPIRE
/* Whoever sleeps has slept for long enough, but one. */
static void sender_away(void *argument)
{
    (void)argument;
    job_tick(pool, TP_FOREVER - 1);
}
#endif

/* -- scenarios -------------------------------------------------------------------------------------- */

/* home: the only worker that may run the task; NULL: any may. */
static void tell(struct job_pool *own, struct job_worker *home)
{
    if (home && habit != TELLS_ANY)
        tp_idle_wake_worker(&own->idle, &home->base);
    else
        tp_idle_notify(&own->idle);
}

/* In place of job_ready, which queues, then counts, then tells, and touches the fiber no more once it is queued. */
static void ready_badly(struct tp_fiber *fiber)
{
    struct job_pool *own = fiber->fibers->owner;
    struct job_worker *home = fiber->home, *self = job_self(own);
    struct tp_fiber_cache *cache = self ? &self->fibers : NULL;
    if (habit == COUNTS_EARLY)
        tp_fibers_woken(&own->fibers, cache);
#if WITH_PINNED
    job_requeue(fiber);
#else
    job_requeue(own, NULL, fiber);
#endif
    if (habit == READS_LATE)
        home = fiber->home;
    if (habit == TELLS_EARLY)
        tell(own, home);
    if (habit != COUNTS_EARLY)
        tp_fibers_woken(&own->fibers, cache);
    if (habit != TELLS_EARLY && habit != TELLS_NOBODY)
        tell(own, home);
}

/* The variant's last digit is no number of submitters here: the tasks are there from the beginning. */
static void begin_with(unsigned variant, uintptr_t first, uintptr_t second)
{
    open_pool(variant);
    model_stacks_begin();
    on_run = run_task;
    flag = 0;
    published = 0;
    tp_waitlist_init(&list);
    memset(n_ended, 0, sizeof n_ended);
    may_be_asked = false;
    if (habit >= TELLS_NOBODY && habit <= READS_LATE)
        pool->fibers.ready = ready_badly;
    model_check(give(first) == 0 && (second == 0 || give(second) == 0));
}

static void wake_one(unsigned variant)
{
    begin_with(variant, SLEEPS, 0);
    model_thread(waker, NULL);
}

static void wake_one_and_close(unsigned variant)
{
    wake_one(variant);
    model_thread(ender, NULL);
}

static void wake_two_and_close(unsigned variant)
{
    begin_with(variant, SLEEPS, SLEEPS + 1);
    model_thread(waker, NULL);
    model_thread(ender, NULL);
}

static void wake_each_other(unsigned variant)
{
    begin_with(variant, SLEEPS, RAISES);
}

static void wake_each_other_and_close(unsigned variant)
{
    wake_each_other(variant);
    model_thread(ender, NULL);
}

static void cancel(unsigned variant)
{
    begin_with(variant, SLEEPS, 0);
    may_be_asked = true;
    model_thread(canceller, NULL);
}

static void wake_and_cancel(unsigned variant)
{
    cancel(variant);
    model_thread(waker, NULL);
}

static void yield_and_close(unsigned variant)
{
    begin_with(variant, YIELDS, YIELDS + 1);
    model_thread(ender, NULL);
}

static void yield_and_clean(unsigned variant)
{
    begin_with(variant, YIELDS, YIELDS + 1);
    model_thread(cleaner, NULL);
    model_thread(closer, NULL);
}

#if WITH_TUNE || WITH_EXPIRE
static void send_away(unsigned variant)
{
    wake_one(variant);
    model_thread(sender_away, NULL);
}

static void send_away_and_close(unsigned variant)
{
    send_away(variant);
    model_thread(closer, NULL);
}
#endif

static void check_freed(void)
{
    model_check(list.first == NULL && list.n_waiting == 0 && model_n_blocks() == 0);
}

static void check_closed(void)
{
    check_ended();
    closed_end();
}

/* All is done, and who was sent away is away. */
static bool rest_here(void)
{
    bool is_done = rest();
#if WITH_TUNE
    is_done = is_done && (pool->n_wanted == 2 || pool->workers[1].base.place == TP_WORKER_OUT);
#endif
    return is_done;
}

enum { SOME = 5000 };

static const struct model_scenario scenarios[] = {
#if !WITH_EXPIRE
    {"coroutine: 1 worker, a wake-up", wake_one, check_ended, rest_here, .variant = 120, .preemptions = 2},
    {"coroutine: 2 workers, a wake-up", wake_one, check_ended, rest_here, .variant = 220, .preemptions = 1},
    {"coroutine: 1 worker, a wake-up, close", wake_one_and_close, check_freed, .variant = 120, .preemptions = 2, .max_executions = SOME},
    {"coroutine: 2 workers, a wake-up, close", wake_one_and_close, check_freed, .variant = 220, .preemptions = 1, .max_executions = SOME},
    {"coroutine: 1 worker, 2 tasks, a wake-up, close", wake_two_and_close, check_freed, .variant = 120, .preemptions = 1, .max_executions = SOME},
    {"coroutine: 1 worker, one wakes the other", wake_each_other, check_ended, rest_here, .variant = 120, .preemptions = 2},
    {"coroutine: 2 workers, one wakes the other", wake_each_other, check_ended, rest_here, .variant = 220, .preemptions = 2, .max_executions = SOME},
    {"coroutine: 2 workers, one wakes the other, close", wake_each_other_and_close, check_freed, .variant = 220, .preemptions = 1, .max_executions = SOME},
    {"coroutine: 1 worker, cancel", cancel, check_freed, .variant = 120, .preemptions = 2},
    {"coroutine: 2 workers, cancel", cancel, check_freed, .variant = 220, .preemptions = 1},
    {"coroutine: 1 worker, a wake-up, cancel", wake_and_cancel, check_freed, .variant = 120, .preemptions = 1},
    {"coroutine: 2 workers, 2 tasks that yield, close", yield_and_close, check_freed, .variant = 220, .preemptions = 1, .max_executions = SOME},
    {"coroutine: 1 worker, 2 tasks that yield, clean-up, close", yield_and_clean, check_closed, .variant = 120, .preemptions = 1},

    {"coroutine: a task is ready, nobody is told", wake_one, check_ended, rest_here, .variant = 1000 * TELLS_NOBODY + 120, .preemptions = 2, .must_fail = true},
    {"coroutine: tasks are counted down before they are queued", wake_one_and_close, check_freed, .variant = 1000 * COUNTS_EARLY + 120, .preemptions = 2, .must_fail = true},
    {"coroutine: a worker is told before the count is down", wake_one_and_close, check_freed, .variant = 1000 * TELLS_EARLY + 120, .preemptions = 2, .must_fail = true},
    {"coroutine: who leaves wakes nobody", wake_one_and_close, check_freed, .variant = 1000 * LEAVES_QUIETLY + 220, .preemptions = 2, .must_fail = true},
    {"coroutine: without the release of who wakes", wake_one_and_close, check_freed, .variant = 120, .preemptions = 2, .must_fail = true, .without = {"tp_fibers_woken", MODEL_RELEASE}},
    {"coroutine: without the fence of who asks", cancel, check_freed, .variant = 120, .preemptions = 2, .must_fail = true, .without = {"tp_fibers_ask_all", MODEL_FENCE}},
    {"coroutine: without the fence of who sleeps", cancel, check_freed, .variant = 120, .preemptions = 2, .must_fail = true, .without = {"tp_waitlist_enlist", MODEL_FENCE}},
#endif
#if WITH_STEALING && !WITH_LIFO && !WITH_PINNED
    {"coroutine: clean-up holds nothing", yield_and_clean, check_closed, .variant = 1000 * HOLDS_NOTHING + 120, .preemptions = 2, .must_fail = true},
#endif
#if WITH_PINNED && !WITH_EXPIRE
    {"coroutine: any worker is told", wake_one, check_ended, rest_here, .variant = 1000 * TELLS_ANY + 220, .preemptions = 2, .must_fail = true},
    {"coroutine: whose it is, is read late", wake_two_and_close, check_freed, .variant = 1000 * READS_LATE + 120, .preemptions = 1, .must_fail = true},
#endif
#if WITH_TUNE || WITH_EXPIRE
    {"coroutine: 2 workers, a wake-up, one is sent away", send_away, check_ended, rest_here, .variant = 220, .preemptions = 1, .max_executions = 3 * SOME},
    {"coroutine: 2 workers, a wake-up, one is sent away, close", send_away_and_close, check_closed, .variant = 220, .preemptions = 1, .max_executions = 3 * SOME},
    {"coroutine: a worker leaves its tasks", send_away, check_ended, rest_here, .variant = 1000 * LEAVES_THEM + 220, .preemptions = 2, .must_fail = true},
#endif
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
