/* What a driver asks of the kernel, and who answers: epoll (poller_epoll.c) or io_uring (poller_uring.c). The choice is in backend.c.
 * Invariant: what is watched is told by a number, never by memory, and each thing that is watched has one registration until an event
 * says that it was the last one, or it is forgotten (docs/io.md). */
#ifndef TP_POLLER_H
#define TP_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#define TP_POLLER_BELL UINT64_MAX /* the number of a bell, which no descriptor has */

/* One thing that happened; filled in by the poller, read by tp_driver_dispatch. */
struct tp_driver_event {
    uint64_t data; /* tag and descriptor; or that it was the bell */
    uint32_t bits; /* of poll(2) */
    bool is_last;  /* the registration has ended */
    int status;    /* why; 0: for no fault of the descriptor */
};

struct tp_poller {
    const struct tp_poller_kind *kind;
    int fd;               /* of the epoll instance or the ring; owned */
    struct tp_ring *ring; /* owned; NULL with epoll */
};

/* A back end. Those calls that can fail return a status, and leave nothing behind then. */
struct tp_poller_kind {
    const char *name;
    int (*open)(struct tp_poller *poller);
    /* is_own: false in the child of a fork, where it is the parent's: what that one watches goes on. */
    void (*close)(struct tp_poller *poller, bool is_own);
    /* From here on the descriptor is reported, for each change and first as it is. Any thread. */
    int (*watch)(struct tp_poller *poller, int fd, uint64_t data);
    /* No longer. Any thread; a late event may still come. */
    void (*forget)(struct tp_poller *poller, int fd, uint64_t data);
    /* Takes up to n events, waits for one until the deadline (0: not at all), or less long. Returns how many. One thread at a time. */
    int (*wait)(struct tp_poller *poller, struct tp_driver_event *events, int n, uint64_t deadline_ns);
};

extern const struct tp_poller_kind tp__poller_epoll, tp__poller_uring;

/* tp__poller_open: make one on the back end that was chosen, or on epoll if the system refuses that, and have it watch the bell.
 * bell: an eventfd, open for longer than the poller. Nobody has to read it: only its edges count.
 * Returns 0; TP_EMFILE, TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp__poller_open(struct tp_poller *poller, int bell);

#endif
