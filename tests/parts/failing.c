/* What the system refuses: memory and threads. Opening fails whole, submitting fails with what was
 * accepted intact, and nothing leaks (the address sanitizer looks). The calls below are replaced at
 * link time; a countdown says which of them fails. */
#include "behaviour.h"

#include "coro/stack.h"

#include <sys/mman.h>

void *__real_malloc(size_t n_bytes);
void *__real_aligned_alloc(size_t alignment, size_t n_bytes);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*entry)(void *), void *argument);
void *__wrap_malloc(size_t n_bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t n_bytes);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*entry)(void *), void *argument);

/* Calls that still succeed; negative: all do. Only one thread counts down: the test's own, or, in
 * turn_to_worker, the pool's only worker. */
static int allocations_left = -1;
static int threads_left = -1;
static bool turn_to_worker;
static bool failed_here;

static bool is_refused(int *left)
{
    if (*left < 0 || (tp_worker_self() != NULL) != turn_to_worker)
        return false;
    if (*left > 0) {
        --*left;
        return false;
    }
    failed_here = true;
    return true;
}

void *__wrap_malloc(size_t n_bytes)
{
    return is_refused(&allocations_left) ? NULL : __real_malloc(n_bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n_bytes)
{
    return is_refused(&allocations_left) ? NULL : __real_aligned_alloc(alignment, n_bytes);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*entry)(void *), void *argument)
{
    return is_refused(&threads_left) ? EAGAIN : __real_pthread_create(thread, attributes, entry, argument);
}

#if WITH_COROUTINE
void *__real_calloc(size_t n, size_t n_bytes);
void *__real_mmap(void *at, size_t n_bytes, int protection, int flags, int file, off_t offset);
void *__wrap_calloc(size_t n, size_t n_bytes);
void *__wrap_mmap(void *at, size_t n_bytes, int protection, int flags, int file, off_t offset);

void *__wrap_calloc(size_t n, size_t n_bytes)
{
    return is_refused(&allocations_left) ? NULL : __real_calloc(n, n_bytes);
}

void *__wrap_mmap(void *at, size_t n_bytes, int protection, int flags, int file, off_t offset)
{
    return is_refused(&allocations_left) ? MAP_FAILED : __real_mmap(at, n_bytes, protection, flags, file, offset);
}
#endif

static int open_with(struct job_pool **pool, int *left, int n)
{
    struct tp_pool_settings settings = {.workers = 3};
    failed_here = false;
    *left = n;
    int status = job_pool_open(pool, &settings);
    *left = -1;
    return status;
}

static void test_open_without_memory(void **state)
{
    (void)state;
    int n = 0;
    for (;; n++) {
        struct job_pool *pool = NULL;
        int status = open_with(&pool, &allocations_left, n);
        if (!failed_here) {
            assert_int_equal(status, 0);
            job_pool_free(pool);
            break;
        }
        assert_int_equal(status, TP_ENOMEM);
        assert_null(pool);
    }
    assert_true(n >= 6); /* the pool, the lanes, four first segments, the workers */
}

static void test_open_without_threads(void **state)
{
    (void)state;
    for (int n = 0; n < 3; n++) {
        struct job_pool *pool = NULL;
        assert_int_equal(open_with(&pool, &threads_left, n), TP_ETHREAD);
        assert_null(pool);
    }
}

static void test_submit_without_memory(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold;
    struct job_pool *pool = pool_open(1, 4 * LEDGER);
    struct entry *entries = ledger_new(LEDGER);
    uintptr_t *payloads = calloc(LEDGER, sizeof *payloads);
    pool_hold(pool, 1, &gate, &hold);
    for (size_t i = 0; i < LEDGER; i++)
        payloads[i] = as_payload(&entries[i].call);
    size_t n_accepted = 0;
    allocations_left = 2; /* two more segments, then none */
    int status = job_submit_batch(pool, payloads, LEDGER, &n_accepted);
    allocations_left = -1;
    assert_int_equal(status, TP_ENOMEM);
    assert_true(n_accepted >= 2 * JOB_SEGMENT && n_accepted < LEDGER);
    size_t n_rest = 0;
    assert_int_equal(job_submit_batch(pool, payloads + n_accepted, LEDGER - n_accepted, &n_rest), 0);
    assert_int_equal(n_accepted + n_rest, LEDGER);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    ledger_check(entries, LEDGER);
    job_pool_free(pool);
    free(payloads);
    free(entries);
}

