/* Crews: start and restart, identity, signals, destructors, the wait for the last one out, crews that
 * nobody waits for, and a system that refuses. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
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

/* -- threads that end and are started again ------------------------------------------------------- */

static pthread_key_t key;
static tp_atomic(uint32_t) n_destroyed, may_destroy;

static void destroy(void *value)
{
    (void)value;
    while (tp_load_acq(&may_destroy) == 0)
        sched_yield();
    tp_add_sc(&n_destroyed, 1);
}

static int set_up_key(void **state)
{
    tp_store_rlx(&n_destroyed, 0);
    tp_store_rlx(&may_destroy, 1);
    return pthread_key_create(&key, destroy) != 0 || set_up(state) != 0;
}

static int tear_down_key(void **state)
{
    return tear_down(state) != 0 || pthread_key_delete(key) != 0;
}

/* The destructors of the thread before have run. */
static void leave_a_value(struct tp_worker *worker)
{
    if (tp_load_acq(&n_destroyed) != tp_add_sc(&n_entered, 1))
        tp_add_sc(&n_wrong, 1);
    pthread_setspecific(key, worker);
}

static void test_start_again(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= ROUNDS / 4; i++) {
        start(1, leave_a_value);
        while (tp_load_acq(&n_entered) < i)
            sched_yield();
        if (i % 2 == 0) /* else it may still be on its way out */
            assert_int_equal(tp_crew_wait(&crew, TP_FOREVER), 0);
        if (i % 3 == 0)
            tp_crew_sweep(&crew);
    }
    finish(1);
    assert_int_equal(tp_load_acq(&n_destroyed), ROUNDS / 4);
    assert_int_equal(tp_load_acq(&n_wrong), 0);
}

static void test_reap_waits_for_destructors(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 50; i++) {
        start(1, leave_a_value);
        finish(1);
        assert_int_equal(tp_load_acq(&n_destroyed), i);
    }
}

static void test_sweep_waits_for_nobody(void **state)
{
    (void)state;
    tp_store_rel(&may_destroy, 0);
    start(1, leave_a_value);
    assert_int_equal(tp_crew_wait(&crew, TP_FOREVER), 0);
    tp_crew_sweep(&crew);
    assert_true(workers[0].has_thread);
    tp_store_rel(&may_destroy, 1);
    while (workers[0].has_thread)
        tp_crew_sweep(&crew);
    assert_int_equal(tp_load_acq(&n_destroyed), 1);
    tp_crew_reap(&workers[0]); /* nothing is left to do */
}

static void test_reap_leaves_who_is_there(void **state)
{
    (void)state;
    tp_crew_add(&crew, &workers[1], "unit", stay);
    start(1, stay);
    tp_crew_reap(&workers[0]);
    tp_crew_reap(&workers[1]); /* never started */
    assert_int_equal(tp_crew_wait(&crew, 0), TP_ETIMEDOUT);
    tp_store_rel(&may_leave, 1);
    finish(1);
}

static void test_refused_again(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        while (tp_load_acq(&n_destroyed) < i) /* else the one before might wait for `may_destroy`, and this one for its end */
            sched_yield();
        tp_store_rel(&may_destroy, i % 2 != 0);
        uint32_t n = tp_load_acq(&n_entered);
        start(1, leave_a_value);
        while (tp_load_acq(&n_entered) == n)
            sched_yield();
        n_before_refusal = 0; /* the thread before has left, or is on its way out */
        assert_int_equal(start_one(0, "unit", leave_a_value), TP_ETHREAD);
        n_before_refusal = -1;
        tp_store_rel(&may_destroy, 1);
        if (i % 3 == 0)
            finish(1);
        if (i % 3 == 1) /* the sweep finds the thread before as well */
            while (workers[0].has_thread)
                tp_crew_sweep(&crew);
    }
    finish(1);
    assert_int_equal(tp_load_acq(&n_destroyed), 100);
    assert_int_equal(tp_load_acq(&n_wrong), 0);
}

