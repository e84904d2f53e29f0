/* Sleeping: to the nanosecond in a time of the runtime's own, never early on real clocks, and cut short by a request to end; intervals, and
 * what becomes of times that were missed. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"

static struct tp_runtime *runtime;
static tp_atomic(uint32_t) n_wrong, n_over, n_asleep;
static uint64_t start_ns;

static void expect(bool is_so)
{
    if (!is_so)
        tp_add_sc(&n_wrong, 1);
}

/* Runs it as a task whose clock stands still while it can go on. */
static void in_own_time(int (*run)(void *argument), void *argument)
{
    tp_store_sc(&n_wrong, 0);
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.flavour = TP_RUNTIME_CURRENT, .virtual_time = true}), 0);
    assert_int_equal(tp_block_on(runtime, run, argument, NULL), 0);
    tp_runtime_free(runtime);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
}

static int sleep_exactly(void *unused)
{
    static const uint64_t durations_ns[] = {1, 63, 64, 4096, 16384, 16385, TP_MILLISECOND, TP_SECOND, 1000000 * TP_SECOND};
    (void)unused;
    for (size_t i = 0; i < sizeof durations_ns / sizeof *durations_ns; i++) {
        uint64_t before_ns = tp_clock_now_ns();
        expect(tp_sleep_ns(durations_ns[i]) == 0);
        expect(tp_clock_now_ns() == before_ns + durations_ns[i]);
    }
    uint64_t now_ns = tp_clock_now_ns();
    expect(tp_sleep_until(now_ns) == 0 && tp_sleep_until(1) == 0 && tp_sleep_until(0) == 0 && tp_sleep_ns(0) == 0);
    expect(tp_clock_now_ns() == now_ns);
    return 0;
}

static void test_exactly(void **state)
{
    (void)state;
    in_own_time(sleep_exactly, NULL);
}

/* Tasks that sleep until the same time, some since long before, go on in the order in which they fell asleep. */
static uint32_t sleeper_of[100];

static int sleep_twice(void *argument)
{
    uint32_t i = (uint32_t)(uintptr_t)argument;
    expect(tp_sleep_until(start_ns + (i < 64 ? UINT64_C(1) << i % 32 : TP_SECOND) + i % 2) == 0); /* pairs at one time, then many */
    sleeper_of[tp_add_sc(&n_asleep, 1)] = i;
    expect(tp_sleep_until(start_ns + 10 * TP_SECOND) == 0);
    expect(sleeper_of[tp_add_sc(&n_over, 1)] == i);
    return 0;
}

static int sleep_together(void *unused)
{
    uint64_t ids[100];
    (void)unused;
    start_ns = tp_clock_now_ns();
    tp_store_sc(&n_asleep, 0);
    tp_store_sc(&n_over, 0);
    for (uintptr_t i = 0; i < 100; i++)
        expect(tp_task_spawn(sleep_twice, (void *)i, &ids[i]) == 0);
    for (uintptr_t i = 0; i < 100; i++)
        expect(tp_task_join(ids[i], TP_FOREVER, NULL) == 0);
    expect(tp_load_sc(&n_over) == 100 && tp_clock_now_ns() == start_ns + 10 * TP_SECOND);
    return 0;
}

static void test_together(void **state)
{
    (void)state;
    in_own_time(sleep_together, NULL);
}

/* Missed by two periods and a half; then how much time passes in each of the next waits. */
static int miss_some(void *argument)
{
    static const uint64_t waits[3][5] = {
        [TP_MISSED_BURST] = {0, 0, 0, 5, 10},
        [TP_MISSED_DELAY] = {0, 10, 10, 10, 10},
        [TP_MISSED_SKIP] = {0, 5, 10, 10, 10},
    };
    enum tp_missed missed = *(enum tp_missed *)argument;
    struct tp_interval interval;
    tp_interval_init(&interval, 10, missed);
    uint64_t now_ns = tp_clock_now_ns();
    expect(interval.next_ns == now_ns + 10);
    expect(tp_interval_wait(&interval, now_ns + 9) == TP_ETIMEDOUT && tp_clock_now_ns() == now_ns + 9);
    expect(tp_interval_wait(&interval, TP_FOREVER) == 0 && tp_clock_now_ns() == now_ns + 10);
    expect(tp_interval_wait(&interval, now_ns + 20) == 0 && tp_clock_now_ns() == now_ns + 20);
    expect(tp_sleep_ns(35) == 0);
    for (int i = 0; i < 5; i++) {
        now_ns = tp_clock_now_ns();
        expect(tp_interval_wait(&interval, TP_FOREVER) == 0);
        expect(tp_clock_now_ns() == now_ns + waits[missed][i]);
    }
    return 0;
}

