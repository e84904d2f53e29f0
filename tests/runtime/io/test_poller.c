/* The back ends below the driver, side by side: many events in a small ring, the end of the thread that asked, files that end when they
 * are closed, the child of a fork, systems that refuse, and the choice. Where the kernel has no io_uring, epoll stands in for it. */
#include "tests/support/unit.h"

#include "runtime/clock.h"
#include "runtime/io/backend.h"
#include "runtime/io/poller_uring.h"
#include "runtime/base/status.h"
#include "runtime/io/driver.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 1000 };

/* -- a system that refuses -------------------------------------------------------------------------- */

static long refused_call, refused_error; /* by one thread */

long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    bool is_wait = number == SYS_io_uring_enter && b == 0;
    if (refused_call == 0 || number != refused_call || is_wait)
        return __real_syscall(number, a, b, c, d, e, f);
    errno = (int)refused_error;
    return -1;
}

/* -- what each has to do ------------------------------------------------------------------------------ */

/* The ring has room for four events; the kernel must keep the others. */
static void open_small(struct tp_poller *poller, bool is_uring)
{
    poller->kind = &tp__poller_uring;
    if (is_uring && tp__uring_open(poller, 4) == 0)
        return;
    poller->kind = &tp__poller_epoll;
    assert_int_equal(poller->kind->open(poller), 0);
}

#define EACH_POLLER(poller)                    \
    for (int which_ = 0; which_ < 2; which_++) \
        for (struct tp_poller poller, *once_ = (open_small(&poller, which_ == 1), &poller); once_; poller.kind->close(&poller, true), once_ = NULL)

static int new_event(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

static void count_up(int fd)
{
    uint64_t one = 1;
    assert_int_equal(write(fd, &one, sizeof one), sizeof one);
}

/* Takes events until each of n numbers from 0 on had these bits. */
static void await_all(struct tp_poller *poller, uint64_t n, uint32_t bits)
{
    static bool seen[MANY];
    memset(seen, 0, sizeof seen);
    for (uint64_t n_seen = 0; n_seen < n;) {
        struct tp_driver_event events[16];
        int n_events = poller->kind->wait(poller, events, 16, TP_FOREVER);
        for (int i = 0; i < n_events; i++) {
            assert_true(events[i].data < n);
            bool is_new = (events[i].bits & bits) != 0 && !seen[events[i].data];
            n_seen += is_new;
            seen[events[i].data] |= is_new;
            if (events[i].is_last) /* the kernel may end a request whose event did not fit */
                assert_int_equal(poller->kind->watch(poller, (int)(uint32_t)events[i].data + 1000, events[i].data), 0);
        }
    }
}

static void test_many_in_a_small_ring(void **state)
{
    (void)state;
    EACH_POLLER(poller)
    {
        for (int i = 0; i < MANY; i++) { /* numbers of their own, so that await_all finds them */
            int fd = new_event();
            assert_int_equal(dup2(fd, i + 1000), i + 1000);
            close(fd);
            assert_int_equal(poller.kind->watch(&poller, i + 1000, (uint64_t)i), 0);
        }
        await_all(&poller, MANY, EPOLLOUT); /* as they are */
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < MANY; i++)
                count_up(i + 1000);
            await_all(&poller, MANY, EPOLLIN);
        }
        for (int i = 0; i < MANY; i++) {
            poller.kind->forget(&poller, i + 1000, (uint64_t)i);
            close(i + 1000);
        }
    }
}

static void test_deadlines(void **state)
{
    (void)state;
    EACH_POLLER(poller)
    {
        struct tp_driver_event event;
        assert_int_equal(poller.kind->wait(&poller, &event, 1, 0), 0);
        uint64_t until_ns = tp_deadline_in_ns(3 * TP_MILLISECOND);
        assert_int_equal(poller.kind->wait(&poller, &event, 1, until_ns), 0);
        assert_true(tp_clock_now_ns() >= until_ns);
        assert_int_equal(poller.kind->wait(&poller, &event, 1, 1), 0); /* over already */
    }
}

struct request {
    struct tp_poller *poller;
    int fd;
    uint64_t data;
};

static void *ask(void *argument)
{
    struct request *request = argument;
    assert_int_equal(request->poller->kind->watch(request->poller, request->fd, request->data), 0);
    return NULL;
}

/* The kernel ends a request of a thread that has ended when there is an event, and says so: none is lost without a word. */
static void test_the_end_of_who_asked(void **state)
{
    (void)state;
    EACH_POLLER(poller)
    {
        pthread_t thread;
        struct request request = {&poller, new_event(), 7};
        assert_int_equal(pthread_create(&thread, NULL, ask, &request), 0);
        pthread_join(thread, NULL);
        uint32_t bits = 0;
        for (count_up(request.fd); !(bits & EPOLLIN);) {
            struct tp_driver_event event;
            if (poller.kind->wait(&poller, &event, 1, TP_FOREVER) == 0)
                continue;
            assert_int_equal(event.data, 7);
            assert_int_equal(event.status, 0);
            bits |= event.bits;
            if (event.is_last)
                ask(&request);
        }
        poller.kind->forget(&poller, request.fd, 7);
        close(request.fd);
    }
}

