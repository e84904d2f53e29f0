/* Records of tasks: every transition by hand, ids at the end of their generations, memory that is refused,
 * batches and preallocation. test_track_threads.c has what threads do to each other. */
#include "tests/support/unit.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/track.h"

#include <stdlib.h>

enum { MANY = 1000 };

static struct tp_track track;

/* -- memory that is refused --------------------------------------------------------------------------- */

static int n_allocations_left = -1; /* negative: as many as are asked for */

void *__real_malloc(size_t n_bytes);
void *__wrap_malloc(size_t n_bytes);
void *__real_aligned_alloc(size_t alignment, size_t n_bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t n_bytes);

static bool is_refused(void)
{
    if (n_allocations_left < 0)
        return false;
    if (n_allocations_left == 0)
        return true;
    n_allocations_left--;
    return false;
}

void *__wrap_malloc(size_t n_bytes)
{
    return is_refused() ? NULL : __real_malloc(n_bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n_bytes)
{
    return is_refused() ? NULL : __real_aligned_alloc(alignment, n_bytes);
}

/* -- one thread ------------------------------------------------------------------------------------------ */

static int set_up(void **state)
{
    (void)state;
    return tp_track_init(&track, 0);
}

static int tear_down(void **state)
{
    (void)state;
    size_t n = tp_track_count(&track);
    tp_track_free(&track);
    return n == 0 ? 0 : -1;
}

static uint64_t begin(bool kept)
{
    uint64_t id = 0;
    size_t n = 0;
    assert_int_equal(tp_track_begin(&track, 1, kept, &id, &n), 0);
    assert_int_equal(n, 1);
    assert_true(id != 0);
    return id;
}

static void finish(uint64_t id, enum tp_task_state state, int code)
{
    tp_track_finish(&track, id, (struct tp_task_result){.state = state, .code = code});
}

static void expect_result(uint64_t id, enum tp_task_state state, int code)
{
    struct tp_task_result result = {.code = 1234};
    assert_int_equal(tp_track_wait(&track, id, 0, &result), 0);
    assert_int_equal(result.state, state);
    assert_int_equal(result.code, code);
    assert_int_equal(tp_track_wait(&track, id, TP_FOREVER, NULL), 0);
}

/* Nothing that is asked of it has an effect. */
static void expect_stale(uint64_t id)
{
    struct tp_task_result result = {.state = TP_TASK_RUNNING, .code = 1234};
    size_t n = tp_track_count(&track);
    assert_int_equal(tp_track_wait(&track, id, TP_FOREVER, &result), TP_ESTALE);
    assert_int_equal(result.state, TP_TASK_RUNNING);
    assert_int_equal(result.code, 1234);
    assert_int_equal(tp_track_cancel(&track, id), TP_ESTALE);
    assert_int_equal(tp_track_release(&track, id), TP_ESTALE);
    assert_int_equal(tp_track_count(&track), n);
}

static void expect_state(uint64_t id, enum tp_task_state state)
{
    struct tp_task_info info;
    assert_int_equal(tp_track_list(&track, &info, 1), 1);
    assert_true(info.id == id);
    assert_int_equal(info.state, state);
}

static void test_nobody_holds(void **state)
{
    (void)state;
    uint64_t id = begin(false);
    expect_state(id, TP_TASK_PENDING);
    assert_int_equal(tp_track_release(&track, id), TP_ESTALE);
    assert_int_equal(tp_track_wait(&track, id, 0, NULL), TP_ETIMEDOUT);
    assert_true(tp_track_start(&track, id));
    expect_state(id, TP_TASK_RUNNING);
    assert_int_equal(tp_track_wait(&track, id, tp_clock_now_ns(), NULL), TP_ETIMEDOUT);
    finish(id, TP_TASK_RETURNED, 0);
    expect_stale(id);
    assert_int_equal(tp_track_count(&track), 0);
}

static void test_a_handle_holds(void **state)
{
    (void)state;
    static const struct tp_task_result ends[] = {{TP_TASK_RETURNED, 5}, {TP_TASK_FAILED, -5}, {TP_TASK_PANICKED, -9}, {TP_TASK_TIMED_OUT, 0}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        uint64_t id = begin(true);
        assert_true(tp_track_start(&track, id));
        finish(id, ends[i].state, ends[i].code);
        assert_int_equal(tp_track_list(&track, NULL, 0), 0);
        assert_int_equal(tp_track_count(&track), 1);
        expect_result(id, ends[i].state, ends[i].code);
        assert_int_equal(tp_track_cancel(&track, id), TP_ESTALE);
        assert_int_equal(tp_track_release(&track, id), 0);
        expect_stale(id);
    }
}

static void test_released_early(void **state)
{
    (void)state;
    uint64_t id = begin(true);
    assert_int_equal(tp_track_release(&track, id), 0);
    assert_int_equal(tp_track_release(&track, id), TP_ESTALE);
    assert_true(tp_track_start(&track, id));
    finish(id, TP_TASK_RETURNED, 0);
    expect_stale(id);
}

static void test_cancel_pending(void **state)
{
    (void)state;
    uint64_t kept = begin(true), loose = begin(false);
    assert_int_equal(tp_track_cancel(&track, kept), 0);
    assert_int_equal(tp_track_cancel(&track, kept), TP_ESTALE);
    assert_int_equal(tp_track_cancel(&track, loose), 0);
    expect_result(kept, TP_TASK_CANCELLED, TP_ECANCELED);
    expect_result(loose, TP_TASK_CANCELLED, TP_ECANCELED); /* in its queue still */
    assert_int_equal(tp_track_list(&track, NULL, 0), 0);
    assert_false(tp_track_start(&track, kept));
    assert_false(tp_track_drop(&track, loose, TP_TASK_DROPPED));
    expect_stale(loose);
    expect_result(kept, TP_TASK_CANCELLED, TP_ECANCELED);
    assert_int_equal(tp_track_release(&track, kept), 0);
}

static void test_cancel_running(void **state)
{
    (void)state;
    uint64_t id = begin(true);
    assert_true(tp_track_start(&track, id));
    assert_false(tp_track_is_asked(&track, id));
    assert_int_equal(tp_track_cancel(&track, id), 0);
    assert_int_equal(tp_track_cancel(&track, id), 0);
    assert_true(tp_track_is_asked(&track, id));
    expect_state(id, TP_TASK_RUNNING);
    finish(id, TP_TASK_RETURNED, 3); /* a request is not a command */
    expect_result(id, TP_TASK_RETURNED, 3);
    assert_int_equal(tp_track_release(&track, id), 0);
    id = begin(false); /* the same record, most likely */
    assert_true(tp_track_start(&track, id));
    assert_false(tp_track_is_asked(&track, id));
    finish(id, TP_TASK_RETURNED, 0);
}

static void test_drop(void **state)
{
    (void)state;
    uint64_t dropped = begin(true), cancelled = begin(true);
    assert_true(tp_track_drop(&track, dropped, TP_TASK_DROPPED));
    assert_true(tp_track_drop(&track, cancelled, TP_TASK_CANCELLED));
    expect_result(dropped, TP_TASK_DROPPED, TP_EDROPPED);
    expect_result(cancelled, TP_TASK_CANCELLED, TP_ECANCELED);
    assert_int_equal(tp_track_release(&track, dropped), 0);
    assert_int_equal(tp_track_release(&track, cancelled), 0);
}

static void test_undo(void **state)
{
    (void)state;
    uint64_t ids[] = {begin(true), begin(false), begin(true)};
    assert_int_equal(tp_track_cancel(&track, ids[2]), 0); /* somebody had found it in a list */
    tp_track_undo(&track, ids, 3);
    for (int i = 0; i < 3; i++)
        expect_stale(ids[i]);
}

static void test_unknown_ids(void **state)
{
    (void)state;
    expect_stale(0);
    expect_stale(1);
    uint64_t id = begin(false);
    expect_stale(0);
    expect_stale(UINT32_MAX);
    expect_stale(UINT64_MAX);
    expect_stale(id + 1); /* a record that has never been used */
    expect_stale(id + (UINT64_C(1) << 32));
    expect_stale(id - (UINT64_C(1) << 32));
    tp_track_undo(&track, &id, 1);
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void expect_all_different(uint64_t *ids, size_t n)
{
    qsort(ids, n, sizeof *ids, compare_ids);
    for (size_t i = 1; i < n; i++)
        assert_true(ids[i - 1] != ids[i]);
}

static void test_batch(void **state)
{
    (void)state;
    static uint64_t ids[2 * MANY];
    static struct tp_task_info infos[MANY];
    size_t n;
    assert_int_equal(tp_track_begin(&track, 0, false, ids, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(tp_track_begin(&track, MANY, false, ids, &n), 0);
    assert_int_equal(n, MANY);
    assert_int_equal(tp_track_list(&track, infos, 10), MANY);
    assert_int_equal(tp_track_list(&track, infos, MANY), MANY);
    for (int i = 0; i < MANY; i++)
        ids[MANY + i] = infos[i].id;
    expect_all_different(ids + MANY, MANY);
    qsort(ids, MANY, sizeof *ids, compare_ids);
    assert_memory_equal(ids, ids + MANY, MANY * sizeof *ids);
    tp_track_undo(&track, ids, MANY);
    assert_int_equal(tp_track_begin(&track, MANY, false, ids + MANY, &n), 0);
    tp_track_undo(&track, ids + MANY, MANY);
    expect_all_different(ids, 2 * MANY);
    uint32_t n_records = tp_load_rlx(&track.n_records);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tp_track_begin(&track, MANY, false, ids, &n), 0);
        tp_track_undo(&track, ids, MANY);
    }
    assert_int_equal(tp_load_rlx(&track.n_records), n_records); /* they are used again */
}

/* The last generation of a record is used, and then the record no more: no id comes twice. */
static void test_last_generations(void **state)
{
    (void)state;
    static uint64_t ids[4 * MANY];
    track.first_generation = UINT32_MAX - 1;
    for (int i = 0; i < 4 * MANY; i++) {
        ids[i] = begin(i % 2 == 0);
        if (i > 0)
            expect_stale(ids[i - 1]);
        assert_true(tp_track_start(&track, ids[i]));
        finish(ids[i], TP_TASK_RETURNED, i);
        if (i % 2 == 0) {
            expect_result(ids[i], TP_TASK_RETURNED, i);
            assert_int_equal(tp_track_release(&track, ids[i]), 0);
        }
    }
    expect_all_different(ids, 4 * MANY);
    for (int i = 0; i < 4 * MANY; i++)
        assert_true(ids[i] >> 32 >= UINT32_MAX - 1);
}

static void test_prealloc(void **state)
{
    (void)state;
    static const uint64_t amounts[] = {1, 64, 65, 256, 257, 100000};
    static uint64_t ids[100000];
    size_t n;
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
        tp_track_free(&track);
        assert_int_equal(tp_track_init(&track, amounts[i]), 0);
        n_allocations_left = 0;
        int status = tp_track_begin(&track, amounts[i], false, ids, &n);
        n_allocations_left = -1;
        assert_int_equal(status, 0);
        assert_int_equal(n, amounts[i]);
        tp_track_undo(&track, ids, n);
        assert_int_equal(tp_track_count(&track), 0);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    static uint64_t ids[MANY];
    size_t n;
    tp_track_free(&track);
    for (int i = 0; i < 3; i++) { /* the shards, the first chunk, the second one */
        n_allocations_left = i;
        int status = tp_track_init(&track, 257);
        n_allocations_left = -1;
        assert_int_equal(status, TP_ENOMEM);
    }
    assert_int_equal(tp_track_init(&track, UINT64_MAX), TP_ENOMEM);
    assert_int_equal(tp_track_init(&track, 0), 0);
    n_allocations_left = 1;
    int status = tp_track_begin(&track, MANY, true, ids, &n);
    n_allocations_left = -1;
    assert_int_equal(status, TP_ENOMEM);
    assert_int_equal(n, 256); /* what the first chunk holds */
    assert_int_equal(tp_track_count(&track), 256);
    tp_track_undo(&track, ids, n);
    assert_int_equal(tp_track_begin(&track, MANY, true, ids, &n), 0);
    assert_int_equal(n, MANY);
    tp_track_undo(&track, ids, n);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_nobody_holds),
        CASE(test_a_handle_holds),
        CASE(test_released_early),
        CASE(test_cancel_pending),
        CASE(test_cancel_running),
        CASE(test_drop),
        CASE(test_undo),
        CASE(test_unknown_ids),
        CASE(test_batch),
        CASE(test_last_generations),
        CASE(test_prealloc),
        CASE(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
