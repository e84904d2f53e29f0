/* The board: random sequences against a list that is searched anew for each answer, memory, and what
 * each policy promises. No threads: the board's owner locks. */
#include "board.h"

#if WITH_PRIORITY
#include "board_priority.h"
#elif WITH_FAIR
#include "board_fair.h"
#elif WITH_ADAPTIVE
#include "board_adaptive.h"
#endif

/* -- the reference: all waiting tasks in one list, in the order they came ---------------------------- */

enum { LIST_MAX = 4096 };
static struct job_slot list[LIST_MAX];
static uint32_t n_list;

static void list_take(uint32_t i)
{
    memmove(&list[i], &list[i + 1], (--n_list - i) * sizeof list[0]);
}

/* Where the oldest task of a class is; n_list if there is none. */
static uint32_t list_oldest(uint32_t class_index)
{
    uint32_t i = 0;
    while (i < n_list && list[i].class_index != class_index)
        i++;
    return i;
}

/* What a drop must take. */
static uint32_t list_lowest(void)
{
    uint32_t c = JOB_CLASSES, i = n_list;
    while (i == n_list && c-- > 0)
        i = list_oldest(c);
    return i;
}

#if WITH_PRIORITY
static uint32_t log_of[1 << 20]; /* the levels picked, with a bit for each level that had tasks */
static uint32_t n_log;

/* How often in a row the level has been passed over, by the log. */
static uint32_t passed(uint32_t c)
{
    uint32_t n = 0;
    while (n < n_log && log_of[n_log - 1 - n] >> (8 + c) & 1 && (log_of[n_log - 1 - n] & 0xff) != c)
        n++;
    return n;
}

/* What a pick must take. */
static uint32_t list_next(void)
{
    uint32_t best = JOB_CLASSES, most = 0, there = 0;
    for (uint32_t c = JOB_CLASSES; c-- > 0;) {
        if (list_oldest(c) == n_list)
            continue;
        there |= 1u << (8 + c);
        uint32_t n = passed(c) >= JOB_AGE ? passed(c) : 0;
        if (n >= most) {
            best = c;
            most = n;
        }
    }
    if (best == JOB_CLASSES)
        return n_list;
    assert_true(n_log < sizeof log_of / sizeof log_of[0]);
    log_of[n_log++] = there | best;
    return list_oldest(best);
}
#endif

static void check_pick(uint32_t turn)
{
    struct job_slot task;
    bool found = pick(turn, &task);
    assert_int_equal(found, n_list > 0);
    if (!found)
        return;
#if WITH_PRIORITY
    uint32_t i = list_next();
#elif WITH_CLASSES
    uint32_t i = list_oldest(task.class_index);
#elif WITH_LIFO
    uint32_t i = n_list - 1;
#else
    uint32_t i = 0;
#endif
    assert_true(i < n_list);
    assert_int_equal(task.payload, list[i].payload);
    assert_int_equal(task.class_index, list[i].class_index);
    list_take(i);
}

/* Walks every shelf in both directions. */
static void check_shape(void)
{
    uint64_t n = 0, n_used = 0, n_spares = 0;
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        const struct job_shelf *shelf = &board.shelves[c];
        uint64_t n_here = 0;
        for (struct job_segment *s = shelf->first; s; s = s->next, n_here++)
            assert_ptr_equal(s->next ? s->next->prev : shelf->last, s);
        n_used += n_here;
        assert_true(!shelf->first || (!shelf->first->prev && !shelf->last->next));
        if (shelf->first)
            assert_int_equal(shelf->n, n_here * JOB_SEGMENT - shelf->first_at - (JOB_SEGMENT - shelf->last_at));
        n += shelf->n;
    }
    for (struct job_segment *s = board.spares; s; s = s->next)
        n_spares++;
    assert_int_equal(n, n_list);
    assert_int_equal(board.n, n_list);
    assert_int_equal(board.n_spares, n_spares);
    assert_true(n_spares <= board.n_keep);
    assert_null(board.surplus);
    assert_int_equal(n_used + n_spares, n_live);
#if WITH_FAIR || WITH_ADAPTIVE
    for (uint32_t c = 0; c < JOB_CLASSES; c++) {
        uint64_t n_running = 0, prepaid = 0;
        for (uint32_t t = 0; t < TURNS; t++) {
#if WITH_ADAPTIVE && WITH_STEALING
            if (turns[t].mode == TP_POLICY_FIFO)
                continue;
#endif
            n_running += turns[t].is_running && turns[t].class_index == c;
            prepaid += turns[t].is_running && turns[t].class_index == c ? turns[t].prepaid : 0;
        }
        assert_int_equal(board.accounts[c].n_running, n_running);
        assert_int_equal(board.accounts[c].prepaid, prepaid);
    }
