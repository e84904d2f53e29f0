/* Keepers: ticks at their times, and none after a stop. The ticks tell the test; nothing sleeps. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/keeper.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

enum { STOPPERS = 4,
    ROUNDS = 300 };

static struct tp_keeper keeper;
static tp_atomic(uint32_t) n_ticks, n_wrong, may_end;
static uint64_t started_ns, last_ns;
static bool is_refused;

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument)
{
    return is_refused ? EAGAIN : __real_pthread_create(thread, attributes, body, argument);
}

static int set_up(void **state)
{
    (void)state;
    memset(&keeper, 0, sizeof keeper);
    tp_store_rlx(&n_ticks, 0);
    tp_store_rlx(&n_wrong, 0);
    tp_store_rlx(&may_end, 0);
    is_refused = false;
    return 0;
}

static void start(uint64_t period_ns, void (*tick)(void *, uint64_t))
{
    started_ns = last_ns = tp_clock_now_ns();
    assert_int_equal(tp_keeper_start(&keeper, "unit", period_ns, tick, &keeper), 0);
}

static void await_ticks(uint32_t n)
{
    while (tp_load_acq(&n_ticks) < n)
        sched_yield();
}

static void check(bool holds)
{
    if (!holds)
        tp_add_sc(&n_wrong, 1);
}

static void tick(void *context, uint64_t now_ns)
{
    check(context == &keeper && now_ns <= tp_clock_now_ns());
    check(now_ns >= last_ns && now_ns >= started_ns + keeper.period_ns);
    last_ns = now_ns;
    tp_add_sc(&n_ticks, 1);
}

static void test_ticks(void **state)
{
    (void)state;
    start(TP_MILLISECOND, tick);
    await_ticks(3);
    tp_keeper_stop(&keeper);
    assert_int_equal(tp_load_acq(&n_wrong), 0);
}

static void test_no_tick_after_stop(void **state)
{
    for (int i = 0; i < ROUNDS; i++) {
        set_up(state);
        start(1000, tick);
        if (i % 2 == 0)
            await_ticks(1);
        tp_keeper_stop(&keeper);
        uint32_t n = tp_load_acq(&n_ticks); /* the join makes the counts of all ticks visible */
        sched_yield();
        assert_int_equal(tp_load_acq(&n_ticks), n);
        assert_int_equal(tp_load_acq(&n_wrong), 0);
    }
}

/* A stop does not wait for the period. */
static void test_long_period(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        start(i % 2 == 0 ? 3600 * TP_SECOND : TP_FOREVER, tick); /* does not wrap into the past */
        for (int k = i; k % 8 != 0; k++)
            sched_yield(); /* so that it sleeps, now and then */
        tp_keeper_stop(&keeper);
    }
    assert_int_equal(tp_load_acq(&n_ticks), 0);
}

static void test_stop_is_idempotent(void **state)
{
    (void)state;
    tp_keeper_stop(&keeper); /* never started */
    start(TP_MILLISECOND, tick);
    tp_keeper_stop(&keeper);
    tp_keeper_stop(&keeper);
    start(TP_MILLISECOND, tick); /* and it may start again */
    await_ticks(1);
    tp_keeper_stop(&keeper);
}

/* Outlasts many periods. */
static void slow_tick(void *context, uint64_t now_ns)
{
    (void)context;
    (void)now_ns;
    if (tp_add_sc(&n_ticks, 1) == 0)
        while (tp_load_acq(&may_end) == 0)
            sched_yield();
    else
        check(tp_load_acq(&may_end) != 0); /* one tick at a time */
    tp_add_sc(&may_end, 1);
}

static void *stop(void *argument)
{
    tp_keeper_stop(&keeper);
    check(tp_load_acq(&may_end) >= 2); /* the tick that ran has ended */
    return argument;
}

static void test_many_stop_while_it_ticks(void **state)
{
    struct crowd crowd = {.n = 0};
    (void)state;
    start(1000, slow_tick);
    await_ticks(1);
    for (int i = 0; i < STOPPERS; i++)
        crowd_add(&crowd, stop, NULL);
    tp_add_sc(&may_end, 1);
    crowd_join(&crowd);
    assert_int_equal(tp_load_acq(&n_wrong), 0);
}

static void look_around(void *context, uint64_t now_ns)
{
    char name[32];
    sigset_t mask;
    (void)context;
    (void)now_ns;
    pthread_getname_np(pthread_self(), name, sizeof name);
    check(strcmp(name, "unit/keeper") == 0);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    check(sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM) && sigismember(&mask, SIGUSR1));
    check(!sigismember(&mask, SIGSEGV));
    tp_add_sc(&n_ticks, 1);
}

static void test_name_and_signals(void **state)
{
    sigset_t mask;
    (void)state;
    start(1000, look_around);
    await_ticks(1);
    tp_keeper_stop(&keeper);
    assert_int_equal(tp_load_acq(&n_wrong), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGINT)); /* the caller's own mask is as it was */
}

static void test_refused(void **state)
{
    (void)state;
    is_refused = true;
    assert_int_equal(tp_keeper_start(&keeper, "unit", 1000, tick, &keeper), TP_ETHREAD);
    tp_keeper_stop(&keeper);
    is_refused = false;
    start(1000, tick);
    await_ticks(1);
    tp_keeper_stop(&keeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_ticks, set_up),
        cmocka_unit_test_setup(test_no_tick_after_stop, set_up),
        cmocka_unit_test_setup(test_long_period, set_up),
        cmocka_unit_test_setup(test_stop_is_idempotent, set_up),
        cmocka_unit_test_setup(test_many_stop_while_it_ticks, set_up),
        cmocka_unit_test_setup(test_name_and_signals, set_up),
        cmocka_unit_test_setup(test_refused, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
