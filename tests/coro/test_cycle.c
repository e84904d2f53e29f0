/* The life cycle of a coroutine, transition by transition, on one thread; tests/model/test_cycle.c has the rest. */
#include "coro/drive.h"

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
    tp_cycle_free(&cycle);
    for (int i = 0; i < 2; i++) {
        uint64_t before = tp_cycle_look(&cycle);
        assert_int_equal(tp_cycle_wake(&cycle, generation), TP_CYCLE_STALE);
        assert_int_equal(tp_cycle_ask(&cycle, generation), TP_CYCLE_STALE);
        assert_int_equal(tp_cycle_wake(&cycle, generation + 1 - (uint64_t)i), TP_CYCLE_STALE); /* yet to come; over */
        assert_true(tp_cycle_look(&cycle) == before);
        if (i == 0)
            tp_cycle_begin(&cycle, TP_CYCLE_SUSPENDED);
    }
}

/* -- driven by hand: tp_drive ------------------------------------------------------------------------ */

static struct tp_drive drive;

static int begin_drive(void **state)
{
    (void)state;
    tp_atomic_init(&drive.word, (uint64_t)41 << TP__CYCLE_GENERATION_SHIFT);
    tp_atomic_init(&drive.asked, 0);
    generation = tp_drive_begin(&drive);
    return generation != 41;
}

static void test_driven(void **state)
{
    (void)state;
    assert_int_equal(tp_drive_resume(&drive, generation), TP_CYCLE_MADE);
    assert_int_equal(tp_drive_resume(&drive, generation), TP_CYCLE_BUSY);
    tp_drive_stop(&drive, TP_CYCLE_SUSPENDED);
    assert_int_equal(tp_drive_resume(&drive, generation), TP_CYCLE_MADE);
    tp_drive_stop(&drive, TP_CYCLE_DONE);
    assert_int_equal(tp_drive_resume(&drive, generation), TP_CYCLE_BUSY); /* over, but not given back */
    assert_int_equal(tp_drive_resume(&drive, generation + 1), TP_CYCLE_STALE);
    assert_int_equal(tp_cycle_state(tp_drive_look(&drive)), TP_CYCLE_DONE);
}

static void test_drive_asked(void **state)
{
    (void)state;
    assert_false(tp_drive_is_asked(&drive));
    assert_int_equal(tp_drive_ask(&drive, generation - 1), TP_CYCLE_STALE);
    assert_int_equal(tp_drive_ask(&drive, generation + 1), TP_CYCLE_STALE);
    assert_false(tp_drive_is_asked(&drive));
    assert_int_equal(tp_drive_resume(&drive, generation), TP_CYCLE_MADE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tp_drive_ask(&drive, generation), TP_CYCLE_NOTED);
        assert_true(tp_drive_is_asked(&drive));
    }
    tp_drive_stop(&drive, TP_CYCLE_CANCELLED);
    assert_int_equal(tp_drive_ask(&drive, generation), TP_CYCLE_STALE);
    enum tp_cycle_state end;
    assert_int_equal(tp_drive_retire(&drive, generation, &end), TP_CYCLE_MADE);
    assert_int_equal(tp_drive_ask(&drive, generation + 1), TP_CYCLE_STALE); /* it has not begun */
    assert_int_equal(tp_drive_begin(&drive), generation + 1);
    assert_false(tp_drive_is_asked(&drive)); /* another life */
}

/* Whoever retires it is told how it ended. */
static void test_retired(void **state)
{
    (void)state;
    const enum tp_cycle_state ends[] = {TP_CYCLE_DONE, TP_CYCLE_FAILED, TP_CYCLE_CANCELLED};
    enum tp_cycle_state end = TP_CYCLE_FREE;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tp_drive_resume(&drive, generation), TP_CYCLE_MADE);
        assert_int_equal(tp_drive_retire(&drive, generation, &end), TP_CYCLE_BUSY);
        assert_int_equal(end, i == 0 ? TP_CYCLE_FREE : ends[i - 1]);
        tp_drive_stop(&drive, ends[i]);
        assert_int_equal(tp_drive_retire(&drive, generation, &end), TP_CYCLE_MADE);
        assert_int_equal(end, ends[i]);
        assert_int_equal(tp_drive_retire(&drive, generation, &end), TP_CYCLE_STALE);
        generation = tp_drive_begin(&drive);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_life, begin_life),
        cmocka_unit_test_setup(test_wake_before_sleep, begin_life),
        cmocka_unit_test_setup(test_asked, begin_life),
        cmocka_unit_test_setup(test_stale, begin_life),
        cmocka_unit_test_setup(test_driven, begin_drive),
        cmocka_unit_test_setup(test_drive_asked, begin_drive),
        cmocka_unit_test_setup(test_retired, begin_drive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
