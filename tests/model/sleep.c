/* Waiting: pauses, futexes and time. Stands in for runtime/futex.c and runtime/clock.c.
 * Time stands still but for waits that end by it. */
#include "explorer.h"

#include "model_atomic.h"
#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/futex.h"

#include <sched.h>

static void give_way(enum status how, const char *what)
{
    if (!model.current)
        return;
    if (model.tracing)
        trace_line("%s", what);
    model.current->status = how;
    schedule();
}

void model_pause(void)
{
    give_way(PAUSING, "pause");
}

void model_yield(void)
{
    give_way(YIELDING, "yield");
}

int sched_yield(void)
{
    model_pause();
    return 0;
}

int tp_futex_wait(tp_atomic(uint32_t) *word, uint32_t expected, uint64_t deadline_ns)
{
    struct thread *self = model.current;
    memory_enter_kernel();
    uint32_t found = (uint32_t)memory_read(word, sizeof *word);
    if (model.tracing)
        trace_line("futex wait %p for change of %x: %s", (void *)word, expected, found == expected ? "sleeps" : "changed");
    if (found != expected)
        return 0;
    if (deadline_ns <= tp_clock_now_ns())
        return TP_ETIMEDOUT;
    for (unsigned i = 0; i < model.n_threads; i++)
        if (model.threads[i].status == SLEEPING && model.threads[i].futex == word)
            self->chain = mix(self->chain, model.threads[i].chain);
    self->status = SLEEPING;
    self->futex = word;
    self->deadline_ns = deadline_ns;
    self->sleep_order = model.n_steps;
    schedule();
    self->chain = mix(self->chain, self->wake);
    if (model.tracing)
        trace_line("futex wait %p ends: %s", (void *)word,
            self->wake == WOKEN ? "woken" : self->wake == TIMED_OUT ? "timed out"
                                                                    : "for no reason");
    return self->wake == TIMED_OUT ? TP_ETIMEDOUT : 0;
}

void tp_futex_wake(tp_atomic(uint32_t) *word, int n)
{
    struct thread *self = model.current;
    if (!self)
        return;
    memory_enter_kernel();
    for (; n > 0; n--) {
        struct thread *first = NULL;
        for (unsigned i = 0; i < model.n_threads; i++) {
            struct thread *t = &model.threads[i];
            if (t->status == SLEEPING && t->futex == word && (!first || t->sleep_order < first->sleep_order))
                first = t;
        }
        if (!first)
            return;
        if (model.tracing)
            trace_line("futex wake %p: T%u", (void *)word, first->index);
        first->status = READY;
        first->wake = WOKEN;
        self->chain = mix(self->chain, first->chain);
    }
}

uint64_t tp_clock_now_ns(void)
{
    if (model.current)
        model.current->chain = mix(model.current->chain, model.now_ns);
    return model.now_ns;
}

uint64_t tp_deadline_in_ns(uint64_t duration_ns)
{
    uint64_t now = tp_clock_now_ns();
    return duration_ns < TP_FOREVER - now ? now + duration_ns : TP_FOREVER;
}

bool time_passes(void)
{
    struct thread *first = NULL;
    for (unsigned i = 0; i < model.n_threads; i++) {
        struct thread *t = &model.threads[i];
        if (t->status == SLEEPING && t->deadline_ns != TP_FOREVER && (!first || t->deadline_ns < first->deadline_ns))
            first = t;
    }
    if (!first)
        return false;
    model.now_ns = first->deadline_ns > model.now_ns ? first->deadline_ns : model.now_ns;
    first->status = READY;
    first->wake = TIMED_OUT;
    return true;
}
