/* Idle workers that come and go: every step by hand, then threads under load that expire, are started,
 * refused, asked to leave and asked to stay. */
#include "tests/support/unit.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/idle.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

enum { WORKERS = 8,
    MANY = 40,
    PRODUCERS = 3,
    ROUNDS = 3000 };

static struct tp_idle idle;
static struct tp_crew crew;
static struct tp_worker workers[MANY], *stack[MANY];
static tp_atomic(uint32_t) n_queued, n_run, n_entered, is_draining, n_asked, refuse_every; /* the last: 0 none, 1 all */

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument)
{
    uint32_t every = tp_load_acq(&refuse_every);
    if (every != 0 && tp_add_sc(&n_asked, 1) % every == 0)
        return EAGAIN;
    return __real_pthread_create(thread, attributes, body, argument);
}

static void assert_counts(uint32_t searching, uint32_t sleeping, uint32_t vacant, uint32_t live)
{
    uint32_t counts = tp_load_rlx(&idle.counts);
    assert_int_equal(tp_idle_searching(counts), searching);
    assert_int_equal(tp_idle_sleeping(counts), sleeping);
    assert_int_equal(idle.n_stacked, sleeping);
    assert_int_equal(idle.n_vacant, vacant);
    assert_int_equal(tp_idle_live(&idle), live);
    assert_int_equal(tp_idle_parked(&idle), sleeping - vacant);
}

/* -- one thread: every step by hand ------------------------------------------------------------------ */

/* n workers that seem to be awake. */
static void reset(uint32_t n)
{
    tp_idle_init(&idle, stack, MANY);
    memset(workers, 0, sizeof workers);
    for (uint32_t i = 0; i < n; i++)
        workers[i].place = TP_WORKER_AWAKE;
    tp_store_rlx(&idle.n_live, n);
}

/* All of them asleep, one every ten nanoseconds. */
static void reset_asleep(uint32_t n)
{
    reset(n);
    for (uint32_t i = 0; i < n; i++) {
        tp_idle_prepare(&idle, &workers[i], false);
        assert_true(i == 0 || workers[i].since_ns >= workers[i - 1].since_ns);
    }
    for (uint32_t i = 0; i < n; i++)
        workers[i].since_ns = 10 * (i + 1);
}

static void test_expire_cuts_by_time(void **state)
{
    (void)state;
    for (uint32_t n = 0; n <= MANY; n += n < 6 ? 1 : 17)
        for (uint32_t before = 0; before <= 10 * n + 11; before += 5)
            for (uint32_t n_keep = 0; n_keep <= n + 1; n_keep++) {
                uint32_t n_old = 0, n_most = n > n_keep ? n - n_keep : 0;
                reset_asleep(n);
                for (uint32_t i = 0; i < n; i++)
                    n_old += workers[i].since_ns < before;
                uint32_t n_retired = n_old < n_most ? n_old : n_most;
                assert_int_equal(tp_idle_expire(&idle, before, n_keep), n_retired);
                assert_counts(0, n, n_retired, n - n_retired);
                for (uint32_t i = 0; i < n; i++) /* those that slept longest */
                    assert_int_equal(workers[i].place, i < n_retired ? TP_WORKER_VACANT : TP_WORKER_ASLEEP);
                assert_int_equal(tp_idle_expire(&idle, before, n_keep), 0);
            }
}

static void test_order_outlasts_a_clock_read_early(void **state)
{
    (void)state;
    reset(2);
    tp_idle_prepare(&idle, &workers[0], false);
    workers[0].since_ns = TP_FOREVER - 1;
    tp_idle_prepare(&idle, &workers[1], false);
    assert_true(workers[1].since_ns >= workers[0].since_ns);
}

static void test_retired_leaves(void **state)
{
    (void)state;
    reset_asleep(2);
    assert_int_equal(tp_idle_expire(&idle, 15, 0), 1);
    assert_false(tp_idle_sleep(&idle, &workers[0])); /* at once */
    assert_int_equal(workers[0].place, TP_WORKER_VACANT);
    assert_counts(0, 2, 1, 1);
}

