/* Life-cycle pools: what a handle may do when, what comes back, and how a pool keeps its size. */
#include "coro/copool.h"

#include "coro/coro.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SMALL = 16384 };

static struct tp_copool *pool;

static int open_pool(void **state)
{
    (void)state;
    return tp_copool_open(&pool, &(struct tp_copool_settings){.name = "test", .stack_bytes = SMALL});
}

static int close_pool(void **state)
{
    (void)state;
    return tp_copool_close(pool);
}

static struct tp_copool_stats stats_now(void)
{
    struct tp_copool_stats stats;
    tp_copool_get_stats(pool, &stats);
    return stats;
}

/* Yields the numbers below the argument. */
static int count(void *limit)
{
    for (intptr_t i = 1; i <= (intptr_t)limit; i++)
        if (tp_pooled_yield((void *)i, NULL) != 0)
            return TP_ECANCELED;
    return 7;
}

/* Writes down in which order its scopes were left. */
static char left[8];

static void leave(char *which)
{
    left[strlen(left)] = *which;
}

static int scopes(void *argument)
{
    __attribute__((cleanup(leave))) char outer = 'a';
    (void)argument;
    for (;;) {
        __attribute__((cleanup(leave))) char inner = 'b';
        (void)outer;
        (void)inner;
        int status = tp_pooled_yield(NULL, NULL);
        if (status != 0)
            return status;
        leave(&(char){'!'});
    }
}

static int deaf(void *argument)
{
    bool *may_end = argument;
    while (!*may_end)
        tp_pooled_yield(NULL, NULL), tp_co_yield(NULL, NULL);
    return 0;
}

static int fails(void *argument)
{
    (void)argument;
    return TP_EINVAL;
}

static void test_one_life(void **state)
{
    (void)state;
    struct tp_co_handle handle;
    void *out = NULL;
    int code;
    assert_int_equal(tp_copool_acquire(pool, count, (void *)2, &handle), 0);
    assert_int_equal(tp_pooled_state(handle), TP_POOLED_SUSPENDED);
    assert_int_equal(tp_pooled_result(handle, &code), TP_EBUSY);
    for (intptr_t i = 1; i <= 2; i++) {
        assert_int_equal(tp_pooled_resume(handle, NULL, &out), 0);
        assert_int_equal((intptr_t)out, i);
    }
    assert_int_equal(tp_pooled_resume(handle, NULL, &out), 0);
    assert_null(out);
    assert_int_equal(tp_pooled_state(handle), TP_POOLED_DONE);
    assert_int_equal(tp_pooled_resume(handle, NULL, &out), TP_EDONE);
    assert_int_equal(tp_pooled_cancel(handle), TP_ESTALE);
    assert_int_equal(tp_pooled_result(handle, &code), 0);
    assert_int_equal(code, 7);
    assert_int_equal(tp_pooled_release(handle), 0);

    struct tp_co_handle next;
    assert_int_equal(tp_copool_acquire(pool, count, (void *)1, &next), 0);
    assert_ptr_equal(next.at, handle.at); /* the same record, another life */
    assert_int_equal(tp_pooled_state(handle), TP_POOLED_STALE);
    assert_int_equal(tp_pooled_resume(handle, NULL, NULL), TP_ESTALE);
    assert_int_equal(tp_pooled_cancel(handle), TP_ESTALE);
    assert_int_equal(tp_pooled_release(handle), TP_ESTALE);
    assert_int_equal(tp_pooled_result(handle, &code), TP_ESTALE);
    assert_int_equal(tp_pooled_state(next), TP_POOLED_SUSPENDED); /* untouched by all that */
    assert_int_equal(tp_pooled_release(next), 0);
    struct tp_copool_stats stats = stats_now();
    assert_int_equal(stats.n_acquired, 2);
    assert_int_equal(stats.n_released, 2);
    assert_int_equal(stats.n_hits, 1);
    assert_int_equal(stats.saved_bytes, SMALL);
    assert_int_equal(stats.n_cancelled, 1);
    assert_int_equal(stats.n_stale, 5);
    assert_int_equal(stats.n_live, 0);
    assert_int_equal(stats.n_idle, 1);
}

