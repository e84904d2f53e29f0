/* Channels. The argument is in docs/channels.md.
 * Invariant [CHAN-1], whenever the lock is free: if somebody waits to receive the channel is empty and nobody else waits to send; if
 * somebody waits to send it is full. So whoever comes finds at most one line, and what it needs is in front of it.
 * Invariant [CHAN-2]: who waits is in a line, or was taken out by another who has done all that the wait was for, under the
 * lock: moved the value, or found the channel closed. So who is woken looks at its own record, and at nothing else. */
#include "chan.h"

#include "../base/align.h"
#include "../base/assert.h"
#include "../base/status.h"
#include "select_kind.h"

#include <stdlib.h>
#include <string.h>

struct tp_chan {
    tp_line_aligned struct tp_spin lock; /* guards all that follows */
    bool is_closed;
    size_t value_bytes, capacity;
    size_t first, n; /* of the values, a ring */
    struct tp_line senders, receivers;
    struct tp_patience patience;
    tp_line_aligned unsigned char values[];
};

int tp_chan_open(struct tp_chan **out, size_t value_bytes, size_t capacity)
{
    size_t values_bytes;
    if (!out || __builtin_mul_overflow(value_bytes, capacity, &values_bytes) || values_bytes > PTRDIFF_MAX / 2)
        return TP_EINVAL;
    size_t n_bytes = (sizeof(struct tp_chan) + values_bytes + TP_CACHE_LINE_BYTES - 1) / TP_CACHE_LINE_BYTES * TP_CACHE_LINE_BYTES;
    struct tp_chan *chan = aligned_alloc(TP_CACHE_LINE_BYTES, n_bytes);
    if (!chan)
        return TP_ENOMEM;
    memset(chan, 0, sizeof *chan);
    tp_spin_init(&chan->lock);
    chan->value_bytes = value_bytes;
    chan->capacity = capacity;
    tp__patience_init(&chan->patience);
    *out = chan;
    return 0;
}

void tp_chan_free(struct tp_chan *chan)
{
    if (!chan)
        return;
    tp_spin_lock(&chan->lock); /* who has let the caller go may still have it [CHAN-3] */
    tp_assert(!chan->senders.first && !chan->receivers.first);
    tp_spin_unlock(&chan->lock);
    free(chan);
}

/* -- under the lock --------------------------------------------------------------------------------- */

static void copy(const struct tp_chan *chan, void *to, const void *from)
{
    if (chan->value_bytes == sizeof(void *))
        memcpy(to, from, sizeof(void *)); /* the most usual size, without a call */
    else if (chan->value_bytes > 0)
        memcpy(to, from, chan->value_bytes);
}

static unsigned char *place(struct tp_chan *chan, size_t i)
{
    size_t at = chan->first + i;
    return chan->values + (at < chan->capacity ? at : at - chan->capacity) * chan->value_bytes;
}

/* -- sending and receiving ---------------------------------------------------------------------------- */

/* What a call found: it is through, or has to wait. */
enum found { THROUGH,
    CALLS, /* through, and somebody is to be called */
    WAITS };

static enum found put(struct tp_chan *chan, const void *value, struct tp_wakeup *call, int *status)
{
    *status = chan->is_closed ? TP_ECLOSED : 0;
    if (chan->is_closed)
        return THROUGH;
    struct tp_party *receiver = tp_line_take(&chan->receivers);
    if (receiver) {
        copy(chan, receiver->value, value);
        *call = tp_party_let_go(receiver, 0);
        return CALLS;
    }
    if (chan->n == chan->capacity)
        return WAITS;
    copy(chan, place(chan, chan->n++), value);
    return THROUGH;
}

static enum found get(struct tp_chan *chan, void *value, struct tp_wakeup *call, int *status)
{
    struct tp_party *sender = chan->is_closed ? NULL : tp_line_take(&chan->senders); /* tp_chan_close sees to them */
    *status = 0;
    if (chan->n > 0) {
        copy(chan, value, place(chan, 0));
        chan->first = chan->first + 1 < chan->capacity ? chan->first + 1 : 0;
        chan->n--;
        if (sender)
            copy(chan, place(chan, chan->n++), sender->value); /* there is room for its value now */
    } else if (sender) {
        copy(chan, value, sender->value);
    } else {
        *status = chan->is_closed ? TP_ECLOSED : 0;
        return chan->is_closed ? THROUGH : WAITS;
    }
    if (!sender)
        return THROUGH;
    *call = tp_party_let_go(sender, 0);
    return CALLS;
}

