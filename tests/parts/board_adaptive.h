/* What an adaptive board promises: it changes on evidence, stays on noise, and says why. A worker is
 * played whose tasks take as long as the test says, in each mode. */
#ifndef BOARD_ADAPTIVE_H
#define BOARD_ADAPTIVE_H

#include "board.h"

static uint64_t cost_ns[TP_POLICY_ADAPTIVE]; /* of a task, by mode */
static uint32_t noise;                       /* per cent, up and down */

static void set_costs(uint64_t stealing, uint64_t order, uint32_t noise_percent)
{
    cost_ns[TP_POLICY_FIFO] = stealing;
    cost_ns[TP_POLICY_PRIORITY] = cost_ns[TP_POLICY_FAIR] = order;
    noise = noise_percent;
}

/* A worker runs until `end_ns`; tasks of class c wait from `low[c]` on: the test fills up to that. */
static void play(uint64_t end_ns, const uint64_t *low)
{
    uint64_t percent = 100, window = 0;
    while (now < end_ns) {
        struct job_slot task;
        for (uint32_t c = 0; c < JOB_CLASSES; c++)
            while (board.shelves[c].n < low[c])
                put(c);
        if (!pick(0, &task)) {
            now += 100000;
            continue;
        }
        uint32_t mode = turns[0].mode, n = 1;
#if WITH_STEALING
        while (mode == TP_POLICY_FIFO && n < 16 && pick(0, &task))
            n++;
#endif
        turns[0].n_run += n;
        if (window != board.adapt.window_ns)
            percent = 100 - noise + random_below(2 * noise + 1);
        window = board.adapt.window_ns;
        now += cost_ns[mode] * n * percent / 100;
    }
}

static void play_windows(uint64_t n, const uint64_t *low)
{
    play(now + n * JOB_WINDOW_NS, low);
}

static const uint64_t one_class[JOB_CLASSES] = {0, 50, 0};
static const uint64_t all_classes[JOB_CLASSES] = {50, 50, 50};

static uint32_t read_changes(struct tp_decision *out)
{
    struct tp_decision all[JOB_DECISIONS];
    size_t n = job_diary_read(&board.adapt.diary, all, JOB_DECISIONS);
    uint32_t n_changes = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(all[i].kind, TP_DECISION_POLICY);
        assert_non_null(all[i].why);
        assert_true(i == 0 || all[i].time_ns > all[i - 1].time_ns);
        if (all[i].from != all[i].to)
            out[n_changes++] = all[i];
    }
    return n_changes;
}

/* Strict by level at first, as a board with levels alone. */
static void test_begins_by_level(void **state)
{
    struct job_slot task;
    (void)state;
    assert_int_equal(job_board_mode(&board), TP_POLICY_PRIORITY);
    for (uint32_t c = JOB_CLASSES; c-- > 0;)
        put_many(c, 3);
    for (uint32_t i = 0; i < 9; i++, now += 1000) {
        assert_true(pick(0, &task));
        assert_int_equal(task.class_index, i / 3);
    }
}

/* Levels starve the lower classes: shares take over, after so many windows and not before. */
static void test_starving(void **state)
{
    struct tp_decision changes[JOB_DECISIONS];
    uint64_t began = now;
    (void)state;
    set_costs(2000, 2000, 0); /* 5000 tasks in a window */
    play(began + (JOB_STARVED - 1) * JOB_WINDOW_NS, all_classes);
    assert_int_equal(job_board_mode(&board), TP_POLICY_PRIORITY);
    play(began + (JOB_STARVED + 2) * JOB_WINDOW_NS, all_classes);
    assert_int_equal(read_changes(changes), 1);
    assert_int_equal(changes[0].from, TP_POLICY_PRIORITY);
    assert_int_equal(changes[0].to, TP_POLICY_FAIR);
    assert_in_range(changes[0].before, 5, 30); /* of 1000: what ageing leaves to the class */
    assert_int_equal(changes[0].after, 285);   /* of 1000: 2 of 4 + 2 + 1 */
}

