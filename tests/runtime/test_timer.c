/* Timers: called at their times, to the nanosecond in a time of the test's own; moved, taken back, ended from inside and from outside of their
 * calls; and with several threads and workers, each call counted. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 16,
    TIMERS = 8,
    THREADS = 3,
    ROUNDS = 3000 };

static struct tp_runtime *runtime;
static tp_atomic(uint32_t) n_wrong;
static uint64_t start_ns, called_at[CALLS_MAX];
static unsigned n_calls;

static void expect(bool is_so)
{
    if (!is_so)
        tp_add_sc(&n_wrong, 1);
}

/* -- in a time of the test's own ------------------------------------------------------------------------ */

static unsigned n_panics;

static void count_panic(const struct tp_panic_report *panic, void *context)
{
    (void)context;
    n_panics += panic->is_overdue ? 0 : 1;
}

static void in_own_time(int (*run)(void *argument))
{
    struct tp_runtime_settings settings = {.flavour = TP_RUNTIME_CURRENT, .virtual_time = true, .on_panic = count_panic};
    struct tp_task_result result;
    tp_store_sc(&n_wrong, 0);
    n_calls = n_panics = 0;
    assert_int_equal(tp_runtime_open(&runtime, &settings), 0);
    start_ns = tp_runtime_now_ns(runtime);
    assert_int_equal(tp_block_on(runtime, run, NULL, &result), 0);
    assert_int_equal(result.state, TP_TASK_RETURNED);
    tp_runtime_free(runtime);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
}

static void note(void *unused)
{
    (void)unused;
    expect(n_calls < CALLS_MAX);
    called_at[n_calls++ % CALLS_MAX] = tp_clock_now_ns() - start_ns;
}

static void init(struct tp_timer *timer, void (*run)(void *argument), void *argument)
{
    expect(tp_timer_init(timer, tp_runtime_target(runtime), run, argument) == 0);
}

static void expect_calls(const uint64_t *at_ns, unsigned n)
{
    expect(n_calls == n && memcmp(called_at, at_ns, n * sizeof *at_ns) == 0);
}

static int set_move_cancel(void *unused)
{
    struct tp_timer timer, other;
    (void)unused;
    init(&timer, note, NULL);
    init(&other, note, NULL);
    expect(tp_timer_cancel(&timer) == TP_TIMER_OFF);
    expect(tp_timer_set(&timer, start_ns + 100, 0) == TP_TIMER_OFF);
    expect(tp_timer_set(&other, start_ns + 50, 0) == TP_TIMER_OFF);
    expect(tp_timer_set(&timer, start_ns + 70, 0) == TP_TIMER_SET);
    expect(tp_sleep_until(start_ns + 60) == 0);
    expect(tp_timer_set(&timer, start_ns + 90, 0) == TP_TIMER_SET);
    expect(tp_timer_set(&other, start_ns + 65, 0) == TP_TIMER_OFF);
    expect(tp_timer_cancel(&other) == TP_TIMER_SET);
    expect(tp_timer_cancel(&other) == TP_TIMER_OFF);
    expect(tp_sleep_until(start_ns + 200) == 0);
    expect(tp_timer_cancel(&timer) == TP_TIMER_OFF);
    tp_timer_set(&timer, TP_FOREVER, 0);
    expect(tp_sleep_ns(1000000 * TP_SECOND) == 0);
    expect(tp_timer_cancel(&timer) == TP_TIMER_SET);
    expect_calls((uint64_t[]){50, 90}, 2);
    return 0;
}

static void test_set(void **state)
{
    (void)state;
    in_own_time(set_move_cancel);
}

/* At multiples of the period from the first time, those left out that have passed. */
static int have_periods(void *unused)
{
    struct tp_timer timer;
    (void)unused;
    init(&timer, note, NULL);
    tp_timer_set(&timer, start_ns + 10, 10);
    expect(tp_sleep_until(start_ns + 45) == 0);
    tp_timer_set(&timer, start_ns + 10, 10); /* 35 ago */
    expect(tp_sleep_until(start_ns + 65) == 0);
    expect(tp_timer_cancel(&timer) == TP_TIMER_SET);
    tp_timer_set(&timer, start_ns, UINT64_MAX); /* once, as far as anybody will see */
    expect(tp_sleep_until(start_ns + TP_SECOND) == 0);
    tp_timer_end(&timer);
    expect_calls((uint64_t[]){10, 20, 30, 40, 45, 50, 60, 65}, 8);
    return 0;
}

