/* Runtimes: one suite for all flavours and numbers of workers. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"

#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 300,
    THREADS = 4,
    VALUES = 2000 };

static const struct tp_runtime_settings kinds[] = {
    {.flavour = TP_RUNTIME_MULTI},
    {.flavour = TP_RUNTIME_MULTI, .workers = 1},
    {.flavour = TP_RUNTIME_MULTI, .workers = 8, .seed = 5},
    {.flavour = TP_RUNTIME_CURRENT},
    {.flavour = TP_RUNTIME_CURRENT, .seed = 5},
    {.flavour = TP_RUNTIME_CURRENT, .virtual_time = true},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds,
    FIRST_CURRENT = 3 };

static struct tp_runtime *runtime;
static tp_atomic(uint32_t) n_done, n_wrong, n_panics;

/* In tasks and threads: CMocka's assertions end a test by a jump. */
static void expect(bool is_so)
{
    if (!is_so)
        tp_add_sc(&n_wrong, 1);
}

static void note_panic(const struct tp_panic_report *report, void *context)
{
    (void)context;
    expect(strcmp(report->message, "a test") == 0);
    tp_add_sc(&n_panics, 1);
}

static void start(const struct tp_runtime_settings *kind)
{
    struct tp_runtime_settings settings = *kind;
    settings.on_panic = note_panic;
    tp_store_sc(&n_done, 0);
    tp_store_sc(&n_wrong, 0);
    tp_store_sc(&n_panics, 0);
    assert_int_equal(tp_runtime_open(&runtime, &settings), 0);
}

static void stop(void)
{
    tp_runtime_free(runtime);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
}

static int block_on(int (*run)(void *), void *argument)
{
    struct tp_task_result result = {.code = 12345};
    assert_int_equal(tp_block_on(runtime, run, argument, &result), 0);
    return result.code;
}

/* -- ends --------------------------------------------------------------------------------------- */

static int answer(void *argument)
{
    tp_add_sc(&n_done, 1);
    return *(const int *)argument;
}

static int panic(void *argument)
{
    (void)argument;
    tp_panic("%s", "a test");
}

static void test_results(void **state)
{
    (void)state;
    int well = 7, badly = -7;
    struct tp_task_result result;
    for (int k = 0; k < N_KINDS; k++) {
        start(&kinds[k]);
        assert_int_equal(tp_block_on(runtime, answer, &well, &result), 0);
        assert_true(result.state == TP_TASK_RETURNED && result.code == 7);
        assert_int_equal(tp_block_on(runtime, answer, &badly, &result), 0);
        assert_true(result.state == TP_TASK_FAILED && result.code == -7);
        assert_int_equal(tp_block_on(runtime, panic, NULL, &result), 0);
        assert_true(result.state == TP_TASK_PANICKED && result.code == TP_EPANICKED);
        assert_int_equal(tp_block_on(runtime, answer, &well, NULL), 0);
        assert_int_equal(tp_block_on(runtime, NULL, NULL, &result), TP_EINVAL);
        assert_int_equal(tp_load_sc(&n_panics), 1);
        assert_int_equal(tp_load_sc(&n_done), 3);
        stop();
    }
    assert_int_equal(tp_runtime_open(&runtime, NULL), 0);
    assert_int_equal(block_on(answer, &well), 7);
    stop();
}

static void test_refused(void **state)
{
    struct tp_runtime *untouched = (void *)state;
    runtime = untouched;
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.flavour = (enum tp_runtime_flavour)2}), TP_EINVAL);
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.workers = 5000}), TP_EINVAL);
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.virtual_time = true}), TP_EINVAL);
    assert_int_equal(tp_runtime_open(&runtime, &(struct tp_runtime_settings){.flavour = TP_RUNTIME_CURRENT, .workers = 1}), TP_EINVAL);
    assert_ptr_equal(runtime, untouched);
    tp_runtime_free(NULL);
}

