/* Scopes: children end before their block does, whichever way that is left; failures, deadlines and requests to end reach them. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"
#include "runtime/track.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 300 };

static const struct tp_runtime_settings kinds[] = {
    {.flavour = TP_RUNTIME_MULTI, .workers = 1},
    {.flavour = TP_RUNTIME_MULTI, .workers = 8},
    {.flavour = TP_RUNTIME_CURRENT},
    {.flavour = TP_RUNTIME_CURRENT, .seed = 9, .virtual_time = true},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static struct tp_runtime *runtime;
static struct tp_chan *never; /* nobody sends */
static tp_atomic(uint32_t) n_wrong, n_begun, n_over;
static bool is_alone; /* one thread runs all tasks */

static void expect(bool is_so)
{
    if (!is_so)
        tp_add_sc(&n_wrong, 1);
}

static void no_report(const struct tp_panic_report *report, void *context)
{
    (void)report;
    (void)context;
}

/* Runs it in each kind of runtime. */
static void run_everywhere(int (*run)(void *argument))
{
    for (int k = 0; k < N_KINDS; k++) {
        struct tp_runtime_settings settings = kinds[k];
        settings.on_panic = no_report;
        is_alone = settings.flavour == TP_RUNTIME_CURRENT || settings.workers == 1;
        tp_store_sc(&n_wrong, 0);
        tp_store_sc(&n_begun, 0);
        tp_store_sc(&n_over, 0);
        assert_int_equal(tp_chan_open(&never, 0, 0), 0);
        assert_int_equal(tp_runtime_open(&runtime, &settings), 0);
        assert_int_equal(tp_block_on(runtime, run, NULL, NULL), 0);
        tp_runtime_free(runtime);
        tp_chan_free(never);
        assert_int_equal(tp_load_sc(&n_wrong), 0);
    }
}

/* -- children ----------------------------------------------------------------------------------- */

static int double_it(void *argument)
{
    int *number = argument;
    expect(tp_yield() == 0);
    *number *= 2;
    return *number;
}

static int give_code(void *argument)
{
    expect(tp_yield() == 0);
    return *(const int *)argument;
}

static int panic(void *argument)
{
    (void)argument;
    tp_yield();
    tp_panic("a test");
}

/* Until it is asked to end. */
static int wait_forever(void *argument)
{
    (void)argument;
    tp_add_sc(&n_begun, 1);
    int status = tp_chan_recv(never, NULL, TP_FOREVER);
    tp_yield();
    tp_add_sc(&n_over, 1);
    return status;
}

static int in_results(void *unused)
{
    int numbers[MANY];
    uint32_t index;
    (void)unused;
    TP_SCOPE(scope, NULL);
    for (int i = 0; i < MANY; i++) {
        numbers[i] = i;
        expect(tp_scope_spawn(&scope, double_it, &numbers[i], &index) == 0 && index == (uint32_t)i);
    }
    expect(tp_scope_spawn(&scope, NULL, NULL, NULL) == TP_EINVAL);
    expect(tp_scope_join(&scope, TP_FOREVER) == 0);
    expect(tp_scope_count(&scope) == MANY && tp_scope_first_failure(&scope) == -1);
    for (uint32_t i = 0; i < MANY; i++)
        expect(tp_scope_result(&scope, i).state == TP_TASK_RETURNED && tp_scope_result(&scope, i).code == 2 * (int)i && numbers[i] == 2 * (int)i);
    expect(tp_scope_spawn(&scope, double_it, &numbers[1], NULL) == 0); /* more, later */
    expect(tp_scope_join(&scope, TP_FOREVER) == 0 && numbers[1] == 4);
    return 0;
}

static void test_results(void **state)
{
    (void)state;
    run_everywhere(in_results);
}

static void leave_by_return(struct tp_defer *node)
{
    int numbers[8] = {0};
    TP_SCOPE(scope, NULL);
    (void)node;
    for (int i = 0; i < 8; i++)
        expect(tp_scope_spawn(&scope, double_it, &numbers[i], NULL) == 0);
    tp_add_sc(&n_begun, 1);
}

static int leave_by_panic(void *unused)
{
    (void)unused;
    TP_SCOPE(scope, NULL);
    for (int i = 0; i < 8; i++)
        expect(tp_scope_spawn(&scope, wait_forever, NULL, NULL) == 0);
    while (tp_load_sc(&n_begun) < 8)
        tp_yield();
    tp_panic("a test");
}

