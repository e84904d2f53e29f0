/* Timers: alarms whose end is a call. The alarm's state is the timer's: OFF, SET, and RUNG while its call is under way; it changes under the
 * lock of the alarms that the timer was given once for all, as does all else.
 * Invariant [TIMER-1]: in OFF and SET, nobody but who holds the lock touches the timer; in RUNG, who rang it will once more, under the
 * lock, unless the call itself has ended the timer (docs/timers.md). */
#include "timer.h"

#include "alarms.h"
#include "base/status.h"
#include "clock.h"
#include "fiber.h"
#include "fibers.h"
#include "monitor/trace_parts.h"
#include "pool.h"
#include "timer_parts.h"
#include "worker.h"

#include <string.h>

/* Of the calling worker, if it is one of that pool; else any, but of one thread always the same. */
static struct tp_alarms *alarms_near(struct tp_fibers *fibers)
{
    const struct tp_worker *worker = tp_worker_self();
    uint32_t i = worker && worker->pool == fibers->owner ? worker->index : tp_thread_index() % fibers->n_caches;
    return &tp__fibers_cache(fibers, i)->alarms;
}

int tp_timer_init(struct tp_timer *timer, struct tp_multi_member pool, void (*run)(void *argument), void *argument)
{
    if (!run)
        return TP_EINVAL;
    if (!pool.ops->fibers)
        return TP_ENOTSUP;
    memset(timer, 0, sizeof *timer);
    timer->fibers = pool.ops->fibers(pool.pool);
    timer->run = run;
    timer->argument = argument;
    timer->alarm.whom = timer;
    timer->alarm.is_timer = true;
    timer->alarm.alarms = alarms_near(timer->fibers);
    return 0;
}

/* Who sleeps for longer wakes up. The timer may be gone. */
static void tell(struct tp_fibers *fibers, uint64_t at_ns)
{
    if (fibers->sleepers)
        tp_lookout_tell(fibers, at_ns);
    else
        fibers->nudge(fibers);
}

/* The lock is held. */
static enum tp_timer_state state_of(struct tp_timer *timer)
{
    return (enum tp_timer_state)tp_load_rlx(&timer->alarm.state); /* relaxed: under the lock */
}

static bool put(struct tp_timer *timer, uint64_t at_ns)
{
    timer->at_ns = at_ns;
    return tp__alarm_put(&timer->alarm, at_ns);
}

enum tp_timer_state tp_timer_set(struct tp_timer *timer, uint64_t at_ns, uint64_t period_ns)
{
    struct tp_fibers *fibers = timer->fibers;
    struct tp_alarms *alarms = timer->alarm.alarms;
    bool is_first = false;
    tp_spin_lock(&alarms->lock);
    enum tp_timer_state before = state_of(timer);
    timer->period_ns = period_ns;
    if (before == TP_TIMER_CALLING) {
        timer->next_ns = at_ns > 0 ? at_ns : 1;
    } else {
        if (before == TP_TIMER_SET)
            tp__alarm_take(&timer->alarm);
        is_first = put(timer, at_ns);
    }
    tp_spin_unlock(&alarms->lock);
    if (is_first) /* else somebody has planned for an earlier one [ALARM-2] */
        tell(fibers, at_ns);
    return before;
}

/* awaits: the end of a call under way wakes who is in the list. */
static enum tp_timer_state cancel(struct tp_timer *timer, bool awaits)
{
    struct tp_alarms *alarms = timer->alarm.alarms;
    tp_spin_lock(&alarms->lock);
    enum tp_timer_state before = state_of(timer);
    if (before == TP_TIMER_SET)
        tp__alarm_take(&timer->alarm);
    timer->next_ns = timer->period_ns = 0;
    timer->is_awaited = timer->is_awaited || (awaits && before == TP_TIMER_CALLING);
    tp_spin_unlock(&alarms->lock);
    return before;
}

enum tp_timer_state tp_timer_cancel(struct tp_timer *timer)
{
    return cancel(timer, false);
}

/* -- the call ----------------------------------------------------------------------------------- */

/* The time after that which a call was for; 0: none. */
static uint64_t following(const struct tp_timer *timer, uint64_t now_ns)
{
    if (timer->next_ns != 0 || timer->period_ns == 0)
        return timer->next_ns;
    uint64_t late_ns = now_ns > timer->at_ns ? now_ns - timer->at_ns : 0, at_ns;
    late_ns -= late_ns % timer->period_ns;
    return __builtin_add_overflow(timer->at_ns + late_ns, timer->period_ns, &at_ns) ? TP_FOREVER : at_ns;
}

/* The call has returned. */
static void finish(struct tp_timer *timer, uint64_t now_ns)
{
    struct tp_fibers *fibers = timer->fibers;
    struct tp_alarms *alarms = timer->alarm.alarms;
    tp_spin_lock(&alarms->lock);
    uint64_t at_ns = following(timer, now_ns);
    if (at_ns != 0 && at_ns <= now_ns)
        at_ns = now_ns + 1; /* not in this round: others have their turn */
    bool is_awaited = timer->is_awaited, is_first = false;
    timer->is_awaited = false;
    timer->next_ns = 0;
    tp_store_rlx(&timer->alarm.state, TP_ALARM_OFF); /* relaxed: under the lock */
    if (at_ns != 0)
        is_first = put(timer, at_ns);
    tp_spin_unlock(&alarms->lock); /* from here on it may be gone [TIMER-1] */
    if (is_first)
        tell(fibers, at_ns);
    if (is_awaited)
        tp_waitlist_notify(&alarms->ends, UINT32_MAX);
}

/* Not inlined, since who calls setjmp keeps no variable that changes. */
static __attribute__((noinline)) void call(struct tp_run *run, void (*function)(void *argument), void *argument)
{
    if (setjmp(run->point) == 0)
        function(argument);
}

void tp__timer_call(struct tp_timer *timer, uint64_t now_ns)
{
    struct tp_run run = timer->fibers->run;
    const struct tp_worker *worker = tp_worker_self();
    run.timer = timer;
    run.track = NULL;
    run.worker = worker ? worker->index : run.worker;
    uint64_t begin_ns = tp__trace_begin();
    tp_run_enter(&run);
    call(&run, timer->run, timer->argument);
    tp_run_leave(&run);
    if (begin_ns != 0)
        tp__trace_add(&(struct tp_trace_slice){begin_ns, tp__trace_now(), run.pool, 0, TP__TRACE_TIMER});
    if (run.timer) /* else the call has ended it */
        finish(timer, now_ns);
}

/* -- its end ------------------------------------------------------------------------------------ */

static void await_end(struct tp_timer *timer)
{
    struct tp_waitlist *ends = &timer->alarm.alarms->ends;
    TP_SHIELD; /* a task that is to end waits all the same */
    for (;;) {
        struct tp_waiter waiter;
        tp_waitlist_prepare(ends, &waiter); /* prepare, look again, sleep; all are woken together [TIMER-2] */
        if (cancel(timer, true) != TP_TIMER_CALLING) {
            tp_waitlist_cancel(ends, &waiter);
            return;
        }
        tp_waitlist_wait(ends, &waiter, TP_FOREVER);
    }
}

void tp_timer_end(struct tp_timer *timer)
{
    struct tp_run *own = tp__run_of_timer(timer);
    if (own)
        own->timer = NULL;
    else if (tp_timer_cancel(timer) == TP_TIMER_CALLING)
        await_end(timer);
}
