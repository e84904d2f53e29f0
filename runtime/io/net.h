/* Connections: listening, accepting, connecting, datagrams, and pairs of ends. Descriptors that come from here do not block, and are
 * closed in programs that are executed; TCP sockets send at once (TCP_NODELAY).
 * Invariant: a call that fails leaves no descriptor behind (docs/io.md). */
#ifndef TP_NET_H
#define TP_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "fd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How to listen; all 0 is valid. */
struct tp_listen_settings {
    int backlog;      /* connections that wait to be accepted; 0: as many as the system allows */
    bool reuse_port;  /* others may listen there as well, and share the connections (SO_REUSEPORT) */
    bool only_ipv6;   /* "[::]" does not take connections of IPv4 */
    bool replace_stale; /* the path of a Unix socket is removed first if nobody listens there any more */
    bool keep_closed; /* not while connections of one that listened there before are still being closed (no SO_REUSEADDR) */
};

/* tp_listen: accept connections at an address. The path of a Unix socket must not be there, or be stale (see the settings), and stays when
 * it is closed.
 * settings: read during the call only; NULL: all 0.
 * out:      the listener; untouched on error. Ends with tp_fd_close.
 * Returns 0; TP_EADDRINUSE, TP_EACCES, TP_EUNREACH, TP_EINVAL, TP_EMFILE, TP_ENOMEM, or another status of the system.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int tp_listen(const struct tp_address *address, const struct tp_listen_settings *settings, struct tp_fd *out);

/* tp_accept: take the next connection. While there is no descriptor left for it, it waits in the queue of the listener, until this library
 * has closed one, or for a tenth of a second at a time: a server that just goes on neither ends nor turns in circles.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER; 0: does not wait.
 * peer:        receives its address; NULL: does not matter.
 * out:         the connection; untouched on error. Ends with tp_fd_close.
 * Returns 0; as tp_fd_wait, TP_ETIMEDOUT: there was none; TP_EMFILE or TP_ENOMEM: by the deadline there was no room for it.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: rarely] */
int tp_accept(struct tp_fd listener, uint64_t deadline_ns, struct tp_address *peer, struct tp_fd *out);

/* tp_connect: a connection to an address.
 * out: untouched on error. Ends with tp_fd_close.
 * Returns 0; TP_EREFUSED, TP_EUNREACH, TP_ENOENT, TP_EACCES; TP_ETIMEDOUT: by the deadline, or by the system; TP_ECANCELED; TP_EMFILE, TP_ENOMEM,
 * TP_EINVAL, or another status of the system.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: rarely] */
int tp_connect(const struct tp_address *address, uint64_t deadline_ns, struct tp_fd *out);

/* tp_shutdown: the end of one direction of a connection, while the other goes on.
 * what: TP_FD_WRITABLE: the peer finds the end of its input; TP_FD_READABLE: this end does; or both.
 * Returns 0, TP_ESTALE, TP_EPIPE: it is not connected, or TP_EINVAL.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_shutdown(struct tp_fd fd, unsigned what);

/* tp_socketpair: two sockets that are connected with each other.
 * Returns 0, TP_EMFILE or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int tp_socketpair(struct tp_fd ends[2]);

/* tp_pipe: what is written to `writer` is read from `reader`.
 * Returns 0, TP_EMFILE or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int tp_pipe(struct tp_fd *reader, struct tp_fd *writer);

/* -- datagrams ---------------------------------------------------------------------------------- */

/* tp_datagram_open: a socket for datagrams, of UDP or Unix, as the addresses are.
 * local: where it receives; port 0: any. NULL: the system chooses, when it first sends.
 * peer:  to whom it sends, from whom alone it receives. NULL: anybody. Not both NULL.
 * Returns as tp_listen.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int tp_datagram_open(const struct tp_address *local, const struct tp_address *peer, struct tp_fd *out);

/* tp_send_to: send one datagram.
 * to: NULL: to the socket's peer.
 * Returns 0: all of it was sent, whether it arrives or not; as tp_fd_wait; TP_EINVAL: too large; TP_EREFUSED: an earlier one found nobody; or
 * another status of the system.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: once per descriptor] */
int tp_send_to(struct tp_fd fd, const void *bytes, size_t n_bytes, const struct tp_address *to, uint64_t deadline_ns);

/* tp_recv_from: receive one datagram.
 * from:       receives the sender's address; NULL: does not matter.
 * n_received: receives its size; larger than n_bytes: the rest is lost. Untouched on error.
 * Returns 0; as tp_fd_wait; or a status of the system, TP_EREFUSED for what was sent before.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: once per descriptor] */
int tp_recv_from(struct tp_fd fd, void *buffer, size_t n_bytes, uint64_t deadline_ns, struct tp_address *from, size_t *n_received);

#ifdef __cplusplus
}
#endif

#endif
