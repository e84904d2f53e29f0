/* Shared handles: completing against waiting, giving a callback, taking it back, and letting go [HANDLE-1, HANDLE-2]. The memory of a
 * handle goes with its last reference, and the explorer fails on any touch after that. */
#include "model.h"

#include <stdlib.h>

#define malloc(n) model_alloc(n)
#define free(p) model_free(p)

#include "runtime/clock.h"
#include "runtime/park.h"

/* Seeded bugs; the code under test calls these instead. */
enum habit { GOOD,
    NEVER_WAKES };
static enum habit habit;
#define tp_waitlist_notify(list, n) (habit == NEVER_WAKES ? (void)0 : tp_waitlist_notify((list), (n)))

#include "runtime/handle.c"

enum { CODE = 42 };

static struct tp_handle *handle;
static int letter;                  /* plain: written before the completion, read by who knows of it */
static tp_atomic(uint32_t) n_calls; /* of the callback */
static tp_atomic(uint32_t) n_kept;  /* callbacks taken back in time */
static unsigned n_callbacks, n_completed;
static struct tp_callback callbacks[2];
static bool is_dropped;

static void called(void *argument, struct tp_task_result result)
{
    (void)argument;
    tp_add_sc(&n_calls, 1);
    model_check(is_dropped ? result.code == TP_EDROPPED : result.code == CODE && letter == 1);
}

static void completer(void *argument)
{
    (void)argument;
    letter = 1;
    n_completed += tp_handle_complete(handle, (struct tp_task_result){TP_TASK_RETURNED, CODE}) == 0;
    tp_handle_unref(handle);
}

static void rival(void *argument)
{
    (void)argument;
    (void)tp_handle_complete(handle, (struct tp_task_result){TP_TASK_RETURNED, CODE});
    tp_handle_unref(handle);
}

static void waiter(void *argument)
{
    (void)argument;
    struct tp_task_result result;
    model_check(tp_handle_wait(handle, TP_FOREVER, &result) == 0);
    model_check(result.code == CODE && letter == 1);
    tp_handle_unref(handle);
}

static void hasty_waiter(void *argument)
{
    (void)argument;
    struct tp_task_result result;
    int status = tp_handle_wait(handle, tp_deadline_in_ns(TP_SECOND), &result);
    model_check(status == TP_ETIMEDOUT || (status == 0 && result.code == CODE && letter == 1));
    tp_handle_unref(handle);
}

static void giver(void *argument)
{
    tp_handle_on_over(handle, argument, called, NULL);
    tp_handle_unref(handle);
}

static void repenter(void *argument)
{
    tp_handle_on_over(handle, argument, called, NULL);
    if (tp_handle_forget(handle, argument) == 0)
        tp_add_sc(&n_kept, 1);
    tp_handle_unref(handle);
}

static void dropper(void *argument)
{
    (void)argument;
    tp_handle_unref(handle);
}

/* -- scenarios -------------------------------------------------------------------------------------- */

static void begin(unsigned variant)
{
    habit = (enum habit)variant;
    letter = 0;
    n_callbacks = n_completed = 0;
    is_dropped = false;
    tp_atomic_init(&n_calls, 0);
    tp_atomic_init(&n_kept, 0);
    model_check(tp_handle_new(&handle) == 0);
}

static void add(void (*body)(void *))
{
    struct tp_callback *callback = body == giver || body == repenter ? &callbacks[n_callbacks++] : NULL;
    tp_handle_ref(handle);
    model_thread(body, callback);
}

/* The completer takes over the reference that was there first. */
static void add_completer(void)
{
    model_thread(completer, NULL);
}

static void wait_twice(unsigned variant)
{
    begin(variant);
    add_completer();
    add(waiter);
    add(waiter);
}

static void wait_hastily(unsigned variant)
{
    begin(variant);
    add_completer();
    add(hasty_waiter);
}

static void give(unsigned variant)
{
    begin(variant);
    add_completer();
    add(giver);
    add(waiter);
}

static void repent(unsigned variant)
{
    begin(variant);
    add_completer();
    add(repenter);
    add(giver);
}

static void drop(unsigned variant)
{
    begin(variant);
    is_dropped = true;
    model_thread(dropper, NULL);
    add(giver);
    add(repenter);
}

static void compete(unsigned variant)
{
    begin(variant);
    letter = 1;
    tp_handle_ref(handle);
    model_thread(rival, NULL);
    model_thread(rival, NULL);
    add(giver);
}

static void end(void)
{
    model_check(tp_load_rlx(&n_calls) + tp_load_rlx(&n_kept) == n_callbacks);
    model_check(model_n_blocks() == 0);
}

static const struct model_scenario scenarios[] = {
    {"handle: complete, 2 wait", wait_twice, end, .preemptions = 2, .max_executions = 60000},
    {"handle: complete, 1 waits with a deadline", wait_hastily, end, .preemptions = 2, .timeouts = 1},
    {"handle: complete, 1 callback, 1 waits", give, end, .preemptions = 2, .max_executions = 60000},
    {"handle: complete, 2 callbacks, 1 taken back", repent, end, .preemptions = 2, .max_executions = 60000},
    {"handle: let go, 2 callbacks, 1 taken back", drop, end, .preemptions = 2, .max_executions = 60000},
    {"handle: 2 complete, 1 callback", compete, end, .preemptions = 2, .max_executions = 60000},

    {"handle: nobody is woken", wait_twice, end, .variant = NEVER_WAKES, .preemptions = 1, .must_fail = true},
    {"handle: over without release", wait_twice, end, .preemptions = 1, .must_fail = true, .without = {"finish", MODEL_RELEASE}},
    {"handle: the look without acquire", wait_twice, end, .preemptions = 1, .must_fail = true, .without = {"is_over", MODEL_ACQUIRE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
