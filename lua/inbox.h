/* The inbox of a Lua state: where calls that ran on other threads come back to.
 *
 * Invariant: every record in the inbox holds one reference to itself and held one to the inbox
 * until its push had returned, so neither side can take the other's memory away. */
#ifndef TIDE_INBOX_H
#define TIDE_INBOX_H

#include "../runtime/base/atomic.h"
#include "../runtime/park.h"

struct tide_call;
struct tide_state;

struct tide_inbox {
    tp_atomic(struct tide_call *) first; /* pushed by workers, taken whole by the owner; publishes the calls */
    tp_atomic(uint32_t) n_references;    /* the owner's, and one for each push to come */
    struct tp_waitlist waiting;          /* the owner, when it sleeps */
};

/* tide_inbox_new: an empty inbox with one reference.
 * Returns NULL if memory ran out.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
struct tide_inbox *tide_inbox_new(void);

/* tide_inbox_hold, tide_inbox_drop: one reference more, or less. The last to go frees the inbox and
 * drops the calls that are still in it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tide_inbox_hold(struct tide_inbox *inbox);
void tide_inbox_drop(struct tide_inbox *inbox);

/* tide_inbox_push: hand a finished call to the owner and wake it.
 * call: one reference to it, and one to the inbox, pass from the caller.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tide_inbox_push(struct tide_inbox *inbox, struct tide_call *call);

/* tide_inbox_drain: wake the tasks that wait for the calls in the inbox, and empty it.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
void tide_inbox_drain(struct tide_state *state);

/* tide_inbox_wait: sleep until a call is in the inbox, or the deadline.
 * [thread: owning state] [suspends: no] [blocks: yes] [allocates: no] */
void tide_inbox_wait(struct tide_inbox *inbox, uint64_t deadline_ns);

#endif
