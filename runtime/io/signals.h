/* Signals, received like input: a task waits for them, and no handler runs in the middle of something else.
 * Invariant: a signal that is waited for here is blocked in every thread, or the system delivers it to one that has not. Workers of pools
 * have all blocked but faults; who opens signals in the first thread, before others are started, has nothing more to do (docs/io.md). */
#ifndef TP_SIGNALS_H
#define TP_SIGNALS_H

#include <stddef.h>
#include <stdint.h>

#include "fd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One that was received. */
struct tp_signal {
    int number; /* of signal.h */
    int pid;    /* of who sent it; 0: the system */
    int value;  /* sent along by sigqueue */
};

/* tp_signals_open: a descriptor from which these signals are received. Blocks them in the calling thread, and so in those that it starts.
 * numbers: n of them, 1 or more, of signal.h; not SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF, SIGKILL and SIGSTOP.
 * out:     ends with tp_fd_close; the signals stay blocked. Untouched on error.
 * Returns 0, TP_EINVAL, TP_EMFILE or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int tp_signals_open(const int *numbers, size_t n, struct tp_fd *out);

/* tp_signal_wait: receive the next one. Of several that are equal the system may keep one.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER; 0: does not wait.
 * out:         untouched on error.
 * Returns 0, or as tp_fd_wait.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: once per descriptor] */
int tp_signal_wait(struct tp_fd signals, uint64_t deadline_ns, struct tp_signal *out);

#ifdef __cplusplus
}
#endif

#endif
