/* Where the library records slices and moments. Invariant: without a trace each place costs one relaxed load. */
#ifndef TP_TRACE_PARTS_H
#define TP_TRACE_PARTS_H

#include "../base/atomic.h"

struct tp_tracing {
    tp_atomic(uint64_t) since_ns; /* not 0 while there is a trace; for a first look: tp__trace_add decides */
};
extern struct tp_tracing tp__tracing;

/* What a record is about; the words for each are in trace.c. */
enum tp_trace_kind {
    TP__TRACE_WORKER,   /* the worker was in a state */
    TP__TRACE_ENDED,    /* a task ran on it, to its end; */
    TP__TRACE_GAVE_WAY, /* until it gave way to others; */
    TP__TRACE_WAITS,    /* or until it waits */
    TP__TRACE_TIMER,    /* a timer was called */
    TP__TRACE_WAKE,     /* a moment: a task that waits can go on */
    TP__TRACE_DEADLINE, /* a moment: the same, since its deadline has come */
    TP__TRACE_EVENT     /* a moment: a descriptor is ready */
};

struct tp_trace_slice {
    uint64_t begin_ns, end_ns; /* of a moment, the same */
    const char *name;          /* static: what the worker did; the pool of a task or timer */
    uint64_t number;           /* id of a task; of a theft, the victim; of an event, the descriptor */
    enum tp_trace_kind kind;
};

/* tp__trace_add: a slice of the calling thread is over, or a moment there.
 * [thread: any, no signal handler] [suspends: no] [blocks: no] [allocates: no] */
void tp__trace_add(const struct tp_trace_slice *slice);

/* tp__trace_now: the time, in all threads and tasks the same.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp__trace_now(void);

/* When a slice begins: the time; 0 if there is no trace. */
static inline uint64_t tp__trace_begin(void)
{
    return tp_own(&tp__tracing.since_ns) != 0 ? tp__trace_now() : 0; /* relaxed: a hint */
}

/* A moment. */
static inline void tp__trace_moment(enum tp_trace_kind kind, const char *name, uint64_t number)
{
    uint64_t now_ns = tp__trace_begin();
    if (now_ns != 0)
        tp__trace_add(&(struct tp_trace_slice){now_ns, now_ns, name, number, kind});
}

#endif