static void test_retired_is_taken_back(void **state)
{
    (void)state;
    reset_asleep(2);
    assert_int_equal(tp_idle_expire(&idle, TP_FOREVER, 0), 2);
    assert_true(tp_idle_wake(&idle)); /* its thread has not noticed: none is started */
    assert_counts(1, 1, 1, 1);
    assert_true(tp_idle_sleep(&idle, &workers[1]));
    assert_false(tp_idle_sleep(&idle, &workers[0]));
    assert_counts(1, 1, 1, 1);
}

static void test_retired_cancels(void **state)
{
    (void)state;
    reset_asleep(3);
    assert_int_equal(tp_idle_expire(&idle, TP_FOREVER, 0), 3);
    tp_idle_cancel(&idle, &workers[1]); /* it had seen a task */
    assert_counts(1, 2, 2, 1);
    tp_idle_prepare(&idle, &workers[1], true); /* and is as good as new */
    assert_counts(0, 3, 2, 1);
    assert_true(tp_idle_wake(&idle));
    assert_true(tp_idle_sleep(&idle, &workers[1]));
}

static void test_quit_from_each_place(void **state)
{
    (void)state;
    reset_asleep(4);
    assert_int_equal(tp_idle_expire(&idle, 15, 0), 1);
    assert_true(tp_idle_wake(&idle)); /* the fourth */
    tp_idle_shrink(&idle, &workers[2]);
    for (int i = 0; i < 4; i++) {
        tp_idle_quit(&idle, &workers[i]);
        assert_int_equal(workers[i].place, TP_WORKER_OUT);
        assert_false(workers[i].retired);
    }
    assert_counts(0, 0, 0, 0);
}

