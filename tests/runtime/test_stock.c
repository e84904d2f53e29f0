/* Stock pools as they are chosen: every combination of settings opens, says what is in force, and runs
 * its tasks once; wrong ones are refused; the default pool. tests/parts/stock.c is about what they do. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"

#include <errno.h>
#include <string.h>

enum { TASKS = 40,
    THREADS = 8 };

static tp_atomic(uint32_t) runs[TASKS];
static tp_atomic(uint32_t) n_threads; /* ever made */
static tp_atomic(uint32_t) is_refused;

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument)
{
    if (tp_load_sc(&is_refused) != 0)
        return EAGAIN;
    tp_add_sc(&n_threads, 1);
    return __real_pthread_create(thread, attributes, body, argument);
}

static int count(void *argument)
{
    tp_add_sc((tp_atomic(uint32_t) *)argument, 1);
    return 0;
}

static struct tp_pool *open_as(const struct tp_pool_settings *settings)
{
    struct tp_pool *pool = NULL;
    assert_int_equal(tp_pool_open(&pool, settings), 0);
    assert_non_null(pool);
    return pool;
}

static void refuse(struct tp_pool_settings settings)
{
    struct tp_pool *untouched = (void *)&settings, *pool = untouched;
    assert_int_equal(tp_pool_open(&pool, &settings), TP_EINVAL);
    assert_ptr_equal(pool, untouched);
}

/* -- every choice --------------------------------------------------------------------------------- */

/* The settings that a choice must lead to. */
static struct tp_pool_settings expected(const struct tp_pool_settings *asked)
{
    struct tp_pool_settings is = *asked;
    is.policy = is.policy != TP_POLICY_CONFIGURED ? is.policy : TP_POLICY_FIFO;
    is.stealing = is.stealing != TP_STEALING_CONFIGURED ? is.stealing : TP_STEALING_HALF;
    is.overload = is.overload != TP_OVERLOAD_CONFIGURED ? is.overload : TP_OVERLOAD_BLOCK;
    is.capacity = is.capacity > 0 ? is.capacity : 1024;
    bool is_drop = is.overload == TP_OVERLOAD_DROP_OLDEST;
    if (is.policy == TP_POLICY_PRIORITY || is.policy == TP_POLICY_FAIR || (is_drop && is.policy != TP_POLICY_ADAPTIVE))
        is.stealing = TP_STEALING_OFF;
    return is;
}

/* Submits TASKS tasks and looks whether each that was taken ran once, but for those that were dropped. */
static void check_runs(struct tp_pool *pool)
{
    uint64_t n_taken = 0, n_runs = 0;
    memset(runs, 0, sizeof runs);
    for (int i = 0; i < TASKS; i++) {
        int status = tp_pool_submit(pool, count, &runs[i]);
        assert_true(status == 0 || status == TP_EFULL || status == TP_EDROPPED);
        n_taken += status == 0;
    }
    assert_int_equal(tp_pool_join_all(pool, TP_FOREVER), 0);
    struct tp_pool_stats stats;
    tp_pool_get_stats(pool, &stats);
    for (int i = 0; i < TASKS; i++) {
        uint32_t n = tp_load_sc(&runs[i]);
        assert_true(n <= 1);
        n_runs += n;
    }
    assert_int_equal(stats.submitted, n_taken);
    assert_int_equal(stats.completed, n_runs);
    assert_int_equal(stats.completed + stats.dropped, n_taken);
    struct tp_pool_settings is;
    tp_pool_get_settings(pool, &is);
    if (is.overload != TP_OVERLOAD_DROP_OLDEST)
        assert_int_equal(stats.dropped, 0);
    if (is.overload == TP_OVERLOAD_BLOCK || is.overload == TP_OVERLOAD_CALLER_RUNS || is.overload == TP_OVERLOAD_SPILL || is.capacity > TASKS)
        assert_int_equal(n_runs, TASKS);
}

static void check_choice(const struct tp_pool_settings *asked)
{
    struct tp_pool *pool = open_as(asked);
    struct tp_pool_settings is, should = expected(asked);
    tp_pool_get_settings(pool, &is);
    assert_int_equal(is.policy, should.policy);
    assert_int_equal(is.stealing, should.stealing);
    assert_int_equal(is.overload, should.overload);
    assert_true(is.capacity == should.capacity);
    assert_int_equal(is.workers, 2);
    check_runs(pool);
    tp_pool_free(pool);
}

