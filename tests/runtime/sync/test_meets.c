/* Wait groups, barriers, and what is done once, between threads; and misuse of what counts, which the flavours with assertions stop at. */
#include "actors.h"
#include "tests/support/misuse.h"

#include "runtime/sync/barrier.h"
#include "runtime/sync/once.h"
#include "runtime/sync/semaphore.h"
#include "runtime/sync/waitgroup.h"
#include "runtime/task.h"

#include <string.h>

enum { THREADS = 4,
    ROUNDS = 2000,
    MEETERS = 20, /* more than are let go at once, so that some come again before others have gone */
    MEETINGS = 300,
    MANY = 40 }; /* more than are let go under the lock at once */

/* -- wait group ---------------------------------------------------------------------------------------- */

static int wait_for_group(void *thing, struct actor *actor)
{
    return tp_waitgroup_wait(thing, actor->deadline_ns);
}

static void test_waitgroup(void **state)
{
    struct crowd crowd = {.n = 0};
    struct tp_waitgroup group;
    struct actor actors[MANY];
    (void)state;
    tp_waitgroup_init(&group, 0);
    assert_int_equal(tp_waitgroup_wait(&group, 0), 0);
    for (int round = 0; round < 3; round++) {
        tp_waitgroup_add(&group, 3);
        assert_int_equal(tp_waitgroup_wait(&group, 0), TP_ETIMEDOUT);
        assert_int_equal(tp_waitgroup_wait(&group, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
        assert_int_equal(tp_load_sc(&group.word), 6); /* nothing of that wait is left */
        for (int i = 0; i < MANY; i++) {
            actors[i] = (struct actor){.act = wait_for_group, .thing = &group, .deadline_ns = TP_FOREVER};
            actor_start(&crowd, &group.gate, &actors[i]);
        }
        tp_waitgroup_done(&group);
        tp_waitgroup_add(&group, 1);
        tp_waitgroup_done(&group);
        tp_waitgroup_done(&group);
        assert_int_equal(line_length(&group.gate), MANY);
        tp_waitgroup_done(&group);
        for (int i = 0; i < MANY; i++)
            actor_await(&actors[i], 0);
        crowd_join(&crowd);
        assert_int_equal(tp_load_sc(&group.word), 0);
    }
}

static void *be_done(void *group)
{
    tp_waitgroup_done(group);
    return NULL;
}

/* The memory is the waiter's again at once. */
static void test_waitgroup_on_the_stack(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS / 4; i++) {
        struct crowd crowd = {.n = 0};
        struct tp_waitgroup *group = test_malloc(sizeof *group);
        tp_waitgroup_init(group, 2);
        crowd_add(&crowd, be_done, group);
        crowd_add(&crowd, be_done, group);
        if (i % 3 == 0)
            while (tp_load_sc(&group->word) != 0)
                sched_yield();
        assert_int_equal(tp_waitgroup_wait(group, TP_FOREVER), 0);
        memset(group, 0xff, sizeof *group);
        test_free(group);
        crowd_join(&crowd);
    }
}

/* As many as there can be. */
static void test_waitgroup_most(void **state)
{
    struct tp_waitgroup group;
    (void)state;
    tp_waitgroup_init(&group, INT64_MAX - 5);
    tp_waitgroup_add(&group, 5);
    tp_waitgroup_add(&group, 0);
    tp_waitgroup_done(&group);
    tp_waitgroup_add(&group, 1);
    assert_int_equal(tp_waitgroup_wait(&group, 0), TP_ETIMEDOUT);
    assert_int_equal(tp_waitgroup_wait(&group, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
    assert_true(tp_load_sc(&group.word) == UINT64_MAX - 1); /* that wait has left nothing behind, and met no carry */
}

/* In a release build none of this is looked at. */
#if TP_DEBUG
static void init_too_many(void)
{
    struct tp_waitgroup group;
    tp_waitgroup_init(&group, (uint64_t)INT64_MAX + 1);
}

static void add_too_many(void)
{
    struct tp_waitgroup group;
    tp_waitgroup_init(&group, INT64_MAX);
    tp_waitgroup_add(&group, 1);
}

static void add_far_too_many(void)
{
    struct tp_waitgroup group;
    tp_waitgroup_init(&group, 1);
    tp_waitgroup_add(&group, UINT64_MAX);
}

static void be_done_too_often(void)
{
    struct tp_waitgroup group;
    tp_waitgroup_init(&group, 1);
    tp_waitgroup_done(&group);
    tp_waitgroup_done(&group);
}

static void release_too_many(void)
{
    struct tp_semaphore semaphore;
    tp_semaphore_init(&semaphore, 1);
    tp_semaphore_release(&semaphore, UINT64_MAX);
}

static void test_misuse(void **state)
{
    static void (*const misuses[])(void) = {init_too_many, add_too_many, add_far_too_many, be_done_too_often, release_too_many};
    (void)state;
    for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++)
        expect_stopped(misuses[i]);
}
#endif

/* -- barrier ---------------------------------------------------------------------------------------------- */

static struct tp_barrier barrier;
static tp_atomic(uint32_t) n_arrived, n_last, n_wrong;

static void *meet_often(void *argument)
{
    for (uint32_t round = 1; round <= MEETINGS; round++) {
        bool is_last;
        tp_add_sc(&n_arrived, 1);
        if (argument && round % 7 == 0) /* one of them: if several were in haste, they might never meet */
            while (tp_barrier_wait(&barrier, tp_deadline_in_ns(1000), &is_last) != 0)
                sched_yield();
        else
            must(tp_barrier_wait(&barrier, TP_FOREVER, &is_last) == 0);
        tp_add_sc(&n_last, is_last);
        uint32_t n = tp_load_sc(&n_arrived);
        if (n < round * MEETERS || n > round * MEETERS + MEETERS - 1)
            tp_add_sc(&n_wrong, 1);
    }
    return NULL;
}

static void test_barrier_load(void **state)
{
    struct crowd crowd = {.n = 0};
    (void)state;
    tp_barrier_init(&barrier, MEETERS);
    tp_store_sc(&n_arrived, 0);
    tp_store_sc(&n_last, 0);
    tp_store_sc(&n_wrong, 0);
    for (int i = 0; i < MEETERS; i++)
        crowd_add(&crowd, meet_often, i == 0 ? &crowd : NULL);
    crowd_join(&crowd);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
    assert_int_equal(tp_load_sc(&n_last), MEETINGS);
    tp_barrier_end(&barrier);
}

static int meet(void *thing, struct actor *actor)
{
    bool is_last = false;
    int status = tp_barrier_wait(thing, actor->deadline_ns, &is_last);
    actor->value = is_last;
    return status;
}

static void test_barrier(void **state)
{
    struct crowd crowd = {.n = 0};
    struct actor actors[MANY];
    bool is_last = false;
    (void)state;
    tp_barrier_init(&barrier, 1);
    assert_int_equal(tp_barrier_wait(&barrier, 0, &is_last), 0);
    assert_true(is_last);
    tp_barrier_init(&barrier, MANY + 1);
    assert_int_equal(tp_barrier_wait(&barrier, 0, NULL), TP_ETIMEDOUT);
    assert_int_equal(tp_barrier_wait(&barrier, tp_deadline_in_ns(1000), NULL), TP_ETIMEDOUT);
    for (int i = 0; i < MANY; i++) {
        actors[i] = (struct actor){.act = meet, .thing = &barrier, .deadline_ns = TP_FOREVER};
        actor_start(&crowd, &barrier.gate, &actors[i]);
    }
    assert_int_equal(tp_barrier_wait(&barrier, 0, NULL), 0); /* the last one need not wait */
    for (int i = 0; i < MANY; i++) {
        actor_await(&actors[i], 0);
        assert_int_equal(actors[i].value, 0);
    }
    crowd_join(&crowd);
    tp_barrier_end(&barrier);
}

/* -- once --------------------------------------------------------------------------------------------------- */

static struct tp_once once;
static tp_atomic(uint32_t) n_runs, may_end;
static int made; /* written by the run */

/* argument: the status of this run. */
static int make(void *argument)
{
    uint32_t n = tp_add_sc(&n_runs, 1) + 1;
    while (tp_load_sc(&may_end) < n)
        sched_yield();
    int status = *(int *)argument;
    if (status >= 0)
        made++;
    return status;
}

static int call_once(void *thing, struct actor *actor)
{
    int status = tp_once_call(thing, make, &actor->value, actor->deadline_ns);
    return status == 0 && made != 1 ? -99 : status;
}

/* The first two fail, one after the other, and the third does it for all. */
static void test_once(void **state)
{
    struct crowd crowd = {.n = 0};
    struct actor actors[MANY];
    (void)state;
    tp_once_init(&once);
    made = 0;
    tp_store_sc(&n_runs, 0);
    tp_store_sc(&may_end, 0);
    for (int i = 0; i < MANY; i++)
        actors[i] = (struct actor){.act = call_once, .thing = &once, .value = i < 2 ? -7 : 3, .deadline_ns = TP_FOREVER};
    crowd_add(&crowd, actor_run, &actors[0]);
    while (tp_load_sc(&n_runs) != 1)
        sched_yield();
    assert_int_equal(tp_once_call(&once, make, &made, 0), TP_ETIMEDOUT);
    assert_int_equal(tp_once_call(&once, make, &made, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
    for (int i = 1; i < MANY; i++)
        actor_start(&crowd, &once.gate, &actors[i]);
    tp_store_sc(&may_end, 1);
    actor_await(&actors[0], -7);
    while (tp_load_sc(&n_runs) != 2)
        sched_yield();
    assert_int_equal(line_length(&once.gate), MANY - 2);
    tp_store_sc(&may_end, 3);
    actor_await(&actors[1], -7);
    for (int i = 2; i < MANY; i++)
        actor_await(&actors[i], 0);
    crowd_join(&crowd);
    assert_int_equal(tp_load_sc(&n_runs), 3);
    assert_int_equal(tp_once_call(&once, make, &made, 0), 0);
    assert_int_equal(made, 1);
    tp_once_end(&once);
}

static int fail_alone(void *argument)
{
    (*(int *)argument)++;
    return *(int *)argument < 3 ? TP_ECANCELED : 0;
}

static void test_once_again_after_failure(void **state)
{
    int n = 0;
    (void)state;
    tp_once_init(&once);
    assert_int_equal(tp_once_call(&once, fail_alone, &n, TP_FOREVER), TP_ECANCELED);
    assert_int_equal(tp_once_call(&once, fail_alone, &n, TP_FOREVER), TP_ECANCELED);
    assert_int_equal(tp_once_call(&once, fail_alone, &n, TP_FOREVER), 0);
    assert_int_equal(tp_once_call(&once, fail_alone, &n, TP_FOREVER), 0);
    assert_int_equal(n, 3);
    tp_once_end(&once);
}

static int panic_in_it(void *argument)
{
    (void)argument;
    tp_panic("in what is done once");
}

static int call_panicking(void *argument)
{
    return tp_once_call(&once, panic_in_it, argument, TP_FOREVER);
}

static void test_once_panics(void **state)
{
    int n = 2;
    (void)state;
    tp_once_init(&once);
    assert_int_equal(tp_task_protect(call_panicking, NULL), TP_EPANICKED);
    assert_int_equal(tp_once_call(&once, fail_alone, &n, 0), 0);
    tp_once_end(&once);
}

static void *call_in_a_storm(void *argument)
{
    int status;
    while ((status = tp_once_call(&once, fail_alone, argument, TP_FOREVER)) == TP_ECANCELED)
        ;
    must(status == 0 && *(int *)argument == 3);
    return NULL;
}

static void test_once_storm(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS / 10; round++) {
        struct crowd crowd = {.n = 0};
        int n = 0;
        tp_once_init(&once);
        for (int i = 0; i < THREADS; i++)
            crowd_add(&crowd, call_in_a_storm, &n);
        crowd_join(&crowd);
        assert_int_equal(n, 3);
        tp_once_end(&once);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waitgroup),
        cmocka_unit_test(test_waitgroup_on_the_stack),
        cmocka_unit_test(test_waitgroup_most),
#if TP_DEBUG
        cmocka_unit_test(test_misuse),
#endif
        cmocka_unit_test(test_barrier),
        cmocka_unit_test(test_barrier_load),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_once_again_after_failure),
        cmocka_unit_test(test_once_panics),
        cmocka_unit_test(test_once_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
