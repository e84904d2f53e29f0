/* The running task: runs, defers, panics. The argument is in docs/tasks.md.
 * Invariant: a panic never returns into the frames it leaves, and takes each defer off before it runs it. */
#include "run.h"

#include "base/assert.h"
#include "base/status.h"
#include "fibers.h"
#include "forks.h"
#include "track.h"

#include "../coro/local.h"

#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 64,
    LEVELS = 16 }; /* panics inside of panics; beyond, new defers of the inner one are left out [TASK-7] */

/* A panic under way, in the frame of its tp_panic. */
struct tp_unwind {
    struct tp_unwind *outer; /* the panic whose defer or handler panicked */
    struct tp_defer *floor;  /* defers from here on are not this panic's */
    struct tp_defer *rest;   /* what was left when the current call began: the floor of a panic in it */
    jmp_buf point;           /* behind that call */
    unsigned level;
    bool in_handler; /* the current call, or one around it, is the handler */
    void *frames[FRAMES];
    int n_frames;
    char message[sizeof((struct tp_run *)0)->message];
};

void tp_run_enter(struct tp_run *run)
{
    tp_forks_publish();               /* as of the run around it [FORK-2] */
    void **innermost = tp_co_local(); /* of the coroutine, or of the thread outside of any */
    run->outer = *innermost;
    run->defers = NULL;
    run->unwind = NULL;
    run->locals = NULL;
    run->n_shields = 0;
    run->branches = NULL;
    *innermost = run;
}

void tp_run_leave(struct tp_run *run)
{
    void **innermost = tp_co_local();
    tp_assert(*innermost == run && !run->defers && !run->unwind && !run->branches);
    *innermost = run->outer;
}

struct tp_run *tp_run_self(void)
{
    return *tp__co_local();
}

/* Runs that surround the caller: those of its own stack, then of who has resumed its coroutine, and so on. */
struct around {
    struct tp_run *run; /* NULL: there are no more */
    const struct tp_co *co;
};

static void skip_empty(struct around *at)
{
    while (!at->run && at->co) {
        at->co = tp_co_resumer(at->co);
        at->run = tp_co_local_of(at->co);
    }
}

static struct around around_first(void)
{
    struct around at = {tp_run_self(), tp_co_self()};
    skip_empty(&at);
    return at;
}

static void around_next(struct around *at)
{
    if (at->run->fiber)
        at->co = NULL; /* below is whichever worker has it now */
    at->run = at->run->outer;
    skip_empty(at);
}

struct tp_run *tp_run_around(void)
{
    return around_first().run;
}

unsigned tp_run_depth(const void *owner)
{
    unsigned n = 0;
    for (struct around at = around_first(); at.run; around_next(&at))
        n += at.run->owner == owner;
    return n;
}

bool tp_run_is_inside(const void *owner, uint64_t id)
{
    for (struct around at = around_first(); at.run; around_next(&at))
        if (at.run->owner == owner && at.run->id == id)
            return true;
    return false;
}

struct tp_run *tp__run_of_timer(const struct tp_timer *timer)
{
    struct around at = around_first();
    while (at.run && at.run->timer != timer)
        around_next(&at);
    return at.run;
}

/* The run of the task: behind the protections. */
static struct tp_run *behind_protections(struct tp_run *run)
{
    while (run && run->is_protection && run->outer)
        run = run->outer;
    return run;
}

struct tp_run *tp_run_here(void)
{
    return behind_protections(*tp__co_local());
}

/* Not on this stack: of who has resumed this coroutine. */
static __attribute__((noinline)) struct tp_run *task_around(struct tp_run *here)
{
    struct around at = around_first();
    while (at.run && at.run->is_protection)
        around_next(&at);
    return at.run ? at.run : here;
}

struct tp_run *tp_run_task(void)
{
    struct tp_run *here = tp_run_here();
    return __builtin_expect(here && !here->is_protection, 1) ? here : task_around(here);
}

/* A panic ended a part of the task that had begun shields: those before it stay. */
static void restore_shields(uint32_t n_shields)
{
    struct tp_run *task = tp_run_here();
    if (!task || task->n_shields == n_shields)
        return;
    task->n_shields = n_shields;
    if (n_shields == 0 && task->fiber)
        tp_cycle_unshield(&task->fiber->cycle);
}

void tp__run_part(struct tp_run *run, struct tp_run *parent, unsigned worker)
{
    struct tp_run *task = behind_protections(parent);
    memset(run, 0, sizeof *run);
    run->worker = worker;
    if (!task)
        return;
    run->lead = task->lead ? task->lead : task;
    run->owner = task->owner;
    run->ops = task->ops;
    run->pool = task->pool;
    run->id = task->id;
    run->track = task->track;
    run->on_panic = task->on_panic;
    run->context = task->context;
}

int tp_task_protect(int (*entry)(void *argument), void *argument)
{
    const struct tp_run *task = tp_run_here();
    uint32_t n_shields = task ? task->n_shields : 0;
    struct tp_run run;
    memset(&run, 0, sizeof run);
    run.is_protection = true;
    run.worker = UINT32_MAX;
    int code;
    tp_run_enter(&run);
    if (setjmp(run.point) == 0)
        code = entry(argument);
    else
        code = TP_EPANICKED;
    tp_run_leave(&run);
    if (code == TP_EPANICKED)
        restore_shields(n_shields);
    return code;
}

int tp_task_check(void)
{
    const struct tp_run *here = tp_run_here();
    if (here && (!here->is_protection || here->n_shields > 0)) /* the task, or a coroutine in it that is shielded by itself */
        return tp_run_check(here);
    const struct tp_run *run = tp_run_task();
    return run ? tp_run_check(run) : 0;
}

