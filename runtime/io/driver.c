/* The driver: what is the same on every poller. The argument is in docs/io.md. */
#include "driver.h"

#include "../base/status.h"
#include "../monitor/trace_parts.h"
#include "../park.h"
#include "fd_parts.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

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
    tp_atomic_init(&driver->n_guests, 0);
    tp_spin_init(&driver->lock);
    driver->poller = (struct tp_poller){.fd = -1};
    driver->bell = -1;
    driver->links = NULL;
    driver->n_events = 0;
    tp_atomic_init(&driver->n_polls, 0);
    tp_atomic_init(&driver->n_vain, 0);
    tp_atomic_init(&driver->n_told, 0);
}

bool tp_driver_is_own(const struct tp_driver *driver)
{
    return driver->n_forks == tp_load_rlx(&n_forks); /* relaxed: it changes in a child only, at once */
}

/* Fills in a poller with its bell. */
static int make(struct tp_poller *poller, int *bell)
{
    *bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int status = *bell >= 0 ? tp__poller_open(poller, *bell) : tp__status_of(errno);
    if (status != 0 && *bell >= 0)
        close(*bell);
    return status;
}

int tp_driver_open(struct tp_driver *driver)
{
    struct tp_poller poller;
    int bell;
    if (tp_driver_is_open(driver))
        return 0;
    pthread_once(&watch_once, watch_forks);
    int saved = errno, status = make(&poller, &bell);
    errno = saved;
    if (status != 0)
        return status;
    tp_spin_lock(&driver->lock);
    bool is_first = !tp_driver_is_open(driver);
    if (is_first) {
        driver->poller = poller;
        driver->bell = bell;
        driver->n_forks = tp_load_rlx(&n_forks); /* relaxed: see tp_driver_is_own */
        tp_store_rel(&driver->is_open, 1);       /* pairs with the acquire in tp_driver_is_open */
    }
    tp_spin_unlock(&driver->lock);
    if (!is_first) {
        poller.kind->close(&poller, true);
        close(bell);
    }
    return 0;
}

void tp_driver_free(struct tp_driver *driver)
{
    if (!tp_driver_is_open(driver))
        return;
    bool is_own = tp_driver_is_own(driver);
    if (is_own)
        tp__fd_unlink_all(driver);
    while (is_own && tp_load_acq(&driver->n_guests) > 0) /* pairs with the decrement in tp__slot_unlink [FD-4] */
        sched_yield();                                   /* a system call each */
    driver->poller.kind->close(&driver->poller, is_own);
    close(driver->bell);
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

void tp_driver_poll(struct tp_driver *driver, uint64_t deadline_ns)
{
    int saved = errno;
    driver->n_events = driver->poller.kind->wait(&driver->poller, driver->events, TP_DRIVER_EVENTS, deadline_ns);
    errno = saved;
    tp_note(&driver->n_polls, tp_own(&driver->n_polls) + 1);
    tp_note(&driver->n_vain, tp_own(&driver->n_vain) + (driver->n_events == 0));
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
        if (driver->events[i].data == TP_POLLER_BELL)
            continue;
        tp__trace_moment(TP__TRACE_EVENT, "descriptor", (uint32_t)driver->events[i].data);
        tp__fd_event(driver, &driver->events[i]);
        n++;
    }
    driver->n_events = 0;
    tp_note(&driver->n_told, tp_own(&driver->n_told) + (uint64_t)n);
    return n;
}
