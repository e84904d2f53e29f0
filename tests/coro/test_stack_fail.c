/* Stacks when the system refuses: memory for records, mappings, guards of each kind, giving back. */
#include "tests/coro/stacks.h"

#include "runtime/base/status.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { KIB = 1024,
    GUARD_INSTALL = 102,
    N = 100 };

/* Which calls fail: from the first to the last, counted from `begin_failing`. */
struct failure {
    int n_calls, first, last;
};
static struct failure of_mmap, of_malloc, of_guard, of_protect, of_giving;
static bool guards_are_ignored; /* such advice is taken, and not followed */
static struct tp_stack_settings defaults;
static struct tp_stack *stacks[N];

static bool fails(struct failure *failure)
{
    int n = failure->n_calls++;
    return n >= failure->first && n < failure->last;
}

static void let_fail(struct failure *failure, int first, int last)
{
    *failure = (struct failure){.first = first, .last = last};
}

void *__real_mmap(void *, size_t, int, int, int, off_t);
void *__wrap_mmap(void *at, size_t bytes, int access, int flags, int file, off_t offset);
int __real_madvise(void *, size_t, int);
int __wrap_madvise(void *from, size_t bytes, int advice);
int __real_mprotect(void *, size_t, int);
int __wrap_mprotect(void *from, size_t bytes, int access);
void *__real_malloc(size_t);
void *__wrap_malloc(size_t bytes);
void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t n, size_t bytes);

static void *refuse(void)
{
    errno = ENOMEM;
    return NULL;
}

void *__wrap_mmap(void *at, size_t bytes, int access, int flags, int file, off_t offset)
{
    if (fails(&of_mmap)) {
        refuse();
        return MAP_FAILED;
    }
    return __real_mmap(at, bytes, access, flags, file, offset);
}

int __wrap_madvise(void *from, size_t bytes, int advice)
{
    if ((advice == GUARD_INSTALL && fails(&of_guard)) || (advice == MADV_DONTNEED && fails(&of_giving))) {
        errno = EINVAL;
        return -1;
    }
    if (advice == GUARD_INSTALL && guards_are_ignored)
        return 0;
    return __real_madvise(from, bytes, advice);
}

int __wrap_mprotect(void *from, size_t bytes, int access)
{
    if (fails(&of_protect)) {
        refuse();
        return -1;
    }
    return __real_mprotect(from, bytes, access);
}

void *__wrap_malloc(size_t bytes)
{
    return fails(&of_malloc) ? refuse() : __real_malloc(bytes);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    return fails(&of_malloc) ? refuse() : __real_calloc(n, bytes);
}

static void fail_nothing(void)
{
    let_fail(&of_mmap, 0, 0);
    let_fail(&of_malloc, 0, 0);
    let_fail(&of_guard, 0, 0);
    let_fail(&of_protect, 0, 0);
    let_fail(&of_giving, 0, 0);
}

static int set_up(void **state)
{
    (void)state;
    fail_nothing();
    assert_int_equal(tp_stack_tune(&defaults), 0);
    assert_nothing_left();
    return 0;
}

/* -- mappings ----------------------------------------------------------------------------------------- */

/* As many as can be had, up to N; each works. */
static int acquire_many(size_t bytes, int *status)
{
    int n = 0;
    *status = 0;
    for (; n < N && (*status = tp_stack_acquire(bytes, &stacks[n])) == 0; n++)
        memset(stacks[n]->low, n + 1, (size_t)(stacks[n]->top - stacks[n]->low));
    return n;
}

static void release_many(int n)
{
    for (int i = 0; i < n; i++) {
        assert_true(tp_stack_is_whole(stacks[i]));
        assert_int_equal(stacks[i]->low[0], i + 1);
        tp_stack_release(stacks[i]);
    }
}

/* From the n-th mapping on, all are refused. */
static void test_no_mapping_any_more(void **state)
{
    int status = 0, n = 0;
    for (int first = 0; n < N; first++) {
        set_up(state);
        uint64_t n_refused = stats_now().n_refused;
        let_fail(&of_mmap, first, INT_MAX);
        n = acquire_many(64 * KIB, &status);
        assert_int_equal(status, n < N ? TP_ENOMEM : 0);
        assert_int_equal(stats_now().n_refused > n_refused, n < N);
        assert_int_equal(stats_now().classes[4].n_live, n);
        if (first == 0)
            assert_int_equal(n, 0);
        if (n > 0) { /* what there is goes on */
            tp_stack_release(stacks[n - 1]);
            assert_ptr_equal(acquire(64 * KIB), stacks[n - 1]);
        }
        release_many(n);
    }
}

