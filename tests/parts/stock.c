/* What each stock variant does, seen from outside, through tp_pool_*: work, order, overload, tracking,
 * tuning, and the ends of a pool. tests/runtime/test_stock.c is about how one is chosen. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"

#include <sched.h>
#include <string.h>

enum { TASKS = 2000,
    PRODUCERS = 3,
    ORDERED = 100 };

/* One of each variant. */
static const struct tp_pool_settings variants[] = {
    {.policy = TP_POLICY_FIFO, .stealing = TP_STEALING_HALF},
    {.policy = TP_POLICY_FIFO, .stealing = TP_STEALING_ONE},
    {.policy = TP_POLICY_FIFO, .stealing = TP_STEALING_OFF},
    {.policy = TP_POLICY_FIFO, .overload = TP_OVERLOAD_DROP_OLDEST},
    {.policy = TP_POLICY_FIFO, .tasks = TP_TASKS_COROUTINE},
    {.policy = TP_POLICY_LIFO, .stealing = TP_STEALING_HALF},
    {.policy = TP_POLICY_LIFO, .stealing = TP_STEALING_ONE},
    {.policy = TP_POLICY_LIFO, .stealing = TP_STEALING_OFF},
    {.policy = TP_POLICY_LIFO, .overload = TP_OVERLOAD_DROP_OLDEST},
    {.policy = TP_POLICY_PRIORITY},
    {.policy = TP_POLICY_FAIR},
    {.policy = TP_POLICY_ADAPTIVE, .stealing = TP_STEALING_HALF},
    {.policy = TP_POLICY_ADAPTIVE, .stealing = TP_STEALING_ONE},
    {.policy = TP_POLICY_ADAPTIVE, .stealing = TP_STEALING_OFF},
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static struct tp_pool *pool;
static tp_atomic(uint32_t) n_panics; /* that handlers were told of */

static void note_panic(const struct tp_panic_report *report, void *context)
{
    (void)report;
    tp_add_sc((tp_atomic(uint32_t) *)context, 1);
}

static void start(const struct tp_pool_settings *variant, uint32_t workers, uint64_t capacity)
{
    struct tp_pool_settings settings = *variant;
    settings.workers = workers;
    settings.capacity = capacity;
    settings.on_panic = note_panic;
    settings.context = &n_panics;
    assert_int_equal(tp_pool_open(&pool, &settings), 0);
}

static void stop(void)
{
    tp_pool_free(pool);
    pool = NULL;
}

static void join_all(void)
{
    assert_int_equal(tp_pool_join_all(pool, TP_FOREVER), 0);
}

/* -- tasks ---------------------------------------------------------------------------------------- */

static tp_atomic(uint32_t) n_begun, may_end, n_done, next_place;

static int pass(void *argument)
{
    (void)argument;
    tp_add_sc(&n_begun, 1);
    while (tp_load_sc(&may_end) == 0 && tp_task_check() == 0)
        sched_yield();
    return tp_task_check();
}

static int count(void *argument)
{
    tp_add_sc((tp_atomic(uint32_t) *)argument, 1);
    return 0;
}

static int answer(void *argument)
{
    return *(const int *)argument;
}

static int panic(void *argument)
{
    (void)argument;
    tp_panic("%s", "a test");
}

/* Holds n workers until let_go. */
static void hold(uint32_t n)
{
    tp_store_sc(&n_begun, 0);
    tp_store_sc(&may_end, 0);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(tp_pool_submit(pool, pass, NULL), 0);
        while (tp_load_sc(&n_begun) <= i)
            sched_yield();
    }
}

static void let_go(void)
{
    tp_store_sc(&may_end, 1);
    join_all();
}

/* -- work ----------------------------------------------------------------------------------------- */

static tp_atomic(uint32_t) runs[PRODUCERS][2 * TASKS];

static int parent(void *argument)
{
    tp_atomic(uint32_t) *mine = argument;
    tp_add_sc(mine, 1);
    if (tp_pool_submit(pool, count, mine + TASKS) != 0)
        tp_add_sc(mine, 1000);
    return 0;
}

static void *produce(void *argument)
{
    tp_atomic(uint32_t) *mine = argument;
    struct tp_call calls[10];
    for (int i = 0; i < TASKS / 2; i++)
        if (tp_pool_submit(pool, parent, mine + i) != 0)
            tp_add_sc(mine, 1000);
    for (int i = TASKS / 2; i < TASKS; i += 10) {
        for (int k = 0; k < 10; k++)
            calls[k] = (struct tp_call){parent, mine + i + k};
        if (tp_pool_submit_batch(pool, calls, 10, NULL) != 0)
            tp_add_sc(mine, 1000);
    }
    return NULL;
}

