/* Life-cycle pools when the system refuses: the n-th allocation or mapping of each kind, for every n. */
#include "tests/support/unit.h"

#include "coro/copool.h"
#include "coro/stack.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { N = 130, /* more than two chunks of records */
    SMALL = 16384 };

/* Which calls fail: from the first to the last, counted from `let_fail`. */
struct failure {
    int n_calls, first, last;
};
static struct failure of_mmap, of_malloc;
static struct tp_copool *pool;
static struct tp_co_handle handles[N];

static bool fails(struct failure *failure)
{
    int n = failure->n_calls++;
    if (n < failure->first || n >= failure->last)
        return false;
    errno = ENOMEM;
    return true;
}

static void let_fail(struct failure *failure, int first, int last)
{
    *failure = (struct failure){.first = first, .last = last};
}

void *__real_mmap(void *, size_t, int, int, int, off_t);
void *__wrap_mmap(void *at, size_t bytes, int access, int flags, int file, off_t offset);
void *__real_malloc(size_t);
void *__wrap_malloc(size_t bytes);
void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t n, size_t bytes);
void *__real_aligned_alloc(size_t, size_t);
void *__wrap_aligned_alloc(size_t align, size_t bytes);

void *__wrap_mmap(void *at, size_t bytes, int access, int flags, int file, off_t offset)
{
    return fails(&of_mmap) ? MAP_FAILED : __real_mmap(at, bytes, access, flags, file, offset);
}

void *__wrap_malloc(size_t bytes)
{
    return fails(&of_malloc) ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    return fails(&of_malloc) ? NULL : __real_calloc(n, bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
    return fails(&of_malloc) ? NULL : __real_aligned_alloc(align, bytes);
}

/* What the stacks keep is given back before each round, so that all of it is asked for again. */
static void begin_failing(struct failure *kind, int first, int last)
{
    tp_stack_trim(0);
    let_fail(kind, first, last);
}

static void end_failing(void)
{
    let_fail(&of_mmap, 0, 0);
    let_fail(&of_malloc, 0, 0);
}

static int yield_once(void *argument)
{
    int status = tp_pooled_yield(argument, NULL);
    return status == 0 ? 7 : status;
}

static struct tp_copool_stats stats_now(void)
{
    struct tp_copool_stats stats;
    tp_copool_get_stats(pool, &stats);
    return stats;
}

/* As many as can be had, up to N; each of them works. */
static int acquire_many(void)
{
    int n = 0, status = 0;
    while (n < N && (status = tp_copool_acquire(pool, yield_once, &handles[n], &handles[n])) == 0)
        n++;
    assert_int_equal(status, n < N ? TP_ENOMEM : 0);
    assert_int_equal(stats_now().n_live, n);
    assert_int_equal(stats_now().n_acquired - stats_now().n_released, n);
    for (int i = 0; i < n; i++) {
        void *out = NULL;
        assert_int_equal(tp_pooled_resume(handles[i], NULL, &out), 0);
        assert_ptr_equal(out, &handles[i]);
    }
    return n;
}

static void release_many(int n)
{
    for (int i = 0; i < n; i++) {
        if (i % 2)
            assert_int_equal(tp_pooled_resume(handles[i], NULL, NULL), 0);
        assert_int_equal(tp_pooled_release(handles[i]), 0);
    }
    assert_int_equal(stats_now().n_live, 0);
}

/* From the n-th call on all are refused, or that one alone: what there is goes on, and all does when there is memory again. */
static void check_acquiring(struct failure *kind, bool for_ever)
{
    int first = 0, n_calls;
    do {
        assert_int_equal(tp_copool_open(&pool, &(struct tp_copool_settings){.stack_bytes = SMALL}), 0);
        begin_failing(kind, first, for_ever ? INT_MAX : first + 1);
        int n = acquire_many();
        n_calls = kind->n_calls;
        end_failing();
        release_many(n);
        assert_int_equal(acquire_many(), N);
        release_many(N);
        assert_int_equal(tp_copool_close(pool), 0);
    } while (first++ < n_calls);
    assert_true(first > 2);
}

static void test_acquiring(void **state)
{
    (void)state;
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        check_acquiring(&of_malloc, for_ever);
        check_acquiring(&of_mmap, for_ever);
    }
}

/* An opening that fails leaves nothing, as AddressSanitizer sees, and says so. */
static void test_opening(void **state)
{
    (void)state;
    struct failure *const kinds[] = {&of_malloc, &of_mmap};
    for (int k = 0; k < 2; k++) {
        int status, first = 0;
        do {
            pool = NULL;
            begin_failing(kinds[k], first, INT_MAX);
            status = tp_copool_open(&pool, &(struct tp_copool_settings){.stack_bytes = SMALL, .min = N});
            end_failing();
            assert_true(status == 0 || (status == TP_ENOMEM && !pool));
            first++;
        } while (status != 0);
        assert_true(first > 2);
        assert_int_equal(stats_now().n_idle, N);
        assert_int_equal(tp_copool_close(pool), 0);
        struct tp_stack_stats stacks;
        tp_stack_get_stats(&stacks);
        assert_int_equal(stacks.n_acquired, stacks.n_released);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acquiring),
        cmocka_unit_test(test_opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
