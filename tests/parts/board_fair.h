/* What a board with weights promises: shares of run time, no credit for idle time, slices that can be
 * read back. A day of work is played with a clock that moves from the end of one task to the next. */
#ifndef BOARD_FAIR_H
#define BOARD_FAIR_H

#include "board.h"

static uint64_t length_ns[JOB_CLASSES]; /* of a task: at least; at most twice that if `is_ragged` */
static bool is_ragged;
static uint64_t ends_ns[TURNS]; /* when a worker's task ends */

static void refill(uint32_t class_mask)
{
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        while (class_mask >> c & 1 && board.shelves[c].n < 100)
            put(c);
}

/* Workers run n tasks, of classes that never run out of them. */
static void play(uint32_t n_workers, uint64_t n, uint32_t class_mask)
{
    for (uint32_t i = 0; i < n_workers; i++)
        ends_ns[i] = now;
    while (n-- > 0) {
        struct job_slot task;
        uint32_t first = 0;
        for (uint32_t i = 1; i < n_workers; i++)
            first = ends_ns[i] < ends_ns[first] ? i : first;
        refill(class_mask);
        now = ends_ns[first];
        assert_true(pick(first, &task));
        uint64_t ns = length_ns[task.class_index];
        ends_ns[first] = now + ns + (is_ragged ? random_below(ns) : 0);
    }
}

/* Nobody has tasks any more: what runs ends, in the order it would. */
static void finish(uint32_t n_workers)
{
    struct job_slot task;
    while (job_board_drop(&board, &task))
        job_segments_free(job_board_surplus(&board));
    for (uint32_t i = 0; i < n_workers; i++) {
        now = ends_ns[i] > now ? ends_ns[i] : now;
        assert_false(pick(i, &task));
    }
}

/* Is the time since `before` shared by weight, to `percent`? */
static void check_shares(const struct tp_share *before, uint32_t class_mask, uint64_t percent)
{
    uint64_t ns[JOB_CLASSES], all_ns = 0, weights = 0;
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        struct tp_share share;
        job_share_read(&board, c, &share);
        ns[c] = share.task_ns - before[c].task_ns;
        all_ns += ns[c];
        weights += class_mask >> c & 1 ? share.weight : 0;
    }
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        uint64_t due = class_mask >> c & 1 ? all_ns * board.accounts[c].weight / weights : 0;
        assert_in_range(ns[c] * 100, due * (100 - percent), due * (100 + percent));
    }
}

static void read_shares(struct tp_share *out)
{
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        job_share_read(&board, c, &out[c]);
}

static void set_lengths(uint64_t high, uint64_t normal, uint64_t low, bool ragged)
{
    length_ns[0] = high;
    length_ns[1] = normal;
    length_ns[2] = low;
    is_ragged = ragged;
}

static void test_shares(void **state)
{
    static const uint64_t lengths[][4] = {
        {1000, 1000, 1000, 0}, {1, 1, 1, 0}, {100000, 100000, 100000, 1}, {5000000, 5000000, 5000000, 0},
        {1000, 100000, 10000, 1}, {100000, 1000, 10000, 1}, {20000, 20000, 300000, 0}, {3000000, 50000, 700000, 1}};
    static const uint32_t workers[] = {1, 2, 3, 8};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (size_t w = 0; w < sizeof workers / sizeof workers[0]; w++) {
            static const struct tp_share none[JOB_CLASSES];
            set_up(state);
            set_lengths(lengths[i][0], lengths[i][1], lengths[i][2], lengths[i][3]);
            play(workers[w], 10000, 7);
            check_shares(none, 7, 5);
            finish(workers[w]);
            tear_down(state);
        }
    }
    set_up(state);
}

/* The error is about a slice per worker, so many workers need more time. */
static void test_many_workers(void **state)
{
    static const struct tp_share none[JOB_CLASSES];
    (void)state;
    set_lengths(1000, 100000, 10000, true);
    play(TURNS, 400000, 7);
    check_shares(none, 7, 5);
}

static void test_other_weights(void **state)
{
    static const struct tp_share none[JOB_CLASSES];
    static const uint32_t weights[JOB_CLASSES] = {1, 0, 10}; /* 0: as configured */
    (void)state;
    job_board_weigh(&board, weights);
    assert_int_equal(board.accounts[0].weight, 1);
    assert_int_equal(board.accounts[1].weight, 2);
    set_lengths(10000, 10000, 10000, true);
    play(2, 20000, 7);
    check_shares(none, 7, 5);
}

static void test_heaviest_and_lightest(void **state)
{
    static const struct tp_share none[JOB_CLASSES];
    static const uint32_t weights[JOB_CLASSES] = {1000, 1, 1};
    (void)state;
    job_board_weigh(&board, weights);
    set_lengths(10, 20, 30, true);
    play(1, 1000000, 7);
    check_shares(none, 7, 10); /* of a thousandth */
}

/* A class without tasks gives its share to the others, and gets no credit for that time. */
static void test_no_credit(void **state)
{
    struct tp_share before[JOB_CLASSES] = {{0}};
    (void)state;
    set_lengths(20000, 20000, 20000, false);
    play(2, 50000, 6); /* a second without the first class */
    check_shares(before, 6, 5);
    read_shares(before);
    play(2, 10000, 7); /* and a tenth of that with it */
    check_shares(before, 7, 5);
    read_shares(before);
    while (board.shelves[2].n > 0) /* the third class runs out; its tasks are as good as run */
        job_shelf_take_oldest(&board, &board.shelves[2], &(struct job_slot){0});
    job_segments_free(job_board_surplus(&board));
    play(2, 10000, 3);
    check_shares(before, 3, 5);
}

