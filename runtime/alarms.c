/* Alarms: the heap. Its first node is the earliest; the children of a node, linked to each other, are later than it.
 * Invariant: next_ns is the first one's time whenever the lock is free. */
#include "alarms.h"

#include "base/assert.h"
#include "clock.h"

void tp_alarms_init(struct tp_alarms *alarms)
{
    tp_spin_init(&alarms->lock);
    alarms->first = NULL;
    tp_atomic_init(&alarms->next_ns, TP_FOREVER);
}

/* Two heaps become one; both may be empty. */
static struct tp_alarm *meld(struct tp_alarm *a, struct tp_alarm *b)
{
    if (!a || !b)
        return a ? a : b;
    struct tp_alarm *early = b->at_ns < a->at_ns ? b : a;
    struct tp_alarm *late = early == a ? b : a;
    late->prev = early;
    late->next = early->child;
    if (late->next)
        late->next->prev = late;
    early->child = late;
    return early;
}

static struct tp_alarm *alone(struct tp_alarm *alarm)
{
    alarm->prev = alarm->next = NULL;
    return alarm;
}

/* The children of a node that goes become one heap: in pairs from the left, then from the right to the left. */
static struct tp_alarm *meld_all(struct tp_alarm *child)
{
    struct tp_alarm *pairs = NULL, *heap = NULL;
    while (child) {
        struct tp_alarm *second = child->next, *rest = second ? second->next : NULL;
        struct tp_alarm *pair = meld(alone(child), second ? alone(second) : NULL);
        pair->next = pairs;
        pairs = pair;
        child = rest;
    }
    while (pairs) {
        struct tp_alarm *rest = pairs->next;
        heap = meld(heap, alone(pairs));
        pairs = rest;
    }
    return heap;
}

/* The lock is held. */
static void take_out(struct tp_alarms *alarms, struct tp_alarm *alarm)
{
    struct tp_alarm *rest = meld_all(alarm->child);
    if (alarm == alarms->first) {
        alarms->first = rest;
    } else {
        if (alarm->prev->child == alarm)
            alarm->prev->child = alarm->next;
        else
            alarm->prev->next = alarm->next;
        if (alarm->next)
            alarm->next->prev = alarm->prev;
        alarms->first = meld(alarms->first, rest);
    }
    alarm->child = NULL;
    alone(alarm);
    alarm->is_set = false;
}

/* Relaxed: it publishes nothing, see tp_alarms_next_ns. */
static void tell_next(struct tp_alarms *alarms)
{
    tp_store_rlx(&alarms->next_ns, alarms->first ? alarms->first->at_ns : TP_FOREVER);
}

void tp_alarm_set(struct tp_alarms *alarms, struct tp_alarm *alarm, uint64_t at_ns)
{
    tp_spin_lock(&alarms->lock);
    tp_assert(!alarm->is_set);
    alarm->at_ns = at_ns;
    alarm->is_set = true;
    alarm->has_rung = false;
    alarm->child = NULL;
    alarms->first = meld(alarms->first, alone(alarm));
    tell_next(alarms);
    tp_spin_unlock(&alarms->lock);
}

bool tp_alarm_clear(struct tp_alarms *alarms, struct tp_alarm *alarm)
{
    tp_spin_lock(&alarms->lock);
    if (alarm->is_set)
        take_out(alarms, alarm);
    bool has_rung = alarm->has_rung;
    tell_next(alarms);
    tp_spin_unlock(&alarms->lock);
    return has_rung;
}

bool tp_alarms_ring(struct tp_alarms *alarms, uint64_t now_ns, struct tp_alarm *rung)
{
    if (tp_alarms_next_ns(alarms) > now_ns)
        return false;
    tp_spin_lock(&alarms->lock);
    struct tp_alarm *due = alarms->first && alarms->first->at_ns <= now_ns ? alarms->first : NULL;
    if (due) {
        take_out(alarms, due);
        due->has_rung = true;
        *rung = *due;
        tell_next(alarms);
    }
    tp_spin_unlock(&alarms->lock);
    return due != NULL;
}
