/* Fork and join: each branch runs once, before its join returns [FORK-1], whoever offers, takes back, takes or waits [FORK-4]; who is out
 * of work is heard [FORK-3]. A branch's memory goes right after its join, and the explorer fails on any touch after that. */
#include "crew.h"
#include "model.h"

#include "runtime/clock.h"
#include "runtime/forks.h"
#include "runtime/park.h"
#include "runtime/run.h"

#include <stdlib.h>
#include <string.h>

/* Seeded bugs; the code under test calls these instead. */
enum habit {
    GOOD,
    NEVER_WAKES,   /* those who join */
    WANTS_NOTHING, /* who is about to sleep */
    LOOKS_NOT,     /* again, who is about to sleep */
    WANTS_NO_MORE  /* who takes the last one offered, or waits for a branch */
};
static enum habit habit;

static inline void want(struct tp_deque *deque)
{
    if (habit != WANTS_NO_MORE)
        tp__deque_want(deque);
}

#define tp_waitlist_notify(list, n) (habit == NEVER_WAKES ? (void)0 : tp_waitlist_notify((list), (n)))
#define tp__deque_want(deque) want(deque)
#include "runtime/fork.c"
#undef tp_waitlist_notify
#undef tp__deque_want
#define TP_FORKS_ROOM 2
#include "runtime/forks.c"

enum { TEAM = 3,
    THREADS = 9 };

static struct tp_forks forks;
static struct tp_idle idle;
static struct tp_crew crew;
static struct tp_worker workers[TEAM], *stack[TEAM];
static unsigned n_sleepers;

/* -- what the model has instead of threads and runs ----------------------------------------------- */

static struct tp_deque *deques[THREADS];
static struct tp_run *innermost[THREADS];

struct tp_deque *tp__deque_self(void)
{
    return deques[model_self()] ? deques[model_self()] : &nowhere;
}

void tp__deque_set(struct tp_deque *deque)
{
    deques[model_self()] = deque;
}

struct tp_run *tp_run_self(void)
{
    return innermost[model_self()];
}

struct tp_run *tp_run_task(void)
{
    return tp_run_self();
}

struct tp_run *tp_run_around(void)
{
    return tp_run_self();
}

void tp_shield_begin(void)
{
}

void tp_shield_end(void)
{
}

void tp_run_enter(struct tp_run *run)
{
    tp_forks_publish();
    run->outer = innermost[model_self()];
    run->branches = NULL;
    innermost[model_self()] = run;
}

void tp_run_leave(struct tp_run *run)
{
    model_check(innermost[model_self()] == run && !run->branches);
    innermost[model_self()] = run->outer;
}

void tp__run_part(struct tp_run *run, struct tp_run *parent, unsigned worker)
{
    (void)parent;
    run->worker = worker;
}

void tp__panic_again(const char *message)
{
    model_fail(__FILE__, __LINE__, message);
}

/* -- work ------------------------------------------------------------------------------------------ */

/* Counts its runs, and does `more` before. Plain: a join orders it. */
struct work {
    unsigned n_run;
    void (*more)(void);
    tp_atomic(uint32_t) has_begun;
};
static struct work work[3];

static void run_work(void *argument)
{
    struct work *self = argument;
    tp_store_sc(&self->has_begun, 1);
    if (self->more)
        self->more();
    self->n_run++;
}

static struct tp_branch *fork_new(struct work *what)
{
    struct tp_branch *branch = model_alloc(sizeof *branch);
    what->n_run = 0;
    tp_fork(branch, run_work, what);
    return branch;
}

static void join_and_free(struct tp_branch *branch, struct work *what)
{
    tp_join(branch);
    model_check(what->n_run == 1);
    what->n_run = 100;
    model_free(branch);
}

static void fork_one(void)
{
    join_and_free(fork_new(&work[0]), &work[0]);
}

static void fork_two(void)
{
    struct tp_branch *a = fork_new(&work[0]), *b = fork_new(&work[1]);
    join_and_free(b, &work[1]);
    join_and_free(a, &work[0]);
}

static void fork_three_joined_in_order(void)
{
    struct tp_branch *a = fork_new(&work[0]), *b = fork_new(&work[1]), *c = fork_new(&work[2]);
    join_and_free(a, &work[0]);
    join_and_free(b, &work[1]);
    join_and_free(c, &work[2]);
}

