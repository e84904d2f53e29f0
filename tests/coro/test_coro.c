/* Coroutines: states and values, what is theirs alone, and every misuse with its code. */
#include "tests/support/unit.h"

#include "coro/coro.h"
#include "coro/stack.h"
#include "coro/switch.h"

#include <errno.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

enum { REUSES = 1000,
    CROWD = 500,
    TURNS = 200 };

static struct tp_co *new_co(void *(*entry)(void *), void *argument)
{
    struct tp_co *co;
    assert_int_equal(tp_co_new(&co, entry, argument, NULL), 0);
    return co;
}

static void *resume(struct tp_co *co, void *in)
{
    void *out = NULL;
    assert_int_equal(tp_co_resume(co, in, &out), 0);
    return out;
}

static void *nothing(void *argument)
{
    return argument;
}

static void *yield_once(void *argument)
{
    tp_co_yield(argument, NULL);
    return argument;
}

/* -- values and states ----------------------------------------------------------------------------- */

static void *add_up(void *start)
{
    uintptr_t sum = (uintptr_t)start;
    void *in;
    for (int i = 0; i < 3; i++) {
        if (tp_co_yield((void *)sum, &in) != 0)
            return NULL;
        sum += (uintptr_t)in;
    }
    return (void *)sum;
}

static void test_values_pass_both_ways(void **state)
{
    (void)state;
    struct tp_co *co = new_co(add_up, (void *)100);
    assert_int_equal(tp_co_state(co), TP_CO_READY);
    assert_int_equal((uintptr_t)resume(co, (void *)77), 100); /* the first value is dropped */
    assert_int_equal(tp_co_state(co), TP_CO_SUSPENDED);
    assert_int_equal((uintptr_t)resume(co, (void *)1), 101);
    assert_int_equal((uintptr_t)resume(co, (void *)2), 103);
    assert_int_equal(tp_co_resume(co, (void *)3, NULL), 0); /* nobody wants to know */
    assert_int_equal(tp_co_state(co), TP_CO_DONE);
    assert_int_equal(tp_co_free(co), 0);
}

static struct tp_co *chain[3];
static enum tp_co_state seen[3][3];
static struct tp_co *selves[3];

static void *go_down(void *argument)
{
    uintptr_t level = (uintptr_t)argument;
    selves[level] = tp_co_self();
    for (int i = 0; i < 3; i++)
        seen[level][i] = tp_co_state(chain[i]);
    if (level < 2)
        tp_co_resume(chain[level + 1], NULL, NULL);
    tp_co_yield(NULL, NULL);
    return (void *)(uintptr_t)(tp_co_self() == chain[level]);
}

static void test_one_resumes_another(void **state)
{
    (void)state;
    for (uintptr_t i = 0; i < 3; i++)
        chain[i] = new_co(go_down, (void *)i);
    resume(chain[0], NULL);
    for (int level = 0; level < 3; level++) {
        assert_ptr_equal(selves[level], chain[level]);
        for (int i = 0; i < 3; i++)
            assert_int_equal(seen[level][i], i < level ? TP_CO_NORMAL : i == level ? TP_CO_RUNNING
                                                                                   : TP_CO_READY);
    }
    assert_null(tp_co_self());
    for (int i = 2; i >= 0; i--) {
        assert_int_equal(tp_co_state(chain[i]), TP_CO_SUSPENDED);
        assert_int_equal((uintptr_t)resume(chain[i], NULL), 1); /* each by itself */
        assert_int_equal(tp_co_state(chain[i]), TP_CO_DONE);
        assert_int_equal(tp_co_free(chain[i]), 0);
    }
}

/* -- misuse ---------------------------------------------------------------------------------------- */

static int codes[8];

static void *misuse(void *outer)
{
    struct tp_co *self = tp_co_self();
    codes[0] = tp_co_resume(self, NULL, NULL);
    codes[1] = tp_co_free(self);
    codes[2] = tp_co_reset(self, nothing, NULL);
    codes[3] = outer ? tp_co_resume(outer, NULL, NULL) : 0;
    codes[4] = outer ? tp_co_free(outer) : 0;
    codes[5] = outer ? tp_co_reset(outer, nothing, NULL) : 0;
    return NULL;
}

