/* Mutexes. docs/sync.md has the word's transitions and the argument.
 * Invariants: [MUTEX-1] under the gate's lock, WAITING is set exactly if somebody is in the line. [MUTEX-2] if somebody is in the line,
 * the mutex is held, or one who was woken is about to try. */
#include "mutex.h"

#include "../base/assert.h"
#include "../base/status.h"

#define LOCKED 1u  /* held */
#define WAITING 2u /* somebody is in the line; changed under the gate's lock */
#define WAKING 4u  /* one was woken, and has not tried yet; no other is woken meanwhile */

#ifndef TP_MUTEX_TRIES /* in vain, before a waiter is handed the lock */
#define TP_MUTEX_TRIES 4
#endif
#ifndef TP_MUTEX_LOOKS /* before one joins the line: a section of a few dozen instructions is over by then */
#define TP_MUTEX_LOOKS 20
#endif

enum { TRY = 1 }; /* the status of one who was woken to try; 0: it was handed the lock */

void tp_mutex_init(struct tp_mutex *mutex)
{
    tp_atomic_init(&mutex->word, 0);
    tp_gate_init(&mutex->gate);
}

void tp_mutex_end(struct tp_mutex *mutex)
{
    tp_assert(tp_load_rlx(&mutex->word) == 0); /* relaxed: the caller knows that it is free */
    tp_gate_end(&mutex->gate);
}

/* Takes it if it is free. mine: WAKING if the caller is the one who was woken, else 0. */
static bool take(struct tp_mutex *mutex, uint32_t mine)
{
    uint32_t word = tp_load_rlx(&mutex->word); /* relaxed: a guess for the exchange */
    while ((word & LOCKED) == 0)
        /* Its acquire half pairs with the releases in tp_mutex_unlock. Losing means that another one was faster, or the line has changed. */
        if (tp_cas_sc(&mutex->word, &word, (word | LOCKED) & ~mine))
            return true;
    return false;
}

bool tp_mutex_try_lock(struct tp_mutex *mutex)
{
    return take(mutex, 0);
}

static bool look_for_it(struct tp_mutex *mutex, uint32_t mine)
{
    for (int i = 0; i < TP_MUTEX_LOOKS; i++) {
        if (take(mutex, mine))
            return true;
        tp_relax();
    }
    return false;
}

/* Under the gate's lock: the caller is about to join the line, unless it can take the mutex now. Returns whether it has. */
static bool take_or_announce(struct tp_mutex *mutex, uint32_t mine)
{
    uint32_t word = tp_load_rlx(&mutex->word), next; /* relaxed: a guess for the exchange */
    do
        next = ((word & LOCKED) == 0 ? word | LOCKED : word | WAITING) & ~mine;
    while (!tp_cas_sc(&mutex->word, &word, next)); /* losing means that it was locked or unlocked: decide again */
    return (word & LOCKED) == 0;
}

/* Waits in the line. Returns 0: the mutex is the caller's; TRY; or why the wait ended. */
static int wait_in_line(struct tp_mutex *mutex, struct tp_party *party, uint64_t deadline_ns, uint32_t mine)
{
    struct tp_gate *gate = &mutex->gate;
    int status;
    tp_waiter_begin(&party->waiter);
    tp_spin_lock(&gate->lock);
    if (take_or_announce(mutex, mine)) {
        tp_spin_unlock(&gate->lock);
        return 0;
    }
    (mine ? tp_line_join_first : tp_line_join)(&gate->line, party);
    tp_spin_unlock(&gate->lock);
    if (!tp_party_await(party, &gate->line, &gate->lock, deadline_ns, &gate->patience, &status)) {
        if (!gate->line.first)
            tp_add_rlx(&mutex->word, 0 - WAITING); /* relaxed: changed under the lock [MUTEX-1] */
        tp_spin_unlock(&gate->lock);
    }
    return status;
}

int tp_mutex_lock(struct tp_mutex *mutex, uint64_t deadline_ns)
{
    if (take(mutex, 0))
        return 0;
    if (deadline_ns == 0)
        return TP_ETIMEDOUT;
    struct tp_party party = {.wanted = 0}; /* counts its tries */
    int status = TRY;
    for (uint32_t mine = 0; status == TRY; mine = WAKING)
        status = look_for_it(mutex, mine) ? 0 : wait_in_line(mutex, &party, deadline_ns, mine);
    return status;
}

/* One waits, and nobody was woken yet. */
static void unlock_for_next(struct tp_mutex *mutex)
{
    struct tp_gate *gate = &mutex->gate;
    struct tp_calls calls;
    calls.n = 0;
    tp_spin_lock(&gate->lock);
    struct tp_party *next = tp_line_take(&gate->line); /* NULL: it has left meanwhile */
    bool is_handed = next && next->wanted++ == TP_MUTEX_TRIES;
    uint32_t word = (is_handed ? LOCKED : next ? WAKING
                                               : 0) |
                    (gate->line.first ? WAITING : 0);
    /* Nobody else changes the word now: it is held, and the gate is locked. Release: pairs with the acquire in take. */
    tp_store_rel(&mutex->word, word);
    if (next)
        calls.calls[calls.n++] = tp_party_let_go(next, is_handed ? 0 : TRY);
    tp_calls_make(&calls, &gate->line, &gate->lock, true);
}

void tp_mutex_unlock(struct tp_mutex *mutex)
{
    uint32_t word = LOCKED;
    do {
        tp_assert(word & LOCKED);
        if ((word & (WAITING | WAKING)) == WAITING) {
            unlock_for_next(mutex);
            return;
        }
        /* Its release half pairs with the acquire in take. Losing means that somebody waits, or has tried: decide again. */
    } while (!tp_cas_sc(&mutex->word, &word, word & ~LOCKED));
}
