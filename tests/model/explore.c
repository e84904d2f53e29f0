/* Schedules: fibers, the depth-first search over all choices, and the report of a failure. */
#include "explorer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { PATH_MAX = 1 << 14,
    STEPS_MAX = 3000,
    ROUNDS_MAX = 64,
    SEEN_BITS = 22 };

enum outcome { PASSED,
    PRUNED,
    FAILED };

struct execution model;

/* -- choices ---------------------------------------------------------------------------------- */

static struct {
    uint16_t taken, n;
} path[PATH_MAX];
static unsigned path_length, path_at;
static unsigned bound, n_preemptions; /* allowed and done */
static jmp_buf controller, creator;
static enum outcome outcome; /* of the execution that just ended */

static _Noreturn void leave(enum outcome how)
{
    outcome = how;
    _longjmp(controller, 1);
}

/* Where a state was reached before with as many preemptions left, there is nothing new. A state
 * is its history up to reordering of independent operations, as a hash. */
static struct {
    uint64_t key;
    unsigned stamp, left;
} * seen;
static unsigned seen_stamp, n_seen;

unsigned choose(unsigned n)
{
    if (n < 2)
        return 0;
    if (path_at == path_length) {
        if (path_length == PATH_MAX)
            model_fail(__FILE__, __LINE__, "too many choices in one execution");
        path[path_length].taken = 0;
        path[path_length].n = (uint16_t)n;
        path_length++;
    } else if (path[path_at].n != n) {
        fprintf(stderr, "model: %s: not deterministic\n", model.scenario->name);
        exit(2);
    }
    return path[path_at++].taken;
}

unsigned model_choose(unsigned n)
{
    unsigned chosen = choose(n);
    if (model.current) /* what the thread chose is part of what it has seen */
        model.current->chain = mix(model.current->chain, chosen + 1);
    return chosen;
}

/* The next path in depth-first order; false if there is none. */
static bool path_advance(void)
{
    while (path_length > 0 && path[path_length - 1].taken + 1 == path[path_length - 1].n)
        path_length--;
    if (path_length == 0)
        return false;
    path[path_length - 1].taken++;
    return true;
}

static bool seen_before(void)
{
    uint64_t key = mix(model.signature, model.current->index);
    for (unsigned i = 0; i < model.n_threads; i++)
        key = mix(key, mix(model.threads[i].chain, model.threads[i].status));
    key = mix(key, (uint64_t)model.n_timeouts << 32 | model.n_spurious);
    key = mix(key, model.now_ns);
    unsigned left = bound - n_preemptions;
    for (uint64_t i = key;; i++) {
        i &= (UINT64_C(1) << SEEN_BITS) - 1;
        if (seen[i].stamp != seen_stamp) {
            if (n_seen < 3u << (SEEN_BITS - 2)) { /* a full table only prunes less */
                seen[i].key = key;
                seen[i].stamp = seen_stamp;
                seen[i].left = left;
                n_seen++;
            }
            return false;
        }
        if (seen[i].key == key) {
            if (seen[i].left >= left)
                return true;
            seen[i].left = left;
            return false;
        }
    }
}

/* -- fibers ----------------------------------------------------------------------------------- */

static _Noreturn void thread_end(void)
{
    model.current->status = ENDED;
    for (unsigned i = 0; i < model.n_threads; i++) {
        struct thread *t = &model.threads[i];
        if (t->status == JOINING && t->joined == model.current->index)
            t->status = READY;
    }
    schedule();
    abort();
}

/* One frame at the bottom of each stack, entered once; every execution jumps back into it. */
static void fiber_main(void)
{
    if (_setjmp(model.current->top) == 0)
        _longjmp(creator, 1);
    model.current->body(model.current->argument);
    thread_end();
}

static void fiber_create(struct thread *t)
{
    static ucontext_t context;
    t->stack = aligned_alloc(4096, STACK_BYTES);
    getcontext(&context);
    context.uc_stack.ss_sp = t->stack;
    context.uc_stack.ss_size = STACK_BYTES;
    context.uc_link = NULL;
    makecontext(&context, fiber_main, 0);
    struct thread *before = model.current;
    model.current = t;
    if (_setjmp(creator) == 0)
        setcontext(&context);
    model.current = before;
}