/* -- spawning ----------------------------------------------------------------------------------- */

static int count(void *argument)
{
    (void)argument;
    tp_add_sc(&n_done, 1);
    return 0;
}

static int count_later(void *argument)
{
    expect(tp_yield() == 0);
    return count(argument);
}

static void test_from_ordinary_code(void **state)
{
    (void)state;
    uint64_t ids[MANY];
    struct tp_task_result result;
    for (int k = 0; k < N_KINDS; k++) {
        start(&kinds[k]);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(tp_runtime_spawn(runtime, i % 2 ? count_later : count, NULL, &ids[i]), 0);
        assert_int_equal(tp_runtime_spawn(runtime, NULL, NULL, &ids[0]), TP_EINVAL);
        for (int i = MANY - 1; i >= 0; i--)
            assert_int_equal(tp_runtime_join(runtime, ids[i], TP_FOREVER, &result), 0);
        assert_int_equal(tp_runtime_join(runtime, ids[0], TP_FOREVER, &result), TP_ESTALE);
        assert_int_equal(tp_runtime_join(runtime, 0, TP_FOREVER, &result), TP_ESTALE);
        assert_int_equal(tp_load_sc(&n_done), MANY);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(tp_runtime_spawn(runtime, count_later, NULL, i % 2 ? &ids[i] : NULL), 0);
        for (int i = 1; i < MANY; i += 2)
            assert_int_equal(tp_runtime_detach(runtime, ids[i]), 0);
        assert_int_equal(tp_runtime_close(runtime, TP_FOREVER), 0);
        assert_int_equal(tp_load_sc(&n_done), 2 * MANY);
        assert_int_equal(tp_runtime_spawn(runtime, count, NULL, NULL), TP_ECLOSED);
        assert_int_equal(tp_block_on(runtime, count, NULL, NULL), TP_ECLOSED);
        stop();
    }
}

/* Spawns two of its kind, down to a depth, and waits for them. */
static int grow(void *argument)
{
    uint64_t left, right;
    struct tp_task_result got[2];
    intptr_t depth = (intptr_t)argument;
    if (depth == 0)
        return 1;
    expect(tp_task_spawn(grow, (void *)(depth - 1), &left) == 0);
    expect(tp_task_spawn(grow, (void *)(depth - 1), &right) == 0);
    expect(tp_task_join(left, TP_FOREVER, &got[0]) == 0);
    expect(tp_task_join(right, TP_FOREVER, &got[1]) == 0);
    return got[0].code + got[1].code;
}

static int detach_all(void *argument)
{
    uint64_t id;
    for (int i = 0; i < MANY; i++) {
        expect(tp_task_spawn(count_later, argument, &id) == 0);
        expect(tp_task_detach(id) == 0);
        expect(tp_task_detach(id) == TP_ESTALE);
        expect(tp_task_spawn(count_later, argument, NULL) == 0);
    }
    return 0;
}

static void test_from_tasks(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        start(&kinds[k]);
        assert_int_equal(block_on(grow, (void *)8), 256);
        assert_int_equal(block_on(detach_all, NULL), 0);
        assert_int_equal(tp_runtime_close(runtime, TP_FOREVER), 0);
        assert_int_equal(tp_load_sc(&n_done), 2 * MANY);
        stop();
    }
}