static void test_every_choice(void **state)
{
    (void)state;
    static const uint64_t capacities[] = {0, 3, UINT64_MAX};
    struct tp_pool_settings asked = {.workers = 2};
    for (int policy = TP_POLICY_CONFIGURED; policy <= TP_POLICY_ADAPTIVE; policy++)
        for (int stealing = TP_STEALING_CONFIGURED; stealing <= TP_STEALING_HALF; stealing++)
            for (int overload = TP_OVERLOAD_CONFIGURED; overload <= TP_OVERLOAD_SPILL; overload++)
                for (int i = 0; i < 3; i++) {
                    asked.policy = (enum tp_policy)policy;
                    asked.stealing = (enum tp_stealing)stealing;
                    asked.overload = (enum tp_overload)overload;
                    asked.capacity = capacities[i];
                    check_choice(&asked);
                }
}

/* All numbers at once, for each policy. */
static void test_every_number(void **state)
{
    (void)state;
    for (int policy = TP_POLICY_FIFO; policy <= TP_POLICY_ADAPTIVE; policy++) {
        struct tp_pool_settings asked = {.workers = 3, .workers_min = 2, .workers_max = 5, .waiting_max = 7, .capacity = 100, .preallocate = 50, .deadline_ns = 11 * TP_SECOND, .timeout_ns = 12 * TP_SECOND, .expire_ns = 13 * TP_SECOND, .policy = (enum tp_policy)policy, .overload = TP_OVERLOAD_BLOCK}, is;
        struct tp_pool *pool = open_as(&asked);
        tp_pool_get_settings(pool, &is);
        assert_int_equal(tp_pool_settings_fit(&asked, &is), 0);
        tp_pool_free(pool);
    }
}

static void test_no_settings(void **state)
{
    (void)state;
    struct tp_pool *pool = open_as(NULL);
    struct tp_pool_settings is;
    tp_pool_get_settings(pool, &is);
    assert_int_equal(is.policy, TP_POLICY_FIFO);
    assert_int_equal(is.stealing, TP_STEALING_HALF);
    assert_int_equal(is.overload, TP_OVERLOAD_BLOCK);
    assert_int_equal(is.workers, tp_cpu_count());
    assert_int_equal(is.workers_min, 1);
    assert_int_equal(is.capacity, 1024);
    assert_true(is.timeout_ns == UINT64_MAX && is.expire_ns == UINT64_MAX && is.deadline_ns == UINT64_MAX);
    assert_int_equal(is.waiting_max, UINT32_MAX);
    assert_string_equal(tp_pool_get_ops(pool)->name, "stock_fifo_half");
    tp_pool_free(pool);
}

static int nothing(void *argument)
{
    (void)argument;
    return 0;
}

/* A call without a function is refused at once, not met by a worker. */
static void test_no_function(void **state)
{
    (void)state;
    struct tp_pool *pool = open_as(NULL);
    struct tp_call calls[] = {{nothing, NULL}, {NULL, NULL}};
    size_t n_accepted = 7;
    uint64_t id = 7;
    assert_int_equal(tp_pool_submit(pool, NULL, NULL), TP_EINVAL);
    assert_int_equal(tp_pool_submit_class(pool, TP_CLASS_DEFAULT, NULL, NULL), TP_EINVAL);
    assert_int_equal(tp_pool_spawn(pool, TP_CLASS_DEFAULT, NULL, NULL, &id), TP_EINVAL);
    assert_int_equal(id, 7);
    assert_int_equal(tp_pool_submit_batch(pool, calls, 2, &n_accepted), TP_EINVAL);
    assert_int_equal(n_accepted, 0);
    assert_int_equal(tp_pool_submit_batch(pool, calls, 1, &n_accepted), 0);
    assert_int_equal(n_accepted, 1);
    tp_pool_free(pool);
}