static void test_periods(void **state)
{
    (void)state;
    in_own_time(have_periods);
}

/* -- from within the call ------------------------------------------------------------------------------- */

static struct tp_timer inner;

/* Three times, 5 apart; the third time, the next one is taken back. */
static void set_again(void *unused)
{
    (void)unused;
    note(NULL);
    expect(tp_timer_set(&inner, tp_clock_now_ns() + 5, 0) == TP_TIMER_CALLING);
    if (n_calls == 3)
        expect(tp_timer_cancel(&inner) == TP_TIMER_CALLING);
}

/* A period that the call itself ends. */
static void stop_period(void *unused)
{
    (void)unused;
    note(NULL);
    if (n_calls == 5)
        expect(tp_timer_cancel(&inner) == TP_TIMER_CALLING);
}

/* For now: it is had in the next round, not in this one for ever. */
static void set_for_now(void *unused)
{
    (void)unused;
    note(NULL);
    if (n_calls < 7)
        tp_timer_set(&inner, tp_clock_now_ns(), 0);
}

static void end_and_free(void *timer)
{
    note(NULL);
    tp_timer_end(timer);
    memset(timer, 0xa5, sizeof(struct tp_timer));
    free(timer);
}

static void panic(void *unused)
{
    note(unused);
    tp_panic("in a call");
}

static int from_within(void *unused)
{
    (void)unused;
    init(&inner, set_again, NULL);
    tp_timer_set(&inner, start_ns + 5, 0);
    expect(tp_sleep_until(start_ns + 100) == 0);
    init(&inner, stop_period, NULL);
    tp_timer_set(&inner, start_ns + 110, 10);
    expect(tp_sleep_until(start_ns + 200) == 0);
    init(&inner, set_for_now, NULL);
    tp_timer_set(&inner, start_ns + 210, 0);
    expect(tp_sleep_until(start_ns + 300) == 0);
    struct tp_timer *timer = malloc(sizeof *timer);
    init(timer, end_and_free, timer);
    tp_timer_set(timer, start_ns + 310, 10);
    expect(tp_sleep_until(start_ns + 400) == 0);
    init(&inner, panic, NULL);
    tp_timer_set(&inner, start_ns + 410, 10);
    expect(tp_sleep_until(start_ns + 425) == 0);
    tp_timer_end(&inner);
    expect(n_panics == 2);
    expect_calls((uint64_t[]){5, 10, 15, 110, 120, 210, 211, 310, 410, 420}, 10);
    return 0;
}

static void test_from_within(void **state)
{
    (void)state;
    in_own_time(from_within);
}

/* While a task lets the time go on, the call is on its stack. */
static int advance(void *unused)
{
    struct tp_timer timer;
    (void)unused;
    init(&timer, note, NULL);
    tp_timer_set(&timer, start_ns + 10, 10);
    expect(tp_runtime_advance(runtime, 35) == 0);
    expect(tp_timer_cancel(&timer) == TP_TIMER_SET);
    struct tp_timer *own = malloc(sizeof *own);
    init(own, end_and_free, own);
    tp_timer_set(own, start_ns + 40, 0);
    expect(tp_runtime_advance(runtime, 10) == 0);
    expect_calls((uint64_t[]){10, 20, 30, 40}, 4);
    return 0;
}

static void test_advance(void **state)
{
    (void)state;
    in_own_time(advance);
}

/* -- what a call may do --------------------------------------------------------------------------------- */

static struct tp_semaphore semaphore;

static void post(void *unused)
{
    (void)unused;
    tp_semaphore_release(&semaphore, 1);
}

static int post_as_task(void *unused)
{
    post(unused);
    return 0;
}

static void spawn(void *unused)
{
    (void)unused;
    expect(tp_task_spawn(post_as_task, NULL, NULL) == 0);
}

