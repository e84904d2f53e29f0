/* Overflows: each in a child, which must die of SIGABRT with a message, and all other faults as without us. */
#include "tests/coro/stacks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>

enum { KIB = 1024,
    HANDLED = 7 };

static char said[1024]; /* by the child, on its standard error */

/* -- a child ------------------------------------------------------------------------------------------ */

/* Runs the body in a child; returns how it ended. */
static int run(void (*body)(void))
{
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        signal(SIGSEGV, SIG_DFL); /* no sanitizer's */
        signal(SIGBUS, SIG_DFL);
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t more; n + 1 < sizeof said && (more = read(ends[0], said + n, sizeof said - 1 - n)) > 0;)
        n += (size_t)more;
    said[n] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_aborts(void (*body)(void), const char *message)
{
    int status = run(body);
    assert_string_equal(said, message);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void assert_dies(void (*body)(void), int number)
{
    int status = run(body);
    assert_string_equal(said, "");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == number);
}

static void assert_exits(void (*body)(void), int code)
{
    int status = run(body);
    assert_string_equal(said, "");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == code);
}

/* -- bodies ------------------------------------------------------------------------------------------- */

static const char *name_of(const struct tp_stack *stack)
{
    return stack->top - stack->low < 32 * KIB ? "fetch" : NULL;
}

/* An access that no compiler leaves out. */
static __attribute__((noinline)) void touch(char *address)
{
    *address = 1;
    __asm__ volatile(""
                     :
                     :
                     : "memory");
}

static struct tp_stack *watched(size_t bytes)
{
    tp_stack_watch_faults();
    tp_stack_set_namer(name_of);
    return acquire(bytes);
}

static void touch_the_guard(void)
{
    struct tp_stack *stack = watched(16 * KIB);
    touch(stack->top - 1000);
    touch(bottom_of(stack) - 1);
}

static void touch_the_guards_end(void)
{
    struct tp_stack *stack = watched(16 * KIB);
    touch(bottom_of(stack) - 4096);
}

static void touch_a_guard_without_name(void)
{
    struct tp_stack *stack = watched(32 * KIB + 1);
    touch(bottom_of(stack) - 1);
}

static void touch_without_namer(void)
{
    struct tp_stack *stack = watched(16 * KIB);
    tp_stack_set_namer(NULL);
    touch(bottom_of(stack) - 1);
}

static void use_guard(enum tp_stack_guard guard, size_t guard_bytes)
{
    struct tp_stack_settings settings;
    tp_stack_get_settings(&settings);
    settings.guard = guard;
    settings.guard_bytes = guard_bytes;
    tp_stack_tune(&settings);
}

static void touch_a_protected_guard(void)
{
    use_guard(TP_STACK_GUARD_MPROTECT, 4096);
    touch_the_guard();
}

/* A frame that is larger than a page may miss the page below the stack, but not 64 KiB. */
static void jump_over_a_page(void)
{
    use_guard(TP_STACK_GUARD_MADVISE, 64 * KIB);
    struct tp_stack *stack = watched(16 * KIB);
    touch(bottom_of(stack) - 50 * KIB);
}

static ucontext_t here, there;

static __attribute__((noinline)) size_t dig(size_t n)
{
    char room[200];
    memset(room, (int)n | 1, sizeof room);
    __asm__ volatile(""
                     :
                     : "r"(room)
                     : "memory");
    return n == SIZE_MAX ? 0 : dig(n + 1) + (size_t)room[n % sizeof room];
}

static void dig_for_ever(void)
{
    dig(0);
}

static void recurse(void)
{
    struct tp_stack *stack = watched(16 * KIB);
    getcontext(&there);
    there.uc_stack = (stack_t){.ss_sp = stack->low, .ss_size = (size_t)(stack->top - stack->low)};
    there.uc_link = &here;
    makecontext(&there, dig_for_ever, 0);
    swapcontext(&here, &there);
}

static void *recurse_there(void *argument)
{
    recurse();
    return argument;
}

static void recurse_in_a_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, recurse_there, NULL);
    pthread_join(thread, NULL);
}

/* Tells whether there was no signal stack before and after. */
static void *watch_and_end(void *is_right)
{
    stack_t none = {.ss_flags = SS_DISABLE}, between, after;
    sigaltstack(&none, NULL); /* no sanitizer's */
    tp_stack_watch_faults();
    sigaltstack(NULL, &between);
    tp_stack_watch_faults();
    tp_stack_thread_end();
    sigaltstack(NULL, &after);
    *(bool *)is_right = !(between.ss_flags & SS_DISABLE) && (after.ss_flags & SS_DISABLE);
    return NULL;
}

static void overflow_without_guard(void)
{
    use_guard(TP_STACK_GUARD_NONE, 4096);
    struct tp_stack *stack = watched(16 * KIB);
    memset(stack->low - 8, 1, 1000);
    tp_stack_release(stack);
}

/* Below the lowest stack of a slab there is nothing to destroy either. */
static void overflow_above_the_front(void)
{
    use_guard(TP_STACK_GUARD_NONE, 4096);
    struct tp_stack *stack = watched(16 * KIB), *other = watched(16 * KIB);
    memset(bottom_of(stack) - 4096, 1, 4096);
    tp_stack_release(stack); /* its canary is whole */
    tp_stack_release(other);
    tp_stack_flush();
    if (tp_stack_trim(0) != 32 * KIB || stats_now().n_mappings != 0)
        _exit(1);
}

static void release_twice(void)
{
    struct tp_stack *stack = watched(16 * KIB);
    tp_stack_release(stack);
    tp_stack_release(stack);
}

