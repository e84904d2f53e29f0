/* Frames: alignment, order, bulk, counts, giving back, ends of threads and pools, many threads at once, misuse. */
#include "tests/support/misuse.h"

#include "coro/frame.h"
#include "coro/frame_parts.h"
#include "runtime/base/status.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 3000,
    THREADS = 70,
    ROUNDS = 300,
    SLOTS = 97 };

static struct tp_frames *frames;
static void *taken[MANY];
static tp_atomic(uint32_t) n_wrong; /* by other threads */

struct parcel {
    char text[100];
    struct parcel *next;
};
TP_FRAMES(parcel, struct parcel);

static void open_frames(size_t bytes, size_t align, uint64_t prealloc, uint64_t max)
{
    const struct tp_frames_settings settings = {.bytes = bytes, .align = align, .prealloc = prealloc, .max = max};
    assert_int_equal(tp_frames_open(&frames, &settings), 0);
}

static struct tp_frames_stats stats_now(void)
{
    struct tp_frames_stats stats;
    tp_frames_get_stats(frames, &stats);
    assert_int_equal(stats.n_made, stats.n_live + stats.n_cached + stats.n_idle);
    return stats;
}

static void take_all(int n)
{
    for (int i = 0; i < n; i++)
        assert_non_null(taken[i] = tp_frame_new(frames));
}

static void give_all(int n)
{
    for (int i = 0; i < n; i++)
        tp_frame_free(frames, taken[i]);
}

static void close_frames(void)
{
    assert_int_equal(tp_frames_close(frames), 0);
}

/* -- what a frame is ---------------------------------------------------------------------------------- */

/* Each is aligned, and its owner's alone. */
static void check_size(size_t bytes, size_t align)
{
    enum { N = 150 };
    open_frames(bytes, align, 0, 0);
    take_all(N);
    for (int i = 0; i < N; i++) {
        assert_int_equal((uintptr_t)taken[i] % (align ? align : 64), 0);
        memset(taken[i], i, bytes);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(*(unsigned char *)taken[i], i);
        assert_int_equal(((unsigned char *)taken[i])[bytes - 1], i);
    }
    assert_int_equal(stats_now().n_live, N);
    assert_true(stats_now().bytes >= bytes && stats_now().bytes < bytes + 64 + align);
    give_all(N);
    close_frames();
}

static void test_sizes(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 8, 17, 64, 100, 4000, 4096, 4097, 30000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_size(sizes[i], 0);
        for (size_t align = 1; align <= TP_FRAME_ALIGN_MAX; align *= 2)
            check_size(sizes[i], align);
    }
    open_frames(TP_FRAME_BYTES_MAX, TP_FRAME_ALIGN_MAX, 0, 0);
    take_all(40);
    give_all(40);
    close_frames();
}

static void test_settings(void **state)
{
    (void)state;
    const struct tp_frames_settings bad[] = {{.bytes = 0}, {.bytes = TP_FRAME_BYTES_MAX + 1}, {.bytes = 8, .align = 3},
        {.bytes = 8, .align = 2 * TP_FRAME_ALIGN_MAX}, {.bytes = 8, .prealloc = 11, .max = 10}};
    struct tp_frames *none = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(tp_frames_open(&none, &bad[i]), TP_EINVAL);
    assert_null(none);
}

/* The last one given back comes first, also across magazines. */
static void test_order(void **state)
{
    (void)state;
    open_frames(64, 64, 0, 0);
    for (int n = 1; n <= 1000; n += 37) {
        take_all(n);
        give_all(n);
        for (int i = n - 1; i >= 0; i--)
            assert_ptr_equal(tp_frame_new(frames), taken[i]);
        give_all(n);
    }
    tp_frame_free(frames, NULL);
    close_frames();
}

