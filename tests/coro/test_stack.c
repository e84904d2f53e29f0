/* Stacks: classes, caches, marks, giving back, guards, and many threads at once. */
#include "tests/coro/stacks.h"

#include "coro/stack_parts.h"
#include "runtime/base/atomic.h"
#include "runtime/base/status.h"

#include <sched.h>
#include <stdlib.h>

enum { KIB = 1024,
    MANY = 3000,
    VERY_MANY = 36000,
    THREADS = 70,
    ROUNDS = 400,
    SLOTS = 97 };

static const uint64_t SECOND = 1000000000;

static struct tp_stack_settings defaults;
static struct tp_stack *stacks[MANY];
static tp_atomic(uint32_t) n_wrong; /* by other threads */

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(tp_stack_tune(&defaults), 0);
    assert_nothing_left();
    return 0;
}

static void acquire_all(size_t bytes, int n)
{
    for (int i = 0; i < n; i++)
        stacks[i] = acquire(bytes);
}

static void release_all(int n)
{
    for (int i = 0; i < n; i++)
        tp_stack_release(stacks[i]);
}

/* -- what a stack is ---------------------------------------------------------------------------------- */

static void check_stack(struct tp_stack *stack, size_t bytes)
{
    assert_int_equal((uintptr_t)stack->top % 64, 0);
    assert_ptr_equal(stack->top, stack);
    assert_int_equal(stack->top - stack->low, bytes - 64 - TP_STACK_CANARY_BYTES);
    memset(stack->low, 0xa5, (size_t)(stack->top - stack->low));
    assert_true(tp_stack_is_whole(stack));
}

static void test_classes(void **state)
{
    (void)state;
    struct tp_stack *none = NULL;
    size_t before = 0;
    for (size_t bytes = TP_STACK_LEAST_BYTES; bytes <= TP_STACK_MOST_BYTES; before = bytes, bytes *= 2) {
        const size_t asked[] = {before + 1, bytes - 1, bytes};
        for (int i = 0; i < 3; i++) {
            struct tp_stack *stack = acquire(asked[i]);
            check_stack(stack, bytes);
            assert_int_equal(stats_now().classes[class_of(stack)].n_live, 1);
            assert_int_equal(stats_now().classes[class_of(stack)].bytes, bytes);
            tp_stack_release(stack);
        }
    }
    assert_int_equal(class_of(stacks[0] = acquire(0)), 0);
    tp_stack_release(stacks[0]);
    assert_int_equal(tp_stack_acquire((size_t)TP_STACK_MOST_BYTES + 1, &none), TP_EINVAL);
    assert_int_equal(tp_stack_acquire(SIZE_MAX, &none), TP_EINVAL);
    assert_int_equal(tp_stack_reserve((size_t)TP_STACK_MOST_BYTES + 1, 1), TP_EINVAL);
    assert_null(none);
}

/* Each of many stacks is its owner's alone. */
static void test_stacks_are_apart(void **state)
{
    (void)state;
    acquire_all(4 * KIB, MANY);
    for (int i = 0; i < MANY; i++)
        memset(stacks[i]->low, i % 251, (size_t)(stacks[i]->top - stacks[i]->low));
    for (int i = 0; i < MANY; i++) {
        assert_int_equal((unsigned char)stacks[i]->low[0], i % 251);
        assert_int_equal((unsigned char)stacks[i]->top[-1], i % 251);
        assert_true(tp_stack_is_whole(stacks[i]));
        assert_true(is_readable(bottom_of(stacks[i])));
    }
    assert_int_equal(stats_now().classes[0].n_live, MANY);
    release_all(MANY);
    assert_int_equal(stats_now().classes[0].n_live, 0);
}

static void test_canary(void **state)
{
    (void)state;
    const enum tp_stack_guard kinds[] = {TP_STACK_GUARD_NONE, TP_STACK_GUARD_MADVISE};
    for (int k = 0; k < 2; k++) {
        struct tp_stack_settings settings = defaults;
        settings.guard = kinds[k];
        tp_stack_tune(&settings);
        tp_stack_trim(0);
        struct tp_stack *stack = acquire(16 * KIB);
        for (char *byte = bottom_of(stack); byte < stack->low; byte++) {
            assert_true(tp_stack_is_whole(stack));
            *byte ^= 1;
            assert_false(tp_stack_is_whole(stack));
            *byte ^= 1;
        }
        tp_stack_release(stack);
    }
}

/* -- reuse -------------------------------------------------------------------------------------------- */

