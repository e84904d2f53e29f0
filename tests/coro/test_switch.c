/* The bare switch: what it preserves, how a new stack begins, and that unwinders can walk at each of its instructions. */
#include "tests/support/unit.h"

#include "coro/coro.h"
#include "coro/stack.h"
#include "coro/switch.h"
#include "runtime/base/atomic.h"

#include <execinfo.h>
#include <signal.h>
#include <stdalign.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

enum { STACK_BYTES = 256 * 1024,
    ROUNDS = 100,
    FRAMES = 64,
    REGISTERS = 19 }; /* of aarch64; x86-64 has 6 */

static alignas(64) char stack[STACK_BYTES];
static void *outside, *inside; /* where the two flows are kept */

static void *make(void (*begin)(void *value, void *argument), void *argument)
{
    return tp__switch_make(stack, stack + STACK_BYTES, begin, argument);
}

/* -- values and beginnings ------------------------------------------------------------------------- */

static void echo(void *value, void *argument)
{
    assert_ptr_equal(argument, &inside);
    for (;;)
        value = tp__switch(&inside, outside, (char *)value + 1);
}

static void test_values_pass(void **state)
{
    (void)state;
    inside = make(echo, &inside);
    for (uintptr_t i = 0; i < ROUNDS; i++)
        assert_int_equal((uintptr_t)tp__switch(&outside, inside, (void *)i), i + 1);
}

static size_t misaligned_by;
static double sums[4];

__attribute__((noinline)) static void store_vectors(double *to, double first)
{
    alignas(16) double pairs[4];
    for (int i = 0; i < 4; i++)
        pairs[i] = first + i;
#if defined(__x86_64__)
    __asm__ volatile("movapd 16(%0), %%xmm0\n\tmovapd %%xmm0, (%0)" /* faults if misaligned */
                     :
                     : "r"(pairs)
                     : "xmm0", "memory");
#endif
    memcpy(to, pairs, sizeof pairs);
}

static void look_at_alignment(void *value, void *argument)
{
    (void)argument;
    misaligned_by = (uintptr_t)__builtin_frame_address(0) % 16; /* a frame pointer lies two words below what was aligned */
    store_vectors(sums, 1);
    tp__switch(&inside, outside, value);
}

static void test_stack_is_aligned(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        misaligned_by = 1;
        inside = tp__switch_make(stack, stack + STACK_BYTES - 16 * i, look_at_alignment, NULL);
        tp__switch(&outside, inside, NULL);
        assert_int_equal(misaligned_by, 0);
        assert_true(sums[3] == 4);
    }
}

/* -- registers ------------------------------------------------------------------------------------- */

#if defined(__x86_64__) || defined(__aarch64__)
void *fill_call(void *first, void *second, void *third, const uint64_t *filled, uint64_t *found, void (*function)(void));

static void *fill_switch(void **from, void *to, void *value, const uint64_t *filled, uint64_t *found)
{
    return fill_call(from, to, value, filled, found, (void (*)(void))tp__switch);
}

static int n_wrong; /* on the coroutine's side, where no assertion may jump away */

static void fill(uint64_t *registers, uint64_t seed)
{
    for (int i = 0; i < REGISTERS; i++)
        registers[i] = (seed * REGISTERS + (uint64_t)i + 1) * 0x9e3779b97f4a7c15u;
}

static int compare(const uint64_t *filled, const uint64_t *found)
{
#if defined(__x86_64__)
    return memcmp(filled, found, 6 * sizeof *filled);
#else
    return memcmp(filled, found, REGISTERS * sizeof *filled);
#endif
}

static void fill_inside(void *value, void *argument)
{
    uint64_t filled[REGISTERS], found[REGISTERS];
    (void)argument;
    for (;;) {
        fill(filled, (uintptr_t)value + 1000);
        value = fill_switch(&inside, outside, value, filled, found);
        n_wrong += compare(filled, found) != 0;
    }
}

