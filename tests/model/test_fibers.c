/* Fibers on the real lists, life cycles and idle accounting: no task sleeps for ever, none is run twice, a pool is not left
 * while a task sleeps in it, and not touched when it is gone [FIBER-1] to [FIBER-4]. How idle ones are stripped [FIBER-5] is for tests/runtime/test_fibers_tend.c.
 * A task is a function of steps in place of a stack; it waits for a flag, which is published by plain data behind it. The pool
 * is memory that ends with the close, so that a waker which is late is caught. */
#define TP_FIBER_CHUNK 2

#include "crew.h"
#include "model.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/fibers.h"
#include "runtime/idle.h"
#include "runtime/park.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS_MAX = 2,
    WORKERS_MAX = 2,
    THREADS_MAX = 10 };

/* Seeded bugs. */
enum habit { GOOD,
    FREES_AT_ONCE,  /* the pool does not wait for wakers */
    COUNTS_NOT,     /* sleepers are not counted */
    COUNTS_EARLY,   /* down, before they are queued */
    LOOKS_LATE,     /* at the count, after the queues */
    LEAVES_QUIETLY, /* who leaves wakes nobody */
    TELLS_EARLY     /* a worker is woken before the count is down */
};
static enum habit habit;

#define malloc(n) model_alloc(n)
#define calloc(n, bytes) memset(model_alloc((n) * (bytes)), 0, (n) * (bytes))
#define free(p) model_free(p)
#include "runtime/fibers.c"

#include "runtime/lookout.c"

void tp_forks_publish(void)
{
}

struct pool {
    struct tp_fibers fibers;
    struct tp_fiber_cache caches[WORKERS_MAX];
    struct tp_idle idle;
    struct tp_crew crew;
    struct tp_worker workers[WORKERS_MAX], *stack[WORKERS_MAX];
    tp_atomic(uint32_t) draining, stop, n_new; /* tasks that nobody has begun yet */
};

struct task {
    struct tp_waiter *w; /* NULL: does not wait now */
    bool has_seen, wakes;
    unsigned n_ends;
};

static struct pool *pool;
static struct task tasks[TASKS_MAX];
static unsigned n_tasks;
static struct tp_waitlist list; /* not the pool's */
static tp_atomic(uint32_t) flag;
static int payload; /* plain: the flag publishes it */
static bool may_be_asked;
static struct tp_fiber *current[THREADS_MAX];
static struct tp_fiber_cache *own_cache[THREADS_MAX]; /* of the worker that the thread is; NULL: of none */

/* -- in place of coro/ and runtime/run.c ----------------------------------------------------------- */

static void step(struct tp_fiber *fiber);

int tp_co_new(struct tp_co **co, void *(*entry)(void *argument), void *argument, const struct tp_co_options *options)
{
    (void)entry;
    (void)options;
    *co = argument;
    return 0;
}

int tp_co_resume(struct tp_co *co, void *in, void **out)
{
    struct tp_fiber *fiber = (struct tp_fiber *)(void *)co;
    (void)in;
    (void)out;
    current[model_self()] = fiber;
    step(fiber);
    current[model_self()] = NULL;
    return 0;
}

int tp_co_yield(void *out, void **in)
{
    (void)out;
    (void)in;
    model_check(false);
    return 0;
}

int tp_co_free(struct tp_co *co)
{
    (void)co;
    return 0;
}

int *tp_co_errno(void)
{
    static int error;
    return &error;
}

void tp_run_enter(struct tp_run *run)
{
    (void)run;
}

struct tp_run *tp_run_here(void)
{
    struct tp_fiber *fiber = current[model_self()];
    return fiber ? &fiber->run : NULL;
}

int tp_run_check(const struct tp_run *run)
{
    const struct tp_fiber *fiber = run->fiber;
    return tp_load_rlx(&pool->stop) != 0 || tp_cycle_is_asked(&fiber->cycle) ? TP_ECANCELED : 0;
}

/* -- a task ---------------------------------------------------------------------------------------- */

static void end(struct tp_fiber *fiber, struct task *task, bool was_cancelled)
{
    model_check(may_be_asked || !was_cancelled);
    if (!was_cancelled)
        model_check(payload == 1);
    if (task->w)
        model_free(task->w);
    task->w = NULL;
    task->n_ends++;
    fiber->stop = TP_FIBER_ENDED;
}

static void waker(void *argument)
{
    (void)argument;
    payload = 1;
    tp_store_rel(&flag, 1);
    tp_waitlist_notify(&list, UINT32_MAX);
}