/* The functions, as other languages call them, and what stands for them in C work on the same caches. */
static void test_functions(void **state)
{
    (void)state;
    struct tp_frame_cache cache;
    open_frames(64, 64, 0, 0);
    tp_frame_cache_init(&cache, frames);
    for (int n = 1; n <= 1000; n += 37) {
        for (int i = 0; i < n; i++)
            taken[i] = i % 3 ? (tp_frame_new)(frames) : tp_frame_new(frames);
        for (int i = 0; i < n; i++)
            i % 2 ? (tp_frame_free)(frames, taken[i]) : tp_frame_free(frames, taken[i]);
        for (int i = n - 1; i >= 0; i--)
            assert_ptr_equal(i % 2 ? (tp_frame_new)(frames) : tp_frame_new(frames), taken[i]);
        for (int i = 0; i < n; i++)
            i % 2 ? (tp_frame_cache_free)(&cache, taken[i]) : tp_frame_cache_free(&cache, taken[i]);
        for (int i = n - 1; i >= 0; i--)
            assert_ptr_equal(i % 3 ? (tp_frame_cache_new)(&cache) : tp_frame_cache_new(&cache), taken[i]);
        assert_int_equal(stats_now().n_live, n);
        give_all(n);
        assert_int_equal(stats_now().n_live, 0);
    }
    tp_frame_cache_free(&cache, NULL);
    tp_frame_cache_fini(&cache);
    close_frames();
}

static void test_typed(void **state)
{
    (void)state;
    assert_int_equal(parcel_open(&frames, 10, 100), 0);
    struct parcel *parcel = parcel_new(frames);
    assert_int_equal((uintptr_t)parcel % TP_FRAME_ALIGN, 0);
    parcel->next = parcel;
    parcel_free(frames, parcel);
    struct tp_frame_cache cache;
    tp_frame_cache_init(&cache, frames);
    parcel_cache_free(&cache, parcel_cache_new(&cache));
    tp_frame_cache_fini(&cache);
    close_frames();
}

/* -- how many ----------------------------------------------------------------------------------------- */

static void test_bulk(void **state)
{
    (void)state;
    open_frames(128, 0, 0, 0);
    const size_t sizes[] = {0, 1, 2, 63, 64, 65, 129, MANY};
    uint64_t n_new = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        assert_int_equal(tp_frame_new_many(frames, taken, n), n);
        n_new += n;
        for (size_t k = 0; k < n; k++)
            *(size_t *)taken[k] = k;
        for (size_t k = 0; k < n; k++)
            assert_int_equal(*(size_t *)taken[k], k);
        assert_int_equal(stats_now().n_live, n);
        tp_frame_free_many(frames, taken, n);
        assert_int_equal(stats_now().n_live, 0);
        assert_int_equal(stats_now().n_new, n_new);
        assert_int_equal(stats_now().n_freed, n_new);
    }
    close_frames();
}

static void test_maximum(void **state)
{
    (void)state;
    for (uint64_t max = 1; max < 300; max += 43) {
        open_frames(500, 0, 0, max);
        taken[max] = &frames;
        assert_int_equal(tp_frame_new_many(frames, taken, max + 5), max);
        assert_ptr_equal(taken[max], &frames);
        assert_int_equal(stats_now().n_refused, 1);
        assert_null(tp_frame_new(frames));
        assert_int_equal(stats_now().n_refused, 2);
        assert_int_equal(stats_now().n_live, max);
        tp_frame_free(frames, taken[0]);
        assert_ptr_equal(tp_frame_new(frames), taken[0]);
        assert_null(tp_frame_new(frames));
        tp_frame_free_many(frames, taken, max);
        close_frames();
    }
}

static void test_preallocated(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 1000; n = n * 3 + 1) {
        open_frames(4000, 64, n, n);
        assert_int_equal(stats_now().n_idle, n);
        assert_int_equal(stats_now().n_made, n);
        uint64_t n_slabs = stats_now().n_slabs;
        take_all((int)n);
        assert_null(tp_frame_new(frames));
        assert_int_equal(stats_now().n_slabs, n_slabs);
        give_all((int)n);
        close_frames();
    }
}