static void test_runs_each_once(void **state)
{
    (void)state;
    for (int v = 0; v < N_VARIANTS; v++) {
        start(&variants[v], 3, variants[v].overload == TP_OVERLOAD_DROP_OLDEST ? UINT64_MAX : 64);
        struct crowd crowd = {.n = 0};
        memset(runs, 0, sizeof runs);
        for (int i = 0; i < PRODUCERS; i++)
            crowd_add(&crowd, produce, runs[i]);
        crowd_join(&crowd);
        join_all();
        for (int i = 0; i < PRODUCERS; i++)
            for (int k = 0; k < 2 * TASKS; k++)
                assert_int_equal(tp_load_sc(&runs[i][k]), 1);
        struct tp_pool_stats stats;
        tp_pool_get_stats(pool, &stats);
        assert_int_equal(stats.completed, 2 * PRODUCERS * TASKS);
        assert_int_equal(stats.submitted, stats.completed);
        stop();
    }
}

static int take_place(void *argument)
{
    *(uint32_t *)argument = tp_add_sc(&next_place, 1);
    return 0;
}

static void test_order(void **state)
{
    (void)state;
    uint32_t places[ORDERED];
    for (int v = 0; v < N_VARIANTS; v++) {
        start(&variants[v], 1, UINT64_MAX);
        hold(1);
        tp_store_sc(&next_place, 0);
        for (int i = 0; i < ORDERED; i++)
            assert_int_equal(tp_pool_submit(pool, take_place, &places[i]), 0);
        let_go();
        for (uint32_t i = 0; i < ORDERED; i++)
            assert_int_equal(places[i], variants[v].policy == TP_POLICY_LIFO ? ORDERED - 1 - i : i);
        stop();
    }
}

static void test_levels(void **state)
{
    (void)state;
    uint32_t low, normal, high;
    start(&(struct tp_pool_settings){.policy = TP_POLICY_PRIORITY}, 1, 10);
    hold(1);
    tp_store_sc(&next_place, 0);
    assert_int_equal(tp_pool_submit_class(pool, TP_CLASS_LOW, take_place, &low), 0);
    assert_int_equal(tp_pool_submit_class(pool, TP_CLASS_DEFAULT, take_place, &normal), 0);
    assert_int_equal(tp_pool_submit_class(pool, TP_CLASS_HIGH, take_place, &high), 0);
    let_go();
    assert_true(high == 0 && normal == 1 && low == 2);
    stop();
}

static void test_classes(void **state)
{
    (void)state;
    uint64_t id;
    for (int v = 0; v < N_VARIANTS; v++) {
        start(&variants[v], 2, 100);
        unsigned n = tp_pool_get_ops(pool)->n_classes;
        assert_int_equal(n, variants[v].policy <= TP_POLICY_LIFO ? 1 : (variants[v].policy == TP_POLICY_FAIR ? TP_STOCK_CLASSES_FAIR : 3));
        tp_store_sc(&n_done, 0);
        for (unsigned c = 0; c < n; c++)
            assert_int_equal(tp_pool_submit_class(pool, c, count, &n_done), 0);
        assert_int_equal(tp_pool_submit_class(pool, TP_CLASS_DEFAULT, count, &n_done), 0);
        assert_int_equal(tp_pool_submit_class(pool, n, count, &n_done), TP_EINVAL);
        assert_int_equal(tp_pool_spawn(pool, n, count, &n_done, &id), TP_EINVAL);
        assert_int_equal(tp_pool_spawn(pool, TP_CLASS_DEFAULT, count, &n_done, &id), 0);
        assert_int_equal(tp_pool_join(pool, id, TP_FOREVER, NULL), 0);
        join_all();
        assert_int_equal(tp_load_sc(&n_done), n + 2);
        stop();
    }
}

/* -- overload ------------------------------------------------------------------------------------- */

static struct tp_pool_counts counts(void)
{
    struct tp_pool_counts now;
    tp_pool_get_counts(pool, &now);
    return now;
}

/* Opens the variant with this overload, full: one task runs, two wait, of which this is the oldest. */
static uint64_t start_full(const struct tp_pool_settings *variant, enum tp_overload overload, uint64_t deadline_ns)
{
    struct tp_pool_settings settings = *variant;
    uint64_t oldest;
    settings.overload = overload;
    settings.deadline_ns = deadline_ns;
    start(&settings, 1, 3);
    hold(1);
    tp_store_sc(&n_done, 0);
    assert_int_equal(tp_pool_spawn(pool, TP_CLASS_DEFAULT, count, &n_done, &oldest), 0);
    assert_int_equal(tp_pool_submit(pool, count, &n_done), 0);
    assert_int_equal(counts().free, 0);
    return oldest;
}