static void fork_three(void)
{
    struct tp_branch *c = fork_new(&work[2]);
    fork_two();
    join_and_free(c, &work[2]);
}

static void fork_deep(void)
{
    struct tp_branch *c = fork_new(&work[2]);
    fork_one();
    join_and_free(c, &work[2]);
}

static void fork_within(void)
{
    work[1].more = fork_one;
    struct tp_branch *b = fork_new(&work[1]);
    join_and_free(b, &work[1]);
}

static void fork_within_and_beside(void)
{
    work[1].more = fork_deep;
    struct tp_branch *b = fork_new(&work[1]);
    join_and_free(b, &work[1]);
}

/* Goes on forking until somebody has begun the first branch, or the one within. */
static void fork_until_begun(struct work *first)
{
    struct tp_branch *branch = fork_new(first);
    while (tp_load_acq(&first->has_begun) == 0) {
        struct work pretext = {.n_run = 0};
        struct tp_branch *another = fork_new(&pretext);
        join_and_free(another, &pretext);
        model_yield();
    }
    join_and_free(branch, first);
}

/* The first fork is offered in any case. */
static void fork_until_heard(void)
{
    struct work pretext = {.n_run = 0};
    struct tp_branch *first = fork_new(&pretext);
    join_and_free(first, &pretext);
    fork_until_begun(&work[0]);
}

/* What is offered once is taken. */
static void fork_and_wait(void)
{
    struct tp_branch *branch = fork_new(&work[0]);
    while (tp_load_acq(&work[0].has_begun) == 0)
        model_yield();
    join_and_free(branch, &work[0]);
}

static void await_other(void)
{
    while (tp_load_acq(&work[0].has_begun) == 0)
        model_yield();
}

/* Two branches at the same time, for which it takes both workers. */
static void fork_until_both_heard(void)
{
    work[1].more = await_other;
    struct tp_branch *branch = fork_new(&work[1]);
    while (tp_load_acq(&work[1].has_begun) == 0)
        model_yield();
    fork_until_begun(&work[0]);
    join_and_free(branch, &work[1]);
}

/* Who joins is out of work as well: it takes what is within its branch. */
static void fork_and_be_heard(void)
{
    work[1].more = fork_until_heard;
    fork_until_begun(&work[1]);
}

/* A panic: what nobody took never runs, what somebody took has run. */
static void fork_and_settle(void)
{
    struct tp_branch *a = fork_new(&work[0]), *b = fork_new(&work[1]);
    tp__forks_settle(tp_run_self());
    model_check(!tp_run_self()->branches);
    unsigned n[2] = {work[0].n_run, work[1].n_run};
    model_check(!tp_unfork(b) && !tp_unfork(a));
    model_check(work[0].n_run == n[0] && work[1].n_run == n[1] && n[0] <= 1 && n[1] <= 1);
    model_check(work[0].has_begun == n[0] && work[1].has_begun == n[1]);
    model_free(a);
    model_free(b);
}

/* -- threads --------------------------------------------------------------------------------------- */

static void (*what)(void);
static tp_atomic(uint32_t) has_ended; /* the owner */

static void enter(struct tp_run *run, uint32_t index)
{
    memset(run, 0, offsetof(struct tp_run, point));
    tp_forks_enter(&forks, index);
    tp_run_enter(run);
}

static void leave(struct tp_run *run)
{
    tp_run_leave(run);
    tp_forks_leave();
}

static void owner(void *argument)
{
    struct tp_run run;
    (void)argument;
    enter(&run, 0);
    what();
    leave(&run);
    tp_store_rel(&has_ended, 1);
}

/* The task goes on in another thread, as a coroutine may. */
static struct tp_branch *handed;
static struct tp_run handed_run;
static tp_atomic(uint32_t) is_handed;

static void hand_over(void *argument)
{
    (void)argument;
    enter(&handed_run, 0);
    handed = fork_new(&work[0]);
    tp_forks_publish();
    innermost[model_self()] = NULL;
    tp_forks_leave();
    tp_store_rel(&is_handed, 1);
}

static void go_on(void *argument)
{
    (void)argument;
    while (tp_load_acq(&is_handed) == 0)
        model_yield();
    tp_forks_enter(&forks, 2);
    innermost[model_self()] = &handed_run;
    join_and_free(handed, &work[0]);
    leave(&handed_run);
}