static void test_shrink_each_place(void **state)
{
    (void)state;
    reset_asleep(4);
    assert_int_equal(tp_idle_expire(&idle, 25, 0), 2);
    assert_false(tp_idle_sleep(&idle, &workers[0])); /* noticed */
    tp_idle_shrink(&idle, &workers[0]);              /* vacant: out at once */
    assert_counts(0, 3, 1, 2);
    tp_idle_shrink(&idle, &workers[1]); /* vacant, but its thread has not noticed */
    assert_counts(0, 2, 0, 2);
    assert_false(tp_idle_sleep(&idle, &workers[1]));
    tp_idle_shrink(&idle, &workers[2]); /* asleep: told to go */
    assert_false(tp_idle_sleep(&idle, &workers[2]));
    assert_counts(0, 1, 0, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(workers[i].place, TP_WORKER_OUT);
    assert_int_equal(workers[3].place, TP_WORKER_ASLEEP);
    tp_idle_shrink(&idle, &workers[0]); /* out already */
    assert_counts(0, 1, 0, 1);
}

static void test_awake_leaves_by_itself(void **state)
{
    (void)state;
    reset(2);
    assert_false(tp_idle_is_leaving(&workers[0]));
    assert_false(tp_idle_leave(&idle, &workers[0])); /* nobody asked */
    tp_idle_shrink(&idle, &workers[0]);
    assert_true(tp_idle_is_leaving(&workers[0]));
    assert_counts(0, 0, 0, 2);
    assert_true(tp_idle_leave(&idle, &workers[0]));
    assert_counts(0, 0, 0, 1);
    tp_idle_shrink(&idle, &workers[1]);
    assert_int_equal(tp_idle_grow(&idle, &workers[1]), 0); /* still there: it stays */
    assert_false(tp_idle_is_leaving(&workers[1]));
    assert_false(tp_idle_leave(&idle, &workers[1]));
    tp_idle_shrink(&idle, &workers[1]);
    tp_idle_add_vacant(&idle, &workers[1]);
    assert_false(tp_idle_leave(&idle, &workers[1]));
    assert_counts(0, 0, 0, 1);
}

static void test_asked_to_leave_does_not_sleep(void **state)
{
    (void)state;
    reset(2);
    tp_idle_shrink(&idle, &workers[0]);
    tp_idle_prepare(&idle, &workers[0], false);
    assert_false(tp_idle_sleep(&idle, &workers[0]));
    assert_counts(0, 0, 0, 1);
}

static void test_stays_though_told_to_go(void **state)
{
    (void)state;
    reset_asleep(2);
    tp_idle_shrink(&idle, &workers[0]);
    assert_int_equal(tp_idle_grow(&idle, &workers[0]), 0); /* its thread has not noticed */
    assert_counts(1, 1, 0, 2);
    assert_true(tp_idle_sleep(&idle, &workers[0]));
    tp_idle_shrink(&idle, &workers[1]);
    tp_idle_add_vacant(&idle, &workers[1]);
    assert_counts(1, 1, 1, 1);
    assert_false(tp_idle_sleep(&idle, &workers[1]));
    assert_counts(1, 1, 1, 1);
}

static void test_clear(void **state)
{
    (void)state;
    reset(0);
    for (int i = 0; i < 5; i++)
        tp_idle_add_vacant(&idle, &workers[i]);
    tp_idle_add_vacant(&idle, &workers[0]); /* once is enough */
    assert_counts(0, 5, 5, 0);
    tp_idle_wake_all(&idle); /* starts nobody */
    assert_counts(0, 5, 5, 0);
    tp_idle_clear(&idle);
    assert_counts(0, 0, 0, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(workers[i].place, TP_WORKER_OUT);
}

/* -- threads ------------------------------------------------------------------------------------- */

static bool take(void)
{
    uint32_t n = tp_load_acq(&n_queued);
    while (n > 0)
        if (tp_cas_sc(&n_queued, &n, n - 1))
            return true;
    return false;
}

static bool await(struct tp_worker *self, bool searching)
{
    for (;;) {
        if (searching && take()) {
            if (tp_idle_end_search(&idle) && tp_load_acq(&n_queued) > 0)
                tp_idle_notify(&idle);
            return true;
        }
        tp_idle_prepare(&idle, self, searching);
        searching = true;
        bool drains = tp_load_acq(&is_draining) != 0;
        if (tp_load_acq(&n_queued) > 0) {
            tp_idle_cancel(&idle, self);
        } else if (drains) {
            tp_idle_quit(&idle, self);
            return false;
        } else if (!tp_idle_sleep(&idle, self)) {
            return false;
        }
    }
}

static bool leave(struct tp_worker *self)
{
    if (!tp_idle_is_leaving(self) || !tp_idle_leave(&idle, self))
        return false;
    if (tp_load_acq(&n_queued) > 0)
        tp_idle_notify(&idle);
    return true;
}

static void enter(struct tp_worker *self)
{
    tp_add_sc(&n_entered, 1);
    bool more = await(self, true);
    while (more) {
        tp_add_sc(&n_run, 1);
        if (leave(self))
            return;
        more = take() || await(self, tp_idle_begin_search(&idle));
    }
}

static int open_crew(void **state)
{
    (void)state;
    reset(0);
    tp_crew_init(&crew);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i].index = i;
        tp_crew_add(&crew, &workers[i], "idle", enter);
    }
    tp_store_rlx(&n_queued, 0);
    tp_store_rlx(&n_run, 0);
    tp_store_rlx(&n_entered, 0);
    tp_store_rlx(&n_asked, 0);
    tp_store_rlx(&is_draining, 0);
    tp_store_rlx(&refuse_every, 0);
    return 0;
}

static void put(void)
{
    tp_add_sc(&n_queued, 1);
    tp_idle_notify(&idle);
}

static void await_run(uint32_t n)
{
    while (tp_load_acq(&n_run) < n)
        sched_yield();
}

static void await_parked(uint32_t n)
{
    while (tp_idle_parked(&idle) < n)
        sched_yield();
}

