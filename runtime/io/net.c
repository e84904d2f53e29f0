/* Connections. Each call is one of the system's, made through tp__fd_do when it may have to wait. */
#include "net.h"

#include "../base/status.h"
#include "fd_parts.h"
#include "room.h"
#include "unix_path.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static bool is_inet(const struct tp_address *address)
{
    return address->storage.ss_family == AF_INET || address->storage.ss_family == AF_INET6;
}

static const struct sockaddr *where(const struct tp_address *address)
{
    return (const struct sockaddr *)&address->storage;
}

static int set(int fd, int level, int option, bool is_on)
{
    int value = is_on;
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* A stream socket for such an address. -1 with errno. */
static int open_stream(const struct tp_address *address)
{
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && is_inet(address))
        set(fd, IPPROTO_TCP, TCP_NODELAY, true); /* those that it accepts inherit that */
    return fd;
}

/* Hands over what was made, or closes it and says why that failed. */
static int finish(int fd, bool is_made, enum tp_fd_kind kind, struct tp_fd *out)
{
    if (is_made)
        return tp__fd_adopt(fd, kind, out);
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return tp__status_of(error);
}

static enum tp_fd_kind kind_for(const struct tp_address *address)
{
    return is_inet(address) ? TP_FD_STREAM : TP_FD_SOCKET;
}

/* -- listening ------------------------------------------------------------------------------------ */

static bool begin_to_listen(int fd, const struct tp_address *address, const struct tp_listen_settings *settings)
{
    if (settings->replace_stale)
        tp__unix_path_clear(address);
    return (!is_inet(address) || settings->keep_closed || set(fd, SOL_SOCKET, SO_REUSEADDR, true) == 0) &&
           (!settings->reuse_port || set(fd, SOL_SOCKET, SO_REUSEPORT, true) == 0) &&
           (address->storage.ss_family != AF_INET6 || set(fd, IPPROTO_IPV6, IPV6_V6ONLY, settings->only_ipv6) == 0) &&
           bind(fd, where(address), address->n_bytes) == 0 && listen(fd, settings->backlog > 0 ? settings->backlog : SOMAXCONN) == 0;
}

int tp_listen(const struct tp_address *address, const struct tp_listen_settings *settings, struct tp_fd *out)
{
    static const struct tp_listen_settings usual;
    if (!address || !out || (settings && settings->backlog < 0))
        return TP_EINVAL;
    int fd = open_stream(address);
    return finish(fd, fd >= 0 && begin_to_listen(fd, address, settings ? settings : &usual), kind_for(address), out);
}

struct accepted {
    struct tp_address *peer;
    enum tp_fd_kind kind; /* as the listener's */
};

/* Is it one connection that failed, so that the next one is to be looked at? */
static bool is_of_one(int error)
{
    return error == ECONNABORTED || error == EPROTO || error == ENETDOWN || error == ENETUNREACH || error == EHOSTDOWN || error == EHOSTUNREACH ||
           error == ENONET || error == ENOPROTOOPT;
}

