/* Calls on descriptors under hostile conditions: each ended in each way, what readiness remembers, broken ends, a system that has
 * no descriptors or memory left, and pools that end while their tasks wait. */
#include "callers.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>

enum { WAITERS = 8 };

/* -- a system that refuses -------------------------------------------------------------------------- */

enum refusal {
    NOTHING,
    EPOLL,
    EVENTFD,
    CONTROL,
    MEMORY
};

static tp_atomic(uint32_t) refused;

/* How far a close is that stays where it takes its descriptor from a driver. */
enum stage {
    PASSES,
    STAYS, /* the next one does */
    IS_THERE,
    MAY_GO
};

static tp_atomic(uint32_t) stage;
static _Thread_local bool is_freeing;
static long withdrawn; /* what it came to */

int __real_epoll_create1(int flags);
int __wrap_epoll_create1(int flags);
int __real_eventfd(unsigned value, int flags);
int __wrap_eventfd(unsigned value, int flags);
int __real_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
void *__real_malloc(size_t n_bytes);
void *__wrap_malloc(size_t n_bytes);
int __real_sched_yield(void);
int __wrap_sched_yield(void);

static bool is_refused(enum refusal what)
{
    return tp_load_sc(&refused) == (uint32_t)what;
}

int __wrap_epoll_create1(int flags)
{
    errno = EMFILE;
    return is_refused(EPOLL) ? -1 : __real_epoll_create1(flags);
}

int __wrap_eventfd(unsigned value, int flags)
{
    errno = ENFILE;
    return is_refused(EVENTFD) ? -1 : __real_eventfd(value, flags);
}

/* Returns whether this is the close that has stayed. */
static bool may_stay(void)
{
    uint32_t stays = STAYS;
    if (!tp_cas_sc(&stage, &stays, IS_THERE))
        return false;
    while (tp_load_sc(&stage) == IS_THERE)
        __real_sched_yield();
    return true;
}

/* Who frees a driver gives way while somebody is in it. */
int __wrap_sched_yield(void)
{
    if (is_freeing)
        tp_store_sc(&stage, MAY_GO);
    return __real_sched_yield();
}

int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_DEL && may_stay())
        return (int)(withdrawn = __real_epoll_ctl(epoll, operation, fd, event));
    errno = ENOSPC;
    return is_refused(CONTROL) && operation == EPOLL_CTL_ADD ? -1 : __real_epoll_ctl(epoll, operation, fd, event);
}

/* The same of the other back end. */
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (number == SYS_io_uring_register && may_stay())
        return withdrawn = __real_syscall(number, a, b, c, d, e, f);
    bool is_open = number == SYS_io_uring_setup && is_refused(EPOLL);
    bool is_request = number == SYS_io_uring_enter && b == 1 && is_refused(CONTROL);
    if (!is_open && !is_request)
        return __real_syscall(number, a, b, c, d, e, f);
    errno = is_open ? EMFILE : ENOSPC;
    return -1;
}

void *__wrap_malloc(size_t n_bytes)
{
    return is_refused(MEMORY) && n_bytes == sizeof(struct tp_fd_link) ? NULL : __real_malloc(n_bytes);
}

/* -- each call, ended in each way ------------------------------------------------------------------- */

