/* Blocking pools: who calls waits without a worker, in the queue and for room in it; what has not begun is withdrawn, what runs is
 * waited for; one pool does not hold up another. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"

#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 200 };

static const struct tp_runtime_settings kinds[] = {
    {.flavour = TP_RUNTIME_MULTI, .workers = 1},
    {.flavour = TP_RUNTIME_MULTI, .workers = 8},
    {.flavour = TP_RUNTIME_CURRENT},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static struct tp_runtime *runtime;
static struct tp_blocking *pool;
static tp_atomic(uint32_t) n_wrong, n_begun, n_done, may_end;

static void expect(bool is_so)
{
    if (!is_so)
        tp_add_sc(&n_wrong, 1);
}

static void start(const struct tp_runtime_settings *kind, uint32_t threads, uint64_t queue)
{
    tp_store_sc(&n_wrong, 0);
    tp_store_sc(&n_begun, 0);
    tp_store_sc(&n_done, 0);
    tp_store_sc(&may_end, 0);
    assert_int_equal(tp_runtime_open(&runtime, kind), 0);
    assert_int_equal(tp_blocking_open(&pool, &(struct tp_blocking_settings){.name = "test", .threads = threads, .queue = queue}), 0);
}

static void stop(void)
{
    tp_runtime_free(runtime);
    tp_blocking_free(pool);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
}

static struct tp_blocking_stats look(void)
{
    struct tp_blocking_stats now;
    tp_blocking_get_stats(pool, &now);
    return now;
}

/* -- what threads do ---------------------------------------------------------------------------- */

static int answer(void *argument)
{
    return *(const int *)argument;
}

static int panic(void *argument)
{
    (void)argument;
    tp_panic("a test");
}

static int count(void *argument)
{
    (void)argument;
    tp_add_sc(&n_done, 1);
    return 0;
}

/* Until it may end, or is asked to. */
static int hold(void *argument)
{
    (void)argument;
    tp_add_sc(&n_begun, 1);
    while (tp_load_sc(&may_end) == 0 && tp_task_check() == 0)
        sched_yield();
    tp_add_sc(&n_done, 1);
    return tp_task_check();
}

static int nested(void *argument)
{
    struct tp_task_result result;
    expect(tp_blocking_call(pool, answer, argument, 0, &result) == 0);
    expect(tp_blocking_close(pool, TP_FOREVER) == TP_EDEADLK);
    return result.code;
}

/* -- what tasks do ------------------------------------------------------------------------------ */

static int call_all(void *argument)
{
    (void)argument;
    int well = 7, badly = -7;
    struct tp_task_result result = {.code = 99};
    expect(tp_blocking_call(pool, answer, &well, TP_FOREVER, &result) == 0 && result.state == TP_TASK_RETURNED && result.code == 7);
    expect(tp_blocking_call(pool, answer, &badly, TP_FOREVER, &result) == 0 && result.state == TP_TASK_FAILED && result.code == -7);
    expect(tp_blocking_call(pool, panic, NULL, TP_FOREVER, &result) == 0 && result.state == TP_TASK_PANICKED && result.code == TP_EPANICKED);
    expect(tp_blocking_call(pool, nested, &well, TP_FOREVER, &result) == 0 && result.code == 7);
    expect(tp_blocking_call(pool, NULL, NULL, TP_FOREVER, &result) == TP_EINVAL);
    expect(tp_blocking_call(NULL, answer, &well, TP_FOREVER, NULL) == 0);
    return 0;
}

static void test_results(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        start(&kinds[k], 2, 0);
        assert_int_equal(tp_block_on(runtime, call_all, NULL, NULL), 0);
        call_all(NULL); /* from ordinary code */
        assert_int_equal(tp_blocking_close(pool, TP_FOREVER), 0);
        struct tp_blocking_stats now = look();
        assert_string_equal(now.name, "test");
        assert_true(now.completed == 8 && now.running == 0 && now.queued == 0 && now.waiting == 0 && now.withdrawn == 0);
        stop();
    }
    pool = (void *)state;
    assert_int_equal(tp_blocking_open(&pool, &(struct tp_blocking_settings){.threads = 5000}), TP_EINVAL);
    assert_ptr_equal(pool, state);
    tp_blocking_free(NULL);
}

