/* Files. The system reads and writes them without saying when they are ready; so a task in a coroutine has that done by a thread of the process's
 * blocking pool (blocking.h), and waits without its worker. tp_read and tp_write know files, and do the same.
 * Invariant: what was begun is finished, whatever the deadline: that says until when it may begin (docs/io.md). */
#ifndef TP_FILE_H
#define TP_FILE_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* tp_open: open a file, or whatever else has a path. It is closed in programs that are executed, and what can be waited for does not block.
 * flags, mode: of open(2); mode matters with O_CREAT alone.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER.
 * out:         ends with tp_fd_close. Untouched on error.
 * Returns 0; TP_ENOENT, TP_EACCES, TP_EEXIST, TP_ENOSPC, TP_EMFILE, TP_EINVAL, or another status of the system, with errno; TP_ETIMEDOUT and
 * TP_ECANCELED: it was not tried; TP_ETHREAD: nobody was there to do it.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: rarely] */
int tp_open(const char *path, int flags, unsigned mode, uint64_t deadline_ns, struct tp_fd *out);

/* tp_pread: read from a place, without moving where tp_read goes on.
 * n_read: receives how many bytes; fewer than n_bytes: the file ends there. Untouched on error.
 * Returns as tp_open; TP_ESTALE.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: rarely] */
int tp_pread(struct tp_fd fd, void *buffer, size_t n_bytes, uint64_t offset, uint64_t deadline_ns, size_t *n_read);

/* tp_pwrite: write to a place.
 * n_written: receives how many bytes. Untouched on error.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: rarely] */
int tp_pwrite(struct tp_fd fd, const void *buffer, size_t n_bytes, uint64_t offset, uint64_t deadline_ns, size_t *n_written);

/* tp_fsync: what was written is on the disk when this returns 0.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: rarely] */
int tp_fsync(struct tp_fd fd, uint64_t deadline_ns);

/* tp_stat: what the system knows of a path; tp_fstat: of an open file.
 * out: untouched on error.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: rarely] */
int tp_stat(const char *path, uint64_t deadline_ns, struct stat *out);

/* tp_fstat: see tp_stat.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: rarely] */
int tp_fstat(struct tp_fd fd, uint64_t deadline_ns, struct stat *out);

#ifdef __cplusplus
}
#endif

#endif
