/* Forced migration of tasks: whenever one goes on, it is on another worker, and looks who it is and where. This source holds the
 * template, and is compiled with the library as it is built, and in one step with all of its sources, which lets the compiler merge
 * and move what it likes (parts.ninja). The pool pins tasks to workers; here each task pins itself to the next one before it lets go.
 * Prints "N passed, N failed". */
#define WITH_COROUTINE 1
#define WITH_PINNED 1
#define WITH_TRACKING 1
#define WITH_BOUNDED 0

#include "gen/parts/options.h"

#include <tidepool_kit.h>

static void put_and_wake(struct tp_fiber_list *list, struct tp_fiber *fiber);

#define tp_fiber_list_put put_and_wake
#include "gen/parts/pool.c"
#undef tp_fiber_list_put

#include "runtime/base/apart.h"
#include "runtime/base/tls.h"
#include "runtime/tidepool.h"

#include "coro/frame.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { WORKERS = 3,
    TASKS = 7,
    ROUNDS = 40,
    DEPTH = 2 };

TP_TLS_DECLARE(int *, own_id);
TP_TLS_DEFINE(int *, own_id, NULL);

static struct job_pool *pool;
static struct tp_waitlist list;
static struct tp_frames *frames;
static int thread_ids[WORKERS];
static tp_atomic(uint32_t) n_looks, n_wrong, n_over, n_reports;

/* One task; its worker is the one that it has to be on. */
struct walker {
    unsigned home, worker;
    uint64_t id;
    int error, n_defers;
};

/* A task that yields is its own worker's, in a pool whose tasks do not tamper with that; here somebody must be told. */
static void put_and_wake(struct tp_fiber_list *ready, struct tp_fiber *fiber)
{
    struct job_worker *home = fiber->home;
    tp_fiber_list_put(ready, fiber);
    tp_idle_wake_worker(&home->pool->idle, &home->base);
}

static void expect_at(bool ok, int line)
{
    tp_add_sc(&n_looks, 1);
    if (!ok && tp_add_sc(&n_wrong, 1) < 10)
        printf("line %d\n", line);
}
#define expect(ok) expect_at(ok, __LINE__)

static TP_APART void remember(void)
{
    int *id = &thread_ids[tp_worker_self()->index];
    *id = gettid();
    *tp_tls_place(own_id) = id;
}

/* All that a thread and a task are known by, again and again in one function. */
static inline void look(struct walker *walker)
{
    if (thread_ids[tp_worker_self()->index] == 0)
        remember();
    expect(tp_worker_self()->index == walker->worker);
    expect(gettid() == thread_ids[walker->worker]);
    expect(*tp_tls_value(own_id) == gettid() && **tp_tls_place(own_id) == gettid());
    expect(tp_fiber_self() && tp_fiber_self()->run.worker == walker->worker);
    expect(tp_task_id() == walker->id && tp_task_check() == 0);
    expect(*tp_co_errno() == walker->error);
    expect(tp_run_depth(pool) == 1);
    tp_frame_free(frames, tp_frame_new(frames));
    *tp_co_errno() = ++walker->error;
}

static inline void hop(struct walker *walker, unsigned to)
{
    walker->worker = to;
    tp_fiber_self()->home = &pool->workers[to];
}

static inline void hop_on(struct walker *walker)
{
    hop(walker, (walker->worker + 1) % WORKERS);
}

static void count_defer(void *argument)
{
    struct walker *walker = argument;
    walker->n_defers++;
    look(walker);
}

/* Ends in a panic, on another worker than the one it began on, with a defer that suspends as well. */
static void yield_defer(void *argument)
{
    struct walker *walker = argument;
    look(walker);
    hop_on(walker);
    expect(tp_yield() == 0);
    look(walker);
}

static int panicking_part(void *argument)
{
    struct walker *walker = argument;
    TP_DEFER(count_defer, walker);
    TP_DEFER(yield_defer, walker);
    hop_on(walker);
    expect(tp_yield() == 0);
    look(walker);
    tp_panic("on worker %u", walker->worker);
}

static int child_or_walker(struct walker *walker);

static void wander(struct walker *walker, int depth)
{
    struct tp_waiter w;
    struct tp_task_result result;
    uint64_t child;
    look(walker);
    hop_on(walker);
    expect(tp_yield() == 0);
    look(walker);

    hop_on(walker);
    tp_waitlist_prepare(&list, &w);
    expect(tp_waitlist_wait(&list, &w, TP_FOREVER) == 0); /* may have been woken before it sleeps: then it stays */
    walker->worker = tp_worker_self()->index;
    look(walker);

    expect(job_spawn(pool, 0, &child) == 0);
    int status = job_join(pool, child, TP_FOREVER, &result);
    walker->worker = tp_worker_self()->index;
    look(walker);
    expect(status == 0 && result.code == 0);

    int n_defers = walker->n_defers;
    expect(tp_task_protect(panicking_part, walker) == TP_EPANICKED);
    expect(walker->n_defers == n_defers + 1);
    look(walker);

    TP_DEFER(count_defer, walker);
    if (depth > 0)
        wander(walker, depth - 1);
    hop_on(walker);
    expect(tp_yield() == 0);
}

static int child_or_walker(struct walker *walker)
{
    if (!walker)
        return 0;
    walker->home = walker->worker = tp_worker_self()->index;
    walker->id = tp_task_id();
    walker->error = *tp_co_errno();
    for (int i = 0; i < ROUNDS; i++)
        wander(walker, DEPTH);
    hop(walker, walker->home); /* which has counted it */
    expect(tp_yield() == 0);
    look(walker);
    tp_add_sc(&n_over, 1);
    return 0;
}

int job_run(uintptr_t payload)
{
    return child_or_walker((struct walker *)payload);
}

static void count_report(const struct tp_panic_report *panic, void *context)
{
    (void)context;
    (void)panic;
    tp_add_sc(&n_reports, 1);
}

int main(void)
{
    struct walker walkers[TASKS] = {0};
    struct tp_pool_settings settings = {.workers = WORKERS, .on_panic = count_report};
    tp_waitlist_init(&list);
    expect(tp_frames_open(&frames, &(struct tp_frames_settings){.bytes = 64}) == 0);
    expect(job_pool_open(&pool, &settings) == 0);
    for (int i = 0; i < TASKS; i++)
        expect(job_submit(pool, (uintptr_t)&walkers[i]) == 0);
    while (tp_load_sc(&n_over) < TASKS) {
        tp_waitlist_notify(&list, UINT32_MAX);
        sched_yield();
    }
    expect(job_pool_close(pool, TP_FOREVER) == 0);
    job_pool_free(pool);
    expect(tp_frames_close(frames) == 0);
    expect(tp_load_sc(&n_reports) == TASKS * ROUNDS * (DEPTH + 1));
    uint32_t wrong = tp_load_sc(&n_wrong);
    printf("%u looks, %u wrong\n", tp_load_sc(&n_looks), wrong);
    printf("%d passed, %d failed\n", wrong == 0, wrong != 0);
    return wrong != 0;
}
