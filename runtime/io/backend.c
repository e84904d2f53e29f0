/* Which poller a driver gets. Invariant: `chosen` does not change once a poller was made: SETTLED is in it then (docs/io.md). */
#include "backend.h"

#include "../base/atomic.h"
#include "../base/status.h"
#include "poller.h"

#include <stdlib.h>
#include <string.h>

#define SETTLED 4u

static tp_atomic(uint32_t) chosen; /* enum tp_io_backend, and SETTLED; by compare-exchange */
static tp_atomic(uint32_t) in_force;

int tp_io_choose(enum tp_io_backend backend)
{
    uint32_t before = tp_load_rlx(&chosen); /* relaxed: the exchange decides */
    if (backend != TP_IO_AUTO && backend != TP_IO_EPOLL && backend != TP_IO_URING)
        return TP_EINVAL;
    do {
        if (before & SETTLED)
            return TP_EBUSY;
    } while (!tp_cas_sc(&chosen, &before, backend)); /* losing: another thread chooses, or a poller is made: look again */
    return 0;
}

enum tp_io_backend tp_io_in_force(void)
{
    return (enum tp_io_backend)tp_load_rlx(&in_force); /* relaxed: a number on its own */
}

/* What the environment says. The default is what was measured to be faster. */
static enum tp_io_backend of_environment(void)
{
    const char *name = getenv("TIDEPOOL_IO");
    return name && strcmp(name, "io_uring") == 0 ? TP_IO_URING : TP_IO_EPOLL;
}

static enum tp_io_backend settle(void)
{
    uint32_t before = tp_load_rlx(&chosen), after; /* relaxed: the exchange decides */
    do {
        if (before & SETTLED)
            return (enum tp_io_backend)(before & ~SETTLED);
        after = before != TP_IO_AUTO ? before : (uint32_t)of_environment();
    } while (!tp_cas_sc(&chosen, &before, after | SETTLED)); /* losing: another thread has chosen, or settled it: look again */
    return (enum tp_io_backend)after;
}

/* Returns a status, and leaves nothing behind then. */
static int try(const struct tp_poller_kind *kind, struct tp_poller *poller, int bell)
{
    poller->kind = kind;
    int status = kind->open(poller);
    if (status != 0)
        return status;
    status = kind->watch(poller, bell, TP_POLLER_BELL);
    if (status != 0)
        kind->close(poller, true);
    return status;
}

int tp__poller_open(struct tp_poller *poller, int bell)
{
    enum tp_io_backend backend = settle();
    int status = backend == TP_IO_URING ? try(&tp__poller_uring, poller, bell) : TP_ENOTSUP;
    if (status != 0) { /* or an old kernel, a filter, a limit */
        backend = TP_IO_EPOLL;
        status = try(&tp__poller_epoll, poller, bell);
    }
    if (status == 0)
        tp_store_rlx(&in_force, (uint32_t)backend); /* relaxed: a number on its own */
    return status;
}
