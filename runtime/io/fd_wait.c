/* Waiting for descriptors, and calls that may have to. The argument is in docs/io.md. */
#include "fd_slot.h"

#include "../base/status.h"
#include "../clock.h"
#include "../fiber.h"
#include "../fibers.h"
#include "offload.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PATIENCE = 64 }; /* calls without a wait after which a task gives way */

bool tp__slot_join(struct tp_fd_slot *slot, struct tp_party *party)
{
    tp_spin_lock(&slot->lock);
    /* Relaxed: an event sets the bits before it takes the lock; so they are seen, or it will find the party [FD-1]. */
    bool must_wait = ready_of(tp_load_rlx(&slot->ready), (unsigned)party->wanted) == 0 && !is_closing(slot);
    if (must_wait)
        tp_line_join(&slot->line, party);
    tp_spin_unlock(&slot->lock);
    return must_wait;
}

/* A task waits for an event. */
static int wait_as_task(struct tp_fd_slot *slot, struct tp_fd fd, struct tp_fiber *fiber, unsigned what, uint64_t deadline_ns)
{
    int status = tp__slot_link(slot, fd, fiber->fibers);
    if (status != 0)
        return status;
    struct tp_party party = {.wanted = what};
    tp_waiter_begin(&party.waiter);
    if (!tp__slot_join(slot, &party))
        return is_closing(slot) ? TP_ECLOSED : 0;
    fiber->n_calls = 0;
    if (!tp_party_await(&party, &slot->line, &slot->lock, deadline_ns, NULL, &status))
        tp_spin_unlock(&slot->lock);
    return status;
}

/* A thread waits by itself. Returns 0 also for nothing. */
static int wait_as_thread(struct tp_fd_slot *slot, struct tp_fd fd, unsigned what, uint64_t deadline_ns)
{
    struct thread self = {.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (self.bell < 0)
        return tp__status_of(errno);
    tp_spin_lock(&slot->lock);
    self.next = slot->threads;
    slot->threads = &self;
    tp_spin_unlock(&slot->lock);
    short events = (short)((what & TP_FD_READABLE ? POLLIN | POLLRDHUP : 0) | (what & TP_FD_WRITABLE ? POLLOUT : 0));
    struct pollfd fds[2] = {{.fd = fd.fd, .events = events}, {.fd = self.bell, .events = POLLIN}};
    struct timespec left, *limit = NULL;
    if (deadline_ns != TP_FOREVER) {
        uint64_t now_ns = tp_clock_now_ns(), left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
        left = (struct timespec){(time_t)(left_ns / TP_SECOND), (long)(left_ns % TP_SECOND)};
        limit = &left;
    }
    int n = is_closing(slot) ? 1 : ppoll(fds, 2, limit, NULL);
    tp_spin_lock(&slot->lock);
    struct thread **at = &slot->threads;
    while (*at != &self)
        at = &(*at)->next;
    *at = self.next;
    tp_spin_unlock(&slot->lock);
    close(self.bell);
    if (is_closing(slot))
        return TP_ECLOSED;
    note(slot, n > 0 ? what : 0);
    return n == 0 ? TP_ETIMEDOUT : 0;
}

static int wait_for(struct tp_fd_slot *slot, struct tp_fd fd, unsigned what, uint64_t deadline_ns)
{
    struct tp_fiber *fiber = tp_fiber_self();
    return fiber ? wait_as_task(slot, fd, fiber, what, deadline_ns) : wait_as_thread(slot, fd, what, deadline_ns);
}

/* What poll(2) says of it now. */
unsigned tp__fd_look(int fd, unsigned what)
{
    short events = (short)((what & TP_FD_READABLE ? POLLIN | POLLRDHUP : 0) | (what & TP_FD_WRITABLE ? POLLOUT : 0));
    struct pollfd one = {.fd = fd, .events = events};
    if (poll(&one, 1, 0) <= 0)
        return 0;
    return (one.revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR) ? what & TP_FD_READABLE : 0) |
           (one.revents & (POLLOUT | POLLHUP | POLLERR) ? what & TP_FD_WRITABLE : 0);
}

/* Gives way after many calls that did not have to wait: others first, and what their descriptors have to say. */
static int take_turn(struct tp_fiber *fiber)
{
    if (!fiber)
        return tp_task_check();
    if (++fiber->n_calls < PATIENCE)
        return tp_run_check(&fiber->run);
    fiber->n_calls = 0;
    tp_lookout_glance(fiber->fibers);
    return tp_yield();
}