static bool help(void)
{
    struct tp_branch *branch = tp_forks_take(&forks);
    if (branch)
        tp_branch_run(branch);
    return branch;
}

static void helper(void *argument)
{
    struct tp_run run;
    enter(&run, (uint32_t)(uintptr_t)argument);
    for (int i = 0; i < 2; i++)
        help();
    leave(&run);
}

static void steady_helper(void *argument)
{
    struct tp_run run;
    enter(&run, (uint32_t)(uintptr_t)argument);
    while (tp_load_acq(&has_ended) == 0)
        if (!help())
            model_yield();
    leave(&run);
}

/* As the template's: searches, says that it wants, looks again, sleeps. */
static void sleeper(struct tp_worker *self)
{
    struct tp_run run;
    enter(&run, self->index);
    for (bool searching = true;;) {
        if (!searching)
            searching = tp_idle_begin_search(&idle);
        struct tp_branch *branch = searching ? tp_forks_take(&forks) : NULL;
        if (branch) {
            searching = false;
            if (tp_idle_end_search(&idle) && tp_forks_are_offered(&forks))
                tp_idle_notify(&idle);
            tp_branch_run(branch);
            continue;
        }
        tp_idle_prepare(&idle, self, searching);
        searching = true;
        if (habit != WANTS_NOTHING)
            tp_forks_want(&forks);
        if (habit != LOOKS_NOT && tp_forks_are_offered(&forks))
            tp_idle_cancel(&idle, self);
        else if (!tp_idle_sleep(&idle, self))
            break;
    }
    leave(&run);
}

/* -- scenarios ------------------------------------------------------------------------------------- */

static void prepare(unsigned variant)
{
    habit = (enum habit)variant;
    is_handed = has_ended = 0;
    memset(work, 0, sizeof work);
    memset(deques, 0, sizeof deques);
    memset(innermost, 0, sizeof innermost);
    tp_forks_init(&forks, TEAM, NULL);
    /* All are in from the beginning: else most schedules would be those in which nobody looks in time. */
    tp_atomic_init(&forks.n_used, TEAM);
}

static void end(void)
{
    for (unsigned i = 0; i < 3; i++)
        model_check(work[i].n_run == 100 || work[i].n_run == 0);
    model_check(work[0].n_run == 100);
    for (unsigned i = 0; i < TEAM; i++)
        model_check(forks.deques[i].n_offered == 0 && !forks.deques[i].oldest && !forks.deques[i].newest);
    model_check(model_n_blocks() == 0);
    tp_forks_free(&forks);
}

static void settled_end(void)
{
    work[0].n_run = 100;
    work[1].n_run = 0;
    end();
}

static void begin(unsigned variant, void (*work_of_owner)(void))
{
    prepare(variant);
    what = work_of_owner;
    model_thread(owner, NULL);
}

static void one(unsigned variant)
{
    begin(variant, fork_one);
    model_thread(helper, (void *)1);
}

static void two(unsigned variant)
{
    begin(variant, fork_two);
    model_thread(helper, (void *)1);
}

static void two_and_two(unsigned variant)
{
    two(variant);
    model_thread(helper, (void *)2);
}

static void in_order(unsigned variant)
{
    begin(variant, fork_three_joined_in_order);
    model_thread(helper, (void *)1);
}

static void three(unsigned variant)
{
    begin(variant, fork_three);
    model_thread(helper, (void *)1);
}

static void within(unsigned variant)
{
    begin(variant, fork_within);
    model_thread(helper, (void *)1);
}

static void within_and_two(unsigned variant)
{
    within(variant);
    model_thread(helper, (void *)2);
}

static void within_and_beside(unsigned variant)
{
    begin(variant, fork_within_and_beside);
    model_thread(helper, (void *)1);
}

static void settle_two(unsigned variant)
{
    begin(variant, fork_and_settle);
    model_thread(helper, (void *)1);
}

static void handed_over(unsigned variant)
{
    prepare(variant);
    model_thread(hand_over, NULL);
    model_thread(go_on, NULL);
    model_thread(helper, (void *)1);
}

static void heard(unsigned variant)
{
    begin(variant, fork_and_be_heard);
    model_thread(steady_helper, (void *)1);
}