/* Where nobody steals a seed is ignored, as is the way to steal. */
static void test_seed(void **state)
{
    (void)state;
    struct tp_pool_settings is;
    for (int policy = TP_POLICY_FIFO; policy <= TP_POLICY_ADAPTIVE; policy++)
        for (int stealing = TP_STEALING_OFF; stealing <= TP_STEALING_HALF; stealing++) {
            struct tp_pool_settings asked = {.workers = 2, .seed = 77, .policy = (enum tp_policy)policy, .stealing = (enum tp_stealing)stealing};
            struct tp_pool *pool = open_as(&asked);
            tp_pool_get_settings(pool, &is);
            assert_int_equal(is.seed, is.stealing == TP_STEALING_OFF ? 0 : 77);
            tp_pool_free(pool);
        }
}

/* Tasks in coroutines: what that variant is not, it refuses. */
static void test_coroutine(void **state)
{
    (void)state;
    static const uint64_t capacities[] = {0, 3, UINT64_MAX};
    struct tp_pool_settings is;
    for (int overload = TP_OVERLOAD_CONFIGURED; overload <= TP_OVERLOAD_SPILL; overload++)
        for (int i = 0; i < 3 && overload != TP_OVERLOAD_DROP_OLDEST; i++)
            check_choice(&(struct tp_pool_settings){.workers = 2, .capacity = capacities[i], .overload = (enum tp_overload)overload, .tasks = TP_TASKS_COROUTINE});
    struct tp_pool *pool = open_as(&(struct tp_pool_settings){.tasks = TP_TASKS_COROUTINE, .stealing = TP_STEALING_HALF, .policy = TP_POLICY_FIFO});
    struct tp_pool_stats stats;
    tp_pool_get_settings(pool, &is);
    tp_pool_get_stats(pool, &stats);
    assert_int_equal(is.tasks, TP_TASKS_COROUTINE);
    assert_int_equal(stats.stack_bytes, TP_STOCK_STACK_BYTES);
    assert_string_equal(tp_pool_get_ops(pool)->name, "stock_coroutine");
    tp_pool_free(pool);
    pool = open_as(&(struct tp_pool_settings){.tasks = TP_TASKS_FUNCTION});
    tp_pool_get_settings(pool, &is);
    assert_int_equal(is.tasks, TP_TASKS_FUNCTION);
    tp_pool_free(pool);
    refuse((struct tp_pool_settings){.tasks = (enum tp_tasks)(TP_TASKS_COROUTINE + 1)});
    refuse((struct tp_pool_settings){.tasks = TP_TASKS_COROUTINE, .policy = TP_POLICY_LIFO});
    refuse((struct tp_pool_settings){.tasks = TP_TASKS_COROUTINE, .stealing = TP_STEALING_OFF});
    refuse((struct tp_pool_settings){.tasks = TP_TASKS_COROUTINE, .timeout_ns = TP_SECOND});
    refuse((struct tp_pool_settings){.tasks = TP_TASKS_COROUTINE, .overload = TP_OVERLOAD_DROP_OLDEST});
}

static void test_weights(void **state)
{
    (void)state;
    struct tp_pool_settings asked = {.policy = TP_POLICY_FAIR, .weights = {[1] = TP_WEIGHT_MAX, [TP_STOCK_CLASSES_FAIR - 1] = 3}}, is;
    struct tp_pool *pool = open_as(&asked);
    tp_pool_get_settings(pool, &is);
    for (int c = 0; c < TP_STOCK_CLASSES_FAIR; c++)
        assert_int_equal(is.weights[c], c == 1 ? TP_WEIGHT_MAX : (c == TP_STOCK_CLASSES_FAIR - 1 ? 3 : 1));
    assert_int_equal(is.weights[TP_STOCK_CLASSES_FAIR], 0);
    tp_pool_free(pool);
    asked = (struct tp_pool_settings){.policy = TP_POLICY_ADAPTIVE, .weights = {[TP_CLASS_LOW] = 5}};
    pool = open_as(&asked);
    tp_pool_get_settings(pool, &is);
    assert_true(is.weights[TP_CLASS_HIGH] == 4 && is.weights[TP_CLASS_NORMAL] == 2 && is.weights[TP_CLASS_LOW] == 5);
    tp_pool_free(pool);
}