static void *misuse_from_within(void *argument)
{
    struct tp_co *inner = argument;
    return tp_co_resume(inner, NULL, NULL) == 0 ? inner : NULL;
}

static void test_misuse_has_a_code(void **state)
{
    struct tp_co *co = NULL, *inner;
    void *out = &co;
    (void)state;
    assert_int_equal(tp_co_resume(NULL, NULL, &out), TP_EINVAL);
    assert_int_equal(tp_co_yield(NULL, &out), TP_EOUTSIDE);
    assert_int_equal(tp_co_free(NULL), 0);
    assert_int_equal(tp_co_new(&co, NULL, NULL, NULL), TP_EINVAL);
    assert_int_equal(tp_co_new(&co, nothing, NULL, &(struct tp_co_options){.stack_bytes = SIZE_MAX / 2}), TP_EINVAL);
    assert_int_equal(tp_co_new_on(&co, NULL, nothing, NULL, NULL), TP_EINVAL);
    assert_int_equal(tp_co_reset(NULL, nothing, NULL), TP_EINVAL);
    assert_null(co);

    inner = new_co(misuse, NULL);
    resume(inner, NULL);
    assert_int_equal(codes[0], TP_EBUSY);
    assert_int_equal(codes[1], TP_EBUSY);
    assert_int_equal(codes[2], TP_EBUSY);
    assert_int_equal(tp_co_resume(inner, NULL, &out), TP_EDONE);
    assert_int_equal(tp_co_reset(inner, NULL, NULL), TP_EINVAL);

    co = new_co(misuse_from_within, inner);
    assert_int_equal(tp_co_reset(inner, misuse, co), 0);
    assert_ptr_equal(resume(co, NULL), inner);
    for (int i = 0; i < 6; i++)
        assert_int_equal(codes[i], TP_EBUSY);
    assert_ptr_equal(out, &co); /* untouched throughout */

    assert_int_equal(tp_co_reset(co, yield_once, NULL), 0);
    resume(co, NULL);
    assert_int_equal(tp_co_reset(co, nothing, NULL), TP_EBUSY); /* suspended */
    tp_co_free(co);
    tp_co_free(inner);
}

/* -- stacks ---------------------------------------------------------------------------------------- */

/* Locals whose addresses escape, in frames of changing depth; what AddressSanitizer watches after a return. */
__attribute__((noinline)) static int dig(int depth, char **escaped)
{
    char room[200];
    memset(room, depth, sizeof room);
    *escaped = room;
    if (depth % 3 == 1)
        tp_co_yield(room, NULL);
    return depth == 0 ? room[7] : dig(depth - 1, escaped) + room[depth] - depth;
}

static void *dig_deep(void *argument)
{
    char *escaped;
    return (void *)(intptr_t)dig((int)(intptr_t)argument, &escaped);
}

static void test_a_stack_is_reused(void **state)
{
    (void)state;
    struct tp_co *co = new_co(dig_deep, (void *)10);
    for (intptr_t i = 1; i <= REUSES; i++) {
        while (tp_co_state(co) != TP_CO_DONE)
            resume(co, NULL);
        assert_int_equal(tp_co_reset(co, dig_deep, (void *)(i % 40)), 0);
    }
    assert_int_equal(tp_co_reset(co, nothing, co), 0); /* one that has not begun */
    assert_ptr_equal(resume(co, NULL), co);
    tp_co_free(co);
}

static void test_dropped_ones_leave_nothing_behind(void **state)
{
    (void)state;
    for (intptr_t i = 0; i < REUSES; i++) {
        struct tp_co *co = new_co(dig_deep, (void *)(1 + i % 40));
        resume(co, NULL);
        assert_int_equal(tp_co_state(co), TP_CO_SUSPENDED);
        assert_int_equal(tp_co_free(co), 0);
    }
}

