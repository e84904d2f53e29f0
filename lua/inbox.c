/* The inbox: a stack that workers push on and the owner takes whole, and the owner's sleep. */
#include "inbox.h"

#include "call.h"
#include "task.h"

#include <stdlib.h>

struct tide_inbox *tide_inbox_new(void)
{
    struct tide_inbox *inbox = malloc(sizeof *inbox);
    if (!inbox)
        return NULL;
    tp_atomic_init(&inbox->first, NULL);
    tp_atomic_init(&inbox->n_references, 1);
    tp_waitlist_init(&inbox->waiting);
    return inbox;
}

void tide_inbox_hold(struct tide_inbox *inbox)
{
    tp_add_rlx(&inbox->n_references, 1); /* relaxed: the caller holds one already */
}

static struct tide_call *take_all(struct tide_inbox *inbox)
{
    /* Relaxed: only a hint that avoids the exchange; the exchange decides. */
    if (!tp_load_rlx(&inbox->first))
        return NULL;
    /* Acquire: pairs with the exchange in tide_inbox_push. */
    return tp_swap_acq(&inbox->first, NULL);
}

void tide_inbox_drop(struct tide_inbox *inbox)
{
    /* Sequentially consistent: the last one must see what the others did before they let go. */
    if (tp_add_sc(&inbox->n_references, (uint32_t)-1) != 1)
        return;
    for (struct tide_call *call = take_all(inbox), *next; call; call = next) {
        next = call->next;
        tide_call_drop(call);
    }
    free(inbox);
}

void tide_inbox_push(struct tide_inbox *inbox, struct tide_call *call)
{
    /* Relaxed: the exchange checks it. Losing means that another worker pushed; try again. */
    struct tide_call *first = tp_load_rlx(&inbox->first);
    do {
        call->next = first;
    } while (!tp_cas_sc(&inbox->first, &first, call));
    tp_waitlist_notify(&inbox->waiting, 1);
    tide_inbox_drop(inbox);
}

void tide_inbox_drain(struct tide_state *state)
{
    for (struct tide_call *call = take_all(state->inbox), *next; call; call = next) {
        next = call->next;
        tide_wake_all(state, &call->waiters);
        tide_call_drop(call);
    }
}

void tide_inbox_wait(struct tide_inbox *inbox, uint64_t deadline_ns)
{
    struct tp_waiter self;
    tp_waitlist_prepare(&inbox->waiting, &self);
    /* Relaxed: ordered by the fence in prepare [PARK-1]. */
    if (tp_load_rlx(&inbox->first))
        tp_waitlist_cancel(&inbox->waiting, &self);
    else
        tp_waitlist_wait(&inbox->waiting, &self, deadline_ns);
}
