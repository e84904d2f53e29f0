/* Reports of all tasks: what they say of each state, how they end, and that a signal brings one. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"

#include <sched.h>
#include <semaphore.h>

/* A handler that is overtaken: the next post waits until it is let go. */
static tp_atomic(uint32_t) n_held, holds;

static int late_post(sem_t *bell)
{
    if (tp_load_sc(&holds) && tp_add_sc(&n_held, 1) == 0)
        while (tp_load_sc(&holds))
            sched_yield();
    return sem_post(bell);
}

#define sem_post late_post
#define TP_DUMP_MOST 3
#include "runtime/dump.c"
#undef sem_post

#include "coro/switch.h"
#include "runtime/clock.h"
#include "runtime/fiber.h"
#include "runtime/park.h"

enum { TEXT_BYTES = 65536 };

static struct tp_fibers fibers;
static struct tp_fiber_cache cache;
static struct tp_waitlist list;
static char text[TEXT_BYTES];

/* payload: waits if it is not NULL, else yields. */
static int run_task(void *payload)
{
    if (!payload)
        return tp_yield();
    struct tp_waiter w;
    tp_waitlist_prepare(&list, &w);
    return tp_waitlist_wait(&list, &w, TP_FOREVER);
}

static void queue_ready(struct tp_fiber *fiber)
{
    tp_fiber_list_put(&fiber->fibers->list, fiber);
    tp_fibers_woken(fiber->fibers, NULL);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fibers, 0, sizeof fibers);
    memset(&cache, 0, sizeof cache);
    fibers.body = run_task;
    fibers.ready = queue_ready;
    fibers.stack_bytes = 32768;
    fibers.caches = &cache;
    fibers.n_caches = 1;
    fibers.run = (struct tp_run){.pool = "a pool with a name that is much too long", .owner = &fibers};
    tp_fibers_init(&fibers);
    tp_waitlist_init(&list);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tp_fibers_free(&fibers, false);
    return 0;
}

static struct tp_fiber *begin(void *payload, uint64_t id)
{
    struct tp_fiber *fiber = tp_fiber_get(&fibers, &cache);
    assert_non_null(fiber);
    tp_fiber_begin(fiber, payload, id);
    return fiber;
}

/* Ends all that is left. */
static void finish(void)
{
    tp_waitlist_notify(&list, UINT32_MAX);
    for (struct tp_fiber *fiber; (fiber = tp_fiber_list_take(&fibers.list)) != NULL;) {
        tp_fiber_continue(fiber);
        assert_int_equal(tp_fiber_run(fiber, &cache), TP_FIBER_ENDED);
        tp_fiber_put(&fibers, &cache, fiber);
    }
}