/* As sleep_as_task and its callers do, without a stack. */
static void step(struct tp_fiber *fiber)
{
    struct task *task = fiber->argument;
    int status = 0;
    if (task->wakes) {
        waker(NULL);
        end(fiber, task, false);
        return;
    }
    if (task->w) {
        status = after_sleep(fiber, TP_FOREVER);
        if (tp_load_acq(&task->w->state) == TP_WAITER_WOKEN) {
            model_free(task->w);
            task->w = NULL;
            status = 0;
        }
    }
    if (!task->w) {
        if (tp_load_acq(&flag) != 0) {
            end(fiber, task, false);
            return;
        }
        task->w = model_alloc(sizeof *task->w);
        tp_waitlist_prepare(&list, task->w);
        if (tp_load_acq(&flag) != 0) {
            tp_waitlist_cancel(&list, task->w);
            end(fiber, task, false);
            return;
        }
    }
    if (status == 0)
        status = before_sleep(fiber, TP_FOREVER);
    if (status != 0) {
        tp_waitlist_cancel(&list, task->w);
        end(fiber, task, true);
    }
}

/* -- the workers, as gen/parts/worker.c has them ---------------------------------------------------- */

static bool take_new(struct task **task)
{
    uint32_t n = tp_load_acq(&pool->n_new);
    while (n > 0)
        if (tp_cas_sc(&pool->n_new, &n, n - 1)) {
            *task = &tasks[n - 1];
            return true;
        }
    return false;
}

/* Runs something that is there. */
static bool run_one(struct tp_fiber_cache *cache)
{
    struct task *task;
    struct tp_fiber *fiber = tp_fiber_list_take(&pool->fibers.list);
    if (fiber) {
        tp_fiber_continue(fiber);
    } else if (take_new(&task)) {
        fiber = tp_fiber_get(&pool->fibers, cache);
        tp_fiber_begin(fiber, task, 0);
    } else {
        return false;
    }
    switch (tp_fiber_run(fiber, cache)) {
    case TP_FIBER_ENDED:
        tp_fiber_put(&pool->fibers, cache, fiber);
        break;
    case TP_FIBER_READY:
        tp_fiber_list_put(&pool->fibers.list, fiber);
        tp_idle_notify(&pool->idle);
        break;
    default:
        break;
    }
    return true;
}

static bool is_work_visible(void)
{
    return tp_fiber_list_length(&pool->fibers.list) > 0 || tp_load_sc(&pool->n_new) > 0;
}

/* Is nobody asleep, or so it seems? */
static bool are_queued(void)
{
    return habit == COUNTS_NOT || tp_fibers_are_queued(&pool->fibers);
}

static void worker(struct tp_worker *self)
{
    struct tp_fiber_cache *cache = &pool->caches[self - pool->workers];
    own_cache[model_self()] = cache;
    for (;;) { /* counted as searching */
        if (run_one(cache)) {
            if (tp_idle_end_search(&pool->idle) && is_work_visible())
                tp_idle_notify(&pool->idle);
            while (run_one(cache))
                ;
            tp_idle_prepare(&pool->idle, self, false);
        } else {
            tp_idle_prepare(&pool->idle, self, true);
        }
        bool is_draining = tp_load_acq(&pool->draining) != 0;
        tp_fence_sc(); /* [FIBER-3] */
        bool is_drained = is_draining && (habit == LOOKS_LATE || are_queued());
        if (is_work_visible()) {
            tp_idle_cancel(&pool->idle, self);
        } else if (is_drained && (habit != LOOKS_LATE || are_queued())) {
            tp_idle_quit(&pool->idle, self);
            if (habit != LEAVES_QUIETLY)
                tp_idle_wake_all(&pool->idle);
            return;
        } else if (!tp_idle_sleep(&pool->idle, self)) {
            return;
        }
    }
}

static void ready(struct tp_fiber *fiber)
{
    struct pool *own = fiber->fibers->owner;
    struct tp_fiber_cache *cache = own_cache[model_self()]; /* NULL: of no worker */
    if (habit == COUNTS_EARLY)
        tp_fibers_woken(&own->fibers, cache);
    tp_fiber_list_put(&own->fibers.list, fiber);
    if (habit == TELLS_EARLY)
        tp_idle_notify(&own->idle);
    if (habit != COUNTS_EARLY)
        tp_fibers_woken(&own->fibers, cache);
    if (habit != TELLS_EARLY)
        tp_idle_notify(&own->idle);
}

/* -- others ----------------------------------------------------------------------------------------- */

static void closer(void *argument)
{
    (void)argument;
    tp_store_sc(&pool->draining, 1);
    tp_idle_wake_all(&pool->idle);
    model_check(tp_crew_wait(&pool->crew, TP_FOREVER) == 0);
    tp_fibers_free(&pool->fibers, habit == FREES_AT_ONCE);
    model_free(pool);
}

static void canceller(void *argument)
{
    tp_store_sc(&pool->stop, 1);
    tp_fibers_ask_all(&pool->fibers);
    closer(argument);
}

/* -- scenarios -------------------------------------------------------------------------------------- */

