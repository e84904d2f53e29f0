/* Pools of objects: in which order they come, what becomes of broken ones, a factory that fails, panics or waits, limits, the end, and
 * many who take from one pool. The source is included, so that a test can see that somebody waits. */
#include "actors.h"

#include "runtime/fibers.h"
#include "runtime/sync/objects.c"
#include "runtime/tidepool.h"

enum { MAX = 3,
    THREADS = 4,
    TASKS = 60,
    ROUNDS = 3000 };

/* -- a factory ---------------------------------------------------------------------------------------- */

struct thing {
    int number; /* from 1, in the order in which they were made */
    tp_atomic(uint32_t) n_holders;
};

static struct thing things[100000];
static tp_atomic(uint32_t) n_made, n_ended, n_refusals; /* so many more are refused */
static tp_atomic(uint32_t) last_ended;
static int made_panics, renew_panics, nothing_is_renewed;

static bool is_refused(void)
{
    uint32_t n = tp_load_sc(&n_refusals);
    while (n > 0)
        if (tp_cas_sc(&n_refusals, &n, n - 1)) /* losing: another one is refused */
            return true;
    return false;
}

static int make_thing(void **object, void *context)
{
    must(context == &things);
    if (made_panics)
        tp_panic("no more things");
    if (is_refused())
        return TP_EREFUSED;
    uint32_t i = tp_add_sc(&n_made, 1);
    things[i] = (struct thing){.number = (int)i + 1};
    *object = &things[i];
    return 0;
}

static bool renew_thing(void *object, void *context)
{
    must(context == &things && object);
    if (renew_panics)
        tp_panic("cannot be renewed");
    return !nothing_is_renewed;
}

static void end_thing(void *object, void *context)
{
    struct thing *thing = object;
    must(context == &things && tp_load_sc(&thing->n_holders) == 0);
    tp_store_sc(&last_ended, (uint32_t)thing->number);
    tp_add_sc(&n_ended, 1);
}

static void no_report(const struct tp_panic_report *report, void *context)
{
    (void)report;
    (void)context;
}

static struct tp_objects *objects;

static void open_pool(uint64_t max, uint64_t idle_max, uint64_t prealloc)
{
    struct tp_objects_settings settings = {make_thing, renew_thing, end_thing, &things, max, idle_max, prealloc};
    tp_store_sc(&n_made, 0);
    tp_store_sc(&n_ended, 0);
    tp_store_sc(&n_refusals, 0);
    made_panics = renew_panics = nothing_is_renewed = 0;
    assert_int_equal(tp_objects_open(&objects, &settings), 0);
}

static struct tp_objects_stats stats_now(void)
{
    struct tp_objects_stats stats;
    tp_objects_get_stats(objects, &stats);
    return stats;
}

static void free_pool(void)
{
    uint64_t n_makes = stats_now().n_makes;
    tp_objects_free(objects);
    assert_int_equal(tp_load_sc(&n_made), n_makes);
    assert_int_equal(tp_load_sc(&n_ended), n_makes);
}

/* Its number; or what there is instead. */
static int take(void)
{
    void *object = NULL;
    int status = tp_objects_take(objects, 0, &object);
    assert_true((status == 0) == (object != NULL));
    return status == 0 ? ((struct thing *)object)->number : status;
}

static void give(int number)
{
    tp_objects_give(objects, &things[number - 1]);
}

static void drop(int number)
{
    tp_objects_drop(objects, &things[number - 1]);
}

/* -- one after the other -------------------------------------------------------------------------------- */

static void test_settings(void **state)
{
    (void)state;
    struct tp_objects *none = objects = NULL;
    const struct tp_objects_settings bad[] = {
        {.max = 3},
        {.make = make_thing, .max = 3, .prealloc = 4},
        {.make = make_thing, .max = 3, .idle_max = 4},
        {.make = make_thing, .idle_max = 1, .prealloc = 2},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(tp_objects_open(&objects, &bad[i]), TP_EINVAL);
        assert_ptr_equal(objects, none);
    }
    tp_objects_free(NULL);
}

