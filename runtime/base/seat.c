/* Which seats there are, and how a thread leaves its own at its end. */
#include "seat.h"

#include "apart.h"
#include "at_exit.h"

static struct tp_seats seats; /* zeroed memory: all free */

TP_TLS_DEFINE(uint64_t, tp__seat_known, 0);

static void leave(void *nothing)
{
    uint64_t *known = tp_tls_place(tp__seat_known);
    (void)nothing;
    tp_seats_leave(&seats, (unsigned)*known - 1);
    *known = TP_SEATS + 1; /* what runs after this has none */
}

TP_APART unsigned tp__seat_look(void)
{
    unsigned seat = tp_seats_take(&seats);
    if (seat < TP_SEATS && !tp__at_thread_exit(leave, NULL)) {
        tp_seats_leave(&seats, seat);
        seat = TP_SEATS;
    }
    *tp_tls_place(tp__seat_known) = seat + 1;
    return seat;
}
