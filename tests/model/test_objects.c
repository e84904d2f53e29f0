/* Pools of objects: each has one holder at a time, and what it left in it is seen by the next; nobody waits in vain, whatever becomes of
 * the objects, the factory and the pool [OBJECT-1]; after the close nothing is left. */
#include "model.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/park.h"

/* Seeded bugs. */
enum habit { GOOD,
    LEAVES_ALTHOUGH_SERVED,
    FORGETS_WHO_WAITS, /* when one less exists */
    SERVES_ONE_FOR_NOTHING /* when one is made in place of another */ };
static enum habit habit;

#include "runtime/sync/line.c"
#include "runtime/sync/waitgroup.c"

static bool wait_in(struct tp_gate *gate, struct tp_party *party, uint64_t deadline_ns, int *status)
{
    bool is_served = tp_gate_wait(gate, party, deadline_ns, status);
    if (habit == LEAVES_ALTHOUGH_SERVED && is_served && *status == 0 && deadline_ns != TP_FOREVER)
        *status = TP_ETIMEDOUT;
    return is_served;
}

static struct tp_party *take_party(struct tp_line *line)
{
    struct tp_party *party = tp_line_take(line);
    if (habit == SERVES_ONE_FOR_NOTHING && party)
        tp_line_take(line);
    return habit == FORGETS_WHO_WAITS ? NULL : party;
}

#include <stdlib.h>
#define malloc(n) model_alloc(n)
#define free(memory) model_free(memory)
#define tp_gate_wait wait_in
#define tp_line_take take_party
#include "runtime/sync/objects.c"

/* Nothing panics here. */
void tp_defer_push(struct tp_defer *node, void (*run)(void *argument), void *argument)
{
    *node = (struct tp_defer){.run = run, .argument = argument};
}

void tp_defer_pop(struct tp_defer *node)
{
    node->run(node->argument);
}

enum { THINGS = 8 };

static struct thing {
    int n_holders, n_uses; /* plain: the explorer sees who looks without the other having been before */
} things[THINGS];

static struct tp_objects *pool;
static tp_atomic(uint32_t) n_made, n_ended, n_refusals, n_held;

static int make_thing(void **object, void *context)
{
    (void)context;
    uint32_t n = tp_load_sc(&n_refusals);
    if (n > 0 && tp_cas_sc(&n_refusals, &n, n - 1))
        return TP_EREFUSED;
    *object = &things[tp_add_sc(&n_made, 1)];
    return 0;
}

static void end_thing(void *object, void *context)
{
    struct thing *thing = object;
    (void)context;
    model_check(thing->n_holders++ == 0);
    tp_add_sc(&n_ended, 1);
}

static void begin(unsigned variant, uint64_t max, uint32_t refusals)
{
    static const struct thing none = {0, 0};
    const struct tp_objects_settings settings = {.make = make_thing, .end = end_thing, .max = max};
    for (int i = 0; i < THINGS; i++)
        things[i] = none;
    tp_atomic_init(&n_made, 0);
    tp_atomic_init(&n_ended, 0);
    tp_atomic_init(&n_held, 0);
    tp_atomic_init(&n_refusals, refusals);
    habit = (enum habit)variant;
    model_check(tp_objects_open(&pool, &settings) == 0);
}

static int use(uint64_t deadline_ns, void (*then)(struct tp_objects *objects, void *object))
{
    void *object = NULL;
    int status = tp_objects_take(pool, deadline_ns, &object);
    if (status != 0)
        return status;
    struct thing *thing = object;
    model_check(thing->n_holders++ == 0);
    thing->n_uses++;
    thing->n_holders--;
    tp_add_sc(&n_held, 1);
    then(pool, object);
    return 0;
}

static void give_twice(void *argument)
{
    (void)argument;
    for (int i = 0; i < 2; i++)
        model_check(use(TP_FOREVER, tp_objects_give) == 0);
}

static void give_once(void *argument)
{
    (void)argument;
    model_check(use(TP_FOREVER, tp_objects_give) == 0);
}

