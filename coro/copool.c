/* The lives of pooled coroutines: acquired, driven, ended, given back. docs/life-cycle.md.
 * Invariant: the word of a record's drive decides whose it is; all else in the record belongs to who that is. */
#include "copool_parts.h"

#include "../runtime/base/assert.h"

void *tp__pooled_run(void *argument)
{
    struct tp_pooled *pooled = argument;
    int (*call)(int (*entry)(void *argument), void *argument) = pooled->pool->settings.call;
    int code = call ? call(pooled->entry, pooled->argument) : pooled->entry(pooled->argument);
    tp_store_rlx(&pooled->code, code); /* relaxed: tp_drive_stop publishes it */
    return NULL;
}

/* None is at hand: one from the lists, with a coroutine. Returns 0 or why not. */
static __attribute__((noinline)) int fetch(struct tp_copool *pool, struct tp_pooled **out)
{
    int status = tp__copool_take(pool, out);
    if (status != 0 || (*out)->co)
        return status;
    status = tp__pooled_make(*out);
    if (status != 0)
        tp__copool_put(*out, TP_CYCLE_FREE);
    return status;
}

int tp_copool_acquire(struct tp_copool *pool, int (*entry)(void *argument), void *argument, struct tp_co_handle *handle)
{
    if (!pool || !entry)
        return TP_EINVAL;
    struct tp_pooled *pooled = tp__hand_take(tp__copool_hand(pool));
    if (!pooled) {
        int status = fetch(pool, &pooled);
        if (status != 0)
            return status;
    }
    tp__co_again(pooled->co);
    pooled->entry = entry;
    pooled->argument = argument;
    handle->at = pooled;
    handle->generation = tp_drive_begin(&pooled->drive);
    return 0;
}

/* The life is over, or was never there. */
static int stale(struct tp_co_handle handle)
{
    if (handle.at)
        tp_add_rlx(&handle.at->pool->n_stale, 1); /* relaxed: a number for those who count */
    return TP_ESTALE;
}

/* The function has returned: how did that life end? */
static enum tp_cycle_state end_of(struct tp_pooled *pooled)
{
    int code = tp_load_rlx(&pooled->code); /* relaxed: written on this thread */
    if (code == TP_ECANCELED && tp_drive_is_asked(&pooled->drive))
        return TP_CYCLE_CANCELLED;
    return code < 0 ? TP_CYCLE_FAILED : TP_CYCLE_DONE;
}

/* Runs it until it yields or ends; the caller has made it RUNNING. */
static void run(struct tp_pooled *pooled, void *in, void **out)
{
    int status = tp_co_resume(pooled->co, in, out);
    tp_assert(status == 0);
    (void)status;
    tp_drive_stop(&pooled->drive, tp__co_state(pooled->co) == TP_CO_DONE ? end_of(pooled) : TP_CYCLE_SUSPENDED);
}

int tp_pooled_resume(struct tp_co_handle handle, void *in, void **out)
{
    enum tp_cycle_outcome outcome = handle.at ? tp_drive_resume(&handle.at->drive, handle.generation) : TP_CYCLE_STALE;
    if (outcome == TP_CYCLE_STALE)
        return stale(handle);
    if (outcome == TP_CYCLE_BUSY)
        return tp_cycle_state(tp_drive_look(&handle.at->drive)) >= TP_CYCLE_DONE ? TP_EDONE : TP_EBUSY;
    run(handle.at, in, out);
    return 0;
}

struct tp_co_handle tp_pooled_self(void)
{
    struct tp_pooled *pooled = tp_co_argument(tp_co_self(), tp__pooled_run); /* not of another kind of coroutine */
    if (!pooled)
        return (struct tp_co_handle){NULL, 0};
    return (struct tp_co_handle){pooled, tp_cycle_generation(tp_drive_look(&pooled->drive))};
}

int tp_pooled_yield(void *out, void **in)
{
    struct tp_pooled *pooled = tp_pooled_self().at;
    if (!pooled)
        return TP_EOUTSIDE;
    if (tp_drive_is_asked(&pooled->drive))
        return TP_ECANCELED;
    int status = tp_co_yield(out, in);
    return status == 0 && tp_drive_is_asked(&pooled->drive) ? TP_ECANCELED : status;
}

