/* Sleeping. A task's sleep is one without a list: its alarm, or a request to end, is all that can end it; what else wakes it was meant for
 * an earlier wait, so it sleeps on. */
#include "sleep.h"

#include "base/status.h"
#include "clock.h"
#include "fiber.h"
#include "fibers.h"
#include "futex.h"
#include "task.h"

static int sleep_as_task(struct tp_fiber *fiber, uint64_t deadline_ns)
{
    int status;
    tp_fiber_settle(fiber);
    do
        status = tp_fiber_sleep(fiber, deadline_ns);
    while (status == 0);
    return status == TP_ETIMEDOUT ? 0 : status;
}

static int sleep_as_thread(uint64_t deadline_ns)
{
    tp_atomic(uint32_t) nobody_wakes;
    tp_atomic_init(&nobody_wakes, 0);
    int status = tp_task_check();
    if (status != 0)
        return status;
    while (tp_futex_wait(&nobody_wakes, 0, deadline_ns) == 0)
        ; /* for no reason */
    return tp_task_check();
}

int tp_sleep_until(uint64_t deadline_ns)
{
    struct tp_fiber *fiber = tp_fiber_self();
    if (deadline_ns == 0)
        return tp_yield();
    return fiber ? sleep_as_task(fiber, deadline_ns) : sleep_as_thread(deadline_ns);
}

int tp_sleep_ns(uint64_t duration_ns)
{
    return tp_sleep_until(tp_deadline_in_ns(duration_ns));
}

/* -- intervals --------------------------------------------------------------------------------------- */

static uint64_t later(uint64_t at_ns, uint64_t duration_ns)
{
    return duration_ns < TP_FOREVER - at_ns ? at_ns + duration_ns : TP_FOREVER;
}

void tp_interval_init(struct tp_interval *interval, uint64_t period_ns, enum tp_missed missed)
{
    interval->period_ns = period_ns > 0 ? period_ns : 1;
    interval->next_ns = tp_deadline_in_ns(interval->period_ns);
    interval->missed = missed;
}

/* The time after the one that is had at now_ns. */
static uint64_t after(const struct tp_interval *interval, uint64_t now_ns)
{
    uint64_t planned_ns = later(interval->next_ns, interval->period_ns);
    if (interval->missed == TP_MISSED_DELAY)
        return later(now_ns, interval->period_ns);
    if (interval->missed == TP_MISSED_SKIP && planned_ns <= now_ns)
        return later(now_ns - (now_ns - interval->next_ns) % interval->period_ns, interval->period_ns);
    return planned_ns;
}

int tp_interval_wait(struct tp_interval *interval, uint64_t deadline_ns)
{
    bool in_time = interval->next_ns <= deadline_ns;
    int status = tp_sleep_until(in_time ? interval->next_ns : deadline_ns);
    if (status != 0)
        return status;
    if (!in_time)
        return TP_ETIMEDOUT;
    interval->next_ns = after(interval, tp_clock_now_ns());
    return 0;
}