/* One mapping is refused: idle stacks of other classes go, then it is there. */
static void test_one_mapping_is_refused(void **state)
{
    for (int which = 0; which < 4; which++) {
        set_up(state);
        tp_stack_release(acquire(4 * KIB)); /* in the cache */
        tp_stack_release(acquire(TP_STACK_MOST_BYTES));
        assert_int_equal(tp_stack_reserve(16 * KIB, 3), 0); /* in the depot */
        uint64_t n_unmapped = stats_now().n_unmapped, n_refused = stats_now().n_refused;
        let_fail(&of_mmap, which, which + 1);
        int status = 0, n = acquire_many(64 * KIB, &status);
        assert_int_equal(status, 0);
        assert_int_equal(stats_now().n_refused, n_refused + 1);
        assert_int_equal(stats_now().n_unmapped, n_unmapped + 3);
        assert_int_equal(stats_now().classes[0].n_slabs + stats_now().classes[2].n_slabs, 0);
        release_many(n);
    }
}

/* Only small ones are to be had: the size is halved down to a single stack. */
static void test_large_mappings_are_refused(void **state)
{
    for (int n_refusals = 2; n_refusals < 8; n_refusals++) {
        set_up(state);
        let_fail(&of_mmap, 0, n_refusals);
        struct tp_stack *stack = NULL;
        int status = tp_stack_acquire(4 * KIB, &stack); /* 32, 32 again, 16, 8, 4, 2, 1 */
        assert_int_equal(status, n_refusals < 7 ? 0 : TP_ENOMEM);
        if (status == 0) {
            assert_int_equal(stats_now().classes[0].n_cold, (32 >> (n_refusals - 1)) - 1);
            tp_stack_release(stack);
        }
    }
}

static void test_reserve_fails(void **state)
{
    (void)state;
    let_fail(&of_mmap, 1, INT_MAX);
    assert_int_equal(tp_stack_reserve(64 * KIB, N), TP_ENOMEM);
    fail_nothing();
    assert_int_equal(tp_stack_reserve(64 * KIB, N), 0);
    assert_int_equal(stats_now().classes[4].n_warm, N);
}

static void *acquire_in_a_new_thread(void *n_calls)
{
    int status = 0;
    let_fail(&of_malloc, *(int *)n_calls, INT_MAX);
    int n = acquire_many(128 * KIB, &status);
    if (n == N)
        *(int *)n_calls = -1;
    release_many(n); /* without a cache too */
    fail_nothing();
    tp_stack_thread_end();
    return NULL;
}

/* No memory for the thread's cache, or for the slabs' records: a shape that was not there before. */
static void test_no_memory(void **state)
{
    size_t guard_bytes = defaults.guard_bytes;
    for (int n_calls = 0, i = 0; n_calls >= 0; n_calls += n_calls >= 0) {
        struct crowd crowd = {.n = 0};
        set_up(state);
        struct tp_stack_settings settings = defaults;
        settings.guard_bytes = guard_bytes += 4096; /* new shapes need new records */
        tp_stack_tune(&settings);
        crowd_add(&crowd, acquire_in_a_new_thread, &n_calls);
        crowd_join(&crowd);
        assert_nothing_left();
        assert_true(++i < N);
    }
}

/* Records stay for ever, so they are used again. */
static void test_records_are_used_again(void **state)
{
    (void)state;
    int n_calls = 0;
    for (int i = 0; i < 20; i++) {
        int status = 0;
        release_many(acquire_many(32 * KIB, &status));
        tp_stack_trim(0);
        let_fail(&of_mmap, 0, 1 + i % 4); /* also those whose mapping was refused */
        release_many(acquire_many(32 * KIB, &status));
        tp_stack_trim(0);
        if (i == 3)
            n_calls = of_malloc.n_calls;
    }
    assert_int_equal(of_malloc.n_calls, n_calls);
}

/* -- guards ------------------------------------------------------------------------------------------- */

/* Checks the guards of the stacks that are acquired now. */
static void check_guards(enum tp_stack_guard first, int n_first, enum tp_stack_guard then)
{
    int status = 0, n = acquire_many(8 * KIB, &status);
    assert_int_equal(n, N);
    for (int i = 0; i < N; i++) {
        enum tp_stack_guard expected = i < n_first ? first : then;
        assert_int_equal(stacks[i]->guard, expected);
        assert_int_equal(is_readable(bottom_of(stacks[i]) - 1), expected == TP_STACK_GUARD_NONE);
        assert_true(tp_stack_is_whole(stacks[i]));
    }
}

