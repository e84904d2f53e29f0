/* Timers [TIMER-1], [TIMER-2]: threads set, cancel and end one while others ring it. Calls do not overlap, each time that was set and not taken
 * back is called for once, and the memory, which is given back when the timer has ended, is not touched any more. */
#include "model.h"

#include "runtime/alarms.h"
#include "runtime/clock.h"
#include "runtime/fibers.h"

/* Seeded bugs. */
enum slip { GOOD,
    ENDS_QUIETLY,   /* who has called a timer wakes nobody */
    FORGETS_ITSELF, /* a call does not know that it is inside of one */
    LOOKS_BEFORE,   /* who waits for the end enters the list after the look */
    WAITS_NOT       /* and does not wait at all */
};
static enum slip slip;

static void notify(struct tp_waitlist *list)
{
    if (slip != ENDS_QUIETLY)
        tp_waitlist_notify(list, UINT32_MAX);
}

static void prepare(struct tp_waitlist *list, struct tp_waiter *waiter)
{
    if (slip == LOOKS_BEFORE)
        tp_waiter_begin(waiter);
    else
        tp_waitlist_prepare(list, waiter);
}

static int wait(struct tp_waitlist *list, struct tp_waiter *waiter)
{
    if (slip == LOOKS_BEFORE)
        tp_waitlist_enlist(list, waiter);
    return tp_waitlist_wait(list, waiter, TP_FOREVER);
}

static void cancel_wait(struct tp_waitlist *list, struct tp_waiter *waiter)
{
    if (slip != LOOKS_BEFORE)
        tp_waitlist_cancel(list, waiter);
}

#define tp_waitlist_notify(list, n) notify(list)
#define tp_waitlist_prepare prepare
#define tp_waitlist_wait(list, waiter, deadline_ns) wait(list, waiter)
#define tp_waitlist_cancel cancel_wait
#include "runtime/timer.c"

/* -- what timers need of the rest -------------------------------------------------------------------- */

enum { THREADS_MAX = 4 };

static struct tp_fibers fibers;
static struct tp_fiber_cache cache;
static struct tp_run *innermost[THREADS_MAX];

void tp_run_enter(struct tp_run *run)
{
    innermost[model_self()] = run;
}

void tp_run_leave(struct tp_run *run)
{
    model_check(innermost[model_self()] == run);
    innermost[model_self()] = NULL;
}

struct tp_run *tp__run_of_timer(const struct tp_timer *timer)
{
    struct tp_run *run = innermost[model_self()];
    if (!run || run->timer != timer)
        return NULL;
    static struct tp_run another;
    return slip == FORGETS_ITSELF ? &another : run;
}

void tp_shield_begin(void)
{
}

void tp_shield_end(void)
{
}

void tp_lookout_tell(struct tp_fibers *those, uint64_t at_ns)
{
    (void)at_ns;
    model_check(those == &fibers);
}

static void nudge(struct tp_fibers *those)
{
    model_check(those == &fibers);
}

static struct tp_fibers *fibers_of(void *pool)
{
    return pool;
}

static const struct tp_pool_ops ops = {.fibers = fibers_of};

/* -- the timer ----------------------------------------------------------------------------------------- */

enum { NOW = 100 };

static struct tp_timer *timer;
static int n_inside, n_calls; /* plain: calls do not overlap, and their end is seen by who has waited for it */
static int n_expected, n_again;
static bool ends_itself;

static void called(void *argument)
{
    model_check(n_inside++ == 0);
    n_calls++;
    if (n_again > 0) {
        n_again--;
        n_expected++;
        tp_timer_set(argument, 1, 0);
    }
    model_check(--n_inside == 0);
    if (ends_itself) {
        tp_timer_end(argument);
        model_free(argument);
    }
}

/* As in runtime/fibers.c. Who comes too late to find it rings nothing. */
static void ring(void *now_ns)
{
    struct tp_rung rung;
    for (int i = 0; i < 2; i++)
        if (tp_alarms_ring(&cache.alarms, (uintptr_t)now_ns, &rung, 1) == 1)
            tp__timer_call(rung.whom, (uintptr_t)now_ns);
}

