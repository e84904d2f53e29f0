/* Reading and writing without a thread that waits: the calls of the system with a deadline, for sockets, pipes and whatever else can be
 * polled. A task in a coroutine gives its worker back while it waits; a thread, or a task of a plain pool, sleeps.
 * Invariant: a call that returns 0 has done what it says; any other has told how much of it (docs/io.md). */
#ifndef TP_IO_H
#define TP_IO_H

#include <stddef.h>
#include <stdint.h>

#include "fd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* tp_read: read what there is, as soon as there is something.
 * buffer:      filled; at most n_bytes.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER; 0: does not wait.
 * n_read:      receives how many bytes; 0: the end of the input, unless n_bytes is 0. Untouched on error.
 * Returns 0; as tp_fd_wait; TP_ERESET or another status of the system, with errno.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: once per descriptor] */
int tp_read(struct tp_fd fd, void *buffer, size_t n_bytes, uint64_t deadline_ns, size_t *n_read);

/* tp_read_all: read so many bytes.
 * n_read: receives how many there were, on error, too; fewer than n_bytes with 0: the input has ended. NULL: does not matter.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: once per descriptor] */
int tp_read_all(struct tp_fd fd, void *buffer, size_t n_bytes, uint64_t deadline_ns, size_t *n_read);

/* tp_write: write as much as there is room for, as soon as there is some.
 * n_written: receives how many bytes; untouched on error.
 * Returns 0; as tp_fd_wait; TP_EPIPE, without a signal; or another status of the system, with errno.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: once per descriptor] */
int tp_write(struct tp_fd fd, const void *buffer, size_t n_bytes, uint64_t deadline_ns, size_t *n_written);

/* tp_write_all: write all of it.
 * n_written: receives how much was written, on error, too. NULL: does not matter.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: once per descriptor] */
int tp_write_all(struct tp_fd fd, const void *buffer, size_t n_bytes, uint64_t deadline_ns, size_t *n_written);

#ifdef __cplusplus
}
#endif

#endif