static void test_order(void **state)
{
    (void)state;
    open_pool(MAX, 0, 1);
    assert_int_equal(stats_now().n_makes, 1);
    assert_int_equal(stats_now().n_idle, 1);
    for (int i = 1; i <= MAX; i++)
        assert_int_equal(take(), i);
    assert_int_equal(take(), TP_ETIMEDOUT);
    give(2);
    give(1);
    give(3);
    assert_int_equal(take(), 3); /* the last one first */
    assert_int_equal(take(), 1);
    give(1);
    give(3);
    assert_int_equal(tp_objects_trim(objects, 2), 1); /* of 2, 1 and 3: the one unused for longest */
    assert_int_equal(tp_load_sc(&last_ended), 2);
    assert_int_equal(tp_objects_trim(objects, 2), 0);
    assert_int_equal(take(), 3);
    assert_int_equal(take(), 1);
    assert_int_equal(take(), 4);
    drop(1);
    assert_int_equal(tp_load_sc(&last_ended), 1);
    assert_int_equal(take(), 5);
    nothing_is_renewed = 1;
    give(3);
    assert_int_equal(tp_load_sc(&last_ended), 3);
    nothing_is_renewed = 0;
    give(4);
    give(5);
    struct tp_objects_stats stats = stats_now();
    assert_int_equal(stats.n_existing, 2);
    assert_int_equal(stats.n_idle, 2);
    assert_int_equal(stats.n_takes, 10);
    assert_int_equal(stats.n_waits, 0);
    assert_int_equal(stats.n_makes, 5);
    assert_int_equal(stats.n_ends, 3);
    free_pool();
}

static void test_few_stay(void **state)
{
    (void)state;
    open_pool(0, 2, 0);
    for (int i = 1; i <= 100; i++)
        assert_int_equal(take(), i);
    for (int i = 1; i <= 100; i++)
        give(i);
    assert_int_equal(stats_now().n_idle, 2);
    assert_int_equal(stats_now().n_existing, 2);
    assert_int_equal(take(), 2);
    give(2);
    free_pool();
}

static void test_no_functions(void **state)
{
    (void)state;
    struct tp_objects_settings settings = {.make = make_thing, .context = &things, .max = 1};
    tp_store_sc(&n_made, 0);
    assert_int_equal(tp_objects_open(&objects, &settings), 0);
    assert_int_equal(take(), 1);
    give(1);
    assert_int_equal(take(), 1);
    drop(1);
    assert_int_equal(take(), 2);
    give(2);
    tp_objects_free(objects);
}

/* -- a factory that fails -------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    (void)state;
    open_pool(2, 0, 0);
    tp_store_sc(&n_refusals, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(), TP_EREFUSED);
    assert_int_equal(stats_now().n_existing, 0);
    assert_int_equal(stats_now().n_failures, 3);
    assert_int_equal(take(), 1);
    give(1);
    free_pool();
    struct tp_objects *none = objects = NULL;
    struct tp_objects_settings settings = {make_thing, renew_thing, end_thing, &things, .prealloc = 1};
    tp_store_sc(&n_refusals, 1);
    assert_int_equal(tp_objects_open(&objects, &settings), TP_EREFUSED);
    assert_ptr_equal(objects, none);
}

static int take_and_panic(void *unused)
{
    void *object;
    (void)unused;
    if (tp_objects_take(objects, 0, &object) == 0)
        tp_objects_give(objects, object);
    return 0;
}

/* A panic in the factory or in renew ends the task, and the object; the pool goes on. */
static void test_panics(void **state)
{
    (void)state;
    struct tp_pool *pool;
    struct tp_task_result result;
    uint64_t id;
    assert_int_equal(tp_pool_open(&pool, &(struct tp_pool_settings){.workers = 1, .on_panic = no_report}), 0);
    open_pool(1, 0, 0);
    for (int i = 0; i < 4; i++) {
        made_panics = i % 2 == 0;
        renew_panics = !made_panics;
        assert_int_equal(tp_pool_spawn(pool, TP_CLASS_DEFAULT, take_and_panic, NULL, &id), 0);
        assert_int_equal(tp_pool_join(pool, id, TP_FOREVER, &result), 0);
        assert_int_equal(result.state, TP_TASK_PANICKED);
        assert_int_equal(stats_now().n_existing, 0);
    }
    assert_int_equal(stats_now().n_failures, 2);
    assert_int_equal(stats_now().n_ends, 2);
    made_panics = renew_panics = 0;
    tp_pool_free(pool);
    free_pool();
}

void *__real_malloc(size_t n_bytes);
void *__wrap_malloc(size_t n_bytes);
static _Thread_local int n_mallocs = -1; /* until one is refused */

