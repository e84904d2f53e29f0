/* Traces. Each thread has a ring of its own in a trace and is its only writer, without locks.
 * Invariant [TRACE-1]: who records says so first (`busy`), and looks for the trace then; who ends the trace takes it away first, and waits
 * for those that are busy then. One of the two sees the other, so nobody writes into memory that was given back (docs/tracing.md). */
#include "trace.h"

#include "../base/align.h"
#include "../base/status.h"
#include "../clock.h"
#include "../worker.h"
#include "trace_parts.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TP_TRACE_RINGS /* more than the threads of a program, as a rule; of those beyond, records are lost */
#define TP_TRACE_RINGS 1024
#endif
enum {
    N_RINGS = TP_TRACE_RINGS,
    LOOKS = 8, /* for a ring, from that of the thread's number on: numbers are not used again, rings are */
    PER_THREAD = 8192
};
static const uint64_t BYTES = UINT64_C(16) << 20;

struct ring {
    tp_line_aligned tp_atomic(uint32_t) busy; /* its thread records [TRACE-1] */
    /* Of its thread while busy; after that of who ends the trace. */
    uint64_t serial; /* of the trace that the rest belongs to */
    unsigned owner;  /* the thread's number */
    struct tp_trace_slice *slices;
    uint32_t n;
    uint64_t n_lost;
    int tid;
    char title[16];
};

struct trace {
    uint64_t serial;
    struct tp_trace_slice *slices;
    uint32_t n_rings, per_thread;
    tp_atomic(uint32_t) n_taken; /* rings that have memory */
};

struct tp_tracing tp__tracing;
static tp_atomic(struct trace *) present;
static tp_atomic(uint64_t) n_homeless; /* records of threads that found no ring */
static struct ring rings[N_RINGS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of starting and ending */
static uint64_t last_serial;                             /* guarded by lock */

uint64_t tp__trace_now(void)
{
    return tp__clock_common_ns();
}

/* The first record of a thread in this trace. */
static void begin_ring(struct ring *ring, struct trace *trace, unsigned owner)
{
    uint32_t index = tp_add_rlx(&trace->n_taken, 1); /* relaxed: only uniqueness matters */
    ring->serial = trace->serial;
    ring->owner = owner;
    ring->slices = index < trace->n_rings ? trace->slices + (size_t)index * trace->per_thread : NULL;
    ring->n = 0;
    ring->n_lost = 0;
    ring->tid = gettid();
    pthread_getname_np(pthread_self(), ring->title, sizeof ring->title);
}

/* Records, if this ring is the thread's own or nobody's in this trace. Returns false if it is another's. */
static bool add_to(struct ring *ring, unsigned owner, const struct tp_trace_slice *slice)
{
    uint32_t nobody = 0;
    if (!tp_cas_sc(&ring->busy, &nobody, 1)) /* before the look at the trace [TRACE-1]; losing means that another thread records there */
        return false;
    struct trace *trace = tp_load_sc(&present); /* likewise */
    if (trace && ring->serial != trace->serial)
        begin_ring(ring, trace, owner);
    bool is_own = trace && ring->owner == owner;
    if (is_own && ring->slices && ring->n < trace->per_thread)
        ring->slices[ring->n++] = *slice;
    else if (is_own)
        ring->n_lost++;
    tp_store_rel(&ring->busy, 0); /* pairs with the acquire in await_writers, and with the exchange above */
    return !trace || is_own;
}

void tp__trace_add(const struct tp_trace_slice *slice)
{
    unsigned index = tp_thread_index();
    for (unsigned i = 0; i < LOOKS; i++)
        if (add_to(&rings[(index + i) % N_RINGS], index, slice))
            return;
    tp_add_rlx(&n_homeless, 1); /* relaxed: a number on its own */
}

/* -- the file ----------------------------------------------------------------------------------- */

static void write_string(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            putc('\\', out);
        if (byte < 0x20)
            fprintf(out, "\\u%04x", byte);
        else
            putc(byte, out);
    }
    putc('"', out);
}