static int in_ways_out(void *unused)
{
    (void)unused;
    leave_by_return(NULL); /* the children's numbers are gone after it: asan tells */
    tp_store_sc(&n_begun, 0);
    expect(tp_task_protect(leave_by_panic, NULL) == TP_EPANICKED);
    expect(tp_load_sc(&n_over) == 8);
    uint64_t id;
    struct tp_task_result result;
    tp_store_sc(&n_begun, 0);
    expect(tp_task_spawn(leave_by_panic, NULL, &id) == 0); /* the task ends when its children have */
    expect(tp_task_join(id, TP_FOREVER, &result) == 0 && result.state == TP_TASK_PANICKED);
    expect(tp_load_sc(&n_over) == 16);
    return 0;
}

static void test_ways_out(void **state)
{
    (void)state;
    run_everywhere(in_ways_out);
}

/* -- failures ----------------------------------------------------------------------------------- */

static int in_first_failure(void *unused)
{
    static int (*const ways[])(void *) = {give_code, panic};
    int code = -77;
    (void)unused;
    for (int way = 0; way < 2; way++) {
        TP_SCOPE(scope, NULL);
        tp_store_sc(&n_begun, 0);
        tp_store_sc(&n_over, 0);
        for (int i = 0; i < 10; i++)
            expect(tp_scope_spawn(&scope, wait_forever, NULL, NULL) == 0);
        while (tp_load_sc(&n_begun) < 10)
            tp_yield();
        expect(tp_scope_spawn(&scope, ways[way], &code, NULL) == 0);
        expect(tp_scope_join(&scope, TP_FOREVER) == (way ? TP_EPANICKED : -77));
        expect(tp_load_sc(&n_over) == 10 && tp_scope_first_failure(&scope) == 10);
        expect(tp_scope_result(&scope, 3).code == TP_ECANCELED);
        expect(tp_scope_result(&scope, 10).state == (way ? TP_TASK_PANICKED : TP_TASK_FAILED));
        expect(tp_scope_spawn(&scope, double_it, &code, NULL) == TP_ECANCELED); /* no more */
    }
    return 0;
}

static void test_first_failure(void **state)
{
    (void)state;
    run_everywhere(in_first_failure);
}

static int in_collect(void *unused)
{
    int numbers[MANY], bad = -5;
    (void)unused;
    TP_SCOPE(scope, &(struct tp_scope_settings){.policy = TP_SCOPE_COLLECT});
    for (int i = 0; i < MANY; i++) {
        numbers[i] = i;
        expect(tp_scope_spawn(&scope, i % 3 == 0 ? give_code : double_it, i % 3 == 0 ? &bad : &numbers[i], NULL) == 0);
    }
    expect(tp_scope_spawn(&scope, panic, NULL, NULL) == 0);
    expect(tp_scope_join(&scope, TP_FOREVER) != 0);
    for (uint32_t i = 0; i < MANY; i++)
        expect(tp_scope_result(&scope, i).code == (i % 3 == 0 ? -5 : 2 * (int)i));
    expect(tp_scope_result(&scope, MANY).state == TP_TASK_PANICKED);
    int64_t first = tp_scope_first_failure(&scope);
    expect(first == MANY || (first >= 0 && first % 3 == 0));
    return 0;
}

static void test_collect(void **state)
{
    (void)state;
    run_everywhere(in_collect);
}

/* -- from outside ------------------------------------------------------------------------------- */

static int in_deadline(void *unused)
{
    (void)unused;
    TP_SCOPE(scope, NULL);
    for (int i = 0; i < 10; i++)
        expect(tp_scope_spawn(&scope, wait_forever, NULL, NULL) == 0);
    while (tp_load_sc(&n_begun) < 10)
        tp_yield();
    expect(tp_scope_join(&scope, tp_deadline_in_ns(1000)) == TP_ETIMEDOUT);
    expect(tp_load_sc(&n_over) == 10);
    return 0;
}

static void test_deadline(void **state)
{
    (void)state;
    run_everywhere(in_deadline);
}

