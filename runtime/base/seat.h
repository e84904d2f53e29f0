/* A seat: a small number that a thread has to itself until it ends, so that a table with a place for each seat needs no locks.
 * Invariant: a seat is taken by one thread at a time, and what its last owner wrote into its places is seen by the next one. Threads beyond
 * the last seat have none, and take the way that all can. */
#ifndef TP_SEAT_H
#define TP_SEAT_H

#include "atomic.h"
#include "tls.h"

#include <stdint.h>

enum { TP_SEATS = 64 };

struct tp_seats {
    tp_atomic(uint64_t) taken; /* a bit per seat; publishes what was written into its places */
};

/* The lowest one that is free, or TP_SEATS. */
static inline unsigned tp_seats_take(struct tp_seats *seats)
{
    uint64_t taken = tp_load_rlx(&seats->taken); /* relaxed: the exchange decides */
    while (~taken != 0) {
        unsigned seat = (unsigned)__builtin_ctzll(~taken);
        /* Its acquire half pairs with the release in tp_seats_leave. Losing means that other seats were taken or left: look again. */
        if (tp_cas_sc(&seats->taken, &taken, taken | UINT64_C(1) << seat))
            return seat;
    }
    return TP_SEATS;
}

/* By its owner. */
static inline void tp_seats_leave(struct tp_seats *seats, unsigned seat)
{
    /* Sequentially consistent, as there is no weaker one; its release half pairs with the acquire in tp_seats_take. */
    tp_add_sc(&seats->taken, 0 - (UINT64_C(1) << seat));
}

TP_TLS_DECLARE(uint64_t, tp__seat_known); /* 1 more than the thread's; 0: it has not been asked for yet */

/* tp__seat_look: the seat of the calling thread, taken now if it has none yet. For tp__seat.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp__seat_look(void);

/* The seat of the calling thread, or TP_SEATS. Good until the next call that may suspend. */
static inline unsigned tp__seat(void)
{
    uint64_t known = tp_tls_value(tp__seat_known);
    return known != 0 ? (unsigned)known - 1 : tp__seat_look();
}

#endif
