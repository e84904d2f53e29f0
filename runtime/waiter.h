/* One who waits: the record that lists link, and what is known of how long waits for a thing last. The functions are in park.h; the
 * types stand apart because hosts embed them, also in C++.
 * Invariant: a waiter is in one list at most. Who waits in several has an entry in each, and those entries one choice (docs/select.md). */
#ifndef TP_WAITER_H
#define TP_WAITER_H

#include "base/atomic.h"

enum tp_waiter_state {
    TP_WAITER_OFF,     /* in no list: of a record that is used again, as a worker's is */
    TP_WAITER_QUEUED,  /* in a list; its thread is awake */
    TP_WAITER_ASLEEP,  /* in a list; its thread sleeps on this value, or is about to [PARK-2] */
    TP_WAITER_POLLING, /* in a list; its thread, a worker's, sleeps in a driver, or is about to; its bell wakes it [PARK-2] */
    TP_WAITER_WOKEN    /* a waker took it out of the list and handed it one wake-up */
};

struct tp_choice;
struct tp_fiber;

/* One who waits, a thread or a task in a coroutine; lives on its stack or in a worker's record. */
struct tp_waiter {
    struct tp_waiter *next, *prev; /* guarded by the list's lock */
    struct tp_choice *choice;      /* NULL: it waits in this list alone */
    struct tp_fiber *fiber;        /* of the task; NULL: a thread. By who waits; published to wakers by the lock */
    uint64_t generation;           /* of the task */
    tp_atomic(int) bell;           /* of the driver in which it is POLLING; by who waits; published by that state */
    tp_atomic(uint32_t) state;     /* WOKEN: written under the list's lock, publishes the waker's writes */
    uint32_t index;                /* among the entries of its choice */
};

/* A wait in several lists, which one of them ends. */
struct tp_choice {
    struct tp_waiter waiter;   /* who sleeps; in no list itself */
    tp_atomic(uint32_t) taken; /* 0: open; else 1 + the index of the entry that ends the wait, by who served that [SELECT-1] */
};

/* Whether it pays to look for a wake-up before the sleep, by what came of it the last times. Shared
 * by those who wait for the same thing. Hints: they publish nothing. */
struct tp_patience {
    tp_atomic(uint32_t) rest;    /* waits until one may look for long again; TP_PATIENCE_TAKEN: one does */
    tp_atomic(uint32_t) penalty; /* the rest after the next long look, if it is in vain */
    tp_atomic(uint32_t) is_near; /* 1: the last sleep was so short that it is worth a short look */
};

enum {
    TP_PATIENCE_REST = 64, /* the longest rest */
    TP_PATIENCE_TAKEN = UINT16_MAX
};

#ifndef __cplusplus
/* For a patience that nobody uses yet. */
static inline void tp__patience_init(struct tp_patience *patience)
{
    tp_atomic_init(&patience->rest, 0);
    tp_atomic_init(&patience->penalty, 1);
    tp_atomic_init(&patience->is_near, 0);
}
#endif

#endif