/* Three levels of one child each and a sibling. */
static int nest(void *argument)
{
    intptr_t depth = (intptr_t)argument;
    TP_SCOPE(scope, NULL);
    expect(tp_scope_spawn(&scope, wait_forever, NULL, NULL) == 0);
    if (depth > 0)
        expect(tp_scope_spawn(&scope, nest, (void *)(depth - 1), NULL) == 0);
    int status = tp_scope_join(&scope, TP_FOREVER);
    expect(status == TP_ECANCELED);
    tp_add_sc(&n_over, 1);
    return status;
}

static int in_nesting(void *unused)
{
    uint64_t id;
    struct tp_task_result result;
    (void)unused;
    expect(tp_task_spawn(nest, (void *)3, &id) == 0);
    while (tp_load_sc(&n_begun) < 4)
        tp_yield();
    expect(tp_task_cancel(id) == 0);
    expect(tp_task_join(id, TP_FOREVER, &result) == 0 && result.code == TP_ECANCELED);
    expect(tp_load_sc(&n_over) == 8);
    return 0;
}

static void test_nesting(void **state)
{
    (void)state;
    run_everywhere(in_nesting);
}

static int in_cancel(void *unused)
{
    (void)unused;
    TP_SCOPE(scope, NULL);
    for (int i = 0; i < 10; i++)
        expect(tp_scope_spawn(&scope, wait_forever, NULL, NULL) == 0);
    tp_scope_cancel(&scope); /* some have begun, some not */
    expect(tp_scope_join(&scope, TP_FOREVER) == TP_ECANCELED);
    expect(tp_load_sc(&n_over) == tp_load_sc(&n_begun));
    for (uint32_t i = 0; i < 10; i++)
        expect(tp_scope_result(&scope, i).code == TP_ECANCELED);
    return 0;
}

static void test_cancel(void **state)
{
    (void)state;
    run_everywhere(in_cancel);
}

/* -- scopes that live long ---------------------------------------------------------------------- */

static const struct tp_scope_settings forget = {.policy = TP_SCOPE_FORGET};

static int end_somehow(void *argument)
{
    int code = *(const int *)argument;
    tp_add_sc(&n_over, 1);
    if (code == 0)
        tp_panic("a test");
    return code;
}

/* Spawns the next one when the one before is over, or on several threads nearly so. */
static int spawn_in_turn(void *scope)
{
    static int codes[] = {-9, 0, 9};
    tp_store_sc(&n_over, 0);
    for (uint32_t i = 0; i < MANY; i++) {
        expect(tp_scope_spawn(scope, end_somehow, &codes[i % 3], NULL) == 0);
        while (tp_load_sc(&n_over) == i)
            tp_yield();
    }
    return 0;
}

/* Records of tasks that are not over, and of handles. */
static size_t n_held(void)
{
    struct tp_multi_member on = tp_runtime_target(runtime);
    return tp_track_count(on.ops->track(on.pool));
}

/* The memory of who is over is used again, and nothing comes of how it ended. */
static int in_forget(void *unused)
{
    int good = 9;
    size_t n_before = n_held();
    (void)unused;
    TP_SCOPE(scope, &forget);
    spawn_in_turn(&scope);
    expect(!is_alone || (tp_scope_count(&scope) == 1 && n_held() == n_before));
    expect(tp_scope_join(&scope, TP_FOREVER) == 0 && tp_scope_first_failure(&scope) == -1);
    expect(tp_scope_spawn(&scope, spawn_in_turn, &scope, NULL) == 0); /* siblings, while the scope is waited for */
    expect(tp_scope_join(&scope, TP_FOREVER) == 0 && tp_load_sc(&n_over) == MANY);
    expect(!is_alone || (tp_scope_count(&scope) == 2 && n_held() == n_before));
    uint32_t n = tp_scope_count(&scope), index;
    for (uint32_t i = 0; i < n; i++) /* all were joined, so as many need nothing more */
        expect(tp_scope_spawn(&scope, give_code, &good, &index) == 0 && index < n);
    expect(tp_scope_join(&scope, TP_FOREVER) == 0 && tp_scope_count(&scope) == n);
    return 0;
}

static void test_forget(void **state)
{
    (void)state;
    run_everywhere(in_forget);
}

