/* Other programs: start them, write to and read from them, wait for their end, and send them signals, all by a descriptor that stands for the
 * process (pidfd), so that no other one is meant when its number is used again.
 * Invariant: a program that is started has no descriptor of this process but its standard ones, no signal blocked, and
 * each signal's usual effect, whatever threads here have blocked or changed (docs/io.md). */
#ifndef TP_PROCESS_H
#define TP_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/atomic.h"
#include "fd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What one of the standard descriptors of a program is. */
enum tp_stdio_kind {
    TP_STDIO_INHERIT, /* this process's */
    TP_STDIO_NULL,    /* /dev/null */
    TP_STDIO_PIPE,    /* a pipe, whose other end is in struct tp_process */
    TP_STDIO_FD,      /* `fd`, which stays the caller's; a handle's does not block for the program either, which most do not expect */
    TP_STDIO_OUTPUT   /* of the errors: where the output goes */
};

struct tp_stdio {
    enum tp_stdio_kind kind;
    int fd;
};

/* What to start; all 0 but argv is valid. */
struct tp_process_settings {
    const char *const *argv; /* ends with NULL; [0] without a slash is looked for in PATH */
    const char *const *envp; /* ends with NULL; NULL: this process's */
    const char *directory;   /* where it runs; NULL: where this process does */
    struct tp_stdio stdio[3];
    bool own_group; /* signals of the terminal do not reach it */
};

/* One that was started. The caller's; any number of tasks may use it. */
struct tp_process {
    int pid;
    tp_atomic(uint32_t) is_over; /* its end was told; its number may be another one's. Publishes nothing */
    struct tp_fd handle;         /* of the process; all 0 where the system has none */
    struct tp_fd stdio[3];       /* this end of each TP_STDIO_PIPE; all 0: none. To be closed, set to 0 or kept as the caller likes */
};

/* How one has ended. */
struct tp_process_end {
    int code;   /* what it returned; -1: it did not */
    int signal; /* what killed it; 0: nothing */
};

/* tp_process_start: start a program.
 * settings: read during the call only.
 * out:      filled in; untouched on error. Ends with tp_process_wait, then tp_process_free.
 * Returns 0; TP_ENOENT, TP_EACCES; TP_ETHREAD: there are too many processes; TP_EMFILE, TP_ENOMEM, TP_EINVAL, or another status of the system.
 * [thread: any] [suspends: no] [blocks: until the program is loaded] [allocates: yes] */
int tp_process_start(const struct tp_process_settings *settings, struct tp_process *out);

/* tp_process_wait: wait for its end, which is told once.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER; 0: does not wait.
 * end:         receives how; NULL: does not matter; untouched on error.
 * Returns 0; as tp_fd_wait; TP_ESTALE: it was told before, or to another part of this program, or nobody is told since SIGCHLD is ignored.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: once per process] */
int tp_process_wait(struct tp_process *process, uint64_t deadline_ns, struct tp_process_end *end);

/* tp_process_signal: send it a signal.
 * number: of signal.h; 0: none, only look.
 * Returns 0; TP_ESTALE: its end was told; TP_EACCES; TP_EINVAL.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_process_signal(struct tp_process *process, int number);

/* tp_process_free: close what is still open of it. A program whose end was not told runs on, and is a zombie from its end to that of this
 * process.
 * process: all 0 afterwards; NULL does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_process_free(struct tp_process *process);

#ifdef __cplusplus
}
#endif

#endif
