/* Idle accounting: every count and outcome by hand, then workers and producers under load. */
#include "tests/support/unit.h"

#include "runtime/clock.h"
#include "runtime/idle.h"

#include <sched.h>
#include <string.h>

enum { WORKERS_MAX = 8,
    PRODUCERS = 4,
    ROUNDS = 4000 };

static struct tp_idle idle;
static struct tp_crew crew;
static struct tp_worker workers[WORKERS_MAX], *stack[0xffff];
static tp_atomic(uint32_t) n_queued, n_run, is_draining;

/* Workers that are awake, by hand: no threads. */
static void reset(uint32_t n_workers)
{
    tp_idle_init(&idle, stack, n_workers);
    memset(workers, 0, sizeof workers);
    tp_store_rlx(&idle.n_live, n_workers);
    for (int i = 0; i < WORKERS_MAX; i++)
        workers[i].place = TP_WORKER_AWAKE;
    tp_store_rlx(&n_queued, 0);
    tp_store_rlx(&n_run, 0);
    tp_store_rlx(&is_draining, 0);
}

static void assert_counts(uint32_t searching, uint32_t sleeping)
{
    uint32_t counts = tp_load_rlx(&idle.counts);
    assert_int_equal(tp_idle_searching(counts), searching);
    assert_int_equal(tp_idle_sleeping(counts), sleeping);
}

/* -- one thread: counts and outcomes -------------------------------------------------------------- */

static void test_half_may_search(void **state)
{
    (void)state;
    for (uint32_t n_workers = 1; n_workers <= 9; n_workers++) {
        uint32_t n = 0;
        reset(n_workers);
        while (tp_idle_begin_search(&idle))
            n++;
        assert_int_equal(n, (n_workers + 1) / 2);
        assert_counts(n, 0);
        while (n > 0)
            assert_int_equal(tp_idle_end_search(&idle), --n == 0); /* only the last is told so */
        assert_counts(0, 0);
    }
}

static void test_most_workers(void **state)
{
    (void)state;
    reset(0xffff);
    for (int i = 0; i < 0x8000; i++)
        assert_true(tp_idle_begin_search(&idle));
    assert_false(tp_idle_begin_search(&idle));
    assert_counts(0x8000, 0);
}

static void test_prepare_and_cancel(void **state)
{
    (void)state;
    reset(4);
    assert_true(tp_idle_begin_search(&idle));
    tp_idle_prepare(&idle, &workers[0], true);
    assert_counts(0, 1);
    tp_idle_prepare(&idle, &workers[1], false);
    assert_counts(0, 2);
    tp_idle_prepare(&idle, &workers[2], false);
    tp_idle_cancel(&idle, &workers[1]); /* from the middle of the stack */
    assert_counts(1, 2);
    tp_idle_cancel(&idle, &workers[0]);
    tp_idle_cancel(&idle, &workers[2]);
    assert_counts(3, 0);
    assert_int_equal(idle.n_stacked, 0);
}

static void test_wake_takes_the_last(void **state)
{
    (void)state;
    reset(4);
    for (int i = 0; i < 3; i++)
        tp_idle_prepare(&idle, &workers[i], false);
    assert_true(tp_idle_wake(&idle));
    assert_int_equal(tp_load_rlx(&workers[2].waiter.state), TP_WAITER_WOKEN);
    assert_int_equal(tp_load_rlx(&workers[1].waiter.state), TP_WAITER_QUEUED);
    assert_counts(1, 2); /* counted before it runs */
    assert_false(tp_idle_wake(&idle));
    tp_idle_notify(&idle); /* somebody searches already */
    assert_counts(1, 2);
    tp_idle_sleep(&idle, &workers[2]); /* returns at once */
    assert_int_equal(tp_load_rlx(&workers[2].waiter.state), TP_WAITER_OFF);
    assert_true(tp_idle_end_search(&idle));
    tp_idle_notify(&idle);
    assert_int_equal(tp_load_rlx(&workers[1].waiter.state), TP_WAITER_WOKEN);
    assert_counts(1, 1);
}

static void test_wake_nobody(void **state)
{
    (void)state;
    reset(2);
    assert_false(tp_idle_wake(&idle));
    tp_idle_notify(&idle);
    tp_idle_wake_all(&idle);
    assert_counts(0, 0);
}

static void test_cancel_after_wake(void **state)
{
    (void)state;
    reset(2);
    tp_idle_prepare(&idle, &workers[0], false);
    tp_idle_notify(&idle);
    assert_counts(1, 0);
    tp_idle_cancel(&idle, &workers[0]); /* the waker has counted it */
    assert_counts(1, 0);
    assert_int_equal(tp_load_rlx(&workers[0].waiter.state), TP_WAITER_OFF);
}

