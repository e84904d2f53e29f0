/* Waiting lists: every state and result, who looks and who sleeps, then tokens under load on real threads. */
#include "tests/support/unit.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/park.h"

#include <sched.h>

enum { WAITERS = 40,
    PRODUCERS = 4,
    ROUNDS = 4000 };

static struct tp_waitlist list;
static tp_atomic(uint32_t) n_tokens, n_done, is_open;

static int reset(void **state)
{
    (void)state;
    tp_waitlist_init(&list);
    tp_store_rlx(&n_tokens, 0);
    tp_store_rlx(&n_done, 0);
    tp_store_rlx(&is_open, 0);
    return 0;
}

static void assert_empty(void)
{
    assert_null(list.first);
    assert_null(list.last);
    assert_int_equal(tp_load_rlx(&list.n_waiting), 0);
}

/* -- one thread: states and results ------------------------------------------------------------- */

static void test_wake_nobody(void **state)
{
    (void)state;
    assert_int_equal(tp_waitlist_wake(&list, 1), 0);
    assert_int_equal(tp_waitlist_wake(&list, UINT32_MAX), 0);
    tp_waitlist_notify(&list, 1);
    assert_empty();
}

static void test_cancel(void **state)
{
    struct tp_waiter w;
    (void)state;
    tp_waitlist_prepare(&list, &w);
    assert_int_equal(tp_load_rlx(&list.n_waiting), 1);
    assert_int_equal(tp_load_rlx(&w.state), TP_WAITER_QUEUED);
    assert_false(tp_waitlist_cancel(&list, &w));
    assert_empty();
}

static void test_cancel_after_wake(void **state)
{
    struct tp_waiter w;
    (void)state;
    tp_waitlist_prepare(&list, &w);
    assert_int_equal(tp_waitlist_wake(&list, 1), 1);
    assert_int_equal(tp_load_rlx(&w.state), TP_WAITER_WOKEN);
    assert_true(tp_waitlist_cancel(&list, &w));
    assert_empty();
}

static void test_wait_after_wake(void **state)
{
    static const uint64_t deadlines[] = {0, 1, TP_FOREVER};
    struct tp_waiter w;
    (void)state;
    for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++) {
        tp_waitlist_prepare(&list, &w);
        tp_waitlist_notify(&list, 1);
        assert_int_equal(tp_waitlist_wait(&list, &w, deadlines[i]), 0);
        assert_empty();
    }
}

static void test_wait_times_out(void **state)
{
    struct tp_waiter w;
    (void)state;
    tp_waitlist_prepare(&list, &w);
    assert_int_equal(tp_waitlist_wait(&list, &w, 0), TP_ETIMEDOUT);
    assert_empty();
    uint64_t deadline = tp_deadline_in_ns(3 * TP_MILLISECOND);
    tp_waitlist_prepare(&list, &w);
    assert_int_equal(tp_waitlist_wait(&list, &w, deadline), TP_ETIMEDOUT);
    assert_true(tp_clock_now_ns() >= deadline);
    assert_empty();
}

static void test_first_in_first_woken(void **state)
{
    struct tp_waiter w[WAITERS];
    (void)state;
    for (int i = 0; i < WAITERS; i++)
        tp_waitlist_prepare(&list, &w[i]);
    assert_false(tp_waitlist_cancel(&list, &w[0]));           /* the first, */
    assert_false(tp_waitlist_cancel(&list, &w[2]));           /* one between, */
    assert_false(tp_waitlist_cancel(&list, &w[WAITERS - 1])); /* the last */
    assert_int_equal(tp_waitlist_wake(&list, 2), 2);
    assert_int_equal(tp_load_rlx(&w[1].state), TP_WAITER_WOKEN);
    assert_int_equal(tp_load_rlx(&w[3].state), TP_WAITER_WOKEN);
    assert_int_equal(tp_load_rlx(&w[4].state), TP_WAITER_QUEUED);
    assert_int_equal(tp_load_rlx(&list.n_waiting), WAITERS - 5);
    assert_int_equal(tp_waitlist_wake(&list, 0), 0);
    assert_int_equal(tp_waitlist_wake(&list, UINT32_MAX), WAITERS - 5); /* more than one batch */
    for (int i = 4; i < WAITERS - 1; i++)
        assert_int_equal(tp_load_rlx(&w[i].state), TP_WAITER_WOKEN);
    assert_empty();
}