#if WITH_COROUTINE
static struct tp_waitlist bell;
static tp_atomic(uint32_t) n_rung;

static int sleep_run(void *argument)
{
    struct tp_waiter w;
    (void)argument;
    tp_waitlist_prepare(&bell, &w);
    if (tp_waitlist_wait(&bell, &w, TP_FOREVER) != 0)
        return -1;
    tp_add_sc(&n_rung, 1);
    return 0;
}

/* Some tasks sleep on the stacks that there are; the n-th allocation for the others fails, then all later ones. What got no stack fails, what got one
 * goes on, and the next task finds memory again. */
static void test_no_stacks(void **state)
{
    (void)state;
    enum { SLEEPERS_MOST = 40 };
    uint32_t n_failed_most = 0;
    int n = 0;
    do {
        struct call call = {sleep_run, NULL};
        struct tp_task_result result;
        uint64_t ids[SLEEPERS_MOST];
        uint32_t n_failed = 0;
        tp_stack_trim(0);
        struct job_pool *pool = pool_open(1, SLEEPERS_MOST + 1);
        tp_waitlist_init(&bell);
        tp_store_sc(&n_rung, 0);
        failed_here = false;
        turn_to_worker = true;
        allocations_left = n;
        for (int i = 0; i < SLEEPERS_MOST; i++)
            assert_int_equal(job_spawn(pool, as_payload(&call), &ids[i]), 0);
        struct tp_pool_counts counts;
        do
            job_pool_counts(pool, &counts);
        while (counts.pending + counts.running > 0);
        turn_to_worker = false;
        allocations_left = -1;
        uint64_t id;
        assert_int_equal(job_spawn(pool, as_payload(&call), &id), 0);
        do
            job_pool_counts(pool, &counts);
        while (counts.pending + counts.running > 0);
        tp_waitlist_notify(&bell, UINT32_MAX);
        for (int i = 0; i < SLEEPERS_MOST; i++) {
            assert_int_equal(job_join(pool, ids[i], TP_FOREVER, &result), 0);
            n_failed += result.state == TP_TASK_FAILED;
            assert_int_equal(result.code, result.state == TP_TASK_FAILED ? TP_ENOMEM : 0);
        }
        assert_int_equal(job_join(pool, id, TP_FOREVER, &result), 0);
        assert_int_equal(result.state, TP_TASK_RETURNED);
        assert_int_equal(tp_load_sc(&n_rung) + n_failed, SLEEPERS_MOST + 1);
        if (n_failed > n_failed_most)
            n_failed_most = n_failed;
        job_pool_free(pool);
        n++;
    } while (failed_here);
    assert_true(n > 3 && n_failed_most == SLEEPERS_MOST);
}
#endif

/* A task that cannot put down its child gives back what the child had paid [ROOM-1]. */
struct greedy {
    struct job_pool *pool;
    struct entry *entries;
    size_t n_accepted;
    int status;
};

static int greedy_run(void *argument)
{
    struct greedy *greedy = argument;
    turn_to_worker = true;
    allocations_left = 0;
    while ((greedy->status = job_submit(greedy->pool, as_payload(&greedy->entries[greedy->n_accepted].call))) == 0)
        greedy->n_accepted++;
    allocations_left = -1;
    turn_to_worker = false;
    return 0;
}

static void test_submit_inside_without_memory(void **state)
{
    (void)state;
    struct greedy greedy = {.pool = pool_open(1, 4 * LEDGER), .entries = ledger_new(LEDGER)};
    struct call call = {greedy_run, &greedy};
    submit(greedy.pool, &call);
    assert_int_equal(job_join_all(greedy.pool, TP_FOREVER), 0);
    assert_int_equal(greedy.status, TP_ENOMEM);
    assert_true(WITH_TRACKING || greedy.n_accepted >= JOB_QUEUE + JOB_SEGMENT); /* records may run out first */
    ledger_check(greedy.entries, greedy.n_accepted);
    uint64_t credit = 0;
    for (uint32_t i = 0; i < greedy.pool->n_lanes; i++)
        credit += greedy.pool->lanes[i].credit;
    assert_int_equal(credit, greedy.pool->granted - job_sum_finished(greedy.pool));
    job_pool_free(greedy.pool);
    free(greedy.entries);
}

