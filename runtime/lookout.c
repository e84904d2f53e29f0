/* The lookout. The argument is in docs/io.md. */
#include "lookout.h"

#include "clock.h"
#include "fibers.h"
#include "idle.h"

void tp_lookout_init(struct tp_lookout *lookout)
{
    tp_driver_init(&lookout->driver);
    tp_atomic_init(&lookout->holder, NULL);
    tp_atomic_init(&lookout->until_ns, 0);
}

/* Deadlines of tasks, and the next step of clean-up. */
static uint64_t next_ns(struct tp_fibers *fibers)
{
    uint64_t alarm_ns = tp_fibers_next_ns(fibers);
    uint64_t step_ns = tp_load_rlx(&fibers->step_ns); /* relaxed: a step is in no hurry */
    return step_ns != 0 && step_ns < alarm_ns ? step_ns : alarm_ns;
}

/* Says until when the caller, which has the lookout, will sleep. */
static uint64_t announce(struct tp_fibers *fibers)
{
    uint64_t until_ns;
    do {
        until_ns = next_ns(fibers);
        tp_store_rlx(&fibers->lookout.until_ns, until_ns); /* relaxed: ordered by the fence */
        tp_fence_sc();                                     /* [LOOK-2] pairs with the fence in tp_lookout_tell */
    } while (next_ns(fibers) < until_ns);
    return until_ns;
}

static void give_up(struct tp_lookout *lookout)
{
    tp_store_sc(&lookout->holder, NULL); /* in one order with who tries to get it, and with the counts of sleepers [LOOK-1] */
}

bool tp_lookout_sleep(struct tp_fibers *fibers, struct tp_worker *worker)
{
    struct tp_lookout *lookout = &fibers->lookout;
    struct tp_worker *nobody = NULL;
    /* Losing means that another one has it; when it gives it up it is awake, and sees that we sleep [LOOK-1]. */
    if (!tp_cas_sc(&lookout->holder, &nobody, worker))
        return tp_idle_sleep(fibers->sleepers, worker);
    uint64_t until_ns = announce(fibers);
    struct tp_driver *driver = tp_driver_is_open(&lookout->driver) ? &lookout->driver : NULL;
    if (driver && driver->n_events > 0) /* left over from one that had to leave */
        until_ns = 0;
    bool stays = tp_idle_sleep_in(fibers->sleepers, worker, until_ns != 0 ? driver : NULL, until_ns);
    tp_store_rlx(&lookout->until_ns, 0); /* relaxed: who reads another value wakes somebody in vain */
    if (driver && stays)                 /* one that leaves has no queue any more to put tasks into */
        tp_driver_dispatch(driver);
    give_up(lookout);
    if (!stays && tp_lookout_is_vacant(fibers))
        tp_idle_notify(fibers->sleepers);
    return stays;
}

void tp_lookout_glance(struct tp_fibers *fibers)
{
    struct tp_lookout *lookout = &fibers->lookout;
    struct tp_worker *nobody = NULL;
    if (!tp_driver_is_needed(&lookout->driver) || tp_load_rlx(&lookout->holder)) /* relaxed: the exchange decides */
        return;
    if (!tp_cas_sc(&lookout->holder, &nobody, tp_worker_self())) /* losing means that another one looks */
        return;
    if (lookout->driver.n_events == 0)
        tp_driver_poll(&lookout->driver, 0);
    tp_driver_dispatch(&lookout->driver);
    give_up(lookout);
    if (fibers->sleepers && tp_lookout_is_vacant(fibers))
        tp_idle_notify(fibers->sleepers); /* one that has tried meanwhile, and sleeps now */
}

bool tp_lookout_is_vacant(struct tp_fibers *fibers)
{
    return !tp_load_sc(&fibers->lookout.holder) && /* one order with give_up */
           (tp_driver_is_needed(&fibers->lookout.driver) || tp_fibers_next_ns(fibers) != TP_FOREVER);
}

void tp_lookout_tell(struct tp_fibers *fibers, uint64_t at_ns)
{
    struct tp_lookout *lookout = &fibers->lookout;
    if (!fibers->sleepers)
        return;
    tp_fence_sc();                                           /* [LOOK-2] pairs with the fence in announce */
    struct tp_worker *holder = tp_load_sc(&lookout->holder); /* in one order with give_up */
    uint64_t until_ns = tp_load_rlx(&lookout->until_ns);     /* relaxed: ordered by the fence */
    if (!holder)                                             /* then there was nothing to look out for, and some may sleep without it */
        tp_idle_notify(fibers->sleepers);
    else if (at_ns < until_ns && tp_cas_sc(&lookout->until_ns, &until_ns, 0)) /* losing: it was told, or is awake, and will look */
        tp_idle_wake_worker(fibers->sleepers, holder);
}

int tp_lookout_open(struct tp_fibers *fibers)
{
    bool is_open = tp_driver_is_open(&fibers->lookout.driver);
    int status = tp_driver_open(&fibers->lookout.driver);
    if (status == 0 && !is_open)
        tp_lookout_tell(fibers, 0); /* it sleeps elsewhere */
    return status;
}
