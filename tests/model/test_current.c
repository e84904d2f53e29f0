/* The current-thread scheduler: threads that wait for tasks take turns in running them, and none sleeps while there is something to do
 * [CURRENT-1] [CURRENT-2]; wakers and submitters from outside end the sleep of who runs them. Tasks have stacks, the records of their ends
 * are a word each. */
#include "model.h"
#include "stand_in.h"

#include "driver.h"
#include "stacks.h"

#include <stdlib.h>
#include <string.h>

/* Seeded bugs. */
enum habit { GOOD,
    LEAVES_QUIETLY, /* who has driven tells nobody */
    ENDS_QUIETLY,   /* nobody is told of an end */
    WAKES_NOBODY    /* who drives sleeps on */
};
static enum habit habit;

#define TP_FIBER_CHUNK 2
#define malloc(n) model_alloc(n)
#define calloc(n, bytes) memset(model_alloc((n) * (bytes)), 0, (n) * (bytes))
#define aligned_alloc(a, n) model_alloc(n)
#define free(p) model_free(p)

#include "runtime/futex.h"

#include "runtime/fiber.c"

#include "runtime/fibers.c"

#include "runtime/lookout.c"

static void notify(const char *by, struct tp_waitlist *list, unsigned n)
{
    if ((habit != LEAVES_QUIETLY || strcmp(by, "give_turn") != 0) && (habit != ENDS_QUIETLY || strcmp(by, "count_over") != 0))
        tp_waitlist_notify(list, n);
}

static void wake(tp_atomic(uint32_t) *word, int n)
{
    if (habit != WAKES_NOBODY)
        tp_futex_wake(word, n);
}

static void ring_bell(int bell)
{
    if (habit != WAKES_NOBODY)
        tp__bell_ring(bell);
}

#define tp__bell_ring(bell) ring_bell(bell)
#define tp_waitlist_notify(list, n) notify(__func__, list, n)
#define tp_futex_wake(word, n) wake(word, n)
#include "runtime/current.c"

#include "runtime/current_drive.c"
#undef tp_waitlist_notify
#undef tp_futex_wake
#undef tp__bell_ring

enum { TASKS_MAX = 4 };

/* -- in place of what is not explored ---------------------------------------------------------------- */

static tp_atomic(uint32_t) n_ids, is_over[TASKS_MAX + 1]; /* by id */

const struct tp_pool_ops tp__current_ops = {.name = "current"};

struct tp_co *tp_co_self(void)
{
    return (struct tp_co *)(void *)tp_run_self(); /* only whether there is one */
}

void tp__clock_ask(bool (*tell)(uint64_t *now_ns))
{
    (void)tell;
}

void tp_call_dropped(struct tp_call call)
{
    (void)call;
    model_check(false);
}

int tp_track_init(struct tp_track *track, uint64_t n_prealloc)
{
    (void)track;
    (void)n_prealloc;
    return 0;
}

void tp_track_free(struct tp_track *track)
{
    (void)track;
}

int tp_track_begin(struct tp_track *track, size_t n, bool kept, uint64_t *ids, size_t *n_begun)
{
    (void)track;
    (void)kept;
    *n_begun = n;
    *ids = tp_add_sc(&n_ids, 1) + 1;
    return 0;
}

void tp_track_undo(struct tp_track *track, const uint64_t *ids, size_t n)
{
    (void)track;
    (void)ids;
    (void)n;
    model_check(false);
}

bool tp_track_start(struct tp_track *track, uint64_t id)
{
    (void)track;
    (void)id;
    return true;
}

void tp_track_say_where(struct tp_track *track, uint64_t id, uint32_t fiber)
{
    (void)track;
    (void)id;
    (void)fiber;
}

uint32_t tp_track_where(struct tp_track *track, uint64_t id)
{
    (void)track;
    (void)id;
    model_check(false); /* nobody cancels */
    return 0;
}

