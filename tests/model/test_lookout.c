/* The lookout [LOOK-1], [LOOK-2], and that a deadline wakes one worker: who sleeps in the driver and until the earliest deadline, against tasks that keep a worker for long, workers
 * that are retired, a deadline that is set and a driver that is opened while its holder falls asleep.
 * Each event of the driver, and the deadline, makes a task ready, as the end of a sleep does. */
#include "driver.h"
#include "idle_loop.h"

#include "runtime/clock.h"
#include "runtime/fibers.h"

enum {
    LOOKS_ONCE = 16 << 8,      /* who announces a sleep does not look at the deadlines again */
    TELLS_NOBODY = 17 << 8,    /* who sets a deadline */
    KEEPS_QUIET = 18 << 8,     /* who gives the lookout up wakes nobody */
    GLANCES_QUIETLY = 19 << 8, /* after a glance */
    TELLS_THE_FIRST = 20 << 8, /* who sets an alarm tells of it only if there was none, not if it is the earliest */
    ALL_LOOK_OUT = 21 << 8,    /* each who sleeps does so until the earliest deadline */
    DEADLINE = 100
};

static unsigned slip; /* one of these, or 0 */
static struct tp_fibers those;
static tp_atomic(uint64_t) due_ns; /* of task 1; TP_FOREVER: none */
static bool has_alarms;
static struct tp_alarms wheel; /* instead: of a worker */
static struct tp_alarm alarm_of_1, another;
static uint64_t soon_ns, later_ns;   /* theirs */
static tp_atomic(uint32_t) was_told; /* alarm_of_1 was set before its time */
static unsigned n_ends[WORKERS_MAX]; /* of each worker's sleeps */
static unsigned n_threads;           /* at the beginning */

static uint64_t next_alarm_ns(void)
{
    return has_alarms ? tp_alarms_next_ns(&wheel) : tp_load_rlx(&due_ns);
}

static uint64_t planned_ns(void)
{
    uint64_t at_ns = next_alarm_ns();
    return slip == LOOKS_ONCE && tp_load_rlx(&those.lookout.until_ns) != 0 ? TP_FOREVER : at_ns;
}

static void notify_after_glance(struct tp_idle *sleepers)
{
    if (slip != GLANCES_QUIETLY)
        tp_idle_notify(sleepers);
}

#define tp_fibers_next_ns(fibers) planned_ns()
#define tp_idle_notify notify_after_glance
#include "runtime/lookout.c"
#undef tp_idle_notify

/* -- the worker: as in idle_loop.h, with the lookout --------------------------------------------------- */

static void on_event(void)
{
    put(1);
}

static void ring_alarms(void)
{
    struct tp_rung rung;
    uint64_t now_ns = tp_clock_now_ns();
    while (tp_alarms_next_ns(&wheel) <= now_ns)
        if (tp_alarms_ring(&wheel, now_ns, &rung, 1) == 1 && rung.whom == &alarm_of_1) {
            model_check(tp_load_rlx(&was_told) == 0 || now_ns < later_ns); /* who slept had planned for it, or was told */
            put(1);
        }
}

static void ring(void)
{
    if (has_alarms) {
        ring_alarms();
        return;
    }
    uint64_t at_ns = next_alarm_ns();
    if (at_ns != TP_FOREVER && at_ns <= tp_clock_now_ns() && tp_cas_sc(&due_ns, &at_ns, TP_FOREVER))
        put(1);
}

/* Task 0 keeps its worker until task 1 has started; task 2 is short, and has left it in its worker's own queue, where no other looks. */
static void run_here(unsigned task)
{
    model_check(payload[task] == 1);
    n_run[task]++;
    if (task == 1)
        tp_add_sc(&n_meeting, 1);
    while (task == 0 && tp_load_acq(&n_meeting) == 0)
        model_yield();
}

static bool sleep_on(struct tp_worker *self)
{
    bool stays = slip == ALL_LOOK_OUT ? tp_idle_sleep_in(&idle, self, NULL, next_alarm_ns()) : tp_lookout_sleep(&those, self);
    n_ends[self - workers]++;
    return stays;
}

static bool await_at(struct tp_worker *self, unsigned *task, bool searching)
{
    for (;;) {
        ring();
        if (searching && take(task)) {
            if (tp_idle_end_search(&idle) && (is_work_visible() || (slip != KEEPS_QUIET && tp_lookout_is_vacant(&those))))
                tp_idle_notify(&idle);
            return true;
        }
        tp_idle_prepare(&idle, self, searching);
        searching = true;
        if (is_work_visible())
            tp_idle_cancel(&idle, self);
        else if (!sleep_on(self))
            return false;
    }
}