/* -- who sleeps, and who looks before ------------------------------------------------------------ */

static void test_only_a_sleeper_is_called(void **state)
{
    struct tp_waiter w;
    (void)state;
    tp_store_rlx(&w.state, TP_WAITER_QUEUED);
    assert_null(tp__waiter_wake(&w).word);
    assert_int_equal(tp_load_rlx(&w.state), TP_WAITER_WOKEN);
    tp_store_rlx(&w.state, TP_WAITER_ASLEEP);
    struct tp_alert alert = tp__waiter_wake(&w);
    assert_ptr_equal(alert.word, &w.state);
    assert_int_equal(alert.bell, -1);
    assert_int_equal(tp_load_rlx(&w.state), TP_WAITER_WOKEN);
    tp__waiter_call((struct tp_alert){NULL, -1});
    tp__waiter_call(alert); /* nobody there */
    tp_store_rlx(&w.bell, 7);
    tp_store_rlx(&w.state, TP_WAITER_POLLING);
    alert = tp__waiter_wake(&w);
    assert_null(alert.word);
    assert_int_equal(alert.bell, 7);
}

static void test_late_waiter_was_asleep(void **state)
{
    struct tp_waiter w = {.next = NULL};
    (void)state;
    tp_store_rlx(&w.state, TP_WAITER_QUEUED);
    assert_int_equal(tp__waiter_sleep(&w, 0, &list.patience), TP_ETIMEDOUT);
    assert_int_equal(tp_load_rlx(&w.state), TP_WAITER_ASLEEP);
}

/* Nobody wakes w. A deadline that has passed makes its look a short one. */
static void wait_in_vain(void)
{
    struct tp_waiter w;
    tp_waitlist_prepare(&list, &w);
    assert_int_equal(tp_waitlist_wait(&list, &w, 0), TP_ETIMEDOUT);
}

static void wait_when_woken(void)
{
    struct tp_waiter w;
    tp_waitlist_prepare(&list, &w);
    tp_waitlist_notify(&list, 1);
    assert_int_equal(tp_waitlist_wait(&list, &w, TP_FOREVER), 0);
}

static void test_patience(void **state)
{
    uint32_t rest = 1;
    (void)state;
    for (int round = 0; round < 9; round++) {
        wait_when_woken(); /* the look paid */
        assert_int_equal(tp_load_rlx(&list.patience.rest), 0);
        wait_in_vain(); /* and now it did not */
        for (uint32_t left = rest; left > 0; left--) {
            assert_int_equal(tp_load_rlx(&list.patience.rest), left);
            (left % 2 ? wait_in_vain : wait_when_woken)();
        }
        assert_int_equal(tp_load_rlx(&list.patience.rest), 0);
    }
    wait_when_woken();
    for (; rest <= TP_PATIENCE_REST; rest *= 2) { /* always in vain */
        wait_in_vain();
        for (uint32_t left = rest; left > 0; left--) {
            assert_int_equal(tp_load_rlx(&list.patience.rest), left);
            wait_in_vain();
        }
    }
    wait_in_vain();
    assert_int_equal(tp_load_rlx(&list.patience.rest), TP_PATIENCE_REST);
}

static void test_one_is_patient(void **state)
{
    (void)state;
    tp_store_rlx(&list.patience.rest, TP_PATIENCE_TAKEN);
    wait_in_vain();
    wait_when_woken();
    assert_int_equal(tp_load_rlx(&list.patience.rest), TP_PATIENCE_TAKEN);
}

static void test_what_is_near(void **state)
{
    (void)state;
    tp_store_rlx(&list.patience.rest, TP_PATIENCE_TAKEN);
    wait_in_vain();
    assert_int_equal(tp_load_rlx(&list.patience.is_near), 0); /* time is no wake-up */
    tp_store_rlx(&list.patience.is_near, 1);
    wait_when_woken(); /* by the look, so nothing is learnt */
    wait_in_vain();
    assert_int_equal(tp_load_rlx(&list.patience.is_near), 1);
}