static void test_many_live_at_once(void **state)
{
    static struct tp_co *crowd[CROWD];
    (void)state;
    for (intptr_t i = 0; i < CROWD; i++)
        crowd[i] = new_co(dig_deep, (void *)(3 * (i % 9) + 1));
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < CROWD; i++) {
            if (tp_co_state(crowd[i]) != TP_CO_DONE)
                resume(crowd[i], NULL);
        }
    }
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(tp_co_state(crowd[i]), TP_CO_DONE);
        tp_co_free(crowd[i]);
    }
}

static void test_stack_of_the_callers(void **state)
{
    struct tp_stack *stack;
    struct tp_co *co;
    const struct tp_co_options options = {.name = "mine"};
    (void)state;
    assert_int_equal(tp_stack_acquire(16384, &stack), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tp_co_new_on(&co, stack, yield_once, &co, &options), 0);
        assert_ptr_equal(tp_co_stack(co), stack);
        assert_string_equal(tp_co_name(co), "mine");
        assert_ptr_equal(resume(co, NULL), &co);
        tp_co_free(co);
    }
    assert_true(tp_stack_is_whole(stack));
    tp_stack_release(stack);
}

/* -- what is a coroutine's own --------------------------------------------------------------------- */

static void *change_errno(void *argument)
{
    int wrong = 0, value = (int)(intptr_t)argument;
    wrong += *tp_co_errno() != 0;
    for (int i = 0; i < 5; i++) {
        *tp_co_errno() = value + i;
        tp_co_yield(NULL, NULL);
        wrong += *tp_co_errno() != value + i;
    }
    return (void *)(intptr_t)wrong;
}

static void test_errno_is_its_own(void **state)
{
    struct tp_co *a = new_co(change_errno, (void *)10), *b = new_co(change_errno, (void *)20);
    (void)state;
    for (int i = 0; i < 5; i++) {
        *tp_co_errno() = 7;
        resume(a, NULL);
        assert_int_equal(*tp_co_errno(), 7);
        resume(b, NULL);
        assert_int_equal(*tp_co_errno(), 7);
    }
    assert_null(resume(a, NULL));
    assert_null(resume(b, NULL));
    assert_int_equal(tp_co_reset(a, change_errno, (void *)30), 0);
    for (int i = 0; i < 5; i++)
        resume(a, NULL);
    assert_null(resume(a, NULL)); /* 0 at first, again */
    tp_co_free(a);
    tp_co_free(b);
}

#if defined(__x86_64__)
static void round_up(struct tp__float *floats)
{
    floats->control |= 0x4000;
    floats->status |= 0x0800;
}
#else
static void round_up(struct tp__float *floats)
{
    floats->control |= 0x400000;
}
#endif

static void *rounds_up(void *argument)
{
    struct tp__float floats, now;
    (void)argument;
    tp__float_save(&floats);
    round_up(&floats);
    tp__float_load(&floats);
    tp_co_yield(NULL, NULL);
    tp__float_save(&now);
    return (void *)(uintptr_t)(now.control == floats.control && now.status == floats.status);
}

static void test_float_environment_is_its_own(void **state)
{
    struct tp_co *co;
    struct tp__float before, after;
    const struct tp_co_options options = {.fp_environment = true};
    (void)state;
    tp__float_save(&before);
    assert_int_equal(tp_co_new(&co, rounds_up, NULL, &options), 0);
    resume(co, NULL);
    tp__float_save(&after);
    assert_int_equal(after.control, before.control);
    assert_int_equal(after.status, before.status);
    assert_non_null(resume(co, NULL));
    tp_co_free(co);
}

/* -- threads --------------------------------------------------------------------------------------- */

struct turns {
    struct tp_co *co;
    sem_t turn[2];
    int thread_ids[2];
    int n_wrong;
};

