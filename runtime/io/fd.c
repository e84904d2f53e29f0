/* Descriptors: the table of handles, who watches them, and readiness. The argument is in docs/io.md. */
#include "fd_slot.h"

#include "../base/assert.h"
#include "../base/status.h"
#include "../clock.h"
#include "../fiber.h"
#include "../fibers.h"
#include "../park.h"
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK = 1024,   /* slots allocated at once */
    CHUNKS = 4096,  /* so descriptors below 4 Mi */
    WAKE_BATCH = 16 /* wake-ups collected under a lock */
};

static tp_atomic(struct tp_fd_slot *) chunks[CHUNKS]; /* each written once, by who is first */
static struct tp_spin link_lock;                      /* guards all links: they change when descriptors come and go */

/* -- slots ------------------------------------------------------------------------------------------ */

/* NULL: there is none yet, or there can be none. */
static struct tp_fd_slot *find_slot(int fd)
{
    if (fd < 0 || fd >= CHUNK * CHUNKS)
        return NULL;
    struct tp_fd_slot *chunk = tp_load_acq(&chunks[fd / CHUNK]); /* pairs with the exchange in make_slot */
    return chunk ? &chunk[fd % CHUNK] : NULL;
}

/* NULL: too large, or no memory. */
static struct tp_fd_slot *make_slot(int fd)
{
    struct tp_fd_slot *slot = find_slot(fd), *none = NULL;
    if (slot || fd < 0 || fd >= CHUNK * CHUNKS)
        return slot;
    struct tp_fd_slot *chunk = calloc(CHUNK, sizeof *chunk);    /* unlocked, in no state, without waiters: all 0 */
    if (chunk && !tp_cas_sc(&chunks[fd / CHUNK], &none, chunk)) /* losing means that another one was first: its chunk is as good */
        free(chunk);
    return find_slot(fd);
}

/* Begins a call. Returns the slot, or NULL: the handle is stale. */
struct tp_fd_slot *tp__slot_enter(struct tp_fd fd)
{
    struct tp_fd_slot *slot = find_slot(fd.fd);
    if (!slot)
        return NULL;
    uint64_t state = tp_load_acq(&slot->state); /* pairs with the release in open_slot: the slot is filled in */
    do {
        if (state >> TAG_SHIFT != fd.tag || !(state & OPEN) || (state & CLOSING))
            return NULL;
    } while (!tp_cas_sc(&slot->state, &state, state + 1)); /* losing: another call began or ended, or it is closed: look again */
    return slot;
}

/* -- links -------------------------------------------------------------------------------------------- */

static uint64_t data_of(uint32_t tag, int fd)
{
    return (uint64_t)tag << TAG_SHIFT | (uint32_t)fd;
}

/* The lock of links is held. */
static struct tp_fd_link *find_link(struct tp_fd_slot *slot, const struct tp_driver *driver)
{
    struct tp_fd_link *link = slot->links;
    while (link && link->driver != driver)
        link = link->next;
    return link;
}

/* Relaxed stores of n_linked and of `driver` below: under the lock, and ordered for others by [LOOK-2]. */
static void add_link(struct tp_fd_link *link)
{
    struct tp_driver *driver = link->driver;
    link->next = link->slot->links;
    link->slot->links = link;
    link->prev_linked = NULL;
    link->next_linked = driver->links;
    if (driver->links)
        driver->links->prev_linked = link;
    driver->links = link;
    tp_add_sc(&driver->n_linked, 1);           /* one order with tp_driver_is_needed [LOOK-2] */
    tp_store_rel(&link->slot->driver, driver); /* pairs with the acquire in link_with */
}

/* Takes it from its driver's list only. */
static void leave_driver(struct tp_fd_link *link)
{
    struct tp_driver *driver = link->driver;
    *(link->prev_linked ? &link->prev_linked->next_linked : &driver->links) = link->next_linked;
    if (link->next_linked)
        link->next_linked->prev_linked = link->prev_linked;
    tp_add_sc(&driver->n_linked, (uint32_t)-1); /* in one order, as in add_link [LOOK-2] */
}

