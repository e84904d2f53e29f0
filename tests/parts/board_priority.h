/* What a board with levels promises: strict order, and a bound on how long a level is passed over. */
#ifndef BOARD_PRIORITY_H
#define BOARD_PRIORITY_H

#include "board.h"

/* The bound [PICK-1]. */
enum { PASSED_MAX = VALUE_AGE > JOB_CLASSES - 1 ? VALUE_AGE : JOB_CLASSES - 1 };

static void test_strict(void **state)
{
    (void)state;
    for (uint32_t c = JOB_CLASSES; c-- > 0;) /* the lowest first */
        put_many(c, 2);
    /* Fewer picks than make a level due. */
    for (uint32_t i = 0; i < JOB_AGE && i < 2; i++) {
        struct job_slot task;
        assert_true(pick(0, &task));
        assert_int_equal(task.class_index, 0);
        assert_int_equal(task.payload, 2 * (JOB_CLASSES - 1) + i);
    }
}

/* All levels have tasks from the same moment on: each waits as long as the bound says, and the lowest
 * exactly so long. */
static void test_bound_is_met(void **state)
{
    uint32_t passed[JOB_CLASSES] = {0}, most = 0;
    (void)state;
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        put(c);
    for (int i = 0; i < 50 * (PASSED_MAX + 1); i++) {
        struct job_slot task;
        assert_true(pick(0, &task));
        put(task.class_index);
        for (uint32_t c = 0; c < JOB_CLASSES; c++) {
            passed[c] = c == task.class_index ? 0 : passed[c] + 1;
            assert_true(passed[c] <= PASSED_MAX);
            most = passed[c] > most ? passed[c] : most;
        }
    }
    assert_int_equal(most, PASSED_MAX);
}

/* Levels come and go as they like: none with tasks is passed over more often, and no task starts later
 * than the tasks ahead of it in its level make it. */
static void test_bound_holds(void **state)
{
    static uint64_t n_picks, due[1 << 18];
    uint32_t passed[JOB_CLASSES] = {0};
    (void)state;
    for (n_picks = 0; n_picks < 100000;) {
        for (uint64_t i = random_below(3); i > 0; i--) {
            uint32_t c = (uint32_t)random_below(JOB_CLASSES);
            if (board.n > 200 && c > 0)
                continue; /* only the highest level goes on pressing */
            uint64_t ahead = board.shelves[c].n;
            uint64_t id = put(c);
            assert_true(id < sizeof due / sizeof due[0]);
            due[id] = n_picks + (ahead + 1) * (PASSED_MAX + 1);
        }
        bool had[JOB_CLASSES];
        struct job_slot task;
        for (uint32_t c = 0; c < JOB_CLASSES; c++)
            had[c] = board.shelves[c].n > 0;
        if (!pick(0, &task))
            continue;
        n_picks++;
        assert_true(n_picks <= due[task.payload]);
        for (uint32_t c = 0; c < JOB_CLASSES; c++) {
            passed[c] = c == task.class_index || !had[c] ? 0 : passed[c] + 1;
            assert_true(passed[c] <= PASSED_MAX);
        }
    }
}

/* A level without tasks does not age. */
static void test_no_ageing_when_empty(void **state)
{
    struct job_slot task;
    (void)state;
    for (int i = 0; i < 3 * PASSED_MAX; i++) {
        put(0);
        assert_true(pick(0, &task));
    }
    put(JOB_CLASSES - 1);
    put(0);
    assert_true(pick(0, &task));
    assert_int_equal(task.class_index, 0);
}

#define POLICY_TESTS                                                           \
    cmocka_unit_test_setup_teardown(test_strict, set_up, tear_down),           \
        cmocka_unit_test_setup_teardown(test_bound_is_met, set_up, tear_down), \
        cmocka_unit_test_setup_teardown(test_bound_holds, set_up, tear_down),  \
        cmocka_unit_test_setup_teardown(test_no_ageing_when_empty, set_up, tear_down),

#endif
