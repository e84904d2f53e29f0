/* Sleeping on a word: the compare, the deadline, the wake-up. Wake-ups may be spurious, so where
 * sleep is expected the test loops as callers do. */
#include "tests/support/unit.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/futex.h"

#include <errno.h>
#include <sched.h>

enum { SLEEPERS = 8,
    ROUNDS = 5000 };

static tp_atomic(uint32_t) word, n_awake;

static int reset(void **state)
{
    (void)state;
    tp_store_rlx(&word, 0);
    tp_store_rlx(&n_awake, 0);
    return 0;
}

static void test_other_value(void **state)
{
    (void)state;
    tp_store_rlx(&word, 7);
    assert_int_equal(tp_futex_wait(&word, 8, TP_FOREVER), 0);
    assert_int_equal(tp_futex_wait(&word, 8, 0), 0);
}

static void test_past_deadlines(void **state)
{
    static const uint64_t past[] = {0, 1, TP_SECOND - 1, TP_SECOND};
    (void)state;
    for (size_t i = 0; i < sizeof past / sizeof *past; i++)
        assert_int_equal(tp_futex_wait(&word, 0, past[i]), TP_ETIMEDOUT);
    assert_int_equal(tp_futex_wait(&word, 0, tp_clock_now_ns()), TP_ETIMEDOUT);
}

static void test_future_deadline(void **state)
{
    uint64_t deadline = tp_deadline_in_ns(5 * TP_MILLISECOND);
    (void)state;
    while (tp_futex_wait(&word, 0, deadline) != TP_ETIMEDOUT)
        ;
    assert_true(tp_clock_now_ns() >= deadline);
}

static void *sleep_until_one(void *deadline)
{
    while (tp_load_acq(&word) == 0)
        if (tp_futex_wait(&word, 0, *(uint64_t *)deadline) != 0)
            return deadline;
    tp_add_sc(&n_awake, 1);
    return NULL;
}

/* The latest deadlines must not be taken for earlier ones. */
static void test_far_deadlines(void **state)
{
    static uint64_t far[] = {TP_FOREVER, TP_FOREVER - 1, TP_FOREVER - TP_SECOND, INT64_MAX, (uint64_t)INT64_MAX + 1,
        ((UINT64_C(1) << 32) + 1) * TP_SECOND};
    enum { N_FAR = sizeof far / sizeof *far };
    struct crowd crowd = {.n = 0};
    (void)state;
    for (int i = 0; i < N_FAR; i++)
        crowd_add(&crowd, sleep_until_one, &far[i]);
    for (int i = 0; i < 100; i++)
        sched_yield();
    tp_store_rel(&word, 1);
    tp_futex_wake(&word, N_FAR);
    crowd_join(&crowd);
    assert_int_equal(tp_load_acq(&n_awake), N_FAR);
}

static void test_wakes_all(void **state)
{
    static uint64_t forever = TP_FOREVER;
    struct crowd crowd = {.n = 0};
    (void)state;
    for (int i = 0; i < SLEEPERS; i++)
        crowd_add(&crowd, sleep_until_one, &forever);
    tp_store_rel(&word, 1);
    tp_futex_wake(&word, SLEEPERS);
    crowd_join(&crowd);
    assert_int_equal(tp_load_acq(&n_awake), SLEEPERS);
}

static void await_turn(uint32_t mine, uint32_t theirs)
{
    while (tp_load_acq(&word) != mine)
        tp_futex_wait(&word, theirs, TP_FOREVER);
}

static void *partner(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        await_turn(1, 0);
        tp_store_rel(&word, 0);
        tp_futex_wake(&word, 1);
    }
    return argument;
}

static void test_ping_pong(void **state)
{
    struct crowd crowd = {.n = 0};
    (void)state;
    crowd_add(&crowd, partner, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        await_turn(0, 1);
        tp_store_rel(&word, 1);
        tp_futex_wake(&word, 1);
    }
    await_turn(0, 1);
    crowd_join(&crowd);
}

static void test_keeps_errno(void **state)
{
    (void)state;
    errno = EXDEV;
    tp_futex_wait(&word, 1, TP_FOREVER);
    tp_futex_wait(&word, 0, 0);
    tp_futex_wake(&word, 1);
    assert_int_equal(errno, EXDEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_other_value, reset),
        cmocka_unit_test_setup(test_past_deadlines, reset),
        cmocka_unit_test_setup(test_future_deadline, reset),
        cmocka_unit_test_setup(test_far_deadlines, reset),
        cmocka_unit_test_setup(test_wakes_all, reset),
        cmocka_unit_test_setup(test_ping_pong, reset),
        cmocka_unit_test_setup(test_keeps_errno, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