void tp_track_finish(struct tp_track *track, uint64_t id, struct tp_task_result result)
{
    (void)track;
    model_check(result.state == TP_TASK_RETURNED);
    tp_store_rel(&is_over[id], 1);
}

bool tp_track_drop(struct tp_track *track, uint64_t id, enum tp_task_state state)
{
    (void)track;
    (void)id;
    (void)state;
    model_check(false);
    return false;
}

int tp_track_wait(struct tp_track *track, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    (void)track;
    (void)result;
    model_check(deadline_ns == 0);
    return tp_load_acq(&is_over[id]) != 0 ? 0 : TP_ETIMEDOUT;
}

/* -- tasks ------------------------------------------------------------------------------------------- */

static struct tp_current *current;
static struct tp_waitlist list;
static tp_atomic(uint32_t) flag;
static int published; /* plain: by the flag */
static unsigned n_ended;

static void raise_flag(void)
{
    published = 1;
    tp_store_rel(&flag, 1);
    tp_waitlist_notify(&list, UINT32_MAX);
}

static int await_flag(void *unused)
{
    struct tp_waiter w;
    (void)unused;
    while (tp_load_acq(&flag) == 0) { /* prepare, look again, sleep [PARK-1] */
        tp_waitlist_prepare(&list, &w);
        if (tp_load_acq(&flag) != 0)
            tp_waitlist_cancel(&list, &w);
        else
            model_check(tp_waitlist_wait(&list, &w, TP_FOREVER) == 0);
    }
    model_check(published == 1);
    n_ended++; /* plain: one task runs at a time */
    return 0;
}

static int raise_it(void *unused)
{
    (void)unused;
    raise_flag();
    n_ended++;
    return 0;
}

static int yield_once(void *unused)
{
    (void)unused;
    model_check(tp_yield() == 0);
    n_ended++;
    return 0;
}

/* -- threads ----------------------------------------------------------------------------------------- */

static unsigned blockers[2];

static void block(int (*run)(void *))
{
    uint64_t id;
    model_check(tp__current_accept(current, &(struct tp_call){run, NULL}, true, &id) == 0);
    model_check(tp__current_await(current, id, TP_FOREVER) == 0);
    model_check(tp_load_rlx(&is_over[id]) == 1); /* relaxed: it was seen */
}

static void sleeper(void *unused)
{
    (void)unused;
    block(await_flag);
}

static void raiser(void *unused)
{
    (void)unused;
    block(raise_it);
}

static void yielder(void *unused)
{
    (void)unused;
    block(yield_once);
}

/* Its task ends, and then the other one's may. */
static void yielder_then_waker(void *unused)
{
    yielder(unused);
    raise_flag();
}

static void waker(void *unused)
{
    (void)unused;
    raise_flag();
}

/* Hands a task over from outside, which nobody waits for. */
static void submitter(void *unused)
{
    uint64_t id;
    (void)unused;
    model_check(tp__current_accept(current, &(struct tp_call){raise_it, NULL}, false, &id) == 0);
}

/* The end: nobody is inside any more but a waker that is late. */
static void closer(void *n)
{
    for (unsigned i = 0; i < *(const unsigned *)n; i++)
        model_join(blockers[i]);
    model_check(tp__current_await(current, 0, TP_FOREVER) == 0);
    tp__current_free(current);
}

static void open_it(unsigned variant)
{
    habit = (enum habit)(variant / 10);
    model_begin();
    model_stacks_begin();
    model_driver_reset();
    tp_waitlist_init(&list);
    tp_store_rlx(&flag, 0); /* relaxed, as all here: before the threads */
    tp_store_rlx(&n_ids, 0);
    for (int i = 0; i <= TASKS_MAX; i++)
        tp_store_rlx(&is_over[i], 0);
    published = 0;
    n_ended = 0;
    model_check(tp__current_open(&current, &(struct tp_current_settings){.capacity = 0}) == 0);
}