/* In stock pools too; elsewhere there is nowhere to spawn. */
static void test_other_places(void **state)
{
    (void)state;
    static const enum tp_tasks tasks[] = {TP_TASKS_FUNCTION, TP_TASKS_COROUTINE};
    struct tp_pool *pool;
    struct tp_multi_member target;
    uint64_t id = 7;
    tp_store_sc(&n_done, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tp_pool_open(&pool, &(struct tp_pool_settings){.workers = 2, .capacity = UINT64_MAX, .tasks = tasks[i]}), 0);
        assert_int_equal(tp_pool_submit(pool, detach_all, NULL), 0);
        assert_int_equal(tp_pool_join_all(pool, TP_FOREVER), 0);
        tp_pool_free(pool);
    }
    assert_int_equal(tp_load_sc(&n_done), 4 * MANY);
    assert_int_equal(tp_task_spawn(count, NULL, &id), TP_EOUTSIDE);
    assert_int_equal(tp_task_join(id, 0, NULL), TP_EOUTSIDE);
    assert_int_equal(tp_task_cancel(id), TP_EOUTSIDE);
    assert_int_equal(tp_task_detach(id), TP_EOUTSIDE);
    assert_int_equal(tp_task_target(&target), TP_EOUTSIDE);
}

/* -- who may wait for what ---------------------------------------------------------------------- */

static void *close_inside(void *unused)
{
    (void)unused;
    expect(tp_block_on(runtime, count, NULL, NULL) == TP_EDEADLK);
    expect(tp_runtime_close(runtime, TP_FOREVER) == TP_EDEADLK);
#if !TP_DEBUG
    tp_runtime_free(runtime);
#endif
    return NULL;
}

/* In a coroutine of the caller's own. */
static void close_in_coroutine(void)
{
    struct tp_co *co;
    expect(tp_co_new(&co, close_inside, NULL, NULL) == 0);
    expect(tp_co_resume(co, NULL, NULL) == 0);
    tp_co_free(co);
}

static int wait_for_itself(void *argument)
{
    (void)argument;
    struct tp_task_result result;
    close_inside(NULL);
    close_in_coroutine();
    expect(tp_task_join(tp_task_id(), TP_FOREVER, &result) == TP_EDEADLK);
    return 0;
}

struct inside {
    struct tp_runtime *inner;
    bool has_threads;
};

static int block_inside(void *argument)
{
    struct inside *inside = argument;
    struct tp_task_result result;
    int seven = 7;
    if (!inside->has_threads)
        return tp_block_on(inside->inner, answer, &seven, &result) == TP_EDEADLK && tp_runtime_close(inside->inner, 0) == TP_EDEADLK ? 7 : -1;
    expect(tp_block_on(inside->inner, answer, &seven, &result) == 0);
    return result.code;
}

static void test_inside(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        start(&kinds[k]);
        assert_int_equal(block_on(wait_for_itself, NULL), 0);
        if (k >= FIRST_CURRENT) { /* outside of its tasks, with one that is not over */
            assert_int_equal(tp_runtime_spawn(runtime, count, NULL, NULL), 0);
            close_in_coroutine();
        }
        for (int other = 0; other < N_KINDS; other++) {
            struct inside inside = {.has_threads = other < FIRST_CURRENT};
            assert_int_equal(tp_runtime_open(&inside.inner, &kinds[other]), 0);
            assert_int_equal(block_on(block_inside, &inside), 7);
            tp_runtime_free(inside.inner);
        }
        stop();
    }
}

/* -- waiting ------------------------------------------------------------------------------------ */

static struct tp_chan *there, *back;

static int echo(void *argument)
{
    (void)argument;
    int value;
    while (tp_chan_recv(there, &value, TP_FOREVER) == 0)
        expect(tp_chan_send(back, &value, TP_FOREVER) == 0);
    tp_add_sc(&n_done, 1);
    return 0;
}

static int ask(void *argument)
{
    (void)argument;
    int value, sum = 0;
    for (int i = 0; i < VALUES; i++) {
        expect(tp_chan_send(there, &i, TP_FOREVER) == 0);
        expect(tp_chan_recv(back, &value, TP_FOREVER) == 0 && value == i);
        sum += value;
    }
    tp_chan_close(there);
    return sum;
}

static int with_echo(void *argument)
{
    uint64_t id;
    expect(tp_task_spawn(echo, NULL, &id) == 0);
    int sum = ask(argument);
    expect(tp_task_join(id, TP_FOREVER, NULL) == 0);
    return sum;
}