static void test_nothing(void **state)
{
    (void)state;
    struct tp_co_handle none = {NULL, 0};
    int code;
    assert_int_equal(tp_pooled_resume(none, NULL, NULL), TP_ESTALE);
    assert_int_equal(tp_pooled_cancel(none), TP_ESTALE);
    assert_int_equal(tp_pooled_release(none), TP_ESTALE);
    assert_int_equal(tp_pooled_result(none, &code), TP_ESTALE);
    assert_int_equal(tp_pooled_state(none), TP_POOLED_STALE);
    assert_int_equal(tp_pooled_yield(NULL, NULL), TP_EOUTSIDE);
    assert_null(tp_pooled_self().at);
    assert_int_equal(tp_copool_acquire(NULL, count, NULL, &none), TP_EINVAL);
    assert_int_equal(tp_copool_acquire(pool, NULL, NULL, &none), TP_EINVAL);
    assert_null(none.at);
    assert_int_equal(tp_copool_close(NULL), 0);
}

/* Ended from outside, in the middle: the scopes are left, the inner one first, each once. */
static void test_release_in_the_middle(void **state)
{
    (void)state;
    struct tp_co_handle handle;
    memset(left, 0, sizeof left);
    assert_int_equal(tp_copool_acquire(pool, scopes, NULL, &handle), 0);
    assert_int_equal(tp_pooled_resume(handle, NULL, NULL), 0);
    assert_int_equal(tp_pooled_release(handle), 0);
    assert_string_equal(left, "ba");
    assert_int_equal(tp_pooled_state(handle), TP_POOLED_STALE);
    assert_int_equal(stats_now().n_cancelled, 1);
}

static void test_cancel_is_a_level(void **state)
{
    (void)state;
    struct tp_co_handle handle;
    int code;
    memset(left, 0, sizeof left);
    assert_int_equal(tp_copool_acquire(pool, scopes, NULL, &handle), 0);
    assert_int_equal(tp_pooled_cancel(handle), 0); /* before it begins */
    assert_int_equal(tp_pooled_cancel(handle), 0);
    assert_int_equal(tp_pooled_resume(handle, NULL, NULL), 0);
    assert_int_equal(tp_pooled_state(handle), TP_POOLED_CANCELLED); /* its first yield said so */
    assert_string_equal(left, "ba");
    assert_int_equal(tp_pooled_result(handle, &code), 0);
    assert_int_equal(code, TP_ECANCELED);
    assert_int_equal(tp_pooled_release(handle), 0);
}

/* One that does not listen keeps its stack, until it ends by itself. */
static void test_deaf(void **state)
{
    (void)state;
    bool may_end = false;
    struct tp_co_handle handle;
    assert_int_equal(tp_copool_acquire(pool, deaf, &may_end, &handle), 0);
    assert_int_equal(tp_pooled_resume(handle, NULL, NULL), 0);
    assert_int_equal(tp_pooled_release(handle), TP_EBUSY);
    assert_int_equal(tp_pooled_state(handle), TP_POOLED_SUSPENDED);
    assert_int_equal(tp_copool_close(pool), TP_EBUSY);
    may_end = true;
    assert_int_equal(tp_pooled_release(handle), 0);
    assert_int_equal(stats_now().n_failed, 0);
}

static int within(void *argument)
{
    struct tp_co_handle *self = argument;
    struct tp_co_handle own = tp_pooled_self();
    assert_true(own.at == self->at && own.generation == self->generation);
    assert_int_equal(tp_pooled_state(own), TP_POOLED_RUNNING);
    assert_int_equal(tp_pooled_resume(own, NULL, NULL), TP_EBUSY);
    assert_int_equal(tp_pooled_release(own), TP_EBUSY);
    struct tp_co_handle inner;
    assert_int_equal(tp_copool_acquire(pool, fails, NULL, &inner), 0);
    assert_int_equal(tp_pooled_resume(inner, NULL, NULL), 0);
    assert_int_equal(tp_pooled_state(inner), TP_POOLED_FAILED);
    assert_int_equal(tp_pooled_release(inner), 0);
    assert_ptr_equal(tp_pooled_self().at, self->at);
    return 0;
}