int tp_run_check(const struct tp_run *run)
{
    if (run->n_shields > 0)
        return 0;
    if (run->lead)
        run = run->lead;
    /* Relaxed: requests, which publish nothing; a later look sees what this one has missed. */
    if (run->stop && tp_load_rlx(run->stop) != 0)
        return TP_ECANCELED;
    if (run->id != 0 && run->track && tp_track_is_asked(run->track, run->id))
        return TP_ECANCELED;
    if (run->fiber && tp_cycle_is_asked(&run->fiber->cycle))
        return TP_ECANCELED;
    bool is_overdue = run->serial != 0 && tp_load_rlx(&run->overdue) == run->serial; /* relaxed: as above */
    return is_overdue ? TP_ETIMEDOUT : 0;
}

uint64_t tp_task_id(void)
{
    const struct tp_run *run = tp_run_task();
    return run ? run->id : 0;
}

/* -- defers ----------------------------------------------------------------------------------- */

void tp_defer_push(struct tp_defer *node, void (*run)(void *argument), void *argument)
{
    struct tp_run *task = tp_run_self();
    struct tp_defer **list = task ? &task->defers : NULL; /* outside of tasks nobody but tp_defer_pop needs it */
    *node = (struct tp_defer){.outer = list ? *list : NULL, .list = list, .run = run, .argument = argument};
    if (list)
        *list = node;
}

void tp_defer_pop(struct tp_defer *node)
{
    if (node->list) {
        tp_assert(*node->list == node);
        *node->list = node->outer;
    }
    node->run(node->argument);
}

/* -- panics ----------------------------------------------------------------------------------- */

static struct tp_panic_report describe(const struct tp_run *task, const struct tp_unwind *unwind, const void *caller)
{
    struct tp_panic_report panic = {.worker = UINT32_MAX, .message = unwind->message};
    int first = 0;
    while (first < unwind->n_frames && unwind->frames[first] != caller)
        first++;
    if (first == unwind->n_frames) /* not found: better too many */
        first = 0;
    panic.frames = unwind->frames + first;
    panic.n_frames = unwind->n_frames - first;
    if (task) {
        panic.pool = task->pool;
        panic.worker = task->worker;
        panic.id = task->id;
    }
    return panic;
}

/* A call that may panic: then it ends here. */
static void attempt_defer(struct tp_unwind *unwind, struct tp_defer *node)
{
    if (setjmp(unwind->point) == 0)
        node->run(node->argument);
}

static void attempt_handler(struct tp_unwind *unwind, const struct tp_run *task, const struct tp_panic_report *panic)
{
    if (setjmp(unwind->point) == 0)
        task->on_panic(panic, task->context);
}

/* Is the panic in `run` one of the task's handler, which may have protected itself? */
static bool is_in_handler(const struct tp_run *run)
{
    while (!run->unwind && run->is_protection && run->outer)
        run = run->outer;
    return run->unwind && run->unwind->in_handler;
}

static void run_defers(struct tp_run *run, struct tp_unwind *unwind)
{
    if (unwind->level > LEVELS)
        run->defers = unwind->floor;
    while (run->defers != unwind->floor) {
        struct tp_defer *node = run->defers;
        run->defers = unwind->rest = node->outer;
        attempt_defer(unwind, node);
        run->unwind = unwind;
    }
}

static void report(struct tp_run *run, struct tp_unwind *unwind, const struct tp_panic_report *panic)
{
    const struct tp_run *task = tp_run_task();
    if (unwind->in_handler || !task->on_panic) {
        tp_panic_log(panic, NULL);
        return;
    }
    unwind->in_handler = true;
    unwind->rest = run->defers;
    attempt_handler(unwind, task, panic);
    run->unwind = unwind;
}

/* Leaves the run, or the call that the panic under way has made: what that has forked is over, its defers run, it is reported. */
static _Noreturn void unwind_run(struct tp_run *run, struct tp_unwind *unwind, const struct tp_panic_report *panic)
{
    tp__forks_settle(run); /* before the defers, which may free what branches use [FORK-5] */
    unwind->outer = run->unwind;
    unwind->in_handler = is_in_handler(run);
    if (unwind->outer) {
        unwind->floor = unwind->outer->rest;
        unwind->level = unwind->outer->level + 1;
    } else {
        snprintf(run->message, sizeof run->message, "%s", unwind->message);
    }
    run->unwind = unwind;
    run_defers(run, unwind);
    if (panic)
        report(run, unwind, panic);
    run->unwind = unwind->outer;
    if (unwind->outer)
        longjmp(unwind->outer->point, 1);
    run->n_shields = 0; /* that of the life cycle ends with the life */
    longjmp(run->point, 1);
}

void tp_panic(const char *format, ...)
{
    struct tp_run *run = tp_run_self();
    struct tp_unwind unwind = {.n_frames = 0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(unwind.message, sizeof unwind.message, format, arguments);
    va_end(arguments);
    unwind.n_frames = backtrace(unwind.frames, FRAMES);
    struct tp_panic_report panic = describe(tp_run_task(), &unwind, __builtin_return_address(0));
    if (!run) {
        tp_panic_log(&panic, NULL);
        abort();
    }
    unwind_run(run, &unwind, &panic);
}

void tp__panic_again(const char *message)
{
    struct tp_run *run = tp_run_self();
    struct tp_unwind unwind = {.n_frames = 0};
    if (!run)
        abort(); /* it was reported */
    snprintf(unwind.message, sizeof unwind.message, "%s", message);
    unwind_run(run, &unwind, NULL);
}