static void test_each_end_of_each_call(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        for (int i = 0; i < CALLS; i++) {
            struct tp_fd ends[2];
            calls[i].make(ends);
            if (calls[i].fills)
                fill(ends[0]);
            struct caller caller = {.fd = ends[0], .call = calls[i].call, .n = 77}, late = caller;
            const uint64_t deadlines[] = {0, 1, tp_deadline_in_ns(1000000)};
            for (int k = 0; k < 3; k++) {
                caller.deadline_ns = deadlines[k];
                place_start(&place, run_caller, &caller);
                place_join(&place);
                assert_int_equal(caller.status, TP_ETIMEDOUT);
                assert_int_equal(n_waiting(ends[0]), 0);
            }
            caller.deadline_ns = TP_FOREVER;
            if (place.workers > 0) {
                place_start(&place, run_caller, &caller);
                await_waiting(ends[0], 1);
                place_cancel(&place);
                place_join(&place);
                assert_int_equal(caller.status, TP_ECANCELED);
                assert_int_equal(n_waiting(ends[0]), 0);
            }
            assert_true(caller.n == (caller.call == call_write_all ? 0 : 77)); /* untouched */
            late.deadline_ns = tp_deadline_in_ns(3600 * TP_SECOND);
            place_start(&place, run_caller, &caller);
            place_start(&place, run_caller, &late);
            await_waiting(ends[0], 2);
            assert_int_equal(tp_fd_close(ends[0]), 0);
            place_join(&place);
            assert_int_equal(caller.status, TP_ECLOSED);
            assert_int_equal(late.status, TP_ECLOSED);
            place_start(&place, run_caller, &caller);
            place_join(&place);
            assert_int_equal(caller.status, TP_ESTALE);
            assert_int_equal(fcntl(ends[0].fd, F_GETFD), -1);
            assert_int_equal(tp_fd_close(ends[1]), 0);
        }
    }
}

/* Reads byte for byte, until that fails. */
static int call_read_bytes(struct caller *caller)
{
    int status;
    while ((status = tp_read(caller->fd, caller->bytes, 1, caller->deadline_ns, NULL)) == 0)
        caller->n++;
    return status;
}

static void test_cancel_at_each_wait(void **state)
{
    (void)state;
    EACH_POOL(place)
    {
        for (size_t k = 0; k < 5; k++) {
            struct tp_fd ends[2];
            connect_tcp(ends);
            struct caller caller = {.fd = ends[0], .call = call_read_bytes, .deadline_ns = TP_FOREVER};
            place_start(&place, run_caller, &caller);
            for (size_t i = 0; i < k; i++) {
                await_waiting(ends[0], 1);
                assert_int_equal(tp_write(ends[1], "x", 1, TP_FOREVER, NULL), 0);
                int left;
                do /* until it was read */
                    assert_int_equal(ioctl(ends[0].fd, FIONREAD, &left), 0);
                while (left > 0);
            }
            await_waiting(ends[0], 1);
            place_cancel(&place);
            place_join(&place);
            assert_int_equal(caller.status, TP_ECANCELED);
            assert_int_equal(caller.n, k);
            close_all(ends, 2);
        }
    }
}

/* -- what readiness remembers ----------------------------------------------------------------------- */

/* Who does not wait is told of what came since the last attempt. */
static void test_looks_without_waiting(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct tp_fd ends[2];
        connect_tcp(ends);
        struct caller caller = {.fd = ends[0], .call = call_read};
        for (int round = 0; round < 5; round++) {
            place_start(&place, run_caller, &caller);
            place_join(&place);
            assert_int_equal(caller.status, TP_ETIMEDOUT);
            assert_int_equal(tp_write(ends[1], "x", 1, 0, NULL), 0);
            caller.deadline_ns = round % 2 == 0 ? 0 : 1; /* 1: long past */
            place_start(&place, run_caller, &caller);
            place_join(&place);
            assert_int_equal(caller.status, 0);
            assert_int_equal(caller.n, 1);
        }
        close_all(ends, 2);
    }
}

/* Waiting for room does not forget that the input has ended. */
static int call_end_then_room(struct caller *caller)
{
    int status = tp_read(caller->fd, caller->bytes, sizeof caller->bytes, TP_FOREVER, &caller->n); /* waits, so that it is watched */
    while (tp_fiber_self() && status == 0 && !(tp_load_sc(&find_slot(caller->fd.fd)->ready) & READ_END))
        status = tp_yield(); /* until the end is known */
    if (status == 0)
        status = tp_read(caller->fd, caller->bytes, sizeof caller->bytes, TP_FOREVER, &caller->n); /* the rest, and that it was short */
    while (status == 0 && tp_fd_wait(caller->fd, TP_FD_WRITABLE, 1, NULL) == 0)
        fill(caller->fd); /* what was on its way has arrived */
    return status != 0 ? status : tp_read(caller->fd, caller->bytes, sizeof caller->bytes, TP_FOREVER, &caller->n);
}