static int call_held(void *argument)
{
    (void)argument;
    expect(tp_blocking_call(pool, hold, NULL, TP_FOREVER, NULL) == 0);
    return 0;
}

static int let_go(void *argument)
{
    (void)argument;
    while (tp_load_sc(&n_begun) == 0)
        tp_yield();
    tp_store_sc(&may_end, 1);
    return 0;
}

/* The worker of a task whose call is held lets that go. */
static void test_without_worker(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        uint64_t id;
        start(&kinds[k], 1, 0);
        assert_int_equal(tp_runtime_spawn(runtime, call_held, NULL, &id), 0);
        assert_int_equal(tp_block_on(runtime, let_go, NULL, NULL), 0);
        assert_int_equal(tp_runtime_join(runtime, id, TP_FOREVER, NULL), 0);
        stop();
    }
}

static int call_count(void *argument)
{
    expect(tp_blocking_call(argument, count, NULL, TP_FOREVER, NULL) == 0);
    return 0;
}

/* A call that holds the only thread; it runs when this returns. */
static uint64_t hold_thread(void)
{
    uint64_t held;
    assert_int_equal(tp_runtime_spawn(runtime, call_held, NULL, &held), 0);
    while (tp_load_sc(&n_begun) == 0)
        assert_int_equal(tp_runtime_join(runtime, held, tp_clock_now_ns() + 1, NULL), TP_ETIMEDOUT); /* which runs tasks where nobody else does */
    return held;
}

/* One runs, one is queued, all others wait for room, and are served. */
static void test_room(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        uint64_t ids[MANY];
        start(&kinds[k], 1, 1);
        uint64_t held = hold_thread();
        for (int i = 0; i < MANY; i++)
            assert_int_equal(tp_runtime_spawn(runtime, call_count, pool, &ids[i]), 0);
        for (struct tp_blocking_stats now; now = look(), now.running != 1 || now.queued != 1 || now.waiting != MANY - 1;)
            assert_int_equal(tp_runtime_join(runtime, held, tp_clock_now_ns() + 1, NULL), TP_ETIMEDOUT);
        assert_int_equal(tp_load_sc(&n_done), 0);
        tp_store_sc(&may_end, 1);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(tp_runtime_join(runtime, ids[i], TP_FOREVER, NULL), 0);
        assert_int_equal(tp_load_sc(&n_done), MANY + 1);
        stop();
    }
}

/* A task's call: how it is to end, and how it did. */
struct attempt {
    uint64_t deadline_ns;
    int status;
    struct tp_task_result result;
};

static int attempt_count(void *argument)
{
    struct attempt *attempt = argument;
    attempt->status = tp_blocking_call(pool, count, NULL, attempt->deadline_ns, &attempt->result);
    return 0;
}

static int attempt_hold(void *argument)
{
    struct attempt *attempt = argument;
    attempt->status = tp_blocking_call(pool, hold, NULL, attempt->deadline_ns, &attempt->result);
    return 0;
}

