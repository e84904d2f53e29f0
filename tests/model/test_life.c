/* Lives: nothing accepted is lost [LIFE-2], nothing meant for one generation is put into another, and
 * a generation is over only when its worker is gone [LIFE-3]. A pool of one lane, whose worker looks
 * without its lock, as the template's do; every plain variable is a witness for happens-before. */
#include "model.h"

#include "runtime/base/spin.h"
#include "runtime/life.h"

enum { TASKS_MAX = 8,
    THREADS_MAX = 8,
    GENERATIONS = 4 }; /* number 0 is never there */

/* Seeded bugs. */
enum habit {
    GOOD = 0,
    SKIPS_LOCK = 16,     /* the closer does not pass the lane's lock */
    ONE_STEP = 32,       /* the closer drains before it passes the lock */
    COMPARES_STATE = 64, /* a submitter looks for OPEN only, not for the word it saw */
    ENDS_ANY = 128,      /* a closer ends whichever generation it finds */
    LOOKS_FIRST = 256,   /* the worker looks for tasks before it looks whether the pool drains */
    FORGETS_WORD = 512,  /* a submitter looks at the word before it takes the lock, and not again */
    HURRIES = 1024       /* a reopener does not wait for the last closers */
};

static struct tp_life life;
static bool is_registered; /* from an execution that may have been broken off */
static enum habit habit;

/* The lane: its slots are filled under the lock, published by `n_put`, and emptied by the worker. */
static struct tp_spin lane_lock;
static tp_atomic(uint32_t) n_put;
static uint32_t slots[TASKS_MAX], n_taken; /* a slot says for which generation its task is meant */
static unsigned n_put_in[GENERATIONS];     /* written under the lock */
static unsigned n_run_in[GENERATIONS];     /* written by the generation's worker */

/* The crew: stands for what an opener writes and closers read, threads and their records. */
static uint32_t crew;                         /* written by the opener */
static tp_atomic(uint32_t) left[GENERATIONS]; /* set by the generation's worker, with its last breath */
static tp_atomic(uint32_t) n_closing;         /* closers that may touch the crew [LIFE-5] */
static bool is_early;                         /* workers are there from the opening, not from the draining on */

static unsigned n_accepted[THREADS_MAX], n_opened[THREADS_MAX], n_first[THREADS_MAX]; /* by thread */

/* -- the pool ----------------------------------------------------------------------------------- */

static void worker(void *argument)
{
    uint32_t generation = *(uint32_t *)argument;
    for (;;) {
        uint64_t word = tp_life_look(&life);
        uint32_t n = tp_load_acq(&n_put);
        if (habit == LOOKS_FIRST)
            word = tp_life_look(&life);
        if (n == n_taken && tp_life_is_draining(word))
            break;
        if (n == n_taken)
            model_yield();
        while (n_taken < n) {
            model_check(slots[n_taken] == generation);
            n_taken++;
            n_run_in[generation]++;
        }
    }
    tp_store_rel(&left[generation], 1);
}

static bool may_put(uint64_t word)
{
    if (habit == FORGETS_WORD)
        return true;
    if (habit == COMPARES_STATE)
        return tp_life_is_open(tp_life_look(&life));
    return tp_life_same(&life, word);
}

static int submit(void)
{
    uint64_t word = tp_life_look(&life);
    uint32_t generation = tp_life_generation(word);
    if (!tp_life_is_open(word))
        return tp_life_refusal(word);
    tp_spin_lock(&lane_lock);
    bool may = may_put(word);
    if (may) {
        uint32_t n = tp_load_rlx(&n_put);
        slots[n] = generation;
        n_put_in[generation]++;
        tp_store_rel(&n_put, n + 1);
    }
    tp_spin_unlock(&lane_lock);
    return may ? 0 : TP_ECLOSED;
}

static void pass_lock(void)
{
    tp_spin_lock(&lane_lock);
    tp_spin_unlock(&lane_lock);
}

/* What is over is over entirely, and whoever was told so sees all of it, without another look. */
static void check_over(uint32_t generation)
{
    model_check(tp_life_is_over(tp_load_rlx(&life.word), generation));
    model_check(n_run_in[generation] == n_put_in[generation]);
}

/* A worker that finds nothing to do until the pool drains might as well begin then: fewer schedules. */
static void start_worker(uint32_t generation)
{
    static uint32_t numbers[GENERATIONS] = {0, 1, 2, 3};
    model_thread(worker, &numbers[generation]);
}

