/* The monitor: its judgements over looks that the test makes up, with a time that the test tells; and, in a program that runs, a task
 * that holds its worker, of which it says where it is. */
#include "../../../runtime/monitor/judge.h"
#include "../../../runtime/monitor/probe.h"
#include "../../../runtime/tidepool.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* -- judgements --------------------------------------------------------------------------------- */

enum { N_WORKERS = 2 };

static struct tp_judge judge;
static struct tp_look_pool pools[2];
static struct tp_worker_info workers[2 * N_WORKERS];
static struct tp_look look;
static uint64_t resident;
static int n_told[4], last_thread;
static struct tp_trouble last;
static char last_message[512], messages[4][512]; /* the second by kind */

static void tell(struct tp_trouble *trouble, int thread, void *unused)
{
    (void)unused;
    last_thread = thread;
    n_told[trouble->kind]++;
    last = *trouble;
    snprintf(last_message, sizeof last_message, "%s", trouble->message);
    snprintf(messages[trouble->kind], sizeof last_message, "%s", trouble->message);
}

/* One pool of two idle workers, at time 0; the defaults. */
static int set_up(void **unused)
{
    (void)unused;
    memset(pools, 0, sizeof pools);
    memset(workers, 0, sizeof workers);
    memset(n_told, 0, sizeof n_told);
    for (int i = 0; i < 2; i++) {
        pools[i] = (struct tp_look_pool){.number = (uint64_t)i + 7, .has_stats = true, .first_worker = (size_t)i * N_WORKERS, .n_workers = N_WORKERS};
        snprintf(pools[i].name, sizeof pools[i].name, i == 0 ? "mill" : "well");
    }
    for (int i = 0; i < 2 * N_WORKERS; i++)
        workers[i] = (struct tp_worker_info){.state = TP_ACTIVITY_BLOCKED, .reason = TP_BLOCKED_PARKED};
    look = (struct tp_look){.now_ns = TP_SECOND, .pools = pools, .n_pools = 1, .workers = workers, .n_workers = N_WORKERS};
    resident = 1;
    tp_judge_init(&judge, NULL);
    judge.tell = tell;
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    tp_judge_free(&judge);
    return 0;
}

static void step_ms(uint64_t ms)
{
    look.now_ns += ms * TP_MILLISECOND;
    assert_int_equal(tp_judge_step(&judge, &look, resident), 0);
}

static int n_all(void)
{
    return n_told[0] + n_told[1] + n_told[2] + n_told[3];
}

static void test_memory(void **unused)
{
    (void)unused;
    const uint64_t limit = UINT64_C(1) << 30;
    const struct {
        uint64_t bytes;
        int n;
    } course[] = {{limit, 0}, {limit + 1, 1}, {limit * 2, 1}, {limit - 1, 1}, {limit + 1, 1}, {limit - limit / 10 - 1, 1}, {limit, 1}, {limit + 1, 2}};
    for (size_t i = 0; i < sizeof course / sizeof *course; i++) {
        resident = course[i].bytes;
        step_ms(25);
        assert_int_equal(n_told[TP_TROUBLE_MEMORY], course[i].n);
    }
    assert_int_equal(n_all(), 2);
    assert_null(last.pool);
    assert_string_equal(last_message, "the process holds 1024 MiB of memory, more than 1024 MiB");
}

static void test_stall(void **unused)
{
    (void)unused;
    workers[1] = (struct tp_worker_info){.state = TP_ACTIVITY_RUNNING, .n_steps = 3};
    step_ms(0);
    step_ms(99);
    assert_int_equal(n_all(), 0);
    step_ms(1);
    assert_int_equal(n_told[TP_TROUBLE_STALL], 1);
    assert_string_equal(last.pool, "mill");
    assert_int_equal(last.instance, 7);
    assert_int_equal(last.worker, 1);
    assert_string_equal(last_message, "pool mill, worker 1: one task has held the worker for 100 ms");
    step_ms(1000);
    assert_int_equal(n_all(), 1); /* once */
    workers[1].n_steps++;
    step_ms(25);
    step_ms(75);
    assert_int_equal(n_all(), 1);
    step_ms(25);
    assert_int_equal(n_told[TP_TROUBLE_STALL], 2); /* another task */
    workers[1] = (struct tp_worker_info){.state = TP_ACTIVITY_BLOCKED, .reason = TP_BLOCKED_TASK, .n_steps = 9};
    step_ms(25);
    step_ms(100);
    assert_int_equal(n_told[TP_TROUBLE_STALL], 3);
    assert_string_equal(last_message, "pool mill, worker 1: one task has held the worker for 100 ms, and waits");
    workers[1] = (struct tp_worker_info){.state = TP_ACTIVITY_BLOCKED, .reason = TP_BLOCKED_PARKED, .n_steps = 10};
    step_ms(25);
    step_ms(5000);
    assert_int_equal(n_all(), 3); /* asleep is no stall */
}

