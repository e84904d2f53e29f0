/* What workers do, as others see it: the state machine, change by change, and the workers of pools that are brought into each state. */
#include "../../runtime/tidepool.h"
#include "../../runtime/activity.h"

#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N_STATES = 8 };

/* The states, with the reasons to be blocked told apart, and how to get there. */
static const struct state {
    enum tp_activity_state state;
    enum tp_blocked reason;
    const char *word;
} states[N_STATES] = {
    {TP_ACTIVITY_BLOCKED, TP_BLOCKED_NO_THREAD, "no thread"},
    {TP_ACTIVITY_BLOCKED, TP_BLOCKED_SHUTDOWN, "shutdown"},
    {TP_ACTIVITY_BLOCKED, TP_BLOCKED_PARKED, "parked"},
    {TP_ACTIVITY_BLOCKED, TP_BLOCKED_LOOKOUT, "lookout"},
    {TP_ACTIVITY_BLOCKED, TP_BLOCKED_TASK, "waiting"},
    {TP_ACTIVITY_IDLE, 0, "idle"},
    {TP_ACTIVITY_RUNNING, 0, "running"},
    {TP_ACTIVITY_STEALING, 0, "stealing"},
};

static struct tp_activity in_state(int i)
{
    struct tp_activity activity = {0};
    if (i == 0)
        return activity;
    tp_activity_begin(&activity);
    if (i == 4 || i == 6)
        tp_activity_run(&activity);
    if (i == 7)
        tp_activity_steal(&activity, 3);
    if (i < 5)
        tp_activity_block(&activity, states[i].reason);
    return activity;
}

/* Each change, and the states from which it may be made: one digit per state. */
static enum tp_activity_outcome change(struct tp_activity *activity, int which)
{
    switch (which) {
    case 0:
        return tp_activity_begin(activity);
    case 1:
        return tp_activity_seek(activity);
    case 2:
        return tp_activity_steal(activity, 5);
    case 3:
        return tp_activity_run(activity);
    case 4:
        return tp_activity_unblock(activity);
    default:
        return tp_activity_block(activity, (enum tp_blocked)(which - 5));
    }
}

static const char *const may[] = {
    "11000000", /* begin */
    "00000010", /* seek */
    "00000101", /* steal */
    "00000101", /* run */
    "00111000", /* unblock */
    "00110111", /* block: no thread */
    "00000101", /* shutdown */
    "00000101", /* parked */
    "00000101", /* lookout */
    "00000010", /* task */
    "00000000", /* no such reason */
};
static const int leads_to[] = {5, 5, 7, 6, -1, 0, 1, 2, 3, 4};

static void test_every_change_in_every_state(void **unused)
{
    (void)unused;
    for (int i = 0; i < N_STATES; i++)
        for (int which = 0; which < (int)(sizeof may / sizeof *may); which++) {
            struct tp_activity activity = in_state(i);
            struct tp_worker_info before, after;
            tp_activity_look(&activity, &before);
            assert_int_equal(before.state, states[i].state);
            assert_int_equal(before.reason, states[i].reason);
            assert_string_equal(tp_worker_info_word(&before), states[i].word);
            bool is_legal = may[which][i] == '1';
            assert_int_equal(change(&activity, which), is_legal ? TP_ACTIVITY_MADE : TP_ACTIVITY_ILLEGAL);
            tp_activity_look(&activity, &after);
            assert_int_equal(after.n_steps, before.n_steps + is_legal);
            int to = which != 4 ? leads_to[which < 10 ? which : 0] : (i == 4 ? 6 : 5);
            assert_int_equal(after.state, is_legal ? states[to].state : before.state);
            assert_int_equal(after.reason, is_legal ? states[to].reason : before.reason);
            if (after.state == TP_ACTIVITY_STEALING)
                assert_int_equal(after.victim, is_legal ? 5 : 3);
        }
}

/* Sleeps are counted, and those between which there was no task. */
static void test_sleeps(void **unused)
{
    (void)unused;
    struct tp_activity activity = {0};
    struct tp_worker_info info;
    const struct {
        const char *course; /* letters: parks, is on the lookout, wakes up, runs, seeks, waits in a task, leaves, begins */
        uint64_t n_sleeps, n_vain;
    } courses[] = {{"bp", 1, 0}, {"wrs", 1, 0}, {"p", 2, 0}, {"wl", 3, 1}, {"wp", 4, 2}, {"wrtwsl", 5, 2}, {"wxbp", 6, 2}, {"bwp", 7, 3}, {"rwp", 8, 4}}; /* the last two begin with what cannot be */;
    for (size_t i = 0; i < sizeof courses / sizeof *courses; i++) {
        for (const char *at = courses[i].course; *at; at++)
            switch (*at) {
            case 'b':
                tp_activity_begin(&activity);
                break;
            case 'p':
                tp_activity_block(&activity, TP_BLOCKED_PARKED);
                break;
            case 'l':
                tp_activity_block(&activity, TP_BLOCKED_LOOKOUT);
                break;
            case 'x':
                tp_activity_block(&activity, TP_BLOCKED_NO_THREAD);
                break;
            case 't':
                tp_activity_block(&activity, TP_BLOCKED_TASK);
                break;
            case 'w':
                tp_activity_unblock(&activity);
                break;
            case 'r':
                tp_activity_run(&activity);
                break;
            default:
                tp_activity_seek(&activity);
            }
        tp_activity_look(&activity, &info);
        assert_int_equal(info.n_sleeps, courses[i].n_sleeps);
        assert_int_equal(info.n_vain, courses[i].n_vain);
    }
}

/* -- the workers of pools --------------------------------------------------------------------------- */

static struct tp_semaphore gate;
static tp_atomic(uint32_t) is_released;

