/* One value, once. docs/sync.md.
 * Invariant: each part that has not ended holds the memory; who ends the second one frees it, and a part ends under the lock. */
#include "oneshot.h"

#include "../base/status.h"
#include "line.h"

#include <stdlib.h>
#include <string.h>

struct tp_oneshot {
    struct tp_gate gate; /* its lock guards all that follows */
    bool has_sender, has_receiver, is_full;
    size_t value_bytes;
    _Alignas(max_align_t) unsigned char value[];
};

int tp_oneshot_open(struct tp_oneshot **out, size_t value_bytes)
{
    if (!out || value_bytes > PTRDIFF_MAX / 2)
        return TP_EINVAL;
    struct tp_oneshot *oneshot = malloc(sizeof *oneshot + value_bytes);
    if (!oneshot)
        return TP_ENOMEM;
    tp_gate_init(&oneshot->gate);
    oneshot->has_sender = oneshot->has_receiver = true;
    oneshot->is_full = false;
    oneshot->value_bytes = value_bytes;
    *out = oneshot;
    return 0;
}

static void copy(const struct tp_oneshot *oneshot, void *to, const void *from)
{
    if (oneshot->value_bytes > 0)
        memcpy(to, from, oneshot->value_bytes);
}

/* The sender's part ends; value is NULL if there is none. Returns whether there is a receiver. */
static bool end_sending(struct tp_oneshot *oneshot, const void *value, bool has_value)
{
    struct tp_gate *gate = &oneshot->gate;
    struct tp_calls calls;
    calls.n = 0;
    tp_spin_lock(&gate->lock);
    bool has_receiver = oneshot->has_receiver;
    struct tp_party *receiver = tp_line_take(&gate->line);
    oneshot->has_sender = false;
    if (receiver && has_value)
        copy(oneshot, receiver->value, value);
    else if (has_receiver && has_value)
        copy(oneshot, oneshot->value, value);
    oneshot->is_full = has_value && !receiver;
    if (receiver)
        calls.calls[calls.n++] = tp_party_let_go(receiver, has_value ? 0 : TP_ECLOSED);
    tp_calls_make(&calls, &gate->line, &gate->lock, true);
    if (!has_receiver)
        free(oneshot);
    return has_receiver;
}

int tp_oneshot_send(struct tp_oneshot *oneshot, const void *value)
{
    return end_sending(oneshot, value, true) ? 0 : TP_ECLOSED;
}

void tp_oneshot_drop(struct tp_oneshot *oneshot)
{
    if (oneshot)
        end_sending(oneshot, NULL, false);
}

int tp_oneshot_recv(struct tp_oneshot *oneshot, void *value, uint64_t deadline_ns)
{
    struct tp_gate *gate = &oneshot->gate;
    struct tp_party party = {.value = value};
    int status = 0;
    tp_spin_lock(&gate->lock);
    if (oneshot->is_full) {
        copy(oneshot, value, oneshot->value);
        oneshot->is_full = false;
    } else if (!oneshot->has_sender) {
        status = TP_ECLOSED;
    } else if (deadline_ns == 0) {
        status = TP_ETIMEDOUT;
    } else if (tp_gate_wait(gate, &party, deadline_ns, &status)) {
        return status;
    }
    tp_spin_unlock(&gate->lock);
    return status;
}

void tp_oneshot_free(struct tp_oneshot *oneshot)
{
    if (!oneshot)
        return;
    tp_spin_lock(&oneshot->gate.lock);
    oneshot->has_receiver = false;
    bool has_sender = oneshot->has_sender;
    tp_spin_unlock(&oneshot->gate.lock);
    if (!has_sender)
        free(oneshot);
}