/* Those that are asked to end, and those that never begin. */
static int in_forget_and_cancel(void *unused)
{
    (void)unused;
    for (int round = 0; round < 2; round++) {
        TP_SCOPE(scope, &forget);
        tp_store_sc(&n_begun, 0);
        tp_store_sc(&n_over, 0);
        for (int i = 0; i < 10; i++)
            expect(tp_scope_spawn(&scope, wait_forever, NULL, NULL) == 0);
        while (round == 0 && tp_load_sc(&n_begun) < 10)
            tp_yield();
        if (round == 1)
            tp_scope_cancel(&scope); /* some have begun, some not */
        expect(tp_scope_join(&scope, round == 0 ? tp_deadline_in_ns(1000) : TP_FOREVER) == (round == 0 ? TP_ETIMEDOUT : 0));
        expect(tp_load_sc(&n_over) == tp_load_sc(&n_begun) && tp_scope_count(&scope) == 10);
        expect(tp_scope_spawn(&scope, wait_forever, NULL, NULL) == TP_ECANCELED);
    }
    return 0;
}

static void test_forget_and_cancel(void **state)
{
    (void)state;
    run_everywhere(in_forget_and_cancel);
}

/* -- fork() ------------------------------------------------------------------------------------- */

/* In the child the scope has no children, and is left at once; in the parent nothing has happened. */
static pid_t fork_in_scope(enum tp_scope_policy policy)
{
    int number = 4;
    TP_SCOPE(empty, NULL);
    const struct tp_scope_settings settings = {.policy = policy, .target = tp_runtime_target(runtime)};
    TP_SCOPE(scope, &settings);
    for (int i = 0; i < 10; i++)
        expect(tp_scope_spawn(&scope, i % 2 ? wait_forever : end_somehow, &number, NULL) == 0);
    pid_t child = fork();
    expect(tp_scope_join(&empty, TP_FOREVER) == 0);
    if (child == 0)
        expect(tp_scope_join(&scope, TP_FOREVER) == TP_EFORKED);
    else
        tp_scope_cancel(&scope);
    return child;
}

