/* The driver: what tells a pool's tasks that their descriptors are ready. One per struct tp_fibers, with a poller of its own (epoll or
 * io_uring), which is made when a task first waits for a descriptor; a bell, an eventfd that it watches, wakes the one that sleeps there.
 * Invariant: at most one thread is inside of tp__driver_sleep, tp_driver_poll and tp_driver_dispatch: who has the lookout [LOOK-1]
 * (docs/io.md). An event names a descriptor and its tag, never memory, so one that is late hits nobody. */
#ifndef TP_DRIVER_H
#define TP_DRIVER_H

#include "../base/atomic.h"
#include "../base/spin.h"
#include "poller.h"

struct tp_fd_link;
struct tp_waiter;

enum { TP_DRIVER_EVENTS = 128 }; /* taken at once */

/* Zeroed, then tp_driver_init. */
struct tp_driver {
    tp_atomic(uint32_t) is_open;  /* set once, after what follows is filled in; published by it */
    struct tp_poller poller;      /* owned */
    int bell;                     /* owned */
    uint32_t n_forks;             /* of the process, when it was opened: in a child it is the parent's */
    tp_atomic(uint32_t) n_linked; /* descriptors that it watches; written under the lock, read without it [LOOK-2] */
    tp_atomic(uint32_t) n_guests; /* threads in its poller that no link keeps it for: tp_driver_free waits for them */
    struct tp_spin lock;          /* guards that it is opened once */
    struct tp_fd_link *links;     /* of those descriptors; owned and guarded by fd_link.c */
    int n_events;                 /* by who has the lookout, as what follows */
    tp_atomic(uint64_t) n_polls;  /* ever, for who looks, as the next two */
    tp_atomic(uint64_t) n_vain;   /* polls to which nothing came, nor did the bell ring */
    tp_atomic(uint64_t) n_told;   /* events that were dispatched */
    struct tp_driver_event events[TP_DRIVER_EVENTS];
};

/* tp_driver_init: a driver that is not open.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_driver_init(struct tp_driver *driver);

/* tp_driver_open: make its poller, unless it has one. Any number of threads at once.
 * Returns 0; TP_EMFILE, if there are no descriptors left; TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_driver_open(struct tp_driver *driver);

/* tp_driver_free: the end; nobody waits for a descriptor by it any more.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_driver_free(struct tp_driver *driver);

/* Is there a poller? */
static inline bool tp_driver_is_open(struct tp_driver *driver)
{
    return tp_load_acq(&driver->is_open) != 0; /* pairs with the release in tp_driver_open */
}

/* Does it watch anything? Sequentially consistent: one side of [LOOK-2]. */
static inline bool tp_driver_is_needed(struct tp_driver *driver)
{
    return tp_load_sc(&driver->n_linked) != 0;
}

/* tp_driver_is_own: was it opened in this process? Else the poller is that of the parent, and must be left alone.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_driver_is_own(const struct tp_driver *driver);

/* tp__driver_sleep: a prepared worker's sleep, until w is woken, an event has come, or the deadline.
 * Returns 0 when woken; else TP_ETIMEDOUT, also for events, with w possibly still in its list.
 * [thread: who has the lookout] [suspends: no] [blocks: yes] [allocates: no] */
int tp__driver_sleep(struct tp_driver *driver, struct tp_waiter *w, uint64_t deadline_ns);

/* tp_driver_poll: take what has happened, or wait for it.
 * deadline_ns: 0: not at all; TP_FOREVER: until the bell rings.
 * [thread: who has the lookout] [suspends: no] [blocks: yes] [allocates: no] */
void tp_driver_poll(struct tp_driver *driver, uint64_t deadline_ns);

/* tp_driver_dispatch: wake the tasks that wait for what was taken last. Returns how many events there were, the bell apart.
 * [thread: who has the lookout] [suspends: no] [blocks: no] [allocates: no] */
int tp_driver_dispatch(struct tp_driver *driver);

/* tp__bell_ring: end the sleep of who sleeps in the driver that has this bell.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__bell_ring(int bell);

#endif