static void *wander(void *argument)
{
    struct turns *turns = argument;
    for (int i = 0; i < TURNS; i++) {
        turns->n_wrong += gettid() != turns->thread_ids[i % 2];
        turns->n_wrong += tp_co_self() != turns->co;
        *tp_co_errno() = 1000 + i;
        tp_co_yield(NULL, NULL);
        turns->n_wrong += *tp_co_errno() != 1000 + i;
    }
    return NULL;
}

static void take_turns(struct turns *turns, int me)
{
    turns->thread_ids[me] = gettid();
    for (int i = me; i < TURNS; i += 2) {
        while (sem_wait(&turns->turn[me]) != 0) {
        }
        *tp_co_errno() = me;
        turns->n_wrong += tp_co_resume(turns->co, NULL, NULL) != 0;
        turns->n_wrong += *tp_co_errno() != me;
        turns->n_wrong += tp_co_self() != NULL;
        sem_post(&turns->turn[!me]);
    }
}

static void *second_thread(void *argument)
{
    take_turns(argument, 1);
    return NULL;
}

enum { FRAMES = 16,
    DEPTH = 4 };

static __attribute__((noinline)) int yield_deep(int n)
{
    int sum = n == 0 ? tp_co_yield(NULL, NULL) : yield_deep(n - 1);
    __asm__ volatile("" ::
                         : "memory"); /* not a tail call */
    return sum + n;
}

static __attribute__((noinline)) void *yield_twice(void *argument)
{
    yield_deep(DEPTH);
    yield_deep(0);
    return argument;
}

/* Addresses in the first 300 bytes of the function, and not behind the beginning of the other. */
static unsigned count_within(void *const *frames, size_t n, uintptr_t function, uintptr_t other)
{
    unsigned n_within = 0;
    for (size_t i = 0; i < n; i++) {
        uintptr_t at = (uintptr_t)frames[i];
        n_within += at - function < 300 && (other < function || at < other);
    }
    return n_within;
}

#if TP__SWITCH_PORTABLE /* whose saved registers are the system's */
enum { SEES = 0 };
#else
enum { SEES = 1 };
#endif

static void expect_frames(const struct tp_co *co, unsigned depth)
{
    void *frames[FRAMES];
    size_t n = tp_co_backtrace(co, frames, FRAMES);
    uintptr_t deep = (uintptr_t)yield_deep, twice = (uintptr_t)yield_twice;
    assert_int_equal(count_within(frames, n, deep, twice), SEES ? depth + 1 : 0);
    assert_int_equal(count_within(frames, n, twice, deep), SEES);
    assert_int_equal(tp_co_backtrace(co, frames, 1), SEES);
    assert_int_equal(tp_co_backtrace(co, frames, 0), 0);
}

static void test_backtrace(void **state)
{
    (void)state;
    void *frames[FRAMES];
    struct tp_co *co = new_co(yield_twice, NULL);
    assert_int_equal(tp_co_backtrace(co, frames, FRAMES), 0);
    resume(co, NULL);
    expect_frames(co, DEPTH);
    resume(co, NULL);
    expect_frames(co, 0);
    resume(co, NULL);
    assert_int_equal(tp_co_backtrace(co, frames, FRAMES), 0); /* it has ended */
    assert_int_equal(tp_co_free(co), 0);
}

static void test_two_threads_in_turn(void **state)
{
    struct turns turns = {.n_wrong = 0};
    struct crowd crowd = {.n = 0};
    (void)state;
    turns.co = new_co(wander, &turns);
    sem_init(&turns.turn[0], 0, 1);
    sem_init(&turns.turn[1], 0, 0);
    crowd_add(&crowd, second_thread, &turns);
    take_turns(&turns, 0);
    crowd_join(&crowd);
    assert_int_equal(turns.n_wrong, 0);
    resume(turns.co, NULL);
    assert_int_equal(tp_co_state(turns.co), TP_CO_DONE);
    tp_co_free(turns.co);
    sem_destroy(&turns.turn[0]);
    sem_destroy(&turns.turn[1]);
}

/* One thread waits until it sees the state, with nothing else between the two. */
static void *run_to_yield(void *co)
{
    tp_co_resume(co, NULL, NULL);
    return NULL;
}