static void test_closed(void **state)
{
    (void)state;
    assert_true(tp__crew_enter(&crew));
    assert_int_equal(tp_crew_wait(&crew, 0), TP_ETIMEDOUT); /* room is waited for */
    tp__crew_forgo(&crew);
    assert_int_equal(tp_crew_wait(&crew, 0), 0);
    assert_false(tp__crew_enter(&crew));
    start(1, enter); /* opens it again */
    assert_true(tp__crew_enter(&crew));
    tp__crew_forgo(&crew);
    finish(1);
}

/* -- nobody waits ------------------------------------------------------------------------------------ */

static tp_atomic(uint32_t) n_last, may_end;

static void last_out(void *context)
{
    struct tp_crew **abandoned = context;
    if (tp_worker_self() || tp__crew_enter(*abandoned)) /* nobody enters an abandoned crew after its last one has left */
        tp_add_sc(&n_wrong, 1);
    tp_crew_free(*abandoned);
    free(*abandoned); /* the workers lie behind it */
    tp_add_sc(&n_last, 1);
}

/* Memory of its own, so that the sanitizers see who touches it too late. */
static struct tp_worker *new_crew(struct tp_crew **crew_out, int n)
{
    size_t offset = (sizeof(struct tp_crew) + 63) / 64 * 64;
    *crew_out = calloc(1, offset + (size_t)n * sizeof(struct tp_worker));
    assert_non_null(*crew_out);
    tp_crew_init(*crew_out);
    return (struct tp_worker *)((char *)*crew_out + offset);
}

static void pass(struct tp_worker *worker)
{
    (void)worker;
    tp_add_sc(&n_entered, 1);
    while (tp_load_acq(&may_leave) == 0)
        sched_yield();
    pthread_setspecific(key, &may_end);
}

/* Started, then abandoned: before, while or after they leave. */
static void abandon(int i, int n)
{
    struct tp_crew *abandoned;
    struct tp_worker *list = new_crew(&abandoned, n);
    set_up(NULL);
    tp_store_rlx(&n_last, 0);
    tp_store_rlx(&n_destroyed, 0);
    tp_store_rel(&may_leave, i % 3 != 0);
    for (int k = 0; k < n; k++) {
        tp_crew_add(abandoned, &list[k], "unit", pass);
        assert_int_equal(tp_crew_start(&list[k]), 0);
    }
    if (i % 3 == 1)
        assert_int_equal(tp_crew_wait(abandoned, TP_FOREVER), 0);
    if (n > 1 && i % 3 == 1) { /* one that is started again */
        assert_int_equal(tp_crew_start(&list[1]), 0);
        n++;
    }
    tp_crew_abandon(abandoned, last_out, &abandoned);
    if (n == 0)
        assert_int_equal(tp_load_acq(&n_last), 1); /* by the call itself */
    tp_store_rel(&may_leave, 1);
    while (tp_load_acq(&n_last) == 0 || tp_load_acq(&n_destroyed) < (uint32_t)n)
        sched_yield();
    assert_int_equal(tp_load_acq(&n_last), 1);
    assert_int_equal(tp_load_acq(&n_entered), n);
    assert_int_equal(tp_load_acq(&n_wrong), 0);
}

static void test_abandon(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++)
        abandon(i, i % 4);
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
        cmocka_unit_test_setup_teardown(test_start_again, set_up_key, tear_down_key),
        cmocka_unit_test_setup_teardown(test_reap_waits_for_destructors, set_up_key, tear_down_key),
        cmocka_unit_test_setup_teardown(test_sweep_waits_for_nobody, set_up_key, tear_down_key),
        cmocka_unit_test_setup_teardown(test_reap_leaves_who_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_again, set_up_key, tear_down_key),
        cmocka_unit_test_setup_teardown(test_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_abandon, set_up_key, tear_down_key),
        cmocka_unit_test(test_thread_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
