/* Calls: their references and their state word. */
#include "call.h"

#include "function.h"
#include "inbox.h"

#include <stdlib.h>

int tide__buffer_grow(struct tide_buffer *buffer, size_t n)
{
    if (n > PTRDIFF_MAX - buffer->n)
        return TP_ENOMEM;
    size_t needed = buffer->n + n;
    size_t size = buffer->size > PTRDIFF_MAX / 2 ? needed : 2 * buffer->size;
    if (size < needed)
        size = needed;
    bool local = buffer->data == buffer->local;
    unsigned char *data = realloc(local ? NULL : buffer->data, size);
    if (!data)
        return TP_ENOMEM;
    if (local)
        memcpy(data, buffer->local, buffer->n);
    buffer->data = data;
    buffer->size = size;
    return 0;
}

struct tide_call *tide_call_new(struct tide_code *code, const struct tide_setup *setup)
{
    /* Relaxed: only uniqueness matters. */
    static tp_atomic(uint64_t) last_id;
    struct tide_call *call = malloc(sizeof *call);
    if (!call)
        return NULL;
    call->next = NULL;
    tp_atomic_init(&call->n_references, 1);
    tp_atomic_init(&call->state, 0);
    call->inbox = NULL;
    call->waiters = (struct tide_list){NULL, NULL};
    call->code = code;
    call->setup = setup;
    call->id = tp_add_rlx(&last_id, 1) + 1; /* relaxed: it must only be unique */
    call->failed = false;
    tide_buffer_init(&call->buffer);
    return call;
}

void tide_call_hold(struct tide_call *call)
{
    tp_add_rlx(&call->n_references, 1); /* relaxed: the caller holds one already */
}

void tide_call_drop(struct tide_call *call)
{
    /* Sequentially consistent: the last one must see what the others did before they let go. */
    if (tp_add_sc(&call->n_references, (uint32_t)-1) != 1)
        return;
    tide_code_drop(call->code);
    tide_buffer_free(&call->buffer);
    free(call);
}

/* Sets `bits` unless one of `unless` is set. Returns the state before. Losing the exchange means
 * that the other side set a bit: look again. */
static uint32_t set_bits(struct tide_call *call, uint32_t bits, uint32_t unless)
{
    uint32_t state = tp_load_acq(&call->state); /* acquire: pairs with the exchange, when it is DONE */
    while (!(state & unless) && !tp_cas_sc(&call->state, &state, state | bits))
        ;
    return state;
}

bool tide_call_start(struct tide_call *call)
{
    return !(set_bits(call, TIDE_CALL_STARTED, TIDE_CALL_CANCELLED) & TIDE_CALL_CANCELLED);
}

void tide_call_finish(struct tide_call *call)
{
    uint32_t before = set_bits(call, TIDE_CALL_DONE, 0);
    if (before & TIDE_CALL_WATCHED)
        tide_inbox_push(call->inbox, call);
    tide_call_drop(call);
}

bool tide_call_cancel(struct tide_call *call)
{
    return !(set_bits(call, TIDE_CALL_CANCELLED, TIDE_CALL_STARTED | TIDE_CALL_DONE) &
             (TIDE_CALL_STARTED | TIDE_CALL_DONE));
}

bool tide_call_watch(struct tide_call *call, struct tide_inbox *inbox)
{
    /* Relaxed: only this thread sets WATCHED. */
    if (tp_load_rlx(&call->state) & TIDE_CALL_WATCHED)
        return !tide_call_is_done(call);
    call->inbox = inbox;
    tide_inbox_hold(inbox);
    tide_call_hold(call);
    if (!(set_bits(call, TIDE_CALL_WATCHED, TIDE_CALL_DONE) & TIDE_CALL_DONE))
        return true;
    tide_inbox_drop(inbox);
    tide_call_drop(call);
    return false;
}