/* In the queue, and waiting for room: a deadline and a request to end withdraw the call. */
static int withdraw(void *argument)
{
    struct attempt queued = {.deadline_ns = TP_FOREVER}, waits = queued, late[2] = {{.deadline_ns = tp_deadline_in_ns(1000)}, {.deadline_ns = tp_deadline_in_ns(2000)}};
    uint64_t held, ids[4];
    expect(tp_task_spawn(call_held, argument, &held) == 0);
    while (tp_load_sc(&n_begun) == 0)
        tp_yield();
    expect(tp_task_spawn(attempt_count, &late[0], &ids[0]) == 0); /* in the queue */
    expect(tp_task_join(ids[0], TP_FOREVER, NULL) == 0);
    expect(tp_task_spawn(attempt_count, &queued, &ids[1]) == 0);
    while (look().queued != 1)
        tp_yield();
    expect(tp_task_spawn(attempt_count, &late[1], &ids[2]) == 0); /* for room */
    expect(tp_task_join(ids[2], TP_FOREVER, NULL) == 0);
    expect(tp_task_spawn(attempt_count, &waits, &ids[3]) == 0);
    while (look().waiting != 1)
        tp_yield();
    expect(tp_task_cancel(ids[3]) == 0 && tp_task_cancel(ids[1]) == 0);
    expect(tp_task_join(ids[3], TP_FOREVER, NULL) == 0 && tp_task_join(ids[1], TP_FOREVER, NULL) == 0);
    expect(late[0].status == TP_ETIMEDOUT && late[1].status == TP_ETIMEDOUT);
    expect(queued.status == TP_ECANCELED && waits.status == TP_ECANCELED);
    expect(look().withdrawn == 4);
    tp_store_sc(&may_end, 1);
    expect(tp_task_join(held, TP_FOREVER, NULL) == 0);
    expect(tp_blocking_call(pool, answer, &(int){3}, TP_FOREVER, NULL) == 0); /* there is room */
    return 0;
}

static void test_withdraw(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        start(&kinds[k], 1, 1);
        assert_int_equal(tp_block_on(runtime, withdraw, NULL, NULL), 0);
        assert_int_equal(tp_load_sc(&n_done), 1); /* the held one: none of the others was called */
        stop();
    }
}

/* A call that runs is waited for, and is told. */
static int give_up(void *argument)
{
    struct attempt asked = {.deadline_ns = TP_FOREVER}, late = {.deadline_ns = TP_FOREVER};
    uint64_t id;
    expect(tp_task_spawn(attempt_hold, &asked, &id) == 0);
    while (tp_load_sc(&n_begun) == 0)
        tp_yield();
    expect(tp_task_cancel(id) == 0);
    expect(tp_task_join(id, TP_FOREVER, NULL) == 0);
    expect(asked.status == 0 && asked.result.state == TP_TASK_FAILED && asked.result.code == TP_ECANCELED);
    late.deadline_ns = tp_deadline_in_ns(TP_SECOND / 1000);
    expect(tp_task_spawn(attempt_hold, &late, &id) == 0);
    expect(tp_task_join(id, TP_FOREVER, NULL) == 0);
    expect(late.status == TP_ETIMEDOUT || (late.status == 0 && late.result.code == TP_ECANCELED)); /* it had begun, or not */
    (void)argument;
    return 0;
}

static void test_running(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        start(&kinds[k], 1, 1);
        assert_int_equal(tp_block_on(runtime, give_up, NULL, NULL), 0);
        stop();
    }
}

/* Unlike work: a pool whose threads and queue are full does not hold up another. */
static void test_two_pools(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        uint64_t id;
        start(&kinds[k], 1, 1);
        struct tp_blocking *quick;
        assert_int_equal(tp_blocking_open(&quick, &(struct tp_blocking_settings){.name = "quick", .threads = 1, .queue = 1}), 0);
        uint64_t held = hold_thread();
        assert_int_equal(tp_runtime_spawn(runtime, call_count, pool, NULL), 0);
        assert_int_equal(tp_runtime_spawn(runtime, call_count, pool, NULL), 0);
        for (struct tp_blocking_stats now; now = look(), now.running != 1 || now.waiting != 1;)
            assert_int_equal(tp_runtime_join(runtime, held, tp_clock_now_ns() + 1, NULL), TP_ETIMEDOUT);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(tp_runtime_spawn(runtime, call_count, quick, &id), 0);
            assert_int_equal(tp_runtime_join(runtime, id, TP_FOREVER, NULL), 0);
        }
        assert_int_equal(tp_load_sc(&n_done), MANY);
        tp_store_sc(&may_end, 1);
        assert_int_equal(tp_runtime_close(runtime, TP_FOREVER), 0);
        assert_int_equal(tp_load_sc(&n_done), MANY + 3);
        tp_blocking_free(quick);
        stop();
    }
}