static void test_wake_all_in_spite_of_searchers(void **state)
{
    (void)state;
    reset(4);
    assert_true(tp_idle_begin_search(&idle));
    for (int i = 0; i < 3; i++)
        tp_idle_prepare(&idle, &workers[i], false);
    tp_idle_wake_all(&idle);
    assert_counts(4, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tp_load_rlx(&workers[i].waiter.state), TP_WAITER_WOKEN);
    assert_int_equal(idle.n_stacked, 0);
}

static void test_sleep_until(void **state)
{
    (void)state;
    reset(3);
    tp_idle_prepare(&idle, &workers[0], false);
    tp_idle_prepare(&idle, &workers[1], false);
    assert_true(tp_idle_sleep_in(&idle, &workers[0], NULL, 1)); /* by itself, from below another */
    assert_counts(1, 1);
    assert_true(tp_idle_end_search(&idle));
    assert_true(tp_idle_wake(&idle));
    assert_true(tp_idle_sleep_in(&idle, &workers[1], NULL, 1)); /* it was woken before: counted once */
    assert_counts(1, 0);
    tp_idle_prepare(&idle, &workers[1], true);
    assert_int_equal(tp_idle_expire(&idle, TP_FOREVER, 0), 1);
    assert_false(tp_idle_sleep_in(&idle, &workers[1], NULL, 1)); /* retired: it leaves, and stays vacant */
    assert_int_equal(workers[1].place, TP_WORKER_VACANT);
    assert_counts(0, 1);
}

/* -- threads ---------------------------------------------------------------------------------- */

static bool take(void)
{
    uint32_t n = tp_load_acq(&n_queued);
    while (n > 0)
        if (tp_cas_sc(&n_queued, &n, n - 1))
            return true;
    return false;
}

static bool await(struct tp_worker *w, bool searching)
{
    for (;;) {
        if (searching && take()) {
            if (tp_idle_end_search(&idle) && tp_load_acq(&n_queued) > 0)
                tp_idle_notify(&idle);
            return true;
        }
        tp_idle_prepare(&idle, w, searching);
        searching = true;
        bool leaves = tp_load_acq(&is_draining) != 0;
        if (tp_load_acq(&n_queued) > 0) {
            tp_idle_cancel(&idle, w);
        } else if (leaves) {
            tp_idle_quit(&idle, w);
            return false;
        } else if (!tp_idle_sleep(&idle, w)) {
            return false;
        }
    }
}

static void worker(struct tp_worker *w)
{
    for (bool more = await(w, true); more; more = take() || await(w, tp_idle_begin_search(&idle)))
        tp_add_sc(&n_run, 1);
}

/* Every few rounds it lets the workers fall asleep. */
static void *producer(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        tp_add_sc(&n_queued, 1);
        tp_idle_notify(&idle);
        if (i % 16 == 0)
            while (tp_load_acq(&n_queued) > 0)
                sched_yield();
    }
    return argument;
}

static void open_crew(uint32_t n_workers)
{
    reset(0xffff);
    tp_store_rlx(&idle.n_live, 0);
    tp_crew_init(&crew);
    for (uint32_t i = 0; i < n_workers; i++) {
        workers[i].place = TP_WORKER_OUT;
        workers[i].index = i;
        tp_crew_add(&crew, &workers[i], "idle", worker);
    }
}

static void close_crew(uint32_t n_workers)
{
    assert_int_equal(tp_crew_wait(&crew, TP_FOREVER), 0);
    for (uint32_t i = 0; i < n_workers; i++)
        tp_crew_reap(&workers[i]);
    tp_crew_free(&crew);
}

static void run_load(uint32_t n_workers)
{
    struct crowd producers = {.n = 0};
    open_crew(n_workers);
    for (uint32_t i = 0; i < n_workers; i++)
        assert_int_equal(tp_idle_grow(&idle, &workers[i]), 0);
    for (int i = 0; i < PRODUCERS; i++)
        crowd_add(&producers, producer, NULL);
    crowd_join(&producers);
    tp_store_sc(&is_draining, 1);
    tp_idle_wake_all(&idle);
    close_crew(n_workers);
    assert_int_equal(tp_load_acq(&n_run), PRODUCERS * ROUNDS);
    assert_int_equal(tp_load_acq(&n_queued), 0);
    assert_counts(0, 0);
    assert_int_equal(idle.n_stacked, 0);
}

static void test_load(void **state)
{
    (void)state;
    run_load(1);
    run_load(2);
    run_load(3);
    run_load(WORKERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_may_search),
        cmocka_unit_test(test_most_workers),
        cmocka_unit_test(test_prepare_and_cancel),
        cmocka_unit_test(test_sleep_until),
        cmocka_unit_test(test_wake_takes_the_last),
        cmocka_unit_test(test_wake_nobody),
        cmocka_unit_test(test_cancel_after_wake),
        cmocka_unit_test(test_wake_all_in_spite_of_searchers),
        cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
