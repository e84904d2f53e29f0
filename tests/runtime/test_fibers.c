/* Fibers under a scheduler of a few lines: what each way to suspend a task means for its worker, and what others can do to a task
 * meanwhile; then tokens under load, over several threads. */
#include "tests/support/unit.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/fiber.h"
#include "runtime/fibers.h"
#include "runtime/park.h"
#include "runtime/sleep.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

enum { STACK = 32768,
    MANY = 300,
    RUNNERS = 3,
    WAKERS = 2,
    TOKENS = 6000 };

static struct tp_fibers fibers;
static struct tp_fiber_cache caches[1 + RUNNERS]; /* of this thread, and of each runner */
#define cache (caches[0])
static struct tp_waitlist list;
static tp_atomic(uint32_t) stop, n_told;

/* A task: run(argument). */
struct task {
    int (*run)(struct task *);
    int code, n_steps;
    uint64_t deadline_ns;
};

static int run_task(void *argument)
{
    struct task *task = argument;
    return task->run(task);
}

static void queue_ready(struct tp_fiber *fiber)
{
    tp_add_sc(&n_told, 1);
    tp_fiber_list_put(&fiber->fibers->list, fiber);
    tp_fibers_woken(fiber->fibers, NULL);
}

static void no_report(const struct tp_panic_report *panic, void *context)
{
    (void)context;
    assert_string_equal(panic->pool, "fibers");
}