static ssize_t try_accept(int fd, enum tp_fd_kind kind, void *argument)
{
    struct accepted *accepted = argument;
    struct tp_address *peer = accepted->peer;
    int got;
    accepted->kind = kind;
    do {
        if (peer)
            peer->n_bytes = sizeof peer->storage;
        got = accept4(fd, peer ? (struct sockaddr *)&peer->storage : NULL, peer ? &peer->n_bytes : NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (got < 0 && is_of_one(errno));
    return got;
}

int tp_accept(struct tp_fd listener, uint64_t deadline_ns, struct tp_address *peer, struct tp_fd *out)
{
    struct tp_address from;
    struct accepted accepted = {.peer = peer ? &from : NULL};
    ssize_t fd = -1;
    int status, room = 0, n_waits = 0;
    do {
        uint64_t seen = tp__room_seen();
        status = tp__fd_do(listener, TP_FD_READABLE, deadline_ns, try_accept, NULL, &accepted, &fd);
        if ((status != TP_EMFILE && status != TP_ENOMEM) || deadline_ns == 0)
            break;
        n_waits++;
        room = tp__room_wait(seen, deadline_ns);
    } while (room == 0);
    if (room == TP_ECANCELED)
        status = room;
    if (status == TP_ESTALE && n_waits > 0)
        status = TP_ECLOSED; /* meanwhile */
    if (status == 0)
        status = tp__fd_adopt((int)fd, accepted.kind, out);
    if (status == 0 && peer)
        *peer = from;
    return status;
}

/* -- connecting ----------------------------------------------------------------------------------- */

/* What may have to be tried later, though the system would say that it is ready. */
struct attempt {
    const struct tp_address *address;
    const void *bytes;
    size_t n_bytes;
    bool is_later;
};

static ssize_t try_connect(int fd, enum tp_fd_kind kind, void *argument)
{
    struct attempt *attempt = argument;
    (void)kind;
    attempt->is_later = false;
    if (connect(fd, where(attempt->address), attempt->address->n_bytes) == 0 || errno == EISCONN)
        return 0;
    if (errno == EAGAIN) { /* a Unix socket, whose listener has enough: nobody tells when that has changed */
        attempt->is_later = true;
        return 0;
    }
    if (errno == EINPROGRESS || errno == EALREADY)
        errno = EAGAIN;
    return -1;
}

/* tp__fd_do, again after a while if it must be tried later: 1 ms, then twice as long each time, up to 64. */
static int do_until_done(struct tp_fd fd, uint64_t deadline_ns, ssize_t (*call)(int fd, enum tp_fd_kind kind, void *argument), struct attempt *attempt)
{
    for (unsigned n = 0;; n += n < 6) {
        int status = tp__fd_do(fd, TP_FD_WRITABLE, deadline_ns, call, NULL, attempt, NULL);
        if (status != 0 || !attempt->is_later)
            return status;
        if (deadline_ns == 0)
            return TP_ETIMEDOUT;
        status = tp__room_pause(UINT64_C(1000000) << n, deadline_ns);
        if (status != 0)
            return status;
    }
}

int tp_connect(const struct tp_address *address, uint64_t deadline_ns, struct tp_fd *out)
{
    struct tp_fd made;
    struct attempt attempt = {.address = address};
    if (!address || !out)
        return TP_EINVAL;
    int fd = open_stream(address), status = finish(fd, fd >= 0, kind_for(address), &made);
    if (status != 0)
        return status;
    status = do_until_done(made, deadline_ns, try_connect, &attempt);
    if (status == 0)
        *out = made;
    else
        tp_fd_close(made);
    return status;
}

static ssize_t try_shutdown(int fd, enum tp_fd_kind kind, void *argument)
{
    const unsigned *what = argument;
    (void)kind;
    if (*what == TP_FD_READABLE)
        return shutdown(fd, SHUT_RD);
    return shutdown(fd, *what == TP_FD_WRITABLE ? SHUT_WR : SHUT_RDWR);
}

int tp_shutdown(struct tp_fd fd, unsigned what)
{
    if (what == 0 || what & ~(unsigned)(TP_FD_READABLE | TP_FD_WRITABLE))
        return TP_EINVAL;
    return tp__fd_call(fd, try_shutdown, &what, NULL);
}

/* -- pairs ---------------------------------------------------------------------------------------- */

static int adopt_both(const int fds[2], enum tp_fd_kind kind, struct tp_fd *first, struct tp_fd *second)
{
    struct tp_fd made;
    int status = tp__fd_adopt(fds[0], kind, &made);
    if (status != 0) {
        close(fds[1]);
        return status;
    }
    status = tp__fd_adopt(fds[1], kind, second);
    if (status == 0)
        *first = made;
    else
        tp_fd_close(made);
    return status;
}

int tp_socketpair(struct tp_fd ends[2])
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        return tp__status_of(errno);
    return adopt_both(fds, TP_FD_SOCKET, &ends[0], &ends[1]);
}

int tp_pipe(struct tp_fd *reader, struct tp_fd *writer)
{
    int fds[2];
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0)
        return tp__status_of(errno);
    return adopt_both(fds, TP_FD_OTHER, reader, writer);
}

/* -- datagrams ------------------------------------------------------------------------------------ */

int tp_datagram_open(const struct tp_address *local, const struct tp_address *peer, struct tp_fd *out)
{
    if ((!local && !peer) || !out)
        return TP_EINVAL;
    int fd = socket((local ? local : peer)->storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_made = fd >= 0 && (!local || bind(fd, where(local), local->n_bytes) == 0) && (!peer || connect(fd, where(peer), peer->n_bytes) == 0);
    return finish(fd, is_made, TP_FD_SOCKET, out);
}

static ssize_t try_send(int fd, enum tp_fd_kind kind, void *argument)
{
    struct attempt *attempt = argument;
    const struct tp_address *to = attempt->address;
    (void)kind;
    ssize_t n = sendto(fd, attempt->bytes, attempt->n_bytes, MSG_NOSIGNAL | MSG_DONTWAIT, to ? where(to) : NULL, to ? to->n_bytes : 0);
    /* A Unix receiver that has enough: this socket has room all the while. */
    attempt->is_later = n < 0 && errno == EAGAIN && to && !is_inet(to);
    return attempt->is_later ? 0 : n;
}

int tp_send_to(struct tp_fd fd, const void *bytes, size_t n_bytes, const struct tp_address *to, uint64_t deadline_ns)
{
    struct attempt attempt = {.address = to, .bytes = bytes, .n_bytes = n_bytes};
    return do_until_done(fd, deadline_ns, try_send, &attempt);
}

struct received {
    void *buffer;
    size_t n_bytes;
    struct tp_address *from;
};

static ssize_t try_receive(int fd, enum tp_fd_kind kind, void *argument)
{
    struct received *received = argument;
    struct tp_address *from = received->from;
    (void)kind;
    if (from)
        from->n_bytes = sizeof from->storage;
    return recvfrom(fd, received->buffer, received->n_bytes, MSG_TRUNC | MSG_DONTWAIT, from ? (struct sockaddr *)&from->storage : NULL,
        from ? &from->n_bytes : NULL);
}

int tp_recv_from(struct tp_fd fd, void *buffer, size_t n_bytes, uint64_t deadline_ns, struct tp_address *from, size_t *n_received)
{
    struct tp_address sender;
    struct received received = {.buffer = buffer, .n_bytes = n_bytes, .from = from ? &sender : NULL};
    ssize_t n = 0;
    memset(&sender, 0, sizeof sender); /* one without a name fills in nothing */
    int status = tp__fd_do(fd, TP_FD_READABLE, deadline_ns, try_receive, NULL, &received, &n);
    if (status != 0)
        return status;
    if (from)
        *from = sender;
    if (n_received)
        *n_received = (size_t)n;
    return 0;
}
