/* The kernel of the explorer, as descriptors see it: one number, behind which one file after the other is open; bytes that arrive there; two
 * pollers that are told of edges; bells. It stands in for close, eventfd, write, poll, ppoll, and for the back end of a driver.
 * Invariant: what the calls tell each other is in one word, which each changes by one exchange, as under the kernel's own locks; what belongs to
 * a poller or a bell that was closed must not be used any more. */
#ifndef MODEL_DEVICE_H
#define MODEL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { DEVICE_NUMBER = 1,
    DEVICE_POLLERS = 2 };

/* Set by a scenario before its threads, after device_reset. */
extern unsigned device_n_ends;    /* so many registrations of each poller end with their first event */
extern int device_end_status;     /* that such an event carries */
extern bool device_tells_past;    /* an event says how things were at the edge, as io_uring's do, and not how they are when it is taken */
extern unsigned device_n_refused; /* threads below this number have their registrations refused, always */

/* Nothing is open; no poller has been opened. */
void device_reset(void);

/* The number is free, and is given to a file. */
void device_open(void);

/* How many files were behind the number so far. */
unsigned device_n_opened(void);

/* How many of them were closed. */
unsigned device_n_closed(void);

/* Waits until so many were opened, or closed. */
void device_await_opened(unsigned n);
void device_await_closed(unsigned n);

/* From here on the calling thread's calls are meant for the file that was opened as the n-th; others are failures. */
void device_expect(unsigned n);

/* Takes up to n bytes. Returns how many, or -1 with EAGAIN. */
ssize_t device_take(int fd, size_t n);

/* Bytes arrive, if the n-th file is open. Returns whether it is. n_bytes: 0: an edge all the same. */
bool device_arrive(unsigned n, unsigned n_bytes);

#endif
