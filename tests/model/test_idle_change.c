/* Idle workers that come and go: retired, started by a waker, refused by the system, asked to leave,
 * and asked to stay, against tasks that become visible meanwhile [IDLE-4] [IDLE-5] [IDLE-6]. */
#include "idle_loop.h"

#include "runtime/clock.h"

static tp_atomic(uint32_t) n_accepted;
static unsigned n_refused; /* threads the system may refuse in the scenario being set up */

/* -- threads ----------------------------------------------------------------------------------- */

static void producer(void *argument)
{
    put((unsigned)((tp_atomic(uint32_t) *)argument - queued));
}

/* Two tasks that need each other: so each must bring a worker of its own. */
static void double_producer(void *argument)
{
    producer(argument);
    put(1);
}

static void expirer(void *argument)
{
    (void)argument;
    tp_idle_expire(&idle, TP_FOREVER, 0);
}

static void expirer_that_keeps_one(void *argument)
{
    (void)argument;
    tp_idle_expire(&idle, TP_FOREVER, 1);
    model_check(tp_idle_live(&idle) >= 1);
}

static void shrinker(void *argument)
{
    (void)argument;
    tp_idle_shrink(&idle, &workers[0]);
}

static void shrinker_and_grower(void *argument)
{
    (void)argument;
    tp_idle_shrink(&idle, &workers[0]);
    model_check(tp_idle_grow(&idle, &workers[0]) == 0);
}

static void shrinker_and_adder(void *argument)
{
    (void)argument;
    tp_idle_shrink(&idle, &workers[0]);
    tp_idle_add_vacant(&idle, &workers[0]);
}

static void grower(void *argument)
{
    (void)argument;
    model_check(tp_idle_grow(&idle, &workers[0]) == 0);
}

/* A worker without a thread takes the place of one with a thread. */
static void successor_first(void *argument)
{
    (void)argument;
    tp_idle_add_vacant(&idle, &workers[1]);
    tp_idle_shrink(&idle, &workers[0]);
}

static void successor_last(void *argument)
{
    (void)argument;
    tp_idle_shrink(&idle, &workers[0]);
    tp_idle_add_vacant(&idle, &workers[1]);
    if (habit != OWNER_LOOKS_NOT && is_work_visible())
        tp_idle_notify(&idle);
}

static void accepted_producer(void *argument)
{
    (void)argument;
    payload[0] = 1;
    tp_store_rel(&queued[0], 1);
    tp_store_rel(&n_accepted, 1);
    tp_idle_notify(&idle);
}

/* Closes as soon as the task is visible: its producer may still be about to notify. */
static void closer(void *argument)
{
    (void)argument;
    while (tp_load_acq(&n_accepted) == 0)
        model_yield();
    tp_store_sc(&draining, 1);
    if (habit != OWNER_LOOKS_NOT)
        tp_idle_notify(&idle);
    tp_idle_wake_all(&idle);
    model_check(tp_crew_wait(&crew, TP_FOREVER) == 0);
    is_closed = true;
    check_ran();
}

/* -- scenarios ----------------------------------------------------------------------------------- */

static void with(unsigned variant, unsigned tasks, void (*change)(void *))
{
    open_idle(variant, tasks);
    model_refusals = n_refused;
    for (unsigned i = 0; i < tasks; i++)
        model_thread(producer, &queued[i]);
    if (change)
        model_thread(change, NULL);
}

static void expire(unsigned variant)
{
    with(variant, 1, expirer);
}

static void expire_2(unsigned variant)
{
    with(variant, 2, expirer);
}

static void expire_but_one(unsigned variant)
{
    with(variant, 1, expirer_that_keeps_one);
}

static void start(unsigned variant)
{
    with(variant, 1, NULL);
}

static void start_2(unsigned variant)
{
    with(variant, 2, NULL);
}

static void start_that_meet(unsigned variant)
{
    start_2(variant);
    tasks_meet = true;
}

