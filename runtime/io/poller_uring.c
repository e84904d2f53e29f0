/* The poller on io_uring, by its system calls: one multishot poll request for each descriptor. Submitting is under a lock, one request
 * at a time and at once, so the submission queue is never full; the completion queue is read by who waits alone, mostly without a system call.
 * Invariant: the kernel is told numbers; all the memory that it writes is the ring's own (docs/io.md). */
#include "poller.h"

#include "../base/assert.h"
#include "../base/atomic.h"
#include "../base/status.h"
#include "../clock.h"
#include "fd_parts.h"
#include "poller_uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    TO_SUBMIT = 4,      /* one is used at a time */
    TO_COMPLETE = 4096, /* the kernel keeps what exceeds it */
    NEEDED = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG
};

typedef tp_atomic(uint32_t) shared_word; /* written by one of program and kernel, read by the other */

struct tp_ring {
    pthread_mutex_t lock; /* of who submits */
    char *rings;          /* both queues; shared with the kernel, as what follows */
    size_t n_rings, n_sqes;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    shared_word *sq_head, *sq_tail, *sq_flags, *cq_head, *cq_tail;
    uint32_t *sq_array, sq_mask, cq_mask;
    int bell;     /* -1: not watched yet */
    bool is_deaf; /* the bell's request has ended, and there could be no other; by who waits */
};

/* -- system calls ----------------------------------------------------------------------------------- */

static int enter(int fd, unsigned n_submit, unsigned n_wait, unsigned flags, struct io_uring_getevents_arg *argument)
{
    return (int)syscall(SYS_io_uring_enter, fd, n_submit, n_wait, flags, argument, argument ? sizeof *argument : 0);
}

/* Ends requests with that number, or all; their last events follow. Kernels that do not know this call know no poll for edges either. */
static int cancel(int fd, uint64_t data, uint32_t flags)
{
    struct io_uring_sync_cancel_reg which = {.addr = data, .fd = -1, .flags = flags, .timeout = {-1, -1}};
    long rc = syscall(SYS_io_uring_register, fd, IORING_REGISTER_SYNC_CANCEL, &which, 1);
    return rc >= 0 || errno == ENOENT ? 0 : tp__status_of(errno);
}

/* -- open and close ---------------------------------------------------------------------------------- */

static void find_words(struct tp_ring *ring, const struct io_uring_params *params)
{
    ring->sq_head = (shared_word *)(void *)(ring->rings + params->sq_off.head);
    ring->sq_tail = (shared_word *)(void *)(ring->rings + params->sq_off.tail);
    ring->sq_flags = (shared_word *)(void *)(ring->rings + params->sq_off.flags);
    ring->sq_array = (uint32_t *)(void *)(ring->rings + params->sq_off.array);
    ring->cq_head = (shared_word *)(void *)(ring->rings + params->cq_off.head);
    ring->cq_tail = (shared_word *)(void *)(ring->rings + params->cq_off.tail);
    ring->cqes = (struct io_uring_cqe *)(void *)(ring->rings + params->cq_off.cqes);
    ring->sq_mask = params->sq_entries - 1;
    ring->cq_mask = params->cq_entries - 1;
}

