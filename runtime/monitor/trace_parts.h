/* Where the library records slices. Invariant: without a trace each place costs one relaxed load. */
#ifndef TP_TRACE_PARTS_H
#define TP_TRACE_PARTS_H

#include "../base/atomic.h"

struct tp_tracing {
    tp_atomic(uint64_t) since_ns; /* not 0 while there is a trace; for a first look: tp__trace_add decides */
};
extern struct tp_tracing tp__tracing;

struct tp_trace_slice {
    uint64_t begin_ns, end_ns;
    const char *name; /* static: what the worker did, or why the task left it */
    const char *pool; /* of a task, static; NULL: what the worker does */
    uint64_t number;  /* id of a task; of a theft, the victim */
};

/* tp__trace_add: a slice of the calling thread is over.
 * [thread: any, no signal handler] [suspends: no] [blocks: no] [allocates: no] */
void tp__trace_add(const struct tp_trace_slice *slice);

/* tp__trace_now: the time.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp__trace_now(void);

/* When a slice begins: the time; 0 if there is no trace. */
static inline uint64_t tp__trace_begin(void)
{
    return tp_own(&tp__tracing.since_ns) != 0 ? tp__trace_now() : 0; /* relaxed: a hint */
}

#endif