/* Drains, waits for all threads, and looks whether all were counted right. */
static void close_crew(void)
{
    tp_store_rel(&refuse_every, 0);
    tp_store_sc(&is_draining, 1);
    while (tp_load_acq(&n_queued) > 0 && tp_idle_live(&idle) == 0) /* after a refusal */
        tp_idle_notify(&idle);
    tp_idle_wake_all(&idle);
    assert_int_equal(tp_crew_wait(&crew, TP_FOREVER), 0);
    assert_int_equal(tp_load_acq(&n_queued), 0);
    assert_counts(0, idle.n_vacant, idle.n_vacant, 0);
    for (unsigned i = 0; i < WORKERS; i++)
        tp_crew_reap(&workers[i]);
}

static void end_crew(void)
{
    close_crew();
    tp_idle_clear(&idle);
    tp_crew_free(&crew);
}

static void test_vacant_are_started(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        tp_idle_add_vacant(&idle, &workers[i]);
    assert_int_equal(tp_load_acq(&n_entered), 0);
    put();
    await_run(1);
    await_parked(1);
    assert_int_equal(tp_load_acq(&n_entered), 1);
    assert_int_equal(workers[0].place, TP_WORKER_ASLEEP); /* the one that was vacant longest */
    assert_counts(0, 3, 2, 1);
    put(); /* who has a thread comes first */
    await_run(2);
    await_parked(1);
    assert_int_equal(tp_load_acq(&n_entered), 1);
    end_crew();
}

static void test_expired_are_started_again(void **state)
{
    (void)state;
    assert_int_equal(tp_idle_grow(&idle, &workers[0]), 0);
    for (uint32_t i = 1; i <= 200; i++) {
        await_parked(1);
        assert_int_equal(tp_idle_expire(&idle, TP_FOREVER, 0), 1);
        put(); /* while the thread leaves, or after */
        await_run(i);
        tp_crew_sweep(&crew);
    }
    end_crew();
}

static void test_refused(void **state)
{
    (void)state;
    tp_idle_add_vacant(&idle, &workers[0]);
    tp_store_rel(&refuse_every, 1);
    assert_false(tp_idle_wake(&idle));
    assert_counts(0, 1, 1, 0);
    assert_int_equal(tp_load_acq(&n_asked), 1);
    assert_true(idle.retry_ns > 0);
    idle.retry_ns = TP_FOREVER; /* a while that does not end */
    put();
    assert_int_equal(tp_load_acq(&n_asked), 1);
    idle.retry_ns = 0;
    tp_idle_notify(&idle);
    assert_int_equal(tp_load_acq(&n_asked), 2);
    assert_counts(0, 1, 1, 0);
    tp_store_rel(&refuse_every, 0);
    while (!tp_idle_wake(&idle)) /* the system is left alone for a while */
        sched_yield();
    await_run(1);
    end_crew();
}

static void test_grow_refused(void **state)
{
    (void)state;
    tp_store_rel(&refuse_every, 1);
    assert_int_equal(tp_idle_grow(&idle, &workers[0]), TP_ETHREAD);
    assert_int_equal(workers[0].place, TP_WORKER_OUT);
    assert_counts(0, 0, 0, 0);
    tp_idle_add_vacant(&idle, &workers[0]);
    assert_int_equal(tp_idle_grow(&idle, &workers[0]), TP_ETHREAD);
    assert_counts(0, 1, 1, 0);
    tp_store_rel(&refuse_every, 0);
    assert_int_equal(tp_idle_grow(&idle, &workers[0]), 0);
    put();
    await_run(1);
    end_crew();
}

