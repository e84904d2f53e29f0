/* The latest value. docs/sync.md.
 * Invariant, whenever the lock is free: who is in the line has the latest version, and it is not closed; but for those that a set or a
 * close is about to let go. Who is let go looks again, and so gets the latest value of that moment. */
#include "watch.h"

#include "../base/status.h"
#include "line.h"

#include <stdlib.h>
#include <string.h>

struct tp_watch {
    struct tp_gate gate; /* its lock guards all that follows */
    uint64_t version;
    bool is_closed;
    size_t value_bytes;
    _Alignas(max_align_t) unsigned char value[];
};

int tp_watch_open(struct tp_watch **out, size_t value_bytes, const void *value)
{
    if (!out || value_bytes > PTRDIFF_MAX / 2)
        return TP_EINVAL;
    struct tp_watch *watch = malloc(sizeof *watch + value_bytes);
    if (!watch)
        return TP_ENOMEM;
    tp_gate_init(&watch->gate);
    watch->version = 1;
    watch->is_closed = false;
    watch->value_bytes = value_bytes;
    if (value_bytes > 0)
        memcpy(watch->value, value, value_bytes);
    *out = watch;
    return 0;
}

void tp_watch_free(struct tp_watch *watch)
{
    if (!watch)
        return;
    tp_gate_end(&watch->gate);
    free(watch);
}

int tp_watch_set(struct tp_watch *watch, const void *value)
{
    tp_spin_lock(&watch->gate.lock);
    if (watch->is_closed) {
        tp_spin_unlock(&watch->gate.lock);
        return TP_ECLOSED;
    }
    if (watch->value_bytes > 0)
        memcpy(watch->value, value, watch->value_bytes);
    watch->version++;
    tp_line_dismiss(&watch->gate.line, NULL, &watch->gate.lock, 0);
    return 0;
}

/* Under the lock. */
static uint64_t read_value(const struct tp_watch *watch, void *value)
{
    if (value && watch->value_bytes > 0)
        memcpy(value, watch->value, watch->value_bytes);
    return watch->version;
}

uint64_t tp_watch_get(struct tp_watch *watch, void *value)
{
    tp_spin_lock(&watch->gate.lock);
    uint64_t version = read_value(watch, value);
    tp_spin_unlock(&watch->gate.lock);
    return version;
}

int tp_watch_wait(struct tp_watch *watch, uint64_t *version, void *value, uint64_t deadline_ns)
{
    struct tp_gate *gate = &watch->gate;
    int status = deadline_ns == 0 ? TP_ETIMEDOUT : 0;
    tp_spin_lock(&gate->lock);
    while (status == 0 && watch->version == *version && !watch->is_closed) {
        struct tp_party party = {.wanted = 0};
        if (tp_gate_wait(gate, &party, deadline_ns, &status))
            tp_spin_lock(&gate->lock);
    }
    if (watch->version != *version) {
        *version = read_value(watch, value);
        status = 0;
    } else if (watch->is_closed) {
        status = TP_ECLOSED;
    }
    tp_spin_unlock(&gate->lock);
    return status;
}

void tp_watch_close(struct tp_watch *watch)
{
    tp_spin_lock(&watch->gate.lock);
    watch->is_closed = true;
    tp_line_dismiss(&watch->gate.line, NULL, &watch->gate.lock, 0);
}
