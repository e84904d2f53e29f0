/* The life cycle of a pooled coroutine: one word that says whose it is now, and which of its lives
 * this is. docs/life-cycle.md has the picture and the arguments [CYCLE-1] to [CYCLE-5].
 *
 *   FREE -> READY -> RUNNING <-> SUSPENDED        READY: queued, whoever takes it may run it
 *                       |  \---> READY            RUNNING: one thread is inside
 *                       v                         SUSPENDED: in no queue; a wake-up makes it READY
 *        DONE, FAILED, CANCELLED -> FREE          FREE: in the pool's hands, under the next generation
 *
 * Invariant [CYCLE-1]: of all calls that could make a coroutine READY exactly one is told to queue
 * it, and of all that could run it exactly one may.
 *
 *   bits 0-2   enum tp_cycle_state
 *   bit 3      woken: a wake-up came that has not ended a suspension yet
 *   bit 4      asked: it was asked to end, and is so until it is FREE
 *   bit 5      shielded: it finishes something, and suspends although it was asked
 *   bits 8-63  generation
 */
#ifndef TP_CYCLE_H
#define TP_CYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "../runtime/base/assert.h"
#include "../runtime/base/atomic.h"

enum tp_cycle_state {
    TP_CYCLE_FREE,
    TP_CYCLE_READY,
    TP_CYCLE_RUNNING,
    TP_CYCLE_SUSPENDED,
    TP_CYCLE_DONE,     /* it returned */
    TP_CYCLE_FAILED,   /* it returned an error, or panicked */
    TP_CYCLE_CANCELLED /* it was asked to end, and did */
};

/* What a transition means for its caller. */
enum tp_cycle_outcome {
    TP_CYCLE_MADE,  /* made, and nothing more to do */
    TP_CYCLE_QUEUE, /* made: the coroutine is READY, and this caller queues it */
    TP_CYCLE_NOTED, /* written down for who has the coroutine now */
    TP_CYCLE_BUSY,  /* not made: the coroutine is in another state */
    TP_CYCLE_STALE  /* not made: that life is over */
};

struct tp_cycle {
    tp_atomic(uint64_t) word; /* by the transitions; 0 is the first FREE one */
};

enum { TP__CYCLE_STATE = 7,
    TP__CYCLE_WOKEN = 8,
    TP__CYCLE_ASKED = 16,
    TP__CYCLE_SHIELDED = 32,
    TP__CYCLE_GENERATION_SHIFT = 8 };

/* What a word says. */
static inline enum tp_cycle_state tp_cycle_state(uint64_t word)
{
    return (enum tp_cycle_state)(word & TP__CYCLE_STATE);
}

/* Which life. 2^56 of them: one that ends every nanosecond lasts for two years. */
static inline uint64_t tp_cycle_generation(uint64_t word)
{
    return word >> TP__CYCLE_GENERATION_SHIFT;
}

/* Is that life over, or yet to come? */
static inline bool tp_cycle_is_stale(uint64_t word, uint64_t generation)
{
    return tp_cycle_generation(word) != generation || tp_cycle_state(word) == TP_CYCLE_FREE;
}

/* The word as it is. Acquire: pairs with the transitions; who sees a state sees what led to it. */
static inline uint64_t tp_cycle_look(const struct tp_cycle *cycle)
{
    return tp_load_acq(&cycle->word);
}

/* Is it to end, and not shielded from that? For the coroutine itself, at its cancellation points.
 * Relaxed: the request publishes nothing, and the suspension looks again [CYCLE-4]. */
static inline bool tp_cycle_is_asked(const struct tp_cycle *cycle)
{
    return (tp_load_rlx(&cycle->word) & (TP__CYCLE_ASKED | TP__CYCLE_SHIELDED)) == TP__CYCLE_ASKED;
}

/* -- by who has the coroutine alone: plain stores, since nobody else changes the word then --------- */

/* FREE -> `state`: READY (the caller queues it), RUNNING (the caller runs it) or SUSPENDED (it waits
 * for tp_cycle_wake). Returns the generation, with which others may name this life. */
static inline uint64_t tp_cycle_begin(struct tp_cycle *cycle, enum tp_cycle_state state)
{
    uint64_t word = tp_load_rlx(&cycle->word); /* relaxed: only the caller has it [CYCLE-2] */
    tp_assert(tp_cycle_state(word) == TP_CYCLE_FREE);
    tp_store_rel(&cycle->word, word | state); /* pairs with tp_cycle_look, and with the exchanges of others */
    return tp_cycle_generation(word);
}

