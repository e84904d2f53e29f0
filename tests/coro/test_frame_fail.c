/* Frames when the system refuses: memory for pools, records, magazines and caches, mappings, and giving back. */
#include "tests/support/unit.h"

#include "coro/frame.h"
#include "runtime/base/status.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { N = 300 };

/* Which calls fail: from the first to the last, counted from `let_fail`. */
struct failure {
    int n_calls, first, last;
};
static struct failure of_mmap, of_munmap, of_malloc;
static struct tp_frames *frames;
static void *taken[N];
static size_t (*at_munmap)(void); /* what another thread does meanwhile, once */
static size_t n_bytes_meanwhile;

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

static void fail_nothing(void)
{
    let_fail(&of_mmap, 0, 0);
    let_fail(&of_munmap, 0, 0);
    let_fail(&of_malloc, 0, 0);
}

void *__real_mmap(void *, size_t, int, int, int, off_t);
void *__wrap_mmap(void *at, size_t bytes, int access, int flags, int file, off_t offset);
int __real_munmap(void *, size_t);
int __wrap_munmap(void *from, size_t bytes);
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

int __wrap_munmap(void *from, size_t bytes)
{
    size_t (*meanwhile)(void) = at_munmap;
    at_munmap = NULL;
    if (meanwhile)
        n_bytes_meanwhile = meanwhile();
    return fails(&of_munmap) ? -1 : __real_munmap(from, bytes);
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

static const struct tp_frames_settings settings = {.bytes = 4000, .align = 64};

static struct tp_frames_stats stats_now(void)
{
    struct tp_frames_stats stats;
    tp_frames_get_stats(frames, &stats);
    assert_int_equal(stats.n_made, stats.n_live + stats.n_cached + stats.n_idle);
    return stats;
}

/* Up to N, all at once or one by one; each is the caller's alone. */
static int take_many(bool in_bulk)
{
    int n = 0;
    if (in_bulk)
        n = (int)tp_frame_new_many(frames, taken, N);
    else
        while (n < N && (taken[n] = tp_frame_new(frames)))
            n++;
    for (int i = 0; i < n; i++)
        memset(taken[i], i, 4000);
    for (int i = 0; i < n; i++)
        assert_int_equal(((unsigned char *)taken[i])[3999], i % 256);
    assert_int_equal(stats_now().n_live, n);
    return n;
}

/* From the n-th mapping on, all are refused. */
static void test_no_mapping_any_more(void **state)
{
    (void)state;
    int n = 0;
    for (int first = 0; n < N; first++) {
        assert_int_equal(tp_frames_open(&frames, &settings), 0);
        let_fail(&of_mmap, first, INT_MAX);
        n = take_many(first % 2);
        assert_true(first > 0 || n == 0);
        assert_int_equal(stats_now().n_refused, n < N);
        assert_int_equal(stats_now().n_new, n);
        if (n > 0) { /* what there is goes on */
            tp_frame_free(frames, taken[n - 1]);
            assert_ptr_equal(tp_frame_new(frames), taken[n - 1]);
        }
        fail_nothing();
        if (n < N) { /* and so does all, when there is memory again */
            void *more = tp_frame_new(frames);
            assert_non_null(more);
            tp_frame_free(frames, more);
        }
        tp_frame_free_many(frames, taken, (size_t)n);
        assert_int_equal(tp_frames_close(frames), 0);
    }
}

/* From the n-th allocation on, all are refused: frames are given back all the same, and come again. */
static void test_no_memory(void **state)
{
    (void)state;
    int first = 0;
    for (int n_calls = INT_MAX; first <= n_calls; first++) {
        let_fail(&of_malloc, first, INT_MAX);
        struct tp_frames *none = frames = NULL;
        int status = tp_frames_open(&frames, &settings);
        if (status == TP_ENOMEM) {
            assert_ptr_equal(frames, none);
            continue;
        }
        assert_int_equal(status, 0);
        int n = take_many(first % 2);
        tp_frame_free_many(frames, taken, (size_t)n);
        assert_int_equal(stats_now().n_live, 0);
        assert_true(take_many(first % 2) >= n);
        for (int i = 0; i < n; i++)
            tp_frame_free(frames, taken[i]);
        for (int i = n; stats_now().n_live > 0; i++)
            tp_frame_free(frames, taken[i]);
        if (n == N)
            n_calls = of_malloc.n_calls;
        tp_frames_trim(frames, 0);
        assert_int_equal(stats_now().n_made, 0);
        assert_int_equal(tp_frames_close(frames), 0);
        fail_nothing();
    }
    assert_true(first > 8);
}

/* The n-th allocation or mapping of an opening fails: nothing is left over, as AddressSanitizer sees. */
static void test_preallocating_fails(void **state)
{
    (void)state;
    struct tp_frames_settings many = settings;
    many.prealloc = N;
    struct failure *const kinds[] = {&of_malloc, &of_mmap};
    for (int k = 0; k < 2; k++) {
        int status = TP_ENOMEM, first = 0;
        for (; status != 0; first++) {
            frames = NULL;
            let_fail(kinds[k], first, INT_MAX);
            status = tp_frames_open(&frames, &many);
            fail_nothing();
            assert_true(status == 0 || (status == TP_ENOMEM && !frames));
        }
        assert_true(first > 3);
        assert_int_equal(stats_now().n_idle, N);
        assert_int_equal(tp_frames_close(frames), 0);
    }
}

/* The system does not take a slab back: it is used again. */
static void test_giving_back_is_refused(void **state)
{
    (void)state;
    assert_int_equal(tp_frames_open(&frames, &settings), 0);
    int n = take_many(true);
    tp_frame_free_many(frames, taken, (size_t)n);
    uint64_t n_slabs = stats_now().n_slabs, slab_bytes = stats_now().mapped_bytes / n_slabs;
    let_fail(&of_munmap, 1, INT_MAX);
    assert_int_equal(tp_frames_trim(frames, 0), slab_bytes);
    fail_nothing();
    assert_int_equal(stats_now().n_slabs, n_slabs - 1);
    assert_int_equal(stats_now().n_unmapped, 1);
    assert_int_equal(stats_now().n_made, 0);
    assert_int_equal(take_many(true), N);
    assert_int_equal(stats_now().n_slabs, n_slabs);
    tp_frame_free_many(frames, taken, N);
    assert_int_equal(tp_frames_trim(frames, 0), n_slabs * slab_bytes);
    assert_int_equal(tp_frames_close(frames), 0);
}

static size_t trim(void)
{
    return tp_frames_trim(frames, 0);
}

/* A trim while another one unmaps: each slab is given back by one of them. */
static void test_two_trims(void **state)
{
    (void)state;
    assert_int_equal(tp_frames_open(&frames, &settings), 0);
    int n = take_many(true);
    uint64_t n_slabs = stats_now().n_slabs, slab_bytes = stats_now().mapped_bytes / n_slabs;
    assert_true(n_slabs > 2);
    void *kept = taken[n - 1]; /* in a slab that stays for now */
    tp_frame_free_many(frames, taken, (size_t)n - 1);
    at_munmap = trim;
    assert_int_equal(tp_frames_trim(frames, 0), (n_slabs - 1) * slab_bytes);
    assert_int_equal(n_bytes_meanwhile, 0);
    assert_int_equal(stats_now().n_unmapped, n_slabs - 1);
    memset(kept, 1, 4000);
    tp_frame_free(frames, kept);
    assert_int_equal(tp_frames_close(frames), 0);
}

/* Records of slabs stay until the end, so they are used again. */
static void test_records_are_used_again(void **state)
{
    (void)state;
    int n_first = 0;
    assert_int_equal(tp_frames_open(&frames, &settings), 0);
    for (int i = 0; i < 5; i++) {
        let_fail(&of_malloc, 0, 0);
        assert_int_equal(take_many(true), N);
        int n_slabs = (int)stats_now().n_slabs;
        tp_frame_free_many(frames, taken, N);
        tp_frames_trim(frames, 0);
        if (i == 0)
            n_first = of_malloc.n_calls;
        else /* magazines, which a trim frees, but no records */
            assert_true(of_malloc.n_calls + n_slabs <= n_first);
    }
    assert_int_equal(tp_frames_close(frames), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_mapping_any_more),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_preallocating_fails),
        cmocka_unit_test(test_giving_back_is_refused),
        cmocka_unit_test(test_two_trims),
        cmocka_unit_test(test_records_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