/* Hungry for some windows, then fed, again and again: that is not starving. */
static void test_hungry(void **state)
{
    struct tp_decision changes[JOB_DECISIONS];
    static const uint64_t fed[JOB_CLASSES] = {0, 50, 50};
    (void)state;
    set_costs(2000, 2000, 0);
    for (int i = 0; i < 10; i++) {
        play_windows(JOB_STARVED - 3, all_classes);
        while (board.shelves[0].n > 0)
            play_windows(1, (const uint64_t[JOB_CLASSES]){0});
        play_windows(2, fed); /* the middle class has all there is, until it runs out */
        play_windows(2, (const uint64_t[JOB_CLASSES]){0});
    }
    assert_int_equal(read_changes(changes), 0);
}

/* The slices add up to the totals, by level too. */
static void test_slices_by_level(void **state)
{
    struct tp_slice slices[JOB_HISTORY];
    uint64_t n[JOB_CLASSES] = {0}, ns[JOB_CLASSES] = {0};
    struct job_slot task;
    (void)state;
    for (uint32_t i = 0; i < 200; i++, now += 1000 + i) {
        put((uint32_t)random_below(JOB_CLASSES));
        put(JOB_CLASSES - 1);
        assert_true(pick(0, &task));
    }
    while (pick(0, &task))
        now += 1000;
    assert_int_equal(job_board_mode(&board), TP_POLICY_PRIORITY);
    size_t n_slices = job_slices_read(&board, slices, JOB_HISTORY);
    assert_in_range(n_slices, 50, JOB_HISTORY - 1);
    for (size_t i = 0; i < n_slices; i++) {
        n[slices[i].class_index] += slices[i].n_tasks;
        ns[slices[i].class_index] += slices[i].task_ns;
    }
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        assert_int_equal(n[c], board.accounts[c].n_tasks);
        assert_int_equal(ns[c], board.accounts[c].task_ns);
    }
    assert_int_equal(n[0] + n[1] + n[2], 400);
}

/* And then they share. */
static void test_shares_then(void **state)
{
    struct tp_share before[JOB_CLASSES], after[JOB_CLASSES];
    (void)state;
    set_costs(2000, 2000, 0);
    play_windows(20, all_classes);
    for (uint32_t c = 0; c < JOB_CLASSES; c++)
        job_share_read(&board, c, &before[c]);
    play_windows(30, all_classes);
    uint64_t all_ns = 0;
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        job_share_read(&board, c, &after[c]);
        all_ns += after[c].task_ns - before[c].task_ns;
    }
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        uint64_t due = all_ns * after[c].weight / 7;
        assert_in_range(after[c].task_ns - before[c].task_ns, due * 95 / 100, due * 105 / 100);
    }
}

/* Classes that get their share although they are low, and ones without a backlog, do not starve. */
static void test_not_starving(void **state)
{
    struct tp_decision changes[JOB_DECISIONS];
    static const uint64_t low[JOB_CLASSES] = {0, 0, 50};
    struct job_slot task;
    (void)state;
    set_costs(2000, 2000, 0);
    for (int i = 0; i < 40; i++) {
        put_many(0, 2000); /* two fifths of a window for the highest, the rest for the lowest */
        play_windows(1, low);
    }
    for (int i = 0; i < 40; i++) {
        put_many(0, 4300); /* six sevenths: leaves the lowest less than its fifth, but more than a tenth */
        play_windows(1, low);
    }
    assert_int_equal(read_changes(changes), 0);
    while (job_board_drop(&board, &task))
        continue;
    for (int i = 0; i < 40; i++) { /* nearly nothing for the lowest, which is empty now and then */
        put_many(0, 4500);
        put_many(2, 10);
        play_windows(1, (const uint64_t[JOB_CLASSES]){0});
    }
    assert_int_equal(read_changes(changes), 0);
}