static void test_last_released_first(void **state)
{
    (void)state;
    enum { N = 24 };
    for (int flushes = 0; flushes < 2; flushes++) {
        struct tp_stack *again[N];
        acquire_all(4 * KIB, N);
        release_all(N);
        if (flushes)
            tp_stack_flush();
        for (int i = N; i-- > 0;) {
            again[i] = acquire(4 * KIB);
            assert_ptr_equal(again[i], stacks[i]);
        }
        release_all(N);
    }
}

/* Only AddressSanitizer can tell. */
static void test_idle_is_poison(void **state)
{
    (void)state;
#if TP__CHECK_ADDRESS
    struct tp_stack *other = acquire(16 * KIB); /* so that the slab stays */
    for (int i = 0; i < 3; i++) {
        struct tp_stack *stack = acquire(16 * KIB);
        char *bottom = bottom_of(stack);
        assert_null(__asan_region_is_poisoned(bottom, 16 * KIB));
        tp_stack_release(stack);
        if (i > 0)
            tp_stack_trim(0);
        if (i > 1)
            assert_int_equal(tp_stack_reserve(16 * KIB, 1), 0); /* the same, made anew */
        for (char *byte = bottom; byte < bottom + 15 * KIB; byte++)
            assert_true(__asan_address_is_poisoned(byte));
    }
    tp_stack_release(other);
#endif
}

/* A cache that is full gives half of it away, the half that was released first. */
static void test_full_cache(void **state)
{
    (void)state;
    acquire_all(4 * KIB, 65);
    release_all(64);
    assert_int_equal(stats_now().classes[0].n_cached, 64);
    assert_int_equal(stats_now().classes[0].n_warm, 0);
    tp_stack_release(stacks[64]);
    assert_int_equal(stats_now().classes[0].n_cached, 33);
    assert_int_equal(stats_now().classes[0].n_warm, 32);
    for (int i = 64; i >= 32; i--)
        assert_ptr_equal(acquire(4 * KIB), stacks[i]);
    assert_int_equal(stats_now().classes[0].n_cached, 0);
    struct tp_stack *one = acquire(4 * KIB); /* brings all the others along */
    assert_int_equal(stats_now().classes[0].n_warm, 0);
    assert_int_equal(stats_now().classes[0].n_cached, 31);
    tp_stack_release(one);
    for (int i = 64; i >= 32; i--)
        tp_stack_release(stacks[i]);
}

static void test_large_classes_cache_less(void **state)
{
    (void)state;
    for (size_t bytes = 64 * KIB, room = 64; bytes <= TP_STACK_MOST_BYTES; bytes *= 2, room = room > 2 ? room / 2 : 2) {
        acquire_all(bytes, (int)room + 1);
        release_all((int)room);
        assert_int_equal(stats_now().classes[class_of(stacks[0])].n_cached, room);
        tp_stack_release(stacks[room]);
        assert_int_equal(stats_now().classes[class_of(stacks[0])].n_cached, room / 2 + 1);
        tp_stack_trim(0);
    }
}

/* -- depth -------------------------------------------------------------------------------------------- */

static void test_high_water(void **state)
{
    (void)state;
    for (size_t bytes = TP_STACK_LEAST_BYTES; bytes <= TP_STACK_MOST_BYTES; bytes *= 2) {
        struct tp_stack *stack = acquire(bytes);
        size_t room = (size_t)(stack->top - stack->low);
        assert_int_equal(tp_stack_high_water(stack), 0);
        const size_t depths[] = {8, 1000, room / 2, room - 8, room};
        for (int i = 0; i < 5; i++) {
            stack->top[-(ptrdiff_t)depths[i]] = 1;
            assert_int_equal(tp_stack_high_water(stack), (depths[i] + 7) / 8 * 8);
        }
        tp_stack_wipe(stack);
        assert_int_equal(tp_stack_high_water(stack), 0);
        stack->top[-24] = 1;
        assert_int_equal(tp_stack_high_water(stack), 24);
        tp_stack_release(stack);
        assert_ptr_equal(acquire(bytes), stack);
        assert_int_equal(tp_stack_high_water(stack), 24); /* of the stack's life */
        tp_stack_release(stack);
        tp_stack_trim(0);
        stack = acquire(bytes);
        assert_int_equal(tp_stack_high_water(stack), 0);
        tp_stack_release(stack);
    }
}

/* -- giving back -------------------------------------------------------------------------------------- */