void *__wrap_malloc(size_t n_bytes)
{
    return n_mallocs >= 0 && n_mallocs-- == 0 ? NULL : __real_malloc(n_bytes);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct tp_objects_settings settings = {make_thing, renew_thing, end_thing, &things, .prealloc = 3};
    int status = TP_ENOMEM, n = 0;
    tp_store_sc(&n_made, 0);
    tp_store_sc(&n_ended, 0);
    for (; status != 0; n++) {
        n_mallocs = n;
        status = tp_objects_open(&objects, &settings);
        n_mallocs = -1;
        assert_true(status == 0 || status == TP_ENOMEM);
        assert_int_equal(tp_load_sc(&n_made) - tp_load_sc(&n_ended), status == 0 ? 3 : 0);
    }
    assert_int_equal(n, 5); /* the pool and three objects, and once none */
    for (int i = 0; i < 3; i++)
        assert_true(take() > 0);
    n_mallocs = 0;
    assert_int_equal(take(), TP_ENOMEM);
    n_mallocs = 0; /* to give back needs none */
    for (int i = 0; i < 3; i++)
        give((int)tp_load_sc(&n_made) - i);
    assert_int_equal(n_mallocs, 0);
    n_mallocs = -1;
    assert_int_equal(stats_now().n_idle, 3);
    tp_objects_free(objects);
}

/* -- those who wait ------------------------------------------------------------------------------------- */

static int take_later(void *unused, struct actor *actor)
{
    void *object = NULL;
    (void)unused;
    int status = tp_objects_take(objects, actor->deadline_ns, &object);
    actor->value = object ? ((struct thing *)object)->number : 0;
    return status;
}

static int close_later(void *unused, struct actor *actor)
{
    (void)unused;
    return tp_objects_close(objects, actor->deadline_ns);
}

static void start_takers(struct crowd *crowd, struct actor *actors, int n)
{
    for (int i = 0; i < n; i++) {
        actors[i] = (struct actor){.act = take_later, .deadline_ns = TP_FOREVER};
        actor_start(crowd, &objects->gate, &actors[i]);
    }
}

static void test_waiters(void **state)
{
    (void)state;
    struct crowd crowd = {.n = 0};
    struct actor actors[5];
    open_pool(1, 0, 0);
    assert_int_equal(take(), 1);
    void *object = &actors;
    assert_int_equal(tp_objects_take(objects, tp_deadline_in_ns(1000), &object), TP_ETIMEDOUT);
    assert_ptr_equal(object, &actors);
    assert_int_equal(line_length(&objects->gate), 0);
    start_takers(&crowd, actors, 5);
    give(1); /* to the first, not to who comes by */
    assert_int_equal(take(), TP_ETIMEDOUT);
    actor_await(&actors[0], 0);
    assert_int_equal(actors[0].value, 1);
    drop(1); /* the second makes another */
    actor_await(&actors[1], 0);
    assert_int_equal(actors[1].value, 2);
    tp_store_sc(&n_refusals, 1);
    drop(2); /* the third cannot, so the fourth does */
    actor_await(&actors[2], TP_EREFUSED);
    actor_await(&actors[3], 0);
    assert_int_equal(actors[3].value, 3);
    nothing_is_renewed = 1;
    give(3); /* it is ended, so the fifth makes one */
    actor_await(&actors[4], 0);
    assert_int_equal(actors[4].value, 4);
    assert_int_equal(stats_now().n_existing, 1);
    assert_int_equal(stats_now().n_waits, 6);
    nothing_is_renewed = 0;
    give(4);
    crowd_join(&crowd);
    free_pool();
}

