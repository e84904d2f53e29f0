/* Crews: start, identity, signals, the wait for the last one out, and a system that refuses. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

enum { WORKERS = 8,
    ROUNDS = 1000 };

static struct tp_crew crew;
static struct tp_worker workers[WORKERS];
static tp_atomic(uint32_t) n_entered, n_wrong, may_leave;
static int n_before_refusal = -1; /* threads that the system still grants; -1: all */

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument)
{
    if (n_before_refusal == 0)
        return EAGAIN;
    n_before_refusal -= n_before_refusal > 0;
    return __real_pthread_create(thread, attributes, body, argument);
}

static int set_up(void **state)
{
    (void)state;
    tp_crew_init(&crew);
    memset(workers, 0, sizeof workers);
    for (unsigned i = 0; i < WORKERS; i++)
        workers[i].index = i;
    tp_store_rlx(&n_entered, 0);
    tp_store_rlx(&n_wrong, 0);
    tp_store_rlx(&may_leave, 0);
    n_before_refusal = -1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tp_crew_free(&crew);
    return 0;
}

static int start_one(int i, const char *name, void (*entry)(struct tp_worker *))
{
    tp_crew_add(&crew, &workers[i], name, entry);
    return tp_crew_start(&workers[i]);
}

static void start(int n, void (*entry)(struct tp_worker *))
{
    for (int i = 0; i < n; i++)
        assert_int_equal(start_one(i, "unit", entry), 0);
}

static void finish(int n)
{
    assert_int_equal(tp_crew_wait(&crew, TP_FOREVER), 0);
    for (int i = 0; i < n; i++)
        tp_crew_reap(&workers[i]);
}

static void enter(struct tp_worker *worker)
{
    (void)worker;
    tp_add_sc(&n_entered, 1);
}

static void check_self(struct tp_worker *worker)
{
    if (tp_worker_self() != worker || worker->index != (unsigned)(worker - workers) || worker->crew != &crew)
        tp_add_sc(&n_wrong, 1);
    enter(worker);
}

static void test_each_runs_as_itself(void **state)
{
    (void)state;
    assert_null(tp_worker_self());
    start(WORKERS, check_self);
    finish(WORKERS);
    assert_int_equal(tp_load_acq(&n_entered), WORKERS);
    assert_int_equal(tp_load_acq(&n_wrong), 0);
    assert_null(tp_worker_self());
}

static void check_signals(struct tp_worker *worker)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    static const int others[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM, SIGPIPE};
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (sigismember(&mask, faults[i]))
            tp_add_sc(&n_wrong, 1);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!sigismember(&mask, others[i]))
            tp_add_sc(&n_wrong, 1);
    enter(worker);
}

/* Gives this thread a mask of its own. */
static void choose_mask(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void assert_chosen_mask(void)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < NSIG; i++)
        assert_int_equal(sigismember(&mask, i), i == SIGUSR2);
}

static void test_signals(void **state)
{
    (void)state;
    choose_mask();
    start(1, check_signals);
    assert_chosen_mask();
    finish(1);
    assert_int_equal(tp_load_acq(&n_entered), 1);
    assert_int_equal(tp_load_acq(&n_wrong), 0);
}

static void stay(struct tp_worker *worker)
{
    enter(worker);
    while (tp_load_acq(&may_leave) == 0)
        tp_relax();
}

static void test_name(void **state)
{
    char name[32];
    (void)state;
    assert_int_equal(start_one(0, "unit", stay), 0);
    workers[1].index = 4095;
    assert_int_equal(start_one(1, "a name that is too long", stay), 0);
    while (tp_load_acq(&n_entered) < 2)
        sched_yield();
    assert_int_equal(pthread_getname_np(workers[0].thread, name, sizeof name), 0);
    assert_string_equal(name, "unit/0");
    assert_int_equal(pthread_getname_np(workers[1].thread, name, sizeof name), 0);
    assert_string_equal(name, "a name th/4095");
    tp_store_rel(&may_leave, 1);
    finish(2);
}

static void test_wait_deadlines(void **state)
{
    (void)state;
    assert_int_equal(tp_crew_wait(&crew, 0), 0); /* nobody to wait for */
    start(2, stay);
    assert_int_equal(tp_crew_wait(&crew, 0), TP_ETIMEDOUT);
    assert_int_equal(tp_crew_wait(&crew, tp_clock_now_ns() - 1), TP_ETIMEDOUT);
    uint64_t deadline = tp_deadline_in_ns(3 * TP_MILLISECOND);
    assert_int_equal(tp_crew_wait(&crew, deadline), TP_ETIMEDOUT);
    assert_true(tp_clock_now_ns() >= deadline);
    tp_store_rel(&may_leave, 1);
    assert_int_equal(tp_crew_wait(&crew, TP_FOREVER - 1), 0); /* must not be taken for the past */
    finish(2);
}

static void *wait_and_reap(void *argument)
{
    if (tp_crew_wait(&crew, TP_FOREVER) != 0)
        tp_add_sc(&n_wrong, 1);
    for (int i = 0; i < WORKERS; i++)
        tp_crew_reap(&workers[i]);
    return argument;
}

static void test_many_wait_and_reap(void **state)
{
    struct crowd crowd = {.n = 0};
    (void)state;
    start(WORKERS, stay);
    for (int i = 0; i < 4; i++)
        crowd_add(&crowd, wait_and_reap, NULL);
    tp_store_rel(&may_leave, 1);
    crowd_join(&crowd);
    assert_int_equal(tp_load_acq(&n_wrong), 0);
}

static void test_refused(void **state)
{
    (void)state;
    choose_mask();
    n_before_refusal = 2;
    start(2, enter);
    assert_int_equal(start_one(2, "unit", enter), TP_ETHREAD);
    n_before_refusal = -1;
    assert_chosen_mask();
    finish(2);
    assert_int_equal(tp_load_acq(&n_entered), 2);
    assert_int_equal(start_one(2, "unit", enter), 0); /* later it may work */
    assert_int_equal(tp_crew_wait(&crew, TP_FOREVER), 0);
    tp_crew_reap(&workers[2]);
}

static void test_refused_at_once(void **state)
{
    (void)state;
    n_before_refusal = 0;
    assert_int_equal(start_one(0, "unit", enter), TP_ETHREAD);
    n_before_refusal = -1;
    assert_int_equal(tp_crew_wait(&crew, TP_FOREVER), 0);
}

static void test_open_and_close(void **state)
{
    for (int i = 0; i < ROUNDS; i++) {
        set_up(state);
        start(2, enter);
        finish(2);
        assert_int_equal(tp_load_acq(&n_entered), 2);
        tear_down(state);
    }
    set_up(state);
}

static void *read_index(void *argument)
{
    unsigned index = tp_thread_index();
    *(unsigned *)argument = index == tp_thread_index() ? index : UINT32_MAX;
    return NULL;
}

static void test_thread_index(void **state)
{
    struct crowd crowd = {.n = 0};
    unsigned index[WORKERS + 1];
    (void)state;
    for (int i = 0; i < WORKERS; i++)
        crowd_add(&crowd, read_index, &index[i]);
    crowd_join(&crowd);
    read_index(&index[WORKERS]);
    for (int i = 0; i <= WORKERS; i++)
        for (int k = 0; k < i; k++)
            assert_int_not_equal(index[i], index[k]);
    assert_int_equal(index[WORKERS], tp_thread_index());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_runs_as_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_signals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wait_deadlines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_wait_and_reap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_and_close, set_up, tear_down),
        cmocka_unit_test(test_thread_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
