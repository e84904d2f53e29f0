/* The life cycle of a pooled coroutine: what others may do to it. docs/life-cycle.md.
 * Invariant: every change here is a compare-exchange from a word of the generation that was named, so
 * that a call which is late touches nothing [CYCLE-5]. */
#include "cycle.h"

/* Sets a flag, and makes a coroutine READY whose sleep that ends. */
static enum tp_cycle_outcome set_flag(struct tp_cycle *cycle, uint64_t generation, uint64_t flag)
{
    uint64_t word = tp_cycle_look(cycle);
    for (;;) {
        if (tp_cycle_is_stale(word, generation) || tp_cycle_state(word) >= TP_CYCLE_DONE)
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
