/* A protected part of a task: it is still that task, and its panics end with the part. */
#include "tests/support/unit.h"

#include "runtime/base/status.h"
#include "runtime/run.h"

#include <stdio.h>
#include <string.h>

static char trace[16]; /* one letter per event of a test */
static char messages[64];
static struct tp_panic_report heard; /* the last one */
static tp_atomic(uint32_t) stop_asked;

static void note(void *letter)
{
    trace[strlen(trace)] = *(const char *)letter;
}

static void listen(const struct tp_panic_report *panic, void *context)
{
    (void)context;
    note("!");
    heard = *panic;
    strcat(strcat(messages, panic->message), ";");
}

/* As a pool does it; returns whether the task panicked. */
static bool panics(void (*handler)(const struct tp_panic_report *panic, void *context), void (*task)(void))
{
    struct tp_run run = {.owner = trace, .pool = "words", .worker = 3, .id = 77, .stop = &stop_asked, .on_panic = handler};
    memset(trace, 0, sizeof trace);
    memset(messages, 0, sizeof messages);
    tp_run_enter(&run);
    if (setjmp(run.point) != 0) {
        tp_run_leave(&run);
        return true;
    }
    task();
    tp_run_leave(&run);
    return false;
}

static int look_and_panic(void *levels)
{
    assert_int_equal(tp_task_id(), 77);
    assert_int_equal(tp_task_check(), 0);
    tp_store_rlx(&stop_asked, 1); /* relaxed: one thread */
    assert_int_equal(tp_task_check(), TP_ECANCELED);
    tp_store_rlx(&stop_asked, 0); /* relaxed: as above */
    TP_DEFER(note, "p");
    if ((intptr_t)levels > 1)
        assert_int_equal(tp_task_protect(look_and_panic, (char *)levels - 1), TP_EPANICKED);
    tp_panic("protected %d", (int)(intptr_t)levels);
}

static void protect_twice(void)
{
    TP_DEFER(note, "t");
    assert_int_equal(tp_task_protect(look_and_panic, (void *)2), TP_EPANICKED);
    assert_int_equal(tp_task_id(), 77);
    note("+");
}

static void test_in_a_task(void **state)
{
    (void)state;
    assert_false(panics(listen, protect_twice));
    assert_string_equal(trace, "p!p!+t");
    assert_string_equal(messages, "protected 1;protected 2;");
    assert_int_equal(heard.id, 77);
    assert_int_equal(heard.worker, 3);
    assert_string_equal(heard.pool, "words");
}

static int panic_protected(void *message)
{
    tp_panic("%s", (const char *)message);
}

/* What a handler protects is reported by tp_panic_log: it is not called inside of itself. */
static void protect_in_handler(const struct tp_panic_report *panic, void *context)
{
    listen(panic, context);
    assert_int_equal(tp_task_protect(panic_protected, (void *)"of the handler"), TP_EPANICKED);
    note("h");
}

static void panic_once(void)
{
    tp_panic("once");
}

static void test_in_a_handler(void **state)
{
    (void)state;
    assert_true(panics(protect_in_handler, panic_once));
    assert_string_equal(trace, "!h");
    assert_string_equal(messages, "once;");
}

static int look_outside(void *argument)
{
    assert_int_equal(tp_task_id(), 0);
    assert_int_equal(tp_task_check(), 0);
    return argument ? panic_protected(argument) : 5;
}

static void test_outside(void **state)
{
    (void)state;
    assert_int_equal(tp_task_protect(look_outside, NULL), 5);
    assert_int_equal(tp_task_protect(look_outside, (void *)"outside"), TP_EPANICKED);
    assert_null(tp_run_self());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_a_task),
        cmocka_unit_test(test_in_a_handler),
        cmocka_unit_test(test_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
