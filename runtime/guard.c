/* Guards, and the default pool of coroutines. docs/life-cycle.md.
 * Invariant: is_on goes from true to false once, before anything of the end is done: so whatever leaves the scope meanwhile,
 * the end is done once. */
#include "guard.h"

#include "base/atomic.h"

static tp_atomic(struct tp_copool *) default_pool; /* written once, by compare-exchange; publishes the pool */

struct tp_copool *tp_copool_default(void)
{
    struct tp_copool *pool = tp_load_acq(&default_pool); /* pairs with the exchange below */
    struct tp_copool *mine;
    if (pool || tp_copool_open(&mine, &(struct tp_copool_settings){.call = tp_task_protect}) != 0)
        return pool;
    /* Losing means that another thread's pool is the one: use that. */
    if (tp_cas_sc(&default_pool, &pool, mine))
        return mine;
    tp_copool_close(mine);
    return pool;
}

/* Runs what is left of the clean-ups. One that panics does not return; the defer does the rest then. */
static void run_cleanups(void *argument)
{
    struct tp_guard *guard = argument;
    struct tp_defer rest;
    if (!guard->cleanups)
        return;
    tp_defer_push(&rest, run_cleanups, guard);
    for (struct tp_cleanup *cleanup; (cleanup = guard->cleanups) != NULL;) {
        guard->cleanups = cleanup->outer;
        cleanup->run(cleanup->argument);
    }
    tp_defer_pop(&rest);
}

/* The scope is left by a panic or otherwise, or ended before. */
static void end(void *argument)
{
    struct tp_guard *guard = argument;
    if (!guard->is_on)
        return;
    guard->is_on = false;
    guard->status = tp_pooled_release(guard->handle);
    run_cleanups(guard);
}

int tp_guard_begin(struct tp_guard *guard, struct tp_copool *pool, int (*entry)(void *argument), void *argument)
{
    guard->handle = (struct tp_co_handle){NULL, 0};
    guard->cleanups = NULL;
    guard->status = tp_copool_acquire(pool, entry, argument, &guard->handle);
    guard->is_on = guard->status == 0;
    tp_defer_push(&guard->defer, end, guard);
    return guard->status;
}

void tp__guard_leave(struct tp_guard *guard)
{
    tp_defer_pop(&guard->defer);
}

void tp_guard_end(struct tp_guard *guard)
{
    end(guard);
}

int tp_guard_on_end(struct tp_guard *guard, struct tp_cleanup *cleanup, void (*run)(void *argument), void *argument)
{
    if (!guard->is_on)
        return TP_ESTALE;
    *cleanup = (struct tp_cleanup){guard->cleanups, run, argument};
    guard->cleanups = cleanup;
    return 0;
}

int tp_guard_resume(struct tp_guard *guard, void *in, void **out)
{
    return tp_pooled_resume(guard->handle, in, out);
}

struct tp_co_handle tp_guard_release(struct tp_guard *guard)
{
    struct tp_co_handle handle = guard->handle;
    if (!guard->is_on)
        return (struct tp_co_handle){NULL, 0};
    guard->is_on = false;
    guard->cleanups = NULL;
    guard->handle = (struct tp_co_handle){NULL, 0};
    return handle;
}