/* A late submitter starts nobody in a pool that is closed, and somebody in one that is open again. */
static void test_closed_and_opened_again(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        tp_idle_add_vacant(&idle, &workers[i]);
    assert_int_equal(tp_idle_grow(&idle, &workers[2]), 0);
    close_crew();
    assert_counts(0, 2, 2, 0);
    tp_idle_notify(&idle);
    assert_int_equal(tp_crew_wait(&crew, 0), 0);
    assert_counts(0, 2, 2, 0);
    tp_idle_clear(&idle);
    tp_store_rel(&is_draining, 0);
    assert_int_equal(tp_idle_grow(&idle, &workers[0]), 0);
    tp_idle_add_vacant(&idle, &workers[2]);
    put();
    await_run(1);
    end_crew();
}

static void *producer(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        put();
        if (i % 16 == 0)
            while (tp_load_acq(&n_queued) > 0) {
                sched_yield();
                if (tp_idle_live(&idle) == 0)
                    tp_idle_notify(&idle); /* everybody expired, and the system refused */
            }
    }
    return argument;
}

/* Changes all the time, until all tasks have run. n_keep: threads that stay. */
static void change(uint32_t n_keep)
{
    unsigned n = WORKERS;
    for (unsigned random = 1; tp_load_acq(&n_run) < PRODUCERS * ROUNDS;) {
        random = random * 1103515245 + 12345;
        switch (random >> 16 & 7) {
        case 0:
            tp_idle_expire(&idle, tp_clock_now_ns(), n_keep);
            break;
        case 1:
            tp_crew_sweep(&crew);
            break;
        case 2:
        case 3:
            if (n > 1)
                tp_idle_shrink(&idle, &workers[--n]);
            break;
        case 4:
            if (n < WORKERS)
                tp_idle_add_vacant(&idle, &workers[n++]);
            if (tp_load_acq(&n_queued) > 0)
                tp_idle_notify(&idle);
            break;
        case 5:
            if (n < WORKERS)
                n += tp_idle_grow(&idle, &workers[n]) == 0;
            break;
        default:
            sched_yield();
        }
    }
}

static void run_load(uint32_t n_keep, uint32_t refused)
{
    struct crowd producers = {.n = 0};
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(tp_idle_grow(&idle, &workers[i]), 0);
    for (int i = 0; i < PRODUCERS; i++)
        crowd_add(&producers, producer, NULL);
    tp_store_rel(&refuse_every, refused);
    change(n_keep);
    crowd_join(&producers);
    end_crew();
    assert_int_equal(tp_load_acq(&n_run), PRODUCERS * ROUNDS);
}

static void test_load(void **state)
{
    (void)state;
    run_load(1, 0);
}

static void test_load_without_a_minimum(void **state)
{
    (void)state;
    run_load(0, 0);
}

static void test_load_refused(void **state)
{
    (void)state;
    run_load(1, 3);
}

static void test_load_refused_without_a_minimum(void **state)
{
    (void)state;
    run_load(0, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expire_cuts_by_time),
        cmocka_unit_test(test_order_outlasts_a_clock_read_early),
        cmocka_unit_test(test_retired_leaves),
        cmocka_unit_test(test_retired_is_taken_back),
        cmocka_unit_test(test_retired_cancels),
        cmocka_unit_test(test_quit_from_each_place),
        cmocka_unit_test(test_shrink_each_place),
        cmocka_unit_test(test_awake_leaves_by_itself),
        cmocka_unit_test(test_asked_to_leave_does_not_sleep),
        cmocka_unit_test(test_stays_though_told_to_go),
        cmocka_unit_test(test_clear),
        cmocka_unit_test_setup(test_vacant_are_started, open_crew),
        cmocka_unit_test_setup(test_expired_are_started_again, open_crew),
        cmocka_unit_test_setup(test_refused, open_crew),
        cmocka_unit_test_setup(test_grow_refused, open_crew),
        cmocka_unit_test_setup(test_closed_and_opened_again, open_crew),
        cmocka_unit_test_setup(test_load, open_crew),
        cmocka_unit_test_setup(test_load_without_a_minimum, open_crew),
        cmocka_unit_test_setup(test_load_refused, open_crew),
        cmocka_unit_test_setup(test_load_refused_without_a_minimum, open_crew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