/* A thread whose task has a small stack is not asked where it is. */
static void test_small_stacks(void **unused)
{
    (void)unused;
    const struct {
        size_t stack_bytes;
        int thread;
    } cases[] = {{0, 42}, {4096, 0}, {TP_PROBE_STACK_BYTES - 1, 0}, {TP_PROBE_STACK_BYTES, 42}};
    workers[1] = (struct tp_worker_info){.state = TP_ACTIVITY_RUNNING, .thread = 42};
    for (int i = 0; i < 4; i++) {
        workers[1].n_steps++;
        pools[0].stack_bytes = cases[i].stack_bytes;
        step_ms(0);
        step_ms(100);
        assert_int_equal(n_told[TP_TROUBLE_STALL], i + 1);
        assert_int_equal(last_thread, cases[i].thread);
    }
}

/* What is remembered of a worker is remembered of that one, whatever pools come and go before it. */
static void test_pools_come_and_go(void **unused)
{
    (void)unused;
    look.pools = pools + 1;
    look.workers = workers;
    pools[1].first_worker = 0;
    workers[0] = (struct tp_worker_info){.state = TP_ACTIVITY_RUNNING, .n_steps = 5};
    step_ms(0);
    step_ms(60);
    look.pools = pools;
    look.n_pools = 2;
    look.n_workers = 2 * N_WORKERS;
    pools[1].first_worker = N_WORKERS;
    workers[N_WORKERS] = workers[0];
    workers[0].n_steps = 1;
    step_ms(40);
    assert_int_equal(n_told[TP_TROUBLE_STALL], 1);
    assert_string_equal(last.pool, "well");
    step_ms(60);
    assert_int_equal(n_told[TP_TROUBLE_STALL], 1);
    step_ms(40);
    assert_int_equal(n_told[TP_TROUBLE_STALL], 2);
    assert_string_equal(last.pool, "mill");
    look.n_pools = 0;
    step_ms(40);
    look.n_pools = 2; /* as if new: with the same numbers that never happens */
    step_ms(40);
    assert_int_equal(n_all(), 2);
}

static void start_late(uint64_t ms, int n)
{
    pools[0].stats.latency.counts[tp_histogram_bucket(ms * TP_MILLISECOND)] += (uint64_t)n;
}

static void test_latency(void **unused)
{
    (void)unused;
    step_ms(0);
    start_late(1, 1000);
    start_late(200, 5); /* one in 200: the 99th percentile is not late */
    step_ms(25);
    assert_int_equal(n_all(), 0);
    start_late(200, 10);
    workers[0] = workers[1] = (struct tp_worker_info){.state = TP_ACTIVITY_RUNNING, .n_steps = 1};
    pools[0].counts.pending = 12;
    pools[0].n_accepted = 12;
    step_ms(25);
    assert_int_equal(n_told[TP_TROUBLE_LATENCY], 1);
    assert_non_null(strstr(messages[TP_TROUBLE_LATENCY], "12 tasks wait; all 2 workers are busy"));
    workers[0].n_steps = workers[1].n_steps = 2;
    start_late(200, 10);
    step_ms(25);
    start_late(60, 10); /* better, but not good */
    step_ms(25);
    start_late(200, 10);
    step_ms(25);
    assert_int_equal(n_told[TP_TROUBLE_LATENCY], 1);
    start_late(30, 10); /* over */
    step_ms(24);
    workers[1].n_steps++;
    workers[0] = (struct tp_worker_info){.state = TP_ACTIVITY_BLOCKED, .reason = TP_BLOCKED_PARKED};
    pools[0].counts.waiting = 3;
    start_late(200, 10);
    step_ms(25);
    assert_int_equal(n_told[TP_TROUBLE_LATENCY], 2);
    assert_non_null(strstr(messages[TP_TROUBLE_LATENCY], "3 submitters wait for room"));
    pools[0].counts.waiting = 0;
    start_late(30, 10);
    step_ms(25);
    start_late(200, 10);
    step_ms(75);
    assert_int_equal(n_told[TP_TROUBLE_LATENCY], 3);
    assert_non_null(strstr(messages[TP_TROUBLE_LATENCY], "worker 1 has been in one task for 100 ms"));
    assert_int_equal(n_told[TP_TROUBLE_STALL], 1);
}

