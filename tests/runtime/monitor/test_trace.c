/* Traces: how many slices a known course leaves, what becomes of those that do not fit, and traces that begin and end under load. */
#include "../../../runtime/tidepool.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static int yield_twice(void *unused)
{
    (void)unused;
    tp_yield();
    return tp_yield();
}

static void run_some(struct tp_runtime *runtime, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(tp_block_on(runtime, yield_twice, NULL, NULL), 0);
}

static struct tp_runtime *open_current(void)
{
    struct tp_runtime *runtime;
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.flavour = TP_RUNTIME_CURRENT}), 0);
    return runtime;
}

/* On a current-thread runtime: each task runs three times, and between two of them the worker changes from no thread to idle, running, and
 * back. */
static void test_slices_are_counted(void **unused)
{
    (void)unused;
    struct tp_runtime *runtime = open_current();
    struct tp_trace_report report;
    assert_int_equal(tp_trace_stop(-1, NULL), TP_EINVAL);
    run_some(runtime, 5);
    assert_int_equal(tp_trace_start(NULL), 0);
    assert_int_equal(tp_trace_start(NULL), TP_EBUSY);
    run_some(runtime, 4);
    assert_int_equal(tp_trace_stop(-1, &report), 0);
    assert_int_equal(report.n_kept, 4 * 3 + 4 * 3 - 1); /* the first change of the worker ends what began before the trace */
    assert_int_equal(report.n_lost, 0);
    run_some(runtime, 5);
    assert_int_equal(tp_trace_start(&(struct tp_trace_settings){.bytes = 1, .per_thread = 7}), 0);
    run_some(runtime, 4);
    assert_int_equal(tp_trace_stop(-1, &report), 0);
    assert_int_equal(report.n_kept, 7);
    assert_int_equal(report.n_lost, 4 * 3 + 4 * 3 - 1 - 7);
    assert_int_equal(tp_trace_start(NULL), 0);
    assert_int_equal(tp_trace_stop(-1, &report), 0);
    assert_int_equal(report.n_kept + report.n_lost, 0);
    tp_runtime_free(runtime);
}

static void test_what_cannot_be_written(void **unused)
{
    (void)unused;
    assert_int_equal(tp_trace_start(NULL), 0);
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(tp_trace_stop(fd, NULL), TP_EIO);
    close(fd);
    assert_int_equal(tp_trace_stop(-1, NULL), TP_EINVAL); /* it is over all the same */
}

static void test_under_load(void **unused)
{
    (void)unused;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int round = 0; round < 6; round++) {
        const struct tp_pool_settings settings = {.workers = 3, .tasks = round % 2 == 0 ? TP_TASKS_COROUTINE : TP_TASKS_FUNCTION};
        struct tp_pool *pool;
        assert_int_equal(tp_pool_open(&pool, &settings), 0);
        for (int i = 0; i < 5; i++) {
            for (int j = 0; j < 50; j++)
                assert_int_equal(tp_pool_submit(pool, yield_twice, NULL), 0);
            assert_int_equal(tp_trace_start(&(struct tp_trace_settings){.bytes = 1 << 16, .per_thread = 100}), 0);
            for (int j = 0; j < 50; j++)
                assert_int_equal(tp_pool_submit(pool, yield_twice, NULL), 0);
            assert_int_equal(tp_trace_stop(fd, NULL), 0);
        }
        tp_pool_free(pool);
    }
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices_are_counted),
        cmocka_unit_test(test_what_cannot_be_written),
        cmocka_unit_test(test_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
