/* Values for all. docs/sync.md.
 * Invariant: value number i is in place i % capacity while i is one of the last `capacity` that were sent. A reader in the line has read
 * all, but for those that a send or a close is about to let go; who is let go looks again. */
#include "broadcast.h"

#include "../base/assert.h"
#include "../base/status.h"
#include "line.h"

#include <stdlib.h>
#include <string.h>

struct tp_broadcast {
    struct tp_gate gate; /* its lock guards all that follows */
    uint64_t n_sent;
    bool is_closed;
    size_t value_bytes, capacity;
    _Alignas(max_align_t) unsigned char values[];
};

int tp_broadcast_open(struct tp_broadcast **out, size_t value_bytes, size_t capacity)
{
    size_t values_bytes;
    if (!out || capacity == 0 || __builtin_mul_overflow(value_bytes, capacity, &values_bytes) || values_bytes > PTRDIFF_MAX / 2)
        return TP_EINVAL;
    struct tp_broadcast *broadcast = malloc(sizeof *broadcast + values_bytes);
    if (!broadcast)
        return TP_ENOMEM;
    tp_gate_init(&broadcast->gate);
    broadcast->n_sent = 0;
    broadcast->is_closed = false;
    broadcast->value_bytes = value_bytes;
    broadcast->capacity = capacity;
    *out = broadcast;
    return 0;
}

void tp_broadcast_free(struct tp_broadcast *broadcast)
{
    if (!broadcast)
        return;
    tp_gate_end(&broadcast->gate);
    free(broadcast);
}

void tp_broadcast_join(struct tp_broadcast *broadcast, struct tp_broadcast_reader *reader)
{
    tp_spin_lock(&broadcast->gate.lock);
    *reader = (struct tp_broadcast_reader){.next = broadcast->n_sent};
    tp_spin_unlock(&broadcast->gate.lock);
}

static unsigned char *place(struct tp_broadcast *broadcast, uint64_t number)
{
    return broadcast->values + number % broadcast->capacity * broadcast->value_bytes;
}

int tp_broadcast_send(struct tp_broadcast *broadcast, const void *value)
{
    tp_spin_lock(&broadcast->gate.lock);
    if (broadcast->is_closed) {
        tp_spin_unlock(&broadcast->gate.lock);
        return TP_ECLOSED;
    }
    if (broadcast->value_bytes > 0)
        memcpy(place(broadcast, broadcast->n_sent), value, broadcast->value_bytes);
    broadcast->n_sent++;
    tp_line_dismiss(&broadcast->gate.line, NULL, &broadcast->gate.lock, 0);
    return 0;
}

/* Under the lock, when there is something to be read. */
static int read_next(struct tp_broadcast *broadcast, struct tp_broadcast_reader *reader, void *value)
{
    uint64_t n_behind = broadcast->n_sent - reader->next;
    if (n_behind > broadcast->capacity) {
        reader->n_missed = n_behind - broadcast->capacity;
        reader->next += reader->n_missed;
        return TP_ELAGGED;
    }
    if (broadcast->value_bytes > 0)
        memcpy(value, place(broadcast, reader->next), broadcast->value_bytes);
    reader->next++;
    return 0;
}

int tp_broadcast_recv(struct tp_broadcast *broadcast, struct tp_broadcast_reader *reader, void *value, uint64_t deadline_ns)
{
    struct tp_gate *gate = &broadcast->gate;
    int status = deadline_ns == 0 ? TP_ETIMEDOUT : 0;
    tp_spin_lock(&gate->lock);
    tp_assert(reader->next <= broadcast->n_sent);
    while (status == 0 && broadcast->n_sent == reader->next && !broadcast->is_closed) {
        struct tp_party party = {.wanted = 0};
        if (tp_gate_wait(gate, &party, deadline_ns, &status))
            tp_spin_lock(&gate->lock);
    }
    if (broadcast->n_sent != reader->next)
        status = read_next(broadcast, reader, value);
    else if (broadcast->is_closed)
        status = TP_ECLOSED;
    tp_spin_unlock(&gate->lock);
    return status;
}

void tp_broadcast_close(struct tp_broadcast *broadcast)
{
    tp_spin_lock(&broadcast->gate.lock);
    broadcast->is_closed = true;
    tp_line_dismiss(&broadcast->gate.line, NULL, &broadcast->gate.lock, 0);
}
