/* Shared handles: over once, callbacks once and outside of locks, gone with the last reference. */
#include "runtime/handle.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct tp_task_result seven = {TP_TASK_RETURNED, 7};

static struct tp_handle *handle;
static struct tp_task_result heard[4];
static size_t n_heard;

static int begin(void **state)
{
    (void)state;
    n_heard = 0;
    return tp_handle_new(&handle);
}

static void hear(void *argument, struct tp_task_result result)
{
    (void)argument;
    heard[n_heard++] = result;
}

static void test_once(void **state)
{
    (void)state;
    struct tp_task_result result = {TP_TASK_FAILED, -1};
    assert_int_equal(tp_handle_wait(handle, 0, &result), TP_ETIMEDOUT);
    assert_int_equal(tp_handle_wait(handle, tp_deadline_in_ns(TP_MILLISECOND), &result), TP_ETIMEDOUT);
    assert_int_equal(result.code, -1);
    assert_int_equal(tp_handle_complete(handle, seven), 0);
    assert_int_equal(tp_handle_complete(handle, result), TP_EDONE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tp_handle_wait(handle, i == 0 ? 0 : TP_FOREVER, &result), 0);
        assert_int_equal(result.code, 7);
        assert_int_equal(result.state, TP_TASK_RETURNED);
    }
    assert_int_equal(tp_handle_wait(handle, 0, NULL), 0);
    tp_handle_unref(handle);
    tp_handle_unref(NULL);
}

static void test_callbacks(void **state)
{
    (void)state;
    struct tp_callback early[3], late;
    for (int i = 0; i < 3; i++)
        tp_handle_on_over(handle, &early[i], hear, NULL);
    assert_int_equal(tp_handle_forget(handle, &early[2]), 0); /* the last: the next goes where it was */
    assert_int_equal(tp_handle_forget(handle, &early[2]), TP_EDONE);
    tp_handle_on_over(handle, &early[2], hear, NULL);
    assert_int_equal(tp_handle_forget(handle, &early[0]), 0);
    assert_int_equal(n_heard, 0);
    assert_int_equal(tp_handle_complete(handle, seven), 0);
    assert_int_equal(n_heard, 2);
    tp_handle_on_over(handle, &late, hear, NULL);
    assert_int_equal(n_heard, 3);
    assert_int_equal(tp_handle_forget(handle, &late), TP_EDONE);
    for (size_t i = 0; i < n_heard; i++)
        assert_int_equal(heard[i].code, 7);
    tp_handle_unref(handle);
}

static char order[4];
static size_t n_order;

static void note(void *letter, struct tp_task_result result)
{
    (void)result;
    order[n_order++] = *(const char *)letter;
}

static void test_in_order(void **state)
{
    (void)state;
    struct tp_callback callbacks[3];
    for (int i = 0; i < 3; i++)
        tp_handle_on_over(handle, &callbacks[i], note, (void *)&"abc"[i]);
    tp_handle_complete(handle, seven);
    assert_string_equal(order, "abc");
    tp_handle_unref(handle);
}

/* Nobody is left who could complete it: that is an end as well. */
static void test_let_go(void **state)
{
    (void)state;
    struct tp_callback callback;
    tp_handle_on_over(tp_handle_ref(handle), &callback, hear, NULL);
    tp_handle_unref(handle);
    assert_int_equal(n_heard, 0);
    tp_handle_unref(handle);
    assert_int_equal(n_heard, 1);
    assert_int_equal(heard[0].state, TP_TASK_DROPPED);
    assert_int_equal(heard[0].code, TP_EDROPPED);
}

/* A callback may use the handle, as no lock is held: it gives another callback, looks, and lets go of a reference. */
static struct tp_callback inner;

static void use(void *argument, struct tp_task_result result)
{
    assert_int_equal(tp_handle_wait(argument, 0, NULL), 0);
    assert_int_equal(tp_handle_complete(argument, result), TP_EDONE);
    tp_handle_on_over(argument, &inner, hear, NULL);
    tp_handle_unref(argument);
}

static void test_callback_uses_it(void **state)
{
    (void)state;
    struct tp_callback callback;
    tp_handle_on_over(handle, &callback, use, tp_handle_ref(handle));
    assert_int_equal(tp_handle_complete(handle, seven), 0);
    assert_int_equal(n_heard, 1);
    tp_handle_unref(handle);
}

enum { WAITERS = 70 };

static void *wait_for_it(void *argument)
{
    struct tp_task_result result = {0};
    tp_handle_wait(argument, TP_FOREVER, &result);
    tp_handle_unref(argument);
    return (void *)(intptr_t)result.code;
}

static void test_many_wait(void **state)
{
    (void)state;
    pthread_t threads[WAITERS];
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_it, tp_handle_ref(handle)), 0);
    assert_int_equal(tp_handle_complete(handle, seven), 0);
    tp_handle_unref(handle);
    for (int i = 0; i < WAITERS; i++) {
        void *code;
        pthread_join(threads[i], &code);
        assert_int_equal((intptr_t)code, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_once, begin),
        cmocka_unit_test_setup(test_callbacks, begin),
        cmocka_unit_test_setup(test_in_order, begin),
        cmocka_unit_test_setup(test_let_go, begin),
        cmocka_unit_test_setup(test_callback_uses_it, begin),
        cmocka_unit_test_setup(test_many_wait, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