static void test_trim_keeps(void **state)
{
    (void)state;
    enum { N = 100 };
    acquire_all(16 * KIB, N + 1); /* the last one stays, so that its slab does */
    for (int i = 0; i < N; i++)
        tp_stack_release(stacks[i]);
    struct tp_stack *small = acquire(4 * KIB);
    tp_stack_release(small);
    assert_int_equal(tp_stack_trim(SIZE_MAX), 0);
    assert_int_equal(stats_now().classes[2].n_warm, N);
    assert_int_equal(tp_stack_trim(4 * KIB + 40 * 16 * KIB), (N - 40) * 16 * KIB);
    assert_int_equal(stats_now().classes[2].n_warm, 40);
    assert_int_equal(stats_now().classes[0].n_warm, 1); /* the small ones stay first */
    assert_int_equal(tp_stack_trim(4 * KIB + 40 * 16 * KIB), 0);
    assert_int_equal(tp_stack_trim(4 * KIB), 40 * 16 * KIB);
    assert_int_equal(tp_stack_trim(0), 4 * KIB);
    assert_int_equal(stats_now().classes[2].n_live, 1);
    tp_stack_release(stacks[N]);
}

/* What was given back is like new, also in a slab that stays. */
static void test_given_back_is_new(void **state)
{
    (void)state;
    enum { N = 3 };
    acquire_all(16 * KIB, N);
    for (int i = 0; i < N; i++)
        memset(stacks[i]->low, 1, (size_t)(stacks[i]->top - stacks[i]->low));
    uint64_t n_slabs = stats_now().classes[2].n_slabs;
    tp_stack_release(stacks[0]);
    tp_stack_release(stacks[1]);
    assert_int_equal(tp_stack_trim(0), 2 * 16 * KIB);
    assert_int_equal(stats_now().classes[2].n_slabs, n_slabs);
    for (int i = 0; i < 2; i++) {
        stacks[i] = acquire(16 * KIB);
        assert_int_equal(tp_stack_high_water(stacks[i]), 0);
        assert_true(tp_stack_is_whole(stacks[i]));
        assert_false(is_readable(bottom_of(stacks[i]) - 1));
    }
    assert_int_equal(stacks[2]->low[0], 1);
    release_all(N);
}

static void test_tend(void **state)
{
    (void)state;
    enum { N = 100 };
    static uint64_t now_ns = 0;
    struct tp_stack_settings settings = defaults;
    settings.keep_bytes = 20 * 16 * KIB;
    tp_stack_tune(&settings);
    now_ns += 10 * SECOND;
    tp_stack_tend(now_ns);
    acquire_all(16 * KIB, N);
    release_all(N);
    tp_stack_flush();
    assert_int_equal(tp_stack_tend(now_ns + SECOND - 1), 0); /* too early */
    assert_int_equal(tp_stack_tend(now_ns += SECOND), 0);    /* idle only since the last step */
    assert_int_equal(tp_stack_tend(now_ns += SECOND), 40 * 16 * KIB);
    assert_int_equal(stats_now().classes[2].n_warm, 60);
    acquire_all(16 * KIB, 30); /* in use once within the period: the cache takes 32 with them */
    release_all(30);
    tp_stack_flush();
    assert_int_equal(stats_now().classes[2].n_warm, 60);
    assert_int_equal(tp_stack_tend(now_ns += SECOND), 4 * 16 * KIB); /* half of 28 less 20 */
    uint64_t n_before = stats_now().n_given_back;
    for (int i = 0; i < 20; i++)
        tp_stack_tend(now_ns += SECOND);
    assert_int_equal(stats_now().classes[2].n_warm, 20);
    assert_int_equal(stats_now().n_given_back - n_before, 36);
}

/* A step is bounded, however much there is. */
static void test_one_step(void **state)
{
    (void)state;
    struct tp_stack_settings settings = defaults;
    settings.keep_bytes = 0;
    tp_stack_tune(&settings);
    struct tp_stack **all = malloc(VERY_MANY * sizeof *all);
    for (int i = 0; i < VERY_MANY; i++)
        all[i] = acquire(4 * KIB);
    for (int i = 0; i < VERY_MANY; i++)
        tp_stack_release(all[i]);
    free(all);
    tp_stack_flush();
    tp_stack_tend(500 * SECOND);
    assert_int_equal(tp_stack_tend(501 * SECOND), 16384 * 4 * KIB);
    assert_int_equal(stats_now().classes[0].n_warm, VERY_MANY - 16384);
}

