/* Traces [TRACE-1]: threads record while another ends the trace, and begins and ends the next one. Nobody writes into memory that was given
 * back, and who ends a trace sees each record whole: the memory of a trace is read once more before it goes, and the explorer fails on
 * any touch after that, and on any that nothing orders. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

enum { RINGS = 2,
    ROOM = 2 }; /* records of a thread */

/* Seeded bugs; the code under test calls these instead. */
enum habit { GOOD,
    AWAITS_NOBODY };
static enum habit habit;

static void *allocate(size_t bytes);
static void release(void *memory);

#define TP_TRACE_RINGS RINGS
#define calloc(n, bytes) allocate((n) * (bytes))
#define free(p) release(p)

#include "runtime/base/spin.h"
#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/worker.h"

#define tp_thread_index() (RINGS * model_self()) /* all look for theirs from the first on */

/* The mutex of who begins and ends traces. */
static struct tp_spin door;
#define pthread_mutex_lock(mutex) ((void)(mutex), tp_spin_lock(&door))
#define pthread_mutex_unlock(mutex) ((void)(mutex), tp_spin_unlock(&door))
#undef tp_load_sc /* of a word that small: whether somebody records */
#define tp_load_sc(p) (habit == AWAITS_NOBODY && sizeof *(p) == sizeof(uint32_t) ? 0 : MODEL_LOAD((p), MODEL_SC))
#include "runtime/monitor/trace.c"

static void *newest; /* what was allocated last: the records' memory */
static uint64_t n_told;

uint64_t tp__clock_common_ns(void)
{
    return TP_SECOND;
}

static void *allocate(size_t bytes)
{
    newest = memset(model_alloc(bytes), 0, bytes);
    return newest;
}

/* Reads what is in the records' memory first: each record there is whole. */
static void release(void *memory)
{
    for (int i = 0; memory == newest && i < N_RINGS; i++)
        for (uint32_t k = 0; rings[i].serial == last_serial && rings[i].slices && k < rings[i].n; k++)
            model_check(rings[i].slices[k].number == rings[i].slices[k].begin_ns + rings[i].owner);
    model_free(memory);
}

static void record(uint64_t at)
{
    tp__trace_add(&(struct tp_trace_slice){at, at, "it", at + tp_thread_index(), TP__TRACE_WAKE});
}

static void record_once(void *unused)
{
    (void)unused;
    record(1);
}

static void record_thrice(void *unused)
{
    (void)unused;
    for (uint64_t i = 1; i <= 3; i++)
        record(i);
}

static int begin_trace(void)
{
    return tp_trace_start(&(struct tp_trace_settings){.bytes = sizeof(struct tp_trace_slice) * RINGS * ROOM, .per_thread = ROOM});
}

static void end_trace(void)
{
    struct tp_trace_report report;
    model_check(tp_trace_stop(-1, &report) == 0);
    n_told += report.n_kept + report.n_lost;
}

static void end_once(void *unused)
{
    (void)unused;
    end_trace();
}

static void end_two(void *unused)
{
    (void)unused;
    end_trace();
    model_check(begin_trace() == 0);
    end_trace();
}

static void set_up(unsigned variant)
{
    habit = (enum habit)variant;
    memset(rings, 0, sizeof rings);
    last_serial = n_told = 0;
    tp_spin_init(&door);
    tp_atomic_init(&present, NULL);
    model_check(begin_trace() == 0);
}

static void two_record(unsigned variant)
{
    set_up(variant);
    model_thread(record_once, NULL);
    model_thread(record_once, NULL);
    model_thread(end_once, NULL);
}

static void three_record(unsigned variant)
{
    set_up(variant);
    model_thread(record_once, NULL);
    model_thread(record_once, NULL);
    model_thread(record_once, NULL);
    model_thread(end_once, NULL);
}

static void one_records(unsigned variant)
{
    set_up(variant);
    model_thread(record_thrice, NULL);
    model_thread(end_two, NULL);
}

static void check_end(void)
{
    model_check(n_told <= 3);
    model_check(model_n_blocks() == 0);
    model_check(!present && tp__tracing.since_ns == 0);
}

static const struct model_scenario scenarios[] = {
    {"trace: two record, one ends it", two_record, check_end, .preemptions = 5},
    {"trace: three record in two rings, one ends it", three_record, check_end, .preemptions = 2},
    {"trace: one records, two traces end", one_records, check_end, .preemptions = 6},
    {"trace: who ends it awaits nobody", two_record, check_end, .variant = AWAITS_NOBODY, .preemptions = 2, .must_fail = true},
    {"trace: the store and the look of who records in no order", two_record, check_end, .preemptions = 2, .must_fail = true, .without = {"add_to", MODEL_ACQUIRE}},
    {"trace: records without release", two_record, check_end, .preemptions = 2, .must_fail = true, .without = {"add_to", MODEL_RELEASE}},
    {"trace: the exchange and the looks of who ends it in no order", two_record, check_end, .preemptions = 2, .must_fail = true, .without = {"tp_trace_stop", MODEL_ACQUIRE}},
    {"trace: the wait without acquire", two_record, check_end, .preemptions = 2, .must_fail = true, .without = {"await_writers", MODEL_ACQUIRE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
