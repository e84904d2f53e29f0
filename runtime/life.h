/* The life of a pool: one word that says whether tasks are accepted, which incarnation of the pool
 * this is, and how it ends. docs/shutdown.md has the picture and the arguments [LIFE-1] to [LIFE-6].
 * Invariant: the word moves only by the transitions below, each a compare-exchange that checks
 * where it starts; one that does not fit changes nothing and says so.
 *
 *   bits 0-2   enum tp_life_state
 *   bit 7      this end is a cancellation
 *   bits 8-63  generation: 1 when the pool opens first, one more with every reopening
 */
#ifndef TP_LIFE_H
#define TP_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/status.h"

enum tp_life_state {
    TP_LIFE_OPENING,  /* one thread starts the workers; tasks are refused */
    TP_LIFE_OPEN,     /* tasks are accepted */
    TP_LIFE_CLOSING,  /* tasks are refused, but a submitter may still be putting one down */
    TP_LIFE_DRAINING, /* every accepted task is visible; a worker that finds none leaves */
    TP_LIFE_CLOSED,   /* nothing is left: no task, no thread */
    TP_LIFE_FORKED    /* the pool was copied by fork(): its threads are in another process */
};

/* What a call of tp_life_close means for its caller. */
enum tp_life_outcome {
    TP_LIFE_FIRST,    /* the pool was open: take the closing steps, then tp_life_drain */
    TP_LIFE_LATER,    /* another thread takes or took them: wait with it */
    TP_LIFE_UPGRADED, /* as LATER, but this caller made it a cancellation: take the steps of that */
    TP_LIFE_OVER,     /* closed already, or not open yet */
    TP_LIFE_DEAD      /* the pool belongs to the process that forked this one */
};

struct tp_life {
    tp_atomic(uint64_t) word;        /* written by the transitions, read by everyone [LIFE-1] */
    struct tp_life *next, *previous; /* all lives of this process; guarded by the registry's lock */
};

enum { TP__LIFE_STATE_MASK = 7,
    TP__LIFE_CANCELLED = 128,
    TP__LIFE_GENERATION_SHIFT = 8 };

/* tp_life_init: begins a life in the state OPENING, generation 1, and registers it for fork().
 * life: the caller's; must stay where it is until tp_life_free.
 * Returns 0 or TP_ENOMEM (fork() could not be watched; nothing is registered).
 * [thread: any] [suspends: no] [blocks: yes] [allocates: yes] */
int tp_life_init(struct tp_life *life);

/* tp_life_free: takes the life off the register; in any state. No other thread may use it.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
void tp_life_free(struct tp_life *life);

/* tp_life_open: OPENING -> OPEN, by the thread that opens the pool, once its workers are there.
 * Returns 0; TP_EINVAL in another state; TP_EFORKED in a forked process.
 * [thread: the one that called tp_life_init or tp_life_reopen] [suspends: no] [blocks: no] [allocates: no] */
int tp_life_open(struct tp_life *life);

/* tp_life_close: OPEN -> CLOSING for one caller; tells the others what to do.
 * cancel: also mark the end as a cancellation, be it this caller's or one that is under way [LIFE-4].
 * generation: set to the generation that ends, for tp_life_end and tp_life_is_over; may be NULL.
 * A caller that finds the pool OPENING came before it was open: TP_LIFE_OVER, with the generation before.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
enum tp_life_outcome tp_life_close(struct tp_life *life, bool cancel, uint32_t *generation);

/* tp_life_drain: CLOSING -> DRAINING, by the caller that was TP_LIFE_FIRST, after it has passed
 * every lock under which tasks are put down [LIFE-2]. Also OPENING -> DRAINING, by the thread that
 * opens, to let the workers leave that it started before the system refused one.
 * Returns 0; TP_EINVAL in another state; TP_EFORKED in a forked process.
 * [thread: the one in charge, see above] [suspends: no] [blocks: no] [allocates: no] */
int tp_life_drain(struct tp_life *life);

/* tp_life_end: DRAINING -> CLOSED, once no task and no thread is left; also OPENING -> CLOSED, when
 * opening failed before any worker was there.
 * generation: what tp_life_close told, or tp_life_generation() of the opener's word. A caller that is
 * late finds its generation over and cannot touch the next one [LIFE-3].
 * Returns 0 if that generation is over, by this call or before; TP_EINVAL while it is OPEN or
 * CLOSING, or is yet to come; TP_EFORKED in a forked process.
 * [thread: any, any number] [suspends: no] [blocks: no] [allocates: no] */
int tp_life_end(struct tp_life *life, uint32_t generation);

/* tp_life_reopen: CLOSED -> OPENING with the next generation, for exactly one of the callers.
 * Returns 0: wait until no closer of the generation before touches what is to be used again, a count of
 * them read with tp_load_sc [LIFE-5], and go on with the steps of opening; TP_EINVAL: not closed, not
 * yet, or another thread reopens; TP_EFORKED in a forked process.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_life_reopen(struct tp_life *life);

/* The word as it is. Acquire: pairs with the transitions; who sees a state sees what led to it. */
static inline uint64_t tp_life_look(struct tp_life *life)
{
    return tp_load_acq(&life->word);
}

/* Is the word still the one that was seen? For submitters, under the lock that the closer passes
 * between CLOSING and DRAINING. Relaxed: that lock orders it [LIFE-2]. */
static inline bool tp_life_same(struct tp_life *life, uint64_t word)
{
    return tp_load_rlx(&life->word) == word;
}

/* What a word says. */
static inline enum tp_life_state tp_life_state(uint64_t word)
{
    return (enum tp_life_state)(word & TP__LIFE_STATE_MASK);
}

/* May tasks be accepted? */
static inline bool tp_life_is_open(uint64_t word)
{
    return tp_life_state(word) == TP_LIFE_OPEN;
}

/* May a worker leave that found nothing in a look that began after the word was seen [LIFE-2]? */
static inline bool tp_life_is_draining(uint64_t word)
{
    return tp_life_state(word) == TP_LIFE_DRAINING;
}

/* Is this end a cancellation? */
static inline bool tp_life_is_cancelled(uint64_t word)
{
    return (word & TP__LIFE_CANCELLED) != 0;
}

/* Which incarnation; wraps after 2^32 of them. */
static inline uint32_t tp_life_generation(uint64_t word)
{
    return (uint32_t)(word >> TP__LIFE_GENERATION_SHIFT);
}

/* Is that generation over: closed, or followed by another? What waiters wait for [LIFE-3]. */
static inline bool tp_life_is_over(uint64_t word, uint32_t generation)
{
    uint32_t ahead = tp_life_generation(word) - generation;
    return ahead == 0 ? tp_life_state(word) == TP_LIFE_CLOSED : ahead < UINT32_C(1) << 31;
}

/* The status with which a pool refuses a task when its word is not open, or not the same any more. */
static inline int tp_life_refusal(uint64_t word)
{
    return tp_life_state(word) == TP_LIFE_FORKED ? TP_EFORKED : TP_ECLOSED;
}

#endif