/* A class that hands in one task at a time is absent while its task runs; and yet it has had what it
 * has had when another class comes, although nobody was there to compare with. */
static void test_alone_is_not_idle(void **state)
{
    struct tp_share before[JOB_CLASSES];
    struct job_slot task;
    (void)state;
    set_lengths(20000, 20000, 20000, false);
    for (int i = 0; i < 1000; i++) {
        put(0);
        assert_true(pick(0, &task));
        now += i < 999 ? 1000000 : UINT64_C(5000000000);
    }
    assert_false(pick(0, &task));
    read_shares(before);
    put(1); /* comes first, and before the class that ran alone is back */
    assert_true(pick(0, &task));
    now += 20000;
    play(1, 10000, 3);
    check_shares(before, 3, 5);
}

/* Workers that pick at the same moment do not all take the same class. */
static void test_workers_spread(void **state)
{
    uint32_t n[JOB_CLASSES] = {0};
    struct job_slot task;
    (void)state;
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        board.accounts[c].expected_ns = 1000;
    for (uint32_t i = 0; i < 14; i++) {
        refill(7);
        assert_true(pick(i, &task));
        n[task.class_index]++;
    }
    assert_int_equal(n[0], 8);
    assert_int_equal(n[1], 4);
    assert_int_equal(n[2], 2);
}

/* A worker stays with a class for a slice of run time, or of tasks if they are short. */
static void test_slices(void **state)
{
    struct tp_slice slices[JOB_HISTORY];
    (void)state;
    set_lengths(VALUE_SLICE_NS / 10, VALUE_SLICE_NS / 10, VALUE_SLICE_NS / 10, false);
    play(1, 1000, 7);
    finish(1);
    assert_int_equal(job_slices_read(&board, slices, JOB_HISTORY), 100);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(slices[i].n_tasks, 10);
        assert_int_equal(slices[i].task_ns, VALUE_SLICE_NS);
    }
    set_lengths(10, 10, 10, false);
    play(1, 32, 1);
    finish(1);
    play(1, 33, 1);
    finish(1);
    assert_int_equal(job_slices_read(&board, slices, 3), 3);
    assert_int_equal(slices[0].n_tasks, 32);
    assert_int_equal(slices[1].n_tasks, 32);
    assert_int_equal(slices[2].n_tasks, 1);
    assert_int_equal(slices[2].end_ns, now);
}

/* The slices are all there is: their sums are the totals. */
static void test_history_sums(void **state)
{
    struct tp_slice slices[JOB_HISTORY + 1];
    uint64_t n[JOB_CLASSES] = {0}, ns[JOB_CLASSES] = {0}, end_ns = 0;
    (void)state;
    set_lengths(30000, 200000, 70000, true);
    play(3, 2000, 7);
    finish(3);
    size_t n_slices = job_slices_read(&board, slices, JOB_HISTORY + 1);
    assert_in_range(n_slices, 100, JOB_HISTORY); /* none was overwritten */
    for (size_t i = 0; i < n_slices; i++) {
        n[slices[i].class_index] += slices[i].n_tasks;
        ns[slices[i].class_index] += slices[i].task_ns;
        assert_true(slices[i].end_ns >= end_ns);
        end_ns = slices[i].end_ns;
    }
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        struct tp_share share;
        job_share_read(&board, c, &share);
        assert_int_equal(share.n_tasks, n[c]);
        assert_int_equal(share.task_ns, ns[c]);
        assert_int_equal(share.pending, 0);
    }
    assert_int_equal(n[0] + n[1] + n[2], 2000);
    play(1, 100000, 7);
    assert_int_equal(job_slices_read(&board, slices, JOB_HISTORY + 1), JOB_HISTORY);
    assert_true(slices[0].end_ns > end_ns);
}

/* Clocks of other processors, and tasks that take no time. */
static void test_odd_times(void **state)
{
    struct job_slot task;
    (void)state;
    refill(7);
    now = 5000;
    assert_true(pick(0, &task));
    now = 4000;
    assert_true(pick(0, &task));
    assert_int_equal(board.accounts[0].task_ns + board.accounts[1].task_ns + board.accounts[2].task_ns, 1);
    now = UINT64_C(1) << 50; /* two weeks later */
    for (int i = 0; i < 100; i++, now += 1000)
        assert_true(pick(0, &task));
    assert_true(board.accounts[1].n_tasks > 0 && board.accounts[2].n_tasks > 0);
}

#define POLICY_TESTS                                                                    \
    cmocka_unit_test_setup_teardown(test_shares, set_up, tear_down),                    \
        cmocka_unit_test_setup_teardown(test_many_workers, set_up, tear_down),          \
        cmocka_unit_test_setup_teardown(test_other_weights, set_up, tear_down),         \
        cmocka_unit_test_setup_teardown(test_heaviest_and_lightest, set_up, tear_down), \
        cmocka_unit_test_setup_teardown(test_no_credit, set_up, tear_down),             \
        cmocka_unit_test_setup_teardown(test_alone_is_not_idle, set_up, tear_down),     \
        cmocka_unit_test_setup_teardown(test_workers_spread, set_up, tear_down),        \
        cmocka_unit_test_setup_teardown(test_slices, set_up, tear_down),                \
        cmocka_unit_test_setup_teardown(test_history_sums, set_up, tear_down),          \
        cmocka_unit_test_setup_teardown(test_odd_times, set_up, tear_down),

#endif