static void *ask_as_thread(void *argument)
{
    *(int *)argument = ask(NULL);
    return NULL;
}

static void open_channels(void)
{
    assert_int_equal(tp_chan_open(&there, sizeof(int), 0), 0);
    assert_int_equal(tp_chan_open(&back, sizeof(int), 0), 0);
}

static void free_channels(void)
{
    tp_chan_free(there);
    tp_chan_free(back);
}

/* Two tasks, and a task with a thread, which wakes it while who runs it sleeps. */
static void test_channels(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        struct crowd crowd = {.n = 0};
        int sum = 0;
        start(&kinds[k]);
        open_channels();
        assert_int_equal(block_on(with_echo, NULL), VALUES * (VALUES - 1) / 2);
        free_channels();
        open_channels();
        crowd_add(&crowd, ask_as_thread, &sum);
        assert_int_equal(block_on(echo, NULL), 0);
        crowd_join(&crowd);
        assert_int_equal(sum, VALUES * (VALUES - 1) / 2);
        free_channels();
        stop();
    }
}

static void *block_as_thread(void *argument)
{
    struct tp_task_result result;
    expect(tp_block_on(runtime, argument ? ask : echo, NULL, &result) == 0 && result.state == TP_TASK_RETURNED);
    for (int i = 0; i < MANY; i++)
        expect(tp_block_on(runtime, count_later, NULL, &result) == 0 && result.state == TP_TASK_RETURNED);
    return NULL;
}

/* Threads that block on tasks which wait for each other: one of them runs the tasks of all, in turn. */
static void test_several_threads(void **state)
{
    for (int k = 0; k < N_KINDS; k++) {
        struct crowd crowd = {.n = 0};
        start(&kinds[k]);
        open_channels();
        for (int i = 0; i < THREADS; i++)
            crowd_add(&crowd, block_as_thread, i == 0 ? (void *)state : NULL);
        crowd_join(&crowd);
        assert_int_equal(tp_load_sc(&n_done), THREADS - 1 + THREADS * MANY);
        free_channels();
        stop();
    }
}

static struct tp_fd ends[2];

static int read_all(void *argument)
{
    int value, sum = 0;
    size_t n;
    (void)argument;
    while (tp_read_all(ends[0], &value, sizeof value, TP_FOREVER, &n) == 0 && n == sizeof value)
        sum += value;
    expect(tp_fd_close(ends[0]) == 0);
    return sum;
}

static int write_all(void *argument)
{
    size_t n;
    (void)argument;
    for (int i = 0; i < VALUES; i++) {
        expect(tp_write_all(ends[1], &i, sizeof i, TP_FOREVER, &n) == 0);
        if (i % 64 == 0)
            tp_yield();
    }
    expect(tp_fd_close(ends[1]) == 0);
    return 0;
}

static void *write_as_thread(void *argument)
{
    int fd = *(const int *)argument;
    for (int i = 0; i < VALUES; i++)
        expect(write(fd, &i, sizeof i) == sizeof i);
    close(fd);
    return NULL;
}

/* A task that waits for a descriptor, filled by a task, or by a thread while who runs the task sleeps; others are woken meanwhile. */
static void test_descriptors(void **state)
{
    (void)state;
    struct tp_task_result result;
    for (int k = 0; k < N_KINDS; k++)
        for (int by_thread = 0; by_thread < 2; by_thread++) {
            struct crowd crowd = {.n = 0};
            uint64_t reader, echoes;
            int fds[2], sum = 0;
            start(&kinds[k]);
            open_channels();
            assert_int_equal(pipe(fds), 0);
            assert_int_equal(tp_fd_open(fds[0], &ends[0]), 0);
            assert_int_equal(tp_runtime_spawn(runtime, read_all, NULL, &reader), 0);
            assert_int_equal(tp_runtime_spawn(runtime, echo, NULL, &echoes), 0);
            crowd_add(&crowd, ask_as_thread, &sum);
            if (by_thread) {
                crowd_add(&crowd, write_as_thread, &fds[1]);
            } else {
                assert_int_equal(tp_fd_open(fds[1], &ends[1]), 0);
                assert_int_equal(tp_runtime_spawn(runtime, write_all, NULL, NULL), 0);
            }
            assert_int_equal(tp_runtime_join(runtime, reader, TP_FOREVER, &result), 0);
            assert_int_equal(result.code, VALUES * (VALUES - 1) / 2);
            assert_int_equal(tp_runtime_join(runtime, echoes, TP_FOREVER, &result), 0);
            crowd_join(&crowd);
            assert_int_equal(sum, VALUES * (VALUES - 1) / 2);
            stop();
            free_channels();
        }
}