/* Workers that sleep when they find nothing. */
static void open_sleepers(unsigned variant, unsigned n)
{
    prepare(variant);
    n_sleepers = n;
    tp_idle_init(&idle, stack, TEAM);
    tp_crew_init(&crew);
    memset(workers, 0, sizeof workers);
    for (unsigned i = 1; i <= n; i++) {
        workers[i].index = i;
        tp_crew_add(&crew, &workers[i], "fork", sleeper);
        tp_idle_grow(&idle, &workers[i]);
    }
    forks.idle = &idle;
    model_thread(owner, NULL);
}

static void with_sleeper(unsigned variant)
{
    open_sleepers(variant, 1);
    what = fork_until_heard;
}

static void with_sleeper_once(unsigned variant)
{
    open_sleepers(variant, 1);
    what = fork_and_wait;
}

static void with_sleepers(unsigned variant)
{
    open_sleepers(variant, 2);
    what = fork_until_both_heard;
}

/* They may sleep for ever when the owner has ended; and whoever forks next will hear of it. */
static bool rest(void)
{
    return has_ended == 1 && tp_idle_sleeping(idle.counts) == n_sleepers && !forks.deques[0].limit;
}

static const struct model_scenario scenarios[] = {
    {"fork: 1 branch, 1 thief", one, end, .preemptions = 4},
    {"fork: 2 branches, 1 thief", two, end, .preemptions = 3},
    {"fork: 2 branches, 2 thieves", two_and_two, end, .preemptions = 2},
    {"fork: 3 branches joined in order, 1 thief", in_order, end, .preemptions = 3},
    {"fork: more branches than room, 1 thief", three, end, .preemptions = 2},
    {"fork: a branch within, 1 thief", within, end, .preemptions = 3},
    {"fork: a branch within, 2 thieves", within_and_two, end, .preemptions = 2},
    {"fork: branches within, 1 thief", within_and_beside, end, .preemptions = 2},
    {"fork: a panic over 2 branches, 1 thief", settle_two, settled_end, .preemptions = 3},
    {"fork: joined on another thread, 1 thief", handed_over, end, .preemptions = 3},
    {"fork: who joins is heard", heard, end, .preemptions = 2, .max_executions = 20000},
    {"fork: who sleeps is heard", with_sleeper, end, rest, .preemptions = 2, .max_executions = 40000},
    {"fork: who sleeps hears what is offered once", with_sleeper_once, end, rest, .preemptions = 3},
    {"fork: two who sleep are heard", with_sleepers, end, rest, .preemptions = 1, .max_executions = 20000},

    {"fork: a thief that wakes nobody", one, end, .variant = NEVER_WAKES, .preemptions = 2, .must_fail = true},
    {"fork: a thief wakes without fence", one, end, .preemptions = 2, .must_fail = true,
        .without = {"tp_waitlist_notify", MODEL_FENCE}},
    {"fork: done without release", one, end, .preemptions = 2, .must_fail = true,
        .without = {"tp_branch_run", MODEL_RELEASE}},
    {"fork: done without acquire", one, end, .preemptions = 2, .must_fail = true, .without = {"is_done", MODEL_ACQUIRE}},
    {"fork: taken without release", one, end, .preemptions = 2, .must_fail = true,
        .without = {"tp__branch_take", MODEL_RELEASE}},
    {"fork: taken without acquire", one, end, .preemptions = 2, .must_fail = true, .without = {"take_back", MODEL_ACQUIRE}},
    {"fork: unlock without release", two, end, .preemptions = 2, .must_fail = true,
        .without = {"tp_spin_unlock", MODEL_RELEASE}},
    {"fork: who joins does not ask for more", heard, end, .variant = WANTS_NO_MORE, .preemptions = 1, .must_fail = true},
    {"fork: who takes the last one does not ask for more", with_sleepers, end, rest, .variant = WANTS_NO_MORE,
        .preemptions = 1, .must_fail = true},
    {"fork: who sleeps says nothing", with_sleeper, end, rest, .variant = WANTS_NOTHING, .preemptions = 2, .must_fail = true},
    {"fork: who sleeps does not look again", with_sleeper_once, end, rest, .variant = LOOKS_NOT, .preemptions = 2, .must_fail = true},
    {"fork: who sleeps does not look behind a fence", with_sleeper, end, rest, .preemptions = 2, .must_fail = true,
        .without = {"tp_idle_prepare", MODEL_FENCE}},
    {"fork: who offers does not look behind a fence", with_sleeper, end, rest, .preemptions = 2, .must_fail = true,
        .without = {"tp_idle_notify", MODEL_FENCE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