static void test_end_and_room(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct tp_fd ends[2];
        connect_tcp(ends);
        struct caller caller = {.fd = ends[0], .call = call_end_then_room};
        fill(ends[0]);
        place_start(&place, run_caller, &caller);
        await_waiting(ends[0], 1);
        assert_int_equal(tp_write(ends[1], "1234567890123456ab", 18, 0, NULL), 0);
        assert_int_equal(tp_shutdown(ends[1], TP_FD_WRITABLE), 0);
        place_join(&place);
        assert_int_equal(caller.status, 0);
        assert_int_equal(caller.n, 0);
        close_all(ends, 2);
    }
}

/* A read ends before an urgent byte, though there is more behind it; and an urgent byte alone is nothing to be read. */
static tp_atomic(uint32_t) n_read;

static int call_read_to_end(struct caller *caller)
{
    char bytes[64];
    size_t n;
    int status = tp_read(caller->fd, bytes, 1, TP_FOREVER, &n); /* waits, so that it is watched */
    while (tp_fiber_self() && status == 0 && !(tp_load_sc(&find_slot(caller->fd.fd)->ready) & URGENT))
        status = tp_yield(); /* until all is there */
    while (status == 0 && (status = tp_read(caller->fd, bytes, sizeof bytes, TP_FOREVER, &n)) == 0 && n > 0)
        tp_add_sc(&n_read, (uint32_t)n);
    return status;
}

static void test_urgent_bytes(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct tp_fd ends[2];
        connect_tcp(ends);
        struct caller caller = {.fd = ends[0], .call = call_wait_readable, .deadline_ns = 0};
        caller.call = call_read_to_end;
        place_start(&place, run_caller, &caller);
        await_waiting(ends[0], 1);
        assert_int_equal(send(ends[1].fd, "0ab", 3, MSG_MORE), 3);
        assert_int_equal(send(ends[1].fd, "!", 1, MSG_OOB | MSG_MORE), 1);
        assert_int_equal(send(ends[1].fd, "cd", 2, 0), 2);
        while (tp_load_sc(&n_read) < 4) /* not by what the end brings */
            sched_yield();
        await_waiting(ends[0], 1);
        assert_int_equal(tp_shutdown(ends[1], TP_FD_WRITABLE), 0);
        place_join(&place);
        assert_int_equal(caller.status, 0);
        assert_int_equal(tp_swap_acq_rel(&n_read, 0), 4);
        close_all(ends, 2);
        connect_tcp(ends);
        caller = (struct caller){.fd = ends[0], .call = call_wait_readable};
        assert_int_equal(send(ends[1].fd, "!", 1, MSG_OOB), 1);
        struct pollfd urgent = {.fd = ends[0].fd, .events = POLLPRI};
        while (poll(&urgent, 1, -1) != 1)
            ;
        place_start(&place, run_caller, &caller);
        place_join(&place);
        assert_int_equal(caller.status, TP_ETIMEDOUT);
        close_all(ends, 2);
    }
}

/* Reads of a Unix stream end where descriptors were sent along. */
static void send_with_descriptor(struct tp_fd fd, const char *bytes, size_t n_bytes)
{
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {(void *)(uintptr_t)bytes, n_bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(head), &(int){2}, sizeof(int));
    assert_int_equal(sendmsg(fd.fd, &message, MSG_NOSIGNAL), n_bytes);
}

static void test_short_reads_of_unix_streams(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct tp_fd ends[2];
        pair(ends);
        struct caller caller = {.fd = ends[0], .call = call_read_all, .deadline_ns = TP_FOREVER};
        for (int i = 0; i < 3; i++)
            send_with_descriptor(ends[1], "abcd", 4);
        assert_int_equal(tp_write(ends[1], "efgh", 4, 0, NULL), 0);
        place_start(&place, run_caller, &caller);
        place_join(&place);
        assert_int_equal(caller.status, 0);
        assert_memory_equal(caller.bytes, "abcdabcdabcdefgh", 16);
        close_all(ends, 2);
    }
}

/* -- broken ends ------------------------------------------------------------------------------------ */