static void test_trim(void **state)
{
    (void)state;
    open_frames(4000, 64, 0, 0);
    take_all(MANY);
    uint64_t n_slabs = stats_now().n_slabs, slab_bytes = stats_now().mapped_bytes / n_slabs;
    assert_int_equal(tp_frames_trim(frames, 0), 0);
    void *kept = taken[MANY / 2];
    taken[MANY / 2] = NULL;
    memset(kept, 7, 4000);
    give_all(MANY);
    assert_int_equal(tp_frames_trim(frames, 10 * slab_bytes), (n_slabs - 11) * slab_bytes);
    assert_int_equal(stats_now().n_slabs, 11);
    assert_int_equal(tp_frames_trim(frames, 0), 10 * slab_bytes);
    assert_int_equal(stats_now().n_slabs, 1);
    assert_int_equal(stats_now().n_unmapped, n_slabs - 1);
    assert_int_equal(stats_now().n_live, 1);
    assert_int_equal(((char *)kept)[3999], 7);
    take_all(MANY / 2); /* records are used again */
    give_all(MANY / 2);
    tp_frame_free(frames, kept);
    tp_frames_trim(frames, 0);
    assert_int_equal(stats_now().n_made, 0);
    assert_int_equal(stats_now().mapped_bytes, 0);
    close_frames();
}

/* -- the ends of threads and pools -------------------------------------------------------------------- */

static void test_busy(void **state)
{
    (void)state;
    open_frames(64, 0, 0, 0);
    void *frame = tp_frame_new(frames);
    assert_int_equal(tp_frames_close(frames), TP_EBUSY);
    tp_frame_free(frames, frame);
    close_frames();
}

static void *use_and_end(void *many)
{
    void *own[100];
    if (tp_frame_new_many(frames, own, 100) != 100)
        tp_add_rlx(&n_wrong, 1); /* relaxed: looked at after the join */
    tp_frame_free_many(frames, own, 100);
    if (many)
        tp_frames_thread_end();
    return NULL;
}

static void *use_after_the_end(void *nothing)
{
    tp_frames_thread_end();
    return use_and_end(nothing);
}

static void test_thread_ends(void **state)
{
    (void)state;
    struct crowd crowd = {.n = 0};
    void *(*const bodies[])(void *) = {use_and_end, use_after_the_end};
    open_frames(4000, 0, 0, 101);
    taken[0] = tp_frame_new(frames);
    tp_frames_flush(frames);       /* what else came with it */
    for (int i = 0; i < 20; i++) { /* all of the frames each time, so none stay behind */
        crowd_add(&crowd, bodies[i % 2], i % 3 ? &crowd : NULL);
        crowd_join(&crowd);
        assert_int_equal(tp_load_rlx(&n_wrong), 0);
        assert_int_equal(stats_now().n_caches, 1);
        assert_int_equal(stats_now().n_live, 1);
        assert_int_equal(stats_now().n_cached, 0);
        assert_int_equal(stats_now().n_new, 100 * (i + 1) + 1);
    }
    tp_frame_free(frames, taken[0]);
    close_frames();
}

/* More pools than a thread finds at once, closed while its caches are there. */
static void test_many_pools(void **state)
{
    (void)state;
    struct tp_frames *pools[50];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) {
            open_frames(64 + 64 * (size_t)i, 0, 0, 0);
            pools[i] = frames;
        }
        for (int k = 0; k < 500; k++)
            tp_frame_free(pools[k % 50], tp_frame_new(pools[k % 50]));
        for (int i = 0; i < 50; i++) {
            frames = pools[i];
            assert_int_equal(stats_now().n_new, 10);
            assert_int_equal(stats_now().n_caches, 1);
            close_frames();
        }
    }
}

static void test_own_cache(void **state)
{
    (void)state;
    open_frames(200, 0, 0, 0);
    struct tp_frame_cache one, other;
    tp_frame_cache_init(&one, frames);
    tp_frame_cache_init(&other, frames);
    for (int i = 0; i < MANY; i++)
        assert_non_null(taken[i] = tp_frame_cache_new(&one));
    for (int i = 0; i < MANY; i++)
        tp_frame_cache_free(&other, taken[i]);
    assert_int_equal(stats_now().n_caches, 2);
    assert_int_equal(stats_now().n_new, MANY);
    tp_frame_cache_fini(&one);
    assert_int_equal(stats_now().n_caches, 1);
    assert_int_equal(stats_now().n_freed, MANY);
    close_frames();
    tp_frame_cache_fini(&other); /* after its pool */
}