/* From here on the driver reports the descriptor, first as it is. Returns 0 or a status. */
static int watch(struct tp_driver *driver, int fd, uint32_t tag)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
        .data.u64 = data_of(tag, fd),
    };
    if (epoll_ctl(driver->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    /* It is there already: another task was faster, or one who had borrowed it has closed it too early. */
    if (errno == EEXIST && epoll_ctl(driver->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    return errno == EPERM ? 0 : tp__status_of(errno); /* EPERM: a file, which is always ready */
}

/* Sees to it that the driver watches the descriptor. Returns 0 or a status. */
int tp__slot_link(struct tp_fd_slot *slot, struct tp_fd fd, struct tp_fibers *fibers)
{
    struct tp_driver *driver = &fibers->lookout.driver;
    if (tp_load_acq(&slot->driver) == driver) /* pairs with the release in add_link: it watches */
        return 0;
    struct tp_fd_link *link = malloc(sizeof *link);
    int status = link ? tp_lookout_open(fibers) : TP_ENOMEM;
    int saved = errno;
    if (status == 0)
        status = watch(driver, fd.fd, fd.tag);
    errno = saved;
    if (status != 0) {
        free(link);
        return status;
    }
    *link = (struct tp_fd_link){.slot = slot, .fd = fd.fd, .driver = driver};
    tp_spin_lock(&link_lock);
    bool is_first = !find_link(slot, driver);
    if (is_first)
        add_link(link);
    else
        tp_store_rel(&slot->driver, driver); /* as in add_link */
    tp_spin_unlock(&link_lock);
    if (!is_first)
        free(link);
    return 0;
}

/* No driver watches the slot's descriptor any more, which is still open: a copy of it, in another process, will not report. */
static void unlink_slot(struct tp_fd_slot *slot)
{
    tp_spin_lock(&link_lock);
    struct tp_fd_link *link = slot->links;
    slot->links = NULL;
    tp_store_rlx(&slot->driver, NULL); /* relaxed: the next life begins by a release */
    for (struct tp_fd_link *at = link; at; at = at->next) {
        if (tp_driver_is_own(at->driver)) /* else the parent's tasks wait for it */
            epoll_ctl(at->driver->epoll_fd, EPOLL_CTL_DEL, at->fd, NULL);
        leave_driver(at);
    }
    tp_spin_unlock(&link_lock);
    while (link) {
        struct tp_fd_link *next = link->next;
        free(link);
        link = next;
    }
}

void tp__fd_unlink_all(struct tp_driver *driver)
{
    struct tp_fd_link *gone = NULL;
    tp_spin_lock(&link_lock);
    while (driver->links) {
        struct tp_fd_link *link = driver->links, **at = &link->slot->links;
        while (*at != link)
            at = &(*at)->next;
        *at = link->next;
        if (tp_load_rlx(&link->slot->driver) == driver) /* relaxed, as the store: the lock orders them */
            tp_store_rlx(&link->slot->driver, NULL);
        leave_driver(link);
        link->next = gone;
        gone = link;
    }
    tp_spin_unlock(&link_lock);
    while (gone) {
        struct tp_fd_link *next = gone->next;
        free(gone);
        gone = next;
    }
}

/* -- waking ------------------------------------------------------------------------------------------- */

/* Wakes all that wait for some of this. */
static void wake(struct tp_fd_slot *slot, unsigned what, int status)
{
    struct tp_wakeup calls[WAKE_BATCH];
    int n;
    do {
        n = 0;
        tp_spin_lock(&slot->lock);
        for (struct tp_waiter *w = slot->first, *next; w && n < WAKE_BATCH; w = next) {
            struct tp_party *party = (struct tp_party *)w;
            next = w->next;
            if (!(party->wanted & what))
                continue;
            take_out(slot, w);
            if (!tp_waiter_claim(w))
                continue;
            party->status = status;
            calls[n++] = tp_waiter_hand_over(w);
        }
        tp_spin_unlock(&slot->lock);
        for (int i = 0; i < n; i++)
            tp_wakeup_call(&calls[i]);
    } while (n == WAKE_BATCH);
}

void tp__fd_event(uint64_t data, uint32_t bits)
{
    struct tp_fd_slot *slot = find_slot((int)(uint32_t)data);
    uint64_t state = slot ? tp_load_acq(&slot->state) : 0; /* pairs with the release in open_slot */
    if (!(state & OPEN) || state >> TAG_SHIFT != data >> TAG_SHIFT)
        return;
    uint32_t ends = (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? READ_END : 0) | (bits & (EPOLLHUP | EPOLLERR) ? WRITE_END : 0);
    uint32_t what = (bits & EPOLLIN || ends & READ_END ? TP_FD_READABLE : 0) |
                    (bits & EPOLLOUT || ends & WRITE_END ? TP_FD_WRITABLE : 0);
    note(slot, what | ends | (bits & EPOLLPRI ? URGENT : 0));
    if (what != 0)
        wake(slot, what, 0);
}

/* -- open and close ------------------------------------------------------------------------------------ */

/* Reads of a TCP stream that bring less than asked for have emptied it; others may end at the borders of what was sent. */
static enum tp_fd_kind kind_of_socket(int fd)
{
    int type = 0, protocol = 0;
    socklen_t n_type = sizeof type, n_protocol = sizeof protocol;
    bool is_known = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n_type) == 0 && getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &n_protocol) == 0;
    return is_known && type == SOCK_STREAM && protocol == IPPROTO_TCP ? TP_FD_STREAM : TP_FD_SOCKET;
}

enum tp_fd_kind tp__fd_kind_of(int fd)
{
    struct stat found;
    int saved = errno;
    enum tp_fd_kind kind = TP_FD_OTHER;
    if (fstat(fd, &found) == 0)
        kind = S_ISSOCK(found.st_mode) ? kind_of_socket(fd) : S_ISREG(found.st_mode) || S_ISBLK(found.st_mode) || S_ISDIR(found.st_mode) ? TP_FD_FILE
                                                                                                                                         : TP_FD_OTHER;
    errno = saved;
    return kind;
}

/* Under the next tag, which stays 0 for nobody. */
static int open_slot(struct tp_fd_slot *slot, int fd, enum tp_fd_kind kind, bool is_borrowed, struct tp_fd *out)
{
    uint64_t state = tp_load_acq(&slot->state); /* pairs with the release in finish */
    uint64_t mine = CLOSING | (state >> TAG_SHIFT) << TAG_SHIFT;
    if (state & (OPEN | CLOSING) || !tp_cas_sc(&slot->state, &state, mine)) /* losing: another one opens it at this moment */
        return TP_EBUSY;
    uint32_t tag = (uint32_t)(state >> TAG_SHIFT) + 1;
    tag += tag == 0;
    slot->kind = kind;
    tp_store_rlx(&slot->ready, TP_FD_READABLE | TP_FD_WRITABLE);                                  /* relaxed: published by the next. As far as we know: it is tried first */
    tp_store_rel(&slot->state, (uint64_t)tag << TAG_SHIFT | OPEN | (is_borrowed ? BORROWED : 0)); /* pairs with the acquires of the state */
    *out = (struct tp_fd){fd, tag};
    return 0;
}

/* The last call is out of a slot that is to be closed. */
static void finish(struct tp_fd_slot *slot, int fd)
{
    int saved = errno;
    uint64_t state = tp_load_rlx(&slot->state); /* relaxed: nobody else changes it now */
    unlink_slot(slot);
    tp_store_rel(&slot->state, state >> TAG_SHIFT << TAG_SHIFT); /* pairs with the acquire in open_slot; before the number is free */
    if (!(state & BORROWED)) {
        close(fd); /* after EINTR it is closed, too */
        tp__room_made();
    }
    errno = saved;
}

/* Ends a call. */
void tp__slot_leave(struct tp_fd_slot *slot, int fd)
{
    uint64_t before = tp_add_sc(&slot->state, (uint64_t)-1); /* one order of all changes: exactly one is the last */
    if ((before & (CLOSING | USERS)) == (CLOSING | 1))
        finish(slot, fd);
}

/* It has a handle, but the descriptor behind it was closed in another way: that handle ends, and leaves the number alone. */
static void close_forgotten(struct tp_fd_slot *slot, int fd)
{
    uint64_t state = tp_load_acq(&slot->state); /* pairs with the release in open_slot */
    do {
        if (!(state & OPEN) || (state & CLOSING))
            return;
    } while (!tp_cas_sc(&slot->state, &state, state | BORROWED)); /* losing: a call began or ended: look again */
    tp_fd_close((struct tp_fd){fd, (uint32_t)(state >> TAG_SHIFT)});
}

/* In a child process, which has the descriptors, and none of those who wait for them; nor those who held locks. */
static void forget_waits(void)
{
    tp_spin_init(&link_lock);
    tp__room_init();
    for (int i = 0; i < CHUNKS; i++) {
        struct tp_fd_slot *slots = tp_load_rlx(&chunks[i]); /* relaxed, as all here: the child has one thread */
        for (int k = 0; slots && k < CHUNK; k++) {
            uint64_t state = tp_load_rlx(&slots[k].state);
            uint64_t kept = state & CLOSING ? 0 : state & (OPEN | BORROWED);
            if ((state & (OPEN | CLOSING | BORROWED)) == (OPEN | CLOSING)) /* nobody is left who would */
                close(i * CHUNK + k);
            tp_store_rlx(&slots[k].state, state >> TAG_SHIFT << TAG_SHIFT | kept); /* relaxed: see above */
            tp_store_rlx(&slots[k].driver, NULL);
            tp_spin_init(&slots[k].lock);
            slots[k].first = slots[k].last = NULL;
            slots[k].threads = NULL;
            slots[k].links = NULL; /* their memory is the price */
        }
    }
}

static void begin(void)
{
    tp__room_init();
    pthread_atfork(NULL, NULL, forget_waits);
}

static int open_with(int fd, enum tp_fd_kind kind, bool is_borrowed, struct tp_fd *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, begin);
    struct tp_fd_slot *slot = make_slot(fd);
    if (!slot)
        return TP_ENOMEM;
    close_forgotten(slot, fd);
    return open_slot(slot, fd, kind, is_borrowed, out);
}

