/* Clean-up of fibers: how many lose their coroutines in each step, whose a step is, and who wakes up for the next. */
#include "tests/support/unit.h"

#define TP_FIBER_KEEP 8
#define TP_FIBER_PERIOD_NS UINT64_C(100)
#include "runtime/fibers.h"
#include "runtime/known.h"

/* Coroutines are freed only while nobody can report tasks. */
static bool is_locked;
static unsigned n_freed;

static struct tp_fibers *lock_and_tell(void)
{
    struct tp_fibers *first = tp__known_lock();
    is_locked = true;
    return first;
}

static void unlock_and_tell(void)
{
    is_locked = false;
    tp__known_unlock();
}

static int free_under_the_lock(struct tp_co *co)
{
    assert_true(is_locked);
    assert_non_null(co);
    n_freed++;
    return tp_co_free(co);
}

#define tp__known_lock lock_and_tell
#define tp__known_unlock unlock_and_tell
#define tp_co_free free_under_the_lock
#include "runtime/fibers_tend.c"
#undef tp__known_lock
#undef tp__known_unlock
#undef tp_co_free

#include "runtime/fiber.h"
#include "tests/coro/stacks.h"

enum { STACK = 32768,
    MANY = 300,
    SHED = 256 }; /* of MANY that end in one worker, what its cache sheds */

static struct tp_fibers fibers;
static struct tp_fiber_cache cache;

static int run_task(void *argument)
{
    (void)argument;
    return tp_yield();
}

static void never_ready(struct tp_fiber *fiber)
{
    assert_null(fiber);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fibers, 0, sizeof fibers);
    memset(&cache, 0, sizeof cache);
    fibers.body = run_task;
    fibers.ready = never_ready;
    fibers.stack_bytes = STACK;
    fibers.caches = &cache;
    fibers.cache_stride = sizeof cache;
    fibers.n_caches = 1;
    fibers.run = (struct tp_run){.pool = "fibers", .owner = &fibers};
    tp_stack_trim(0);
    tp_fibers_init(&fibers);
    n_freed = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tp_fibers_free(&fibers, false);
    assert_nothing_left();
    return 0;
}

/* So many tasks at once. */
static void burst(int n)
{
    static struct tp_fiber *of[MANY];
    for (int i = 0; i < n; i++) {
        of[i] = tp_fiber_get(&fibers, &cache);
        assert_non_null(of[i]);
        tp_fiber_begin(of[i], NULL, 0);
        assert_int_equal(tp_fiber_run(of[i], &cache), TP_FIBER_READY);
    }
    for (int i = 0; i < n; i++) {
        tp_fiber_continue(of[i]);
        assert_int_equal(tp_fiber_run(of[i], &cache), TP_FIBER_ENDED);
        tp_fiber_put(&fibers, &cache, of[i]);
    }
}

static uint64_t n_live(void)
{
    struct tp_stack_stats stats = stats_now();
    for (int i = 0; i < TP_STACK_CLASSES; i++)
        if (stats.classes[i].bytes == STACK)
            return stats.classes[i].n_live;
    return 0;
}

static unsigned n_idle(void)
{
    unsigned n = 0;
    for (struct tp_fiber *fiber = fibers.idle; fiber; fiber = fiber->next)
        n++;
    assert_int_equal(tp_load_rlx(&fibers.n_idle), n);
    return n;
}

static void keep_stacks(size_t bytes, uint64_t period_ns)
{
    struct tp_stack_settings settings;
    tp_stack_get_settings(&settings);
    settings.keep_bytes = bytes;
    settings.period_ns = period_ns;
    assert_int_equal(tp_stack_tune(&settings), 0);
}

static void step(uint64_t now_ns)
{
    assert_true(tp_fibers_is_due(&fibers, now_ns));
    assert_false(tp_fibers_is_due(&fibers, now_ns)); /* it is taken */
    tp_fibers_tend(&fibers, now_ns);
}

/* Half of the idle ones in each step, then no further step; their memory follows, down to nothing. */
static void test_steps(void **state)
{
    (void)state;
    uint64_t now_ns = 1000, n_warm = 0, n_surplus = 0, n_given = stats_now().n_given_back;
    unsigned left = SHED;
    keep_stacks(0, TP_FIBER_PERIOD_NS);
    assert_false(tp_fibers_are_many(&fibers));
    burst(MANY);
    assert_int_equal(n_idle(), SHED);
    assert_int_equal(n_live(), MANY);
    assert_true(tp_fibers_are_many(&fibers));
    assert_false(tp_fibers_is_due(&fibers, now_ns));
    assert_false(tp_fibers_is_due(&fibers, now_ns + TP_FIBER_PERIOD_NS - 1));
    int n_steps = 0;
    while (tp_fibers_are_many(&fibers)) {
        unsigned n = (left - TP_FIBER_KEEP + 1) / 2;
        step(now_ns += TP_FIBER_PERIOD_NS);
        left -= n;
        n_warm += n;
        n_given += (n_surplus + 1) / 2;
        n_surplus = n_warm -= (n_surplus + 1) / 2;
        assert_int_equal(n_idle(), left);
        assert_int_equal(n_live(), MANY - SHED + left);
        assert_int_equal(stats_now().n_given_back, n_given);
        n_steps++;
    }
    assert_int_equal(left, TP_FIBER_KEEP);
    assert_int_equal(n_freed, SHED - TP_FIBER_KEEP);
    assert_int_equal(n_warm, 0);
    assert_int_equal(n_steps, 12);
    burst(MANY); /* they get others */
    assert_int_equal(n_live(), MANY);
    keep_stacks((size_t)32 << 20, TP_SECOND);
}

/* What was in use since the last step is no surplus. */
static void test_used_between(void **state)
{
    (void)state;
    burst(MANY);
    assert_false(tp_fibers_is_due(&fibers, 1000));
    burst(MANY);
    step(1100);
    assert_int_equal(n_live(), MANY);
    burst(MANY - 120); /* 44 of the cache, and 5 times 32 of those for all */
    assert_int_equal(fibers.n_least, SHED - 160);
    step(1200);
    assert_int_equal(n_freed, (SHED - 160 - TP_FIBER_KEEP) / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_used_between, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