static int wait_till(void *argument)
{
    int value;
    uint64_t deadline_ns = tp_deadline_in_ns(*(const uint64_t *)argument);
    expect(tp_chan_recv(there, &value, deadline_ns) == TP_ETIMEDOUT);
    expect(tp_clock_now_ns() >= deadline_ns);
    return (int)tp_add_sc(&n_done, 1);
}

/* Deadlines pass in their order. */
static void test_deadlines(void **state)
{
    (void)state;
    static const uint64_t times[] = {3000000, 1, 2000000, 1000000};
    static const int places[] = {3, 0, 2, 1};
    struct tp_task_result result;
    for (int k = 0; k < N_KINDS; k++) {
        uint64_t ids[4];
        start(&kinds[k]);
        open_channels();
        for (int i = 0; i < 4; i++)
            assert_int_equal(tp_runtime_spawn(runtime, wait_till, (void *)&times[i], &ids[i]), 0);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(tp_runtime_join(runtime, ids[i], TP_FOREVER, &result), 0);
            if (kinds[k].virtual_time)
                assert_int_equal(result.code, places[i]);
        }
        free_channels();
        stop();
    }
}

/* -- cancelling --------------------------------------------------------------------------------- */

static int recv_forever(void *argument)
{
    int value;
    (void)argument;
    tp_add_sc(&n_done, 1);
    return tp_chan_recv(there, &value, TP_FOREVER);
}

static int yield_forever(void *argument)
{
    (void)argument;
    int status;
    tp_add_sc(&n_done, 1);
    while ((status = tp_yield()) == 0)
        ;
    return status;
}

static int join_forever(void *argument)
{
    uint64_t id;
    struct tp_task_result result;
    expect(tp_task_spawn(recv_forever, argument, &id) == 0);
    int status = tp_task_join(id, TP_FOREVER, &result);
    expect(tp_task_cancel(id) == 0);
    TP_SHIELD;
    expect(tp_task_join(id, TP_FOREVER, &result) == 0 && result.code == TP_ECANCELED);
    return status;
}

static int begin_and_cancel(void *argument)
{
    int (*const *run)(void *) = argument;
    struct tp_task_result result;
    uint64_t id;
    uint32_t n = tp_load_sc(&n_done);
    expect(tp_task_spawn(*run, NULL, &id) == 0);
    while (tp_load_sc(&n_done) == n)
        tp_yield();
    for (int i = 0; i < 10; i++)
        tp_yield();
    expect(tp_task_cancel(id) == 0);
    expect(tp_task_join(id, TP_FOREVER, &result) == 0);
    expect(result.state == TP_TASK_FAILED && result.code == TP_ECANCELED);
    return 0;
}

static int cancel_before(void *argument)
{
    struct tp_task_result result;
    uint64_t id;
    expect(tp_task_spawn(count, argument, &id) == 0);
    int status = tp_task_cancel(id);
    expect(tp_task_join(id, TP_FOREVER, &result) == 0);
    expect(status == 0 || status == TP_ESTALE);
    expect(result.state == TP_TASK_CANCELLED || result.state == TP_TASK_RETURNED);
    return 0;
}

