/* Scopes: children end before their block does, whichever way that is left; failures, deadlines and requests to end reach them. And the
 * values that tasks inherit. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

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
    tp_scope_cancel(&scope);
    expect(tp_scope_join(&scope, TP_FOREVER) == TP_ECANCELED && tp_scope_first_failure(&scope) == 0);
    return 0;
}

static void test_full(void **state)
{
    (void)state;
    tp_store_sc(&n_wrong, 0);
    for (int k = 0; k < N_KINDS; k++) {
        struct tp_runtime_settings settings = kinds[k];
        settings.capacity = 2;
        assert_int_equal(tp_chan_open(&never, 0, 0), 0);
        assert_int_equal(tp_runtime_open(&runtime, &settings), 0);
        assert_int_equal(tp_block_on(runtime, in_full_pool, NULL, NULL), 0);
        tp_runtime_free(runtime);
        tp_chan_free(never);
    }
    assert_int_equal(tp_load_sc(&n_wrong), 0);
}

/* -- task-locals -------------------------------------------------------------------------------- */

static char anonymous[] = "anonymous", ada[] = "ada", bob[] = "bob";
static const struct tp_local_key user = {"user", anonymous}, colour = {"colour", NULL};

static bool user_is(const char *name)
{
    return tp_local_get(&user) == (const void *)name;
}

static int is_ada(void *argument)
{
    (void)argument;
    expect(tp_yield() == 0);
    expect(user_is(ada) && tp_local_get(&colour) == NULL);
    TP_LOCAL(&user, bob); /* its own */
    expect(tp_yield() == 0);
    return user_is(bob) ? 0 : -1;
}

static int is_anonymous(void *argument)
{
    (void)argument;
    return user_is(anonymous) ? 0 : -1;
}

static int set_and_panic(void *argument)
{
    (void)argument;
    TP_LOCAL(&user, bob);
    TP_LOCAL(&colour, bob);
    tp_panic("a test");
}

static int later(void *argument)
{
    expect(tp_yield() == 0 && tp_yield() == 0);
    expect(user_is(ada) && tp_local_get(&colour) == argument);
    return 0;
}

static int later_or_never(void *argument)
{
    tp_yield();
    expect(user_is(ada) && tp_local_get(&colour) == argument);
    return 0;
}

static int in_locals(void *unused)
{
    uint64_t ids[3];
    struct tp_task_result result;
    (void)unused;
    expect(user_is(anonymous));
    {
        TP_LOCAL(&user, ada);
        expect(user_is(ada));
        TP_SCOPE(scope, NULL);
        {
            TP_LOCAL(&user, bob); /* after the scope: its children do not see it */
            TP_LOCAL(&colour, bob);
            for (int i = 0; i < 20; i++)
                expect(tp_scope_spawn(&scope, is_ada, NULL, NULL) == 0);
            expect(tp_scope_join(&scope, TP_FOREVER) == 0);
            expect(user_is(bob));
        }
        expect(tp_task_protect(set_and_panic, NULL) == TP_EPANICKED && user_is(ada));
        TP_LOCAL(&colour, bob);
        expect(tp_task_spawn(later, bob, &ids[0]) == 0); /* it may outlive this block */
        expect(tp_task_spawn(set_and_panic, NULL, &ids[1]) == 0);
        expect(tp_task_spawn(later_or_never, bob, &ids[2]) == 0);
        int status = tp_task_cancel(ids[2]); /* it may never begin: asan tells */
        expect(status == 0 || status == TP_ESTALE);
    }
    expect(user_is(anonymous) && tp_local_get(&colour) == NULL);
    for (int i = 0; i < 3; i++)
        expect(tp_task_join(ids[i], TP_FOREVER, &result) == 0);
    for (int i = 0; i < 20; i++) {
        expect(tp_task_spawn(is_anonymous, NULL, &ids[0]) == 0);
        expect(tp_task_join(ids[0], TP_FOREVER, &result) == 0 && result.code == 0);
    }
    return 0;
}

static int with_plain_tasks(void *argument)
{
    int status = in_locals(argument);
    expect(user_is(anonymous));
    return status;
}

static void test_locals(void **state)
{
    (void)state;
    expect(user_is(anonymous));
    TP_LOCAL(&user, ada); /* there is no task */
    assert_true(user_is(anonymous));
    for (int k = 0; k < N_KINDS; k++) {
        struct tp_runtime_settings settings = kinds[k];
        struct tp_task_result result;
        settings.on_panic = no_report;
        tp_store_sc(&n_wrong, 0);
        assert_int_equal(tp_runtime_open(&runtime, &settings), 0);
        assert_int_equal(tp_block_on(runtime, with_plain_tasks, NULL, &result), 0);
        assert_int_equal(result.code, 0);
        tp_runtime_free(runtime);
        assert_int_equal(tp_load_sc(&n_wrong), 0);
    }
}

static void check_branch(void *argument)
{
    if (!user_is(argument))
        tp_add_sc(&n_wrong, 1);
}

static int fork_some(void *argument)
{
    (void)argument;
    for (int i = 0; i < 100; i++) {
        struct tp_branch before, inside;
        tp_fork(&before, check_branch, anonymous);
        {
            TP_LOCAL(&user, ada);
            tp_fork(&inside, check_branch, ada);
            sched_yield();
            tp_join(&inside);
        }
        tp_join(&before);
    }
    return 0;
}

/* Branches see what their task saw when it forked them; who joins one in a pool without forks runs it then. */
static void test_branches(void **state)
{
    (void)state;
    tp_store_sc(&n_wrong, 0);
    assert_int_equal(tp_runtime_open(&runtime, NULL), 0);
    assert_int_equal(tp_block_on(runtime, fork_some, NULL, NULL), 0);
    tp_runtime_free(runtime);
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
        cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_locals),
        cmocka_unit_test(test_branches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