static void test_from_within(void **state)
{
    (void)state;
    struct tp_co_handle handle;
    assert_int_equal(tp_copool_acquire(pool, within, &handle, &handle), 0);
    assert_int_equal(tp_pooled_resume(handle, NULL, NULL), 0);
    assert_int_equal(tp_pooled_state(handle), TP_POOLED_DONE);
    assert_int_equal(tp_pooled_release(handle), 0);
    assert_int_equal(stats_now().n_failed, 1);
    assert_int_equal(stats_now().most_live, 2);
}

static void test_limits(void **state)
{
    (void)state;
    struct tp_copool *small;
    struct tp_co_handle handles[3];
    struct tp_copool_settings settings = {.stack_bytes = SMALL, .max = 2, .min = 3};
    assert_int_equal(tp_copool_open(&small, &settings), TP_EINVAL);
    settings.min = 1;
    settings.idle_max = 1;
    assert_int_equal(tp_copool_open(&small, &settings), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tp_copool_acquire(small, count, NULL, &handles[i]), 0);
    assert_int_equal(tp_copool_acquire(small, count, NULL, &handles[2]), TP_EFULL);
    struct tp_copool_stats stats;
    tp_copool_get_stats(small, &stats);
    assert_int_equal(stats.n_hits, 1);
    assert_int_equal(stats.n_acquired, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tp_pooled_release(handles[i]), 0);
    tp_copool_get_stats(small, &stats);
    assert_int_equal(stats.n_idle, 1); /* the other one gave its stack back */
    assert_int_equal(stats.n_freed, 1);
    assert_int_equal(tp_copool_close(small), 0);
    settings = (struct tp_copool_settings){.stack_bytes = SIZE_MAX};
    assert_int_equal(tp_copool_open(&small, &settings), TP_EINVAL);
}

/* A peak is remembered for two steps; then the surplus goes by halves. */
static void test_own_size(void **state)
{
    (void)state;
    enum { PEAK = 16 };
    struct tp_co_handle handles[PEAK];
    for (int i = 0; i < PEAK; i++)
        assert_int_equal(tp_copool_acquire(pool, count, NULL, &handles[i]), 0);
    for (int i = 0; i < PEAK; i++)
        assert_int_equal(tp_pooled_release(handles[i]), 0);
    assert_int_equal(stats_now().n_idle_aim, PEAK);
    const uint32_t freed[] = {0, 0, 8, 4, 2, 1, 1, 0};
    for (size_t i = 0; i < sizeof freed / sizeof *freed; i++)
        assert_int_equal(tp_copool_tend(pool), freed[i]);
    assert_int_equal(stats_now().n_idle, 0);
    assert_int_equal(stats_now().n_freed, PEAK);
}

/* Threads that hand the same handles around: each life is ended by one of them, whoever comes first. */
enum { THREADS = 4,
    ROUNDS = 400,
    SHARED = 8 };
static struct tp_co_handle shared[SHARED];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;

static struct tp_co_handle swap_shared(unsigned i, struct tp_co_handle handle)
{
    pthread_mutex_lock(&shared_lock);
    struct tp_co_handle before = shared[i];
    shared[i] = handle;
    pthread_mutex_unlock(&shared_lock);
    return before;
}

static void *juggle(void *argument)
{
    uint64_t *n_released = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct tp_co_handle handle;
        if (tp_copool_acquire(pool, count, (void *)3, &handle) != 0)
            abort();
        struct tp_co_handle other = swap_shared(i % SHARED, handle);
        int status = tp_pooled_resume(handle, NULL, NULL); /* ours, or already somebody else's */
        if (status != 0 && status != TP_EBUSY && status != TP_EDONE && status != TP_ESTALE)
            abort();
        tp_pooled_cancel(other);
        while ((status = tp_pooled_release(other)) == TP_EBUSY)
            ;
        *n_released += status == 0;
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint64_t n_released[THREADS] = {0}, n = 0;
    memset(shared, 0, sizeof shared);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, juggle, &n_released[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        n += n_released[i];
    }
    for (int i = 0; i < SHARED; i++)
        n += tp_pooled_release(shared[i]) == 0;
    assert_int_equal(n, THREADS * ROUNDS);
    assert_int_equal(stats_now().n_released, n);
    assert_int_equal(stats_now().n_live, 0);
}

