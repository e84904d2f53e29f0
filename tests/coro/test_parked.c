/* A million coroutines at once, each suspended in the midst of a function of its own, and each woken again.
 * The stacks are the smallest there are; with guards they take 4.2 GiB of memory. */
#include "tests/support/unit.h"

#include "coro/coro.h"
#include "coro/sanitize.h"
#include "coro/stack.h"

#include <stdio.h>
#include <stdlib.h>

/* The checkers keep something of their own for each coroutine, and look through all of it. */
#if TP__CHECK_THREAD
static const size_t MANY = 500;
#elif TP__CHECK_ADDRESS
static const size_t MANY = 4000;
#elif TP_DEBUG || defined(__clang__) /* what needs that many is the kernel's, and the release flavour's to see */
static const size_t MANY = 100000;
#else
static const size_t MANY = 1000000;
#endif
static const size_t FEW = 10000; /* where there is no room */

enum { WORDS = 8,
    STRIDE = 7919, /* a prime: another order each time, but each once */
    ROUNDS = 2 };

static uint64_t n_right, n_wrong;
static struct tp_co **all;

static uint64_t pattern(uint64_t index, uint64_t round, unsigned word)
{
    return (index * 31 + round * 7 + word + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Keeps words of its own over each suspension. */
static void *park(void *argument)
{
    uint64_t index = (uintptr_t)argument;
    uint64_t words[WORDS];
    for (uint64_t round = 0; round < ROUNDS; round++) {
        void *in = NULL;
        for (unsigned i = 0; i < WORDS; i++)
            words[i] = pattern(index, round, i);
        bool is_right = tp_co_yield(words, &in) == 0 && in == &all[index];
        for (unsigned i = 0; i < WORDS; i++)
            is_right = is_right && words[i] == pattern(index, round, i);
        *(is_right ? &n_right : &n_wrong) += 1;
    }
    return argument;
}

/* How many there is room for. */
static size_t how_many(void)
{
    unsigned long kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "MemAvailable: %lu kB", &kib) != 1) {
    }
    if (file)
        fclose(file);
    if (MANY <= FEW || kib >= 6ul << 20)
        return MANY;
    printf("%zu coroutines instead of %zu: less than 6 GiB of memory are free\n", FEW, MANY);
    return FEW;
}

static void test_all_are_woken(void **state)
{
    (void)state;
    size_t n = how_many();
    const struct tp_co_options options = {.stack_bytes = TP_STACK_LEAST_BYTES};
    all = malloc(n * sizeof *all);
    assert_non_null(all);
    for (size_t i = 0; i < n; i++) {
        void *out = NULL;
        assert_int_equal(tp_co_new(&all[i], park, (void *)i, &options), 0);
        assert_int_equal(tp_co_resume(all[i], NULL, &out), 0);
        assert_non_null(out);
    }
    struct tp_stack_stats stats;
    tp_stack_get_stats(&stats);
    assert_int_equal(stats.classes[0].n_live, n);
    assert_true(stats.classes[0].n_slabs < 1000); /* mappings, of which a process may have 65530 */
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (size_t i = 0; i < n; i++) {
            size_t index = i * STRIDE % n;
            void *out = NULL;
            assert_int_equal(tp_co_resume(all[index], &all[index], &out), 0);
            if (round == ROUNDS)
                assert_int_equal((uintptr_t)out, index);
            assert_int_equal(tp_co_state(all[index]), round == ROUNDS ? TP_CO_DONE : TP_CO_SUSPENDED);
        }
        assert_int_equal(n_right, round * n);
    }
    assert_int_equal(n_wrong, 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(tp_co_free(all[i]), 0);
    free(all);
    tp_stack_trim(0);
    tp_stack_get_stats(&stats);
    assert_int_equal(stats.classes[0].n_live, 0);
    assert_int_equal(stats.mapped_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
