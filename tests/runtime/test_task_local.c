/* Task-locals: what is set for a block is seen in it, and in the tasks and branches that it begins. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"

#include <sched.h>

static const struct tp_runtime_settings kinds[] = {
    {.flavour = TP_RUNTIME_MULTI, .workers = 1},
    {.flavour = TP_RUNTIME_MULTI, .workers = 8},
    {.flavour = TP_RUNTIME_CURRENT},
    {.flavour = TP_RUNTIME_CURRENT, .seed = 9, .virtual_time = true},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static struct tp_runtime *runtime;
static tp_atomic(uint32_t) n_wrong;

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
        cmocka_unit_test(test_locals),
        cmocka_unit_test(test_branches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
