/* A trace: what each worker did when, which coroutine of a task ran where, who woke it, and what became ready, as a file for Perfetto or
 * chrome://tracing. Tracing is for the whole process and at run time: no pool is generated for it.
 * Invariant: a slice is recorded when it ends, with its beginning, so every beginning has its end. Memory is taken once, when the trace
 * begins; what does not fit is counted, not kept (docs/tracing.md). */
#ifndef TP_TRACE_H
#define TP_TRACE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tp_trace_settings {
    uint64_t bytes;      /* for all records; 0: 16 MiB */
    uint32_t per_thread; /* records of one thread; 0: 8192 */
};

struct tp_trace_report {
    uint64_t n_kept, n_lost; /* records: slices and moments */
};

/* tp_trace_start: record from now on. One trace at a time.
 * settings: read during the call; NULL: all 0.
 * Returns 0; TP_EBUSY, if there is one already; TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_trace_start(const struct tp_trace_settings *settings);

/* tp_trace_stop: record no more, and write what there is: JSON in the trace event format.
 * fd:     a file to write to; it stays open. -1: what was recorded is thrown away.
 * report: how much there was; NULL: not wanted; untouched on error.
 * Returns 0; TP_EINVAL, if there is no trace; TP_EIO, if not all could be written; TP_EMFILE. The trace is over in each case.
 * [thread: any, no signal handler] [suspends: no] [blocks: by writing] [allocates: yes] */
int tp_trace_stop(int fd, struct tp_trace_report *report);

#ifdef __cplusplus
}
#endif

#endif