/* -- many threads ------------------------------------------------------------------------------------- */

static tp_atomic(void *) slots[SLOTS];

/* Frames go from thread to thread: each is marked by who takes it, and given back by who finds it. */
static void *storm(void *number)
{
    uintptr_t seed = (uintptr_t)number * 2654435761u + 1;
    void *some[10];
    for (int i = 0; i < ROUNDS; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uintptr_t *frame = tp_frame_new(frames);
        if (!frame)
            continue;
        frame[0] = (uintptr_t)frame;
        frame[15] = ~(uintptr_t)frame;
        frame = tp_swap_acq_rel(&slots[(seed >> 33) % SLOTS], frame); /* publishes the marks, and sees those of another */
        if (frame && (frame[0] != (uintptr_t)frame || frame[15] != ~(uintptr_t)frame))
            tp_add_rlx(&n_wrong, 1); /* relaxed: looked at after the join */
        tp_frame_free(frames, frame);
        size_t n = tp_frame_new_many(frames, some, (seed >> 40) % 10);
        tp_frame_free_many(frames, some, n);
        if (i % 100 == 50)
            tp_frames_trim(frames, 0);
    }
    return NULL;
}

static void run_storm(uint64_t max)
{
    struct crowd crowd = {.n = 0}, more = {.n = 0};
    open_frames(128, 0, 0, max);
    for (uintptr_t i = 0; i < THREADS; i++)
        crowd_add(i < THREADS / 2 ? &crowd : &more, storm, (void *)i);
    crowd_join(&crowd);
    crowd_join(&more);
    for (int i = 0; i < SLOTS; i++)
        tp_frame_free(frames, tp_swap_acq_rel(&slots[i], NULL)); /* both: as above */
    assert_int_equal(tp_load_rlx(&n_wrong), 0);                  /* relaxed: the threads are joined */
    assert_int_equal(stats_now().n_live, 0);
    assert_int_equal(stats_now().n_new, stats_now().n_freed);
    tp_frames_trim(frames, 0);
    assert_int_equal(stats_now().n_made, 0);
    close_frames();
}

static void test_storm(void **state)
{
    (void)state;
    run_storm(0);
}

static void test_storm_with_few_frames(void **state)
{
    (void)state;
    run_storm(150);
}

/* -- misuse ------------------------------------------------------------------------------------------- */

#if TP_DEBUG
static void free_twice(void)
{
    void *frame = tp_frame_new(frames);
    tp_frame_free(frames, frame);
    tp_frame_free(frames, frame);
}

static void free_foreign(void)
{
    tp_frame_free(frames, &frames);
}

static void free_inside(void)
{
    tp_frame_free(frames, (char *)tp_frame_new(frames) + 64);
}

static void free_in_another_pool(void)
{
    void *frame = tp_frame_new(frames);
    open_frames(4000, 0, 10, 0);
    tp_frame_free(frames, frame);
}

static void test_misuse(void **state)
{
    (void)state;
    void (*const bad[])(void) = {free_twice, free_foreign, free_inside, free_in_another_pool};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        open_frames(4000, 0, 0, 0);
        expect_stopped(bad[i]);
        close_frames();
    }
}
#endif

#if TP__CHECK_ADDRESS
static void test_idle_is_poison(void **state)
{
    (void)state;
    open_frames(4000, 64, 0, 0);
    char *frame = tp_frame_new(frames);
    assert_null(__asan_region_is_poisoned(frame, 4000));
    assert_ptr_equal(__asan_region_is_poisoned(frame, 4001), frame + 4000);
    tp_frame_free(frames, frame);
    assert_ptr_equal(__asan_region_is_poisoned(frame, 4000), frame);
    close_frames();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_typed),
        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_preallocated),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_thread_ends),
        cmocka_unit_test(test_many_pools),
        cmocka_unit_test(test_own_cache),
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_storm_with_few_frames),
#if TP_DEBUG
        cmocka_unit_test(test_misuse),
#endif
#if TP__CHECK_ADDRESS
        cmocka_unit_test(test_idle_is_poison),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
