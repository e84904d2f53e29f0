/* A task of a pool that overflows its stack: the report names the pool, the size, and how deep the stack was used.
 * In a child, which has all the threads. */
#include "behaviour.h"

#include "coro/stack.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

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

/* It may run on any worker, and each needs a call. */
static int dig_run(void *argument)
{
    if (argument && tp_stack_watch_faults() != 0)
        return -1;
    return (int)dig(0);
}

static void overflow(bool is_watched)
{
    struct job_pool *pool = pool_open(2, 10);
    struct call call = {dig_run, is_watched ? &call : NULL};
    submit(pool, &call);
    job_pool_free(pool);
}

/* Returns how the child ended; `said` is what it wrote to its standard error. */
static int run(bool is_watched, char *said, size_t bytes)
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
        overflow(is_watched);
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t more; n + 1 < bytes && (more = read(ends[0], said + n, bytes - 1 - n)) > 0;)
        n += (size_t)more;
    said[n] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_reported(void **state)
{
    (void)state;
    char said[1024];
    size_t bytes = 0, high_water = 0;
    int status = run(true, said, sizeof said);
    assert_int_equal(sscanf(said, "tidepool: stack overflow in coroutine job: %zu bytes, high water %zu\n", &bytes, &high_water), 2);
    assert_int_equal(bytes, VALUE_STACK);
    assert_true(high_water <= bytes && high_water > bytes - 1024);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* On a worker that does not watch. */
static void test_not_watched(void **state)
{
    (void)state;
    char said[1024];
    int status = run(false, said, sizeof said);
    assert_string_equal(said, "");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reported),
        cmocka_unit_test(test_not_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