static void test_starvation(void **unused)
{
    (void)unused;
    pools[0].n_accepted = 10;
    pools[0].n_over = 4;
    pools[0].counts.pending = 6;
    step_ms(0);
    step_ms(999);
    assert_int_equal(n_all(), 0);
    pools[0].n_accepted = 11; /* more of them: no progress */
    pools[0].counts.pending = 7;
    step_ms(1);
    assert_int_equal(n_told[TP_TROUBLE_STARVATION], 1);
    step_ms(2000);
    assert_int_equal(n_told[TP_TROUBLE_STARVATION], 1);
    pools[0].n_over++; /* one has started, and ended */
    pools[0].counts.pending = 6;
    step_ms(25);
    step_ms(999);
    assert_int_equal(n_told[TP_TROUBLE_STARVATION], 1);
    step_ms(1);
    assert_int_equal(n_told[TP_TROUBLE_STARVATION], 2);
    judge.settings.stall_ns = TP_FOREVER;
    workers[0] = (struct tp_worker_info){.state = TP_ACTIVITY_RUNNING, .n_steps = 1}; /* one has started */
    step_ms(25);
    step_ms(999);
    pools[0].counts.suspended = 1; /* it waits, and another one has started */
    step_ms(25);
    step_ms(999);
    assert_int_equal(n_told[TP_TROUBLE_STARVATION], 2);
    step_ms(1);
    assert_int_equal(n_told[TP_TROUBLE_STARVATION], 3);
    pools[0].counts.pending = 0;
    step_ms(5000);
    assert_int_equal(n_all(), 3);
}

/* The numbers of a look are not of one moment: tasks that came between two of them are no progress. */
static void test_starvation_while_tasks_come(void **unused)
{
    (void)unused;
    for (uint64_t i = 0; i <= 40; i++) {
        pools[0].counts.pending = 10 + 5 * i;
        pools[0].n_accepted = 10 + 5 * i + i % 3;
        step_ms(25);
    }
    assert_int_equal(n_told[TP_TROUBLE_STARVATION], 1);
    assert_int_equal(n_all(), 1);
}

static void test_never(void **unused)
{
    (void)unused;
    tp_judge_free(&judge);
    tp_judge_init(&judge, &(struct tp_monitor_settings){.latency_ns = TP_FOREVER, .memory_bytes = TP_FOREVER, .stall_ns = TP_FOREVER, .starvation_ns = TP_FOREVER});
    judge.tell = tell;
    resident = UINT64_MAX / 2;
    workers[0] = (struct tp_worker_info){.state = TP_ACTIVITY_RUNNING, .n_steps = 1};
    pools[0].n_accepted = pools[0].counts.pending = 5;
    step_ms(0);
    start_late(100000, 5);
    step_ms(100000);
    assert_int_equal(n_all(), 0);
}

/* -- a program that runs ------------------------------------------------------------------------ */

static tp_atomic(uint32_t) is_told;
static struct tp_trouble told;
static char told_pool[48];
static void *told_frames[TP_PROBE_FRAMES];

static void on_trouble(const struct tp_trouble *trouble, void *unused)
{
    (void)unused;
    if (trouble->kind != TP_TROUBLE_STALL || tp_load_acq(&is_told) != 0) /* our own */
        return;
    told = *trouble;
    snprintf(told_pool, sizeof told_pool, "%s", trouble->pool);
    for (int i = 0; i < trouble->n_frames; i++)
        told_frames[i] = trouble->frames[i];
    tp_store_rel(&is_told, 1); /* pairs with the acquires */
}

__attribute__((noinline)) static int hold_worker(void *unused)
{
    (void)unused;
    while (tp_load_acq(&is_told) == 0) /* pairs with the release in on_trouble */
        tp_clock_now_ns();             /* by a call of the C library, at which a sanitizer lets signals in */
    return 0;
}