static void overwrite_the_header(void)
{
    struct tp_stack *stack = watched(16 * KIB);
    memset((char *)(stack + 1) - 8, 1, 8);
    tp_stack_release(stack);
}

static void touch_an_idle_guard(void)
{
    struct tp_stack *stack = watched(16 * KIB);
    char *guard = bottom_of(stack) - 1;
    tp_stack_release(stack);
    touch(guard);
}

static char *closed_page;

static void touch_a_closed_page(void)
{
    watched(16 * KIB);
    closed_page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    touch(closed_page);
}

static void touch_beyond_a_file(void)
{
    FILE *file = tmpfile();
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    watched(16 * KIB);
    touch(page);
}

static void on_signal(int number)
{
    (void)number;
    _exit(HANDLED);
}

static void on_signal_info(int number, siginfo_t *info, void *context)
{
    if (number == SIGSEGV && info->si_addr == closed_page && context)
        _exit(HANDLED);
}

static void touch_with_a_handler(void)
{
    signal(SIGSEGV, on_signal);
    touch_a_closed_page();
}

static void touch_with_a_handler_of_information(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = on_signal_info;
    sigaction(SIGSEGV, &action, NULL);
    touch_a_closed_page();
}

static void touch_though_ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    touch_a_closed_page();
}

static void compare_handlers(void)
{
    struct sigaction segv, bus;
    watched(16 * KIB);
    sigaction(SIGSEGV, NULL, &segv);
    sigaction(SIGBUS, NULL, &bus);
    if (segv.sa_sigaction == bus.sa_sigaction && bus.sa_handler != SIG_DFL)
        _exit(HANDLED);
}

static void send(void)
{
    watched(16 * KIB);
    raise(SIGSEGV);
}

static void send_though_ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    send();
}

static void overflow_in_spite_of_a_handler(void)
{
    signal(SIGSEGV, on_signal);
    touch_the_guard();
}

/* -- tests -------------------------------------------------------------------------------------------- */

static const char FETCH[] = "tidepool: stack overflow in coroutine fetch: 16384 bytes, high water 1000\n";

static void test_guard(void **state)
{
    (void)state;
    assert_aborts(touch_the_guard, FETCH);
    assert_aborts(touch_a_protected_guard, FETCH);
    assert_aborts(overflow_in_spite_of_a_handler, FETCH);
    assert_aborts(touch_the_guards_end, "tidepool: stack overflow in coroutine fetch: 16384 bytes, high water 0\n");
    assert_aborts(jump_over_a_page, "tidepool: stack overflow in coroutine fetch: 16384 bytes, high water 0\n");
}

static void test_names(void **state)
{
    (void)state;
    assert_aborts(touch_a_guard_without_name,
        "tidepool: stack overflow in coroutine (no name): 65536 bytes, high water 0\n");
    assert_aborts(touch_without_namer, "tidepool: stack overflow in coroutine (no name): 16384 bytes, high water 0\n");
}

static void assert_recursion(void (*body)(void))
{
    const size_t room = 16 * KIB - 64 - TP_STACK_CANARY_BYTES;
    int status = run(body);
    size_t high_water = 0;
    const char *line = strstr(said, "tidepool: "); /* a sanitizer may warn of swapcontext before */
    assert_non_null(line);
    assert_int_equal(sscanf(line, "tidepool: stack overflow in coroutine fetch: 16384 bytes, high water %zu\n", &high_water), 1);
    assert_true(high_water <= room && high_water > room - 1000);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_recursion(void **state)
{
    (void)state;
    assert_recursion(recurse);
    assert_recursion(recurse_in_a_thread);
}

static void test_release(void **state)
{
    (void)state;
    assert_aborts(overflow_without_guard,
        "tidepool: stack overflow in coroutine fetch: 16384 bytes, high water 16256\n");
    assert_exits(overflow_above_the_front, 0);
    assert_aborts(release_twice, "tidepool: a stack was released twice in coroutine fetch: 16384 bytes, high water 0\n");
    assert_aborts(overwrite_the_header,
        "tidepool: the header of a stack was overwritten, perhaps by an overflow of its neighbour\n");
}

static void test_other_faults(void **state)
{
    (void)state;
    assert_dies(touch_an_idle_guard, SIGSEGV);
    assert_dies(touch_a_closed_page, SIGSEGV);
    assert_dies(touch_beyond_a_file, SIGBUS);
    assert_dies(touch_though_ignored, SIGSEGV);
    assert_dies(send, SIGSEGV);
    assert_exits(send_though_ignored, 0);
    assert_exits(compare_handlers, HANDLED);
    assert_exits(touch_with_a_handler, HANDLED);
    assert_exits(touch_with_a_handler_of_information, HANDLED);
}

/* A thread that has one keeps its signal stack; ours goes with the thread. */
static void test_signal_stack(void **state)
{
    static char memory[64 * KIB];
    stack_t own = {.ss_sp = memory, .ss_size = sizeof memory}, before, found;
    (void)state;
    sigaltstack(&own, &before);
    tp_stack_watch_faults();
    tp_stack_thread_end();
    sigaltstack(&before, &found);
    assert_ptr_equal(found.ss_sp, memory);
    for (int i = 0; i < 3; i++) {
        struct crowd crowd = {.n = 0};
        bool is_right = false;
        crowd_add(&crowd, watch_and_end, &is_right);
        crowd_join(&crowd);
        assert_true(is_right);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guard),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_release),
        cmocka_unit_test(test_other_faults),
        cmocka_unit_test(test_signal_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