static void test_registers_are_preserved(void **state)
{
    uint64_t filled[REGISTERS], found[REGISTERS];
    (void)state;
    n_wrong = 0;
    inside = make(fill_inside, NULL);
    for (uintptr_t i = 0; i < ROUNDS; i++) {
        fill(filled, i);
        assert_int_equal((uintptr_t)fill_switch(&outside, inside, (void *)i, filled, found), i);
        assert_int_equal(compare(filled, found), 0);
    }
    assert_int_equal(n_wrong, 0);
}

/* Yields so many times as it gets, with its registers filled; then it ends, with what it happens to have in them. */
static void *yield_filled(void *n_yields)
{
    uint64_t filled[REGISTERS], found[REGISTERS];
    for (uintptr_t i = 0; i < (uintptr_t)n_yields; i++) {
        fill(filled, i + 2000);
        n_wrong += fill_call(&filled, NULL, NULL, filled, found, (void (*)(void))tp_co_yield) != NULL; /* the status */
        n_wrong += compare(filled, found) != 0;
    }
    return NULL;
}

static void test_registers_over_lives(void **state)
{
    uint64_t filled[REGISTERS], found[REGISTERS];
    struct tp_co *co;
    (void)state;
    n_wrong = 0;
    assert_int_equal(tp_co_new(&co, yield_filled, NULL, NULL), 0);
    for (uintptr_t n = 0; n < 4; n++) {
        assert_int_equal(tp_co_reset(co, yield_filled, (void *)n), 0);
        for (uintptr_t i = 0; i <= n; i++) { /* the last one sees the end */
            fill(filled, i);
            assert_null(fill_call(co, NULL, NULL, filled, found, (void (*)(void))tp_co_resume));
            assert_int_equal(compare(filled, found), 0);
        }
        assert_int_equal(tp_co_state(co), TP_CO_DONE);
    }
    assert_int_equal(n_wrong, 0);
    tp_co_free(co);
}

/* Yields once, with the same value in every register: code without frame pointers keeps anything there. */
static void *yield_garbage(void *value)
{
    uint64_t filled[REGISTERS], found[REGISTERS];
    for (int i = 0; i < REGISTERS; i++)
        filled[i] = (uintptr_t)value;
    fill_call(NULL, NULL, NULL, filled, found, (void (*)(void))tp_co_yield);
    return NULL;
}

/* A frame pointer that is none ends the walk: below the stack, within the control block, above it, and where adding to it wraps. */
static void test_backtrace_ends_at_garbage(void **state)
{
    struct tp_co *co;
    (void)state;
    assert_int_equal(tp_co_new(&co, yield_garbage, NULL, NULL), 0);
    const uintptr_t top = (uintptr_t)co, garbage[] = {8, top - 8, top, top + 8, (uintptr_t)-8, (uintptr_t)-16, (uintptr_t)-24};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        void *frames[16];
        assert_int_equal(tp_co_reset(co, yield_garbage, (void *)garbage[i]), 0);
        assert_int_equal(tp_co_resume(co, NULL, NULL), 0);
        size_t n = tp_co_backtrace(co, frames, 16);
#if TP__SWITCH_PORTABLE /* whose saved registers are the system's */
        assert_int_equal(n, 0);
#else
        assert_true(n >= 1 && n <= 2); /* fill_call, and tp_co_yield below it if that has a frame */
#endif
        assert_int_equal(tp_co_resume(co, NULL, NULL), 0);
    }
    assert_int_equal(tp_co_free(co), 0);
}

/* Rounding up in one flow and to the nearest in the other: tp__float holds all there is. */
static void test_float_environment(void **state)
{
    struct tp__float before, changed, after;
    (void)state;
    tp__float_save(&before);
    changed = before;
#if defined(__x86_64__)
    changed.control ^= 0x4000; /* MXCSR: round up */
    changed.status ^= 0x0800;  /* x87: round up */
#else
    changed.control ^= 0x400000; /* FPCR: round up */
#endif
    tp__float_load(&changed);
    tp__float_save(&after);
    tp__float_load(&before);
    assert_int_equal(after.control, changed.control);
    assert_int_equal(after.status, changed.status);
    tp__float_save(&after);
    assert_int_equal(after.control, before.control);
}
#endif

/* -- unwinding ------------------------------------------------------------------------------------- */