int tp__fd_adopt(int fd, enum tp_fd_kind kind, struct tp_fd *out)
{
    int saved = errno, status = open_with(fd, kind, false, out);
    if (status != 0)
        close(fd);
    errno = saved;
    return status;
}

int tp_fd_open(int fd, struct tp_fd *out)
{
    int saved = errno, flags = out ? fcntl(fd, F_GETFL) : -1;
    bool is_done = flags >= 0 && (flags & O_NONBLOCK || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
    int status = is_done ? open_with(fd, tp__fd_kind_of(fd), false, out) : TP_EINVAL;
    if (is_done && status != 0 && !(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags);
    errno = saved;
    return status;
}

int tp_fd_borrow(int fd, struct tp_fd *out)
{
    int saved = errno;
    int status = out && fcntl(fd, F_GETFD) >= 0 ? open_with(fd, tp__fd_kind_of(fd), true, out) : TP_EINVAL;
    errno = saved;
    return status;
}

int tp_fd_close(struct tp_fd fd)
{
    struct tp_fd_slot *slot = tp__slot_enter(fd);
    if (!slot)
        return TP_ESTALE;
    uint64_t state = tp_load_rlx(&slot->state); /* relaxed: the exchange decides */
    do {
        if (state & CLOSING) { /* by another one, at this moment */
            tp__slot_leave(slot, fd.fd);
            return TP_ESTALE;
        }
    } while (!tp_cas_sc(&slot->state, &state, state | CLOSING)); /* losing: a call began or ended: look again */
    wake(slot, TP_FD_READABLE | TP_FD_WRITABLE, TP_ECLOSED);     /* after the exchange: who comes now does not wait any more [FD-2] */
    tp_spin_lock(&slot->lock);
    for (struct thread *thread = slot->threads; thread; thread = thread->next)
        tp__bell_ring(thread->bell); /* under the lock: then it is still there */
    tp_spin_unlock(&slot->lock);
    tp__slot_leave(slot, fd.fd);
    return 0;
}