/* -- threads ---------------------------------------------------------------------------------- */

static bool take_token(void)
{
    uint32_t n = tp_load_acq(&n_tokens);
    while (n > 0)
        if (tp_cas_sc(&n_tokens, &n, n - 1))
            return true;
    return false;
}

/* Takes ROUNDS tokens. With a deadline so short that it often passes, it tries again. */
static void *consumer(void *limit)
{
    struct tp_waiter w;
    for (int i = 0; i < ROUNDS;) {
        if (take_token()) {
            i++;
            continue;
        }
        tp_waitlist_prepare(&list, &w);
        if (tp_load_acq(&n_tokens) > 0) {
            if (tp_waitlist_cancel(&list, &w))
                tp_waitlist_notify(&list, 1);
        } else {
            tp_waitlist_wait(&list, &w, limit ? tp_deadline_in_ns(*(uint64_t *)limit) : TP_FOREVER);
        }
    }
    tp_add_sc(&n_done, 1);
    return NULL;
}

static void *producer(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        tp_add_sc(&n_tokens, 1);
        tp_waitlist_notify(&list, 1);
        if (i % 64 == 0)
            sched_yield();
    }
    return argument;
}

static void test_tokens(void **state)
{
    struct crowd crowd = {.n = 0};
    (void)state;
    for (int i = 0; i < PRODUCERS; i++) {
        crowd_add(&crowd, consumer, NULL);
        crowd_add(&crowd, producer, NULL);
    }
    crowd_join(&crowd);
    assert_int_equal(tp_load_acq(&n_done), PRODUCERS);
    assert_int_equal(tp_load_acq(&n_tokens), 0);
    assert_empty();
}

static void test_tokens_and_time(void **state)
{
    static uint64_t limits[PRODUCERS] = {0, 1, 20 * TP_MICROSECOND, TP_MILLISECOND};
    struct crowd crowd = {.n = 0};
    (void)state;
    for (int i = 0; i < PRODUCERS; i++) {
        crowd_add(&crowd, consumer, &limits[i]);
        crowd_add(&crowd, producer, NULL);
    }
    crowd_join(&crowd);
    assert_int_equal(tp_load_acq(&n_done), PRODUCERS);
    assert_int_equal(tp_load_acq(&n_tokens), 0);
    assert_empty();
}

static void *gate_waiter(void *argument)
{
    struct tp_waiter w;
    while (tp_load_acq(&is_open) == 0) {
        tp_waitlist_prepare(&list, &w);
        if (tp_load_acq(&is_open) != 0)
            tp_waitlist_cancel(&list, &w);
        else
            tp_waitlist_wait(&list, &w, TP_FOREVER);
    }
    tp_add_sc(&n_done, 1);
    return argument;
}

static void test_gate_opens_for_all(void **state)
{
    struct crowd crowd = {.n = 0};
    (void)state;
    for (int i = 0; i < WAITERS; i++)
        crowd_add(&crowd, gate_waiter, NULL);
    while (tp_load_acq(&list.n_waiting) < WAITERS)
        sched_yield();
    tp_store_rel(&is_open, 1);
    tp_waitlist_notify(&list, UINT32_MAX);
    crowd_join(&crowd);
    assert_int_equal(tp_load_acq(&n_done), WAITERS);
    assert_empty();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_wake_nobody, reset),
        cmocka_unit_test_setup(test_cancel, reset),
        cmocka_unit_test_setup(test_cancel_after_wake, reset),
        cmocka_unit_test_setup(test_wait_after_wake, reset),
        cmocka_unit_test_setup(test_wait_times_out, reset),
        cmocka_unit_test_setup(test_first_in_first_woken, reset),
        cmocka_unit_test_setup(test_only_a_sleeper_is_called, reset),
        cmocka_unit_test_setup(test_late_waiter_was_asleep, reset),
        cmocka_unit_test_setup(test_patience, reset),
        cmocka_unit_test_setup(test_one_is_patient, reset),
        cmocka_unit_test_setup(test_what_is_near, reset),
        cmocka_unit_test_setup(test_tokens, reset),
        cmocka_unit_test_setup(test_tokens_and_time, reset),
        cmocka_unit_test_setup(test_gate_opens_for_all, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