static void test_intervals(void **state)
{
    (void)state;
    for (enum tp_missed missed = TP_MISSED_BURST; missed <= TP_MISSED_SKIP; missed++)
        in_own_time(miss_some, &missed);
}

static void test_interval_bounds(void **state)
{
    struct tp_interval interval;
    (void)state;
    tp_interval_init(&interval, 0, TP_MISSED_BURST);
    assert_int_equal(interval.period_ns, 1);
    tp_interval_init(&interval, TP_FOREVER, TP_MISSED_SKIP);
    assert_int_equal(interval.next_ns, TP_FOREVER);
    assert_int_equal(tp_interval_wait(&interval, 1), TP_ETIMEDOUT);
}

/* A thread, which is in no task. */
static void test_thread(void **state)
{
    (void)state;
    uint64_t deadline_ns = tp_deadline_in_ns(TP_MILLISECOND);
    assert_int_equal(tp_sleep_until(deadline_ns), 0);
    assert_true(tp_clock_now_ns() >= deadline_ns);
    assert_int_equal(tp_sleep_until(deadline_ns), 0);
    assert_int_equal(tp_sleep_ns(0), 0);
}

/* Several workers, the real clock: each sleeps as long as it should, at least. */
static int sleep_often(void *argument)
{
    uint64_t step_ns = *(const uint64_t *)argument;
    for (int i = 0; i < 5; i++) {
        uint64_t deadline_ns = tp_deadline_in_ns((uint64_t)i * step_ns);
        expect(tp_sleep_until(deadline_ns) == 0);
        expect(tp_clock_now_ns() >= deadline_ns);
    }
    tp_add_sc(&n_over, 1);
    return 0;
}

static void open_multi(uint32_t n_workers)
{
    tp_store_sc(&n_wrong, 0);
    tp_store_sc(&n_over, 0);
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.flavour = TP_RUNTIME_MULTI, .workers = n_workers}), 0);
}

static void close_multi(uint32_t n_expected)
{
    assert_int_equal(tp_runtime_close(runtime, TP_FOREVER), 0);
    tp_runtime_free(runtime);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
    assert_int_equal(tp_load_sc(&n_over), n_expected);
}

static void test_many(void **state)
{
    static uint64_t steps_ns[100];
    (void)state;
    for (uint32_t n_workers = 1; n_workers <= 4; n_workers++) {
        open_multi(n_workers);
        for (uint64_t i = 0; i < 100; i++) {
            uint64_t id;
            steps_ns[i] = i * 7919;
            assert_int_equal(tp_runtime_spawn(runtime, sleep_often, &steps_ns[i], &id), 0);
            assert_int_equal(tp_runtime_detach(runtime, id), 0);
        }
        close_multi(100);
    }
}

/* For ever, and until the task is asked to end: while it sleeps, or before. */
static int sleep_for_ever(void *argument)
{
    expect(tp_sleep_until(*(const uint64_t *)argument) == TP_ECANCELED);
    expect(tp_sleep_ns(1) == TP_ECANCELED);
    expect(tp_sleep_until(0) == TP_ECANCELED);
    tp_add_sc(&n_over, 1);
    return 0;
}

static void test_cancelled(void **state)
{
    static uint64_t deadlines_ns[2] = {TP_FOREVER, TP_FOREVER - 1};
    (void)state;
    for (int i = 0; i < 2; i++) {
        uint64_t id;
        struct tp_task_result result;
        open_multi(2);
        assert_int_equal(tp_runtime_spawn(runtime, sleep_for_ever, &deadlines_ns[i], &id), 0);
        assert_int_equal(tp_runtime_join(runtime, id, tp_deadline_in_ns((uint64_t)i * TP_MILLISECOND), &result), TP_ETIMEDOUT);
        assert_int_equal(tp_runtime_cancel(runtime, id), 0);
        tp_runtime_join(runtime, id, TP_FOREVER, &result);
        tp_runtime_close(runtime, TP_FOREVER);
        tp_runtime_free(runtime);
        assert_int_equal(tp_load_sc(&n_wrong), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exactly),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_interval_bounds),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
