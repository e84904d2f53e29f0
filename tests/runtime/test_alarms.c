/* Alarms: they ring in order, of one time in that in which they were set, once, not early, and not after they were cleared, also if several threads set, ring and clear them; and
 * who sets the earliest is told so. */
#include "tests/support/unit.h"

#include "runtime/alarms.h"
#include "runtime/sleep.h"

#include <pthread.h>
#include <string.h>

enum { ALARMS = 200,
    STEPS = 20000,
    TIMES = 50, /* few, so that many are equal */
    THREADS = 3,
    ROUNDS = 20000 };

static struct tp_alarms alarms;
static struct tp_alarm alarm_of[ALARMS];
static uint64_t at_of[ALARMS];

static uint64_t random_below(uint64_t *state, uint64_t n)
{
    *state ^= *state << 13; /* xorshift64 (Marsaglia 2003) */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % n;
}

static int reset(void **state)
{
    (void)state;
    memset(alarm_of, 0, sizeof alarm_of);
    for (size_t i = 0; i < ALARMS; i++) {
        alarm_of[i].whom = &alarm_of[i];
        alarm_of[i].generation = i;
    }
    tp_slack_set(1);
    tp_alarms_init(&alarms, 0);
    return 0;
}

static bool is_set(size_t i)
{
    return tp_load_rlx(&alarm_of[i].state) == TP_ALARM_SET;
}

static bool set(size_t i, uint64_t at_ns)
{
    at_of[i] = at_ns;
    return tp_alarm_set(&alarms, &alarm_of[i], at_ns);
}

static void test_none(void **state)
{
    struct tp_rung rung;
    (void)state;
    assert_int_equal(tp_alarms_ring(&alarms, TP_FOREVER - 1, &rung, 1), 0);
    assert_int_equal(tp_alarms_next_ns(&alarms), TP_FOREVER);
}

static void test_in_order(void **state)
{
    static const uint64_t times[] = {5, 3, 8, 3, 1, 9, 7};
    static const bool is_first[] = {true, true, false, false, true, false, false};
    enum { N = sizeof times / sizeof *times };
    struct tp_rung rung;
    uint64_t last = 0, last_ns = 0;
    (void)state;
    for (size_t i = 0; i < N; i++)
        assert_int_equal(set(i, times[i]), is_first[i]);
    assert_int_equal(tp_alarms_next_ns(&alarms), 1);
    assert_int_equal(tp_alarms_ring(&alarms, 0, &rung, 1), 0);
    for (size_t i = 0; i < N; i++) {
        while (tp_alarms_ring(&alarms, 9, &rung, 1) == 0)
            assert_true(tp_alarms_next_ns(&alarms) <= 9);
        struct tp_alarm *whom = rung.whom;
        assert_int_equal(rung.generation, whom - alarm_of);
        assert_true(at_of[rung.generation] > last_ns || (at_of[rung.generation] == last_ns && rung.generation > last));
        last = rung.generation;
        last_ns = at_of[last];
        assert_true(tp_alarm_clear(whom));
        assert_int_equal(tp_load_rlx(&whom->state), TP_ALARM_OFF);
    }
    assert_int_equal(tp_alarms_next_ns(&alarms), TP_FOREVER);
}

/* Many at once: as many as there is room for, at most; and no more than a few under one lock. */
static void test_many(void **state)
{
    struct tp_rung rung[ALARMS];
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < ALARMS; i++)
        set(i, 1000000 + i % 3);
    assert_int_equal(tp_alarms_ring(&alarms, 999999, rung, ALARMS), 0);
    while (tp_alarms_next_ns(&alarms) <= 1000000) {
        unsigned n_now = tp_alarms_ring(&alarms, 1000000, rung, 5);
        assert_true(n_now <= 5);
        n += n_now;
    }
    assert_int_equal(n, (ALARMS + 2) / 3);
    while (tp_alarms_next_ns(&alarms) != TP_FOREVER)
        n += tp_alarms_ring(&alarms, TP_FOREVER, rung, ALARMS);
    assert_int_equal(n, ALARMS);
    for (size_t i = 0; i < ALARMS; i++)
        assert_true(tp_alarm_clear(&alarm_of[i]));
}

/* The earliest time that is set. */
static uint64_t next_of_all(void)
{
    uint64_t next = TP_FOREVER;
    for (size_t i = 0; i < ALARMS; i++)
        if (is_set(i) && at_of[i] < next)
            next = at_of[i];
    return next;
}

