/* More wait than are let go under one lock, and while the caller is away from it something happens to the rest: one is asked to end, and does
 * not leave with that, since it would be the last that keeps the thing, but is served; or another one serves them, and ends the
 * thing, which waits for the caller. The scheduler here tells of the moment. */
#include "tests/support/unit.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/fibers.h"
#include "runtime/sync/chan.h"
#include "runtime/sync/select.h"
#include "runtime/sync/semaphore.h"
#include "runtime/sync/waitgroup.h"

#include <sched.h>
#include <string.h>

enum { WAITERS = 17,
    LONG = 1000 }; /* turns that the one who leaves is given */

static struct tp_fibers fibers;
static struct tp_fiber_cache caches[2]; /* of this thread, and of the one for the last task */
static tp_atomic(uint32_t) stop, is_away, has_left;
static uint32_t n_early;
static struct tp_fiber *last;
static int statuses[WAITERS];

static struct tp_waitgroup group;
static struct tp_semaphore semaphore;
static struct tp_chan *chan;

static int wait_for_group(void)
{
    return tp_waitgroup_wait(&group, TP_FOREVER);
}

static int receive(void)
{
    char value;
    return tp_chan_recv(chan, &value, TP_FOREVER);
}

static int select_one(void)
{
    char value;
    size_t which;
    struct tp_case one = tp_case_recv(chan, &value);
    return tp_select(&one, 1, TP_FOREVER, &which);
}

static int acquire(void)
{
    return tp_semaphore_acquire(&semaphore, 1, TP_FOREVER);
}

static int (*wait_here)(void);

static int run_task(void *argument)
{
    *(int *)argument = wait_here();
    return 0;
}

/* The caller has given the lock up, and will come back. */
static void ready(struct tp_fiber *fiber)
{
    tp_fibers_woken(fiber->fibers, NULL);
    if (fiber == last || tp_swap_sc(&is_away, 1) != 0)
        return;
    for (int i = 0; i < LONG && tp_load_sc(&has_left) == 0; i++)
        sched_yield();
    n_early = tp_load_sc(&has_left);
}

/* The last task is asked to end, and goes on here. */
static void *end_last(void *unused)
{
    while (tp_load_sc(&is_away) == 0)
        sched_yield();
    tp_fibers_ask(&fibers, WAITERS);
    tp_fiber_continue(last);
    while (tp_fiber_run(last, &caches[1]) != TP_FIBER_ENDED)
        tp_fiber_continue(last);
    tp_store_sc(&has_left, 1);
    return unused;
}

/* Nobody waits any more: the rest has been served here. */
static void *serve_and_end(void *unused)
{
    while (tp_load_sc(&is_away) == 0)
        sched_yield();
    tp_semaphore_release(&semaphore, 0);
    tp_semaphore_end(&semaphore);
    tp_store_sc(&has_left, 1);
    return unused;
}

static void start(int (*wait)(void), struct tp_fiber *waiting[WAITERS])
{
    memset(&fibers, 0, sizeof fibers);
    memset(caches, 0, sizeof caches);
    fibers.body = run_task;
    fibers.ready = ready;
    fibers.stack_bytes = 65536;
    fibers.caches = caches;
    fibers.cache_stride = sizeof *caches;
    fibers.n_caches = 2;
    fibers.run = (struct tp_run){.pool = "fibers", .owner = &fibers, .stop = &stop};
    tp_fibers_init(&fibers);
    tp_store_sc(&is_away, 0);
    tp_store_sc(&has_left, 0);
    wait_here = wait;
    for (int i = 0; i < WAITERS; i++) {
        waiting[i] = tp_fiber_get(&fibers, &caches[0]);
        assert_non_null(waiting[i]);
        tp_fiber_begin(waiting[i], &statuses[i], (uint64_t)i + 1);
        assert_int_equal(tp_fiber_run(waiting[i], &caches[0]), TP_FIBER_AWAY);
    }
    last = waiting[WAITERS - 1];
}

static void go_on(struct tp_fiber *fiber)
{
    tp_fiber_continue(fiber);
    assert_int_equal(tp_fiber_run(fiber, &caches[0]), TP_FIBER_ENDED);
}

/* All have ended, each with that status. */
static void end(struct tp_fiber *waiting[WAITERS], int status)
{
    assert_int_equal(n_early, 0);
    for (int i = 0; i < WAITERS; i++) {
        tp_fiber_put(&fibers, &caches[0], waiting[i]);
        assert_int_equal(statuses[i], status);
    }
    tp_fibers_free(&fibers, false);
}

/* let_go: lets all that wait go, with that status. */
static void expect_all_served(int (*wait)(void), void (*let_go)(void), int status)
{
    struct tp_fiber *waiting[WAITERS];
    struct crowd crowd = {.n = 0};
    start(wait, waiting);
    crowd_add(&crowd, end_last, NULL);
    let_go();
    crowd_join(&crowd);
    for (int i = 0; i < WAITERS - 1; i++)
        go_on(waiting[i]);
    end(waiting, status);
}

/* The caller has served 16, and has units for one more, when another one serves that and ends the semaphore. */
static void test_served_by_another(void **state)
{
    struct tp_fiber *waiting[WAITERS];
    struct crowd crowd = {.n = 0};
    (void)state;
    tp_semaphore_init(&semaphore, 0);
    start(acquire, waiting);
    crowd_add(&crowd, serve_and_end, NULL);
    tp_semaphore_release(&semaphore, WAITERS);
    crowd_join(&crowd);
    for (int i = 0; i < WAITERS; i++)
        go_on(waiting[i]);
    end(waiting, 0);
}

static void end_group(void)
{
    tp_waitgroup_done(&group);
}

static void close_chan(void)
{
    tp_chan_close(chan);
}

static void test_wait_group(void **state)
{
    (void)state;
    tp_waitgroup_init(&group, 1);
    expect_all_served(wait_for_group, end_group, 0);
}

static void test_channel(void **state)
{
    (void)state;
    int (*const waits[])(void) = {receive, select_one};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tp_chan_open(&chan, 1, 0), 0);
        expect_all_served(waits[i], close_chan, TP_ECLOSED);
        tp_chan_free(chan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait_group),
        cmocka_unit_test(test_channel),
        cmocka_unit_test(test_served_by_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