static void drop_once(void *argument)
{
    (void)argument;
    int status = use(TP_FOREVER, tp_objects_drop);
    model_check(status == 0 || status == TP_EREFUSED);
}

static void give_hastily(void *argument)
{
    (void)argument;
    int status = use(tp_deadline_in_ns(TP_SECOND), tp_objects_give);
    model_check(status == 0 || status == TP_ETIMEDOUT);
}

static void give_or_hear(void *argument)
{
    (void)argument;
    int status = use(TP_FOREVER, tp_objects_give);
    model_check(status == 0 || status == TP_ECLOSED);
}

static void close_pool(void *argument)
{
    (void)argument;
    model_check(tp_objects_close(pool, TP_FOREVER) == 0);
    model_check(tp_load_sc(&n_made) == tp_load_sc(&n_ended));
}

static void *held;

static void give_back(void *argument)
{
    (void)argument;
    tp_objects_give(pool, held);
}

static void close_and_free(void *argument)
{
    close_pool(argument);
    tp_objects_free(pool);
    pool = NULL;
    model_check(model_n_blocks() == 0);
}

static void check_end(void)
{
    if (!pool)
        return;
    model_check(!pool->gate.line.first);
    model_check(pool->stats.n_existing == pool->stats.n_idle);
    tp_objects_free(pool);
    model_check(n_made == n_ended);
}

static void check_four(void)
{
    model_check(n_held == 4);
    check_end();
}

static void check_three(void)
{
    model_check(n_held == 3);
    check_end();
}

static void check_two(void)
{
    model_check(n_held == 2);
    check_end();
}

static void two(unsigned variant)
{
    begin(variant, 1, 0);
    model_thread(give_twice, NULL);
    model_thread(give_twice, NULL);
}

static void three(unsigned variant)
{
    begin(variant, 1, 0);
    model_thread(give_once, NULL);
    model_thread(give_once, NULL);
    model_thread(drop_once, NULL);
}

static void refused(unsigned variant)
{
    begin(variant, 1, 1);
    model_thread(drop_once, NULL);
    model_thread(drop_once, NULL);
    model_thread(drop_once, NULL);
}

static void hasty(unsigned variant)
{
    begin(variant, 1, 0);
    model_thread(give_twice, NULL);
    model_thread(give_hastily, NULL);
}

static void closed(unsigned variant)
{
    begin(variant, 1, 0);
    model_thread(give_or_hear, NULL);
    model_thread(give_or_hear, NULL);
    model_thread(close_pool, NULL);
}

/* The memory goes as soon as the last object is back. */
static void freed(unsigned variant)
{
    begin(variant, 1, 0);
    model_check(tp_objects_take(pool, 0, &held) == 0);
    model_thread(give_back, NULL);
    model_thread(close_and_free, NULL);
}

static const struct model_scenario scenarios[] = {
    {"objects: one for two, twice each", two, check_four, .preemptions = 3, .spurious = 1},
    {"objects: one for three, one of whom drops it", three, check_three, .preemptions = 2},
    {"objects: one for three who drop it, and the factory fails once", refused, check_two, .preemptions = 2},
    {"objects: one for two, one of them in haste", hasty, check_end, .preemptions = 2, .timeouts = 1},
    {"objects: a close while one is held and another wants it", closed, check_end, .preemptions = 2},
    {"objects: a close and the end, while the last one is given back", freed, check_end, .preemptions = 3},
    {"objects: two; take without the lock's acquire", two, check_four, .preemptions = 2, .must_fail = true, .without = {"tp_spin_lock", MODEL_ACQUIRE}},
    {"objects: in haste; who is served leaves", hasty, check_end, .variant = LEAVES_ALTHOUGH_SERVED, .preemptions = 2, .timeouts = 1, .must_fail = true},
    {"objects: three; who waits is forgotten", three, check_three, .variant = FORGETS_WHO_WAITS, .preemptions = 2, .must_fail = true},
    {"objects: three; one is served with nothing", three, check_three, .variant = SERVES_ONE_FOR_NOTHING, .preemptions = 2, .must_fail = true},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