unsigned model_thread(void (*body)(void *), void *argument)
{
    if (model.n_threads == THREADS_MAX)
        model_fail(__FILE__, __LINE__, "too many threads");
    struct thread *t = &model.threads[model.n_threads];
    t->index = model.n_threads++;
    if (!t->stack)
        fiber_create(t);
    t->status = READY;
    t->resume = &t->top;
    t->body = body;
    t->argument = argument;
    t->n_buffered = 0;
    t->draining = false;
    t->chain = t->index;
    memset(&t->clock, 0, sizeof t->clock);
    memset(&t->pending, 0, sizeof t->pending);
    memset(&t->fenced, 0, sizeof t->fenced);
    if (model.current) {
        t->chain = mix(model.current->chain, t->index);
        model.current->chain = mix(model.current->chain, t->chain);
        clock_join(&t->clock, &model.current->clock);
        model.current->clock.at[model.current->index]++;
    }
    t->clock.at[t->index] = 1;
    return t->index;
}

void model_join(unsigned index)
{
    struct thread *self = model.current, *other = &model.threads[index];
    if (!self) {
        model_check(other->status == ENDED);
        return;
    }
    if (other->status != ENDED) {
        self->status = JOINING;
        self->joined = index;
        schedule();
    }
    self->chain = mix(self->chain, other->chain);
    clock_join(&self->clock, &other->clock);
    memory_drain(other);
}

unsigned model_self(void)
{
    return model.current ? model.current->index : UINT32_MAX;
}

/* -- the scheduler ---------------------------------------------------------------------------- */

struct turn {
    struct thread *thread;
    unsigned cost;  /* in preemptions */
    enum wake wake; /* how it gets up, if it sleeps */
};

static unsigned list_turns(struct turn *turns)
{
    unsigned n = 0;
    struct thread *self = model.current;
    unsigned cost = self->status == READY; /* of any other */
    bool may_pay = n_preemptions < bound;
    if (self->status == READY)
        turns[n++] = (struct turn){self, 0, WOKEN};
    for (unsigned i = 0; i < model.n_threads && cost <= may_pay; i++) {
        struct thread *t = &model.threads[i];
        if (t->status == READY && t != self)
            turns[n++] = (struct turn){t, cost, WOKEN};
        if (t->status == PAUSING && may_pay)
            turns[n++] = (struct turn){t, 1, WOKEN};
        if (t->status != SLEEPING)
            continue;
        if (t->deadline_ns != UINT64_MAX && model.n_timeouts < model.scenario->timeouts)
            turns[n++] = (struct turn){t, cost, TIMED_OUT};
        if (model.n_spurious < model.scenario->spurious)
            turns[n++] = (struct turn){t, cost, SPURIOUS};
    }
    return n;
}

static bool any_with(enum status status)
{
    for (unsigned i = 0; i < model.n_threads; i++)
        if (model.threads[i].status == status)
            return true;
    return false;
}

/* Nobody can go on: stores become visible in the end, spinning goes on, time passes. */
static void unblock(void)
{
    if (memory_flush_all())
        return;
    if (any_with(PAUSING) || any_with(YIELDING)) {
        if (++model.n_rounds > ROUNDS_MAX)
            model_fail(__FILE__, __LINE__, "livelock: threads spin for a change that never comes");
        for (unsigned i = 0; i < model.n_threads; i++)
            if (model.threads[i].status == PAUSING || model.threads[i].status == YIELDING)
                model.threads[i].status = READY;
        return;
    }
    if (!any_with(SLEEPING) && !any_with(JOINING))
        leave(PASSED);
    if (time_passes())
        return;
    model.current = NULL;
    if (model.scenario->at_rest && model.scenario->at_rest())
        leave(PASSED);
    model_fail(__FILE__, __LINE__, "deadlock: every thread that is left sleeps");
}

void schedule(void)
{
    struct thread *self = model.current;
    struct turn turns[2 * THREADS_MAX];
    unsigned n;
    if (++model.n_steps > STEPS_MAX)
        model_fail(__FILE__, __LINE__, "livelock: too many steps");
    while ((n = list_turns(turns)) == 0)
        unblock();
    if (n > 1 && path_at == path_length && seen_before())
        leave(PRUNED);
    struct turn turn = turns[choose(n)];
    struct thread *next = turn.thread;
    n_preemptions += turn.cost;
    if (next->status == SLEEPING) {
        next->wake = turn.wake;
        model.n_timeouts += turn.wake == TIMED_OUT;
        model.n_spurious += turn.wake == SPURIOUS;
        if (turn.wake == TIMED_OUT && model.now_ns < next->deadline_ns)
            model.now_ns = next->deadline_ns;
    }
    next->status = READY;
    if (next == self)
        return;
    jmp_buf *resume = next->resume;
    next->resume = &next->middle;
    model.current = next;
    if (_setjmp(self->middle) == 0)
        _longjmp(*resume, 1);
}