static void end_it(void)
{
    if (slip == WAITS_NOT) {
        tp_timer_cancel(timer);
    } else {
        tp_timer_end(timer);
    }
    model_check(n_inside == 0);
    int n_seen = n_calls;
    model_check(n_seen <= n_expected);
    model_free(timer);
}

static void end_thread(void *unused)
{
    (void)unused;
    end_it();
}

/* Takes it back, and knows by the answer whether it was called for what was set. */
static void cancel_thread(void *unused)
{
    (void)unused;
    enum tp_timer_state before = tp_timer_cancel(timer);
    if (before == TP_TIMER_CALLING)
        tp_timer_end(timer);
    n_expected -= before == TP_TIMER_SET;
    model_check(n_calls == n_expected);
    model_free(timer);
}

static void set_thread(void *unused)
{
    (void)unused;
    if (tp_timer_set(timer, 2, 0) != TP_TIMER_SET)
        n_expected++;
    end_it();
}

static void begin(unsigned variant, int again)
{
    slip = (enum slip)variant;
    memset(&fibers, 0, sizeof fibers);
    memset(&cache, 0, sizeof cache);
    fibers.caches = &cache;
    fibers.n_caches = 1;
    fibers.nudge = nudge;
    tp_alarms_init(&cache.alarms, 1);
    timer = model_alloc(sizeof *timer);
    n_inside = n_calls = 0;
    n_expected = 1;
    n_again = again;
    ends_itself = false;
    model_check(tp_timer_init(timer, (struct tp_multi_member){&ops, &fibers}, called, timer) == 0);
    tp_timer_set(timer, 1, 0);
}

static void ring_and(void (*other)(void *unused), unsigned n_ringers)
{
    for (uintptr_t i = 0; i < n_ringers; i++)
        model_thread(ring, (void *)(NOW + i * NOW));
    if (other)
        model_thread(other, NULL);
}

static void end_while_rung(unsigned variant)
{
    begin(variant, 0);
    ring_and(end_thread, 1);
}

static void end_while_set_again(unsigned variant)
{
    begin(variant, 2);
    ring_and(end_thread, 2);
}

static void cancel_while_rung(unsigned variant)
{
    begin(variant, 0);
    ring_and(cancel_thread, 1);
}

static void set_while_rung(unsigned variant)
{
    begin(variant, 0);
    ring_and(set_thread, 2);
}

static void end_from_within(unsigned variant)
{
    begin(variant, 0);
    ends_itself = true;
    ring_and(NULL, 2);
}

static void check_freed(void)
{
    model_check(model_n_blocks() == 0);
    model_check(n_calls <= n_expected);
}

enum { SOME = 20000 };

static const struct model_scenario scenarios[] = {
    {"timer: ended while it rings", end_while_rung, check_freed, .preemptions = 3, .max_executions = SOME},
    {"timer: ended while calls set it again", end_while_set_again, check_freed, .preemptions = 2, .max_executions = SOME},
    {"timer: cancelled while it rings", cancel_while_rung, check_freed, .preemptions = 3, .max_executions = SOME},
    {"timer: moved while it rings", set_while_rung, check_freed, .preemptions = 2, .max_executions = SOME},
    {"timer: ended by its call", end_from_within, check_freed, .preemptions = 3, .max_executions = SOME},

    {"timer: an end that nobody hears of", end_while_rung, check_freed, .variant = ENDS_QUIETLY, .preemptions = 2, .must_fail = true},
    {"timer: a look before the list", end_while_rung, check_freed, .variant = LOOKS_BEFORE, .preemptions = 2, .must_fail = true},
    {"timer: an end that does not wait", end_while_rung, check_freed, .variant = WAITS_NOT, .preemptions = 2, .must_fail = true},
    {"timer: a call that does not know itself", end_from_within, check_freed, .variant = FORGETS_ITSELF, .preemptions = 2, .must_fail = true},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