static void test_suspended_means_it_is_off_its_thread(void **state)
{
    (void)state;
    for (int i = 0; i < TURNS; i++) {
        struct crowd crowd = {.n = 0};
        struct tp_co *co = new_co(yield_once, &crowd);
        crowd_add(&crowd, run_to_yield, co);
        while (tp_co_state(co) != TP_CO_SUSPENDED) {
        }
        assert_ptr_equal(resume(co, NULL), &crowd);
        crowd_join(&crowd);
        tp_co_free(co);
    }
}

/* One that runs on another thread right now is refused, however often it is tried. */
static sem_t is_running, may_end;

static void *run_until_told(void *argument)
{
    sem_post(&is_running);
    while (sem_wait(&may_end) != 0) {
    }
    return argument;
}

static void test_running_elsewhere_is_busy(void **state)
{
    struct crowd crowd = {.n = 0};
    void *out = &crowd;
    (void)state;
    sem_init(&is_running, 0, 0);
    sem_init(&may_end, 0, 0);
    struct tp_co *co = new_co(run_until_told, NULL);
    crowd_add(&crowd, run_to_yield, co);
    while (sem_wait(&is_running) != 0) {
    }
    assert_int_equal(tp_co_state(co), TP_CO_RUNNING);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tp_co_resume(co, NULL, &out), TP_EBUSY);
        assert_int_equal(tp_co_reset(co, nothing, NULL), TP_EBUSY);
        assert_int_equal(tp_co_free(co), TP_EBUSY);
    }
    assert_ptr_equal(out, &crowd);
    sem_post(&may_end);
    crowd_join(&crowd);
    assert_int_equal(tp_co_state(co), TP_CO_DONE);
    tp_co_free(co);
    sem_destroy(&is_running);
    sem_destroy(&may_end);
}

/* Counts in its local place, which nobody else writes. */
static void *count_locally(void *times)
{
    for (intptr_t i = 0; i < (intptr_t)times; i++) {
        assert_int_equal((intptr_t)*tp_co_local(), i);
        *tp_co_local() = (void *)(i + 1);
        tp_co_yield(NULL, NULL);
    }
    return *tp_co_local();
}

static void test_each_strand_has_a_place(void **state)
{
    struct tp_co *co[2];
    void *out = NULL;
    (void)state;
    assert_null(*tp_co_local());
    *tp_co_local() = &co;
    for (int i = 0; i < 2; i++)
        assert_int_equal(tp_co_new(&co[i], count_locally, (void *)3, NULL), 0);
    while (tp_co_state(co[0]) != TP_CO_DONE)
        for (int i = 0; i < 2; i++) {
            assert_int_equal(tp_co_resume(co[i], NULL, &out), 0);
            assert_ptr_equal(*tp_co_local(), &co);
        }
    assert_int_equal((intptr_t)out, 3);
    assert_int_equal(tp_co_reset(co[0], count_locally, (void *)1), 0); /* begins with NULL again */
    assert_int_equal(tp_co_resume(co[0], NULL, NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tp_co_free(co[i]), 0);
    *tp_co_local() = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_pass_both_ways),
        cmocka_unit_test(test_one_resumes_another),
        cmocka_unit_test(test_misuse_has_a_code),
        cmocka_unit_test(test_a_stack_is_reused),
        cmocka_unit_test(test_dropped_ones_leave_nothing_behind),
        cmocka_unit_test(test_many_live_at_once),
        cmocka_unit_test(test_stack_of_the_callers),
        cmocka_unit_test(test_errno_is_its_own),
        cmocka_unit_test(test_float_environment_is_its_own),
        cmocka_unit_test(test_each_strand_has_a_place),
        cmocka_unit_test(test_backtrace),
        cmocka_unit_test(test_two_threads_in_turn),
        cmocka_unit_test(test_suspended_means_it_is_off_its_thread),
        cmocka_unit_test(test_running_elsewhere_is_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
