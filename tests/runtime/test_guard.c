/* Guards: every way out of a scope ends the coroutine, runs the clean-ups in reverse order, and does so once. */
#include "runtime/guard.h"

#include "coro/coro.h"
#include "runtime/fiber.h"
#include "runtime/run.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char seen[32];

static void note(void *letter)
{
    seen[strlen(seen)] = *(const char *)letter;
}

static void note_and_panic(void *letter)
{
    note(letter);
    tp_panic("a clean-up");
}

/* Yields until it is asked to end; notes a dot when it has left its scope. */
static int wait_for_end(void *argument)
{
    (void)argument;
    int status;
    TP_DEFER(note, ".");
    while ((status = tp_pooled_yield("news", NULL)) == 0)
        ;
    return status;
}

static int panic_at_once(void *argument)
{
    (void)argument;
    TP_DEFER(note, ".");
    tp_panic("a coroutine");
}

static int deaf(void *argument)
{
    while (!*(bool *)argument)
        tp_co_yield(NULL, NULL);
    return 0;
}

enum way { FALLS,
    RETURNS,
    BREAKS,
    PANICS,
    ENDS,
    RELEASES,
    NEVER_BEGINS };

static struct tp_co_handle handle;

static int leave_by(enum way way)
{
    for (;;) {
        struct tp_cleanup first, second;
        void *out = NULL;
        TP_GUARD(guard, tp_copool_default(), wait_for_end, NULL);
        assert_int_equal(guard.status, 0);
        handle = guard.handle;
        assert_int_equal(tp_guard_on_end(&guard, &first, note, "1"), 0);
        assert_int_equal(tp_guard_on_end(&guard, &second, note, "2"), 0);
        if (way == NEVER_BEGINS)
            break;
        assert_int_equal(tp_guard_resume(&guard, NULL, &out), 0);
        assert_string_equal(out, "news");
        if (way == RETURNS)
            return 1;
        if (way == PANICS)
            tp_panic("the scope");
        if (way == ENDS) {
            tp_guard_end(&guard);
            note("e");
            tp_guard_end(&guard);
            assert_int_equal(tp_guard_on_end(&guard, &first, note, "3"), TP_ESTALE);
            assert_int_equal(tp_guard_resume(&guard, NULL, NULL), TP_ESTALE);
        }
        if (way == RELEASES)
            handle = tp_guard_release(&guard);
        if (way != FALLS)
            break;
        way = BREAKS;
    }
    return 0;
}

static int leave_by_protected(void *way)
{
    return leave_by(*(enum way *)way);
}

static void test_ways_out(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        [FALLS] = ".21.21", [RETURNS] = ".21", [BREAKS] = ".21", [PANICS] = ".21", [ENDS] = ".21e", [RELEASES] = "", [NEVER_BEGINS] = "21"};
    for (enum way way = FALLS; way <= NEVER_BEGINS; way++) {
        memset(seen, 0, sizeof seen);
        assert_int_equal(tp_task_protect(leave_by_protected, &way), way == PANICS ? TP_EPANICKED : way == RETURNS);
        assert_string_equal(seen, wanted[way]);
        if (way != RELEASES) {
            assert_int_equal(tp_pooled_state(handle), TP_POOLED_STALE);
            continue;
        }
        assert_int_equal(tp_pooled_state(handle), TP_POOLED_SUSPENDED);
        assert_int_equal(tp_pooled_release(handle), 0);
        assert_string_equal(seen, ".");
    }
}

static int scope_with_panics(void *argument)
{
    struct tp_cleanup cleanups[3];
    TP_GUARD(guard, tp_copool_default(), wait_for_end, NULL);
    tp_guard_on_end(&guard, &cleanups[0], note, "1");
    tp_guard_on_end(&guard, &cleanups[1], note_and_panic, "2");
    tp_guard_on_end(&guard, &cleanups[2], note, "3");
    if (*(bool *)argument)
        tp_panic("the scope");
    return 0;
}

/* A clean-up that panics does not keep the others from running. */
static void test_cleanup_panics(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bool panics = i == 1;
        memset(seen, 0, sizeof seen);
        assert_int_equal(tp_task_protect(scope_with_panics, &panics), TP_EPANICKED);
        assert_string_equal(seen, "321");
    }
}

/* However many there are, they need no stack each. */
enum { MANY = 3000 };
static struct tp_cleanup many[MANY];
static unsigned n_run;

static void expect_turn(void *cleanup)
{
    assert_ptr_equal(cleanup, &many[MANY - 1 - n_run]);
    n_run++;
}

static int scope_with_many(void *argument)
{
    (void)argument;
    TP_GUARD(guard, tp_copool_default(), wait_for_end, NULL);
    for (int i = 0; i < MANY; i++)
        tp_guard_on_end(&guard, &many[i], expect_turn, &many[i]);
    return 0;
}