static int set_up(void **state)
{
    (void)state;
    memset(&fibers, 0, sizeof fibers);
    memset(caches, 0, sizeof caches);
    fibers.body = run_task;
    fibers.ready = queue_ready;
    fibers.stack_bytes = STACK;
    fibers.caches = caches;
    fibers.cache_stride = sizeof *caches;
    fibers.n_caches = 1 + RUNNERS;
    tp_slack_set(1);
    fibers.run = (struct tp_run){.pool = "fibers", .owner = &fibers, .stop = &stop, .on_panic = no_report};
    tp_fibers_init(&fibers);
    tp_waitlist_init(&list);
    tp_store_rlx(&stop, 0);
    tp_store_rlx(&n_told, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(tp_fiber_list_length(&fibers.list), 0);
    assert_int_equal(tp_fibers_n_asleep(&fibers), 0);
    assert_null(list.first);
    tp_fibers_free(&fibers, false);
    return 0;
}

static struct tp_fiber *begin(struct task *task, uint64_t id)
{
    struct tp_fiber *fiber = tp_fiber_get(&fibers, &cache);
    assert_non_null(fiber);
    tp_fiber_begin(fiber, task, id);
    return fiber;
}

/* The task goes on until it stops in that way. */
static void step(struct tp_fiber *fiber, enum tp_fiber_stop stops)
{
    assert_int_equal(tp_fiber_run(fiber, &cache), stops);
    assert_null(tp_fiber_self());
}

static void again(struct tp_fiber *fiber, enum tp_fiber_stop stops)
{
    tp_fiber_continue(fiber);
    step(fiber, stops);
}

static void expect_ready(struct tp_fiber *fiber)
{
    assert_ptr_equal(tp_fiber_list_take(&fibers.list), fiber);
    assert_null(tp_fiber_list_take(&fibers.list));
    assert_int_equal(tp_fibers_n_asleep(&fibers), 0);
}

static void expect_end(struct tp_fiber *fiber, enum tp_task_state state, int code)
{
    assert_int_equal(fiber->result.state, state);
    assert_int_equal(fiber->result.code, code);
    tp_fiber_put(&fibers, &cache, fiber);
}

/* -- one thread --------------------------------------------------------------------------------- */

static int return_code(struct task *task)
{
    assert_int_equal(errno, 0);
    *tp_co_errno() = EDOM;
    task->n_steps++;
    return task->code;
}

static int panic_later(struct task *task)
{
    TP_SHIELD;
    assert_int_equal(tp_yield(), 0);
    tp_panic("%d", task->code);
}

static void test_ends(void **state)
{
    struct task task = {return_code, 3, 0, 0}, bad = {return_code, -3, 0, 0}, worse = {panic_later, 5, 0, 0};
    struct tp_fiber *fiber = begin(&task, 0), *first = fiber;
    (void)state;
    errno = ERANGE;
    step(fiber, TP_FIBER_ENDED);
    assert_int_equal(errno, ERANGE);
    expect_end(fiber, TP_TASK_RETURNED, 3);
    for (int i = 0; i < 3; i++) { /* the same fiber: a panic does it no harm */
        fiber = begin(&worse, 0);
        assert_ptr_equal(fiber, first);
        step(fiber, TP_FIBER_READY);
        again(fiber, TP_FIBER_ENDED);
        expect_end(fiber, TP_TASK_PANICKED, TP_EPANICKED);
        fiber = begin(&bad, 0);
        step(fiber, TP_FIBER_ENDED);
        expect_end(fiber, TP_TASK_FAILED, -3);
    }
    assert_int_equal(bad.n_steps, 3);
    errno = 0;
}

static int count_yields(struct task *task)
{
    for (int i = 0; i < 3; i++) {
        assert_non_null(tp_fiber_self());
        assert_int_equal(tp_task_id(), 40 + task->code);
        task->n_steps++;
        int status = tp_yield();
        if (status != 0)
            return status;
    }
    return 0;
}

static void test_yields(void **state)
{
    struct task tasks[2] = {{count_yields, 0, 0, 0}, {count_yields, 1, 0, 0}};
    struct tp_fiber *of[2];
    (void)state;
    assert_int_equal(tp_yield(), 0); /* outside of tasks */
    for (int i = 0; i < 2; i++) {
        of[i] = begin(&tasks[i], (uint64_t)(40 + i));
        step(of[i], TP_FIBER_READY);
    }
    for (int n = 2; n <= 3; n++)
        for (int i = 0; i < 2; i++) {
            again(of[i], TP_FIBER_READY);
            assert_int_equal(tasks[i].n_steps, n);
        }
    tp_fibers_ask(&fibers, 41);
    again(of[0], TP_FIBER_ENDED);
    expect_end(of[0], TP_TASK_RETURNED, 0);
    again(of[1], TP_FIBER_ENDED);
    expect_end(of[1], TP_TASK_FAILED, TP_ECANCELED);
}

static int wait_once(struct task *task)
{
    struct tp_waiter w;
    tp_waitlist_prepare(&list, &w);
    task->n_steps++;
    int status = tp_waitlist_wait(&list, &w, task->deadline_ns);
    task->n_steps++;
    return status;
}

static struct task new_waiter(uint64_t deadline_ns)
{
    return (struct task){wait_once, 0, 0, deadline_ns};
}

static void test_waits(void **state)
{
    struct task task = new_waiter(TP_FOREVER);
    struct tp_fiber *fiber = begin(&task, 0);
    uint64_t generation = fiber->generation;
    (void)state;
    step(fiber, TP_FIBER_AWAY);
    assert_int_equal(tp_fibers_n_asleep(&fibers), 1);
    tp_fiber_wake(fiber, generation); /* for nothing: it looks, and sleeps on */
    expect_ready(fiber);
    again(fiber, TP_FIBER_AWAY);
    assert_int_equal(tp_waitlist_wake(&list, 5), 1);
    assert_int_equal(tp_waitlist_wake(&list, 5), 0);
    tp_fiber_wake(fiber, generation); /* it is ready already */
    expect_ready(fiber);
    again(fiber, TP_FIBER_ENDED);
    expect_end(fiber, TP_TASK_RETURNED, 0);
    tp_fiber_wake(fiber, generation); /* late */
    assert_int_equal(tp_load_rlx(&n_told), 2);
    assert_int_equal(tp_load_rlx(&fibers.n_wakers), 0);
}

static void test_deadline(void **state)
{
    struct task early = new_waiter(100), late = new_waiter(200), woken = new_waiter(150);
    struct tp_fiber *first = begin(&late, 0), *second = begin(&early, 0), *third = begin(&woken, 0);
    (void)state;
    step(third, TP_FIBER_AWAY);
    step(first, TP_FIBER_AWAY);
    step(second, TP_FIBER_AWAY);
    assert_int_equal(tp_fibers_next_ns(&fibers), 100);
    tp_fibers_ring(&fibers, 99);
    assert_null(tp_fiber_list_take(&fibers.list));
    assert_int_equal(tp_waitlist_wake(&list, 1), 1);
    assert_ptr_equal(tp_fiber_list_take(&fibers.list), third);
    again(third, TP_FIBER_ENDED);
    expect_end(third, TP_TASK_RETURNED, 0);
    tp_fibers_ring(&fibers, 199);
    assert_ptr_equal(tp_fiber_list_take(&fibers.list), second);
    again(second, TP_FIBER_ENDED);
    expect_end(second, TP_TASK_FAILED, TP_ETIMEDOUT);
    tp_fibers_ring(&fibers, 200);
    expect_ready(first);
    assert_int_equal(tp_waitlist_wake(&list, 1), 1); /* before it runs: the wake-up counts */
    again(first, TP_FIBER_ENDED);
    expect_end(first, TP_TASK_RETURNED, 0);
    assert_int_equal(tp_fibers_next_ns(&fibers), TP_FOREVER);
}

static void test_cancelled(void **state)
{
    struct task waits[2] = {new_waiter(TP_FOREVER), new_waiter(77)};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct tp_fiber *fiber = begin(&waits[i], 9);
        step(fiber, TP_FIBER_AWAY);
        tp_fibers_ask(&fibers, 8); /* another one */
        assert_null(tp_fiber_list_take(&fibers.list));
        tp_fibers_ask(&fibers, 9);
        tp_fibers_ask_all(&fibers);
        expect_ready(fiber);
        again(fiber, TP_FIBER_ENDED);
        expect_end(fiber, TP_TASK_FAILED, TP_ECANCELED);
    }
    struct tp_fiber *fiber = begin(&waits[0], 9); /* the request was for the task before */
    step(fiber, TP_FIBER_AWAY);
    tp_store_sc(&stop, 1);
    tp_fibers_ask_all(&fibers);
    expect_ready(fiber);
    again(fiber, TP_FIBER_ENDED);
    expect_end(fiber, TP_TASK_FAILED, TP_ECANCELED);
    fiber = begin(&waits[1], 0); /* at its first wait, at once */
    step(fiber, TP_FIBER_ENDED);
    expect_end(fiber, TP_TASK_FAILED, TP_ECANCELED);
}

