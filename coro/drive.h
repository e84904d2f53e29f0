/* The life cycle of a coroutine that is driven by hand, not queued: coro/cycle.h without READY, and with its requests apart.
 * docs/life-cycle.md has the arguments [DRIVE-1] to [DRIVE-3].
 *
 *   FREE -> SUSPENDED <-> RUNNING -> DONE, FAILED, CANCELLED -> FREE, under the next generation
 *
 * Invariant [DRIVE-1]: who made it RUNNING alone changes the word until it is not; so what a run ends with is a plain store, and a
 * whole life costs two exchanges, one by who begins to run it and one by who retires it. */
#ifndef TP_DRIVE_H
#define TP_DRIVE_H

#include "cycle.h"

struct tp_drive {
    tp_atomic(uint64_t) word;  /* state and generation, as in tp_cycle, without flags */
    tp_atomic(uint64_t) asked; /* 1 more than the last generation that was asked to end; only grows */
};

/* The word as it is. Acquire: pairs with the transitions; who sees a state sees what led to it. */
static inline uint64_t tp_drive_look(const struct tp_drive *drive)
{
    return tp_load_acq(&drive->word);
}

/* Is it to end? For the coroutine itself, at its cancellation points.
 * Relaxed: its own word, and a request, which publishes nothing. */
static inline bool tp_drive_is_asked(const struct tp_drive *drive)
{
    return tp_load_rlx(&drive->asked) == tp_cycle_generation(tp_load_rlx(&drive->word)) + 1;
}

/* FREE -> SUSPENDED, by who has it alone. Returns the generation, with which others may name this life. */
static inline uint64_t tp_drive_begin(struct tp_drive *drive)
{
    uint64_t word = tp_load_rlx(&drive->word); /* relaxed: only the caller has it */
    tp_assert(tp_cycle_state(word) == TP_CYCLE_FREE);
    tp_store_rel(&drive->word, word + TP_CYCLE_SUSPENDED); /* pairs with tp_drive_look, and with the exchange of who resumes */
    return tp_cycle_generation(word);
}

/* RUNNING -> `state`, SUSPENDED or one of the ends, by who runs it. */
static inline void tp_drive_stop(struct tp_drive *drive, enum tp_cycle_state state)
{
    uint64_t word = tp_load_rlx(&drive->word); /* relaxed: only the caller changes it now [DRIVE-1] */
    tp_assert(tp_cycle_state(word) == TP_CYCLE_RUNNING);
    tp_store_rel(&drive->word, word + state - TP_CYCLE_RUNNING); /* pairs with tp_drive_look, and with the exchanges of others */
}

/* SUSPENDED -> RUNNING. Returns TP_CYCLE_MADE, TP_CYCLE_BUSY (it runs, or has ended) or TP_CYCLE_STALE. */
static inline enum tp_cycle_outcome tp_drive_resume(struct tp_drive *drive, uint64_t generation)
{
    uint64_t word = tp_drive_look(drive);
    for (;;) {
        if (tp_cycle_is_stale(word, generation))
            return TP_CYCLE_STALE;
        if (tp_cycle_state(word) != TP_CYCLE_SUSPENDED)
            return TP_CYCLE_BUSY;
        /* Losing means that somebody else was faster: look again. */
        if (tp_cas_sc(&drive->word, &word, word + TP_CYCLE_RUNNING - TP_CYCLE_SUSPENDED))
            return TP_CYCLE_MADE;
    }
}

/* DONE, FAILED or CANCELLED -> FREE, for one of several who may; *end is which of them it was, untouched unless made.
 * Returns TP_CYCLE_MADE: the caller has the coroutine alone; TP_CYCLE_BUSY (it has not ended) or TP_CYCLE_STALE. */
static inline enum tp_cycle_outcome tp_drive_retire(struct tp_drive *drive, uint64_t generation, enum tp_cycle_state *end)
{
    uint64_t word = tp_drive_look(drive);
    if (tp_cycle_is_stale(word, generation))
        return TP_CYCLE_STALE;
    if (tp_cycle_state(word) < TP_CYCLE_DONE)
        return TP_CYCLE_BUSY;
    enum tp_cycle_state found = tp_cycle_state(word);
    /* From an end nothing leads but this, so losing means that somebody else has retired it [DRIVE-2]. */
    if (!tp_cas_sc(&drive->word, &word, (generation + 1) << TP__CYCLE_GENERATION_SHIFT))
        return TP_CYCLE_STALE;
    *end = found;
    return TP_CYCLE_MADE;
}

/* Ask it to end: a level, which stays until the end of that life.
 * Returns TP_CYCLE_NOTED, or TP_CYCLE_STALE (that life has ended). */
static inline enum tp_cycle_outcome tp_drive_ask(struct tp_drive *drive, uint64_t generation)
{
    uint64_t word = tp_drive_look(drive), asked = tp_load_rlx(&drive->asked); /* relaxed: the exchange decides */
    if (tp_cycle_is_stale(word, generation) || tp_cycle_state(word) >= TP_CYCLE_DONE)
        return TP_CYCLE_STALE;
    while (asked <= generation)
        /* Losing means that another one has asked, perhaps in a later life, which stays so [DRIVE-3]. */
        if (tp_cas_sc(&drive->asked, &asked, generation + 1))
            break;
    return TP_CYCLE_NOTED;
}

#endif
