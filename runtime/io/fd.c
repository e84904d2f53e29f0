/* Descriptors: the table of handles, and readiness. The argument is in docs/io.md. */
#include "fd_slot.h"

#include "../base/status.h"
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

/* -- waking ------------------------------------------------------------------------------------------- */

/* Wakes all that wait for some of this. */
static void wake(struct tp_fd_slot *slot, unsigned what, int status)
{
    struct tp_wakeup calls[WAKE_BATCH];
    int n;
    do {
        n = 0;
        tp_spin_lock(&slot->lock);
        for (struct tp_party *party = tp_line_first(&slot->line), *next; party && n < WAKE_BATCH; party = next) {
            next = (struct tp_party *)(void *)party->waiter.next;
            if (!(party->wanted & what))
                continue;
            tp_line_leave(&slot->line, party);
            if (tp_waiter_claim(&party->waiter))
                calls[n++] = tp_party_let_go(party, status);
        }
        tp_spin_unlock(&slot->lock);
        for (int i = 0; i < n; i++)
            tp_wakeup_call(&calls[i]);
    } while (n == WAKE_BATCH);
}

void tp__slot_end_link(struct tp_fd_slot *slot, const struct tp_driver *driver, uint64_t data, int status)
{
    tp__link_remove(slot, driver, data);
    note(slot, TP_FD_READABLE | TP_FD_WRITABLE); /* after that: who has relied on the link looks at the bits, and links again [FD-3] */
    wake(slot, TP_FD_READABLE | TP_FD_WRITABLE, status);
}

/* By a call, so that who waits in the next life is not told why this one's registration ended [FD-2]. A close at this moment tells all, and takes
 * the link out. */
static void end_registration(const struct tp_driver *driver, const struct tp_driver_event *event)
{
    struct tp_fd fd = {(int)(uint32_t)event->data, (uint32_t)(event->data >> TAG_SHIFT)};
    struct tp_fd_slot *slot = tp__slot_enter(fd);
    if (!slot)
        return;
    tp__slot_end_link(slot, driver, event->data, event->status);
    tp__slot_leave(slot, fd.fd);
}

void tp__fd_event(const struct tp_driver *driver, const struct tp_driver_event *event)
{
    uint64_t data = event->data;
    uint32_t bits = event->bits;
    struct tp_fd_slot *slot = find_slot((int)(uint32_t)data);
    uint64_t state = slot ? tp_load_acq(&slot->state) : 0; /* pairs with the release in open_slot */
    if (!(state & OPEN) || state >> TAG_SHIFT != data >> TAG_SHIFT)
        return;
    if (event->is_last)
        end_registration(driver, event);
    uint32_t ends = (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? READ_END : 0) | (bits & (EPOLLHUP | EPOLLERR) ? WRITE_END : 0);
    uint32_t what = (bits & EPOLLIN || ends & READ_END ? TP_FD_READABLE : 0) |
                    (bits & EPOLLOUT || ends & WRITE_END ? TP_FD_WRITABLE : 0);
    note(slot, what | ends | (bits & EPOLLPRI ? URGENT : 0)); /* if the life has ended since: the next one's first attempt may be in vain */
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

static enum tp_fd_kind kind_by_mode(int fd, mode_t mode)
{
    if (S_ISSOCK(mode))
        return kind_of_socket(fd);
    return S_ISREG(mode) || S_ISBLK(mode) || S_ISDIR(mode) ? TP_FD_FILE : TP_FD_OTHER;
}

enum tp_fd_kind tp__fd_kind_of(int fd)
{
    struct stat found;
    int saved = errno;
    enum tp_fd_kind kind = TP_FD_OTHER;
    if (fstat(fd, &found) == 0)
        kind = kind_by_mode(fd, found.st_mode);
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
    tp__slot_unlink(slot);
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
    tp__links_init();
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
            slots[k].line = (struct tp_line){.first = NULL};
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
