/* Channels. The argument is in docs/channels.md.
 * Invariant [CHAN-1], whenever the lock is free: if somebody waits to receive the channel is empty and nobody waits to send; if
 * somebody waits to send it is full. So whoever comes finds at most one queue, and what it needs is in front of it.
 * Invariant [CHAN-2]: who waits is in a queue, or was taken out by another who has done all that the wait was for, under the
 * lock: moved the value, or found the channel closed. So who is woken looks at its own record, and at nothing else. */
#include "chan.h"

#include "base/align.h"
#include "base/assert.h"
#include "base/spin.h"
#include "base/status.h"
#include "clock.h"
#include "fibers.h"
#include "park.h"

#include <stdlib.h>
#include <string.h>

enum { CLOSE_BATCH = 16 }; /* wake-ups collected under the lock */

/* One who waits, on its own stack. */
struct party {
    struct tp_waiter waiter; /* its links are of the channel's queue */
    void *value;             /* to be read, by who receives from it, or filled */
    int status;              /* by who takes it out: 0, or TP_ECLOSED */
};

/* First in, first out. */
struct queue {
    struct tp_waiter *first, *last;
};

struct tp_chan {
    tp_line_aligned struct tp_spin lock; /* guards all that follows */
    bool is_closed;
    size_t value_bytes, capacity;
    size_t first, n; /* of the values, a ring */
    struct queue senders, receivers;
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

static void queue_add(struct queue *queue, struct tp_waiter *waiter)
{
    waiter->next = NULL;
    waiter->prev = queue->last;
    *(queue->last ? &queue->last->next : &queue->first) = waiter;
    queue->last = waiter;
}

static void queue_remove(struct queue *queue, struct tp_waiter *waiter)
{
    *(waiter->prev ? &waiter->prev->next : &queue->first) = waiter->next;
    *(waiter->next ? &waiter->next->prev : &queue->last) = waiter->prev;
}

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

/* Takes the first party out of a queue. Its wait is over, and whoever it is may be gone at once. */
static struct tp_wakeup release(struct queue *queue, int status)
{
    struct party *party = (struct party *)queue->first;
    queue_remove(queue, queue->first);
    party->status = status;
    return tp_waiter_hand_over(&party->waiter);
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
    if (chan->receivers.first) {
        copy(chan, ((struct party *)chan->receivers.first)->value, value);
        *call = release(&chan->receivers, 0);
        return CALLS;
    }
    if (chan->n == chan->capacity)
        return WAITS;
    copy(chan, place(chan, chan->n++), value);
    return THROUGH;
}

static enum found get(struct tp_chan *chan, void *value, struct tp_wakeup *call, int *status)
{
    struct party *sender = chan->is_closed ? NULL : (struct party *)chan->senders.first; /* tp_chan_close sees to them */
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
    *call = release(&chan->senders, 0);
    return CALLS;
}

/* Waits in a queue; the lock is held, and given up. Returns how the wait ended. */
static int wait_in(struct tp_chan *chan, struct queue *queue, void *value, uint64_t deadline_ns)
{
    struct party party = {.value = value};
    tp_waiter_begin(&party.waiter);
    queue_add(queue, &party.waiter);
    tp_spin_unlock(&chan->lock);
    if (party.waiter.fiber)
        tp_fiber_settle(party.waiter.fiber);
    int status = tp_waiter_sleep(&party.waiter, deadline_ns, &chan->patience);
    if (status == 0)
        return party.status;
    tp_spin_lock(&chan->lock);
    bool was_served = tp_waiter_is_woken(&party.waiter); /* at the last moment: then that counts [CHAN-2] */
    if (!was_served)
        queue_remove(queue, &party.waiter);
    tp_spin_unlock(&chan->lock);
    return was_served ? party.status : status;
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
    struct tp_wakeup calls[CLOSE_BATCH];
    bool is_last;
    do {
        unsigned n = 0;
        tp_spin_lock(&chan->lock);
        chan->is_closed = true;
        /* One queue has somebody in it at most [CHAN-1]; nobody joins it from here on. */
        struct queue *queue = chan->senders.first ? &chan->senders : &chan->receivers;
        while (queue->first && n < CLOSE_BATCH)
            calls[n++] = release(queue, TP_ECLOSED);
        is_last = !queue->first;
        tp_spin_unlock(&chan->lock); /* if that was the last, the channel may be gone [CHAN-3] */
        for (unsigned i = 0; i < n; i++)
            tp_wakeup_call(&calls[i]);
    } while (!is_last);
}

size_t tp_chan_count(struct tp_chan *chan)
{
    tp_spin_lock(&chan->lock);
    size_t n = chan->n;
    tp_spin_unlock(&chan->lock);
    return n;
}