/* Makes the ring's memory this program's, too. */
static int map(struct tp_ring *ring, int fd, const struct io_uring_params *params)
{
    size_t n_sq = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
    size_t n_cq = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
    ring->n_rings = n_sq > n_cq ? n_sq : n_cq;
    ring->n_sqes = params->sq_entries * sizeof(struct io_uring_sqe);
    ring->rings = mmap(NULL, ring->n_rings, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
    if (ring->rings == MAP_FAILED)
        return tp__status_of(errno);
    ring->sqes = mmap(NULL, ring->n_sqes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
    if (ring->sqes != MAP_FAILED) {
        find_words(ring, params);
        return 0;
    }
    int status = tp__status_of(errno);
    munmap(ring->rings, ring->n_rings);
    return status;
}

int tp__uring_open(struct tp_poller *poller, uint32_t n_complete)
{
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP, .cq_entries = n_complete};
    int status = TP_ENOTSUP;
    struct tp_ring *ring = malloc(sizeof *ring);
    if (!ring)
        return TP_ENOMEM;
    *ring = (struct tp_ring){.bell = -1};
    int fd = (int)syscall(SYS_io_uring_setup, TO_SUBMIT, &params);
    if (fd < 0) {
        status = tp__status_of(errno);
        goto fail_ring;
    }
    if ((params.features & NEEDED) == NEEDED)
        status = cancel(fd, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL); /* there is none: asks whether it can be done */
    if (status == 0)
        status = map(ring, fd, &params);
    if (status != 0)
        goto fail_fd;
    pthread_mutex_init(&ring->lock, NULL);
    poller->fd = fd;
    poller->ring = ring;
    return 0;
fail_fd:
    close(fd);
fail_ring:
    free(ring);
    return status;
}

static int open_uring(struct tp_poller *poller)
{
    return tp__uring_open(poller, TO_COMPLETE);
}

static void close_uring(struct tp_poller *poller, bool is_own)
{
    struct tp_ring *ring = poller->ring;
    if (is_own)
        cancel(poller->fd, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL); /* a child's copy would keep them, and they the files */
    munmap(ring->sqes, ring->n_sqes);
    munmap(ring->rings, ring->n_rings);
    close(poller->fd);
    if (is_own)
        pthread_mutex_destroy(&ring->lock);
    free(ring);
}

/* -- descriptors -------------------------------------------------------------------------------------- */

static int watch(struct tp_poller *poller, int fd, uint64_t data)
{
    struct tp_ring *ring = poller->ring;
    bool is_bell = data == TP_POLLER_BELL;
    int status = 0;
    pthread_mutex_lock(&ring->lock);
    if (is_bell)
        ring->bell = fd;
    uint32_t tail = tp_load_rlx(ring->sq_tail), at = tail & ring->sq_mask; /* relaxed: only we write it, under the lock */
    ring->sqes[at] = (struct io_uring_sqe){
        .opcode = IORING_OP_POLL_ADD,
        .fd = fd,
        .len = IORING_POLL_ADD_MULTI, /* for edges, unless levels are asked for */
        .poll32_events = (uint32_t)(is_bell ? POLLIN : POLLIN | POLLOUT | POLLRDHUP | POLLPRI),
        .user_data = data,
    };
    ring->sq_array[at] = at;
    tp_store_rel(ring->sq_tail, tail + 1); /* pairs with the kernel's acquire: the request is filled in */
    if (enter(poller->fd, 1, 0, 0, NULL) != 1) {
        status = errno == EAGAIN ? TP_ENOMEM : tp__status_of(errno);
        tp_store_rlx(ring->sq_tail, tail); /* relaxed: the kernel looks in that call only, and has not taken it */
    }
    pthread_mutex_unlock(&ring->lock);
    return status;
}

static void forget(struct tp_poller *poller, int fd, uint64_t data)
{
    (void)fd;
    cancel(poller->fd, data, 0);
}

/* -- waiting -------------------------------------------------------------------------------------------- */

/* Waits for an event. A signal, or the time, ends it as well. */
static void sleep_until(struct tp_poller *poller, uint64_t deadline_ns)
{
    struct __kernel_timespec left = {0};
    struct io_uring_getevents_arg argument = {.sigmask_sz = _NSIG / 8};
    if (deadline_ns != TP_FOREVER) {
        uint64_t now_ns = tp_clock_now_ns(), left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
        left = (struct __kernel_timespec){(long long)(left_ns / TP_SECOND), (long long)(left_ns % TP_SECOND)};
        argument.ts = (uint64_t)(uintptr_t)&left; /* read during the call only */
    }
    int rc = enter(poller->fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument);
    tp_assert(rc >= 0 || errno == EINTR || errno == ETIME || errno == EBUSY || errno == EAGAIN || errno == EBADR);
}

/* What it says, for who waits. */
static struct tp_driver_event event_of(const struct io_uring_cqe *cqe)
{
    struct tp_driver_event event = {.data = cqe->user_data, .is_last = !(cqe->flags & IORING_CQE_F_MORE)};
    if (cqe->res >= 0)
        event.bits = (uint32_t)cqe->res;
    else if (cqe->res != -ECANCELED) /* that one: the thread that submitted it has ended, or it was forgotten */
        event.status = tp__status_of(-cqe->res);
    return event;
}

/* Takes what has completed. */
static int take(struct tp_ring *ring, struct tp_driver_event *events, int n_max)
{
    uint32_t head = tp_load_rlx(ring->cq_head); /* relaxed: only who waits writes it */
    uint32_t tail = tp_load_acq(ring->cq_tail); /* pairs with the kernel's release: the entries are filled in */
    int n = 0;
    for (; head != tail && n < n_max; head++, n++)
        events[n] = event_of(&ring->cqes[head & ring->cq_mask]);
    tp_store_rel(ring->cq_head, head); /* pairs with the kernel's acquire: the entries are free */
    return n;
}

/* The bell is to ring on: its request ends with an event, once the thread that submitted it has ended. */
static void mend_bell(struct tp_poller *poller, const struct tp_driver_event *events, int n)
{
    struct tp_ring *ring = poller->ring;
    for (int i = 0; i < n; i++)
        ring->is_deaf |= events[i].data == TP_POLLER_BELL && events[i].is_last;
    if (ring->is_deaf)
        ring->is_deaf = watch(poller, ring->bell, TP_POLLER_BELL) != 0;
}

static int wait(struct tp_poller *poller, struct tp_driver_event *events, int n_max, uint64_t deadline_ns)
{
    struct tp_ring *ring = poller->ring;
    int n = take(ring, events, n_max);
    if (n == 0 && ring->is_deaf) { /* no memory; it looks again soon */
        uint64_t soon_ns = tp_deadline_in_ns(10 * TP_MILLISECOND);
        deadline_ns = deadline_ns < soon_ns ? deadline_ns : soon_ns;
    }
    if (n == 0 && deadline_ns != 0)
        sleep_until(poller, deadline_ns);
    else if (n == 0 && tp_load_rlx(ring->sq_flags) & IORING_SQ_CQ_OVERFLOW) /* relaxed: a hint; the call brings in what did not fit */
        enter(poller->fd, 0, 0, IORING_ENTER_GETEVENTS, NULL);
    if (n == 0)
        n = take(ring, events, n_max);
    mend_bell(poller, events, n);
    return n;
}

const struct tp_poller_kind tp__poller_uring = {"io_uring", open_uring, close_uring, watch, forget, wait};