/* No backlog any more: levels come back. A backlog now and then is not enough, nor is its absence. */
static void test_calm(void **state)
{
    static const uint64_t nothing[JOB_CLASSES];
    struct tp_decision changes[JOB_DECISIONS];
    (void)state;
    set_costs(2000, 2000, 0);
    play_windows(12, all_classes);
    assert_int_equal(job_board_mode(&board), TP_POLICY_FAIR);
    for (int i = 0; i < 20; i++) {
        for (int w = 0; w < 5; w++) { /* windows in which the queue runs empty */
            put_many(1, 3000);
            play_windows(1, nothing);
        }
        play_windows(3, all_classes);
    }
    assert_int_equal(job_board_mode(&board), TP_POLICY_FAIR);
    for (int w = 0; w < JOB_CALM + 2 && job_board_mode(&board) == TP_POLICY_FAIR; w++) {
        put_many(1, 3000);
        play_windows(1, nothing);
    }
    assert_int_equal(job_board_mode(&board), TP_POLICY_PRIORITY);
    assert_int_equal(read_changes(changes), 2);
    assert_int_equal(changes[1].from, TP_POLICY_FAIR);
    assert_int_equal(changes[1].to, TP_POLICY_PRIORITY);
    assert_int_equal(changes[1].after, JOB_CALM);
    /* What was before is forgotten: the next change takes as long as the first. */
    play_windows(JOB_STARVED - 2, all_classes);
    assert_int_equal(job_board_mode(&board), TP_POLICY_PRIORITY);
    while (job_board_mode(&board) == TP_POLICY_PRIORITY)
        play(now + JOB_WINDOW_NS / 8, all_classes);
    for (int w = 0; w < JOB_CALM - 2; w++) {
        put_many(1, 3000);
        play_windows(1, nothing);
    }
    assert_int_equal(job_board_mode(&board), TP_POLICY_FAIR);
}

/* Long tasks: windows get longer, classes are still looked after, and throughput says nothing. */
static void test_long_tasks(void **state)
{
    struct tp_decision changes[JOB_DECISIONS];
    (void)state;
    set_costs(1000000, 20000000, 0);
    play(now + 100 * (uint64_t)JOB_WINDOW_LONGEST, all_classes);
    assert_int_equal(read_changes(changes), 1);
    assert_int_equal(changes[0].to, TP_POLICY_FAIR);
    assert_in_range(changes[0].time_ns, JOB_STARVED * (uint64_t)JOB_WINDOW_LONGEST, (JOB_STARVED + 3) * (uint64_t)JOB_WINDOW_LONGEST);
    assert_int_equal(job_board_mode(&board), TP_POLICY_FAIR);
}

/* The log keeps the last decisions, and one verdict at a time that nothing changes. */
static void test_diary(void **state)
{
    static struct job_diary diary;
    struct tp_decision out[JOB_DECISIONS + 1];
    (void)state;
    memset(&diary, 0, sizeof diary);
    assert_int_equal(job_diary_read(&diary, out, 10), 0);
    for (uint32_t i = 0; i < 3 * JOB_DECISIONS; i++) {
        struct tp_decision decision = {.time_ns = i, .kind = TP_DECISION_POLICY, .from = i % 2, .to = 1 - i % 2};
        job_diary_add(&diary, &decision);
        decision.from = decision.to;
        for (uint64_t j = 0; j < 3; j++) {
            decision.before = j;
            job_diary_add(&diary, &decision);
        }
    }
    assert_int_equal(job_diary_read(&diary, out, JOB_DECISIONS + 1), JOB_DECISIONS);
    for (uint32_t i = 0; i < JOB_DECISIONS; i++) {
        assert_int_equal(out[i].time_ns, 3 * JOB_DECISIONS - JOB_DECISIONS / 2 + i / 2);
        assert_int_equal(out[i].from != out[i].to, i % 2 == 0);
        assert_int_equal(out[i].before, i % 2 == 0 ? 0 : 2);
    }
    assert_int_equal(job_diary_read(&diary, out, 3), 3);
    assert_int_equal(out[2].time_ns, 3 * JOB_DECISIONS - 1);
}

#if WITH_STEALING
/* Throughput first: each class in turn, the oldest first. */
static void test_turn_about(void **state)
{
    struct job_slot task;
    (void)state;
    job_adapt_set(&board, TP_POLICY_FIFO);
    put_many(0, 2);
    put_many(2, 3);
    static const uint64_t wanted[] = {0, 2, 1, 3, 4};
    for (int i = 0; i < 5; i++) {
        assert_true(pick(0, &task));
        assert_int_equal(task.payload, wanted[i]);
    }
    assert_false(pick(0, &task));
    assert_int_equal(board.accounts[0].n_tasks + board.accounts[2].n_tasks, 0); /* shares are of order */
}

