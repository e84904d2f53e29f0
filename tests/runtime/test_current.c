/* The current-thread flavour alone: what is left over, its order, and its table of functions. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"

enum { MANY = 300 };

static struct tp_runtime *runtime;
static struct tp_chan *there;
static tp_atomic(uint32_t) n_done, n_wrong;

static void expect(bool is_so)
{
    if (!is_so)
        tp_add_sc(&n_wrong, 1);
}

static void no_report(const struct tp_panic_report *report, void *context)
{
    (void)report;
    (void)context;
}

static void start(void)
{
    tp_store_sc(&n_done, 0);
    tp_store_sc(&n_wrong, 0);
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.flavour = TP_RUNTIME_CURRENT, .on_panic = no_report}), 0);
    assert_int_equal(tp_chan_open(&there, sizeof(int), 0), 0);
}

static void stop(void)
{
    tp_runtime_free(runtime);
    tp_chan_free(there);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
}

static int count(void *argument)
{
    (void)argument;
    tp_add_sc(&n_done, 1);
    return 0;
}

static int count_later(void *argument)
{
    expect(tp_yield() == 0);
    return count(argument);
}

static int recv_forever(void *argument)
{
    int value;
    (void)argument;
    tp_add_sc(&n_done, 1);
    return tp_chan_recv(there, &value, TP_FOREVER);
}

static int panic(void *argument)
{
    (void)argument;
    tp_panic("%s", "a test");
}

static int spawn_and_leave(void *argument)
{
    for (int i = 0; i < 3; i++)
        expect(tp_task_spawn(count_later, argument, NULL) == 0);
    return 0;
}

/* What is left over goes on in the next call, and at the end. */
static void test_left_over(void **state)
{
    (void)state;
    start();
    assert_int_equal(tp_block_on(runtime, spawn_and_leave, NULL, NULL), 0);
    assert_int_equal(tp_load_sc(&n_done), 0);
    assert_int_equal(tp_block_on(runtime, count_later, NULL, NULL), 0);
    assert_int_equal(tp_load_sc(&n_done), 4);
    assert_int_equal(tp_block_on(runtime, spawn_and_leave, NULL, NULL), 0);
    stop(); /* they have not begun, and never will */
    assert_int_equal(tp_load_sc(&n_done), 4);
}

static tp_atomic(uint32_t) order;

static int take_place(void *argument)
{
    *(uint32_t *)argument = tp_add_sc(&order, 1);
    return 0;
}

/* Without a seed: first come, first served. */
static void test_order(void **state)
{
    (void)state;
    uint32_t places[MANY];
    uint64_t last = 0;
    start();
    tp_store_sc(&order, 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(tp_runtime_spawn(runtime, take_place, &places[i], i == MANY - 1 ? &last : NULL), 0);
    assert_int_equal(tp_runtime_join(runtime, last, TP_FOREVER, NULL), 0);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(places[i], i);
    stop();
}

static struct tp_pool_counts counts(const struct tp_multi_member *target)
{
    struct tp_pool_counts now;
    target->ops->counts(target->pool, &now);
    return now;
}

/* What works through the table of functions works here. */
static void test_table(void **state)
{
    (void)state;
    start();
    struct tp_multi_member target = tp_runtime_target(runtime);
    const struct tp_pool_ops *ops = target.ops;
    struct tp_call calls[] = {{count, NULL}, {recv_forever, NULL}, {count_later, NULL}, {panic, NULL}};
    struct tp_pool_settings is;
    struct tp_pool_stats stats;
    uint64_t ids[4], accepted, over;
    size_t n;
    assert_int_equal(ops->payload_bytes, sizeof *calls);
    assert_int_equal(ops->tune(target.pool, 4), 0);
    assert_int_equal(ops->tune(target.pool, 4), TP_EUNCHANGED);
    ops->settings(target.pool, &is);
    assert_true(is.capacity == 4 && is.tasks == TP_TASKS_COROUTINE && is.policy == TP_POLICY_FIFO);
    assert_int_equal(ops->offer(target.pool, UINT_MAX, calls, 4, ids, &n), 0);
    assert_int_equal(n, 4);
    assert_int_equal(ops->submit_batch(target.pool, calls, 4, &n), TP_EFULL);
    assert_int_equal(n, 0);
    assert_int_equal(ops->submit(target.pool, calls), TP_EFULL);
    struct tp_pool_counts now = counts(&target);
    assert_true(now.pending == 4 && now.running == 0 && now.suspended == 0 && now.free == 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ops->wait(target.pool, ids[i], i == 1 ? 0 : TP_FOREVER, NULL), i == 1 ? TP_ETIMEDOUT : 0);
    now = counts(&target);
    assert_true(now.pending == 0 && now.running == 0 && now.suspended == 1 && now.free == 3);
    assert_int_equal(ops->join_all(target.pool, 1), TP_ETIMEDOUT);
    tp_chan_close(there);
    assert_int_equal(ops->join_all(target.pool, TP_FOREVER), 0);
    ops->stats(target.pool, &stats);
    assert_true(stats.submitted == 4 && stats.completed == 4 && stats.failed == 2 && stats.panicked == 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ops->detach(target.pool, ids[i]), 0);
    assert_int_equal(ops->submit(target.pool, calls), 0);
    assert_int_equal(ops->reopen(target.pool), TP_EINVAL);
    assert_int_equal(ops->cancel(target.pool, TP_FOREVER), 0);
    ops->flow(target.pool, &accepted, &over);
    assert_true(accepted == 5 && over == 5);
    assert_int_equal(ops->reopen(target.pool), 0);
    assert_int_equal(ops->submit(target.pool, calls), 0);
    assert_int_equal(ops->close(target.pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&n_done), 4);
    stop();
    assert_int_equal(ops->open(&target.pool, &(struct tp_pool_settings){.workers = 1}), TP_EINVAL);
    assert_int_equal(ops->open(&target.pool, &(struct tp_pool_settings){.capacity = 1, .seed = 3, .tasks = TP_TASKS_COROUTINE}), 0);
    ops->free(target.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_left_over),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