int tp_pooled_cancel(struct tp_co_handle handle)
{
    if (!handle.at)
        return TP_ESTALE;
    enum tp_cycle_outcome outcome = tp_drive_ask(&handle.at->drive, handle.generation);
    return outcome == TP_CYCLE_STALE ? stale(handle) : 0;
}

/* Resumes one that was asked to end until it has. Returns 0 or TP_EBUSY. */
static int see_off(struct tp_pooled *pooled, uint64_t generation)
{
    for (int i = 0; i < TP_POOLED_PATIENCE; i++) {
        if (tp_drive_resume(&pooled->drive, generation) != TP_CYCLE_MADE)
            return tp_cycle_state(tp_drive_look(&pooled->drive)) >= TP_CYCLE_DONE ? 0 : TP_EBUSY;
        if (tp__co_state(pooled->co) == TP_CO_READY) { /* not begun */
            tp_store_rlx(&pooled->code, TP_ECANCELED); /* relaxed: published by the end */
            tp_drive_stop(&pooled->drive, TP_CYCLE_CANCELLED);
            return 0;
        }
        run(pooled, NULL, NULL);
    }
    return tp_cycle_state(tp_drive_look(&pooled->drive)) >= TP_CYCLE_DONE ? 0 : TP_EBUSY;
}

/* One that has not ended does so now, if it is suspended. Returns 0 or TP_EBUSY. */
static __attribute__((noinline)) int finish(struct tp_co_handle handle)
{
    uint64_t word = tp_drive_look(&handle.at->drive);
    if (tp_cycle_generation(word) != handle.generation || tp_cycle_state(word) != TP_CYCLE_SUSPENDED)
        return 0;
    tp_drive_ask(&handle.at->drive, handle.generation);
    return see_off(handle.at, handle.generation);
}

int tp_pooled_release(struct tp_co_handle handle)
{
    enum tp_cycle_state end;
    enum tp_cycle_outcome outcome = handle.at ? tp_drive_retire(&handle.at->drive, handle.generation, &end) : TP_CYCLE_STALE;
    if (outcome == TP_CYCLE_BUSY) {
        int status = finish(handle);
        if (status != 0)
            return status;
        outcome = tp_drive_retire(&handle.at->drive, handle.generation, &end);
    }
    if (outcome != TP_CYCLE_MADE)
        return outcome == TP_CYCLE_BUSY ? TP_EBUSY : stale(handle);
    if (!tp__hand_put(tp__copool_hand(handle.at->pool), handle.at, end))
        tp__copool_put(handle.at, end);
    return 0;
}

enum tp_pooled_state tp_pooled_state(struct tp_co_handle handle)
{
    uint64_t word = handle.at ? tp_drive_look(&handle.at->drive) : 0;
    if (!handle.at || tp_cycle_generation(word) != handle.generation)
        return TP_POOLED_STALE;
    switch (tp_cycle_state(word)) {
    case TP_CYCLE_FREE:
        return TP_POOLED_STALE;
    case TP_CYCLE_RUNNING:
        return TP_POOLED_RUNNING;
    case TP_CYCLE_DONE:
        return TP_POOLED_DONE;
    case TP_CYCLE_FAILED:
        return TP_POOLED_FAILED;
    case TP_CYCLE_CANCELLED:
        return TP_POOLED_CANCELLED;
    default:
        return TP_POOLED_SUSPENDED;
    }
}

int tp_pooled_result(struct tp_co_handle handle, int *code)
{
    enum tp_pooled_state state = tp_pooled_state(handle);
    if (state == TP_POOLED_STALE)
        return stale(handle);
    if (state < TP_POOLED_DONE)
        return TP_EBUSY;
    int result = tp_load_acq(&handle.at->code); /* acquire: the look at the state stays behind it */
    /* It may have been given back, and begun anew, while we read: then the life has changed. */
    if (tp_pooled_state(handle) != state)
        return stale(handle);
    *code = result;
    return 0;
}
