/* The clock and its deadlines, also where the sum would wrap. */
#include "tests/support/unit.h"

#include "runtime/clock.h"

#include <errno.h>
#include <time.h>

static void test_never_goes_back(void **state)
{
    uint64_t before = tp_clock_now_ns();
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t now = tp_clock_now_ns();
        assert_true(now >= before);
        before = now;
    }
}

static void test_is_the_monotonic_clock(void **state)
{
    struct timespec first, second;
    (void)state;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &first), 0);
    uint64_t now = tp_clock_now_ns();
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &second), 0);
    assert_true(now >= (uint64_t)first.tv_sec * TP_SECOND + (uint64_t)first.tv_nsec);
    assert_true(now <= (uint64_t)second.tv_sec * TP_SECOND + (uint64_t)second.tv_nsec);
}

static void test_deadline(void **state)
{
    (void)state;
    uint64_t before = tp_clock_now_ns();
    uint64_t deadline = tp_deadline_in_ns(3 * TP_MILLISECOND);
    uint64_t after = tp_clock_now_ns();
    assert_true(deadline >= before + 3 * TP_MILLISECOND && deadline <= after + 3 * TP_MILLISECOND);
    deadline = tp_deadline_in_ns(0);
    assert_true(deadline >= after && deadline <= tp_clock_now_ns());
}

/* A sum at or beyond the end of the clock is for ever; one before it is kept. */
static void test_deadline_near_wrap(void **state)
{
    (void)state;
    uint64_t now = tp_clock_now_ns();
    assert_true(tp_deadline_in_ns(UINT64_MAX) == TP_FOREVER);
    assert_true(tp_deadline_in_ns(UINT64_MAX - 1) == TP_FOREVER);
    assert_true(tp_deadline_in_ns(UINT64_MAX - now) == TP_FOREVER);
    assert_true(tp_deadline_in_ns(UINT64_MAX - now - 3600 * TP_SECOND) < TP_FOREVER);
    assert_true(tp_deadline_in_ns(UINT64_MAX - now - 3600 * TP_SECOND) >= UINT64_MAX - 3600 * TP_SECOND);
}

static void test_keeps_errno(void **state)
{
    (void)state;
    errno = EXDEV;
    tp_clock_now_ns();
    tp_deadline_in_ns(TP_SECOND);
    assert_int_equal(errno, EXDEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_goes_back),
        cmocka_unit_test(test_is_the_monotonic_clock),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_deadline_near_wrap),
        cmocka_unit_test(test_keeps_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
