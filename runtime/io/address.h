/* Addresses of sockets, and their text: "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", "unix:/run/server", "unix:@abstract".
 * Invariant: what was printed can be parsed, and is the same address then, unless it holds bytes that no text has (docs/io.md). */
#ifndef TP_ADDRESS_H
#define TP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "fd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Copied freely. */
struct tp_address {
    struct sockaddr_storage storage;
    socklen_t n_bytes; /* of storage that are used */
};

enum { TP_ADDRESS_TEXT = 128 }; /* bytes that hold every address's text */

/* tp_address_parse: an address from its text. Numbers only: names are for tp_resolve.
 * out: untouched on error.
 * Returns 0 or TP_EINVAL.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_address_parse(const char *text, struct tp_address *out);

/* tp_address_print: the text of an address; that of a Unix socket without a name is "unix:".
 * buffer: of n_bytes, which receives the text and a 0.
 * Returns 0; TP_EINVAL, if there is not enough room, or no text for such an address.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_address_print(const struct tp_address *address, char *buffer, size_t n_bytes);

/* tp_address_is_same: do these mean the same?
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_address_is_same(const struct tp_address *a, const struct tp_address *b);

/* tp_address_local: the address of this end.
 * Returns 0, TP_ESTALE, or TP_EINVAL: it is no socket.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_address_local(struct tp_fd fd, struct tp_address *out);

/* tp_address_peer: the address of the other end.
 * Returns 0, TP_ESTALE, TP_EINVAL, or TP_EPIPE: it is not connected.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_address_peer(struct tp_fd fd, struct tp_address *out);

#ifdef __cplusplus
}
#endif

#endif
