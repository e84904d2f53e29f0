/* What the template calls and the explorer does not look into: the running task, by thread of the
 * model, without panics; the keeper, whose ticks a scenario makes itself; the time of day; and the
 * register of lives. Invariant: nothing here outlives an execution, see model_begin. */
#include "model.h"

#include "runtime/life.c"

#include "runtime/clock.h"
#include "runtime/keeper.h"
#include "runtime/run.h"
#include "stand_in.h"

#include <string.h>

enum { THREADS_MAX = 9 }; /* those of the model, and set_up with tear_down */

static struct tp_run *innermost[THREADS_MAX];

static struct tp_run **mine(void)
{
    return &innermost[model_self() < THREADS_MAX - 1 ? model_self() : THREADS_MAX - 1];
}

void model_begin(void)
{
    memset(innermost, 0, sizeof innermost);
    lives.next = lives.previous = &lives;
}

void tp_run_enter(struct tp_run *run)
{
    run->outer = *mine();
    *mine() = run;
}

void tp_run_leave(struct tp_run *run)
{
    model_check(*mine() == run);
    *mine() = run->outer;
}

struct tp_run *tp_run_self(void)
{
    return *mine();
}

bool tp_run_is_inside(const void *owner, uint64_t id)
{
    for (const struct tp_run *run = *mine(); run; run = run->outer)
        if (run->owner == owner && run->id == id)
            return true;
    return false;
}

unsigned tp_run_depth(const void *owner)
{
    unsigned n = 0;
    for (const struct tp_run *run = *mine(); run; run = run->outer)
        n += run->owner == owner;
    return n;
}

int tp_keeper_start(struct tp_keeper *keeper, const char *name, uint64_t period_ns,
    void (*tick)(void *context, uint64_t now_ns), void *context)
{
    (void)keeper;
    (void)name;
    (void)period_ns;
    (void)tick;
    (void)context;
    return 0;
}

void tp_keeper_stop(struct tp_keeper *keeper)
{
    (void)keeper;
}

uint32_t tp_clock_minute_of_day(void)
{
    return 0;
}
