/* Names of hosts. The C library looks them up in its own time, so that happens on threads for nothing else: while a server of names is silent,
 * files are read all the same.
 * Invariant: a look-up that takes too long is left to itself; it touches nothing of who has asked (docs/io.md). */
#ifndef TP_NAMES_H
#define TP_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "address.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TP_NAMES_THREADS = 8, /* look-ups at once; others wait for those */
    TP_NAMES_MAX = 16     /* addresses of one name that are told */
};

/* tp_resolve: the addresses of a name, in the order in which to try them.
 * host:        a name, or numbers, which cost no look-up; without brackets.
 * service:     a port, or the name of one.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER: until the system gives up.
 * out:         filled with max at most, which is 1 or more. Untouched on error.
 * n_found:     receives how many.
 * Returns 0; TP_ENOENT: there is no such name; TP_EUNREACH: nobody could tell; TP_ETIMEDOUT; TP_ECANCELED; TP_EINVAL; TP_ENOMEM; TP_ETHREAD; or
 * TP_EIO.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: yes] */
int tp_resolve(const char *host, const char *service, uint64_t deadline_ns, struct tp_address *out, size_t max, size_t *n_found);

/* tp_connect_host: tp_resolve, then tp_connect to one address after the other, until one answers; each has an equal part of the time that is left.
 * out: untouched on error. Ends with tp_fd_close.
 * Returns 0, or what the last attempt did.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: yes] */
int tp_connect_host(const char *host, const char *service, uint64_t deadline_ns, struct tp_fd *out);

#ifdef __cplusplus
}
#endif

#endif