/* A bell is heard whoever asked for it. */
static void test_the_bell_of_a_thread_that_ended(void **state)
{
    (void)state;
    EACH_POLLER(poller)
    {
        pthread_t thread;
        struct request request = {&poller, new_event(), TP_POLLER_BELL};
        assert_int_equal(pthread_create(&thread, NULL, ask, &request), 0);
        pthread_join(thread, NULL);
        for (int i = 0; i < 3; i++) {
            uint32_t bits = 0;
            refused_error = ENOMEM;
            refused_call = i == 0 ? SYS_io_uring_enter : 0; /* there is no memory for another request at first */
            for (count_up(request.fd); !(bits & EPOLLIN);) {
                struct tp_driver_event event;
                if (poller.kind->wait(&poller, &event, 1, TP_FOREVER) == 1)
                    bits |= event.bits;
                else
                    refused_call = 0;
            }
            refused_call = 0;
        }
        close(request.fd);
    }
}

/* What is forgotten and closed has ended: its peer hears of it. So it does when the poller is closed, whoever has a copy. */
static void test_files_end(void **state)
{
    (void)state;
    for (int forgets = 0; forgets < 2; forgets++) {
        int ends[2][2], copy = -1;
        int at = 0;
        EACH_POLLER(poller)
        {
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[at]), 0);
            assert_int_equal(poller.kind->watch(&poller, ends[at][0], 5), 0);
            copy = forgets ? -1 : dup(poller.fd);
            if (forgets) {
                char byte;
                poller.kind->forget(&poller, ends[at][0], 5);
                close(ends[at][0]);
                assert_int_equal(read(ends[at][1], &byte, 1), 0);
                close(ends[at][1]);
            }
            at++;
        }
        for (at = 0; at < 2 && !forgets; at++) {
            char byte;
            close(ends[at][0]);
            assert_int_equal(read(ends[at][1], &byte, 1), 0);
            close(ends[at][1]);
        }
        if (copy >= 0)
            close(copy);
    }
}

/* A child closes what it has inherited; the parent's is as it was. */
static void test_child(void **state)
{
    (void)state;
    EACH_POLLER(poller)
    {
        struct tp_driver_event event;
        int fd = new_event(), ended, status = 0;
        assert_int_equal(poller.kind->watch(&poller, fd, 3), 0);
        assert_int_equal(poller.kind->wait(&poller, &event, 1, TP_FOREVER), 1);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            poller.kind->close(&poller, false);
            _exit(0);
        }
        ended = (int)waitpid(child, &status, 0);
        assert_int_equal(ended, child);
        assert_int_equal(status, 0);
        count_up(fd);
        assert_int_equal(poller.kind->wait(&poller, &event, 1, TP_FOREVER), 1);
        assert_int_equal(event.data, 3);
        assert_true(event.bits & EPOLLIN);
        assert_false(event.is_last);
        poller.kind->forget(&poller, fd, 3);
        close(fd);
    }
}

/* -- the choice --------------------------------------------------------------------------------------- */

static enum tp_io_backend open_one(void)
{
    struct tp_poller poller;
    int bell = new_event();
    assert_int_equal(tp__poller_open(&poller, bell), 0);
    assert_int_equal(tp_io_in_force(), poller.kind == &tp__poller_uring ? TP_IO_URING : TP_IO_EPOLL);
    poller.kind->close(&poller, true);
    close(bell);
    return tp_io_in_force();
}

/* What comes of a choice, in a process of its own. */
static enum tp_io_backend outcome(enum tp_io_backend choice, const char *variable)
{
    pid_t child = fork();
    if (child == 0) {
        if (variable)
            setenv("TIDEPOOL_IO", variable, 1);
        else
            unsetenv("TIDEPOOL_IO");
        bool is_right = tp_io_in_force() == TP_IO_AUTO && tp_io_choose((enum tp_io_backend)9) == TP_EINVAL && tp_io_choose(choice) == 0;
        enum tp_io_backend found = open_one();
        is_right = is_right && tp_io_choose(choice) == TP_EBUSY;
        _exit(is_right ? (int)found : 99);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (enum tp_io_backend)WEXITSTATUS(status);
}

static void test_choice(void **state)
{
    (void)state;
    struct tp_poller probe;
    enum tp_io_backend best = TP_IO_EPOLL;
    if (tp__uring_open(&probe, 4) == 0) {
        best = TP_IO_URING;
        tp__poller_uring.close(&probe, true);
    }
    assert_int_equal(outcome(TP_IO_AUTO, NULL), TP_IO_EPOLL);
    assert_int_equal(outcome(TP_IO_AUTO, "auto"), TP_IO_EPOLL);
    assert_int_equal(outcome(TP_IO_AUTO, "epoll"), TP_IO_EPOLL);
    assert_int_equal(outcome(TP_IO_AUTO, "kqueue"), TP_IO_EPOLL);
    assert_int_equal(outcome(TP_IO_AUTO, "io_uring"), best);
    assert_int_equal(outcome(TP_IO_EPOLL, "io_uring"), TP_IO_EPOLL);
    assert_int_equal(outcome(TP_IO_URING, "epoll"), best);
    static const struct {
        long call, error;
    } refusals[] = {{SYS_io_uring_setup, ENOSYS}, {SYS_io_uring_setup, EPERM}, {SYS_io_uring_setup, ENOMEM}, {SYS_io_uring_register, EINVAL},
        {SYS_io_uring_enter, EPERM}};
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        refused_call = refusals[i].call;
        refused_error = refusals[i].error;
        assert_int_equal(outcome(TP_IO_URING, NULL), TP_IO_EPOLL);
    }
    refused_call = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_many_in_a_small_ring),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_the_end_of_who_asked),
        cmocka_unit_test(test_the_bell_of_a_thread_that_ended),
        cmocka_unit_test(test_files_end),
        cmocka_unit_test(test_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
