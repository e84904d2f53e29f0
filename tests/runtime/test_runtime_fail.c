/* Runtimes, scopes and blocking pools when the system refuses memory, the k-th time it is asked, for each k; and threads. What fails says so, what
 * was accepted ends, and nothing is lost. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"

#include <errno.h>

enum { CHILDREN = 20,
    ENOUGH = 400 }; /* allocations */

static tp_atomic(uint32_t) n_left; /* allocations until one is refused; 0: none is */
static tp_atomic(uint32_t) n_wrong, n_refused, no_threads;

static bool refuses(void)
{
    uint32_t n = tp_load_sc(&n_left);
    while (n > 0 && !tp_cas_sc(&n_left, &n, n - 1))
        ;
    tp_add_sc(&n_refused, n == 1);
    return n == 1;
}

void *__real_malloc(size_t n_bytes);
void *__wrap_malloc(size_t n_bytes);
void *__real_calloc(size_t n, size_t n_bytes);
void *__wrap_calloc(size_t n, size_t n_bytes);
void *__real_aligned_alloc(size_t alignment, size_t n_bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t n_bytes);
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument);

void *__wrap_malloc(size_t n_bytes)
{
    return refuses() ? NULL : __real_malloc(n_bytes);
}

void *__wrap_calloc(size_t n, size_t n_bytes)
{
    return refuses() ? NULL : __real_calloc(n, n_bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n_bytes)
{
    return refuses() ? NULL : __real_aligned_alloc(alignment, n_bytes);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument)
{
    return tp_load_sc(&no_threads) != 0 ? EAGAIN : __real_pthread_create(thread, attributes, body, argument);
}

static bool expect(bool is_so)
{
    if (!is_so)
        tp_add_sc(&n_wrong, 1);
    return is_so;
}

static char ada[] = "ada";
static const struct tp_local_key user = {"user", NULL};
static struct tp_blocking *pool;

static bool is_fine(int status)
{
    return status == 0 || status == TP_ENOMEM;
}

static int see_user(void *unused)
{
    (void)unused;
    tp_yield();
    return expect(tp_local_get(&user) == ada) ? 0 : -1;
}

static int call(void *unused)
{
    (void)unused;
    return 0;
}

static int call_outside(void *unused)
{
    (void)unused;
    struct tp_task_result result = {.code = 0};
    int status = tp_blocking_call(pool, call, NULL, TP_FOREVER, &result);
    expect(is_fine(status) && is_fine(result.code));
    return status;
}

/* What has begun, ends: by itself, or as it was told. */
static int work(void *unused)
{
    uint64_t id;
    (void)unused;
    TP_LOCAL(&user, ada);
    TP_SCOPE(scope, &(struct tp_scope_settings){.policy = TP_SCOPE_COLLECT});
    for (int i = 0; i < CHILDREN; i++) {
        expect(is_fine(tp_scope_spawn(&scope, i % 4 == 0 ? call_outside : see_user, NULL, NULL)));
        int status = tp_task_spawn(see_user, NULL, &id);
        struct tp_task_result result = {.code = 0};
        if (expect(is_fine(status)) && status == 0)
            expect(tp_task_join(id, TP_FOREVER, &result) == 0 && is_fine(result.code));
    }
    expect(is_fine(tp_scope_join(&scope, TP_FOREVER)));
    for (uint32_t i = 0; i < tp_scope_count(&scope); i++)
        expect(is_fine(tp_scope_result(&scope, i).code));
    return 0;
}

static void run_once(const struct tp_runtime_settings *settings)
{
    struct tp_runtime *untouched = (void *)&pool, *runtime = untouched;
    struct tp_task_result result = {.code = 0};
    int status = tp_runtime_open(&runtime, settings);
    assert_true(is_fine(status));
    assert_true((status == 0) == (runtime != untouched));
    pool = NULL;
    if (status == 0 && (status = tp_blocking_open(&pool, &(struct tp_blocking_settings){.threads = 1, .queue = 2})) == 0) {
        status = tp_block_on(runtime, work, NULL, &result);
        assert_true(is_fine(status) && is_fine(result.code));
    }
    assert_true(is_fine(status));
    if (runtime != untouched)
        tp_runtime_free(runtime);
    tp_blocking_free(pool);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
}

static void test_memory(void **state)
{
    (void)state;
    static const struct tp_runtime_settings kinds[] = {
        {.flavour = TP_RUNTIME_CURRENT, .virtual_time = true},
        {.flavour = TP_RUNTIME_CURRENT, .seed = 4},
        {.flavour = TP_RUNTIME_MULTI, .workers = 1},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        uint32_t n = 0;
        do {
            tp_store_sc(&n_refused, 0);
            tp_store_sc(&n_left, ++n);
            run_once(&kinds[k]);
            tp_store_sc(&n_left, 0);
        } while (tp_load_sc(&n_refused) > 0 && n < ENOUGH);
        assert_true(n > 5 && n < ENOUGH);
    }
}

static void test_threads(void **state)
{
    struct tp_runtime *runtime = (void *)state;
    pool = (void *)state;
    tp_store_sc(&no_threads, 1);
    assert_int_equal(tp_runtime_open(&runtime, NULL), TP_ETHREAD);
    assert_int_equal(tp_blocking_open(&pool, NULL), TP_ETHREAD);
    assert_true((void *)runtime == (void *)state && (void *)pool == (void *)state);
    assert_int_equal(tp_blocking_call(NULL, call, NULL, TP_FOREVER, NULL), TP_ETHREAD);
    struct tp_blocking_stats stats;
    tp_blocking_get_stats(NULL, &stats);
    assert_true(stats.threads == 0 && stats.name != NULL);
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.flavour = TP_RUNTIME_CURRENT}), 0); /* it needs none */
    assert_int_equal(tp_block_on(runtime, call, NULL, NULL), 0);
    tp_runtime_free(runtime);
    tp_store_sc(&no_threads, 0);
    assert_int_equal(tp_blocking_call(NULL, call, NULL, TP_FOREVER, NULL), 0); /* later it can be had */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