static void watchful_worker(struct tp_worker *self)
{
    unsigned task;
    for (bool more = await_at(self, &task, true); more; more = take(&task) || await_at(self, &task, tp_idle_begin_search(&idle))) {
        run_here(task);
        tp_lookout_glance(&those);
        if (task == 2)
            run_here(0);
    }
}

/* -- threads ------------------------------------------------------------------------------------------- */

static void producer(void *argument)
{
    (void)argument;
    put(0);
}

static void busy_producer(void *argument)
{
    (void)argument;
    payload[0] = 1;
    put(2);
}

static void device(void *argument)
{
    (void)argument;
    model_driver_post();
}

static void opener(void *argument)
{
    tp_lookout_open(&those);
    device(argument);
}

static void setter(void *argument)
{
    (void)argument;
    tp_store_rlx(&due_ns, DEADLINE);
    if (slip != TELLS_NOBODY)
        tp_lookout_tell(&those, DEADLINE);
}

static void set_alarm(struct tp_alarm *alarm, uint64_t at_ns)
{
    bool is_empty = tp_alarms_next_ns(&wheel) == TP_FOREVER;
    alarm->whom = alarm;
    bool is_first = tp_alarm_set(&wheel, alarm, at_ns);
    if (slip == TELLS_THE_FIRST ? is_empty : is_first && slip != TELLS_NOBODY)
        tp_lookout_tell(&those, at_ns);
}

static void set_soon(void)
{
    set_alarm(&alarm_of_1, soon_ns);
    if (tp_clock_now_ns() < soon_ns)
        tp_store_rlx(&was_told, 1);
}

/* One after the other, as tasks of one worker. */
static void alarm_setter(void *argument)
{
    (void)argument;
    set_alarm(&another, later_ns);
    set_soon();
}

static void other_setter(void *argument)
{
    (void)argument;
    set_alarm(&another, later_ns);
}

static void own_setter(void *argument)
{
    (void)argument;
    set_soon();
}

static void expirer(void *argument)
{
    (void)argument;
    tp_idle_expire(&idle, TP_FOREVER, 1);
}

/* -- scenarios ------------------------------------------------------------------------------------------ */

static void begin(unsigned variant, unsigned n)
{
    open_idle(variant, n);
    slip = variant & ~255u;
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        workers[i].entry = watchful_worker;
    memset(&those, 0, sizeof those);
    those.sleepers = &idle;
    tp_lookout_init(&those.lookout);
    tp_store_rlx(&due_ns, TP_FOREVER);
    has_alarms = false;
    tp_store_rlx(&was_told, 0);
    soon_ns = tp_clock_now_ns() + DEADLINE;
    later_ns = soon_ns + DEADLINE;
    memset(&alarm_of_1, 0, sizeof alarm_of_1);
    memset(&another, 0, sizeof another);
    memset(n_ends, 0, sizeof n_ends);
    model_driver_reset();
    model_driver_on_event = on_event;
}

/* A task keeps a worker; another worker hears of the event. */
static void hear(unsigned variant)
{
    begin(variant, 2);
    tp_driver_open(&those.lookout.driver);
    model_thread(producer, NULL);
    model_thread(device, NULL);
}

/* A worker has glanced before. */
static void glance_and_hear(unsigned variant)
{
    begin(variant, 3);
    tp_driver_open(&those.lookout.driver);
    model_thread(busy_producer, NULL);
    model_thread(device, NULL);
}

static void hear_and_expire(unsigned variant)
{
    hear(variant);
    model_thread(expirer, NULL);
}

/* The driver is opened by a task while workers sleep without it. */
static void open_late(unsigned variant)
{
    begin(variant, 2);
    model_thread(producer, NULL);
    model_thread(opener, NULL);
}

/* A deadline is set while workers fall asleep, and one of them is kept by a task. */
static void set_late(unsigned variant)
{
    begin(variant, 2);
    model_thread(producer, NULL);
    model_thread(setter, NULL);
}

/* The earliest of a wheel is told of, whatever else is set there; the others need not be [ALARM-2]. */
static void set_two(unsigned variant)
{
    begin(variant, 2);
    has_alarms = true;
    tp_alarms_init(&wheel, 1);
    model_thread(producer, NULL);
    model_thread(alarm_setter, NULL);
}