static void stop_full(uint64_t oldest, enum tp_task_state end, uint32_t n)
{
    struct tp_task_result result;
    let_go();
    assert_int_equal(tp_pool_join(pool, oldest, 0, &result), 0);
    assert_int_equal(result.state, end);
    assert_int_equal(tp_load_sc(&n_done), n);
    stop();
}

static void *submit_one(void *argument)
{
    *(int *)argument = tp_pool_submit(pool, count, &n_done);
    return NULL;
}

static void test_block(void **state)
{
    (void)state;
    for (int v = 0; v < N_VARIANTS; v++) {
        struct crowd crowd = {.n = 0};
        int status = 1;
        uint64_t oldest = start_full(&variants[v], TP_OVERLOAD_BLOCK, 0);
        crowd_add(&crowd, submit_one, &status);
        while (counts().waiting != 1)
            sched_yield();
        assert_int_equal(tp_pool_tune(pool, 4), 0); /* room for it */
        crowd_join(&crowd);
        assert_int_equal(status, 0);
        stop_full(oldest, TP_TASK_RETURNED, 3);
        oldest = start_full(&variants[v], TP_OVERLOAD_BLOCK, 1);
        assert_int_equal(tp_pool_submit(pool, count, &n_done), TP_ETIMEDOUT);
        stop_full(oldest, TP_TASK_RETURNED, 2);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    for (int v = 0; v < N_VARIANTS; v++) {
        uint64_t oldest = start_full(&variants[v], TP_OVERLOAD_REJECT, 0);
        assert_int_equal(tp_pool_submit(pool, count, &n_done), TP_EFULL);
        stop_full(oldest, TP_TASK_RETURNED, 2);
        oldest = start_full(&variants[v], TP_OVERLOAD_DROP_NEWEST, 0);
        assert_int_equal(tp_pool_submit(pool, count, &n_done), TP_EDROPPED);
        stop_full(oldest, TP_TASK_RETURNED, 2);
    }
}

static void test_acceptance(void **state)
{
    (void)state;
    for (int v = 0; v < N_VARIANTS; v++) {
        uint64_t oldest = start_full(&variants[v], TP_OVERLOAD_CALLER_RUNS, 0);
        assert_int_equal(tp_pool_submit(pool, count, &n_done), 0);
        assert_int_equal(tp_load_sc(&n_done), 1); /* here, at once */
        stop_full(oldest, TP_TASK_RETURNED, 3);
        oldest = start_full(&variants[v], TP_OVERLOAD_SPILL, 0);
        assert_int_equal(tp_pool_submit(pool, count, &n_done), 0);
        assert_int_equal(counts().pending, 3);
        stop_full(oldest, TP_TASK_RETURNED, 3);
        if (variants[v].tasks == TP_TASKS_COROUTINE)
            continue;
        oldest = start_full(&variants[v], TP_OVERLOAD_DROP_OLDEST, 0);
        assert_int_equal(tp_pool_submit(pool, count, &n_done), 0);
        assert_int_equal(counts().pending, 2);
        stop_full(oldest, TP_TASK_DROPPED, 2);
    }
}

/* -- tracking ------------------------------------------------------------------------------------- */

static void test_tracking(void **state)
{
    (void)state;
    static int well = 7, badly = -7;
    static const struct tp_call calls[] = {{answer, &well}, {answer, &badly}, {panic, NULL}};
    static const enum tp_task_state ends[] = {TP_TASK_RETURNED, TP_TASK_FAILED, TP_TASK_PANICKED};
    struct tp_task_result result;
    uint64_t id;
    tp_store_sc(&n_panics, 0);
    for (int v = 0; v < N_VARIANTS; v++) {
        start(&variants[v], 2, 100);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(tp_pool_spawn(pool, TP_CLASS_DEFAULT, calls[i].run, calls[i].argument, &id), 0);
            assert_int_equal(tp_pool_wait(pool, id, TP_FOREVER, &result), 0);
            assert_int_equal(tp_pool_join(pool, id, TP_FOREVER, &result), 0);
            assert_int_equal(result.state, ends[i]);
            assert_int_equal(tp_pool_detach(pool, id), TP_ESTALE);
        }
        hold(2);
        assert_int_equal(tp_pool_spawn(pool, TP_CLASS_DEFAULT, answer, &well, &id), 0);
        assert_int_equal(tp_pool_join(pool, id, 0, &result), TP_ETIMEDOUT);
        assert_int_equal(tp_pool_cancel_task(pool, id), 0);
        assert_int_equal(tp_pool_join(pool, id, TP_FOREVER, &result), 0);
        assert_int_equal(result.state, TP_TASK_CANCELLED);
        let_go();
        tp_store_sc(&n_begun, 0);
        tp_store_sc(&may_end, 0);
        assert_int_equal(tp_pool_spawn(pool, TP_CLASS_DEFAULT, pass, NULL, &id), 0);
        while (tp_load_sc(&n_begun) == 0)
            sched_yield();
        assert_int_equal(tp_pool_cancel_task(pool, id), 0); /* it runs, and is asked to stop */
        assert_int_equal(tp_pool_join(pool, id, TP_FOREVER, &result), 0);
        assert_int_equal(result.code, TP_ECANCELED);
        stop();
    }
    assert_int_equal(tp_load_sc(&n_panics), N_VARIANTS);
}