static void test_many_cleanups(void **state)
{
    (void)state;
    TP_GUARD(small, tp_copool_default(), scope_with_many, NULL);
    assert_int_equal(tp_guard_resume(&small, NULL, NULL), 0);
    assert_int_equal(n_run, MANY);
}

/* A panic in the coroutine is its own end, and its defers run. */
static void test_coroutine_panics(void **state)
{
    (void)state;
    int code;
    memset(seen, 0, sizeof seen);
    TP_GUARD(guard, tp_copool_default(), panic_at_once, NULL);
    assert_int_equal(tp_guard_resume(&guard, NULL, NULL), 0);
    assert_string_equal(seen, ".");
    assert_int_equal(tp_pooled_state(guard.handle), TP_POOLED_FAILED);
    assert_int_equal(tp_pooled_result(guard.handle, &code), 0);
    assert_int_equal(code, TP_EPANICKED);
}

/* Yields in a shield of its own, then ends, or panics. */
static int shielded(void *panics)
{
    TP_SHIELD;
    tp_pooled_yield(NULL, NULL);
    assert_int_equal(tp_task_check(), 0);
    if (panics)
        tp_panic("a coroutine");
    return 0;
}

/* Has one task begin what another one ends: what either has shielded is its own. */
static void check_shields(bool panics)
{
    tp_atomic(uint32_t) stop;
    struct tp_run one = {.stop = &stop}, other = {.stop = &stop};
    tp_atomic_init(&stop, 1);
    TP_GUARD(guard, tp_copool_default(), shielded, panics ? &stop : NULL);
    tp_run_enter(&one);
    assert_int_equal(tp_guard_resume(&guard, NULL, NULL), 0);
    assert_int_equal(tp_task_check(), TP_ECANCELED);
    tp_run_leave(&one);
    tp_run_enter(&other);
    tp_shield_begin();
    assert_int_equal(tp_guard_resume(&guard, NULL, NULL), 0);
    assert_int_equal(tp_task_check(), 0);
    tp_shield_end();
    assert_int_equal(tp_task_check(), TP_ECANCELED);
    tp_run_leave(&other);
    assert_int_equal(tp_pooled_state(guard.handle), panics ? TP_POOLED_FAILED : TP_POOLED_DONE);
}

static void test_shields(void **state)
{
    (void)state;
    check_shields(false);
    check_shields(true);
}

/* Two coroutines, each in a defer of its own when the other one runs. */
static void test_crossed(void **state)
{
    (void)state;
    memset(seen, 0, sizeof seen);
    TP_GUARD(one, tp_copool_default(), wait_for_end, NULL);
    TP_GUARD(two, tp_copool_default(), wait_for_end, NULL);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tp_guard_resume(&one, NULL, NULL), 0);
        assert_int_equal(tp_guard_resume(&two, NULL, NULL), 0);
    }
    tp_guard_end(&one);
    assert_string_equal(seen, ".");
}

static void test_deaf(void **state)
{
    (void)state;
    bool may_end = false;
    struct tp_co_handle kept;
    {
        TP_GUARD(guard, tp_copool_default(), deaf, &may_end);
        assert_int_equal(tp_guard_resume(&guard, NULL, NULL), 0);
        kept = guard.handle;
        tp_guard_end(&guard);
        assert_int_equal(guard.status, TP_EBUSY);
    }
    assert_int_equal(tp_pooled_state(kept), TP_POOLED_SUSPENDED);
    may_end = true;
    assert_int_equal(tp_pooled_release(kept), 0);
}

/* Without a coroutine the guard is there, and does nothing. */
static void test_refused(void **state)
{
    (void)state;
    struct tp_cleanup cleanup;
    memset(seen, 0, sizeof seen);
    {
        TP_GUARD(guard, NULL, deaf, NULL);
        assert_int_equal(guard.status, TP_EINVAL);
        assert_int_equal(tp_guard_on_end(&guard, &cleanup, note, "1"), TP_ESTALE);
        assert_int_equal(tp_guard_resume(&guard, NULL, NULL), TP_ESTALE);
        assert_null(tp_guard_release(&guard).at);
    }
    assert_string_equal(seen, "");
}

static void *open_default(void *argument)
{
    (void)argument;
    return tp_copool_default();
}

static void test_default(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct tp_copool_settings settings;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_default, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *pool;
        pthread_join(threads[i], &pool);
        assert_ptr_equal(pool, tp_copool_default());
    }
    tp_copool_get_settings(tp_copool_default(), &settings);
    assert_int_equal(settings.stack_bytes, 65536);
    assert_string_equal(settings.name, "coroutines");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_ways_out),
        cmocka_unit_test(test_cleanup_panics),
        cmocka_unit_test(test_many_cleanups),
        cmocka_unit_test(test_coroutine_panics),
        cmocka_unit_test(test_shields),
        cmocka_unit_test(test_crossed),
        cmocka_unit_test(test_deaf),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
