/* The slots behind handles, for fd.c, which makes, links, wakes and closes them, and for those who wait with them.
 * Invariant: between tp__slot_enter and tp__slot_leave the number stays taken (docs/io.md). */
#ifndef TP_FD_SLOT_H
#define TP_FD_SLOT_H

#include "../sync/line.h"
#include "fd_parts.h"

struct tp_fibers;

/* The parts of a slot's state word, above the number of calls that are under way. */
#define OPEN (UINT64_C(1) << 30)
#define CLOSING (UINT64_C(1) << 31)  /* no call begins, the last one to end closes */
#define BORROWED (UINT64_C(1) << 29) /* the descriptor is somebody else's */
#define USERS (BORROWED - 1)
#define TAG_SHIFT 32

/* The parts of `ready`. The ends stay on: what they announce is not found once, but always. */
enum {
    READ_END = 4, /* for reading it is ready, if only for the end */
    WRITE_END = 8,
    URGENT = 16, /* there were urgent bytes: reads end before them, though there may be more */
    TICK = 32    /* one more with each event, so that who has tried in vain notices [FD-1] */
};

/* A thread that waits by itself, in poll(2), to be told of a close. */
struct thread {
    struct thread *next;
    int bell;
};

/* What stands for one number. Never moved or given back. */
struct tp_fd_slot {
    tp_atomic(uint64_t) state; /* tag, CLOSING, OPEN, BORROWED, calls under way */
    tp_atomic(uint32_t) ready; /* bits, and a count of events [FD-1] */
    struct tp_spin lock;       /* guards the next two */
    struct tp_line line;
    struct thread *threads;
    enum tp_fd_kind kind;                 /* written before the state says OPEN */
    tp_atomic(struct tp_driver *) driver; /* the one that it was linked with last, to be found without the lock of links */
    struct tp_fd_link *links;             /* guarded by link_lock */
};

/* That a driver watches a descriptor. */
struct tp_fd_link {
    struct tp_fd_slot *slot;
    uint64_t data; /* tag and descriptor */
    struct tp_driver *driver;
    struct tp_fd_link *next;                      /* of the slot */
    struct tp_fd_link *next_linked, *prev_linked; /* of the driver */
};

/* What events of that descriptor carry. */
static inline uint64_t data_of(uint32_t tag, int fd)
{
    return (uint64_t)tag << TAG_SHIFT | (uint32_t)fd;
}

/* It is ready, as far as is known now. */
static inline void note(struct tp_fd_slot *slot, uint32_t bits)
{
    uint32_t ready = tp_load_rlx(&slot->ready); /* relaxed: the exchange decides */
    /* Losing means that a call has taken a bit back, or there was another event: add ours to what it says now [FD-1]. */
    while (!tp_cas_sc(&slot->ready, &ready, (ready | bits) + TICK))
        ;
}

/* Is its end announced? Sequentially consistent: one order with the exchange in tp_fd_close [FD-2]. */
static inline bool is_closing(struct tp_fd_slot *slot)
{
    return (tp_load_sc(&slot->state) & CLOSING) != 0;
}

/* tp__slot_join: into the line, unless it need not wait: something is ready, or the end is announced.
 * party: begun, and says what is wanted.
 * Returns whether it is in the line.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp__slot_join(struct tp_fd_slot *slot, struct tp_party *party);

/* tp__slot_enter: begin a call. Returns the slot, or NULL: the handle is stale.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_fd_slot *tp__slot_enter(struct tp_fd fd);

/* tp__slot_leave: end a call; the last one out of a slot that is to be closed closes.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__slot_leave(struct tp_fd_slot *slot, int fd);

/* tp__slot_link: see to it that the driver of these fibers watches the descriptor, which the caller holds by a call. Returns 0 or a status.
 * [thread: any] [suspends: no] [blocks: no] [allocates: once per descriptor] */
int tp__slot_link(struct tp_fd_slot *slot, struct tp_fd fd, struct tp_fibers *fibers);

/* tp__slot_unlink: no driver watches the slot's descriptor any more, which is still open: a copy of it, in another process, will not
 * report. By who closes it, alone.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__slot_unlink(struct tp_fd_slot *slot);

/* tp__link_remove: there is no registration any more; forget the link that had it, if it is still there.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__link_remove(struct tp_fd_slot *slot, const struct tp_driver *driver, uint64_t data);

/* tp__slot_end_link: the same, and who waits is woken: with status, or with 0 to link again.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__slot_end_link(struct tp_fd_slot *slot, const struct tp_driver *driver, uint64_t data, int status);

/* tp__links_init: in a child process: nobody holds the lock of links.
 * [thread: the only one] [suspends: no] [blocks: no] [allocates: no] */
void tp__links_init(void);

/* tp__fd_look: what poll(2) says of it now.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp__fd_look(int fd, unsigned what);

/* What of it is ready, as far as is known. */
static inline unsigned ready_of(uint32_t ready, unsigned what)
{
    if (ready & READ_END)
        ready |= TP_FD_READABLE;
    if (ready & WRITE_END)
        ready |= TP_FD_WRITABLE;
    return ready & what;
}

/* A call found that it is not, after it had read `seen`. */
static inline void take_back(struct tp_fd_slot *slot, uint32_t seen, unsigned what)
{
    /* Losing means that there was an event, perhaps the one that we would wait for: it stays [FD-1]. */
    tp_cas_sc(&slot->ready, &seen, seen & ~what);
}

#endif