static int wait_shielded(struct task *task)
{
    int status;
    {
        TP_SHIELD;
        {
            TP_SHIELD;
        }
        status = wait_once(task);
        assert_int_equal(tp_task_check(), 0);
        assert_int_equal(tp_yield(), 0);
    }
    return status == 0 ? wait_once(task) : -100;
}

static void test_shield(void **state)
{
    struct task task = {wait_shielded, 0, 0, TP_FOREVER};
    struct tp_fiber *fiber = begin(&task, 0);
    (void)state;
    step(fiber, TP_FIBER_AWAY);
    tp_store_sc(&stop, 1);
    tp_fibers_ask_all(&fibers);
    assert_null(tp_fiber_list_take(&fibers.list));
    assert_int_equal(tp_waitlist_wake(&list, 1), 1);
    expect_ready(fiber);
    again(fiber, TP_FIBER_READY);
    again(fiber, TP_FIBER_ENDED);
    expect_end(fiber, TP_TASK_FAILED, TP_ECANCELED);
    assert_int_equal(task.n_steps, 4); /* the second wait did not sleep */
}

static int wait_in_plain_call(struct task *task)
{
    struct tp_run run = {.owner = task};
    tp_run_enter(&run);
    assert_null(tp_fiber_self()); /* a plain call of a task waits with its thread */
    tp_run_leave(&run);
    return tp_fiber_self() ? 0 : -1;
}

static void test_plain_call(void **state)
{
    struct task task = {wait_in_plain_call, 0, 0, 0};
    struct tp_fiber *fiber = begin(&task, 0);
    (void)state;
    step(fiber, TP_FIBER_ENDED);
    expect_end(fiber, TP_TASK_RETURNED, 0);
}

/* A coroutine of the task's own: what it asks about is the task; what would suspend the task does not. */
static void *look_from_inside(void *argument)
{
    struct task *task = argument;
    struct tp_waiter w;
    for (;; tp_co_yield(NULL, NULL)) {
        int said = tp_task_check();
        assert_null(tp_fiber_self());
        assert_int_equal(tp_task_id(), 7);
        assert_int_equal(tp_run_depth(&fibers), 1);
        assert_true(tp_run_is_inside(&fibers, 7));
        assert_false(tp_run_is_inside(&fibers, 8));
        assert_int_equal(tp_yield(), said);
        tp_waitlist_prepare(&list, &w);
        assert_int_equal(tp_waitlist_wait(&list, &w, tp_clock_now_ns()), TP_ETIMEDOUT); /* with the thread, asked or not */
        task->n_steps++;
    }
    return NULL;
}

static int with_coroutine_inside(struct task *task)
{
    struct tp_co *co;
    assert_int_equal(tp_co_new(&co, look_from_inside, task, NULL), 0);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(tp_co_resume(co, NULL, NULL), 0);
        assert_int_equal(task->n_steps, i);
        tp_store_sc(&stop, 1);
    }
    assert_int_equal(tp_co_free(co), 0);
    return tp_yield();
}

