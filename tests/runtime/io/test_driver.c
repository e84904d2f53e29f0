/* The driver where the system has no epoll_pwait2, or a sandbox refuses it: it sleeps all the same, and not too short. */
#include "tests/support/unit.h"

#include "runtime/clock.h"
#include "runtime/io/driver.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* From here on epoll_pwait2 fails with that error in this process. */
static bool refuse(unsigned error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* In a child. Returns 0 if all is well; 77 if there are no sandboxes here. */
static int sleep_without(unsigned error)
{
    struct tp_driver driver;
    tp_driver_init(&driver);
    if (tp_driver_open(&driver) != 0)
        return 1;
    if (!refuse(error))
        return 77;
    for (int i = 0; i < 3; i++) {
        uint64_t until_ns = tp_deadline_in_ns(TP_MILLISECOND / 2);
        tp_driver_poll(&driver, until_ns);
        if (tp_clock_now_ns() < until_ns)
            return 2;
    }
    tp__bell_ring(driver.bell);
    tp_driver_poll(&driver, TP_FOREVER); /* not for ever */
    bool was_told = driver.n_events == 1 && tp_driver_dispatch(&driver) == 0;
    tp_driver_free(&driver);
    return was_told ? 0 : 3;
}

static void test_without_pwait2(void **state)
{
    (void)state;
    const unsigned errors[] = {ENOSYS, EPERM};
    for (int i = 0; i < 2; i++) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(sleep_without(errors[i]));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_without_pwait2)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
