/* The inside of descriptors, for the files of this folder: what a call does that may have to wait, and what the driver tells.
 * Invariant [FD-1]: a bit of `ready` that is off was found so by a call, and no event has come since; so who waits then is woken by
 * the next one (docs/io.md). */
#ifndef TP_FD_PARTS_H
#define TP_FD_PARTS_H

#include "driver.h"
#include "fd.h"

#include <sys/types.h>

struct tp_fd_slot;

/* What is known of a descriptor. */
enum tp_fd_kind {
    TP_FD_OTHER,
    TP_FD_FILE, /* always ready, and slow all the same: a task in a coroutine has its calls made elsewhere */
    TP_FD_SOCKET,
    TP_FD_STREAM /* a TCP socket: what a call does less than it was asked for, the next one cannot do */
};

/* tp__fd_adopt: tp_fd_open for a descriptor of which the library knows all: it does not block, is closed in programs that are
 * executed, and is of that kind. No call of the system is made.
 * fd: closed on error.
 * Returns 0 or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int tp__fd_adopt(int fd, enum tp_fd_kind kind, struct tp_fd *out);

/* tp__fd_kind_of: ask the system what it is.
 * fd: open. errno is left as it is.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
enum tp_fd_kind tp__fd_kind_of(int fd);

/* tp__status_of: the status that stands for a value of errno; TP_EIO for those that have none of their own.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp__status_of(int error);

/* tp__fd_do: make a call, as often as it takes, and wait in between until the descriptor is ready for it. A task that never has to
 * wait gives way now and then.
 * what:    TP_FD_READABLE or TP_FD_WRITABLE.
 * deadline_ns: 0: one attempt. Whatever it is, an attempt was made after it before the call returns TP_ETIMEDOUT.
 * call:    makes the system call; returns what that did, -1 with errno. EINTR and EAGAIN are seen to here.
 * is_short: asked after success with a stream: was it less than asked for, so that the next call would have to wait? NULL: never.
 * done:    receives what the call returned; NULL: does not matter.
 * Returns 0, as tp_fd_wait, or the status of an error; errno is then as the call left it.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: once per descriptor] */
int tp__fd_do(struct tp_fd fd, unsigned what, uint64_t deadline_ns, ssize_t (*call)(int fd, enum tp_fd_kind kind, void *argument),
    bool (*is_short)(void *argument, ssize_t n), void *argument, ssize_t *done);

/* tp__fd_call: make a call that never has to wait, once, while the handle holds the descriptor. No cancellation point.
 * Returns 0, TP_ESTALE, or the status of an error; errno is then as the call left it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp__fd_call(struct tp_fd fd, ssize_t (*call)(int fd, enum tp_fd_kind kind, void *argument), void *argument, ssize_t *done);

/* tp__fd_event: the driver has seen something.
 * event: of this driver; that of a descriptor of before is ignored.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__fd_event(const struct tp_driver *driver, const struct tp_driver_event *event);

/* tp__fd_unlink_all: the driver ends; descriptors forget it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__fd_unlink_all(struct tp_driver *driver);

#endif