/* A task waits for a call, and for what a call has spawned. */
static int be_called(void *unused)
{
    struct tp_timer timer;
    (void)unused;
    init(&timer, post, NULL);
    tp_timer_set(&timer, tp_deadline_in_ns(10), 0);
    expect(tp_semaphore_acquire(&semaphore, 1, TP_FOREVER) == 0);
    tp_timer_end(&timer);
    init(&timer, spawn, NULL);
    tp_timer_set(&timer, 0, 0);
    expect(tp_semaphore_acquire(&semaphore, 1, TP_FOREVER) == 0);
    tp_timer_end(&timer);
    return 0;
}

static void open_runtime(enum tp_runtime_flavour flavour, uint32_t n_workers)
{
    struct tp_runtime_settings settings = {.flavour = flavour, .workers = n_workers};
    tp_store_sc(&n_wrong, 0);
    tp_semaphore_init(&semaphore, 0);
    assert_int_equal(tp_runtime_open(&runtime, &settings), 0);
}

static void close_runtime(void)
{
    tp_runtime_free(runtime);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
}

static void test_calls(void **state)
{
    (void)state;
    for (uint32_t n_workers = 0; n_workers <= 8; n_workers++) {
        open_runtime(n_workers == 0 ? TP_RUNTIME_CURRENT : TP_RUNTIME_MULTI, n_workers);
        for (int i = 0; i < 20; i++)
            assert_int_equal(tp_block_on(runtime, be_called, NULL, NULL), 0);
        close_runtime();
    }
    in_own_time(be_called);
}

/* -- a thread, while all sleep -------------------------------------------------------------------------- */

static int await_post(void *unused)
{
    (void)unused;
    expect(tp_semaphore_acquire(&semaphore, 1, TP_FOREVER) == 0);
    return 0;
}

static void *set_from_outside(void *timer)
{
    for (int i = 0; i < 100; i++) {
        tp_timer_set(timer, i % 2 == 0 ? 0 : tp_deadline_in_ns(TP_MILLISECOND / 10), 0);
        if (i % 3 == 0)
            sched_yield();
    }
    tp_timer_set(timer, 0, 0);
    return NULL;
}

static void test_from_outside(void **state)
{
    (void)state;
    for (uint32_t n_workers = 0; n_workers <= 2; n_workers++) {
        struct tp_timer timer;
        pthread_t thread;
        open_runtime(n_workers == 0 ? TP_RUNTIME_CURRENT : TP_RUNTIME_MULTI, n_workers);
        assert_int_equal(tp_timer_init(&timer, tp_runtime_target(runtime), post, NULL), 0);
        assert_int_equal(pthread_create(&thread, NULL, set_from_outside, &timer), 0);
        assert_int_equal(tp_block_on(runtime, await_post, NULL, NULL), 0);
        pthread_join(thread, NULL);
        tp_timer_end(&timer);
        close_runtime();
    }
}

/* Without the timer the pool closes; open again, it is called. */
static void test_closed(void **state)
{
    struct tp_pool *pool;
    struct tp_timer timer, left;
    (void)state;
    tp_store_sc(&n_wrong, 0);
    tp_semaphore_init(&semaphore, 0);
    assert_int_equal(tp_pool_open(&pool, &(struct tp_pool_settings){.workers = 2, .tasks = TP_TASKS_COROUTINE}), 0);
    assert_int_equal(tp_timer_init(&timer, tp_pool_target(pool), post, NULL), 0);
    assert_int_equal(tp_timer_init(&left, tp_pool_target(pool), post, NULL), 0);
    tp_timer_set(&timer, TP_FOREVER - 1, 0);
    assert_int_equal(tp_pool_close(pool, TP_FOREVER), 0);
    assert_int_equal(tp_timer_set(&timer, 0, 0), TP_TIMER_SET);
    assert_int_equal(tp_semaphore_acquire(&semaphore, 1, 0), TP_ETIMEDOUT);
    assert_int_equal(tp_pool_reopen(pool), 0);
    assert_int_equal(tp_pool_submit(pool, await_post, NULL), 0);
    assert_int_equal(tp_pool_join_all(pool, TP_FOREVER), 0);
    tp_timer_end(&timer);
    tp_timer_set(&left, TP_FOREVER - 1, 0); /* and is not touched any more */
    tp_pool_free(pool);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
}