/* -- changes and ends ----------------------------------------------------------------------------- */

static void test_tune(void **state)
{
    (void)state;
    for (int v = 0; v < N_VARIANTS; v++) {
        struct tp_pool_settings is;
        start(&variants[v], 1, 10);
        assert_int_equal(tp_pool_tune(pool, 10), TP_EUNCHANGED);
        assert_int_equal(tp_pool_tune(pool, 20), 0);
        assert_int_equal(tp_pool_tune_workers(pool, 1), TP_EUNCHANGED);
        assert_int_equal(tp_pool_tune_workers(pool, 3), 0);
        tp_pool_get_settings(pool, &is);
        assert_true(is.workers == 3 && is.capacity == 20);
        assert_int_equal(tp_pool_tune_workers(pool, is.workers_max + 1), TP_EINVAL);
        hold(3); /* all three run tasks */
        assert_int_equal(tp_pool_tune_workers(pool, 1), 0);
        let_go();
        tp_store_sc(&n_done, 0);
        for (int i = 0; i < 5; i++)
            assert_int_equal(tp_pool_submit(pool, count, &n_done), 0);
        join_all();
        assert_int_equal(tp_load_sc(&n_done), 5);
        stop();
    }
}

static void test_close_and_reopen(void **state)
{
    (void)state;
    for (int v = 0; v < N_VARIANTS; v++) {
        start(&variants[v], 2, 100);
        tp_store_sc(&n_done, 0);
        assert_int_equal(tp_pool_reopen(pool), TP_EINVAL);
        for (uint32_t round = 1; round <= 3; round++) {
            hold(2);
            for (int i = 0; i < 10; i++)
                assert_int_equal(tp_pool_submit(pool, count, &n_done), 0);
            assert_int_equal(tp_pool_close(pool, 0), TP_ETIMEDOUT);
            assert_int_equal(tp_pool_submit(pool, count, &n_done), TP_ECLOSED);
            tp_store_sc(&may_end, 1);
            assert_int_equal(tp_pool_close(pool, TP_FOREVER), 0);
            assert_int_equal(tp_load_sc(&n_done), 10 * round);
            assert_int_equal(tp_pool_reopen(pool), 0);
        }
        stop();
    }
}

static void test_cancel(void **state)
{
    (void)state;
    for (int v = 0; v < N_VARIANTS; v++) {
        struct tp_pool_stats stats;
        start(&variants[v], 2, 100);
        tp_store_sc(&n_done, 0);
        hold(2);
        for (int i = 0; i < 10; i++)
            assert_int_equal(tp_pool_submit(pool, count, &n_done), 0);
        assert_int_equal(tp_pool_cancel(pool, TP_FOREVER), 0); /* those that run are asked to stop, and do */
        assert_int_equal(tp_load_sc(&n_done), 0);
        tp_pool_get_stats(pool, &stats);
        assert_true(stats.completed == 2 && stats.cancelled == 10 && stats.failed == 2);
        stop();
    }
}

static void test_abandon(void **state)
{
    (void)state;
    for (int v = 0; v < N_VARIANTS; v++) {
        start(&variants[v], 2, 100);
        hold(2);
        tp_pool_abandon(pool); /* both tasks are asked to stop; the memory goes with the last worker */
    }
    tp_pool_abandon(NULL);
    tp_pool_free(NULL);
}

static void test_members(void **state)
{
    (void)state;
    struct tp_multi *multi;
    struct tp_multi_member members[N_VARIANTS];
    const struct tp_call call = {count, &n_done};
    for (int v = 0; v < N_VARIANTS; v++) {
        start(&variants[v], 1, 100);
        members[v] = tp_pool_as_member(pool);
    }
    tp_store_sc(&n_done, 0);
    assert_int_equal(tp_multi_open(&multi, members, N_VARIANTS, TP_BALANCE_ROUND_ROBIN), 0);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(tp_multi_submit(multi, &call), 0);
    assert_int_equal(tp_multi_join_all(multi, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&n_done), TASKS);
    tp_multi_free(multi);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_each_once),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_acceptance),
        cmocka_unit_test(test_tracking),
        cmocka_unit_test(test_tune),
        cmocka_unit_test(test_close_and_reopen),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_abandon),
        cmocka_unit_test(test_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