/* -- runs and reports ------------------------------------------------------------------------- */

static struct {
    const char *file, *what;
    int line;
} failure;

_Noreturn void model_fail(const char *file, int line, const char *what)
{
    failure.file = file;
    failure.line = line;
    failure.what = what;
    leave(FAILED);
}

void trace_line(const char *format, ...)
{
    va_list arguments;
    if (model.current)
        printf("  %*sT%u ", (int)model.current->index * 2, "", model.current->index);
    else
        printf("  ");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

/* One execution along the path, as far as the path goes, and on with first choices. */
static void run_once(const struct model_scenario *scenario)
{
    model.scenario = scenario;
    model.current = NULL;
    model.n_threads = model.n_buffered = model.n_timeouts = model.n_spurious = 0;
    model.n_steps = model.signature = 0;
    model.now_ns = 1000;
    model.number++;
    path_at = n_preemptions = model.n_rounds = 0;
    memory_reset();
    race_reset();
    if (_setjmp(controller) == 0) {
        scenario->set_up(scenario->variant);
        model.current = &model.threads[choose(model.n_threads)];
        model.current->resume = &model.current->middle;
        _longjmp(model.current->top, 1);
    }
    model.current = NULL;
    if (outcome == PASSED && scenario->tear_down && _setjmp(controller) == 0)
        scenario->tear_down();
}

static void print_failure(const struct model_scenario *scenario)
{
    model.tracing = true;
    printf("  a failing schedule (%u preemptions):\n", bound);
    run_once(scenario);
    printf("  %s:%d: %s\n", failure.file, failure.line, failure.what);
    model.tracing = false;
}

/* A seeded bug that has not shown by then is not going to. */
enum { MUST_FAIL_WITHIN = 500000 };

/* Context bounds 0, 1, ... in turn, so that a failure comes with the fewest preemptions. */
static bool run_scenario(const struct model_scenario *scenario)
{
    uint64_t max_executions = scenario->max_executions;
    if (max_executions == 0)
        max_executions = scenario->must_fail ? MUST_FAIL_WITHIN : UINT64_MAX;
    uint64_t n_executions = 0, n_pruned = 0, n_steps = 0;
    bool capped = false, failed = false;
    for (bound = 0; bound <= scenario->preemptions && !failed && !capped; bound++) {
        path_length = 0;
        seen_stamp++;
        n_seen = 0;
        do {
            run_once(scenario);
            n_executions++;
            n_steps += model.n_steps;
            n_pruned += outcome == PRUNED;
            failed = outcome == FAILED;
            capped = n_executions >= max_executions;
        } while (!failed && !capped && path_advance());
    }
    bound--;
    bool as_wanted = failed == scenario->must_fail;
    printf("%s %s: ", as_wanted ? "ok" : "FAILED", scenario->name);
    if (failed && scenario->must_fail)
        printf("caught after %" PRIu64 " executions: %s\n", n_executions, failure.what);
    else if (failed)
        printf("failed after %" PRIu64 " executions\n", n_executions);
    else
        printf("%" PRIu64 " executions (%" PRIu64 " cut as seen), %" PRIu64 " steps, %s %u preemptions\n", n_executions,
            n_pruned, n_steps, capped ? "capped within" : "all within", bound);
    if (failed && (!as_wanted || getenv("MODEL_TRACE")))
        print_failure(scenario);
    fflush(stdout);
    return as_wanted;
}

int model_main(const struct model_scenario *scenarios, size_t n)
{
    seen = calloc((size_t)1 << SEEN_BITS, sizeof *seen);
    const char *only = getenv("MODEL_ONLY");
    unsigned n_run = 0, n_failed = 0;
    for (size_t i = 0; i < n; i++)
        if (!only || strstr(scenarios[i].name, only)) {
            n_run++;
            n_failed += !run_scenario(&scenarios[i]);
        }
    free(seen);
    printf("%u passed, %u failed\n", n_run - n_failed, n_failed);
    return n_failed != 0;
}