/* Order that costs less than a fifth stays, and the verdict can be read. */
static void test_cheap_order_stays(void **state)
{
    struct tp_decision changes[JOB_DECISIONS], last;
    (void)state;
    set_costs(8000, 9600, 0);
    play_windows(300, one_class);
    assert_int_equal(read_changes(changes), 0);
    assert_int_equal(job_diary_read(&board.adapt.diary, &last, 1), 1);
    assert_int_equal(last.from, TP_POLICY_PRIORITY);
    assert_int_equal(last.to, TP_POLICY_PRIORITY);
    assert_in_range(last.before, 104000, 104300);
    assert_in_range(last.after, 124000, 126000);
    assert_int_equal(board.adapt.diary.n, 1);
}

/* Order that costs half goes, at the first trial, and comes back when it is cheap again. */
static void test_dear_order_goes(void **state)
{
    struct tp_decision changes[JOB_DECISIONS];
    (void)state;
    set_costs(8000, 16000, 0);
    play_windows(2 * (JOB_PROBE_FIRST + 3), one_class);
    assert_int_equal(job_board_mode(&board), TP_POLICY_FIFO);
    assert_int_equal(read_changes(changes), 1);
    assert_int_equal(changes[0].from, TP_POLICY_PRIORITY);
    assert_int_equal(changes[0].to, TP_POLICY_FIFO);
    assert_in_range(changes[0].before, 62000, 63000);
    assert_in_range(changes[0].after, 124000, 126000);
    play_windows(300, one_class);
    assert_int_equal(read_changes(changes), 1);
    set_costs(8000, 8000, 0);
    play_windows(2 * JOB_PROBE_EVERY, one_class);
    assert_int_equal(read_changes(changes), 2);
    assert_int_equal(changes[1].to, TP_POLICY_PRIORITY);
}

/* The other way is tried for one window in 64. */
static void test_tries_are_rare(void **state)
{
    uint64_t n_tries = 0;
    (void)state;
    set_costs(8000, 8000, 0);
    for (int i = 0; i < 1000; i++) {
        play_windows(1, one_class);
        n_tries += job_board_mode(&board) != board.adapt.home;
    }
    assert_in_range(n_tries, 1000 / (JOB_PROBE_EVERY + 1) - 1, 1000 / JOB_PROBE_EVERY + 1);
}

/* Tasks that become shorter or longer are no evidence for the mode in which they are met. */
static void test_other_tasks(void **state)
{
    struct tp_decision changes[JOB_DECISIONS];
    (void)state;
    for (int i = 0; i < 10; i++) {
        set_costs(2000, 2000, 0);
        play_windows(JOB_PROBE_FIRST - 2, one_class);
        set_costs(8000, 8000, 0);
        while (board.adapt.n_since < JOB_PROBE_EVERY - 1)
            play(now + JOB_WINDOW_NS / 8, one_class);
        set_costs(2000, 2000, 0);
        play_windows(4, one_class);
    }
    assert_int_equal(read_changes(changes), 0);
    assert_int_equal(board.adapt.n_since < JOB_PROBE_EVERY / 2, 1);
}

/* A trial in which too few tasks ran says nothing, and ends. */
static void test_trial_without_tasks(void **state)
{
    struct tp_decision changes[JOB_DECISIONS];
    (void)state;
    set_costs(8000, 8000, 0);
    while (job_board_mode(&board) != TP_POLICY_FIFO)
        play(now + JOB_WINDOW_NS / 8, one_class);
    set_costs(10000000, 10000000, 0);
    play(now + 4 * (uint64_t)JOB_WINDOW_LONGEST, one_class);
    assert_int_equal(job_board_mode(&board), TP_POLICY_PRIORITY);
    assert_int_equal(job_diary_read(&board.adapt.diary, changes, 1), 0);
}

/* Whatever order costs, noise of 5 % changes the mode once at most: not even the worst noise there can
 * be, bad where the pool is and good where it is not, makes it go and come back. */