static void test_nobody_reads(void **state)
{
    (void)state;
    static void (*const make[])(struct tp_fd ends[2]) = {pair, pipe_forwards};
    signal(SIGPIPE, SIG_DFL); /* it would end the program */
    EACH_PLACE(place)
    {
        for (int i = 0; i < 2; i++) {
            struct tp_fd ends[2];
            make[i](ends);
            struct caller caller = {.fd = ends[0], .call = call_write}, waits = {.fd = ends[0], .call = call_write, .deadline_ns = TP_FOREVER};
            fill(ends[0]);
            place_start(&place, run_caller, &waits);
            await_waiting(ends[0], 1);
            assert_int_equal(tp_fd_close(ends[1]), 0);
            place_join(&place);
            assert_int_equal(waits.status, TP_EPIPE);
            assert_int_equal(waits.error, EPIPE);
            place_start(&place, run_caller, &caller);
            place_join(&place);
            assert_int_equal(caller.status, TP_EPIPE);
            sigset_t pending;
            sigpending(&pending);
            assert_false(sigismember(&pending, SIGPIPE));
            assert_int_equal(tp_fd_close(ends[0]), 0);
        }
    }
}

static void test_reset(void **state)
{
    (void)state;
    EACH_PLACE(place)
    {
        struct tp_fd ends[2];
        connect_tcp(ends);
        struct caller caller = {.fd = ends[0], .call = call_read, .deadline_ns = TP_FOREVER};
        place_start(&place, run_caller, &caller);
        await_waiting(ends[0], 1);
        struct linger at_once = {.l_onoff = 1};
        assert_int_equal(setsockopt(ends[1].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
        assert_int_equal(tp_fd_close(ends[1]), 0);
        place_join(&place);
        assert_int_equal(caller.status, TP_ERESET);
        assert_int_equal(caller.error, ECONNRESET);
        assert_int_equal(tp_fd_close(ends[0]), 0);
    }
}

/* -- no room ---------------------------------------------------------------------------------------- */

static void test_refused_waits(void **state)
{
    (void)state;
    static const struct {
        enum refusal what;
        int as_task, as_thread;
    } cases[] = {
        {EPOLL, TP_EMFILE, TP_ETIMEDOUT},
        {EVENTFD, TP_EMFILE, TP_EMFILE},
        {CONTROL, TP_ENOSPC, TP_ETIMEDOUT},
        {MEMORY, TP_ENOMEM, TP_ETIMEDOUT},
    };
    EACH_PLACE(place)
    {
        struct tp_fd ends[2];
        pair(ends);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct caller caller = {.fd = ends[0], .call = call_read, .deadline_ns = tp_deadline_in_ns(1000000)};
            tp_store_sc(&refused, (uint32_t)cases[i].what);
            place_start(&place, run_caller, &caller);
            place_join(&place);
            tp_store_sc(&refused, NOTHING);
            assert_int_equal(caller.status, place.workers > 0 ? cases[i].as_task : cases[i].as_thread);
            assert_int_equal(n_waiting(ends[0]), 0);
        }
        struct caller caller = {.fd = ends[0], .call = call_read, .deadline_ns = TP_FOREVER};
        place_start(&place, run_caller, &caller);
        await_waiting(ends[0], 1);
        assert_int_equal(tp_write(ends[1], "x", 1, 0, NULL), 0);
        place_join(&place);
        assert_int_equal(caller.status, 0);
        struct tp_fd others[2];
        pair(others);
        caller = (struct caller){.fd = others[0], .call = call_read, .deadline_ns = tp_deadline_in_ns(1000000)};
        tp_store_sc(&refused, CONTROL);
        place_start(&place, run_caller, &caller);
        place_join(&place);
        tp_store_sc(&refused, NOTHING);
        assert_int_equal(caller.status, place.workers > 0 ? TP_ENOSPC : TP_ETIMEDOUT); /* now that the driver is open */
        caller.deadline_ns = TP_FOREVER;
        place_start(&place, run_caller, &caller);
        await_waiting(others[0], 1);
        assert_int_equal(tp_write(others[1], "x", 1, 0, NULL), 0);
        place_join(&place);
        assert_int_equal(caller.status, 0);
        close_all(others, 2);
        close_all(ends, 2);
    }
}

/* -- one of several -------------------------------------------------------------------------------- */

/* One that waits for two descriptors and a channel, again and again. */
struct chooser {
    struct tp_fd fds[2];
    struct tp_chan *chan;
    uint64_t deadline_ns;
    int status;
    size_t n[3]; /* how often each has happened */
};

static int choose(void *argument)
{
    struct chooser *chooser = argument;
    for (;;) {
        unsigned which[2] = {0, 0};
        int value = 0;
        size_t index = 3;
        struct tp_case cases[] = {tp_case_fd(chooser->fds[0], TP_FD_READABLE, &which[0]),
            tp_case_fd(chooser->fds[1], TP_FD_READABLE | TP_FD_WRITABLE, &which[1]), tp_case_recv(chooser->chan, &value)};
        chooser->status = tp_select(cases, 3, chooser->deadline_ns, &index);
        if (chooser->status != 0)
            return 0;
        chooser->n[index] += index == 2 ? value == 17 : which[index] == TP_FD_READABLE;
        char byte;
        if (index < 2)
            tp_read(chooser->fds[index], &byte, 1, 0, NULL);
    }
}

static void test_one_of_several(void **state)
{
    (void)state;
    EACH_POOL(place)
    {
        struct tp_fd ends[2][2];
        struct chooser chooser = {.deadline_ns = TP_FOREVER};
        const int value = 17;
        assert_int_equal(tp_chan_open(&chooser.chan, sizeof(int), 64), 0);
        for (int i = 0; i < 2; i++) {
            pair(ends[i]);
            chooser.fds[i] = ends[i][0];
        }
        fill(ends[1][0]); /* so that it is readable at most */
        place_start(&place, choose, &chooser);
        for (int i = 0; i < 60; i++) {
            if (i % 2 == 0) /* else perhaps while it is awake */
                await_waiting(ends[0][0], 1);
            if (i % 3 == 2)
                assert_int_equal(tp_chan_send(chooser.chan, &value, TP_FOREVER), 0);
            else
                assert_int_equal(tp_write(ends[i % 3][1], "x", 1, 0, NULL), 0);
        }
        int left;
        for (int i = 0; i < 2; i++)
            do /* until all was read */
                assert_int_equal(ioctl(ends[i][0].fd, FIONREAD, &left), 0);
            while (left > 0);
        while (tp_chan_count(chooser.chan) > 0)
            sched_yield();
        await_waiting(ends[0][0], 1);
        await_waiting(ends[1][0], 1);
        assert_int_equal(tp_fd_close(ends[0][0]), 0);
        place_join(&place);
        assert_int_equal(chooser.status, TP_ESTALE);
        for (int i = 0; i < 3; i++)
            assert_int_equal(chooser.n[i], 20);
        assert_int_equal(tp_fd_close(ends[0][1]), 0);
        pair(ends[0]);
        chooser.fds[0] = ends[0][0];
        chooser.deadline_ns = tp_deadline_in_ns(1000000);
        place_start(&place, choose, &chooser);
        place_join(&place);
        assert_int_equal(chooser.status, TP_ETIMEDOUT);
        chooser.deadline_ns = TP_FOREVER;
        place_start(&place, choose, &chooser);
        await_waiting(ends[0][0], 1);
        place_cancel(&place);
        place_join(&place);
        assert_int_equal(chooser.status, TP_ECANCELED);
        assert_int_equal(n_waiting(ends[0][0]) + n_waiting(ends[1][0]), 0);
        for (int i = 0; i < 2; i++)
            close_all(ends[i], 2);
        tp_chan_free(chooser.chan);
    }
    struct tp_fd ends[2];
    size_t index;
    pair(ends);
    struct tp_case here = tp_case_fd(ends[0], TP_FD_READABLE, NULL), there = tp_case_fd(ends[0], TP_FD_WRITABLE, NULL);
    assert_int_equal(tp_select(&here, 1, 0, &index), TP_ENOTSUP); /* a thread is not told */
    assert_int_equal(tp_select(&there, 1, 0, &index), 0);
    close_all(ends, 2);
}

/* -- pools that end --------------------------------------------------------------------------------- */

static tp_atomic(uint32_t) n_over;

static int run_and_count(void *argument)
{
    run_caller(argument);
    tp_add_sc(&n_over, 1);
    return 0;
}

static void test_pools_that_end(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++)
        for (uint32_t workers = 1; workers <= 8; workers *= 2) {
            struct tp_pool *pool;
            struct tp_pool_settings settings = {.workers = workers, .tasks = TP_TASKS_COROUTINE};
            struct tp_fd ends[WAITERS][2];
            static struct caller callers[WAITERS];
            int before = n_descriptors();
            tp_store_sc(&n_over, 0);
            assert_int_equal(tp_pool_open(&pool, &settings), 0);
            for (int i = 0; i < WAITERS; i++) {
                pair(ends[i]);
                callers[i] = (struct caller){.fd = ends[i][0], .call = call_read, .deadline_ns = TP_FOREVER};
                assert_int_equal(tp_pool_submit(pool, run_and_count, &callers[i]), 0);
                await_waiting(ends[i][0], 1);
            }
            if (way == 0) { /* closed: its tasks end first */
                assert_int_equal(tp_pool_close(pool, tp_deadline_in_ns(1000000)), TP_ETIMEDOUT);
                for (int i = 0; i < WAITERS; i++)
                    assert_int_equal(tp_write(ends[i][1], "x", 1, 0, NULL), 0);
                tp_pool_free(pool);
            } else if (way == 1) {
                assert_int_equal(tp_pool_cancel(pool, TP_FOREVER), 0);
                tp_pool_free(pool);
            } else {
                tp_pool_abandon(pool);
                while (tp_load_sc(&n_over) < WAITERS)
                    sched_yield();
            }
            assert_int_equal(tp_load_sc(&n_over), WAITERS);
            for (int i = 0; i < WAITERS; i++) {
                assert_int_equal(callers[i].status, way == 0 ? 0 : TP_ECANCELED);
                assert_int_equal(n_waiting(ends[i][0]), 0);
                close_all(ends[i], 2);
            }
            while (n_descriptors() != before) /* an abandoned pool may be about to close its own */
                sched_yield();
        }
}

