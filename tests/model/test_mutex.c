/* Mutexes: one at a time, what is guarded is seen by the next, nobody sleeps while it is free, and a wait that time ends leaves nothing
 * behind [MUTEX-1], [MUTEX-2]. */
#include "model.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/park.h"

/* Seeded bugs. */
enum habit { GOOD,
    LEAVES_ALTHOUGH_HANDED,
    FORGETS_THE_OTHERS,
    TAKES_A_TRY_FOR_IT };
static enum habit habit;

#define TP_MUTEX_LOOKS 0
#define TP_MUTEX_TRIES 1

#include "runtime/sync/line.c"
#include "runtime/sync/mutex.h"

static struct tp_mutex door;

static bool await(struct tp_party *party, struct tp_line *line, struct tp_spin *lock, uint64_t deadline_ns, struct tp_patience *patience, int *status)
{
    bool is_served = tp_party_await(party, line, lock, deadline_ns, patience, status);
    if (habit == LEAVES_ALTHOUGH_HANDED && is_served && *status == 0)
        *status = TP_ETIMEDOUT;
    if (habit == TAKES_A_TRY_FOR_IT && is_served)
        *status = 0;
    if (habit == FORGETS_THE_OTHERS && !is_served && line->first)
        tp_add_rlx(&door.word, (uint32_t)-2); /* WAITING */
    return is_served;
}

#define tp_party_await await
#include "runtime/sync/mutex.c"

static int n_inside, n_entered; /* guarded by it */

static void begin(unsigned variant)
{
    tp_mutex_init(&door);
    n_inside = n_entered = 0;
    habit = (enum habit)variant;
}

static void enter(uint64_t deadline_ns)
{
    int status = tp_mutex_lock(&door, deadline_ns);
    model_check(status == 0 || (status == TP_ETIMEDOUT && deadline_ns != TP_FOREVER));
    if (status != 0)
        return;
    model_check(n_inside++ == 0);
    n_entered++;
    n_inside--;
    tp_mutex_unlock(&door);
}

static void enter_once(void *argument)
{
    (void)argument;
    enter(TP_FOREVER);
}

static void enter_twice(void *argument)
{
    (void)argument;
    enter(TP_FOREVER);
    enter(TP_FOREVER);
}

static void enter_hastily(void *argument)
{
    (void)argument;
    enter(tp_deadline_in_ns(TP_SECOND));
}

static void check_free(void)
{
    model_check(door.word == 0);
    model_check(!door.gate.line.first);
}

static void two(unsigned variant)
{
    begin(variant);
    model_thread(enter_twice, NULL);
    model_thread(enter_twice, NULL);
}

static void check_four(void)
{
    check_free();
    model_check(n_entered == 4);
}

static void three(unsigned variant)
{
    begin(variant);
    model_thread(enter_once, NULL);
    model_thread(enter_once, NULL);
    model_thread(enter_twice, NULL);
}

static void hasty(unsigned variant)
{
    begin(variant);
    model_thread(enter_twice, NULL);
    model_thread(enter_hastily, NULL);
    model_thread(enter_once, NULL);
}

static void two_hasty(unsigned variant)
{
    begin(variant);
    model_thread(enter_once, NULL);
    model_thread(enter_hastily, NULL);
    model_thread(enter_hastily, NULL);
}

static const struct model_scenario scenarios[] = {
    {"mutex: two, twice each", two, check_four, .preemptions = 3, .spurious = 1},
    {"mutex: three", three, check_four, .preemptions = 2},
    {"mutex: three, one in haste", hasty, check_free, .preemptions = 2, .timeouts = 1},
    {"mutex: three, two in haste", two_hasty, check_free, .preemptions = 2, .timeouts = 2},
    {"mutex: two; take without acquire", two, check_four, .preemptions = 2, .must_fail = true, .without = {"take", MODEL_ACQUIRE}},
    {"mutex: two; unlock without release", two, check_four, .preemptions = 2, .must_fail = true, .without = {"tp_mutex_unlock", MODEL_RELEASE}},
    {"mutex: three; unlock for the next without release", three, check_four, .preemptions = 3, .must_fail = true, .without = {"unlock_for_next", MODEL_RELEASE}},
    {"mutex: two; who is handed it leaves", two, check_four, .variant = LEAVES_ALTHOUGH_HANDED, .preemptions = 3, .must_fail = true},
    {"mutex: three; one who leaves forgets who waits", two_hasty, check_free, .variant = FORGETS_THE_OTHERS, .preemptions = 2, .timeouts = 2, .must_fail = true},
    {"mutex: two; who is woken to try does not", two, check_four, .variant = TAKES_A_TRY_FOR_IT, .preemptions = 2, .must_fail = true},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
