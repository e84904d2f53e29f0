/* The life cycle of a coroutine, transition by transition, on one thread; tests/model/test_cycle.c has the rest. */
#include "coro/cycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct tp_cycle cycle;
static uint64_t generation;

static int begin_life(void **state)
{
    (void)state;
    tp_atomic_init(&cycle.word, (uint64_t)41 << TP__CYCLE_GENERATION_SHIFT);
    return 0;
}

static enum tp_cycle_state now(void)
{
    return tp_cycle_state(tp_cycle_look(&cycle));
}

static void test_one_life(void **state)
{
    (void)state;
    generation = tp_cycle_begin(&cycle, TP_CYCLE_READY);
    assert_int_equal(generation, 41);
    tp_cycle_run(&cycle);
    assert_int_equal(now(), TP_CYCLE_RUNNING);
    tp_cycle_yield(&cycle);
    assert_int_equal(now(), TP_CYCLE_READY);
    tp_cycle_run(&cycle);
    assert_int_equal(tp_cycle_suspend(&cycle), TP_CYCLE_MADE);
    assert_int_equal(now(), TP_CYCLE_SUSPENDED);
    assert_int_equal(tp_cycle_wake(&cycle, generation), TP_CYCLE_QUEUE);
    tp_cycle_run(&cycle);
    tp_cycle_end(&cycle, TP_CYCLE_FAILED);
    assert_int_equal(now(), TP_CYCLE_FAILED);
    tp_cycle_free(&cycle);
    assert_int_equal(now(), TP_CYCLE_FREE);
    assert_int_equal(tp_cycle_generation(tp_cycle_look(&cycle)), 42);
}

static void test_wake_before_sleep(void **state)
{
    (void)state;
    generation = tp_cycle_begin(&cycle, TP_CYCLE_RUNNING);
    assert_int_equal(tp_cycle_wake(&cycle, generation), TP_CYCLE_NOTED);
    assert_int_equal(tp_cycle_wake(&cycle, generation), TP_CYCLE_NOTED); /* as one */
    assert_int_equal(tp_cycle_suspend(&cycle), TP_CYCLE_QUEUE);
    tp_cycle_run(&cycle);
    assert_int_equal(tp_cycle_suspend(&cycle), TP_CYCLE_MADE); /* used up */
    assert_int_equal(tp_cycle_wake(&cycle, generation), TP_CYCLE_QUEUE);
    assert_int_equal(tp_cycle_wake(&cycle, generation), TP_CYCLE_NOTED); /* it is queued already */
    tp_cycle_run(&cycle);
    assert_int_equal(tp_cycle_suspend(&cycle), TP_CYCLE_QUEUE);
}

static void test_asked(void **state)
{
    (void)state;
    generation = tp_cycle_begin(&cycle, TP_CYCLE_RUNNING);
    assert_false(tp_cycle_is_asked(&cycle));
    assert_int_equal(tp_cycle_suspend(&cycle), TP_CYCLE_MADE);
    assert_int_equal(tp_cycle_ask(&cycle, generation), TP_CYCLE_QUEUE);
    for (int i = 0; i < 3; i++) { /* a level, not an edge */
        tp_cycle_run(&cycle);
        assert_true(tp_cycle_is_asked(&cycle));
        assert_int_equal(tp_cycle_suspend(&cycle), TP_CYCLE_QUEUE);
    }
    tp_cycle_run(&cycle);
    tp_cycle_shield(&cycle);
    assert_false(tp_cycle_is_asked(&cycle));
    assert_int_equal(tp_cycle_suspend(&cycle), TP_CYCLE_MADE);
    assert_int_equal(tp_cycle_ask(&cycle, generation), TP_CYCLE_NOTED);
    assert_int_equal(tp_cycle_wake(&cycle, generation), TP_CYCLE_QUEUE);
    tp_cycle_run(&cycle);
    tp_cycle_unshield(&cycle);
    assert_true(tp_cycle_is_asked(&cycle));
    tp_cycle_end(&cycle, TP_CYCLE_CANCELLED);
    tp_cycle_free(&cycle);
    tp_cycle_begin(&cycle, TP_CYCLE_RUNNING);
    assert_false(tp_cycle_is_asked(&cycle)); /* another life */
}

static void test_stale(void **state)
{
    (void)state;
    generation = tp_cycle_begin(&cycle, TP_CYCLE_RUNNING);
    tp_cycle_end(&cycle, TP_CYCLE_DONE);
    assert_int_equal(tp_cycle_wake(&cycle, generation), TP_CYCLE_STALE);
    assert_int_equal(tp_cycle_ask(&cycle, generation), TP_CYCLE_STALE);
    assert_int_equal(tp_cycle_resume(&cycle, generation), TP_CYCLE_BUSY); /* over, but not given back */
    tp_cycle_free(&cycle);
    for (int i = 0; i < 2; i++) {
        uint64_t before = tp_cycle_look(&cycle);
        assert_int_equal(tp_cycle_wake(&cycle, generation), TP_CYCLE_STALE);
        assert_int_equal(tp_cycle_ask(&cycle, generation), TP_CYCLE_STALE);
        assert_int_equal(tp_cycle_resume(&cycle, generation), TP_CYCLE_STALE);
        assert_int_equal(tp_cycle_wake(&cycle, generation + 1 - (uint64_t)i), TP_CYCLE_STALE); /* yet to come; over */
        assert_true(tp_cycle_look(&cycle) == before);
        if (i == 0)
            tp_cycle_begin(&cycle, TP_CYCLE_SUSPENDED);
    }
}

static void test_driven(void **state)
{
    (void)state;
    generation = tp_cycle_begin(&cycle, TP_CYCLE_SUSPENDED);
    assert_int_equal(tp_cycle_resume(&cycle, generation), TP_CYCLE_MADE);
    assert_int_equal(tp_cycle_resume(&cycle, generation), TP_CYCLE_BUSY);
    tp_cycle_yield(&cycle);
    assert_int_equal(tp_cycle_resume(&cycle, generation), TP_CYCLE_BUSY); /* a queue has it */
}

/* Whoever retires it is told how it ended. */
static void test_retired(void **state)
{
    (void)state;
    enum tp_cycle_state ends[] = {TP_CYCLE_DONE, TP_CYCLE_FAILED, TP_CYCLE_CANCELLED}, end = TP_CYCLE_FREE;
    for (int i = 0; i < 3; i++) {
        generation = tp_cycle_begin(&cycle, TP_CYCLE_RUNNING);
        assert_int_equal(tp_cycle_retire(&cycle, generation, &end), TP_CYCLE_BUSY);
        assert_int_equal(end, i == 0 ? TP_CYCLE_FREE : ends[i - 1]);
        tp_cycle_end(&cycle, ends[i]);
        assert_int_equal(tp_cycle_retire(&cycle, generation, &end), TP_CYCLE_MADE);
        assert_int_equal(end, ends[i]);
        assert_int_equal(tp_cycle_retire(&cycle, generation, &end), TP_CYCLE_STALE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_life, begin_life),
        cmocka_unit_test_setup(test_wake_before_sleep, begin_life),
        cmocka_unit_test_setup(test_asked, begin_life),
        cmocka_unit_test_setup(test_stale, begin_life),
        cmocka_unit_test_setup(test_driven, begin_life),
        cmocka_unit_test_setup(test_retired, begin_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