static void write_slice(FILE *out, const struct tp_trace_slice *slice, int tid)
{
    static const struct {
        const char *category, *number, *more; /* the second is what the number is called; NULL: there is none */
    } forms[] = {
        [TP__TRACE_WORKER] = {"worker", "victim", ""},
        [TP__TRACE_ENDED] = {"task", "id", ",\"then\":\"ended\""},
        [TP__TRACE_GAVE_WAY] = {"task", "id", ",\"then\":\"gave way\""},
        [TP__TRACE_WAITS] = {"task", "id", ",\"then\":\"waits\""},
        [TP__TRACE_TIMER] = {"timer", NULL, ""},
        [TP__TRACE_WAKE] = {"wake", "id", ""},
        [TP__TRACE_DEADLINE] = {"wake", "id", ",\"by\":\"deadline\""},
        [TP__TRACE_EVENT] = {"event", "fd", ""},
    };
    uint64_t ns = slice->end_ns - slice->begin_ns;
    fprintf(out, ",\n{\"pid\":%d,\"tid\":%d,\"ts\":%" PRIu64 ".%03u,", (int)getpid(), tid, slice->begin_ns / 1000, (unsigned)(slice->begin_ns % 1000));
    if (slice->kind >= TP__TRACE_WAKE)
        fputs("\"ph\":\"i\",\"s\":\"t\"", out);
    else
        fprintf(out, "\"ph\":\"X\",\"dur\":%" PRIu64 ".%03u", ns / 1000, (unsigned)(ns % 1000));
    fprintf(out, ",\"cat\":\"%s\",\"name\":", forms[slice->kind].category);
    write_string(out, slice->name);
    if (forms[slice->kind].number)
        fprintf(out, ",\"args\":{\"%s\":%" PRIu64 "%s}", forms[slice->kind].number, slice->number, forms[slice->kind].more);
    putc('}', out);
}

static void write_ring(FILE *out, const struct ring *ring)
{
    fprintf(out, ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":", (int)getpid(), ring->tid);
    write_string(out, ring->title);
    fputs("}}", out);
    for (uint32_t i = 0; ring->slices && i < ring->n; i++)
        write_slice(out, &ring->slices[i], ring->tid);
}

static int write_all(const struct trace *trace, int fd, const struct tp_trace_report *report)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *out = copy >= 0 ? fdopen(copy, "w") : NULL;
    if (!out) {
        if (copy >= 0)
            close(copy);
        return copy >= 0 ? TP_EIO : TP_EMFILE;
    }
    fprintf(out, "{\"otherData\":{\"records\":%" PRIu64 ",\"lost\":%" PRIu64 "},\n\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":%d,\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":\"tidepool\"}}",
        report->n_kept, report->n_lost, (int)getpid());
    for (int i = 0; i < N_RINGS; i++)
        if (rings[i].serial == trace->serial)
            write_ring(out, &rings[i]);
    fputs("\n]}\n", out);
    bool is_whole = !ferror(out);
    return fclose(out) == 0 && is_whole ? 0 : TP_EIO;
}

/* -- beginning and end -------------------------------------------------------------------------- */

int tp_trace_start(const struct tp_trace_settings *settings)
{
    static const struct tp_trace_settings none;
    const struct tp_trace_settings *asked = settings ? settings : &none;
    struct trace *trace = calloc(1, sizeof *trace);
    if (!trace)
        return TP_ENOMEM;
    trace->per_thread = asked->per_thread > 0 ? asked->per_thread : PER_THREAD;
    uint64_t n_rings = (asked->bytes > 0 ? asked->bytes : BYTES) / sizeof *trace->slices / trace->per_thread;
    trace->n_rings = (uint32_t)(n_rings < 1 ? 1 : (n_rings < N_RINGS ? n_rings : N_RINGS));
    trace->slices = calloc((size_t)trace->n_rings * trace->per_thread, sizeof *trace->slices);
    pthread_mutex_lock(&lock);
    int status = trace->slices ? 0 : TP_ENOMEM;
    if (status == 0 && tp_load_sc(&present)) /* in one order with its changes, which are under the lock */
        status = TP_EBUSY;
    if (status == 0) {
        trace->serial = ++last_serial;
        tp_store_rlx(&n_homeless, 0);                           /* relaxed: a number on its own */
        tp_store_sc(&present, trace);                           /* publishes the trace [TRACE-1] */
        tp_store_rlx(&tp__tracing.since_ns, tp__trace_now()); /* relaxed: a hint */
    }
    pthread_mutex_unlock(&lock);
    if (status != 0) {
        free(trace->slices);
        free(trace);
    }
    return status;
}

static void await_writers(void)
{
    for (int i = 0; i < N_RINGS; i++)
        while (tp_load_sc(&rings[i].busy) != 0) /* after the trace was taken away [TRACE-1] */
            sched_yield();
}

int tp_trace_stop(int fd, struct tp_trace_report *report)
{
    pthread_mutex_lock(&lock);
    struct trace *trace = tp_swap_sc(&present, NULL); /* before the looks at who is busy [TRACE-1] */
    tp_store_rlx(&tp__tracing.since_ns, 0);           /* relaxed: a hint */
    int status = trace ? 0 : TP_EINVAL;
    if (trace) {
        struct tp_trace_report sum = {.n_lost = tp_load_rlx(&n_homeless)}; /* relaxed: a number on its own */
        await_writers();
        for (int i = 0; i < N_RINGS; i++)
            if (rings[i].serial == trace->serial) {
                sum.n_kept += rings[i].n;
                sum.n_lost += rings[i].n_lost;
            }
        if (fd >= 0)
            status = write_all(trace, fd, &sum);
        if (report && status == 0)
            *report = sum;
        free(trace->slices);
        free(trace);
    }
    pthread_mutex_unlock(&lock);
    return status;
}