/* Waits in a line; the lock is held, and given up. Returns how the wait ended. */
static int wait_in(struct tp_chan *chan, struct tp_line *line, void *value, uint64_t deadline_ns)
{
    struct tp_party party = {.value = value};
    int status;
    tp_waiter_begin(&party.waiter);
    tp_line_join(line, &party);
    tp_spin_unlock(&chan->lock);
    if (!tp_party_await(&party, line, &chan->lock, deadline_ns, &chan->patience, &status))
        tp_spin_unlock(&chan->lock);
    return status;
}

int tp_chan_send(struct tp_chan *chan, const void *value, uint64_t deadline_ns)
{
    struct tp_wakeup call;
    int status;
    tp_spin_lock(&chan->lock);
    enum found found = put(chan, value, &call, &status);
    if (found == WAITS && deadline_ns != 0)
        return wait_in(chan, &chan->senders, (void *)value, deadline_ns);
    tp_spin_unlock(&chan->lock);
    if (found == CALLS)
        tp_wakeup_call(&call);
    return found == WAITS ? TP_ETIMEDOUT : status;
}

int tp_chan_recv(struct tp_chan *chan, void *value, uint64_t deadline_ns)
{
    struct tp_wakeup call;
    int status;
    tp_spin_lock(&chan->lock);
    enum found found = get(chan, value, &call, &status);
    if (found == WAITS && deadline_ns != 0)
        return wait_in(chan, &chan->receivers, value, deadline_ns);
    tp_spin_unlock(&chan->lock);
    if (found == CALLS)
        tp_wakeup_call(&call);
    return found == WAITS ? TP_ETIMEDOUT : status;
}

void tp_chan_close(struct tp_chan *chan)
{
    tp_spin_lock(&chan->lock);
    chan->is_closed = true; /* nobody joins a line from here on */
    tp_line_dismiss(&chan->senders, &chan->receivers, &chan->lock, TP_ECLOSED);
}

bool tp_chan_is_closed(struct tp_chan *chan)
{
    tp_spin_lock(&chan->lock);
    bool is_over = chan->is_closed && chan->n == 0;
    tp_spin_unlock(&chan->lock);
    return is_over;
}

size_t tp_chan_count(struct tp_chan *chan)
{
    tp_spin_lock(&chan->lock);
    size_t n = chan->n;
    tp_spin_unlock(&chan->lock);
    return n;
}

/* -- as cases of tp_select ------------------------------------------------------------------------------ */

static bool attempt_send(struct tp_case *one, int *status)
{
    *status = tp_chan_send(one->thing, one->value, 0);
    return *status != TP_ETIMEDOUT;
}

static bool attempt_recv(struct tp_case *one, int *status)
{
    *status = tp_chan_recv(one->thing, one->value, 0);
    return *status != TP_ETIMEDOUT;
}

/* Joins the line unless that is of no use; under the lock under which the others look [SELECT-2]. */
static bool join_unless(struct tp_case *one, struct tp_line *line, bool is_possible)
{
    struct tp_chan *chan = one->thing;
    if (!is_possible)
        tp_line_join(line, &one->party);
    tp_spin_unlock(&chan->lock);
    return !is_possible;
}

static bool enlist_send(struct tp_case *one)
{
    struct tp_chan *chan = one->thing;
    tp_spin_lock(&chan->lock);
    return join_unless(one, &chan->senders, chan->is_closed || chan->n < chan->capacity || tp_line_has_other(&chan->receivers, tp_case_choice(one)));
}

static bool enlist_recv(struct tp_case *one)
{
    struct tp_chan *chan = one->thing;
    tp_spin_lock(&chan->lock);
    return join_unless(one, &chan->receivers, chan->is_closed || chan->n > 0 || tp_line_has_other(&chan->senders, tp_case_choice(one)));
}

static void leave(struct tp_chan *chan, struct tp_line *line, struct tp_party *party)
{
    tp_spin_lock(&chan->lock);
    tp_party_leave(party, line, &chan->lock);
    tp_spin_unlock(&chan->lock);
}

static void delist_send(struct tp_case *one)
{
    struct tp_chan *chan = one->thing;
    leave(chan, &chan->senders, &one->party);
}

static void delist_recv(struct tp_case *one)
{
    struct tp_chan *chan = one->thing;
    leave(chan, &chan->receivers, &one->party);
}

static const struct tp_case_kind send_kind = {attempt_send, enlist_send, delist_send, .is_served = true};
static const struct tp_case_kind recv_kind = {attempt_recv, enlist_recv, delist_recv, .is_served = true};

struct tp_case tp_case_send(struct tp_chan *chan, const void *value)
{
    return (struct tp_case){.kind = &send_kind, .thing = chan, .value = (void *)value};
}

struct tp_case tp_case_recv(struct tp_chan *chan, void *value)
{
    return (struct tp_case){.kind = &recv_kind, .thing = chan, .value = value};
}
