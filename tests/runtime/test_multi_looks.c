/* The one with the fewest tasks, where much is in flight: a look at the members is good for some tasks, not for long, and
 * not when it proves wrong. test_multi.c has what holds with few tasks, where each has its own look. */
#include "tests/support/fake_members.h"

#include <time.h>

static bool is_frozen; /* the coarse clock */
static long frozen_ns;

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    int status = __real_clock_gettime(clock, out);
    if (is_frozen && clock == CLOCK_MONOTONIC_COARSE)
        *out = (struct timespec){.tv_nsec = frozen_ns};
    return status;
}

/* Three with many tasks each, a having `lead` fewer; the clock stands. */
static struct tp_pool_ops flow_ops;

static void start_busy(unsigned lead)
{
    flow_ops = whole_ops;
    flow_ops.flow = fake_flow;
    is_frozen = true;
    frozen_ns++;
    start_in_turn(&flow_ops, 3, TP_BALANCE_LEAST_TASKS, TP_OVERLOAD_REJECT, UINT64_MAX);
    frozen_ns++;
    for (int i = 0; i < 3; i++)
        fakes[i].counts.pending = i == 0 ? 100000 - lead : 100000;
    n_looks = 0;
}

static void test_a_look_is_kept(void **state)
{
    (void)state;
    start_busy(3);
    for (int i = 0; i < 9; i++)
        assert_int_equal(submit(i), 0);
    assert_written(" a0 a1 a2 a3 b4 c5 a6 b7 c8"); /* what we hand over counts; 3 was a's turn */
    assert_int_equal(n_looks, 3);
    for (int i = 9; i < 32; i++)
        assert_int_equal(submit(i), 0);
    assert_int_equal(n_looks, 3);
    fakes[2].counts.pending = 5; /* which is not seen before the look is used up */
    forget();
    assert_int_equal(submit(32), 0);
    assert_written(" c32");
    assert_int_equal(n_looks, 6);
    is_frozen = false;
    stop();
}

static void test_a_look_grows_old(void **state)
{
    (void)state;
    start_busy(50);
    assert_int_equal(submit(0), 0);
    fakes[1].counts.pending = 0;
    assert_int_equal(submit(1), 0);
    frozen_ns++;
    assert_int_equal(submit(2), 0);
    assert_written(" a0 a1 b2");
    is_frozen = false;
    stop();
}

static void test_a_look_proves_wrong(void **state)
{
    (void)state;
    start_busy(50);
    assert_int_equal(submit(0), 0);
    fill(0);
    fakes[0].counts.pending = 200000;
    fakes[1].counts.pending = 99999;
    assert_int_equal(submit(1), 0);
    assert_int_equal(submit(2), 0);
    assert_written(" a0 a1full b1 c2"); /* b and c have the same then: in turn */
    is_frozen = false;
    stop();
}

static void test_a_batch_uses_a_look_up(void **state)
{
    (void)state;
    static int payloads[96];
    start_busy(0);
    assert_int_equal(tp_multi_submit_batch(multi, payloads, 96, NULL), 0);
    assert_written(" a0..0 b0..0 c0..0");
    assert_int_equal(n_looks, 9); /* a look for each piece */
    is_frozen = false;
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_look_is_kept),
        cmocka_unit_test(test_a_look_grows_old),
        cmocka_unit_test(test_a_look_proves_wrong),
        cmocka_unit_test(test_a_batch_uses_a_look_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
