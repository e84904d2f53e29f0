/* The poller on epoll: edge-triggered, one system call for each descriptor that comes or goes, one for each wait. */
#include "poller.h"

#include "../base/assert.h"
#include "../base/atomic.h"
#include "../clock.h"
#include "fd_parts.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static int open_epoll(struct tp_poller *poller)
{
    poller->ring = NULL;
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    return poller->fd >= 0 ? 0 : tp__status_of(errno);
}

static void close_epoll(struct tp_poller *poller, bool is_own)
{
    (void)is_own; /* to close it harms nobody */
    close(poller->fd);
}

static int watch(struct tp_poller *poller, int fd, uint64_t data)
{
    bool is_bell = data == TP_POLLER_BELL; /* never read, so always ready: only its edges count */
    struct epoll_event event = {
        .events = EPOLLET | EPOLLIN | (is_bell ? 0 : EPOLLOUT | EPOLLRDHUP | EPOLLPRI),
        .data.u64 = data,
    };
    if (epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    /* It is there already: one who had borrowed it has closed it too early. */
    if (errno == EEXIST && epoll_ctl(poller->fd, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    return errno == EPERM ? 0 : tp__status_of(errno); /* EPERM: a file, which is always ready */
}

static void forget(struct tp_poller *poller, int fd, uint64_t data)
{
    (void)data;
    epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, NULL);
}

/* epoll_pwait2, or in older kernels epoll_wait, in whole milliseconds, not earlier. */
static int wait_for(int epoll_fd, struct epoll_event *events, int n, uint64_t deadline_ns)
{
    static tp_atomic(uint32_t) is_old;
    struct timespec until = {0}, *limit = NULL;
    uint64_t left_ns = 0;
    if (deadline_ns != TP_FOREVER) {
        uint64_t now_ns = deadline_ns != 0 ? tp_clock_now_ns() : 0;
        left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
        until.tv_sec = (time_t)(left_ns / TP_SECOND);
        until.tv_nsec = (long)(left_ns % TP_SECOND);
        limit = &until;
    }
    if (tp_load_rlx(&is_old) == 0) { /* relaxed: a hint */
        int rc = epoll_pwait2(epoll_fd, events, n, limit, NULL);
        if (rc >= 0 || (errno != ENOSYS && errno != EPERM)) /* EPERM: by a sandbox that does not know it */
            return rc;
        tp_store_rlx(&is_old, 1); /* relaxed: see above */
    }
    uint64_t left_ms = left_ns / TP_MILLISECOND + (left_ns % TP_MILLISECOND != 0);
    return epoll_wait(epoll_fd, events, n, limit ? (int)(left_ms < INT32_MAX ? left_ms : INT32_MAX) : -1);
}

static int wait(struct tp_poller *poller, struct tp_driver_event *out, int n_max, uint64_t deadline_ns)
{
    enum { BATCH = 128 };
    struct epoll_event events[BATCH];
    int n = wait_for(poller->fd, events, n_max < BATCH ? n_max : BATCH, deadline_ns);
    tp_assert(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++)
        out[i] = (struct tp_driver_event){.data = events[i].data.u64, .bits = events[i].events};
    return n > 0 ? n : 0;
}

const struct tp_poller_kind tp__poller_epoll = {"epoll", open_epoll, close_epoll, watch, forget, wait};
