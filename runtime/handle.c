/* Shared handles. docs/tasks.md.
 * Invariant: `is_over` is set once, under the lock, after the result; callbacks change under the lock, and only while it is not. So
 * who finds it set needs no lock, and who takes the list away after setting it has all that will ever be in it. */
#include "handle.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/spin.h"
#include "base/status.h"
#include "park.h"
#include "sync/select_kind.h"

#include <stdlib.h>

struct tp_handle {
    tp_atomic(uint32_t) n_refs;
    tp_atomic(uint32_t) is_over;  /* written once, under the lock; publishes the result */
    struct tp_task_result result; /* written before */
    struct tp_spin lock;          /* guards the list */
    struct tp_callback *first, **end;
    struct tp_waitlist waiters;
};

int tp_handle_new(struct tp_handle **out)
{
    struct tp_handle *handle = malloc(sizeof *handle);
    if (!handle)
        return TP_ENOMEM;
    tp_atomic_init(&handle->n_refs, 1);
    tp_atomic_init(&handle->is_over, 0);
    tp_spin_init(&handle->lock);
    handle->first = NULL;
    handle->end = &handle->first;
    tp_waitlist_init(&handle->waiters);
    *out = handle;
    return 0;
}

struct tp_handle *tp_handle_ref(struct tp_handle *handle)
{
    uint32_t before = tp_add_rlx(&handle->n_refs, 1); /* relaxed: the caller's own reference keeps it alive */
    tp_assert(before > 0 && before < UINT32_MAX);
    (void)before;
    return handle;
}

/* Acquire: pairs with the release in finish. */
static bool is_over(struct tp_handle *handle)
{
    return tp_load_acq(&handle->is_over) != 0;
}

/* Sets the result unless there is one. Returns whether it did, and the callbacks to be called. */
static bool finish(struct tp_handle *handle, struct tp_task_result result, struct tp_callback **callbacks)
{
    tp_spin_lock(&handle->lock);
    bool is_first = tp_load_rlx(&handle->is_over) == 0; /* relaxed: written under this lock */
    if (is_first) {
        handle->result = result;
        tp_store_rel(&handle->is_over, 1); /* release: pairs with the acquire in is_over */
        *callbacks = handle->first;
        handle->first = NULL;
        handle->end = &handle->first;
    }
    tp_spin_unlock(&handle->lock);
    return is_first;
}

/* Calls each; a callback may be gone as soon as it runs. */
static void call_all(struct tp_callback *callback, struct tp_task_result result)
{
    while (callback) {
        struct tp_callback *next = callback->next;
        callback->run(callback->argument, result);
        callback = next;
    }
}

void tp_handle_unref(struct tp_handle *handle)
{
    if (!handle)
        return;
    /* Sequentially consistent, of which release and acquire are needed: what each holder did comes before the end. */
    uint32_t before = tp_add_sc(&handle->n_refs, (uint32_t)-1);
    tp_assert(before > 0);
    if (before > 1)
        return;
    const struct tp_task_result dropped = {TP_TASK_DROPPED, TP_EDROPPED};
    struct tp_callback *callbacks = NULL;
    finish(handle, dropped, &callbacks);
    free(handle);
    call_all(callbacks, dropped);
}

int tp_handle_complete(struct tp_handle *handle, struct tp_task_result result)
{
    struct tp_callback *callbacks;
    if (!finish(handle, result, &callbacks))
        return TP_EDONE;
    tp_waitlist_notify(&handle->waiters, UINT32_MAX); /* [PARK-1] they look at is_over */
    call_all(callbacks, result);
    return 0;
}

void tp_handle_on_over(struct tp_handle *handle, struct tp_callback *callback, void (*run)(void *argument, struct tp_task_result result),
    void *argument)
{
    *callback = (struct tp_callback){NULL, run, argument};
    tp_spin_lock(&handle->lock);
    bool is_late = tp_load_rlx(&handle->is_over) != 0; /* relaxed: written under this lock */
    if (!is_late) {
        *handle->end = callback;
        handle->end = &callback->next;
    }
    tp_spin_unlock(&handle->lock);
    if (is_late)
        run(argument, handle->result);
}

int tp_handle_forget(struct tp_handle *handle, struct tp_callback *callback)
{
    int status = TP_EDONE;
    tp_spin_lock(&handle->lock);
    for (struct tp_callback **at = &handle->first; *at; at = &(*at)->next)
        if (*at == callback) {
            *at = callback->next;
            if (handle->end == &callback->next)
                handle->end = at;
            status = 0;
            break;
        }
    tp_spin_unlock(&handle->lock);
    return status;
}

int tp_handle_wait(struct tp_handle *handle, uint64_t deadline_ns, struct tp_task_result *result)
{
    int status = 0;
    while (status == 0 && !is_over(handle)) {
        struct tp_waiter waiter;
        if (deadline_ns == 0)
            return TP_ETIMEDOUT;
        tp_waitlist_prepare(&handle->waiters, &waiter); /* prepare, look again, sleep [PARK-1] */
        if (is_over(handle))
            tp_waitlist_cancel(&handle->waiters, &waiter);
        else
            status = tp_waitlist_wait(&handle->waiters, &waiter, deadline_ns);
    }
    if (status != 0 && !is_over(handle))
        return status;
    if (result)
        *result = handle->result;
    return 0;
}

/* -- as a case of tp_select ------------------------------------------------------------------------------ */

static bool attempt(struct tp_case *one, int *status)
{
    *status = tp_handle_wait(one->thing, 0, one->value);
    return *status != TP_ETIMEDOUT;
}

static bool enlist(struct tp_case *one)
{
    struct tp_handle *handle = one->thing;
    tp_waitlist_enlist(&handle->waiters, &one->party.waiter);
    if (!is_over(handle))
        return true;
    tp_waitlist_cancel(&handle->waiters, &one->party.waiter); /* a wake-up that is lost here was for all */
    return false;
}

static void delist(struct tp_case *one)
{
    struct tp_handle *handle = one->thing;
    tp_waitlist_cancel(&handle->waiters, &one->party.waiter);
}

struct tp_case tp_case_handle(struct tp_handle *handle, struct tp_task_result *result)
{
    static const struct tp_case_kind kind = {attempt, enlist, delist, .is_served = false};
    return (struct tp_case){.kind = &kind, .thing = handle, .value = result};
}