/* The report, in `text`. */
static void take_report(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    tp_dump_tasks(fileno(file));
    rewind(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = '\0';
    fclose(file);
}

static void expect_line(const char *line)
{
    const char *at = strstr(text, line);
    assert_non_null(at);
    assert_true(at == text || at[-1] == '\n');
    assert_true(at[strlen(line)] == '\n');
}

static void test_nothing(void **state)
{
    (void)state;
    take_report();
    assert_string_equal(text, "tidepool: tasks in coroutines: 0 wait, 0 are ready, 0 run\n");
}

static void test_each_state(void **state)
{
    (void)state;
    struct tp_fiber *waits = begin(&list, 7), *ready = begin(NULL, 0);
    assert_int_equal(tp_fiber_run(waits, &cache), TP_FIBER_AWAY);
    assert_int_equal(tp_fiber_run(ready, &cache), TP_FIBER_READY);
    tp_fiber_list_put(&fibers.list, ready);
    struct tp_fiber *runs = begin(NULL, UINT64_C(1) << 40);
    take_report();
    expect_line("tidepool: tasks in coroutines: 1 wait, 1 are ready, 1 run");
    expect_line("pool a pool with a name that is much, task 7 waits");
    expect_line("pool a pool with a name that is much, an untracked task is ready");
    expect_line("pool a pool with a name that is much, task 1099511627776 runs");
#if !TP__SWITCH_PORTABLE
    assert_non_null(strstr(text, "task 7 waits\n    #0 "));
    assert_non_null(strstr(text, "    #3 "));
#endif
    struct tp_fiber *more = begin(NULL, 8);
    take_report(); /* one more than is told of */
    expect_line("and 1 more");
    assert_int_equal(tp_fiber_run(runs, &cache), TP_FIBER_READY);
    tp_fiber_list_put(&fibers.list, runs);
    assert_int_equal(tp_fiber_run(more, &cache), TP_FIBER_READY);
    tp_fiber_list_put(&fibers.list, more);
    finish();
    take_report();
    assert_string_equal(text, "tidepool: tasks in coroutines: 0 wait, 0 are ready, 0 run\n");
}

static void test_asked(void **state)
{
    (void)state;
    struct tp_fiber *runs = begin(NULL, 9);
    assert_int_equal(tp_cycle_ask(&runs->cycle, runs->generation), TP_CYCLE_NOTED);
    take_report();
    expect_line("pool a pool with a name that is much, task 9 runs, and was asked to end");
    assert_int_equal(tp_fiber_run(runs, &cache), TP_FIBER_ENDED);
    tp_fiber_put(&fibers, &cache, runs);
}

static void test_nowhere(void **state)
{
    (void)state;
    tp_dump_tasks(-1);
    int full = open("/dev/full", O_WRONLY);
    tp_dump_tasks(full);
    close(full);
}

/* -- signals ---------------------------------------------------------------------------------------- */

static void expect_report(int from)
{
    static const char wanted[] = "tidepool: tasks in coroutines: 0 wait, 0 are ready, 0 run\n";
    size_t n = 0;
    while (n < sizeof wanted - 1) {
        ssize_t got = read(from, text + n, sizeof wanted - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    text[n] = '\0';
    assert_string_equal(text, wanted);
}

static void ignore(int number)
{
    (void)number;
}

static void *handler_of(int number)
{
    struct sigaction action;
    assert_int_equal(sigaction(number, NULL, &action), 0);
    return (void *)(uintptr_t)action.sa_handler;
}

static void test_signal(void **state)
{
    (void)state;
    int first[2], second[2];
    assert_int_equal(pipe(first), 0);
    assert_int_equal(pipe(second), 0);
    signal(SIGUSR1, ignore);
    assert_int_equal(tp_dump_on_signal(0, first[1]), 0); /* it was off */
    for (int round = 0; round < 3; round++) {
        assert_int_equal(tp_dump_on_signal(SIGUSR1, first[1]), 0);
        raise(SIGUSR1);
        expect_report(first[0]);
        assert_int_equal(tp_dump_on_signal(SIGUSR2, second[1]), 0); /* another one, and elsewhere */
        assert_ptr_equal(handler_of(SIGUSR1), (void *)(uintptr_t)ignore);
        raise(SIGUSR2);
        expect_report(second[0]);
        assert_int_equal(tp_dump_on_signal(SIGKILL, first[1]), TP_EINVAL); /* and it is off */
        assert_ptr_equal(handler_of(SIGUSR2), (void *)(uintptr_t)SIG_DFL);
    }
    signal(SIGUSR1, SIG_DFL);
    close(first[0]);
    close(first[1]);
    close(second[0]);
    close(second[1]);
}

static void *raise_one(void *nothing)
{
    raise(SIGUSR1);
    return nothing;
}

/* A handler that began before the end, and goes on after it, touches nothing that is another's by then, and is not heard. */
static void test_late_handler(void **state)
{
    (void)state;
    int ends[2];
    pthread_t raiser;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(tp_dump_on_signal(SIGUSR1, ends[1]), 0);
    tp_store_sc(&holds, 1);
    assert_int_equal(pthread_create(&raiser, NULL, raise_one, NULL), 0);
    while (tp_load_sc(&n_held) == 0)
        sched_yield();
    assert_int_equal(tp_dump_on_signal(0, -1), 0);
    tp_store_sc(&holds, 0);
    assert_int_equal(pthread_join(raiser, NULL), 0);
    assert_int_equal(tp_dump_on_signal(SIGUSR1, ends[1]), 0);
    assert_int_equal(tp_dump_on_signal(0, -1), 0);
    assert_int_equal(read(ends[0], text, 1), -1);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asked, set_up, tear_down),
        cmocka_unit_test(test_nowhere),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_late_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