static void drain(uint32_t generation)
{
    model_check(tp_life_drain(&life) == 0);
    if (!is_early)
        start_worker(generation);
}

static void await_worker(uint32_t generation)
{
    while (tp_load_acq(&left[generation]) == 0)
        model_yield();
}

static uint32_t close_guarded(bool cancel)
{
    uint32_t generation;
    enum tp_life_outcome outcome = tp_life_close(&life, cancel, &generation);
    model_check(outcome != TP_LIFE_DEAD && (cancel || outcome != TP_LIFE_UPGRADED));
    if (outcome == TP_LIFE_FIRST) {
        n_first[model_self()]++;
        if (habit == ONE_STEP)
            drain(generation);
        if (habit != SKIPS_LOCK)
            pass_lock();
        if (habit != ONE_STEP)
            drain(generation);
    }
    if (outcome != TP_LIFE_OVER) {
        uint64_t word = tp_life_look(&life); /* cancelled it is, and stays, unless it is history */
        model_check(!cancel || tp_life_generation(word) != generation || tp_life_is_cancelled(word));
        await_worker(generation);
        model_check(is_early || crew == generation);
        if (habit == ENDS_ANY) {
            uint32_t any = tp_life_generation(tp_life_look(&life));
            tp_life_end(&life, any);
        } else {
            model_check(tp_life_end(&life, generation) == 0);
        }
    }
    return generation;
}

static void close_pool(bool cancel)
{
    if (!is_early)
        tp_add_sc(&n_closing, 1);
    uint32_t generation = close_guarded(cancel);
    if (!is_early)
        tp_add_sc(&n_closing, (uint32_t)-1);
    check_over(generation);
}

/* The steps of opening, after which the crew is there; they may still end in a failure. */
static void start_crew(uint32_t generation)
{
    if (is_early)
        start_worker(generation);
    crew = generation;
}

/* Returns the generation that this caller is to open, or 0 if it is not its turn. */
static uint32_t reopen_pool(void)
{
    int status = tp_life_reopen(&life);
    model_check(status == 0 || status == TP_EINVAL);
    if (status != 0)
        return 0;
    uint32_t generation = tp_life_generation(tp_life_look(&life));
    while (habit != HURRIES && tp_load_sc(&n_closing) != 0)
        model_yield();
    check_over(generation - 1);
    start_crew(generation);
    return generation;
}

/* -- the threads -------------------------------------------------------------------------------- */

static void submitter(void *argument)
{
    (void)argument;
    int status = submit();
    model_check(status == 0 || status == TP_ECLOSED);
    n_accepted[model_self()] += status == 0;
}

static void closer(void *argument)
{
    (void)argument;
    close_pool(false);
}

static void canceller(void *argument)
{
    (void)argument;
    close_pool(true);
}

/* Opens the next generation once the closer is through, submits to it, and closes. */
static void reopener(void *argument)
{
    model_join(*(unsigned *)argument);
    if (reopen_pool() != 0) {
        model_check(tp_life_open(&life) == 0);
        n_opened[model_self()]++;
        submitter(NULL);
    }
    close_pool(false);
}

/* The system refuses the next generation a worker, its first or a later one; the next try succeeds. */
static void failing_reopener(void *argument)
{
    model_join(*(unsigned *)argument);
    uint32_t generation = reopen_pool();
    model_check(generation == 2);
    if (model_choose(2) == 1) {
        drain(generation);
        await_worker(generation);
    }
    model_check(tp_life_end(&life, generation) == 0);
    check_over(generation);
    reopener(argument);
}

/* -- scenarios: the variant is the number of submitters plus a habit ------------------------------ */

static unsigned closer_index;

static void begin(unsigned variant, bool early)
{
    habit = (enum habit)(variant & ~15u);
    is_early = early;
    if (is_registered)
        tp_life_free(&life);
    model_check(tp_life_init(&life) == 0);
    is_registered = true;
    tp_spin_init(&lane_lock);
    n_put = n_taken = n_closing = 0;
    for (unsigned i = 0; i < THREADS_MAX; i++)
        n_accepted[i] = n_opened[i] = n_first[i] = 0;
    for (unsigned i = 0; i < GENERATIONS; i++)
        n_put_in[i] = n_run_in[i] = left[i] = 0;
    start_crew(1);
    model_check(tp_life_open(&life) == 0);
    for (unsigned i = 0; i < (variant & 15); i++)
        model_thread(submitter, NULL);
    closer_index = model_thread(closer, NULL);
}