/* The variant is a habit, then one digit each for workers and tasks. */
static void open_pool(unsigned variant)
{
    habit = (enum habit)(variant / 100);
    n_tasks = variant % 10;
    memset(tasks, 0, sizeof tasks);
    memset(current, 0, sizeof current);
    flag = 0;
    payload = 0;
    may_be_asked = false;
    tp_waitlist_init(&list);
    pool = model_alloc(sizeof *pool);
    memset(pool, 0, sizeof *pool);
    pool->fibers.owner = pool;
    pool->fibers.ready = ready;
    pool->fibers.caches = pool->caches;
    pool->fibers.cache_stride = sizeof *pool->caches;
    pool->fibers.n_caches = WORKERS_MAX;
    memset(own_cache, 0, sizeof own_cache);
    pool->n_new = n_tasks;
    tp_fibers_init(&pool->fibers);
    tp_idle_init(&pool->idle, pool->stack, WORKERS_MAX);
    tp_crew_init(&pool->crew);
    for (unsigned i = 0; i < variant / 10 % 10; i++) {
        tp_crew_add(&pool->crew, &pool->workers[i], "fibers", worker);
        tp_idle_grow(&pool->idle, &pool->workers[i]);
    }
}

/* The task that is begun first wakes the others: in turn a worker's own doing, and that of another one. */
static void wake_within_and_close(unsigned variant)
{
    open_pool(variant);
    tasks[0].wakes = true;
    model_thread(closer, NULL);
}

static void wake_and_close(unsigned variant)
{
    open_pool(variant);
    model_thread(waker, NULL);
    model_thread(closer, NULL);
}

static void cancel(unsigned variant)
{
    open_pool(variant);
    may_be_asked = true;
    model_thread(canceller, NULL);
}

static void wake_and_cancel(unsigned variant)
{
    cancel(variant);
    model_thread(waker, NULL);
}

static void check(void)
{
    for (unsigned i = 0; i < n_tasks; i++)
        model_check(tasks[i].n_ends == 1);
    model_check(list.first == NULL && list.n_waiting == 0);
    model_check(model_n_blocks() == 0);
}

enum { SOME = 40000 };

static const struct model_scenario scenarios[] = {
    {"fibers: 1 worker, 1 task, a wake-up, close", wake_and_close, check, .variant = 11, .preemptions = 2, .max_executions = SOME},
    {"fibers: 2 workers, 1 task, a wake-up, close", wake_and_close, check, .variant = 21, .preemptions = 1, .max_executions = SOME},
    {"fibers: 1 worker, 2 tasks, a wake-up, close", wake_and_close, check, .variant = 12, .preemptions = 1, .max_executions = SOME},
    {"fibers: 1 worker, 2 tasks, one wakes the other, close", wake_within_and_close, check, .variant = 12, .preemptions = 2, .max_executions = SOME},
    {"fibers: 2 workers, 2 tasks, one wakes the other, close", wake_within_and_close, check, .variant = 22, .preemptions = 1, .max_executions = SOME},
    {"fibers: 1 worker, 1 task, cancel", cancel, check, .variant = 11, .preemptions = 2, .max_executions = SOME},
    {"fibers: 2 workers, 2 tasks, cancel", cancel, check, .variant = 22, .preemptions = 1, .max_executions = SOME},
    {"fibers: 1 worker, 1 task, a wake-up, cancel", wake_and_cancel, check, .variant = 11, .preemptions = 1, .max_executions = SOME},

    {"fibers: the pool is freed at once", wake_and_close, check, .variant = 111, .preemptions = 2, .must_fail = true},
    {"fibers: sleepers are not counted", wake_and_close, check, .variant = 211, .preemptions = 2, .must_fail = true},
    {"fibers: sleepers are counted down before they are queued", wake_and_close, check, .variant = 311, .preemptions = 2, .must_fail = true},
    {"fibers: the count is looked at after the queues", wake_and_close, check, .variant = 411, .preemptions = 2, .must_fail = true},
    {"fibers: who leaves wakes nobody", wake_and_close, check, .variant = 521, .preemptions = 2, .must_fail = true},
    {"fibers: a worker is told before the count is down", wake_and_close, check, .variant = 611, .preemptions = 2, .must_fail = true},
    {"fibers: without the release of who wakes", wake_and_close, check, .variant = 11, .preemptions = 2, .must_fail = true, .without = {"tp_fibers_woken", MODEL_RELEASE}},
    {"fibers: without the fence of who asks", cancel, check, .variant = 11, .preemptions = 2, .must_fail = true, .without = {"tp_fibers_ask_all", MODEL_FENCE}},
    {"fibers: without the fence of who sleeps", cancel, check, .variant = 11, .preemptions = 2, .must_fail = true, .without = {"tp_waitlist_enlist", MODEL_FENCE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