static void test_close(void **state)
{
    (void)state;
    struct crowd crowd = {.n = 0};
    struct actor actors[40], closers[2];
    open_pool(2, 0, 2);
    assert_int_equal(take(), 2);
    assert_int_equal(take(), 1);
    start_takers(&crowd, actors, 40);
    assert_int_equal(tp_objects_close(objects, 0), TP_ETIMEDOUT);
    for (int i = 0; i < 40; i++)
        actor_await(&actors[i], TP_ECLOSED);
    assert_int_equal(take(), TP_ECLOSED);
    give(1);
    assert_int_equal(tp_load_sc(&last_ended), 1);
    assert_int_equal(tp_objects_close(objects, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
    for (int i = 0; i < 2; i++) {
        closers[i] = (struct actor){.act = close_later, .deadline_ns = TP_FOREVER};
        actor_start(&crowd, &objects->existing.gate, &closers[i]);
    }
    drop(2);
    actor_await(&closers[0], 0);
    actor_await(&closers[1], 0);
    crowd_join(&crowd);
    assert_int_equal(tp_objects_close(objects, 0), 0);
    assert_int_equal(stats_now().n_existing, 0);
    free_pool();
}

/* -- many ----------------------------------------------------------------------------------------------- */

static tp_atomic(uint32_t) n_wrong;

/* Takes one, is alone with it, and gives it back, drops it, or trims. */
static void use_one(uint64_t *seed, uint64_t deadline_ns)
{
    void *object;
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    unsigned dice = (unsigned)(*seed >> 33) % 64;
    if (dice == 0)
        tp_add_sc(&n_refusals, 1);
    int status = tp_objects_take(objects, deadline_ns, &object);
    if (status != 0) {
        if (status != TP_EREFUSED && status != TP_ETIMEDOUT)
            tp_add_sc(&n_wrong, 1);
        return;
    }
    struct thing *thing = object;
    if (tp_add_sc(&thing->n_holders, 1) != 0)
        tp_add_sc(&n_wrong, 1);
    if (tp_fiber_self() && dice % 4 == 1)
        tp_yield();
    tp_add_sc(&thing->n_holders, (uint32_t)-1);
    if (dice < 4)
        tp_objects_drop(objects, object);
    else
        tp_objects_give(objects, object);
    if (dice == 4)
        tp_objects_trim(objects, 1);
}

static void *use_in_thread(void *number)
{
    uint64_t seed = (uint64_t)(uintptr_t)number;
    for (int i = 0; i < ROUNDS; i++)
        use_one(&seed, i % 8 == 0 ? tp_deadline_in_ns(20000) : TP_FOREVER);
    return NULL;
}

static int use_in_task(void *number)
{
    uint64_t seed = (uint64_t)(uintptr_t)number;
    for (int i = 0; i < ROUNDS / TASKS; i++)
        use_one(&seed, TP_FOREVER);
    return 0;
}

static void check_many(void)
{
    struct tp_objects_stats stats = stats_now();
    assert_int_equal(tp_load_sc(&n_wrong), 0);
    assert_int_equal(stats.n_existing, stats.n_idle);
    assert_true(stats.n_existing <= MAX);
    assert_int_equal(stats.n_makes, stats.n_ends + stats.n_existing);
    free_pool();
}

static void test_threads(void **state)
{
    (void)state;
    struct crowd crowd = {.n = 0};
    open_pool(MAX, 0, 0);
    for (uintptr_t i = 1; i <= THREADS; i++)
        crowd_add(&crowd, use_in_thread, (void *)i);
    crowd_join(&crowd);
    assert_int_equal(stats_now().n_takes, THREADS * ROUNDS);
    check_many();
}

static void test_tasks(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 8; workers *= 2) {
        struct tp_pool *pool;
        assert_int_equal(tp_pool_open(&pool, &(struct tp_pool_settings){.workers = workers, .tasks = TP_TASKS_COROUTINE}), 0);
        open_pool(MAX, 0, 0);
        for (uintptr_t i = 1; i <= TASKS; i++)
            assert_int_equal(tp_pool_submit(pool, use_in_task, (void *)i), 0);
        tp_pool_free(pool);
        assert_int_equal(stats_now().n_takes, TASKS * (ROUNDS / TASKS));
        check_many();
    }
}

static int take_in_task(void *unused)
{
    void *object;
    (void)unused;
    return tp_objects_take(objects, TP_FOREVER, &object);
}

/* A task that is asked to end while it waits has taken nothing. */
static void test_cancel(void **state)
{
    (void)state;
    struct tp_pool *pool;
    struct tp_task_result result;
    uint64_t id;
    assert_int_equal(tp_pool_open(&pool, &(struct tp_pool_settings){.workers = 1, .tasks = TP_TASKS_COROUTINE}), 0);
    open_pool(1, 0, 0);
    assert_int_equal(take(), 1);
    assert_int_equal(tp_pool_spawn(pool, TP_CLASS_DEFAULT, take_in_task, NULL, &id), 0);
    await_line(&objects->gate, 1);
    assert_int_equal(tp_pool_cancel_task(pool, id), 0);
    assert_int_equal(tp_pool_join(pool, id, TP_FOREVER, &result), 0);
    assert_int_equal(result.code, TP_ECANCELED);
    assert_int_equal(line_length(&objects->gate), 0);
    give(1);
    assert_int_equal(stats_now().n_idle, 1);
    tp_pool_free(pool);
    free_pool();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_few_stay),
        cmocka_unit_test(test_no_functions),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_panics),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_waiters),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