static void chain_that_meets(unsigned variant)
{
    open_idle(variant, 2);
    tasks_meet = true;
    model_thread(double_producer, &queued[0]);
}

static void refuse_once(unsigned variant)
{
    n_refused = 1;
    with(variant, 2, NULL);
    n_refused = 0;
}

/* The thread is refused when the worker that ran has gone to sleep meanwhile. */
static void refuse_late(unsigned variant)
{
    open_idle(variant, 3);
    model_refusals = 1;
    payload[0] = 1;
    queued[0] = 1; /* so that the worker runs, and does not search */
    model_thread(producer, &queued[1]);
    model_thread(producer, &queued[2]);
}

static void refuse_always(unsigned variant)
{
    n_refused = 8;
    with(variant, 2, NULL);
    n_refused = 0;
}

static void shrink(unsigned variant)
{
    with(variant, 1, shrinker);
}

static void shrink_2(unsigned variant)
{
    with(variant, 2, shrinker);
}

static void shrink_and_grow(unsigned variant)
{
    with(variant, 1, shrinker_and_grower);
}

static void shrink_and_add(unsigned variant)
{
    with(variant, 1, shrinker_and_adder);
}

static void grow(unsigned variant)
{
    with(variant, 1, grower);
}

static void succeed(unsigned variant, void (*change)(void *))
{
    with(variant, 2, change);
    tp_crew_add(&crew, &workers[1], "idle", worker);
}

static void succeed_first(unsigned variant)
{
    succeed(variant, successor_first);
}

static void succeed_last(unsigned variant)
{
    succeed(variant, successor_last);
}

static void close_late(unsigned variant)
{
    n_accepted = 0;
    open_idle(variant, 1);
    model_thread(accepted_producer, NULL);
    model_thread(closer, NULL);
}

/* Once all is done: who is not out sleeps or is vacant, and is counted so. */
static bool rest_with(unsigned n_out)
{
    unsigned n[TP_WORKER_VACANT + 1] = {0};
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        n[workers[i].place]++;
    return all_ran() && n[TP_WORKER_AWAKE] == 0 && n[TP_WORKER_OUT] == n_out + WORKERS_MAX - n_workers &&
           n[TP_WORKER_ASLEEP] == idle.n_live && n[TP_WORKER_ASLEEP] == crew.n_alive &&
           n_entered - n_left == crew.n_alive &&
           idle.n_stacked == n[TP_WORKER_ASLEEP] + n[TP_WORKER_VACANT] &&
           tp_idle_sleeping(idle.counts) == idle.n_stacked && tp_idle_searching(idle.counts) == 0;
}

static bool rest(void)
{
    return rest_with(0);
}

static bool rest_but_one(void)
{
    return rest_with(1) && workers[0].place == TP_WORKER_OUT;
}

/* The first worker is out, and one that was not there at first is in its place. */
static bool rest_succeeded(void)
{
    return rest_with(0) && workers[0].place == TP_WORKER_OUT;
}

static void check_rest(void)
{
    model_check(rest());
}

static void check_rest_but_one(void)
{
    model_check(rest_but_one());
}

static void check_rest_succeeded(void)
{
    model_check(rest_succeeded());
}

static void check_closed(void)
{
    check_ran();
    model_check(crew.n_alive == 0 && n_entered == n_left && idle.n_live == 0);
    model_check(tp_idle_searching(idle.counts) == 0 && tp_idle_sleeping(idle.counts) == idle.n_vacant);
}