/* Who waits for room learns of the end; who is queued is served. */
static void test_close(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        struct attempt attempts[4];
        uint64_t ids[4];
        int n_served = 0, n_refused = 0;
        start(&kinds[k], 1, 1);
        uint64_t held = hold_thread();
        for (int i = 0; i < 4; i++) {
            attempts[i].deadline_ns = TP_FOREVER;
            assert_int_equal(tp_runtime_spawn(runtime, attempt_count, &attempts[i], &ids[i]), 0);
        }
        for (struct tp_blocking_stats now; now = look(), now.running != 1 || now.waiting != 3;)
            assert_int_equal(tp_runtime_join(runtime, held, tp_clock_now_ns() + 1, NULL), TP_ETIMEDOUT);
        assert_int_equal(tp_blocking_close(pool, 0), TP_ETIMEDOUT);
        tp_store_sc(&may_end, 1);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(tp_runtime_join(runtime, ids[i], TP_FOREVER, NULL), 0);
            n_served += attempts[i].status == 0;
            n_refused += attempts[i].status == TP_ECLOSED;
        }
        assert_true(n_served == 1 && n_refused == 3);
        assert_int_equal(tp_blocking_close(pool, TP_FOREVER), 0);
        assert_int_equal(tp_blocking_call(pool, count, NULL, TP_FOREVER, NULL), TP_ECLOSED);
        stop();
    }
}

/* -- a forked process ------------------------------------------------------------------------ */

static int call_default(void *argument)
{
    struct tp_task_result result;
    int status = tp_blocking_call(NULL, answer, argument, TP_FOREVER, &result);
    return status != 0 ? status : result.code;
}

/* The pool of a process is its own: calls go on in the child, and in its child; a pool that was opened stays the parent's. */
static int child_of(int level)
{
    int well = 7, status = 1;
    struct tp_task_result result;
    bool goes_on = call_default(&well) == 7 && tp_blocking_call(pool, answer, &well, TP_FOREVER, NULL) == TP_EFORKED &&
                   tp_runtime_open(&runtime, &kinds[0]) == 0 && tp_block_on(runtime, call_default, &well, &result) == 0 && result.code == 7;
    tp_runtime_free(runtime);
    pid_t child = level > 0 ? fork() : -1;
    if (child == 0)
        _exit(child_of(level - 1));
    return goes_on && (child < 0 || (waitpid(child, &status, 0) == child && status == 0)) ? 0 : 1;
}

static __attribute__((unused)) void test_child(void **state)
{
    (void)state;
    int well = 7, status;
    start(&kinds[0], 1, 0);
    assert_int_equal(call_default(&well), 7);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(child_of(1));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(call_default(&well), 7);
    stop();
}

/* Where calls of the parent run, are queued, and wait for room, the child waits for none of them. */
static void test_child_of_full(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        struct attempt attempts[4];
        uint64_t ids[4];
        int status, well = 7;
        start(&kinds[k], 1, 1);
        for (int i = 0; i < 4; i++) {
            attempts[i].deadline_ns = TP_FOREVER;
            assert_int_equal(tp_runtime_spawn(runtime, attempt_hold, &attempts[i], &ids[i]), 0);
        }
        for (struct tp_blocking_stats now; now = look(), now.running != 1 || now.waiting != 2;)
            assert_int_equal(tp_runtime_join(runtime, ids[0], tp_clock_now_ns() + 1, NULL), TP_ETIMEDOUT);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            bool refuses = tp_blocking_call(pool, answer, &well, TP_FOREVER, NULL) == TP_EFORKED && tp_blocking_close(pool, TP_FOREVER) == TP_EFORKED;
            tp_runtime_free(runtime);
            tp_blocking_free(pool);
            _exit(refuses ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        tp_store_sc(&may_end, 1);
        for (int i = 0; i < 4; i++)
            assert_true(tp_runtime_join(runtime, ids[i], TP_FOREVER, NULL) == 0 && attempts[i].status == 0);
        stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_without_worker),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_withdraw),
        cmocka_unit_test(test_running),
        cmocka_unit_test(test_two_pools),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_child_of_full),
#ifndef __SANITIZE_THREAD__ /* which lets no child have threads */
        cmocka_unit_test(test_child),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