static void test_cancel(void **state)
{
    (void)state;
    static int (*const runs[])(void *) = {recv_forever, yield_forever, join_forever};
    for (int k = 0; k < N_KINDS; k++) {
        start(&kinds[k]);
        open_channels();
        for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
            assert_int_equal(block_on(begin_and_cancel, (void *)&runs[i]), 0);
        assert_int_equal(block_on(cancel_before, NULL), 0);
        stop();
        free_channels();
    }
}

static int outer_of(void *argument)
{
    struct tp_task_result result;
    expect(tp_block_on(argument, recv_forever, NULL, &result) == 0);
    return result.code;
}

/* A task in tp_block_on that is asked to end asks the other one to. */
static void test_cancel_across(void **state)
{
    (void)state;
    struct tp_runtime *inner;
    struct tp_task_result result;
    uint64_t id;
    start(&kinds[0]);
    open_channels();
    assert_int_equal(tp_runtime_open(&inner, &kinds[2]), 0);
    assert_int_equal(tp_runtime_spawn(runtime, outer_of, inner, &id), 0);
    while (tp_load_sc(&n_done) == 0)
        sched_yield();
    assert_int_equal(tp_runtime_cancel(runtime, id), 0);
    assert_int_equal(tp_runtime_join(runtime, id, TP_FOREVER, &result), 0);
    assert_int_equal(result.code, TP_ECANCELED);
    tp_runtime_free(inner);
    stop();
    free_channels();
}

static int note_end(void *argument)
{
    int status = recv_forever(argument);
    tp_add_sc(&n_panics, status == TP_ECANCELED);
    return status;
}

/* The end of a runtime ends what waits for ever. */
static void test_end_of_runtime(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        start(&kinds[k]);
        open_channels();
        for (int i = 0; i < MANY; i++)
            assert_int_equal(tp_runtime_spawn(runtime, note_end, NULL, NULL), 0);
        assert_int_equal(tp_runtime_close(runtime, 1), TP_ETIMEDOUT);
        stop();
        assert_int_equal(tp_load_sc(&n_panics), tp_load_sc(&n_done)); /* others have not begun */
        free_channels();
    }
}

/* -- full --------------------------------------------------------------------------------------- */

static void test_capacity(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        struct tp_runtime_settings settings = kinds[k];
        uint64_t ids[3], id;
        settings.capacity = 3;
        start(&settings);
        open_channels();
        for (int i = 0; i < 3; i++)
            assert_int_equal(tp_runtime_spawn(runtime, recv_forever, NULL, &ids[i]), 0);
        assert_int_equal(tp_runtime_spawn(runtime, count, NULL, &id), TP_EFULL);
        assert_int_equal(tp_block_on(runtime, count, NULL, NULL), TP_EFULL);
        tp_chan_close(there);
        for (int i = 0; i < 3; i++)
            assert_int_equal(tp_runtime_join(runtime, ids[i], TP_FOREVER, NULL), 0);
        assert_int_equal(block_on(count, NULL), 0);
        stop();
        free_channels();
    }
}

/* -- a forked process ------------------------------------------------------------------------ */

/* A child of fork() leaves its copy alone, and may free it. */
static void test_child(void **state)
{
    (void)state;
    for (int k = 0; k < N_KINDS; k++) {
        int status;
        start(&kinds[k]);
        assert_int_equal(block_on(count, NULL), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            bool refuses = tp_block_on(runtime, count, NULL, NULL) == TP_EFORKED && tp_runtime_spawn(runtime, count, NULL, NULL) == TP_EFORKED &&
                           tp_runtime_join(runtime, 1, 0, NULL) == TP_EFORKED;
            tp_runtime_free(runtime);
            _exit(refuses ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_from_ordinary_code),
        cmocka_unit_test(test_from_tasks),
        cmocka_unit_test(test_other_places),
        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_several_threads),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cancel_across),
        cmocka_unit_test(test_end_of_runtime),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