static int wait_at_gate(void *unused)
{
    (void)unused;
    return tp_semaphore_acquire(&gate, 1, TP_FOREVER);
}

static int work_until_released(void *unused)
{
    (void)unused;
    while (tp_load_acq(&is_released) == 0) /* pairs with the release in the test */
        tp_yield();
    return 0;
}

/* Waits until so many workers are in that state. */
static void await(struct tp_pool *pool, const char *word, int n)
{
    struct tp_worker_info workers[4];
    int n_such;
    do {
        sched_yield();
        n_such = 0;
        size_t n_workers = tp_pool_get_workers(pool, workers, 4);
        for (size_t i = 0; i < n_workers; i++)
            n_such += tp_worker_info_word(&workers[i]) == word || strcmp(tp_worker_info_word(&workers[i]), word) == 0;
    } while (n_such != n);
}

static void test_workers_of(enum tp_tasks tasks, uint32_t n)
{
    struct tp_pool_settings settings = {.workers = n, .workers_min = n, .tasks = tasks, .expire_ns = TP_FOREVER};
    struct tp_pool *pool;
    struct tp_worker_info workers[4];
    tp_semaphore_init(&gate, 0);
    tp_store_rel(&is_released, 0); /* pairs with the acquire in work_until_released */
    assert_int_equal(tp_pool_open(&pool, &settings), 0);
    assert_int_equal(tp_pool_get_workers(pool, NULL, 0), n);
    await(pool, "parked", (int)n);
    assert_int_equal(tp_pool_get_workers(pool, workers, n), n);
    for (uint32_t i = 0; i < n; i++)
        assert_true(workers[i].thread > 0);

    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(tp_pool_submit(pool, wait_at_gate, NULL), 0);
    if (tasks == TP_TASKS_FUNCTION)
        await(pool, "waiting", (int)n);
    else
        await(pool, "parked", (int)n); /* they wait without them */
    tp_semaphore_release(&gate, n);
    assert_int_equal(tp_pool_join_all(pool, TP_FOREVER), 0);
    await(pool, "parked", (int)n);

    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(tp_pool_submit(pool, work_until_released, NULL), 0);
    if (tasks == TP_TASKS_FUNCTION)
        await(pool, "running", (int)n);
    tp_store_rel(&is_released, 1); /* as above */
    assert_int_equal(tp_pool_close(pool, TP_FOREVER), 0);
    uint64_t n_tasks = 0;
    assert_int_equal(tp_pool_get_workers(pool, workers, 4), n);
    for (uint32_t i = 0; i < n; i++) {
        assert_string_equal(tp_worker_info_word(&workers[i]), "shutdown");
        assert_int_equal(workers[i].thread, 0);
        n_tasks += workers[i].n_tasks;
    }
    assert_int_equal(n_tasks, 2 * n);
    tp_pool_free(pool);
}

static void test_workers_of_plain_tasks(void **unused)
{
    (void)unused;
    test_workers_of(TP_TASKS_FUNCTION, 1);
    test_workers_of(TP_TASKS_FUNCTION, 4);
}

static void test_workers_of_coroutines(void **unused)
{
    (void)unused;
    test_workers_of(TP_TASKS_COROUTINE, 1);
    test_workers_of(TP_TASKS_COROUTINE, 4);
}

/* A worker that looks out for a deadline. */
static int sleep_long(void *unused)
{
    (void)unused;
    return tp_semaphore_acquire(&gate, 1, tp_deadline_in_ns(3600 * TP_SECOND));
}

static void test_lookout(void **unused)
{
    (void)unused;
    struct tp_pool_settings settings = {.workers = 2, .tasks = TP_TASKS_COROUTINE, .expire_ns = TP_FOREVER};
    struct tp_pool *pool;
    assert_int_equal(tp_pool_open(&pool, &settings), 0);
    assert_int_equal(tp_pool_submit(pool, sleep_long, NULL), 0);
    await(pool, "lookout", 1);
    assert_int_equal(tp_pool_cancel(pool, TP_FOREVER), 0);
    tp_pool_free(pool);
}

/* The one worker of a current-thread runtime: the thread that drives, asked by its own task. */
static int look_at_oneself(void *runtime)
{
    struct tp_multi_member target = tp_runtime_target(runtime);
    struct tp_worker_info info;
    if (target.ops->workers(target.pool, &info, 1) != 1 || info.state != TP_ACTIVITY_RUNNING || info.thread <= 0)
        return -1;
    uint64_t n_steps = info.n_steps;
    tp_yield();
    target.ops->workers(target.pool, &info, 1);
    return info.n_steps == n_steps ? -2 : 0;
}

static void test_current(void **unused)
{
    (void)unused;
    struct tp_runtime *runtime;
    struct tp_task_result result;
    struct tp_worker_info info;
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.flavour = TP_RUNTIME_CURRENT}), 0);
    struct tp_multi_member target = tp_runtime_target(runtime);
    assert_int_equal(target.ops->workers(target.pool, NULL, 0), 1);
    target.ops->workers(target.pool, &info, 1);
    assert_string_equal(tp_worker_info_word(&info), "no thread");
    assert_int_equal(tp_block_on(runtime, look_at_oneself, runtime, &result), 0);
    assert_int_equal(result.code, 0);
    target.ops->workers(target.pool, &info, 1);
    assert_string_equal(tp_worker_info_word(&info), "no thread");
    assert_int_equal(info.n_tasks, 1);
    tp_runtime_free(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_change_in_every_state),
        cmocka_unit_test(test_sleeps),
        cmocka_unit_test(test_workers_of_plain_tasks),
        cmocka_unit_test(test_workers_of_coroutines),
        cmocka_unit_test(test_lookout),
        cmocka_unit_test(test_current),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