static void test_reserve(void **state)
{
    (void)state;
    enum { N = 50 };
    struct tp_stack_settings settings = defaults;
    settings.keep_bytes = 0;
    tp_stack_tune(&settings);
    assert_int_equal(tp_stack_reserve(32 * KIB, N), 0);
    assert_int_equal(stats_now().classes[3].n_warm, N);
    assert_int_equal(tp_stack_reserve(32 * KIB, N - 1), 0);
    for (uint64_t i = 1; i < 10; i++)
        tp_stack_tend(1000 * SECOND + i * SECOND);
    assert_int_equal(stats_now().classes[3].n_warm, N);
    uint64_t n_slabs = stats_now().classes[3].n_slabs;
    acquire_all(32 * KIB, N);
    assert_int_equal(stats_now().classes[3].n_slabs, n_slabs);
    release_all(N);
    assert_int_equal(tp_stack_reserve(32 * KIB, 2), 0);
    assert_int_equal(tp_stack_trim(0), N * 32 * KIB);
    assert_int_equal(tp_stack_reserve(32 * KIB, 0), 0);
}

/* -- guards ------------------------------------------------------------------------------------------- */

static void test_guards(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 4096, 3 * 4096, 64 * KIB};
    for (int kind = TP_STACK_GUARD_MPROTECT; kind <= TP_STACK_GUARD_MADVISE; kind++) {
        for (int i = 0; i < 4; i++) {
            struct tp_stack_settings settings = defaults;
            settings.guard = (enum tp_stack_guard)kind;
            settings.guard_bytes = sizes[i];
            assert_int_equal(tp_stack_tune(&settings), 0);
            tp_stack_trim(0);
            acquire_all(8 * KIB, 5);
            for (int k = 0; k < 5; k++) {
                assert_true(is_readable(bottom_of(stacks[k])));
                assert_false(is_readable(bottom_of(stacks[k]) - 1));
                assert_false(is_readable(bottom_of(stacks[k]) - sizes[i]));
            }
            release_all(5);
        }
    }
}

static void test_settings(void **state)
{
    (void)state;
    struct tp_stack_settings settings = defaults, found;
    assert_true(defaults.mappings_max > 0 && defaults.guard == TP_STACK_GUARD_MADVISE);
    settings.guard = (enum tp_stack_guard)(TP_STACK_GUARD_MADVISE + 1);
    assert_int_equal(tp_stack_tune(&settings), TP_EINVAL);
    settings = defaults;
    settings.guard_bytes = (size_t)TP_STACK_MOST_BYTES + 1;
    assert_int_equal(tp_stack_tune(&settings), TP_EINVAL);
    settings = (struct tp_stack_settings){TP_STACK_GUARD_MPROTECT, 8192, 3, 4, 5};
    assert_int_equal(tp_stack_tune(&settings), 0);
    tp_stack_get_settings(&found);
    assert_true(found.guard == settings.guard && found.guard_bytes == settings.guard_bytes);
    assert_true(found.mappings_max == 3 && found.keep_bytes == 4 && found.period_ns == 5);
}

/* -- threads ------------------------------------------------------------------------------------------ */

static void *release_one(void *stack)
{
    tp_stack_release(stack);
    tp_stack_thread_end();
    return NULL;
}

static void *release_one_without_the_hook(void *stack)
{
    tp_stack_release(stack);
    return NULL;
}

static void *go_on_after_the_end(void *stack)
{
    tp_stack_thread_end();
    tp_stack_thread_end();
    uint64_t n_caches = stats_now().n_caches;
    tp_stack_release(stack);
    if (tp_stack_acquire(4 * KIB, &stacks[0]) == 0)
        tp_stack_release(stacks[0]);
    if (stats_now().n_caches != n_caches)
        tp_add_sc(&n_wrong, 1);
    return NULL;
}

static void test_release_by_another_thread(void **state)
{
    (void)state;
    void *(*bodies[])(void *) = {release_one, release_one_without_the_hook, go_on_after_the_end};
    for (int i = 0; i < 3; i++) {
        struct crowd crowd = {.n = 0};
        struct tp_stack *stack = acquire(4 * KIB);
        uint64_t n_caches = stats_now().n_caches;
        crowd_add(&crowd, bodies[i], stack);
        crowd_join(&crowd);
        assert_int_equal(tp_load_acq(&n_wrong), 0);
        struct tp_stack_stats stats = stats_now();
        assert_int_equal(stats.n_caches, n_caches);
        assert_int_equal(stats.classes[0].n_live, 0);
        assert_int_equal(stats.classes[0].n_warm, 1);
        assert_int_equal(stats.n_acquired, stats.n_released);
        assert_ptr_equal(acquire(4 * KIB), stack);
        tp_stack_release(stack);
        tp_stack_trim(0);
    }
}

