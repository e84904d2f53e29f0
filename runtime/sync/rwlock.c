/* Locks for readers and writers. docs/sync.md.
 * Invariants, whenever the gate is unlocked: WAITING is set exactly if somebody is in the line, and while it is set nobody takes the
 * lock but from the front of the line. The first in the line cannot have it yet; so whoever changes that, by an unlock or by leaving the
 * front, serves the line, and does so under the gate's lock, which makes it the last step that touches the lock [SYNC-2]. */
#include "rwlock.h"

#include "../base/assert.h"
#include "../base/status.h"

#define WRITER 1u
#define WAITING 2u /* changed under the gate's lock */
#define READER 4u  /* each */

void tp_rwlock_init(struct tp_rwlock *lock)
{
    tp_atomic_init(&lock->word, 0);
    tp_gate_init(&lock->gate);
}

void tp_rwlock_end(struct tp_rwlock *lock)
{
    tp_assert(tp_load_rlx(&lock->word) == 0); /* relaxed: the caller knows that it is free */
    tp_gate_end(&lock->gate);
}

/* Could one who wants to be a READER or the WRITER be so, but for those who wait? */
static bool fits(uint32_t word, uint64_t wanted)
{
    return wanted == WRITER ? (word & ~WAITING) == 0 : (word & WRITER) == 0;
}

/* The first in the line, if it can have the lock. */
static struct tp_party *first_content(struct tp_rwlock *lock)
{
    struct tp_party *first = tp_line_first(&lock->gate.line);
    /* Relaxed: while somebody waits, readers can only become fewer, and the last one comes here. The additions below acquire. */
    return first && fits(tp_load_rlx(&lock->word), first->wanted) ? first : NULL;
}

/* Serves those who can have it now. The gate is locked, and given up. */
static void serve(struct tp_rwlock *lock)
{
    struct tp_gate *gate = &lock->gate;
    struct tp_calls calls;
    calls.n = 0;
    struct tp_party *party;
    do {
        while (!tp_calls_are_full(&calls) && (party = first_content(lock))) {
            tp_add_sc(&lock->word, (uint32_t)party->wanted); /* its acquire half pairs with the release of those who held it before */
            tp_line_leave(&gate->line, party);
            calls.calls[calls.n++] = tp_party_let_go(party, 0);
        }
        if (!gate->line.first && (tp_load_rlx(&lock->word) & WAITING) != 0) /* relaxed: changed under the gate's lock */
            tp_add_rlx(&lock->word, 0 - WAITING);
    } while (!tp_calls_make(&calls, &gate->line, &gate->lock, !first_content(lock)));
}

/* Takes it, unless somebody has it or waits for it. */
static bool take(struct tp_rwlock *lock, uint32_t wanted)
{
    uint32_t word = tp_load_rlx(&lock->word); /* relaxed: a guess for the exchange */
    while ((word & WAITING) == 0 && fits(word, wanted))
        /* Its acquire half pairs with the release of those who held it. Losing means that somebody came or went: look again. */
        if (tp_cas_sc(&lock->word, &word, word + wanted))
            return true;
    return false;
}

/* Under the gate's lock: takes it, or says that somebody waits. */
static bool take_or_announce(struct tp_rwlock *lock, uint32_t wanted)
{
    uint32_t word = tp_load_rlx(&lock->word); /* relaxed: a guess for the exchange */
    bool takes;
    do
        takes = (word & WAITING) == 0 && fits(word, wanted);
    while (!tp_cas_sc(&lock->word, &word, takes ? word + wanted : word | WAITING)); /* losing: as in take */
    return takes;
}

static int hold(struct tp_rwlock *lock, uint32_t wanted, uint64_t deadline_ns)
{
    if (take(lock, wanted))
        return 0;
    if (deadline_ns == 0)
        return TP_ETIMEDOUT;
    tp_spin_lock(&lock->gate.lock);
    if (take_or_announce(lock, wanted)) {
        tp_spin_unlock(&lock->gate.lock);
        return 0;
    }
    struct tp_party party = {.wanted = wanted};
    int status;
    if (!tp_gate_wait(&lock->gate, &party, deadline_ns, &status))
        serve(lock); /* those behind it */
    return status;
}

static void let_go(struct tp_rwlock *lock, uint32_t held)
{
    uint32_t word = tp_load_rlx(&lock->word); /* relaxed: a guess for the exchange */
    do {
        tp_assert(held == WRITER ? (word & ~WAITING) == WRITER : word >= READER && (word & WRITER) == 0);
        if (word - held == WAITING) { /* the next in the line is to be served, by who holds the gate's lock */
            tp_spin_lock(&lock->gate.lock);
            tp_add_sc(&lock->word, 0 - held); /* its release half pairs with the acquire of who has it next */
            serve(lock);
            return;
        }
        /* Its release half as above. Losing means that another reader came or went, or somebody waits now: decide again. */
    } while (!tp_cas_sc(&lock->word, &word, word - held));
}

int tp_rwlock_read(struct tp_rwlock *lock, uint64_t deadline_ns)
{
    return hold(lock, READER, deadline_ns);
}

int tp_rwlock_write(struct tp_rwlock *lock, uint64_t deadline_ns)
{
    return hold(lock, WRITER, deadline_ns);
}

void tp_rwlock_unread(struct tp_rwlock *lock)
{
    let_go(lock, READER);
}

void tp_rwlock_unwrite(struct tp_rwlock *lock)
{
    let_go(lock, WRITER);
}