int tp_fd_wait(struct tp_fd fd, unsigned what, uint64_t deadline_ns, unsigned *which)
{
    if (what == 0 || what & ~(unsigned)(TP_FD_READABLE | TP_FD_WRITABLE))
        return TP_EINVAL;
    int status = take_turn(tp_fiber_self());
    struct tp_fd_slot *slot = status == 0 ? tp__slot_enter(fd) : NULL;
    if (!slot)
        return status != 0 ? status : TP_ESTALE;
    int saved = *tp_co_errno();
    uint32_t ends = (what & TP_FD_READABLE ? READ_END : 0) | (what & TP_FD_WRITABLE ? WRITE_END : 0);
    unsigned found = 0;
    do {
        uint32_t seen = tp_load_acq(&slot->ready); /* acquire: the look comes after; pairs with the exchange in tp__fd_event */
        bool is_last = status != 0 || deadline_ns == 0;
        found = tp__fd_look(fd.fd, what);
        if (found != 0 || is_last)
            break;
        take_back(slot, seen, what | ends); /* nor is there such an end */
        status = wait_for(slot, fd, what, deadline_ns);
    } while (status == 0 || status == TP_ETIMEDOUT); /* late, it looks once more */
    if (found != 0)
        status = 0;
    else if (status == 0)
        status = is_closing(slot) ? TP_ECLOSED : TP_ETIMEDOUT;
    tp__slot_leave(slot, fd.fd);
    *tp_co_errno() = saved;
    if (status == 0 && which)
        *which = found;
    return status;
}

/* What came of one attempt. */
enum attempt {
    DONE,
    FAILED,
    NOT_READY
};

/* Makes the call until it is not interrupted. The error is in errno. */
static enum attempt attempt(struct tp_fd_slot *slot, int fd, ssize_t (*call)(int fd, enum tp_fd_kind kind, void *argument), void *argument, ssize_t *n)
{
    int error;
    do {
        *n = call(fd, slot->kind, argument);
        error = *n < 0 ? *tp_co_errno() : 0;
    } while (error == EINTR);
    if (error == 0)
        return DONE;
    return error == EAGAIN || error == EWOULDBLOCK ? NOT_READY : FAILED;
}

int tp__fd_call(struct tp_fd fd, ssize_t (*call)(int fd, enum tp_fd_kind kind, void *argument), void *argument, ssize_t *done)
{
    struct tp_fd_slot *slot = tp__slot_enter(fd);
    ssize_t n;
    if (!slot)
        return TP_ESTALE;
    int status = attempt(slot, fd.fd, call, argument, &n) == DONE ? 0 : tp__status_of(errno);
    int error = errno;
    tp__slot_leave(slot, fd.fd);
    errno = error;
    if (status == 0 && done)
        *done = n;
    return status;
}

int tp__fd_do(struct tp_fd fd, unsigned what, uint64_t deadline_ns, ssize_t (*call)(int fd, enum tp_fd_kind kind, void *argument),
    bool (*is_short)(void *argument, ssize_t n), void *argument, ssize_t *done)
{
    struct tp_fiber *fiber = tp_fiber_self();
    int status = take_turn(fiber);
    struct tp_fd_slot *slot = status == 0 ? tp__slot_enter(fd) : NULL;
    if (!slot)
        return status != 0 ? status : TP_ESTALE;
    bool is_last = deadline_ns == 0, is_file = slot->kind == TP_FD_FILE;
    if (is_file)
        status = tp__offload(call, fd.fd, argument, deadline_ns, done);
    while (!is_file) {
        uint32_t seen = tp_load_acq(&slot->ready); /* acquire: the call comes after; pairs with the exchange in tp__fd_event */
        if (is_last || ready_of(seen, what) != 0) {
            ssize_t n;
            enum attempt came = attempt(slot, fd.fd, call, argument, &n);
            if (came == DONE) {
                if (is_short && fiber && slot->kind == TP_FD_STREAM && !(seen & URGENT) && is_short(argument, n))
                    take_back(slot, seen, what); /* not a thread: nobody tells it of events */
                if (done)
                    *done = n;
                break;
            }
            if (came == FAILED) {
                status = tp__status_of(*tp_co_errno());
                break;
            }
            take_back(slot, seen, what | (what & TP_FD_READABLE ? READ_END : WRITE_END));
        }
        if (is_last) {
            status = is_closing(slot) ? TP_ECLOSED : TP_ETIMEDOUT;
            break;
        }
        status = wait_for(slot, fd, what, deadline_ns);
        is_last = status == TP_ETIMEDOUT; /* late, it tries once more: perhaps only the news was late */
        if (status != 0 && !is_last)
            break;
        status = 0;
    }
    int error = *tp_co_errno();
    tp__slot_leave(slot, fd.fd);
    *tp_co_errno() = error;
    return status;
}