/* ThreadSanitizer's own code must not be interrupted by code that it instruments; the switch is the same without it. */
#if defined(__x86_64__) && !TP__SWITCH_PORTABLE && !TP__CHECK_THREAD
#define CAN_STEP 1
#endif

#if !TP__SWITCH_PORTABLE
/* The code of all switches, as the assembler puts it in one piece: from tp__switch to tp__switch_make. */
static bool is_in_switch(const void *address)
{
    return (uintptr_t)address >= (uintptr_t)tp__switch && (uintptr_t)address < (uintptr_t)tp__switch_make;
}

static const char *low, *high; /* the stack that is inside */

static bool is_inside(const void *address)
{
    return (const char *)address >= low && (const char *)address < high;
}

/* A walk from a signal handler. On the coroutine's stack it must end where that begins; outside it must be as long as those
 * of the same place were. */
static tp_atomic(int) n_walks_inside, n_walks_outside, n_broken;

static void walk(bool inside_now, int n_least)
{
    void *frames[FRAMES];
    int n = backtrace(frames, FRAMES);
    bool ends_well = inside_now ? n > 0 && is_in_switch(frames[n - 1]) : n >= n_least && !is_in_switch(frames[n - 1]);
    /* Relaxed: read by this thread. */
    tp_add_rlx(inside_now ? &n_walks_inside : &n_walks_outside, 1);
    if (!ends_well || n == FRAMES)
        tp_add_rlx(&n_broken, 1);
}

static void forget_walks(const char *new_low, const char *new_high)
{
    low = new_low;
    high = new_high;
    /* Relaxed: no signals yet. */
    tp_store_rlx(&n_walks_inside, 0);
    tp_store_rlx(&n_walks_outside, 0);
    tp_store_rlx(&n_broken, 0);
}

static void ping(void *value, void *argument)
{
    (void)argument;
    for (;;)
        value = tp__switch(&inside, outside, value);
}

#if CAN_STEP
static int n_frames_outside; /* handler, its return, the switch, and who called it */

static void on_step(int number, siginfo_t *info, void *context)
{
    const ucontext_t *at = context;
    (void)number;
    (void)info;
    if (is_in_switch((const void *)at->uc_mcontext.gregs[REG_RIP]))
        walk(is_inside((const void *)at->uc_mcontext.gregs[REG_RSP]), n_frames_outside);
}

static void handle_steps(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = on_step;
    assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
}

/* The processor stops after each instruction while the trap flag is set. */
static void step(bool on)
{
    if (on)
        __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp"
                         :
                         :
                         : "memory", "cc");
    else
        __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tlea 128(%%rsp), %%rsp"
                         :
                         :
                         : "memory", "cc");
}

static void test_walk_at_each_instruction(void **state)
{
    void *frames[FRAMES];
    uint64_t filled[REGISTERS], found[REGISTERS];
    (void)state;
    n_frames_outside = backtrace(frames, FRAMES) + 3; /* loads what it needs, too */
    handle_steps();
    forget_walks(stack, stack + STACK_BYTES);
    inside = make(fill_inside, NULL);
    fill(filled, 1);
    for (int i = 0; i < 3; i++) { /* the first begins, the others go on */
        step(true);
        void *value = fill_switch(&outside, inside, &inside, filled, found);
        step(false);
        assert_ptr_equal(value, &inside);
    }
    signal(SIGTRAP, SIG_DFL);
    assert_int_equal(tp_load_rlx(&n_broken), 0);
    assert_true(tp_load_rlx(&n_walks_inside) >= 3 * 13);
    assert_true(tp_load_rlx(&n_walks_outside) >= 3 * 15);
}

#if TP__CO_ASSEMBLY
static void *yield_forever(void *argument)
{
    while (tp_co_yield(argument, NULL) == 0) {
    }
    return NULL;
}

static void *end_at_once(void *argument)
{
    return argument;
}