static tp_atomic(struct tp_stack *) slots[SLOTS];
static tp_atomic(uint32_t) n_running, n_seeds;

/* Marks both ends with the stack's own address. */
static void mark(struct tp_stack *stack)
{
    memcpy(stack->low, &stack, sizeof stack);
    memcpy(stack->top - sizeof stack, &stack, sizeof stack);
}

static void release_checked(struct tp_stack *stack)
{
    if (!stack)
        return;
    if (memcmp(stack->low, &stack, sizeof stack) != 0 || memcmp(stack->top - sizeof stack, &stack, sizeof stack) != 0 ||
        !tp_stack_is_whole(stack))
        tp_add_sc(&n_wrong, 1);
    tp_stack_release(stack);
}

/* Puts stacks into slots, from where anybody releases them. */
static void *storm(void *argument)
{
    uint32_t random = tp_add_sc(&n_seeds, 1) * 2654435761u + 1;
    for (int i = 0; i < ROUNDS; i++) {
        struct tp_stack *stack = NULL;
        random = random * 1664525u + 1013904223u;
        if (tp_stack_acquire((size_t)TP_STACK_LEAST_BYTES << (random >> 16) % 5, &stack) == 0)
            mark(stack);
        else
            tp_add_sc(&n_wrong, 1);
        release_checked(tp_swap_acq_rel(&slots[(random >> 8) % SLOTS], stack));
        if ((random >> 24) % 128 == 0)
            tp_stack_flush();
    }
    if (argument)
        tp_stack_thread_end();
    tp_add_sc(&n_running, (uint32_t)-1);
    return NULL;
}

static void *tend(void *argument)
{
    for (uint64_t now_ns = 2000 * SECOND; tp_load_acq(&n_running) > 0; now_ns += SECOND) {
        struct tp_stack_stats stats;
        tp_stack_tend(now_ns);
        tp_stack_trim(64 * KIB);
        tp_stack_get_stats(&stats);
        sched_yield();
    }
    return argument;
}

static void test_many_threads(void **state)
{
    (void)state;
    static struct crowd crowds[THREADS / CROWD_MAX + 2];
    struct tp_stack_settings settings = defaults;
    settings.keep_bytes = 0;
    tp_stack_tune(&settings);
    uint64_t n_before = stats_now().n_acquired, n_caches = stats_now().n_caches;
    tp_store_sc(&n_running, THREADS);
    for (int i = 0; i < THREADS; i++)
        crowd_add(&crowds[i / CROWD_MAX], storm, i % 2 == 0 ? &n_running : NULL);
    crowd_add(&crowds[THREADS / CROWD_MAX + 1], tend, NULL);
    for (int i = 0; i < THREADS / CROWD_MAX + 2; i++)
        crowd_join(&crowds[i]);
    for (int i = 0; i < SLOTS; i++)
        release_checked(tp_swap_acq_rel(&slots[i], NULL));
    assert_int_equal(tp_load_acq(&n_wrong), 0);
    assert_int_equal(stats_now().n_acquired - n_before, THREADS * ROUNDS);
    assert_int_equal(stats_now().n_caches, n_caches);
    assert_nothing_left();
}

int main(void)
{
    tp_stack_get_settings(&defaults);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_settings, set_up),
        cmocka_unit_test_setup(test_classes, set_up),
        cmocka_unit_test_setup(test_stacks_are_apart, set_up),
        cmocka_unit_test_setup(test_canary, set_up),
        cmocka_unit_test_setup(test_last_released_first, set_up),
        cmocka_unit_test_setup(test_idle_is_poison, set_up),
        cmocka_unit_test_setup(test_full_cache, set_up),
        cmocka_unit_test_setup(test_large_classes_cache_less, set_up),
        cmocka_unit_test_setup(test_high_water, set_up),
        cmocka_unit_test_setup(test_trim_keeps, set_up),
        cmocka_unit_test_setup(test_given_back_is_new, set_up),
        cmocka_unit_test_setup(test_tend, set_up),
        cmocka_unit_test_setup(test_one_step, set_up),
        cmocka_unit_test_setup(test_reserve, set_up),
        cmocka_unit_test_setup(test_guards, set_up),
        cmocka_unit_test_setup(test_release_by_another_thread, set_up),
        cmocka_unit_test_setup(test_many_threads, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