static void test_stall_of(enum tp_tasks tasks)
{
    const struct tp_pool_settings settings = {.workers = 2, .tasks = tasks};
    struct tp_pool *pool;
    uint64_t id;
    tp_store_rel(&is_told, 0); /* before there is a monitor */
    assert_int_equal(tp_pool_open(&pool, &settings), 0);
    assert_int_equal(tp_monitor_start(&(struct tp_monitor_settings){.period_ns = TP_MILLISECOND, .stall_ns = 5 * TP_MILLISECOND, .on_trouble = on_trouble}), 0);
    assert_int_equal(tp_monitor_start(NULL), TP_EBUSY);
    assert_int_equal(tp_pool_spawn(pool, UINT_MAX, hold_worker, NULL, &id), 0);
    while (tp_load_acq(&is_told) == 0) /* pairs with the release in on_trouble */
        sched_yield();
    tp_monitor_stop();
    tp_monitor_stop();
    assert_true(told.value >= 5 * TP_MILLISECOND);
    assert_string_equal(told_pool, tp_pool_get_ops(pool)->name);
    assert_in_range(told.worker, 0, 1);
    assert_true(told.id == id || told.id == 0); /* 0: a sanitizer kept the signal back for too long */
    bool is_found = told.n_frames == 0;
    for (int i = 0; i < told.n_frames; i++) {
        uintptr_t offset = (uintptr_t)told_frames[i] - (uintptr_t)hold_worker;
        is_found = is_found || offset < 4096;
    }
    assert_true(is_found);
    assert_int_equal(told.n_frames == 0, told.id == 0);
    assert_int_equal(tp_pool_join(pool, id, TP_FOREVER, NULL), 0);
    tp_pool_free(pool);
}

static void test_stall_of_plain_task(void **unused)
{
    (void)unused;
    test_stall_of(TP_TASKS_FUNCTION);
}

static void test_stall_of_coroutine(void **unused)
{
    (void)unused;
    test_stall_of(TP_TASKS_COROUTINE);
}

/* -- its end ------------------------------------------------------------------------------------ */

static sem_t is_inside, may_return;
static tp_atomic(int) stopper; /* the system's number of that thread */

static void linger(const struct tp_trouble *trouble, void *unused)
{
    (void)trouble;
    (void)unused;
    sem_post(&is_inside);
    while (sem_wait(&may_return) != 0)
        ; /* interrupted */
}

static void *stop(void *unused)
{
    (void)unused;
    tp_store_rel(&stopper, gettid()); /* pairs with the acquire in test_end */
    tp_monitor_stop();
    return NULL;
}

/* Does that thread sleep? */
static bool is_asleep(int thread)
{
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
    fclose(file);
    return state == 'S';
}

/* While one monitor ends, there is no other: they would ask the same threads where they are. */
static void test_end(void **unused)
{
    (void)unused;
    const struct tp_monitor_settings settings = {.period_ns = TP_MILLISECOND, .memory_bytes = 1, .on_trouble = linger};
    pthread_t thread;
    sem_init(&is_inside, 0, 0);
    sem_init(&may_return, 0, 0);
    assert_int_equal(tp_monitor_start(&settings), 0);
    while (sem_wait(&is_inside) != 0)
        ; /* interrupted */
    assert_int_equal(pthread_create(&thread, NULL, stop, NULL), 0);
    while (tp_load_acq(&stopper) == 0 || !is_asleep(tp_load_acq(&stopper))) /* pairs with the release in stop */
        sched_yield();
    assert_int_equal(tp_monitor_start(&settings), TP_EBUSY);
    sem_post(&may_return);
    pthread_join(thread, NULL);
    assert_int_equal(tp_monitor_start(NULL), 0);
    tp_monitor_stop();
    tp_monitor_stop();
    sem_destroy(&is_inside);
    sem_destroy(&may_return);
}

static int yield_once(void *unused)
{
    (void)unused;
    return tp_yield();
}

/* Each worker is asked where it is, again and again, while pools work, and come and go. */
static void test_probes_under_load(void **unused)
{
    (void)unused;
    assert_true(tp_probe_init());
    for (int round = 0; round < 5; round++) {
        const struct tp_pool_settings settings = {.workers = 2, .workers_min = 2, .tasks = round % 2 == 0 ? TP_TASKS_COROUTINE : TP_TASKS_FUNCTION};
        struct tp_pool *pool;
        struct tp_worker_info infos[2];
        struct tp_probe probe;
        assert_int_equal(tp_pool_open(&pool, &settings), 0);
        for (int i = 0; i < 20; i++) {
            for (int j = 0; j < 50; j++)
                assert_int_equal(tp_pool_submit(pool, yield_once, NULL), 0);
            assert_int_equal(tp_pool_get_workers(pool, infos, 2), 2);
            tp_probe_take(infos[i % 2].thread, TP_MILLISECOND, &probe);
            assert_in_range(probe.n_frames, 0, TP_PROBE_FRAMES);
        }
        tp_pool_free(pool);
        assert_false(tp_probe_take(infos[0].thread, TP_MILLISECOND, &probe)); /* it is not there any more */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stall, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_small_stacks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pools_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_latency, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_starvation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_starvation_while_tasks_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_never, set_up, tear_down),
        cmocka_unit_test(test_stall_of_plain_task),
        cmocka_unit_test(test_stall_of_coroutine),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_probes_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