static void *close_it(void *fd)
{
    return tp_fd_close(*(struct tp_fd *)fd) == 0 ? fd : NULL;
}

/* A descriptor is closed while the pool ends whose driver watches it: the driver stays until the close is through with it. */
static void test_close_while_the_pool_ends(void **state)
{
    (void)state;
    struct place place = {.workers = 1};
    struct tp_fd ends[2];
    pthread_t closer;
    void *closed;
    place_open(&place);
    pair(ends);
    struct caller caller = {.fd = ends[0], .call = call_read, .deadline_ns = TP_FOREVER};
    place_start(&place, run_caller, &caller);
    await_waiting(ends[0], 1);
    assert_int_equal(tp_write(ends[1], "x", 1, 0, NULL), 0);
    place_join(&place);
    withdrawn = -1;
    tp_store_sc(&stage, STAYS);
    assert_int_equal(pthread_create(&closer, NULL, close_it, &ends[0]), 0);
    while (tp_load_sc(&stage) != IS_THERE)
        sched_yield();
    is_freeing = true;
    tp_pool_free(place.pool);
    is_freeing = false;
    tp_store_sc(&stage, MAY_GO);
    assert_int_equal(pthread_join(closer, &closed), 0);
    assert_ptr_equal(closed, &ends[0]);
    assert_int_equal(withdrawn, 0);
    tp_store_sc(&stage, PASSES);
    close_all(&ends[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_end_of_each_call),
        cmocka_unit_test(test_cancel_at_each_wait),
        cmocka_unit_test(test_looks_without_waiting),
        cmocka_unit_test(test_end_and_room),
        cmocka_unit_test(test_urgent_bytes),
        cmocka_unit_test(test_short_reads_of_unix_streams),
        cmocka_unit_test(test_nobody_reads),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_refused_waits),
        cmocka_unit_test(test_one_of_several),
        cmocka_unit_test(test_pools_that_end),
        cmocka_unit_test(test_close_while_the_pool_ends),
    };
    return run_here(tests);
}