/* DONE, FAILED or CANCELLED -> FREE, under the next generation. */
static inline void tp_cycle_free(struct tp_cycle *cycle)
{
    uint64_t word = tp_load_rlx(&cycle->word); /* relaxed: as above */
    tp_assert(tp_cycle_state(word) >= TP_CYCLE_DONE);
    tp_store_rel(&cycle->word, (tp_cycle_generation(word) + 1) << TP__CYCLE_GENERATION_SHIFT); /* as above */
}

/* -- by the thread that runs it ------------------------------------------------------------------- */

/* READY -> RUNNING, by who took it from the queue. */
static inline void tp_cycle_run(struct tp_cycle *cycle)
{
    /* One exchange, as flags may be set meanwhile; nobody else changes the state of a READY one.
     * In one order with all other changes of the word, as each exchange here [CYCLE-1]. */
    uint64_t before = tp_add_sc(&cycle->word, TP_CYCLE_RUNNING - TP_CYCLE_READY);
    tp_assert(tp_cycle_state(before) == TP_CYCLE_READY);
    (void)before;
}

/* RUNNING -> READY: it lets others run. The caller queues it, after its context has been saved. */
static inline void tp_cycle_yield(struct tp_cycle *cycle)
{
    /* One exchange, in one order as above; its release half publishes the context to who runs it next. */
    uint64_t before = tp_add_sc(&cycle->word, (uint64_t)TP_CYCLE_READY - TP_CYCLE_RUNNING);
    tp_assert(tp_cycle_state(before) == TP_CYCLE_RUNNING);
    (void)before;
}

/* RUNNING -> SUSPENDED, after its context has been saved. TP_CYCLE_QUEUE: a wake-up or a request to
 * end was faster; it is READY, and the wake-up is used up [CYCLE-3]. Else TP_CYCLE_MADE: from here on
 * the coroutine may run elsewhere. */
static inline enum tp_cycle_outcome tp_cycle_suspend(struct tp_cycle *cycle)
{
    uint64_t word = tp_load_rlx(&cycle->word); /* relaxed: the exchange decides */
    for (;;) {
        tp_assert(tp_cycle_state(word) == TP_CYCLE_RUNNING);
        bool again = (word & TP__CYCLE_WOKEN) || (word & (TP__CYCLE_ASKED | TP__CYCLE_SHIELDED)) == TP__CYCLE_ASKED;
        uint64_t rest = word & ~(uint64_t)(TP__CYCLE_STATE | TP__CYCLE_WOKEN);
        /* Losing means that somebody set a flag: look again. */
        if (tp_cas_sc(&cycle->word, &word, rest | (again ? TP_CYCLE_READY : TP_CYCLE_SUSPENDED)))
            return again ? TP_CYCLE_QUEUE : TP_CYCLE_MADE;
    }
}

/* RUNNING -> `state`, one of the ends. */
static inline void tp_cycle_end(struct tp_cycle *cycle, enum tp_cycle_state state)
{
    tp_assert(state >= TP_CYCLE_DONE);
    /* One exchange, in one order as above; its release half publishes the result. */
    uint64_t before = tp_add_sc(&cycle->word, (uint64_t)state - TP_CYCLE_RUNNING);
    tp_assert(tp_cycle_state(before) == TP_CYCLE_RUNNING);
    (void)before;
}

/* For the coroutine: requests to end do not end its suspensions until it unshields. Not nested; a
 * coroutine that nests counts by itself. */
static inline void tp_cycle_shield(struct tp_cycle *cycle)
{
    tp_add_sc(&cycle->word, TP__CYCLE_SHIELDED); /* in one order with the requests [CYCLE-4] */
}

/* As above, back. */
static inline void tp_cycle_unshield(struct tp_cycle *cycle)
{
    tp_add_sc(&cycle->word, (uint64_t)-TP__CYCLE_SHIELDED); /* as above */
}

/* -- by anybody, at any time, also after the end -------------------------------------------------- */

/* tp_cycle_wake: hand the coroutine a wake-up: SUSPENDED -> READY, else it ends the next suspension.
 * Several that come before that count as one. The caller made true before what is waited for.
 * Returns TP_CYCLE_QUEUE, TP_CYCLE_NOTED, or TP_CYCLE_STALE (that life has ended).
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
enum tp_cycle_outcome tp_cycle_wake(struct tp_cycle *cycle, uint64_t generation);

/* tp_cycle_ask: ask the coroutine to end. Its suspensions end at once from here on, unless shielded.
 * Returns TP_CYCLE_QUEUE, TP_CYCLE_NOTED, or TP_CYCLE_STALE (that life has ended).
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
enum tp_cycle_outcome tp_cycle_ask(struct tp_cycle *cycle, uint64_t generation);

#endif
