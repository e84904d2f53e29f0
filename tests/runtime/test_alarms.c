/* Alarms: they ring in order, once, and not after they were cleared, against a plain list of the same times. */
#include "tests/support/unit.h"

#include "runtime/alarms.h"
#include "runtime/clock.h"

#include <string.h>

enum { ALARMS = 200,
    STEPS = 20000,
    TIMES = 50 }; /* few, so that many are equal */

static struct tp_alarms alarms;
static struct tp_alarm alarm_of[ALARMS];
static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t n)
{
    random_state ^= random_state << 13; /* xorshift64 (Marsaglia 2003) */
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

static int reset(void **state)
{
    (void)state;
    memset(alarm_of, 0, sizeof alarm_of);
    for (size_t i = 0; i < ALARMS; i++)
        alarm_of[i].whom = &alarm_of[i];
    tp_alarms_init(&alarms);
    return 0;
}

static void test_none(void **state)
{
    struct tp_alarm rung;
    (void)state;
    assert_false(tp_alarms_ring(&alarms, TP_FOREVER - 1, &rung));
    assert_int_equal(tp_alarms_next_ns(&alarms), TP_FOREVER);
    assert_false(tp_alarm_clear(&alarms, &alarm_of[0]));
}

static void test_in_order(void **state)
{
    static const uint64_t times[] = {5, 3, 8, 3, 1, 9, 7};
    enum { N = sizeof times / sizeof *times };
    struct tp_alarm rung;
    uint64_t last = 0;
    (void)state;
    for (size_t i = 0; i < N; i++)
        tp_alarm_set(&alarms, &alarm_of[i], times[i]);
    assert_int_equal(tp_alarms_next_ns(&alarms), 1);
    assert_false(tp_alarms_ring(&alarms, 0, &rung));
    for (size_t i = 0; i < N; i++) {
        assert_true(tp_alarms_ring(&alarms, 9, &rung));
        assert_true(rung.at_ns >= last);
        last = rung.at_ns;
        assert_true(tp_alarm_clear(&alarms, rung.whom));
    }
    assert_false(tp_alarms_ring(&alarms, 100, &rung));
}

/* The earliest time that is set. */
static uint64_t next_of_all(void)
{
    uint64_t next = TP_FOREVER;
    for (size_t i = 0; i < ALARMS; i++)
        if (alarm_of[i].is_set && alarm_of[i].at_ns < next)
            next = alarm_of[i].at_ns;
    return next;
}

static void test_any_sequence(void **state)
{
    bool has_rung[ALARMS] = {false};
    (void)state;
    for (int step = 0; step < STEPS; step++) {
        size_t i = random_below(ALARMS);
        uint64_t now_ns = random_below(TIMES);
        struct tp_alarm rung;
        if (random_below(4) == 0 && tp_alarms_ring(&alarms, now_ns, &rung)) {
            struct tp_alarm *whom = rung.whom;
            assert_true(rung.at_ns <= now_ns && rung.at_ns <= next_of_all());
            assert_false(whom->is_set);
            has_rung[whom - alarm_of] = true;
        } else if (!alarm_of[i].is_set) {
            tp_alarm_set(&alarms, &alarm_of[i], random_below(TIMES));
            has_rung[i] = false;
        } else {
            assert_false(tp_alarm_clear(&alarms, &alarm_of[i]));
        }
        assert_int_equal(tp_alarms_next_ns(&alarms), next_of_all());
    }
    for (size_t i = 0; i < ALARMS; i++)
        assert_int_equal(tp_alarm_clear(&alarms, &alarm_of[i]), has_rung[i]);
    assert_null(alarms.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_none, reset),
        cmocka_unit_test_setup(test_in_order, reset),
        cmocka_unit_test_setup(test_any_sequence, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
