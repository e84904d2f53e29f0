/* Reading and writing. Invariant: each attempt is one call of the system; what it said is left in errno. */
#include "io.h"

#include "../base/status.h"
#include "../worker.h"
#include "fd_parts.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct transfer {
    void *buffer;
    size_t n_bytes;
};

static bool was_short(void *argument, ssize_t n)
{
    const struct transfer *transfer = argument;
    return n > 0 && (size_t)n < transfer->n_bytes; /* the end is found again, and again */
}

static ssize_t try_read(int fd, enum tp_fd_kind kind, void *argument)
{
    const struct transfer *transfer = argument;
    return kind >= TP_FD_SOCKET ? recv(fd, transfer->buffer, transfer->n_bytes, MSG_DONTWAIT) : read(fd, transfer->buffer, transfer->n_bytes);
}

/* write(2) that does not raise SIGPIPE in the calling thread: a worker has it blocked, other threads block it meanwhile, and take
 * back what they caused. */
static ssize_t write_quietly(int fd, const void *buffer, size_t n_bytes)
{
    static const struct timespec none = {0};
    sigset_t pipe, pending, before;
    if (tp_worker_self())
        return write(fd, buffer, n_bytes);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    sigpending(&pending);
    ssize_t n = write(fd, buffer, n_bytes);
    int error = errno;
    if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe, NULL, &none);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

static ssize_t try_write(int fd, enum tp_fd_kind kind, void *argument)
{
    const struct transfer *transfer = argument;
    return kind >= TP_FD_SOCKET ? send(fd, transfer->buffer, transfer->n_bytes, MSG_NOSIGNAL | MSG_DONTWAIT) : write_quietly(fd, transfer->buffer, transfer->n_bytes);
}

/* Moves all of it, or as much as one attempt does. */
static int move(struct tp_fd fd, unsigned what, struct transfer left, bool all, uint64_t deadline_ns, size_t *n_moved)
{
    size_t n_before = left.n_bytes;
    ssize_t n;
    int status;
    do {
        status = tp__fd_do(fd, what, deadline_ns, what == TP_FD_READABLE ? try_read : try_write, was_short, &left, &n);
        if (status != 0)
            break;
        left.buffer = (char *)left.buffer + n;
        left.n_bytes -= (size_t)n;
    } while (all && n > 0 && left.n_bytes > 0);
    if (status == TP_ESTALE && left.n_bytes < n_before)
        status = TP_ECLOSED; /* between two attempts */
    if (n_moved && (status == 0 || all))
        *n_moved = n_before - left.n_bytes;
    return status;
}

int tp_read(struct tp_fd fd, void *buffer, size_t n_bytes, uint64_t deadline_ns, size_t *n_read)
{
    return move(fd, TP_FD_READABLE, (struct transfer){buffer, n_bytes}, false, deadline_ns, n_read);
}

int tp_read_all(struct tp_fd fd, void *buffer, size_t n_bytes, uint64_t deadline_ns, size_t *n_read)
{
    return move(fd, TP_FD_READABLE, (struct transfer){buffer, n_bytes}, true, deadline_ns, n_read);
}

int tp_write(struct tp_fd fd, const void *buffer, size_t n_bytes, uint64_t deadline_ns, size_t *n_written)
{
    return move(fd, TP_FD_WRITABLE, (struct transfer){(void *)buffer, n_bytes}, false, deadline_ns, n_written);
}

int tp_write_all(struct tp_fd fd, const void *buffer, size_t n_bytes, uint64_t deadline_ns, size_t *n_written)
{
    return move(fd, TP_FD_WRITABLE, (struct transfer){(void *)buffer, n_bytes}, true, deadline_ns, n_written);
}
