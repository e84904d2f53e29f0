/* Lines of those who wait for a thing, first come, first served; and gates, which are a lock with one line. For the things of this folder:
 * hosts embed gates, and leave them alone.
 * Invariants: [SYNC-1] who waits is in its line, or was taken out by another who has done, under the lock, all that the wait was for, and
 * wrote the result down. [SYNC-2] who has given the lock up touches the thing no more, but to take it again for those who
 * still wait (docs/sync.md). */
#ifndef TP_SYNC_LINE_H
#define TP_SYNC_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/spin.h"
#include "../waiter.h"

/* Guarded by the lock of the thing it belongs to. */
struct tp_line {
    struct tp_waiter *first, *last; /* each of a tp_party */
    uint64_t n_joined;              /* ever: tells those who were here from those who come while they are called */
    uint64_t n_away;                /* those who let others go and will come back to the lock: meanwhile nobody leaves, nor ends the thing [SYNC-2] */
};

struct tp_gate {
    struct tp_spin lock; /* guards the line, and what it is the gate of */
    struct tp_patience patience;
    struct tp_line line;
};

/* One who waits in a line, on its own stack or in a case of tp_select. */
struct tp_party {
    struct tp_waiter waiter;
    void *value;     /* to be read, or filled, by who serves it */
    uint64_t wanted; /* what it waits for, as the thing counts that */
    uint64_t joined; /* its number in the line */
    int status;      /* by who serves it; meanwhile it may speak for the party */
};

#ifndef __cplusplus

#include "../park.h"

/* tp_gate_init: an open lock and an empty line.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_gate_init(struct tp_gate *gate);

/* tp_gate_end: nobody waits, and nobody will come any more. Returns when the last one has left the lock: who let the caller go may have
 * it still, and who was to let others go may come back to it [SYNC-2].
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_gate_end(struct tp_gate *gate);

/* tp_line_join: to the end of the line; tp_line_join_first: to its front. The lock is held, and the waiter was begun.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_line_join(struct tp_line *line, struct tp_party *party);

/* tp_line_join_first: see tp_line_join.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_line_join_first(struct tp_line *line, struct tp_party *party);

/* tp_line_leave: out of the line. The lock is held.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_line_leave(struct tp_line *line, struct tp_party *party);

/* tp_party_leave: out of the line, by the party itself, unless it was served, or is while this waits for those who come back to the
 * lock. It is held, and may be given up meanwhile.
 * Returns whether the party has left.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_party_leave(struct tp_party *party, struct tp_line *line, struct tp_spin *lock);

/* The first in the line, or NULL; it may be an entry of a choice that ended elsewhere. Under the lock. */
static inline struct tp_party *tp_line_first(const struct tp_line *line)
{
    return (struct tp_party *)(void *)line->first;
}

/* tp_line_take: the first one that can be served, out of the line. The caller serves it: it does what the party waits for, and calls
 * tp_party_let_go, all under the lock.
 * Returns NULL if there is none; the line is empty then.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_party *tp_line_take(struct tp_line *line);

/* tp_line_has_other: is there a party that can be served, and is not an entry of `choice`? Under the lock.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_line_has_other(const struct tp_line *line, const struct tp_choice *choice);

/* The end of the wait of one that was taken. From here on it may be gone. The call follows, after the lock. */
static inline struct tp_wakeup tp_party_let_go(struct tp_party *party, int status)
{
    party->status = status;
    return tp_waiter_hand_over(&party->waiter);
}

/* tp_line_dismiss: serve all that are in the line now, and in the other if there is one, with that status. The lock is held, and given
 * up [SYNC-2].
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_line_dismiss(struct tp_line *line, struct tp_line *other, struct tp_spin *lock, int status);

/* tp_party_await: wait in the line that the party has joined. The lock is not held any more.
 * status: set to how the wait ended.
 * Returns true if the party was served: party->status is in *status. False: it has left the line by itself, for TP_ETIMEDOUT or
 * TP_ECANCELED; then the lock is held again.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
bool tp_party_await(struct tp_party *party, struct tp_line *line, struct tp_spin *lock, uint64_t deadline_ns, struct tp_patience *patience,
    int *status);

/* Waits at the end of a gate's line, as above; the lock is held, and given up. */
static inline bool tp_gate_wait(struct tp_gate *gate, struct tp_party *party, uint64_t deadline_ns, int *status)
{
    tp_waiter_begin(&party->waiter);
    tp_line_join(&gate->line, party);
    tp_spin_unlock(&gate->lock);
    return tp_party_await(party, &gate->line, &gate->lock, deadline_ns, &gate->patience, status);
}

/* Wake-ups that were handed over under a lock, to be called after it. */
struct tp_calls {
    unsigned n; /* 0 to begin with; the calls behind are undefined: to clear them costs more than a lock */
    struct tp_wakeup calls[16];
};

/* Is there no room for another one? */
static inline bool tp_calls_are_full(const struct tp_calls *calls)
{
    return calls->n == sizeof calls->calls / sizeof *calls->calls;
}

/* tp_calls_make: give the lock of the line up, and call those that were let go. If is_last, the thing may be gone; else it stays:
 * for those in the line, or since its end waits; and the lock is held again [SYNC-2].
 * Returns is_last.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_calls_make(struct tp_calls *calls, struct tp_line *line, struct tp_spin *lock, bool is_last);

#endif
#endif