#endif
}

/* Seasons in which tasks pile up, and seasons in which they drain. */
static void test_random(void **state)
{
    (void)state;
    n_list = 0;
    for (uint64_t i = 0; i < 200000; i++) {
        bool grows = i / 500 % 2 == 0;
        uint64_t what = random_below(16);
        now += random_below(20000);
        if (what < (grows ? 9 : 5) && n_list < LIST_MAX) {
            uint32_t c = (uint32_t)random_below(JOB_CLASSES);
            uint64_t id = put(c);
            list[n_list++] = (struct job_slot){.payload = id, .class_index = c};
        } else if (what == 15) {
            struct job_slot task;
            bool found = job_board_drop(&board, &task);
            assert_int_equal(found, n_list > 0);
            job_segments_free(job_board_surplus(&board));
            if (found) {
                assert_int_equal(task.payload, list[list_lowest()].payload);
                list_take(list_lowest());
            }
        } else {
            check_pick((uint32_t)random_below(8));
        }
        if (i % 16 == 0)
            check_shape();
    }
}

/* -- one thing at a time ------------------------------------------------------------------------------ */

static void test_empty(void **state)
{
    struct job_slot task;
    (void)state;
    assert_false(pick(0, &task));
    assert_false(job_board_drop(&board, &task));
    put(JOB_CLASSES - 1);
    assert_true(pick(0, &task));
    assert_int_equal(task.payload, 0);
    assert_false(pick(0, &task));
    assert_false(job_board_drop(&board, &task));
}

static void test_drop_is_the_oldest_of_the_lowest(void **state)
{
    struct job_slot task;
    (void)state;
    for (uint32_t i = 0; i < 3 * JOB_SEGMENT; i++)
        for (uint32_t c = 0; c < JOB_CLASSES; c++)
            put(c);
    for (uint32_t c = JOB_CLASSES; c-- > 0;) {
        for (uint64_t i = 0; i < 3 * JOB_SEGMENT; i++) {
            assert_true(job_board_drop(&board, &task));
            assert_int_equal(task.payload, i * JOB_CLASSES + c);
        }
    }
    assert_int_equal(board.n, 0);
}

/* Tasks that come and go one by one need one segment, whatever comes before. */
static void test_one_segment(void **state)
{
    struct job_slot task;
    (void)state;
    for (int i = 0; i < 100; i++) {
        put(0);
        assert_true(pick(0, &task));
        assert_int_equal(n_live, 1);
    }
    put(0);
    for (int i = 0; i < 100; i++) {
        put(0);
        assert_true(pick(0, &task));
        assert_true(n_live <= 2);
    }
}

static void test_surplus(void **state)
{
    struct job_slot task;
    (void)state;
    put_many(0, 1000 * JOB_SEGMENT);
    assert_int_equal(n_live, 1000);
    for (int i = 0; i < 1000 * JOB_SEGMENT; i++)
        assert_true(pick(0, &task));
    assert_int_equal(n_live, JOB_BOARD_SPARES + 1); /* and the shelf's own */
}

#if WITH_PREALLOCATE
/* What is held suffices, however the tasks lie, and is never given back. */
static void test_reserve(void **state)
{
    enum { N = 500 };
    struct job_slot task;
    (void)state;
    assert_int_equal(job_board_reserve(&board, N), 0);
    n_live_max = n_live;
    for (int i = 0; i < 20000; i++) {
        while (board.n < N)
            put((uint32_t)random_below(JOB_CLASSES)); /* fails if it needs a segment */
        for (uint64_t n = random_below(N); n > 0; n--)
            assert_true(random_below(2) ? pick(0, &task) : job_board_drop(&board, &task));
        assert_int_equal(n_live, n_live_max);
    }
}

static void test_reserve_fails(void **state)
{
    (void)state;
    n_live_max = 3;
    assert_int_equal(job_board_reserve(&board, 100), TP_ENOMEM);
}
#endif

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_drop_is_the_oldest_of_the_lowest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_segment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_surplus, set_up, tear_down),
#if WITH_PREALLOCATE
        cmocka_unit_test_setup_teardown(test_reserve, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reserve_fails, set_up, tear_down),
#endif
#if WITH_CLASSES
        POLICY_TESTS
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