static void test_child_process(void **state)
{
    (void)state;
    for (int k = 0; k < 2 * N_KINDS; k++) {
        int status;
        tp_store_sc(&n_wrong, 0);
        assert_int_equal(tp_chan_open(&never, 0, 0), 0);
        assert_int_equal(tp_runtime_open(&runtime, &kinds[k / 2]), 0);
        pid_t child = fork_in_scope(k % 2 ? TP_SCOPE_FORGET : TP_SCOPE_FIRST_FAILURE);
        if (child == 0) {
            tp_runtime_free(runtime);
            _exit(tp_load_sc(&n_wrong) != 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        tp_runtime_free(runtime);
        tp_chan_free(never);
        assert_int_equal(tp_load_sc(&n_wrong), 0);
    }
}

/* -- siblings, other pools ---------------------------------------------------------------------- */

struct family {
    struct tp_scope *scope;
    tp_atomic(uint32_t) n;
};

static int multiply(void *argument)
{
    struct family *family = argument;
    uint32_t n = tp_add_sc(&family->n, 1);
    if (n < MANY / 2)
        for (int i = 0; i < 2; i++)
            expect(tp_scope_spawn(family->scope, multiply, family, NULL) == 0);
    return 0;
}

static int in_siblings(void *unused)
{
    struct family family = {.n = 0};
    (void)unused;
    TP_SCOPE(scope, NULL);
    family.scope = &scope;
    expect(tp_scope_spawn(&scope, multiply, &family, NULL) == 0);
    expect(tp_scope_join(&scope, TP_FOREVER) == 0);
    expect(tp_load_sc(&family.n) == tp_scope_count(&scope) && tp_scope_count(&scope) == MANY + 1);
    return 0;
}

static void test_siblings(void **state)
{
    (void)state;
    run_everywhere(in_siblings);
}

static int not_called(void *pool, unsigned class_, const void *payload, uint64_t *id)
{
    (void)pool, (void)class_, (void)payload, (void)id;
    abort();
}

/* From ordinary code, and in a stock pool of plain tasks. */
static void test_targets(void **state)
{
    (void)state;
    tp_store_sc(&n_wrong, 0);
    struct tp_pool *pool;
    assert_int_equal(tp_pool_open(&pool, &(struct tp_pool_settings){.workers = 2}), 0);
    for (int k = 0; k < N_KINDS; k++) {
        int numbers[20], bad = -3;
        assert_int_equal(tp_runtime_open(&runtime, &kinds[k]), 0);
        {
            TP_SCOPE(scope, &(struct tp_scope_settings){.target = tp_runtime_target(runtime)});
            for (int i = 0; i < 20; i++) {
                numbers[i] = i;
                assert_int_equal(i % 2 ? tp_scope_spawn(&scope, double_it, &numbers[i], NULL) : tp_scope_spawn_on(&scope, tp_pool_target(pool), double_it, &numbers[i], NULL), 0);
            }
            assert_int_equal(tp_scope_join(&scope, TP_FOREVER), 0);
            for (uint32_t i = 0; i < 20; i++)
                assert_int_equal(tp_scope_result(&scope, i).code, 2 * i);
            assert_int_equal(tp_scope_spawn(&scope, give_code, &bad, NULL), 0);
            assert_int_equal(tp_scope_join(&scope, TP_FOREVER), -3);
        }
        tp_runtime_free(runtime);
    }
    tp_pool_free(pool);
    TP_SCOPE(nowhere, NULL);
    assert_int_equal(tp_scope_spawn(&nowhere, double_it, NULL, NULL), TP_EOUTSIDE);
    const struct tp_pool_ops untracked = {.payload_bytes = sizeof(struct tp_call)}, others = {.payload_bytes = 1, .spawn = not_called};
    const struct tp_pool_ops *const wrong[] = {NULL, &untracked, &others};
    for (int i = 0; i < 3; i++) /* pools whose tasks are no calls, or have no handles */
        assert_int_equal(tp_scope_spawn_on(&nowhere, (struct tp_multi_member){wrong[i], NULL}, double_it, NULL, NULL), TP_ENOTSUP);
    assert_int_equal(tp_scope_count(&nowhere), 0);
    assert_int_equal(tp_scope_join(&nowhere, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
}

static int in_full_pool(void *unused)
{
    (void)unused;
    int numbers[4] = {1, 2, 3, 4};
    TP_SCOPE(scope, NULL);
    expect(tp_scope_spawn(&scope, wait_forever, NULL, NULL) == 0);
    expect(tp_scope_spawn(&scope, double_it, &numbers[0], NULL) == TP_EFULL);
    expect(tp_scope_result(&scope, 1).state == TP_TASK_DROPPED && tp_scope_result(&scope, 1).code == TP_EFULL);
    expect(tp_scope_spawn(&scope, double_it, &numbers[0], NULL) == TP_EFULL && tp_scope_count(&scope) == 3);
    scope.n = 8 * ((1 << TP_SCOPE_CHUNKS) - 1); /* as if there had been so many */
    expect(tp_scope_spawn(&scope, double_it, &numbers[0], NULL) == TP_ENOMEM);
    scope.n = 3;
    tp_scope_cancel(&scope);
    expect(tp_scope_join(&scope, TP_FOREVER) == TP_ECANCELED && tp_scope_first_failure(&scope) == 0);
    return 0;
}

/* Who cannot be spawned takes no memory. */
static int in_full_pool_forget(void *unused)
{
    (void)unused;
    int number = 1;
    TP_SCOPE(scope, &forget);
    expect(tp_scope_spawn(&scope, wait_forever, NULL, NULL) == 0);
    for (int i = 0; i < MANY; i++)
        expect(tp_scope_spawn(&scope, double_it, &number, NULL) == TP_EFULL);
    expect(tp_scope_count(&scope) == 2);
    tp_scope_cancel(&scope);
    return 0;
}

static void test_full(void **state)
{
    (void)state;
    tp_store_sc(&n_wrong, 0);
    for (int k = 0; k < 2 * N_KINDS; k++) {
        struct tp_runtime_settings settings = kinds[k / 2];
        settings.capacity = 2;
        assert_int_equal(tp_chan_open(&never, 0, 0), 0);
        assert_int_equal(tp_runtime_open(&runtime, &settings), 0);
        assert_int_equal(tp_block_on(runtime, k % 2 ? in_full_pool : in_full_pool_forget, NULL, NULL), 0);
        tp_runtime_free(runtime);
        tp_chan_free(never);
    }
    assert_int_equal(tp_load_sc(&n_wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_ways_out),
        cmocka_unit_test(test_first_failure),
        cmocka_unit_test(test_collect),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_forget_and_cancel),
        cmocka_unit_test(test_child_process),
        cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