/* Of yields, and of ends, after which it is set to the same function again. */
static void walk_resumes(void *(*entry)(void *argument))
{
    void *frames[FRAMES], *out = NULL;
    struct tp_co *co;
    int status, refused;
    assert_int_equal(tp_co_new(&co, entry, &out, NULL), 0);
    n_frames_outside = backtrace(frames, FRAMES) + 3;
    handle_steps();
    forget_walks(tp_co_stack(co)->low, tp_co_stack(co)->top);
    for (int i = 0; i < 3; i++) {
        step(true);
        status = tp_co_resume(co, NULL, &out);
        refused = tp_co_resume(NULL, NULL, NULL);
        step(false);
        assert_int_equal(status, 0);
        assert_int_equal(refused, TP_EINVAL);
        assert_ptr_equal(out, &out);
        assert_int_equal(tp_co_reset(co, entry, &out), entry == end_at_once ? 0 : TP_EBUSY);
    }
    signal(SIGTRAP, SIG_DFL);
    assert_int_equal(tp_load_rlx(&n_broken), 0);
    assert_true(tp_load_rlx(&n_walks_inside) >= 3 * 13);
    assert_true(tp_load_rlx(&n_walks_outside) >= 3 * 15);
    tp_co_free(co);
}

static void test_walk_at_each_instruction_of_a_resume(void **state)
{
    (void)state;
    walk_resumes(yield_forever);
    walk_resumes(end_at_once);
}
#endif
#endif

/* Where the handler itself is: ThreadSanitizer calls it later, from wherever it is then. */
static void on_profile(int number)
{
    (void)number;
    walk(is_inside(__builtin_frame_address(0)), 1);
}

static void test_walk_in_a_storm_of_signals(void **state)
{
    void *frames[FRAMES];
    const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    (void)state;
    backtrace(frames, FRAMES);
    forget_walks(stack, stack + STACK_BYTES);
    signal(SIGPROF, on_profile);
    inside = make(ping, NULL);
    setitimer(ITIMER_PROF, &often, NULL);
    while (tp_load_rlx(&n_walks_inside) + tp_load_rlx(&n_walks_outside) < 200) {
        for (int i = 0; i < 10000; i++)
            tp__switch(&outside, inside, NULL);
    }
    setitimer(ITIMER_PROF, &never, NULL);
    signal(SIGPROF, SIG_IGN);
    assert_int_equal(tp_load_rlx(&n_broken), 0);
}

#if TP__CO_ASSEMBLY
static void *yield_some(void *argument)
{
    for (int i = 0; i < 5; i++)
        tp_co_yield(argument, NULL);
    return argument;
}

/* The same over lives of a coroutine: beginnings, yields and ends. */
static void test_walk_lives_in_a_storm_of_signals(void **state)
{
    void *frames[FRAMES];
    struct tp_co *co;
    const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    (void)state;
    backtrace(frames, FRAMES);
    assert_int_equal(tp_co_new(&co, yield_some, NULL, NULL), 0);
    forget_walks(tp_co_stack(co)->low, tp_co_stack(co)->top);
    signal(SIGPROF, on_profile);
    setitimer(ITIMER_PROF, &often, NULL);
    while (tp_load_rlx(&n_walks_inside) + tp_load_rlx(&n_walks_outside) < 200) {
        for (int i = 0; i < 10000; i++)
            if (tp_co_resume(co, NULL, NULL) != 0)
                tp_co_reset(co, yield_some, NULL);
    }
    setitimer(ITIMER_PROF, &never, NULL);
    signal(SIGPROF, SIG_IGN);
    assert_int_equal(tp_load_rlx(&n_broken), 0);
    tp_co_free(co);
}
#endif
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_pass),
        cmocka_unit_test(test_stack_is_aligned),
#if defined(__x86_64__) || defined(__aarch64__)
        cmocka_unit_test(test_registers_are_preserved),
        cmocka_unit_test(test_registers_over_lives),
        cmocka_unit_test(test_backtrace_ends_at_garbage),
        cmocka_unit_test(test_float_environment),
#endif
#if !TP__SWITCH_PORTABLE
#if CAN_STEP
        cmocka_unit_test(test_walk_at_each_instruction),
#if TP__CO_ASSEMBLY
        cmocka_unit_test(test_walk_at_each_instruction_of_a_resume),
#endif
#endif
        cmocka_unit_test(test_walk_in_a_storm_of_signals),
#if TP__CO_ASSEMBLY
        cmocka_unit_test(test_walk_lives_in_a_storm_of_signals),
#endif
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