static void close_after(unsigned n)
{
    static unsigned n_blockers;
    n_blockers = n;
    model_thread(closer, &n_blockers);
}

static void set_two(unsigned variant)
{
    open_it(variant);
    blockers[0] = model_thread(yielder, NULL);
    blockers[1] = model_thread(yielder, NULL);
    close_after(2);
}

static void set_waker(unsigned variant)
{
    open_it(variant);
    blockers[0] = model_thread(sleeper, NULL);
    model_thread(waker, NULL);
    close_after(1);
}

/* The same while descriptors are watched: who drives sleeps in the driver. */
static void set_waker_in_driver(unsigned variant)
{
    set_waker(variant);
    model_check(tp_driver_open(&current->fibers.lookout.driver) == 0);
}

static void poster(void *unused)
{
    (void)unused;
    model_driver_post();
}

/* A descriptor is ready, which wakes the task. */
static void set_event(unsigned variant)
{
    open_it(variant);
    model_driver_on_event = raise_flag;
    model_check(tp_driver_open(&current->fibers.lookout.driver) == 0);
    blockers[0] = model_thread(sleeper, NULL);
    blockers[1] = model_thread(poster, NULL);
    close_after(2);
}

static void set_submitter(unsigned variant)
{
    open_it(variant);
    blockers[0] = model_thread(sleeper, NULL);
    blockers[1] = model_thread(submitter, NULL);
    close_after(2);
}

static void set_each_other(unsigned variant)
{
    open_it(variant);
    blockers[0] = model_thread(sleeper, NULL);
    blockers[1] = model_thread(raiser, NULL);
    close_after(2);
}

static void set_turns(unsigned variant)
{
    open_it(variant);
    blockers[0] = model_thread(sleeper, NULL);
    blockers[1] = model_thread(yielder_then_waker, NULL);
    close_after(2);
}

static void check(void)
{
    model_check(n_ended == tp_load_rlx(&n_ids)); /* relaxed: nobody else is there */
    model_check(!list.first && model_n_blocks() == 0);
}

enum { SOME = 40000 };

static const struct model_scenario scenarios[] = {
    {"current: two threads, a task each", set_two, check, .preemptions = 2, .max_executions = SOME},
    {"current: a task is woken from outside", set_waker, check, .preemptions = 3, .max_executions = SOME},
    {"current: a task is woken from outside, descriptors are watched", set_waker_in_driver, check, .preemptions = 2, .max_executions = SOME},
    {"current: a descriptor is ready", set_event, check, .preemptions = 2, .max_executions = SOME},
    {"current: a task that comes from outside wakes another", set_submitter, check, .preemptions = 2, .max_executions = SOME},
    {"current: two threads, one's task wakes the other's", set_each_other, check, .preemptions = 2, .max_executions = SOME},
    {"current: two threads, one goes on and wakes the other's task", set_turns, check, .preemptions = 2, .max_executions = SOME},

    {"current: who has driven tells nobody", set_turns, check, .variant = 10 * LEAVES_QUIETLY, .preemptions = 2, .must_fail = true},
    {"current: nobody is told of an end", set_turns, check, .variant = 10 * ENDS_QUIETLY, .preemptions = 2, .must_fail = true},
    {"current: who drives is not woken", set_waker, check, .variant = 10 * WAKES_NOBODY, .preemptions = 2, .must_fail = true},
    {"current: who drives is not woken out of the driver", set_waker_in_driver, check, .variant = 10 * WAKES_NOBODY, .preemptions = 2, .must_fail = true},
    {"current: who drives is not woken for a new task", set_submitter, check, .variant = 10 * WAKES_NOBODY, .preemptions = 2, .must_fail = true},
    {"current: without the fence of who waits", set_turns, check, .preemptions = 2, .must_fail = true, .without = {"tp_waitlist_enlist", MODEL_FENCE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