static void one_closer(unsigned variant)
{
    begin(variant, true);
}

static void two_closers(unsigned variant)
{
    begin(variant, true);
    model_thread(canceller, NULL);
}

static void closer_and_reopener(unsigned variant)
{
    begin(variant, false);
    model_thread(reopener, &closer_index);
}

static void two_closers_and_reopener(unsigned variant)
{
    closer_and_reopener(variant);
    model_thread(canceller, NULL);
}

static void two_plain_closers_and_reopener(unsigned variant)
{
    closer_and_reopener(variant);
    model_thread(closer, NULL);
}

static void two_reopeners(unsigned variant)
{
    closer_and_reopener(variant);
    model_thread(reopener, &closer_index);
}

static void closers_and_failing_reopener(unsigned variant)
{
    begin(variant, false);
    model_thread(failing_reopener, &closer_index);
    model_thread(closer, NULL);
}

static void end(void)
{
    unsigned accepted = 0, opened = 1, first = 0, put = 0;
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        accepted += n_accepted[i];
        opened += n_opened[i];
        first += n_first[i];
    }
    uint64_t word = tp_life_look(&life);
    model_check(tp_life_state(word) == TP_LIFE_CLOSED && first == opened && accepted == n_put && n_taken == n_put);
    for (unsigned i = 1; i <= tp_life_generation(word); i++) {
        check_over(i);
        put += n_put_in[i];
    }
    model_check(put == n_put);
}

static const struct model_scenario scenarios[] = {
    {"life: 1 submitter, closed", one_closer, end, .variant = 1, .preemptions = 4},
    {"life: 2 submitters, closed", one_closer, end, .variant = 2, .preemptions = 2},
    {"life: 2 closers", two_closers, end, .variant = 0, .preemptions = 4},
    {"life: 1 submitter, 2 closers", two_closers, end, .variant = 1, .preemptions = 2},
    {"life: 1 submitter, reopened", closer_and_reopener, end, .variant = 1, .preemptions = 2},
    {"life: 2 submitters, reopened", closer_and_reopener, end, .variant = 2, .preemptions = 1},
    {"life: 2 plain closers, reopened", two_plain_closers_and_reopener, end, .variant = 0, .preemptions = 2},
    {"life: 2 closers, reopened", two_closers_and_reopener, end, .variant = 0, .preemptions = 2},
    {"life: 1 submitter, 2 closers, reopened", two_closers_and_reopener, end, .variant = 1, .preemptions = 1},
    {"life: 1 submitter, 2 reopeners", two_reopeners, end, .variant = 1, .preemptions = 1},
    {"life: 2 closers, reopening fails once", closers_and_failing_reopener, end, .variant = 0, .preemptions = 1},

    {"life: the lock is not passed", one_closer, end, .variant = 1 + SKIPS_LOCK, .preemptions = 2, .must_fail = true},
    {"life: closed in one step", one_closer, end, .variant = 1 + ONE_STEP, .preemptions = 2, .must_fail = true},
    {"life: the word is not compared", one_closer, end, .variant = 1 + FORGETS_WORD, .preemptions = 2,
        .must_fail = true},
    {"life: only the state is compared", closer_and_reopener, end, .variant = 1 + COMPARES_STATE, .preemptions = 2,
        .must_fail = true},
    {"life: a late closer ends the next generation", two_closers_and_reopener, end, .variant = ENDS_ANY,
        .preemptions = 3, .must_fail = true},
    {"life: a reopener does not wait for closers", two_closers_and_reopener, end, .variant = HURRIES,
        .preemptions = 2, .must_fail = true},
    {"life: a worker leaves that looked too early", one_closer, end, .variant = 1 + LOOKS_FIRST, .preemptions = 2,
        .must_fail = true},
    {"life: closers are looked for without order", closers_and_failing_reopener, end, .variant = 0,
        .preemptions = 1, .must_fail = true, .without = {"reopen_pool", MODEL_ACQUIRE}},
    {"life: close without acquire", two_closers, end, .variant = 1, .preemptions = 2, .must_fail = true,
        .without = {"tp_life_close", MODEL_ACQUIRE}},
    {"life: end without release", two_closers, end, .variant = 1, .preemptions = 2, .must_fail = true,
        .without = {"tp_life_end", MODEL_RELEASE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
