/* Descriptors that tasks can wait for. A handle is a descriptor and a tag, which is another one each time the number is used anew: a
 * handle that was closed is refused, and never means what was opened later under the same number.
 * Invariant: while a call with a handle is under way the number is not given back to the system; a close that comes meanwhile
 * ends the waits at once, and the descriptor with the last call (docs/io.md). */
#ifndef TP_FD_H
#define TP_FD_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Copied freely. All 0 is no descriptor, and refused. */
struct tp_fd {
    int fd; /* for calls of the system that do not wait, such as getsockname; not for close */
    uint32_t tag;
};

/* What one can wait for. */
enum {
    TP_FD_READABLE = 1, /* also: there is an end of input, or an error, to be read */
    TP_FD_WRITABLE = 2
};

/* tp_fd_open: hand a descriptor over: from here on it does not block, and ends with tp_fd_close.
 * fd:  open; of anything but a directory. On error it stays the caller's, as it was.
 * out: the handle; untouched on error.
 * A number has one handle: if there is one of it, what that meant was closed in another way, and it ends now, as by tp_fd_close.
 * Returns 0; TP_EINVAL, if it is not open; TP_EBUSY, while a call with the handle of before is under way; TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int tp_fd_open(int fd, struct tp_fd *out);

/* tp_fd_borrow: the same for a descriptor that stays somebody else's, for instance a library's: tp_fd_close gives the handle back, and
 * must come before the descriptor is closed, and so must the ends of the calls with it: they may look at the number until they return. Whether it blocks is left as it is: for tp_fd_wait that does not matter.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int tp_fd_borrow(int fd, struct tp_fd *out);

/* tp_fd_close: the end of the handle. Who waits with it returns TP_ECLOSED.
 * Returns 0, or TP_ESTALE: it was closed before.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_fd_close(struct tp_fd fd);

/* tp_fd_wait: wait until something can be done. It is looked at as it is: what was not read yet counts.
 * what:        of TP_FD_READABLE and TP_FD_WRITABLE, one or both.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER; 0: only look.
 * which:       receives what it is; NULL: does not matter.
 * Returns 0; TP_ETIMEDOUT; TP_ECANCELED; TP_ECLOSED; TP_ESTALE; TP_EMFILE or TP_ENOMEM, if there is no room for waiting.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: once per descriptor] */
int tp_fd_wait(struct tp_fd fd, unsigned what, uint64_t deadline_ns, unsigned *which);

/* Are these the same handle? */
static inline bool tp_fd_is_same(struct tp_fd a, struct tp_fd b)
{
    return a.fd == b.fd && a.tag == b.tag;
}

#ifdef __cplusplus
}
#endif

#endif
