/* The life cycle of a coroutine against those who wake it, ask it to end, drive it, or come late
 * [CYCLE-1..5]. The coroutine is a script that a worker interprets: what it does between two
 * suspensions, as plain code. The queue holds one coroutine at most: twice queued is the bug. */
#include "model.h"

#define tp_cycle_suspend suspend_as_written
#include "coro/cycle.c"

/* Seeded bugs, in the code under test. */
enum habit { GOOD,
    FORGETS_WOKEN, /* a suspension does not look for the wake-up that came before it */
    IGNORES_LIVES  /* a wake-up does not look at the generation */
};
static enum habit habit;

static struct tp_cycle cycle;
static tp_atomic(uint32_t) queued;    /* 1: in the queue */
static tp_atomic(uint32_t) condition; /* what the coroutine waits for */
static tp_atomic(uint32_t) is_over;
static int letter;  /* plain: written before `condition` */
static int context; /* plain: the coroutine's own, saved and loaded by who runs it */
static uint64_t generation;
static unsigned n_ends, n_lives, n_asked_out;
static bool waits_shielded, may_be_asked;

static enum tp_cycle_outcome suspend(void)
{
    if (habit != FORGETS_WOKEN)
        return suspend_as_written(&cycle);
    uint64_t word = tp_load_acq(&cycle.word);
    while (!tp_cas_sc(&cycle.word, &word, (word & ~(uint64_t)TP__CYCLE_STATE) | TP_CYCLE_SUSPENDED))
        ;
    return TP_CYCLE_MADE;
}

static void put(void)
{
    model_check(tp_swap_sc(&queued, 1) == 0); /* [CYCLE-1] */
}

/* The coroutine from one suspension to the next. Returns whether it ended. */
static bool step(void)
{
    context++;
    if (n_ends > 0) /* all wake-ups are meant for the first life */
        model_check(!(tp_load_rlx(&cycle.word) & TP__CYCLE_WOKEN));
    if (!waits_shielded && tp_cycle_is_asked(&cycle)) {
        n_asked_out++;
        return true;
    }
    if (tp_load_acq(&condition) == 0)
        return false;
    model_check(letter == 1);
    return true;
}

static void finish(void)
{
    n_ends++;
    tp_cycle_end(&cycle, TP_CYCLE_DONE);
    tp_cycle_free(&cycle);
    if (n_ends < n_lives) {
        tp_cycle_begin(&cycle, TP_CYCLE_READY);
        put();
    } else {
        tp_store_sc(&is_over, 1);
    }
}

static void run_one(void)
{
    if (step())
        finish();
    else if (suspend() == TP_CYCLE_QUEUE)
        put();
}

/* -- threads ---------------------------------------------------------------------------------------- */

static void worker(void *argument)
{
    (void)argument;
    while (tp_load_sc(&is_over) == 0)
        if (tp_load_acq(&queued) == 1 && tp_swap_sc(&queued, 0) == 1) {
            tp_cycle_run(&cycle);
            run_one();
        } else {
            model_yield();
        }
}

static enum tp_cycle_outcome wake_it(void)
{
    return tp_cycle_wake(&cycle, habit == IGNORES_LIVES ? tp_cycle_generation(tp_cycle_look(&cycle)) : generation);
}

static void waker(void *argument)
{
    (void)argument;
    letter = 1;
    tp_store_rel(&condition, 1);
    if (wake_it() == TP_CYCLE_QUEUE)
        put();
}

/* One who wakes for nothing. */
static void disturber(void *argument)
{
    (void)argument;
    if (wake_it() == TP_CYCLE_QUEUE)
        put();
}

static void canceller(void *argument)
{
    (void)argument;
    if (tp_cycle_ask(&cycle, generation) == TP_CYCLE_QUEUE)
        put();
}

/* -- scenarios -------------------------------------------------------------------------------------- */

static void begin(unsigned variant, enum tp_cycle_state state)
{
    habit = (enum habit)(variant / 100);
    unsigned n_workers = variant / 10 % 10;
    n_lives = variant % 10;
    n_ends = n_asked_out = 0;
    context = letter = 0;
    waits_shielded = may_be_asked = false;
    tp_atomic_init(&cycle.word, 0);
    tp_atomic_init(&queued, 0);
    tp_atomic_init(&condition, 0);
    tp_atomic_init(&is_over, 0);
    generation = tp_cycle_begin(&cycle, state);
    if (state == TP_CYCLE_READY)
        put();
    for (unsigned i = 0; i < n_workers; i++)
        model_thread(worker, NULL);
}

static void wake(unsigned variant)
{
    begin(variant, TP_CYCLE_READY);
    model_thread(waker, NULL);
}

static void wake_twice(unsigned variant)
{
    wake(variant);
    model_thread(disturber, NULL);
}

static void wake_and_ask(unsigned variant)
{
    wake(variant);
    model_thread(canceller, NULL);
}

static void ask(unsigned variant)
{
    begin(variant, TP_CYCLE_READY);
    may_be_asked = true;
    model_thread(canceller, NULL);
}

static void ask_shielded(unsigned variant)
{
    wake_and_ask(variant);
    waits_shielded = true;
    tp_cycle_shield(&cycle);
}

static void end(void)
{
    model_check(n_ends == n_lives);
    model_check(tp_load_rlx(&queued) == 0);
    model_check(tp_cycle_state(tp_cycle_look(&cycle)) == TP_CYCLE_FREE);
    model_check(!may_be_asked || n_asked_out == 1);
    model_check(!waits_shielded || n_asked_out == 0);
}

static const struct model_scenario scenarios[] = {
    {"cycle: a wake-up against the suspension", wake, end, .variant = 11, .preemptions = 3},
    {"cycle: two workers, a wake-up", wake, end, .variant = 21, .preemptions = 2},
    {"cycle: two workers, a wake-up and one for nothing", wake_twice, end, .variant = 21, .preemptions = 2, .max_executions = 60000},
    {"cycle: late wake-ups against the next life", wake_twice, end, .variant = 12, .preemptions = 2},
    {"cycle: a request to end against the suspension", ask, end, .variant = 11, .preemptions = 3},
    {"cycle: two workers, a wake-up and a request to end", wake_and_ask, end, .variant = 21, .preemptions = 2, .max_executions = 60000},
    {"cycle: a request to end against a shield", ask_shielded, end, .variant = 11, .preemptions = 2},

    {"cycle: a suspension that forgets the wake-up", wake, end, .variant = 111, .preemptions = 2, .must_fail = true},
    {"cycle: a suspension that forgets the request", ask, end, .variant = 111, .preemptions = 2, .must_fail = true},
    {"cycle: a wake-up for any life", wake_twice, end, .variant = 212, .preemptions = 2, .must_fail = true},
    {"cycle: a suspension without release", wake, end, .variant = 21, .preemptions = 2, .must_fail = true,
        .without = {"suspend_as_written", MODEL_RELEASE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
