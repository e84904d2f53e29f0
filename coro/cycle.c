/* The life cycle of a pooled coroutine: what others may do to it. docs/life-cycle.md.
 * Invariant: every change here is a compare-exchange from a word of the generation that was named, so
 * that a call which is late touches nothing [CYCLE-5]. */
#include "cycle.h"

/* Is that life over, or yet to come? */
static bool is_stale(uint64_t word, uint64_t generation)
{
    return tp_cycle_generation(word) != generation || tp_cycle_state(word) == TP_CYCLE_FREE;
}

enum tp_cycle_outcome tp_cycle_resume(struct tp_cycle *cycle, uint64_t generation)
{
    uint64_t word = tp_cycle_look(cycle);
    for (;;) {
        if (is_stale(word, generation))
            return TP_CYCLE_STALE;
        if (tp_cycle_state(word) != TP_CYCLE_SUSPENDED)
            return TP_CYCLE_BUSY;
        /* Losing means that somebody else was faster, or set a flag: look again. */
        if (tp_cas_sc(&cycle->word, &word, word + TP_CYCLE_RUNNING - TP_CYCLE_SUSPENDED))
            return TP_CYCLE_MADE;
    }
}

enum tp_cycle_outcome tp_cycle_retire(struct tp_cycle *cycle, uint64_t generation, enum tp_cycle_state *end)
{
    uint64_t word = tp_cycle_look(cycle);
    for (;;) {
        if (is_stale(word, generation))
            return TP_CYCLE_STALE;
        if (tp_cycle_state(word) < TP_CYCLE_DONE)
            return TP_CYCLE_BUSY;
        /* Losing means that somebody else was faster, or set a flag: look again. */
        if (tp_cas_sc(&cycle->word, &word, (generation + 1) << TP__CYCLE_GENERATION_SHIFT)) {
            *end = tp_cycle_state(word);
            return TP_CYCLE_MADE;
        }
    }
}

/* Sets a flag, and makes a coroutine READY whose sleep that ends. */
static enum tp_cycle_outcome set_flag(struct tp_cycle *cycle, uint64_t generation, uint64_t flag)
{
    uint64_t word = tp_cycle_look(cycle);
    for (;;) {
        if (is_stale(word, generation) || tp_cycle_state(word) >= TP_CYCLE_DONE)
            return TP_CYCLE_STALE;
        uint64_t next = word | flag;
        bool sleeps = tp_cycle_state(word) == TP_CYCLE_SUSPENDED;
        bool queue = sleeps && (flag == TP__CYCLE_WOKEN || !(word & TP__CYCLE_SHIELDED));
        if (queue) /* the wake-up is used up by this */
            next = (next & ~(uint64_t)(TP__CYCLE_STATE | TP__CYCLE_WOKEN)) | TP_CYCLE_READY;
        /* An exchange also when nothing changes: who finds the flag set publishes its writes with it
         * as well. Losing means that the state changed, or another flag: look again. */
        if (tp_cas_sc(&cycle->word, &word, next))
            return queue ? TP_CYCLE_QUEUE : TP_CYCLE_NOTED;
    }
}

enum tp_cycle_outcome tp_cycle_wake(struct tp_cycle *cycle, uint64_t generation)
{
    return set_flag(cycle, generation, TP__CYCLE_WOKEN);
}

enum tp_cycle_outcome tp_cycle_ask(struct tp_cycle *cycle, uint64_t generation)
{
    return set_flag(cycle, generation, TP__CYCLE_ASKED);
}

enum tp_cycle_outcome tp_cycle_mark(struct tp_cycle *cycle, uint64_t generation)
{
    uint64_t word = tp_cycle_look(cycle);
    for (;;) {
        if (is_stale(word, generation) || tp_cycle_state(word) >= TP_CYCLE_DONE)
            return TP_CYCLE_STALE;
        /* Losing means that something else changed: look again. */
        if (tp_cas_sc(&cycle->word, &word, word | TP__CYCLE_ASKED))
            return TP_CYCLE_NOTED;
    }
}