static void test_coroutine_inside(void **state)
{
    struct task task = {with_coroutine_inside, 0, 0, 0};
    struct tp_fiber *fiber = begin(&task, 7);
    (void)state;
    step(fiber, TP_FIBER_ENDED);
    expect_end(fiber, TP_TASK_FAILED, TP_ECANCELED);
}

static void test_many_asleep(void **state)
{
    struct task tasks[MANY];
    struct tp_fiber *of[MANY];
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            tasks[i] = new_waiter(TP_FOREVER);
            of[i] = begin(&tasks[i], 0);
            step(of[i], TP_FIBER_AWAY);
        }
        assert_int_equal(tp_fibers_n_asleep(&fibers), MANY);
        assert_int_equal(tp_waitlist_wake(&list, UINT32_MAX), MANY);
        for (int i = 0; i < MANY; i++) {
            struct tp_fiber *fiber = tp_fiber_list_take(&fibers.list);
            assert_ptr_equal(fiber, of[i]);
            again(fiber, TP_FIBER_ENDED);
            expect_end(fiber, TP_TASK_RETURNED, 0);
        }
        assert_true(cache.n < TP_FIBER_CACHE);
    }
}

/* -- many threads --------------------------------------------------------------------------------- */

static tp_atomic(uint32_t) n_tokens, n_taken, n_over, n_runners;

static bool take_token(void)
{
    uint32_t n = tp_load_acq(&n_tokens);
    while (n > 0)
        if (tp_cas_sc(&n_tokens, &n, n - 1))
            return true;
    return false;
}

static int take_tokens(struct task *task)
{
    for (int i = 0; i < task->code; i++) {
        while (!take_token()) {
            struct tp_waiter w;
            tp_waitlist_prepare(&list, &w);
            if (tp_load_acq(&n_tokens) > 0) {
                if (tp_waitlist_cancel(&list, &w))
                    tp_waitlist_notify(&list, 1);
            } else {
                tp_waitlist_wait(&list, &w, TP_FOREVER);
            }
        }
        tp_add_sc(&n_taken, 1);
        if (i % 7 == 0)
            tp_yield();
    }
    return 0;
}

static void go(struct tp_fiber *fiber, struct tp_fiber_cache *own)
{
    switch (tp_fiber_run(fiber, own)) {
    case TP_FIBER_ENDED:
        tp_fiber_put(&fibers, own, fiber);
        tp_add_sc(&n_over, 1);
        break;
    case TP_FIBER_READY:
        tp_fiber_list_put(&fibers.list, fiber);
        break;
    default:
        break;
    }
}

static void *runner(void *argument)
{
    struct task *tasks = argument;
    struct tp_fiber_cache *own = &caches[1 + tp_add_rlx(&n_runners, 1)]; /* relaxed: a number */
    for (int i = 0; i < MANY / RUNNERS; i++) {
        tasks[i] = (struct task){take_tokens, TOKENS / MANY, 0, 0};
        struct tp_fiber *fiber = tp_fiber_get(&fibers, own);
        tp_fiber_begin(fiber, &tasks[i], 0);
        go(fiber, own);
    }
    while (tp_load_acq(&n_over) < MANY) {
        struct tp_fiber *fiber = tp_fiber_list_take(&fibers.list);
        if (fiber) {
            tp_fiber_continue(fiber);
            go(fiber, own);
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void *waker(void *argument)
{
    (void)argument;
    for (int i = 0; i < TOKENS / WAKERS; i++) {
        tp_add_sc(&n_tokens, 1);
        tp_waitlist_notify(&list, 1);
    }
    return NULL;
}

static void test_storm(void **state)
{
    static struct task tasks[MANY];
    struct crowd crowd = {.n = 0};
    (void)state;
    tp_store_rlx(&n_tokens, 0);
    tp_store_rlx(&n_taken, 0);
    tp_store_rlx(&n_over, 0);
    for (int i = 0; i < RUNNERS; i++)
        crowd_add(&crowd, runner, tasks + i * (MANY / RUNNERS));
    for (int i = 0; i < WAKERS; i++)
        crowd_add(&crowd, waker, NULL);
    crowd_join(&crowd);
    assert_int_equal(tp_load_rlx(&n_taken), TOKENS);
    assert_int_equal(tp_load_rlx(&n_tokens), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_yields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancelled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shield, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_plain_call, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_coroutine_inside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_asleep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_storm, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