/* What a thread has at hand when it ends is had by the next one in its seat, and is closed with the pool. */
enum { CROWD = 100 };
static pthread_barrier_t all_there;

static void *live_once(void *is_crowd)
{
    struct tp_co_handle handle;
    if (tp_copool_acquire(pool, fails, NULL, &handle) != 0)
        abort();
    if (is_crowd)
        pthread_barrier_wait(&all_there);
    if (tp_pooled_resume(handle, NULL, NULL) != 0 || tp_pooled_release(handle) != 0)
        abort();
    if (is_crowd)
        pthread_barrier_wait(&all_there);
    return NULL;
}

static void test_hand_is_handed_on(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, live_once, NULL), 0);
        pthread_join(thread, NULL);
        struct tp_copool_stats stats = stats_now();
        assert_int_equal(stats.n_acquired, i + 1);
        assert_int_equal(stats.n_hits, i);
        assert_int_equal(stats.n_failed, i + 1);
        assert_int_equal(stats.n_idle, 1);
        assert_int_equal(stats.n_live, 0);
    }
    assert_int_equal(tp_copool_tend(pool), 0); /* of another hand */
}

/* More threads than seats, all with a coroutine at once. */
static void test_crowd(void **state)
{
    (void)state;
    pthread_t threads[CROWD];
    assert_int_equal(pthread_barrier_init(&all_there, NULL, CROWD), 0);
    for (unsigned round = 1; round <= 2; round++) {
        for (int i = 0; i < CROWD; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, live_once, &all_there), 0);
        for (int i = 0; i < CROWD; i++)
            pthread_join(threads[i], NULL);
        struct tp_copool_stats stats = stats_now();
        assert_int_equal(stats.n_acquired, round * CROWD);
        assert_int_equal(stats.n_released, round * CROWD);
        assert_int_equal(stats.n_failed, round * CROWD);
        assert_int_equal(stats.n_live, 0);
        assert_true(stats.most_live >= CROWD);
        assert_int_equal(stats.n_idle, stats.n_acquired - stats.n_hits);
    }
    pthread_barrier_destroy(&all_there);
}

/* The last release and the close that waits for it: who releases does not touch the pool after that. */
static pthread_barrier_t both_there;

static void *release_after(void *handle)
{
    pthread_barrier_wait(&both_there);
    return (void *)(intptr_t)tp_pooled_release(*(struct tp_co_handle *)handle);
}

static void test_close_is_waiting(void **state)
{
    (void)state;
    const struct tp_copool_settings kinds[] = {{.idle_max = 1}, {.max = 2}, {.name = "with hands"}};
    assert_int_equal(pthread_barrier_init(&both_there, NULL, 2), 0);
    for (int i = 0; i < 300; i++) {
        struct tp_co_handle handles[2];
        pthread_t thread;
        void *status;
        assert_int_equal(tp_copool_open(&pool, &kinds[i % 3]), 0);
        for (int k = 0; k < 2; k++)
            assert_int_equal(tp_copool_acquire(pool, count, NULL, &handles[k]), 0);
        assert_int_equal(tp_pooled_release(handles[0]), 0);
        assert_int_equal(pthread_create(&thread, NULL, release_after, &handles[1]), 0);
        pthread_barrier_wait(&both_there);
        while (tp_copool_close(pool) == TP_EBUSY)
            sched_yield();
        assert_int_equal(pthread_join(thread, &status), 0);
        assert_null(status);
    }
    pthread_barrier_destroy(&both_there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_life, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_nothing, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_release_in_the_middle, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_cancel_is_a_level, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_deaf, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_from_within, open_pool, close_pool),
        cmocka_unit_test(test_limits),
        cmocka_unit_test_setup_teardown(test_own_size, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_many_threads, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_hand_is_handed_on, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_crowd, open_pool, close_pool),
        cmocka_unit_test(test_close_is_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
