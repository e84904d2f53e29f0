/* A probe: where another thread of this process is just now, told by itself in a signal handler.
 * Invariant: one probe at a time; a thread that answers too late answers nobody, and writes nowhere. */
#ifndef TP_PROBE_H
#define TP_PROBE_H

#include <stdbool.h>
#include <stdint.h>

enum { TP_PROBE_FRAMES = 24,
    TP_PROBE_STACK_BYTES = 16 << 10 }; /* of a task that may be probed, at least: the handler needs some 4 KiB of its stack, unless its
                                          thread has a signal stack; with wide registers more */

struct tp_probe {
    uint64_t id; /* of the task it runs; 0: none, or untracked */
    int n_frames;
    void *frames[TP_PROBE_FRAMES]; /* innermost first */
};

/* tp_probe_init: handle TP_PROBE_SIGNAL from now on, for good, unless the host does. Any number of times.
 * Returns whether the library handles it.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: yes] */
bool tp_probe_init(void);

/* tp_probe_take: where is that thread?
 * thread: the system's number. patience_ns: how long to wait for its answer.
 * Returns whether it has answered; else out is all 0.
 * [thread: any, one at a time, another one] [suspends: no] [blocks: yes] [allocates: no] */
bool tp_probe_take(int thread, uint64_t patience_ns, struct tp_probe *out);

#endif