static void test_refused(void **state)
{
    struct tp_pool *pool;
    struct tp_timer timer;
    (void)state;
    assert_int_equal(tp_pool_open(&pool, &(struct tp_pool_settings){.workers = 1}), 0);
    assert_int_equal(tp_timer_init(&timer, tp_pool_target(pool), NULL, NULL), TP_EINVAL);
    assert_int_equal(tp_timer_init(&timer, tp_pool_target(pool), post, NULL), TP_ENOTSUP);
    tp_pool_free(pool);
}

/* -- threads and workers -------------------------------------------------------------------------------- */

struct counted {
    struct tp_timer timer;
    tp_atomic(uint32_t) n_inside, n_calls;
    uint32_t n_expected;
    int plain; /* of the call; of who owns the timer when it has ended */
};

static uint64_t random_below(uint64_t *state, uint64_t n)
{
    *state ^= *state << 13; /* xorshift64 (Marsaglia 2003) */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % n;
}

static void count(void *argument)
{
    struct counted *counted = argument;
    expect(tp_add_sc(&counted->n_inside, 1) == 0);
    counted->plain++;
    tp_add_sc(&counted->n_calls, 1);
    expect(tp_add_sc(&counted->n_inside, (uint32_t)-1) == 1);
}

static void set_once(struct counted *counted, uint64_t at_ns)
{
    enum tp_timer_state before = tp_timer_set(&counted->timer, at_ns, 0);
    counted->n_expected += before != TP_TIMER_SET;
    while (before == TP_TIMER_CALLING && tp_load_acq(&counted->n_calls) != counted->n_expected)
        sched_yield(); /* so that what a cancel says is all there is to know */
}

static void end(struct counted *counted)
{
    enum tp_timer_state before = tp_timer_cancel(&counted->timer);
    counted->n_expected -= before == TP_TIMER_SET;
    if (before == TP_TIMER_CALLING)
        tp_timer_end(&counted->timer);
    expect(tp_load_rlx(&counted->n_calls) == counted->n_expected && counted->plain == (int)counted->n_expected);
    memset(&counted->timer, 0xa5, sizeof counted->timer);
    counted->plain = (int)counted->n_expected;
}

/* Timers of its own. */
static int set_and_end(void *argument)
{
    uint64_t seed = 88172645463325252 + (uint64_t)(uintptr_t)argument;
    struct counted all[TIMERS];
    memset(all, 0, sizeof all);
    for (int i = 0; i < TIMERS; i++)
        init(&all[i].timer, count, &all[i]);
    for (int i = 0; i < ROUNDS; i++) {
        struct counted *one = &all[random_below(&seed, TIMERS)];
        uint64_t choice = random_below(&seed, 4);
        if (choice == 0) {
            end(one);
            init(&one->timer, count, one);
        } else if (choice == 1) {
            enum tp_timer_state before = tp_timer_cancel(&one->timer);
            one->n_expected -= before == TP_TIMER_SET;
        } else {
            set_once(one, tp_deadline_in_ns(random_below(&seed, 100000)));
        }
        if (i % 64 == 0)
            tp_sleep_ns(10000);
    }
    for (int i = 0; i < TIMERS; i++)
        end(&all[i]);
    return 0;
}

static void *set_and_end_outside(void *argument)
{
    set_and_end(argument);
    return NULL;
}

static void test_threads(void **state)
{
    static const uint32_t workers[] = {1, 2, 8};
    (void)state;
    tp_slack_set(1);
    for (size_t at = 0; at < sizeof workers / sizeof *workers; at++) {
        pthread_t threads[THREADS];
        open_runtime(TP_RUNTIME_MULTI, workers[at]);
        for (uintptr_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, set_and_end_outside, (void *)(i + 1)), 0);
        if (workers[at] > 1) /* a task that yields its thread while it waits for a call would keep the only worker */
            assert_int_equal(tp_block_on(runtime, set_and_end, NULL, NULL), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        close_runtime();
    }
    tp_slack_set(TP_MILLISECOND / 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_from_within),
        cmocka_unit_test(test_advance),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_from_outside),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