static void test_any_sequence(void **state)
{
    bool has_rung[ALARMS] = {false};
    uint64_t seed = 88172645463325252, now_ns = 0;
    (void)state;
    for (int step = 0; step < STEPS; step++) {
        size_t i = random_below(&seed, ALARMS);
        struct tp_rung rung;
        if (random_below(&seed, 4) == 0) {
            now_ns += random_below(&seed, TIMES / 8);
            if (tp_alarms_ring(&alarms, now_ns, &rung, 1) == 1) {
                assert_true(at_of[rung.generation] <= now_ns);
                assert_false(is_set(rung.generation));
                has_rung[rung.generation] = true;
            }
        } else if (tp_load_rlx(&alarm_of[i].state) == TP_ALARM_OFF) {
            uint64_t next_ns = tp_alarms_next_ns(&alarms), at_ns = now_ns + random_below(&seed, TIMES);
            bool is_first = set(i, at_ns);
            assert_int_equal(is_first, tp_alarms_next_ns(&alarms) < next_ns);
        } else {
            assert_int_equal(tp_alarm_clear(&alarm_of[i]), has_rung[i]);
            has_rung[i] = false;
        }
        assert_true(tp_alarms_next_ns(&alarms) <= next_of_all() || next_of_all() < now_ns);
    }
    while (tp_alarms_next_ns(&alarms) != TP_FOREVER) {
        struct tp_rung rung;
        if (tp_alarms_ring(&alarms, TP_FOREVER, &rung, 1) == 1)
            has_rung[rung.generation] = true;
    }
    for (size_t i = 0; i < ALARMS; i++)
        if (has_rung[i])
            assert_true(tp_alarm_clear(&alarm_of[i]));
    assert_int_equal(next_of_all(), TP_FOREVER);
}

/* -- slack ---------------------------------------------------------------------------------------------- */

static void test_slack(void **state)
{
    struct tp_rung rung[4];
    (void)state;
    tp_slack_set(5000); /* 4096 */
    tp_alarms_init(&alarms, 0);
    set(0, 4097);
    set(1, 8192);
    set(2, 6000);
    assert_false(set(3, 8193));
    assert_int_equal(tp_alarms_next_ns(&alarms), 8192); /* three for one wake-up */
    assert_int_equal(tp_alarms_ring(&alarms, 8191, rung, 4), 0);
    unsigned n = tp_alarms_ring(&alarms, 8192, rung, 4);
    assert_int_equal(n + tp_alarms_ring(&alarms, 8192, rung, 4), 3);
    assert_int_equal(tp_alarms_next_ns(&alarms), 12288);
    assert_false(tp_alarm_clear(&alarm_of[3]));
    tp_alarms_init(&alarms, 1);
    assert_int_equal(alarms.wheel.shift, 0);
    static const uint64_t slacks[][2] = {{0, 1}, {1, 1}, {3, 2}, {UINT64_MAX, UINT64_C(1) << 32}};
    for (size_t i = 0; i < sizeof slacks / sizeof *slacks; i++) {
        tp_slack_set(slacks[i][0]);
        tp_alarms_init(&alarms, 0);
        assert_int_equal(UINT64_C(1) << alarms.wheel.shift, slacks[i][1]);
    }
}

/* -- threads ---------------------------------------------------------------------------------------------- */

static tp_atomic(uint64_t) n_rung; /* relaxed: a number, read after the join */
static tp_atomic(uint32_t) n_at_work;
static tp_atomic(uint64_t) now_of_all;

/* Sets alarms of its own, and clears each, perhaps after it has rung, or while it does. */
static void *set_and_clear(void *argument)
{
    uint64_t seed = 88172645463325252 + (uint64_t)(uintptr_t)argument, n_own = 0;
    size_t first = (uintptr_t)argument * (ALARMS / THREADS);
    for (int i = 0; i < ROUNDS; i++) {
        size_t at = first + random_below(&seed, ALARMS / THREADS);
        if (alarm_of[at].generation == 0) {
            alarm_of[at].generation = 1; /* it is in use: a note of this thread's */
            tp_alarm_set(&alarms, &alarm_of[at], tp_load_rlx(&now_of_all) + random_below(&seed, 3000));
        } else {
            n_own += tp_alarm_clear(&alarm_of[at]);
            alarm_of[at].generation = 0;
        }
        tp_add_rlx(&now_of_all, 1 + random_below(&seed, 30));
    }
    for (size_t at = first; at < first + ALARMS / THREADS; at++)
        if (alarm_of[at].generation != 0)
            n_own += tp_alarm_clear(&alarm_of[at]);
    tp_add_rlx(&n_rung, (uint64_t)-n_own);
    tp_add_sc(&n_at_work, (uint32_t)-1);
    return NULL;
}

static void *ring(void *argument)
{
    struct tp_rung rung[7];
    (void)argument;
    while (tp_load_sc(&n_at_work) > 0)
        tp_add_rlx(&n_rung, tp_alarms_ring(&alarms, tp_load_rlx(&now_of_all), rung, 7));
    return NULL;
}

/* As many are found rung by those who clear them as were rung. */
static void test_threads(void **state)
{
    pthread_t threads[THREADS + 2];
    (void)state;
    for (size_t i = 0; i < ALARMS; i++)
        alarm_of[i].generation = 0;
    tp_atomic_init(&n_rung, 0);
    tp_atomic_init(&now_of_all, 0);
    tp_atomic_init(&n_at_work, THREADS);
    for (size_t i = 0; i < THREADS + 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < THREADS ? set_and_clear : ring, (void *)i), 0);
    for (size_t i = 0; i < THREADS + 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(tp_load_rlx(&n_rung), 0);
    assert_int_equal(tp_alarms_next_ns(&alarms), TP_FOREVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_none, reset),
        cmocka_unit_test_setup(test_in_order, reset),
        cmocka_unit_test_setup(test_many, reset),
        cmocka_unit_test_setup(test_any_sequence, reset),
        cmocka_unit_test_setup(test_slack, reset),
        cmocka_unit_test_setup(test_threads, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