static const struct model_scenario scenarios[] = {
    {"change: 1 worker expires", expire, check_rest, rest, .variant = 1, .preemptions = 3},
    {"change: 2 workers expire", expire, check_rest, rest, .variant = 2, .preemptions = 1},
    {"change: 1 worker expires, 2 producers", expire_2, check_rest, rest, .variant = 1, .preemptions = 2},
    {"change: 1 of 2 workers expires", expire_but_one, check_rest, rest, .variant = 2, .preemptions = 2},
    {"change: 1 worker expires, 1 vacant", expire, check_rest, rest, .variant = 1 + 16, .preemptions = 2},

    {"change: 1 vacant is started", start, check_rest, rest, .variant = 16, .preemptions = 3},
    {"change: 2 vacant, 2 producers", start_2, check_rest, rest, .variant = 2 * 16, .preemptions = 2},
    {"change: 1 worker, 1 vacant, tasks that meet", start_that_meet, check_rest, rest, .variant = 1 + 16, .preemptions = 1},
    {"change: 2 vacant, tasks that meet", start_that_meet, check_rest, rest, .variant = 2 * 16, .preemptions = 1},
    {"change: 2 vacant, a chain that meets", chain_that_meets, check_rest, rest, .variant = 2 * 16, .preemptions = 2},

    {"change: 1 worker, 1 vacant, refused once", refuse_once, check_rest, rest, .variant = 1 + 16, .preemptions = 2},
    {"change: 1 worker that runs, 1 vacant, refused late", refuse_late, check_rest, rest, .variant = 1 + 16, .preemptions = 2},
    {"change: 1 worker, 2 vacant, always refused", refuse_always, check_rest, rest, .variant = 1 + 2 * 16, .preemptions = 1},

    {"change: 1 of 2 workers leaves", shrink, check_rest_but_one, rest_but_one, .variant = 2, .preemptions = 2},
    {"change: 1 of 2 workers leaves, 2 producers", shrink_2, check_rest_but_one, rest_but_one, .variant = 2, .preemptions = 1},
    {"change: 1 worker leaves, 1 vacant", shrink, check_rest_but_one, rest_but_one, .variant = 1 + 16, .preemptions = 2},
    {"change: 1 of 2 vacant leaves", shrink, check_rest_but_one, rest_but_one, .variant = 2 * 16, .preemptions = 2},
    {"change: 1 worker leaves and stays", shrink_and_grow, check_rest, rest, .variant = 1, .preemptions = 2},
    {"change: 1 vacant leaves and comes", shrink_and_grow, check_rest, rest, .variant = 16, .preemptions = 2},
    {"change: 1 of 2 workers becomes vacant", shrink_and_add, check_rest, rest, .variant = 2, .preemptions = 2},
    {"change: 1 vacant grows", grow, check_rest, rest, .variant = 16, .preemptions = 2},
    {"change: 1 worker is succeeded", succeed_first, check_rest_succeeded, rest_succeeded, .variant = 1, .preemptions = 1},
    {"change: 1 worker is succeeded late", succeed_last, check_rest_succeeded, rest_succeeded, .variant = 1, .preemptions = 1},

    {"change: 1 worker closes", close_late, check_closed, .variant = 1, .preemptions = 2},
    {"change: 1 vacant closes", close_late, check_closed, .variant = 16, .preemptions = 2},
    {"change: 1 worker, 1 vacant closes", close_late, check_closed, .variant = 1 + 16, .preemptions = 1},

    {"change: a worker leaves blindly", succeed_first, check_rest_succeeded, rest_succeeded,
        .variant = 1 + LEAVES_BLINDLY, .preemptions = 2, .must_fail = true},
    {"change: the owner does not look", succeed_last, check_rest_succeeded, rest_succeeded,
        .variant = 1 + OWNER_LOOKS_NOT, .preemptions = 2, .must_fail = true},
    {"change: add without fence", succeed_last, check_rest_succeeded, rest_succeeded, .variant = 1, .preemptions = 2,
        .must_fail = true, .without = {"tp_idle_add_vacant", MODEL_FENCE}},
    {"change: closed without a thread", close_late, check_closed, .variant = 16 + OWNER_LOOKS_NOT, .preemptions = 2,
        .must_fail = true},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
