/* Traces: how many slices and moments a known course leaves, what becomes of those that do not fit, and traces that begin and end under
 * load. */
#include "../../../runtime/tidepool.h"
#include "../../../runtime/worker.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

static struct tp_runtime *open_current(bool virtual_time)
{
    struct tp_runtime *runtime;
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.flavour = TP_RUNTIME_CURRENT, .virtual_time = virtual_time}), 0);
    return runtime;
}

/* On a current-thread runtime: each task runs three times, and between two of them the worker changes from no thread to idle, running, and
 * back. */
static void test_slices_are_counted(void **unused)
{
    (void)unused;
    struct tp_runtime *runtime = open_current(false);
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

/* -- who wakes whom ----------------------------------------------------------------------------- */

static struct tp_fd reader, writer;
static struct tp_semaphore gate;

static void do_nothing(void *unused)
{
    (void)unused;
}

static int sleep_twice(void *unused)
{
    (void)unused;
    return tp_sleep_ns(TP_SECOND) != 0 || tp_sleep_ns(TP_SECOND) != 0;
}

static int keep_a_timer(void *runtime)
{
    struct tp_timer timer;
    if (tp_timer_init(&timer, tp_runtime_target(runtime), do_nothing, NULL) != 0)
        return -1;
    tp_timer_set(&timer, tp_deadline_in_ns(TP_SECOND), TP_SECOND);
    int status = tp_sleep_ns(4 * TP_SECOND + 1);
    tp_timer_end(&timer);
    return status;
}

static int open_gate(void *unused)
{
    (void)unused;
    tp_semaphore_release(&gate, 1);
    return 0;
}

static int write_byte(void *unused)
{
    size_t n;
    (void)unused;
    return tp_write(writer, "x", 1, TP_FOREVER, &n);
}

static int await_others(void *unused)
{
    char byte;
    size_t n;
    (void)unused;
    if (tp_task_spawn(open_gate, NULL, NULL) != 0 || tp_semaphore_acquire(&gate, 1, TP_FOREVER) != 0)
        return -1;
    return tp_task_spawn(write_byte, NULL, NULL) != 0 || tp_read(reader, &byte, 1, TP_FOREVER, &n) != 0;
}

/* The file of the trace, as malloc gave it. */
static char *stop_and_read(void)
{
    int fd = memfd_create("trace", MFD_CLOEXEC);
    assert_int_equal(tp_trace_stop(fd, NULL), 0);
    off_t n = lseek(fd, 0, SEEK_CUR);
    char *text = malloc((size_t)n + 1);
    assert_int_equal(pread(fd, text, (size_t)n, 0), n);
    text[n] = '\0';
    close(fd);
    return text;
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static void block_on(struct tp_runtime *runtime, int (*run)(void *argument))
{
    struct tp_task_result result;
    assert_int_equal(tp_block_on(runtime, run, runtime, &result), 0);
    assert_int_equal(result.code, 0);
}

/* Each wait ends with one wake-up, on a runtime with a time of its own; and what is recorded by its tasks has the time of the rest. */
static void test_wake_ups(void **unused)
{
    (void)unused;
    struct tp_runtime *runtime = open_current(true);
    char event[64];
    assert_int_equal(tp_pipe(&reader, &writer), 0);
    tp_semaphore_init(&gate, 0);
    uint64_t from_ns = tp_clock_now_ns();
    assert_int_equal(tp_trace_start(NULL), 0);
    block_on(runtime, sleep_twice);
    block_on(runtime, keep_a_timer);
    block_on(runtime, await_others);
    char *text = stop_and_read();
    snprintf(event, sizeof event, "\"cat\":\"event\",\"name\":\"descriptor\",\"args\":{\"fd\":%d}", reader.fd);
    assert_int_equal(count(text, "\"then\":\"waits\""), 2 + 1 + 2);
    assert_int_equal(count(text, "\"cat\":\"wake\""), 2 + 1 + 2);
    assert_int_equal(count(text, "\"by\":\"deadline\""), 2 + 1);
    assert_int_equal(count(text, "\"cat\":\"timer\""), 4);
    assert_int_equal(count(text, event), 1);
    assert_int_equal(count(text, "\"cat\":\"event\""), 1);
    assert_int_equal(count(text, "\"ph\":\"i\""), 2 + 1 + 2 + 1);
    double from_us = (double)(from_ns / 1000), to_us = (double)(tp_clock_now_ns() / 1000 + 1);
    for (const char *at = text; (at = strstr(at, "\"ts\":")); at++) {
        double us = strtod(at + 5, NULL);
        assert_true(us >= from_us && us <= to_us);
    }
    free(text);
    tp_semaphore_end(&gate);
    tp_fd_close(reader);
    tp_fd_close(writer);
    tp_runtime_free(runtime);
}

/* -- many threads ------------------------------------------------------------------------------- */

static void *take_number(void *number)
{
    *(unsigned *)number = tp_thread_index();
    return NULL;
}

static void *record_some(void *unused)
{
    struct tp_runtime *runtime = open_current(false);
    struct tp_trace_report report;
    assert_int_equal(tp_trace_start(NULL), 0);
    run_some(runtime, 4);
    assert_int_equal(tp_trace_stop(-1, &report), 0);
    assert_int_equal(report.n_kept, 4 * 3 + 4 * 3 - 1); /* as above */
    assert_int_equal(report.n_lost, 0);
    tp_runtime_free(runtime);
    return unused;
}

/* However many threads there have been, a new one is told of. */
static void test_after_many_threads(void **unused)
{
    (void)unused;
    pthread_t thread;
    for (unsigned number = 0; number < 2000;) {
        assert_int_equal(pthread_create(&thread, NULL, take_number, &number), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(pthread_create(&thread, NULL, record_some, NULL), 0);
    pthread_join(thread, NULL);
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
        cmocka_unit_test(test_wake_ups),
        cmocka_unit_test(test_after_many_threads),
        cmocka_unit_test(test_what_cannot_be_written),
        cmocka_unit_test(test_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