static void test_kernel_without_guards(void **state)
{
    (void)state;
    let_fail(&of_guard, 0, INT_MAX);
    check_guards(TP_STACK_GUARD_MPROTECT, N, TP_STACK_GUARD_NONE);
    assert_int_equal(stats_now().n_mappings, 2 * N);
    release_many(N);
    tp_stack_trim(0);
    assert_int_equal(stats_now().n_mappings, 0);
}

static void test_limit_of_mappings(void **state)
{
    (void)state;
    struct tp_stack_settings settings = defaults;
    settings.mappings_max = 2 * 30 + 1;
    tp_stack_tune(&settings);
    let_fail(&of_guard, 0, INT_MAX);
    uint64_t n_unguarded = stats_now().n_unguarded;
    check_guards(TP_STACK_GUARD_MPROTECT, 30, TP_STACK_GUARD_NONE);
    assert_int_equal(stats_now().n_mappings, 60);
    assert_int_equal(stats_now().n_unguarded - n_unguarded, N - 30);
    release_many(N);
}

static void test_no_guard_at_all(void **state)
{
    (void)state;
    let_fail(&of_guard, 0, INT_MAX);
    let_fail(&of_protect, 0, INT_MAX);
    uint64_t n_unguarded = stats_now().n_unguarded;
    check_guards(TP_STACK_GUARD_NONE, N, TP_STACK_GUARD_NONE);
    assert_int_equal(stats_now().n_mappings, 0);
    assert_int_equal(stats_now().n_unguarded - n_unguarded, N);
    release_many(N);
}

/* Guards are made with the stacks, so the n-th may be the first to fail, and a later one not. */
static void test_nth_guard_fails(void **state)
{
    (void)state;
    let_fail(&of_guard, 40, INT_MAX);
    check_guards(TP_STACK_GUARD_MADVISE, 40, TP_STACK_GUARD_MPROTECT);
    release_many(N);
}

static void test_setting_forbids(void **state)
{
    for (int best = TP_STACK_GUARD_NONE; best <= TP_STACK_GUARD_MADVISE; best++) {
        set_up(state);
        struct tp_stack_settings settings = defaults;
        settings.guard = (enum tp_stack_guard)best;
        tp_stack_tune(&settings);
        check_guards(settings.guard, N, settings.guard);
        release_many(N);
    }
}

/* -- giving back -------------------------------------------------------------------------------------- */

static void test_giving_back_is_refused(void **state)
{
    (void)state;
    int status = 0, n = acquire_many(8 * KIB, &status);
    for (int i = 0; i + 1 < n; i++)
        tp_stack_release(stacks[i]);
    tp_stack_flush();
    /* The slabs without a live stack are unmapped nevertheless. */
    let_fail(&of_giving, 5, INT_MAX);
    tp_stack_trim(0);
    struct tp_stack_class_stats class = stats_now().classes[1];
    assert_int_equal(class.n_live, 1);
    assert_int_equal(class.n_slabs, 1);
    assert_true(class.n_warm > 0);
    fail_nothing();
    assert_int_equal(tp_stack_trim(0), class.n_warm * 8 * KIB);
    assert_int_equal(stats_now().classes[1].n_warm, 0);
    tp_stack_release(stacks[n - 1]);
}

/* A system that is deaf to that advice, as under an emulator. What it does is found out once, so this is the first test, and in a
 * process of its own. */
static void test_guards_are_ignored(void **state)
{
    (void)state;
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        guards_are_ignored = true;
        bool is_right = true;
        for (int i = 0; i < 3; i++) {
            stacks[i] = acquire(8 * KIB);
            is_right = is_right && stacks[i]->guard == TP_STACK_GUARD_MPROTECT && !is_readable(bottom_of(stacks[i]) - 1);
        }
        _exit(is_right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    tp_stack_get_settings(&defaults);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_guards_are_ignored, set_up),
        cmocka_unit_test_setup(test_no_mapping_any_more, set_up),
        cmocka_unit_test_setup(test_one_mapping_is_refused, set_up),
        cmocka_unit_test_setup(test_large_mappings_are_refused, set_up),
        cmocka_unit_test_setup(test_reserve_fails, set_up),
        cmocka_unit_test_setup(test_no_memory, set_up),
        cmocka_unit_test_setup(test_records_are_used_again, set_up),
        cmocka_unit_test_setup(test_kernel_without_guards, set_up),
        cmocka_unit_test_setup(test_limit_of_mappings, set_up),
        cmocka_unit_test_setup(test_no_guard_at_all, set_up),
        cmocka_unit_test_setup(test_nth_guard_fails, set_up),
        cmocka_unit_test_setup(test_setting_forbids, set_up),
        cmocka_unit_test_setup(test_giving_back_is_refused, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, set_up);
}