static void test_no_flapping(void **state)
{
    struct tp_decision changes[JOB_DECISIONS];
    for (uint64_t order = 6000; order < 16000; order += 1000) {
        tear_down(state);
        set_up(state);
        set_costs(8000, order, 5);
        play_windows(220, one_class);
        assert_true(read_changes(changes) <= 1);
    }
    for (uint64_t order = 7000; order < 14000; order += 500) {
        tear_down(state);
        set_up(state);
        for (int i = 0; i < 150; i++) {
            bool is_fifo = board.adapt.home == TP_POLICY_FIFO;
            set_costs(is_fifo ? 8421 : 7619, is_fifo ? order * 1000 / 1050 : order * 1000 / 950, 0);
            play_windows(1, one_class);
        }
        assert_true(read_changes(changes) <= 1);
    }
}

/* A task that began in one mode and ended in another says nothing about either. */
static void test_late_tasks(void **state)
{
    struct job_slot task;
    (void)state;
    put_many(1, 10);
    assert_true(pick(0, &task));
    assert_true(pick(1, &task));
    turns[0].n_run = turns[1].n_run = 1;
    now += 1000;
    assert_true(pick(0, &task));
    job_adapt_set(&board, TP_POLICY_FIFO);
    job_window_begin(&board, now);
    job_board_charge(&board, &turns[1], now + 1000);
    assert_int_equal(board.adapt.n_tasks, 0);
    assert_int_equal(board.adapt.worker_ns, 0);
    assert_int_equal(board.accounts[1].n_running, 1);
}

/* With starving classes, order is by share, and what is tried against it is throughput. */
static void test_three_ways(void **state)
{
    struct tp_decision changes[JOB_DECISIONS];
    (void)state;
    set_costs(8000, 8000, 0);
    play_windows(100, all_classes);
    assert_int_equal(job_board_mode(&board), TP_POLICY_FAIR);
    set_costs(8000, 16000, 0);
    play_windows(4 * JOB_PROBE_EVERY, all_classes);
    assert_int_equal(job_board_mode(&board), TP_POLICY_FIFO);
    set_costs(8000, 8000, 0);
    play_windows(2 * JOB_PROBE_EVERY, all_classes);
    assert_int_equal(job_board_mode(&board), TP_POLICY_FAIR);
    assert_int_equal(read_changes(changes), 3);
}

#define STEALING_TESTS                                                                \
    cmocka_unit_test_setup_teardown(test_turn_about, set_up, tear_down),              \
        cmocka_unit_test_setup_teardown(test_cheap_order_stays, set_up, tear_down),   \
        cmocka_unit_test_setup_teardown(test_dear_order_goes, set_up, tear_down),     \
        cmocka_unit_test_setup_teardown(test_tries_are_rare, set_up, tear_down),      \
        cmocka_unit_test_setup_teardown(test_other_tasks, set_up, tear_down),         \
        cmocka_unit_test_setup_teardown(test_trial_without_tasks, set_up, tear_down), \
        cmocka_unit_test_setup_teardown(test_no_flapping, set_up, tear_down),         \
        cmocka_unit_test_setup_teardown(test_late_tasks, set_up, tear_down),          \
        cmocka_unit_test_setup_teardown(test_three_ways, set_up, tear_down),
#else
#define STEALING_TESTS
#endif

#define POLICY_TESTS                                                              \
    cmocka_unit_test_setup_teardown(test_begins_by_level, set_up, tear_down),     \
        cmocka_unit_test_setup_teardown(test_starving, set_up, tear_down),        \
        cmocka_unit_test_setup_teardown(test_hungry, set_up, tear_down),          \
        cmocka_unit_test_setup_teardown(test_slices_by_level, set_up, tear_down), \
        cmocka_unit_test_setup_teardown(test_shares_then, set_up, tear_down),     \
        cmocka_unit_test_setup_teardown(test_not_starving, set_up, tear_down),    \
        cmocka_unit_test_setup_teardown(test_calm, set_up, tear_down),            \
        cmocka_unit_test_setup_teardown(test_long_tasks, set_up, tear_down),      \
        cmocka_unit_test_setup_teardown(test_diary, set_up, tear_down),           \
        STEALING_TESTS

#endif
