/* What a worker does. Invariant: see the head of activity.h; the table below is the whole state machine. */
#include "activity.h"

#include "monitor/trace_parts.h"

#include <stddef.h>

/* The states with the reasons told apart: bits of a set. */
enum {
    NO_THREAD = 1 << 0,
    SHUTDOWN = 1 << 1,
    PARKED = 1 << 2,
    LOOKOUT = 1 << 3,
    TASK = 1 << 4,
    IDLE = 1 << 5,
    RUNNING = 1 << 6,
    STEALING = 1 << 7,

    N_REASONS = 5,
    LOW = 0xff,
    SHIFT = 8,
    MASK = 0xffffff
};

/* From where each reason to be blocked may come. */
static const unsigned blocks_from[N_REASONS] = {
    [TP_BLOCKED_NO_THREAD] = PARKED | LOOKOUT | IDLE | RUNNING | STEALING,
    [TP_BLOCKED_SHUTDOWN] = IDLE | STEALING,
    [TP_BLOCKED_PARKED] = IDLE | STEALING,
    [TP_BLOCKED_LOOKOUT] = IDLE | STEALING,
    [TP_BLOCKED_TASK] = RUNNING,
};

static unsigned set_of(uint64_t word)
{
    enum tp_activity_state state = word & LOW;
    return state == TP_ACTIVITY_BLOCKED ? 1u << (word >> SHIFT & MASK) : (unsigned)IDLE << (state - TP_ACTIVITY_IDLE);
}

/* What a word says. */
static void tell(uint64_t word, struct tp_worker_info *out)
{
    uint32_t detail = word >> SHIFT & MASK;
    out->state = word & LOW;
    out->reason = out->state == TP_ACTIVITY_BLOCKED ? (enum tp_blocked)detail : TP_BLOCKED_NO_THREAD;
    out->victim = out->state == TP_ACTIVITY_STEALING ? detail : 0;
    out->n_steps = word >> 32;
}

/* The state in `word` ends now, and is told of in the trace from where it, or the trace, began. */
static void trace(struct tp_activity *activity, uint64_t word)
{
    struct tp_worker_info was;
    uint64_t begin_ns = activity->since_ns, now_ns = tp__trace_begin();
    activity->since_ns = now_ns;
    if (now_ns == 0 || begin_ns == 0 || begin_ns < tp_own(&tp__tracing.since_ns))
        return;
    tell(word, &was);
    tp__trace_add(&(struct tp_trace_slice){begin_ns, now_ns, tp_worker_info_word(&was), was.victim, TP__TRACE_WORKER});
}

static enum tp_activity_outcome move(struct tp_activity *activity, unsigned from, enum tp_activity_state state, uint32_t detail)
{
    uint64_t word = tp_own(&activity->word);
    if ((set_of(word) & from) == 0)
        return TP_ACTIVITY_ILLEGAL;
    if (tp_own(&tp__tracing.since_ns) != 0 || activity->since_ns != 0)
        trace(activity, word);
    tp_note(&activity->word, ((word >> 32) + 1) << 32 | (uint64_t)(detail & MASK) << SHIFT | state);
    return TP_ACTIVITY_MADE;
}

enum tp_activity_outcome tp_activity_begin(struct tp_activity *activity)
{
    enum tp_activity_outcome outcome = move(activity, NO_THREAD | SHUTDOWN, TP_ACTIVITY_IDLE, 0);
    activity->is_in_vain = activity->is_in_vain && outcome != TP_ACTIVITY_MADE;
    return outcome;
}

enum tp_activity_outcome tp_activity_seek(struct tp_activity *activity)
{
    return move(activity, RUNNING, TP_ACTIVITY_IDLE, 0);
}

enum tp_activity_outcome tp_activity_steal(struct tp_activity *activity, uint32_t victim)
{
    return move(activity, IDLE | STEALING, TP_ACTIVITY_STEALING, victim);
}

enum tp_activity_outcome tp_activity_run(struct tp_activity *activity)
{
    enum tp_activity_outcome outcome = move(activity, IDLE | STEALING, TP_ACTIVITY_RUNNING, 0);
    activity->is_in_vain = activity->is_in_vain && outcome != TP_ACTIVITY_MADE;
    return outcome;
}

static void count_sleep(struct tp_activity *activity)
{
    tp_note(&activity->n_sleeps, tp_own(&activity->n_sleeps) + 1);
    if (activity->is_in_vain)
        tp_note(&activity->n_vain, tp_own(&activity->n_vain) + 1);
    activity->is_in_vain = true;
}

enum tp_activity_outcome tp_activity_block(struct tp_activity *activity, enum tp_blocked reason)
{
    if ((unsigned)reason >= N_REASONS || move(activity, blocks_from[reason], TP_ACTIVITY_BLOCKED, reason) != TP_ACTIVITY_MADE)
        return TP_ACTIVITY_ILLEGAL;
    if (reason == TP_BLOCKED_PARKED || reason == TP_BLOCKED_LOOKOUT)
        count_sleep(activity);
    return TP_ACTIVITY_MADE;
}

enum tp_activity_outcome tp_activity_unblock(struct tp_activity *activity)
{
    if (move(activity, TASK, TP_ACTIVITY_RUNNING, 0) == TP_ACTIVITY_MADE)
        return TP_ACTIVITY_MADE;
    return move(activity, PARKED | LOOKOUT, TP_ACTIVITY_IDLE, 0);
}

void tp_activity_look(const struct tp_activity *activity, struct tp_worker_info *out)
{
    tell(tp_load_rlx(&activity->word), out);          /* relaxed: one value, which says all */
    out->n_sleeps = tp_load_rlx(&activity->n_sleeps); /* relaxed, as the next: numbers on their own */
    out->n_vain = tp_load_rlx(&activity->n_vain);
}

const char *tp_worker_info_word(const struct tp_worker_info *info)
{
    static const char *const states[] = {[TP_ACTIVITY_IDLE] = "idle", [TP_ACTIVITY_RUNNING] = "running", [TP_ACTIVITY_STEALING] = "stealing"};
    static const char *const reasons[N_REASONS] = {"no thread", "shutdown", "parked", "lookout", "waiting"};
    return info->state == TP_ACTIVITY_BLOCKED ? reasons[info->reason] : states[info->state];
}