static void set_two_at_once(unsigned variant)
{
    begin(variant, 2);
    has_alarms = true;
    tp_alarms_init(&wheel, 1);
    model_thread(producer, NULL);
    model_thread(other_setter, NULL);
    model_thread(own_setter, NULL);
}

/* All sleep until the alarm is due. */
static void ring_one(unsigned variant)
{
    begin(variant, 2);
    n_threads = tp_idle_live(&idle);
    has_alarms = true;
    tp_alarms_init(&wheel, 1);
    alarm_of_1.whom = &alarm_of_1;
    tp_alarm_set(&wheel, &alarm_of_1, soon_ns);
}

static void check_done(void)
{
    check_ran();
}

static bool has_run_1(void)
{
    return n_run[1] == 1;
}

static void check_one_end(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        n += n_ends[i];
    model_check(has_run_1() && n == 1 && tp_idle_live(&idle) == n_threads);
}

enum { SOME = 20000 };

static const struct model_scenario scenarios[] = {
    {"lookout: 2 workers, an event", hear, check_done, all_ran, .variant = 2, .preemptions = 2, .max_executions = SOME},
    {"lookout: 3 workers, an event", hear, check_done, all_ran, .variant = 3, .preemptions = 1, .max_executions = SOME},
    {"lookout: 2 workers, one expires, an event", hear_and_expire, check_done, all_ran, .variant = 2, .preemptions = 2, .max_executions = SOME},
    {"lookout: 1 worker and 1 vacant, an event", hear, check_done, all_ran, .variant = 1 + 16, .preemptions = 2, .max_executions = SOME},
    {"lookout: 2 workers, a glance, an event", glance_and_hear, check_done, all_ran, .variant = 2, .preemptions = 2, .max_executions = SOME},
    {"lookout: 2 workers, a driver", open_late, check_done, all_ran, .variant = 2, .preemptions = 2, .max_executions = SOME},
    {"lookout: 2 workers, a deadline", set_late, check_done, all_ran, .variant = 2, .preemptions = 2, .timeouts = 1, .max_executions = SOME},
    {"lookout: 2 workers, two alarms", set_two, check_done, all_ran, .variant = 2, .preemptions = 2, .timeouts = 1, .max_executions = SOME},
    {"lookout: 2 workers, two alarms at once", set_two_at_once, check_done, all_ran, .variant = 2, .preemptions = 1, .timeouts = 1, .max_executions = SOME},

    {"lookout: 3 workers, an alarm wakes one", ring_one, check_one_end, has_run_1, .variant = 3, .preemptions = 2, .max_executions = SOME},
    {"lookout: 2 workers and 1 vacant, an alarm wakes one", ring_one, check_one_end, has_run_1, .variant = 2 + 16, .preemptions = 2, .max_executions = SOME},

    {"lookout: an alarm wakes all", ring_one, check_one_end, has_run_1, .variant = 2 + ALL_LOOK_OUT, .preemptions = 2, .must_fail = true},
    {"lookout: the earliest tells nobody", set_two, check_done, all_ran, .variant = 2 + TELLS_THE_FIRST, .preemptions = 2, .timeouts = 1, .must_fail = true},
    {"lookout: nobody takes over", hear, check_done, all_ran, .variant = 2 + KEEPS_QUIET, .preemptions = 2, .must_fail = true},
    {"lookout: a deadline that nobody hears of", set_late, check_done, all_ran, .variant = 2 + TELLS_NOBODY, .preemptions = 2, .timeouts = 1, .must_fail = true},
    {"lookout: one look at the deadlines", set_late, check_done, all_ran, .variant = 2 + LOOKS_ONCE, .preemptions = 2, .timeouts = 1, .must_fail = true},
    {"lookout: a glance that tells nobody", glance_and_hear, check_done, all_ran, .variant = 2 + GLANCES_QUIETLY, .preemptions = 2, .must_fail = true},
    {"lookout: announced without a fence", set_late, check_done, all_ran, .variant = 2, .preemptions = 2, .timeouts = 1, .must_fail = true, .without = {"announce", MODEL_FENCE}},
    {"lookout: told without a fence", set_late, check_done, all_ran, .variant = 2, .preemptions = 2, .timeouts = 1, .must_fail = true, .without = {"tp_lookout_tell", MODEL_FENCE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
