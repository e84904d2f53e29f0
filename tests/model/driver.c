/* The driver of the explorer; see driver.h. Invariant: `n_posts` grows with each event and each ring, so a wait that compares it misses none. */
#include "driver.h"
#include "model.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/futex.h"
#include "runtime/io/driver.h"
#include "runtime/park.h"

static tp_atomic(uint32_t) n_posts, n_events;
static uint32_t n_seen; /* of n_posts, by who has the lookout */

void (*model_driver_on_event)(void);

void model_driver_reset(void)
{
    tp_store_rlx(&n_posts, 0);
    tp_store_rlx(&n_events, 0);
    n_seen = 0;
}

static void post(void)
{
    tp_add_sc(&n_posts, 1);
    tp_futex_wake(&n_posts, 1);
}

void model_driver_post(void)
{
    tp_add_sc(&n_events, 1);
    post();
}

unsigned model_driver_pending(void)
{
    return tp_load_sc(&n_events);
}

void tp_driver_init(struct tp_driver *driver)
{
    tp_atomic_init(&driver->is_open, 0);
    tp_atomic_init(&driver->n_linked, 0);
    driver->bell = -1;
    driver->n_events = 0;
}

int tp_driver_open(struct tp_driver *driver)
{
    driver->bell = 0;
    tp_store_rel(&driver->is_open, 1);
    tp_add_sc(&driver->n_linked, 1);
    return 0;
}

void tp_driver_free(struct tp_driver *driver)
{
    tp_driver_init(driver);
}

void tp__bell_ring(int bell)
{
    model_check(bell == 0);
    post();
}

void tp_driver_poll(struct tp_driver *driver, uint64_t deadline_ns)
{
    uint32_t now = tp_load_sc(&n_posts);
    if (deadline_ns != 0 && now == n_seen)
        tp_futex_wait(&n_posts, n_seen, deadline_ns);
    n_seen = tp_load_sc(&n_posts);
    driver->n_events = (int)tp_load_sc(&n_events);
    tp_add_sc(&n_events, (uint32_t)-driver->n_events);
}

int tp__driver_sleep(struct tp_driver *driver, struct tp_waiter *w, uint64_t deadline_ns)
{
    uint32_t state = TP_WAITER_QUEUED;
    tp_store_rlx(&w->bell, driver->bell);
    if (!tp_cas_sc(&w->state, &state, TP_WAITER_POLLING))
        return 0;
    tp_driver_poll(driver, deadline_ns);
    return tp_load_acq(&w->state) == TP_WAITER_WOKEN ? 0 : TP_ETIMEDOUT;
}

int tp_driver_dispatch(struct tp_driver *driver)
{
    int n = driver->n_events;
    driver->n_events = 0;
    for (int i = 0; i < n; i++)
        model_driver_on_event();
    return n;
}
