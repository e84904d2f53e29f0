/* Calls of the system that cannot be waited for by a descriptor: files are always ready, and take their time all the same.
 * Invariant: a call that was begun is over when tp__offload returns, so it may use what is the caller's. */
#ifndef TP_OFFLOAD_H
#define TP_OFFLOAD_H

#include "fd_parts.h"

/* tp__offload: make a call on a thread of the process's blocking pool, if the caller is a task in a coroutine, which waits without its worker; else
 * here.
 * call:        as in tp__fd_do; once, again if it was interrupted.
 * deadline_ns: until when it may begin; 0: not at all in a coroutine.
 * done:        receives what it returned; NULL: does not matter.
 * Returns 0; TP_ETIMEDOUT, TP_ECANCELED, TP_ENOMEM, TP_ETHREAD: it was not made; or the status of an error, which is in errno.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: rarely] */
int tp__offload(ssize_t (*call)(int fd, enum tp_fd_kind kind, void *argument), int fd, void *argument, uint64_t deadline_ns, ssize_t *done);

#endif
