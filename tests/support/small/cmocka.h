/* A stand-in for CMocka where there is none: for machines that tests are cross-compiled for. It knows what the tests of
 * runtime/base/ and coro/ use, and ends with the line that tests/run.lua counts by.
 * As in CMocka, a failed assertion ends its test by a jump, and must stand in the thread that runs the tests. */
#ifndef SMALL_CMOCKA_H
#define SMALL_CMOCKA_H

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    int (*setup)(void **state);
    int (*teardown)(void **state);
};

#define cmocka_unit_test(f) \
    {                       \
#f, f, NULL, NULL   \
    }
#define cmocka_unit_test_setup(f, setup) \
    {                                    \
#f, f, setup, NULL               \
    }
#define cmocka_unit_test_setup_teardown(f, setup, teardown) \
    {                                                       \
#f, f, setup, teardown                              \
    }

static jmp_buf small_failed;

static inline void small_assert(int ok, const char *what, const char *file, int line)
{
    if (ok)
        return;
    printf("%s:%d: does not hold: %s\n", file, line, what);
    longjmp(small_failed, 1);
}

#define SMALL_ASSERT(condition, what) small_assert((condition), what, __FILE__, __LINE__)
#define assert_true(c) SMALL_ASSERT(!!(c), #c)
#define assert_false(c) SMALL_ASSERT(!(c), "not " #c)
#define assert_null(p) SMALL_ASSERT((p) == NULL, #p " is NULL")
#define assert_non_null(p) SMALL_ASSERT((p) != NULL, #p " is not NULL")
#define assert_ptr_equal(a, b) SMALL_ASSERT((const void *)(a) == (const void *)(b), #a " is " #b)
#define assert_int_equal(a, b) SMALL_ASSERT((uintmax_t)(a) == (uintmax_t)(b), #a " is " #b)
#define assert_int_not_equal(a, b) SMALL_ASSERT((uintmax_t)(a) != (uintmax_t)(b), #a " is not " #b)
#define assert_string_equal(a, b) SMALL_ASSERT(strcmp((a), (b)) == 0, #a " is " #b)
#define assert_string_not_equal(a, b) SMALL_ASSERT(strcmp((a), (b)) != 0, #a " is not " #b)
#define cmocka_run_group_tests(tests, setup, teardown) small_run((tests), sizeof(tests) / sizeof *(tests))

static inline int small_run_one(const struct CMUnitTest *test)
{
    void *state = NULL;
    if (setjmp(small_failed) != 0) {
        printf("FAILED: %s\n", test->name);
        return 0;
    }
    if (test->setup)
        SMALL_ASSERT(test->setup(&state) == 0, "its setup");
    test->test(&state);
    if (test->teardown)
        SMALL_ASSERT(test->teardown(&state) == 0, "its teardown");
    return 1;
}

static inline int small_run(const struct CMUnitTest *tests, size_t n)
{
    static size_t n_passed; /* not lost by a jump */
    for (size_t i = 0; i < n; i++)
        n_passed += (size_t)small_run_one(&tests[i]);
    printf("%zu passed, %zu failed\n", n_passed, n - n_passed);
    return n_passed != n;
}

#endif
