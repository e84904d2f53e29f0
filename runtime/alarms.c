/* Alarms: a wheel under its lock. Invariant: next_ns is not after the wheel's whenever the lock is free; if the wheel is empty, it says so. */
#include "alarms.h"

#include "base/assert.h"
#include "sleep.h"

enum { RING_STEPS = 64 }; /* entries touched under the lock at once */

static tp_atomic(uint32_t) slack_shift = (uint32_t)__builtin_ctzll(TP_ALARMS_SLACK_NS);

static uint32_t shift_of(uint64_t slack_ns)
{
    uint32_t shift = 0;
    while (shift < 32 && slack_ns >> (shift + 1) != 0)
        shift++;
    return shift;
}

void tp_slack_set(uint64_t slack_ns)
{
    tp_store_rlx(&slack_shift, shift_of(slack_ns)); /* relaxed: a number */
}

void tp_alarms_init(struct tp_alarms *alarms, uint64_t slack_ns)
{
    tp_spin_init(&alarms->lock);
    tp_wheel_init(&alarms->wheel, slack_ns != 0 ? shift_of(slack_ns) : tp_load_rlx(&slack_shift)); /* relaxed: a number */
    tp_atomic_init(&alarms->next_ns, TP_FOREVER);
    tp_atomic_init(&alarms->n_set, 0);
    tp_atomic_init(&alarms->n_cleared, 0);
    tp_atomic_init(&alarms->n_rung, 0);
    tp_atomic_init(&alarms->n_called, 0);
    tp_waitlist_init(&alarms->ends);
}

/* Relaxed: under the lock, and it publishes nothing. Returns true if it is earlier than before. */
static bool tell_next(struct tp_alarms *alarms)
{
    uint64_t next_ns = tp_wheel_next_ns(&alarms->wheel), before_ns = tp_load_rlx(&alarms->next_ns);
    if (next_ns != before_ns)
        tp_store_rlx(&alarms->next_ns, next_ns);
    return next_ns < before_ns;
}

bool tp__alarm_put(struct tp_alarm *alarm, uint64_t at_ns)
{
    struct tp_alarms *alarms = alarm->alarms;
    tp_assert(tp_load_rlx(&alarm->state) != TP_ALARM_SET);
    tp_store_rlx(&alarm->state, TP_ALARM_SET); /* relaxed: under the lock */
    tp_wheel_add(&alarms->wheel, &alarm->entry, at_ns);
    tp_note(&alarms->n_set, tp_own(&alarms->n_set) + 1);
    return at_ns <= tp_alarms_next_ns(alarms) && tell_next(alarms); /* later: not before it either, when rounded up */
}

void tp__alarm_take(struct tp_alarm *alarm)
{
    struct tp_alarms *alarms = alarm->alarms;
    tp_wheel_remove(&alarms->wheel, &alarm->entry);
    tp_note(&alarms->n_cleared, tp_own(&alarms->n_cleared) + 1);
    tp_store_rlx(&alarm->state, TP_ALARM_OFF);                                                              /* relaxed: under the lock */
    if (alarms->wheel.levels == 0 || alarm->entry.tick << alarms->wheel.shift <= tp_alarms_next_ns(alarms)) /* else it was not the next */
        tell_next(alarms);
}

bool tp_alarm_set(struct tp_alarms *alarms, struct tp_alarm *alarm, uint64_t at_ns)
{
    alarm->alarms = alarms;
    tp_spin_lock(&alarms->lock);
    bool is_first = tp__alarm_put(alarm, at_ns);
    tp_spin_unlock(&alarms->lock);
    return is_first;
}

bool tp_alarm_clear(struct tp_alarm *alarm)
{
    struct tp_alarms *alarms = alarm->alarms;
    bool has_rung = tp_load_acq(&alarm->state) == TP_ALARM_RUNG; /* pairs with the release in tp_alarms_ring */
    if (!has_rung) {
        tp_spin_lock(&alarms->lock);
        has_rung = tp_load_rlx(&alarm->state) == TP_ALARM_RUNG; /* relaxed: under the lock */
        if (!has_rung)
            tp__alarm_take(alarm);
        tp_spin_unlock(&alarms->lock);
    }
    tp_store_rlx(&alarm->state, TP_ALARM_OFF); /* relaxed: the caller's own again */
    return has_rung;
}

unsigned tp_alarms_ring(struct tp_alarms *alarms, uint64_t now_ns, struct tp_rung *rung, unsigned n)
{
    unsigned n_rung = 0, budget = RING_STEPS;
    tp_spin_lock(&alarms->lock);
    while (n_rung < n) {
        struct tp_alarm *due = (struct tp_alarm *)tp_wheel_take(&alarms->wheel, now_ns, &budget);
        if (!due)
            break;
        bool is_timer = due->is_timer;
        rung[n_rung++] = (struct tp_rung){due->whom, due->generation, is_timer};
        tp_store_rel(&due->state, TP_ALARM_RUNG); /* pairs with the acquire in tp_alarm_clear: from here on a task's may be gone */
        if (is_timer) {                           /* one call at a time, since a call may take the next timer back [TIMER-1] */
            tp_note(&alarms->n_called, tp_own(&alarms->n_called) + 1);
            break;
        }
    }
    tp_note(&alarms->n_rung, tp_own(&alarms->n_rung) + n_rung);
    tell_next(alarms);
    tp_spin_unlock(&alarms->lock);
    return n_rung;
}
