/* Coroutines in the explorer, in place of coro/ and runtime/run.c: tasks run on stacks of their own, on whichever thread of the model
 * resumes them, so that the library's own waits are what is explored. The switch itself is a jump that the explorer does not see.
 * Invariant: nothing here outlives an execution but the stacks' first frames, to which every execution jumps back. */
#include "model.h"

#include "coro/coro.h"
#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/fibers.h"
#include "runtime/fork.h"
#include "stacks.h"

#include <setjmp.h>
#include <string.h>
#include <ucontext.h>

enum { COROUTINES_MAX = 4,
    THREADS_MAX = 8,
    STACK_BYTES = 64 * 1024 };

struct tp_co {
    jmp_buf top;     /* the stack's first frame, once there is one */
    jmp_buf *resume; /* where it goes on */
    jmp_buf *back;   /* who has resumed it */
    bool has_stack, has_begun;
    void *(*entry)(void *argument);
    struct tp_fiber *fiber;
};

static struct tp_co coroutines[COROUTINES_MAX];
static unsigned n_coroutines;
static struct tp_co *running[THREADS_MAX];
static _Alignas(64) char stacks[COROUTINES_MAX][STACK_BYTES];
static jmp_buf creator;
static struct tp_co *created;

void model_stacks_begin(void)
{
    n_coroutines = 0;
    memset(running, 0, sizeof running);
}

/* At the bottom of each stack. */
static void bottom(void)
{
    if (_setjmp(created->top) == 0)
        _longjmp(creator, 1);
    struct tp_co *self = running[model_self()];
    self->entry(self->fiber);
    model_check(false); /* a fiber's function does not return */
}

static void make_stack(struct tp_co *co)
{
    static ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = stacks[co - coroutines];
    context.uc_stack.ss_size = STACK_BYTES;
    context.uc_link = NULL;
    makecontext(&context, bottom, 0);
    created = co;
    co->has_stack = true;
    if (_setjmp(creator) == 0)
        setcontext(&context);
}

int tp_co_new(struct tp_co **co, void *(*entry)(void *argument), void *argument, const struct tp_co_options *options)
{
    (void)options;
    model_check(n_coroutines < COROUTINES_MAX);
    struct tp_co *new_one = &coroutines[n_coroutines++];
    if (!new_one->has_stack)
        make_stack(new_one);
    new_one->entry = entry;
    new_one->fiber = argument;
    new_one->resume = &new_one->top;
    new_one->has_begun = false;
    *co = new_one;
    return 0;
}

/* Its run is the thread's innermost as long as it is here; the first time it says so itself. */
int tp_co_resume(struct tp_co *co, void *in, void **out)
{
    jmp_buf back;
    (void)in;
    (void)out;
    if (co->has_begun)
        tp_run_enter(&co->fiber->run);
    co->has_begun = true;
    co->back = &back;
    model_check(!running[model_self()]);
    running[model_self()] = co;
    if (_setjmp(back) == 0)
        _longjmp(*co->resume, 1);
    running[model_self()] = NULL;
    tp_run_leave(tp_run_self());
    return 0;
}

int tp_co_yield(void *out, void **in)
{
    jmp_buf at;
    struct tp_co *self = running[model_self()];
    (void)out;
    (void)in;
    self->resume = &at;
    if (_setjmp(at) == 0)
        _longjmp(*self->back, 1);
    return 0;
}

int tp_co_free(struct tp_co *co)
{
    (void)co;
    return 0;
}

int *tp_co_errno(void)
{
    static int error;
    return &error;
}

/* -- clean-up: so few fibers that there is none ------------------------------------------------------ */

bool tp_fibers_is_due(struct tp_fibers *fibers, uint64_t now_ns)
{
    (void)now_ns;
    model_check(fibers == NULL);
    return false;
}

void tp_fibers_tend(struct tp_fibers *fibers, uint64_t now_ns)
{
    (void)now_ns;
    model_check(fibers == NULL);
}

/* -- the running task ------------------------------------------------------------------------------- */

struct tp_run *tp_run_here(void)
{
    return tp_run_self();
}

struct tp_run *tp_run_task(void)
{
    return tp_run_self();
}

int tp_run_check(const struct tp_run *run)
{
    bool is_stopped = run->stop && tp_load_rlx(run->stop) != 0; /* relaxed: as in runtime/run.c */
    return is_stopped || (run->fiber && tp_cycle_is_asked(&run->fiber->cycle)) ? TP_ECANCELED : 0;
}

int tp_task_check(void)
{
    const struct tp_run *run = tp_run_self();
    return run ? tp_run_check(run) : 0;
}

void tp_forks_publish(void)
{
}
