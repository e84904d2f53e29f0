/* The size of a ring, for a test that fills it. See poller_uring.c. */
#ifndef TP_POLLER_URING_H
#define TP_POLLER_URING_H

#include "poller.h"

/* tp__uring_open: open a ring that keeps so many events; the kernel keeps more elsewhere.
 * Returns 0, TP_ENOTSUP if the kernel is too old, or the status of what the system says.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp__uring_open(struct tp_poller *poller, uint32_t n_complete);

#endif
