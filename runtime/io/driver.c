/* The driver on epoll. The argument is in docs/io.md. */
#include "driver.h"

#include "../base/assert.h"
#include "../base/status.h"
#include "../clock.h"
#include "../park.h"
#include "fd_parts.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BELL UINT64_MAX /* no descriptor's data */

static tp_atomic(uint32_t) n_forks; /* by the child of a fork, which has one thread */
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    tp_add_rlx(&n_forks, 1); /* relaxed: the child has one thread */
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

void tp_driver_init(struct tp_driver *driver)
{
    tp_atomic_init(&driver->is_open, 0);
    tp_atomic_init(&driver->n_linked, 0);
    tp_spin_init(&driver->lock);
    driver->epoll_fd = driver->bell = -1;
    driver->links = NULL;
    driver->n_events = 0;
}

bool tp_driver_is_own(const struct tp_driver *driver)
{
    return driver->n_forks == tp_load_rlx(&n_forks); /* relaxed: it changes in a child only, at once */
}

/* Fills in an epoll instance with its bell. */
static int make(int *epoll_fd, int *bell)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = BELL}; /* edge-triggered: nobody has to read it */
    *bell = -1;
    *epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (*epoll_fd >= 0)
        *bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (*bell >= 0 && epoll_ctl(*epoll_fd, EPOLL_CTL_ADD, *bell, &event) == 0)
        return 0;
    int status = tp__status_of(errno);
    if (*bell >= 0)
        close(*bell);
    if (*epoll_fd >= 0)
        close(*epoll_fd);
    return status;
}

int tp_driver_open(struct tp_driver *driver)
{
    int epoll_fd, bell;
    if (tp_driver_is_open(driver))
        return 0;
    pthread_once(&watch_once, watch_forks);
    int saved = errno, status = make(&epoll_fd, &bell);
    errno = saved;
    if (status != 0)
        return status;
    tp_spin_lock(&driver->lock);
    bool is_first = !tp_driver_is_open(driver);
    if (is_first) {
        driver->epoll_fd = epoll_fd;
        driver->bell = bell;
        driver->n_forks = tp_load_rlx(&n_forks); /* relaxed: see tp_driver_is_own */
        tp_store_rel(&driver->is_open, 1);       /* pairs with the acquire in tp_driver_is_open */
    }
    tp_spin_unlock(&driver->lock);
    if (!is_first) {
        close(bell);
        close(epoll_fd);
    }
    return 0;
}

void tp_driver_free(struct tp_driver *driver)
{
    if (!tp_driver_is_open(driver))
        return;
    if (tp_driver_is_own(driver))
        tp__fd_unlink_all(driver);
    close(driver->bell);
    close(driver->epoll_fd);
    tp_driver_init(driver);
}

void tp__bell_ring(int bell)
{
    static const uint64_t one = 1;
    int saved = errno;
    ssize_t n = write(bell, &one, sizeof one); /* full, it has rung: it is never read */
    (void)n;
    errno = saved;
}

/* epoll_pwait2, or in older kernels epoll_wait, in whole milliseconds, not earlier. */
static int wait(int epoll_fd, struct epoll_event *events, int n, uint64_t deadline_ns)
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

void tp_driver_poll(struct tp_driver *driver, uint64_t deadline_ns)
{
    struct epoll_event events[TP_DRIVER_EVENTS];
    int saved = errno;
    int n = wait(driver->epoll_fd, events, TP_DRIVER_EVENTS, deadline_ns);
    tp_assert(n >= 0 || errno == EINTR);
    errno = saved;
    driver->n_events = n > 0 ? n : 0;
    for (int i = 0; i < driver->n_events; i++)
        driver->events[i] = (struct tp_driver_event){events[i].data.u64, events[i].events};
}

int tp__driver_sleep(struct tp_driver *driver, struct tp_waiter *w, uint64_t deadline_ns)
{
    uint32_t state = TP_WAITER_QUEUED;
    tp_store_rlx(&w->bell, driver->bell); /* relaxed: published by the exchange */
    driver->n_events = 0;
    if (!tp_cas_sc(&w->state, &state, TP_WAITER_POLLING)) /* losing means that it is WOKEN, and nobody calls [PARK-2] */
        return 0;
    tp_driver_poll(driver, deadline_ns);
    return tp_load_acq(&w->state) == TP_WAITER_WOKEN ? 0 : TP_ETIMEDOUT; /* pairs with the release in tp__waiter_wake */
}

int tp_driver_dispatch(struct tp_driver *driver)
{
    int n = 0;
    for (int i = 0; i < driver->n_events; i++) {
        if (driver->events[i].data == BELL)
            continue;
        tp__fd_event(driver->events[i].data, driver->events[i].bits);
        n++;
    }
    driver->n_events = 0;
    return n;
}