static void test_refused(void **state)
{
    (void)state;
    refuse((struct tp_pool_settings){.policy = (enum tp_policy)(TP_POLICY_ADAPTIVE + 1)});
    refuse((struct tp_pool_settings){.stealing = (enum tp_stealing)(TP_STEALING_HALF + 1)});
    refuse((struct tp_pool_settings){.overload = (enum tp_overload)(TP_OVERLOAD_SPILL + 1)});
    refuse((struct tp_pool_settings){.workers = 4097});
    refuse((struct tp_pool_settings){.workers = 2, .workers_min = 3});
    refuse((struct tp_pool_settings){.workers = 3, .workers_max = 2});
    refuse((struct tp_pool_settings){.workers_max = 4097});
    for (int policy = TP_POLICY_FIFO; policy <= TP_POLICY_PRIORITY; policy++)
        refuse((struct tp_pool_settings){.policy = (enum tp_policy)policy, .weights = {1}});
    refuse((struct tp_pool_settings){.policy = TP_POLICY_FAIR, .weights = {[TP_STOCK_CLASSES_FAIR] = 1}});
    refuse((struct tp_pool_settings){.policy = TP_POLICY_ADAPTIVE, .weights = {[TP_CLASS_LOW + 1] = 1}});
    refuse((struct tp_pool_settings){.policy = TP_POLICY_FAIR, .weights = {TP_WEIGHT_MAX + 1}});
    refuse((struct tp_pool_settings){.policy = TP_POLICY_ADAPTIVE, .weights = {[TP_CLASS_LOW] = UINT32_MAX}});
}

/* -- threads -------------------------------------------------------------------------------------- */

static uint32_t threads_of(struct tp_pool_settings settings)
{
    uint32_t before = tp_load_sc(&n_threads);
    struct tp_pool *pool = open_as(&settings);
    uint32_t n = tp_load_sc(&n_threads) - before;
    tp_pool_free(pool);
    return n;
}

/* One worker at once, and a keeper only for a limit. */
static void test_threads(void **state)
{
    (void)state;
    for (int policy = TP_POLICY_FIFO; policy <= TP_POLICY_ADAPTIVE; policy++) {
        enum tp_policy p = (enum tp_policy)policy;
        assert_int_equal(threads_of((struct tp_pool_settings){.policy = p, .workers = 4}), 1);
        assert_int_equal(threads_of((struct tp_pool_settings){.policy = p, .workers = 4, .workers_min = 3}), 3);
        assert_int_equal(threads_of((struct tp_pool_settings){.policy = p, .timeout_ns = 3600 * TP_SECOND}), 2);
        assert_int_equal(threads_of((struct tp_pool_settings){.policy = p, .expire_ns = 3600 * TP_SECOND}), 2);
        assert_int_equal(threads_of((struct tp_pool_settings){.policy = p, .timeout_ns = UINT64_MAX, .expire_ns = UINT64_MAX}), 1);
    }
}

/* Without threads there is no pool, and no default one; later there is. */
static void test_no_threads(void **state)
{
    (void)state;
    struct tp_pool *untouched = (void *)state, *pool = untouched;
    tp_store_sc(&is_refused, 1);
    assert_int_equal(tp_pool_open(&pool, NULL), TP_ETHREAD);
    assert_ptr_equal(pool, untouched);
    assert_null(tp_pool_default());
    tp_store_sc(&is_refused, 0);
}

static void *get_default(void *argument)
{
    *(struct tp_pool **)argument = tp_pool_default();
    return NULL;
}

static void test_default(void **state)
{
    (void)state;
    struct tp_pool *pools[THREADS];
    struct crowd crowd = {.n = 0};
    for (int i = 0; i < THREADS; i++)
        crowd_add(&crowd, get_default, &pools[i]);
    crowd_join(&crowd);
    assert_non_null(pools[0]);
    for (int i = 1; i < THREADS; i++)
        assert_ptr_equal(pools[i], pools[0]);
    assert_ptr_equal(tp_pool_default(), pools[0]);
    check_runs(tp_pool_default());
    assert_int_equal(tp_pool_close(tp_pool_default(), TP_FOREVER), 0); /* else its threads would outlive the test */
    assert_int_equal(tp_pool_submit(tp_pool_default(), count, &runs[0]), TP_ECLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_choice),
        cmocka_unit_test(test_every_number),
        cmocka_unit_test(test_no_settings),
        cmocka_unit_test(test_no_function),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_coroutine),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_no_threads),
        cmocka_unit_test(test_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