#if WITH_EXPIRE
/* Waits until each worker that was told to leave has seen it; before, it may be told to stay. */
static void await_leavers(struct job_pool *pool)
{
    for (uint32_t i = 0; i < job_n_workers(pool); i++)
        for (bool leaves = true; leaves;) {
            tp_spin_lock(&pool->idle.lock);
            leaves = pool->workers[i].base.retired;
            tp_spin_unlock(&pool->idle.lock);
            sched_yield();
        }
}

/* No worker has a thread, and the system gives none to who submits: the task waits, and the close that finds nobody to run
 * it ends it. Once a thread can be had it runs. */
static void test_close_without_threads(void **state)
{
    (void)state;
    enum { HOUR = 3600 };
    struct tp_pool_settings settings = {.workers = 2, .workers_min = 1, .expire_ns = HOUR * UINT64_C(1000000000)};
    for (int is_refused_for_good = 0; is_refused_for_good <= 1; is_refused_for_good++) {
        struct job_pool *pool;
        struct entry *entries = ledger_new(2);
        assert_int_equal(job_pool_open(&pool, &settings), 0);
        while (tp_idle_parked(&pool->idle) != tp_idle_live(&pool->idle))
            sched_yield();
        tp_idle_expire(&pool->idle, UINT64_MAX, 0);
        await_leavers(pool);
        threads_left = 0;
        failed_here = false;
        assert_int_equal(job_submit(pool, as_payload(&entries[0].call)), 0);
        assert_true(failed_here);
        struct tp_pool_counts counts;
        job_pool_counts(pool, &counts);
        assert_int_equal(counts.pending, 1);
        if (is_refused_for_good == 0) {
            threads_left = -1;
            assert_int_equal(job_submit(pool, as_payload(&entries[1].call)), 0);
        }
        assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
        threads_left = -1;
        job_pool_counts(pool, &counts);
        assert_int_equal(counts.pending, 0);
        for (int i = 0; i < 2; i++) /* relaxed: the pool is closed */
            assert_int_equal(tp_load_rlx(&entries[i].n_runs), is_refused_for_good == 1 ? 0 : 1);
        job_pool_free(pool);
        free(entries);
    }
}
#endif

#if WITH_EXPIRE && WITH_COROUTINE
static struct tp_waitlist bed;
static tp_atomic(uint32_t) is_morning;

static int sleep_until_morning(void *argument)
{
    struct tp_waiter w;
    (void)argument;
    tp_waitlist_prepare(&bed, &w);
    if (tp_load_acq(&is_morning) != 0)
        tp_waitlist_cancel(&bed, &w);
    else
        tp_waitlist_wait(&bed, &w, TP_FOREVER);
    return 0;
}

/* A task sleeps, no worker has a thread, and the system gives none: a close waits until it does. */
static void test_close_without_threads_but_a_sleeper(void **state)
{
    (void)state;
    struct tp_pool_settings settings = {.workers = 2, .workers_min = 1, .expire_ns = UINT64_C(3600000000000)};
    struct tp_pool_counts counts;
    struct call call = {sleep_until_morning, NULL};
    struct job_pool *pool;
    tp_waitlist_init(&bed);
    tp_store_sc(&is_morning, 0);
    assert_int_equal(job_pool_open(&pool, &settings), 0);
    submit(pool, &call);
    do
        job_pool_counts(pool, &counts);
    while (counts.suspended == 0);
    while (tp_idle_parked(&pool->idle) != tp_idle_live(&pool->idle))
        sched_yield();
    tp_idle_expire(&pool->idle, UINT64_MAX, 0);
    await_leavers(pool);
    failed_here = false;
    threads_left = 0;
    assert_int_equal(job_pool_close(pool, tp_deadline_in_ns(1)), TP_ETIMEDOUT);
    assert_true(failed_here);
    tp_store_sc(&is_morning, 1);
    tp_waitlist_notify(&bed, 1);
    assert_int_equal(job_pool_close(pool, tp_deadline_in_ns(1)), TP_ETIMEDOUT);
    threads_left = -1;
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    job_pool_free(pool);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_without_memory),
        cmocka_unit_test(test_open_without_threads),
        cmocka_unit_test(test_submit_without_memory),
        cmocka_unit_test(test_submit_inside_without_memory),
#if WITH_COROUTINE
        cmocka_unit_test(test_no_stacks),
#endif
#if WITH_EXPIRE
        cmocka_unit_test(test_close_without_threads),
#endif
#if WITH_EXPIRE && WITH_COROUTINE
        cmocka_unit_test(test_close_without_threads_but_a_sleeper),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
