/* Coroutines: the states, and what is per coroutine besides registers: errno, exceptions in flight, the floating-point
 * environment if wanted. The proof tags [CORO-1] to [CORO-5] are in docs/coroutines.md.
 * Invariant: all of it is exchanged before the stack is: by enter() on the way in, by leave() on the way out, which run on the
 * same thread [CORO-1]. After the switch of a yield the thread may be another one, so nothing is left to do there but to
 * return [CORO-2]. */
#include "coro_parts.h"
#include "local.h"

#include "../runtime/base/align.h"
#include "../runtime/base/apart.h"
#include "../runtime/base/assert.h"
#include "stack.h"

#include <errno.h>

enum { LEAST_BYTES = 2048 };

/* In the initial block of thread-locals, so that an access is one instruction rather than a call. */
#if defined(__GNUC__) && !defined(__clang_analyzer__)
#define INITIAL __attribute__((tls_model("initial-exec")))
#else
#define INITIAL
#endif

static _Thread_local struct thread {
    struct tp_co *current;
    int *error;                        /* the thread's errno; NULL: not looked up yet */
    struct tp__exceptions *exceptions; /* NULL: there is no C++ */
    void *local;                       /* of the thread outside of coroutines */
} thread INITIAL;

TP_TLS_DEFINE(void **, tp__local_place, NULL);

/* The C++ runtime's, if the program has one; this library does not need it. */
extern void *__cxa_get_globals(void) __attribute__((weak));

static const char namer_mark;
static tp_atomic(bool) has_namer; /* set by the first who makes a coroutine */

/* -- the switch ------------------------------------------------------------------------------------ */

/* The caller may resume: the coroutine is running from now on. Returns 0, or why not. */
static inline int claim(struct tp_co *co)
{
    /* Acquire: pairs with the release that ends a switch away; what the coroutine kept is visible [CORO-3]. */
    unsigned state = tp_load_acq(&co->state);
    if (state > TP_CO_SUSPENDED)
        return state == TP_CO_DONE ? TP_EDONE : TP_EBUSY;
#if TP_DEBUG
    /* Sequentially consistent, as there is no weaker one; losing means that another thread resumes it now [CORO-3]. */
    return tp_cas_sc(&co->state, &state, TP_CO_RUNNING) ? 0 : TP_EBUSY;
#else
    tp_store_rlx(&co->state, TP_CO_RUNNING); /* relaxed: for who asks; one thread resumes at a time [CORO-3] */
    return 0;
#endif
}

/* Called from the assembly, which link-time optimisation does not see. */
#define FROM_ASSEMBLY __attribute__((used))

static inline struct tp__way refuse(int status)
{
    return (struct tp__way){NULL, (void *)(intptr_t)status};
}

static inline struct tp__way way_in(struct tp_co *co)
{
    return co->at ? (struct tp__way){co->at, NULL} : (struct tp__way){co, co};
}

/* What few need stands at the end of each way, or is done once per thread: the rest calls nobody, and keeps to registers. */
static TP_APART struct tp__way enter_with_float(struct tp_co *co)
{
    tp__float_save(&co->resumer_floats);
    tp__float_load(&co->floats);
    return way_in(co);
}

static TP_APART struct tp__way leave_with_float(struct tp_co *co)
{
    tp__float_save(&co->floats);
    tp__float_load(&co->resumer_floats);
    return (struct tp__way){co->resumer_at, &co->state};
}

static TP_APART struct tp__way enter_first(struct tp_co *co, void *in, void **out, void *at)
{
    thread.exceptions = __cxa_get_globals ? __cxa_get_globals() : NULL;
    thread.error = &errno;
    return tp__co_enter(co, in, out, at);
}

FROM_ASSEMBLY struct tp__way tp__co_enter(struct tp_co *co, void *in, void **out, void *at)
{
    struct thread *own = &thread;
    if (!own->error)
        return enter_first(co, in, out, at);
    int status = co ? claim(co) : TP_EINVAL;
    if (status != 0)
        return refuse(status);
    struct tp_co *self = own->current;
    if (self)
        tp_store_rlx(&self->state, TP_CO_NORMAL); /* relaxed: for who asks; it is as little resumable as before */
    co->resumer = self;
    co->resumer_at = at;
    co->resumer_out = out;
    co->resumer_error = *own->error;
    *own->error = co->error;
    if (own->exceptions) {
        co->resumer_exceptions = *own->exceptions;
        *own->exceptions = co->exceptions;
    }
    own->current = co;
    tp__local_place = &co->local;
    if (co->in)
        *co->in = in;
    if (co->has_float)
        return enter_with_float(co);
    return way_in(co);
}

/* The resumer goes on, and gets `out`. */
static inline void go_back(struct thread *own, struct tp_co *co, void *out)
{
    struct tp_co *resumer = co->resumer;
    own->current = resumer;
    tp__local_place = resumer ? &resumer->local : &own->local;
    if (resumer)
        tp_store_rlx(&resumer->state, TP_CO_RUNNING); /* relaxed: as in tp__co_enter */
    if (co->resumer_out)
        *co->resumer_out = out;
}

FROM_ASSEMBLY struct tp__way tp__co_leave(void *out, void **in, void *at)
{
    struct thread *own = &thread;
    struct tp_co *co = own->current;
    if (!co)
        return refuse(TP_EOUTSIDE);
    co->error = *own->error;
    *own->error = co->resumer_error;
    if (own->exceptions) {
        co->exceptions = *own->exceptions;
        *own->exceptions = co->resumer_exceptions;
    }
    co->at = at;
    co->in = in;
    go_back(own, co, out);
    if (co->has_float)
        return leave_with_float(co);
    return (struct tp__way){co->resumer_at, &co->state};
}

#if !TP__CO_ASSEMBLY
/* In C, for processors without assembly here and for checkers that must be told on both sides of a switch. */
TP_APART int tp_co_resume(struct tp_co *co, void *in, void **out)
{
    struct tp__way way = tp__co_enter(co, in, out, NULL);
    if (!way.to)
        return (int)(intptr_t)way.word;
    void *mine = tp__check_enter(&co->check);
    tp__switch(&co->resumer_at, way.to, NULL);
    tp__check_left(&co->check, mine);
    if (co->next_state == TP_CO_DONE)
        tp__check_end(&co->check);
    /* Release: pairs with the acquire in claim and tp_co_state; nobody is on its stack any more. */
    tp_store_rel(&co->state, co->next_state);
    return 0;
}

TP_APART int tp_co_yield(void *out, void **in)
{
    struct tp_co *co = thread.current;
    struct tp__way way = tp__co_leave(out, in, NULL);
    if (!way.to)
        return (int)(intptr_t)way.word;
    tp__check_leave(&co->check);
    tp__switch(&co->at, way.to, NULL);
    tp__check_entered(&co->check);
    return 0;
}
#endif

/* What it keeps while it is suspended is as before the first resume. */
static inline void forget(struct tp_co *co)
{
    co->at = NULL;
    co->in = NULL;
    co->local = NULL;
    co->error = 0;
    co->exceptions = (struct tp__exceptions){NULL, 0};
}

/* The first function on each stack. No `ret` crosses the switch [CORO-4], but the last one [CORO-5]. */
#if TP__CO_ASSEMBLY
/* Apart from what ran before, perhaps on another thread [CORO-2]. */
static TP_APART struct tp__way end(struct tp_co *co, void *value)
{
    struct thread *own = &thread;
    *own->error = co->resumer_error;
    if (own->exceptions)
        *own->exceptions = co->resumer_exceptions;
    forget(co);
    co->next_state = TP_CO_DONE;
    go_back(own, co, value);
    if (co->has_float)
        return leave_with_float(co);
    return (struct tp__way){co->resumer_at, &co->state};
}

FROM_ASSEMBLY struct tp__way tp__co_run(struct tp_co *co)
{
    return end(co, co->entry(co->argument));
}
#else
static void begin(void *value, void *argument)
{
    struct tp_co *co = argument;
    (void)value;
    tp__check_entered(&co->check);
    value = co->entry(co->argument);
    co->next_state = TP_CO_DONE;
    tp_co_yield(value, NULL);
}

void tp__co_prepare(struct tp_co *co)
{
    forget(co);
    co->at = tp__switch_make(co->check.low, co->check.low + co->check.bytes, begin, co);
}
#endif

/* -- making and ending ----------------------------------------------------------------------------- */

/* The control block, at the high end of the stack. */
static struct tp_co *block_of(const struct tp_stack *stack)
{
    size_t bytes = (sizeof(struct tp_co) + 63) & ~(size_t)63;
    return (struct tp_co *)(void *)(stack->top - bytes);
}

/* Whose stack is it? For a report: called in a signal handler. */
static const char *name_of(const struct tp_stack *stack)
{
    const struct tp_co *co = block_of(stack);
    return co->mark == &namer_mark ? co->name : NULL;
}

int tp_co_new_on(struct tp_co **out, struct tp_stack *stack, void *(*entry)(void *argument), void *argument,
    const struct tp_co_options *options)
{
    if (!entry || !stack)
        return TP_EINVAL;
    struct tp_co *co = block_of(stack);
    if ((char *)co < stack->low || (char *)co - stack->low < LEAST_BYTES)
        return TP_EINVAL;
    *co = (struct tp_co){
        .stack = stack,
        .name = options ? options->name : NULL,
        .has_float = options && options->fp_environment,
        .mark = &namer_mark,
    };
    tp__check_init(&co->check, stack->low, (char *)co);
    tp_atomic_init(&co->state, TP_CO_READY);
    co->entry = entry;
    co->argument = argument;
    tp__co_again(co);
    *out = co;
    return 0;
}

int tp_co_new(struct tp_co **out, void *(*entry)(void *argument), void *argument, const struct tp_co_options *options)
{
    struct tp_stack *stack;
    struct tp_co *co;
    size_t bytes = options && options->stack_bytes != 0 ? options->stack_bytes : TP_CO_STACK_BYTES;
    if (!entry)
        return TP_EINVAL;
    if (!tp_load_rlx(&has_namer)) { /* relaxed: a hint; to set it twice does no harm */
        tp_stack_set_namer(name_of);
        tp_store_rlx(&has_namer, true); /* relaxed: as above */
    }
    int status = tp_stack_acquire(bytes, &stack);
    if (status != 0)
        return status;
    status = tp_co_new_on(&co, stack, entry, argument, options);
    if (status != 0) {
        tp_stack_release(stack);
        return status;
    }
    co->owns_stack = true;
    *out = co;
    return 0;
}

int tp_co_reset(struct tp_co *co, void *(*entry)(void *argument), void *argument)
{
    if (!co || !entry)
        return TP_EINVAL;
    enum tp_co_state state = tp_co_state(co);
    if (state != TP_CO_DONE && state != TP_CO_READY)
        return TP_EBUSY;
    co->entry = entry;
    co->argument = argument;
    tp__co_again(co);
    return 0;
}

int tp_co_free(struct tp_co *co)
{
    if (!co)
        return 0;
    enum tp_co_state state = tp_co_state(co);
    if (state == TP_CO_RUNNING || state == TP_CO_NORMAL)
        return TP_EBUSY;
    struct tp_stack *stack = co->stack;
    bool owns_stack = co->owns_stack;
    tp__check_free(&co->check);
    co->mark = NULL;
    if (owns_stack)
        tp_stack_release(stack);
    return 0;
}

/* -- asking ---------------------------------------------------------------------------------------- */

enum tp_co_state tp_co_state(const struct tp_co *co)
{
    return tp__co_state(co);
}

TP_APART struct tp_co *tp_co_self(void)
{
    __asm__ volatile(""
                     :
                     :
                     : "memory"); /* not a constant, whatever the compiler sees */
    return thread.current;
}

TP_APART void **tp_co_local(void)
{
    __asm__ volatile(""
                     :
                     :
                     : "memory"); /* as above */
    void **place = thread.current ? &thread.current->local : &thread.local;
    tp__local_place = place;
    return place;
}

struct tp_co *tp_co_resumer(const struct tp_co *co)
{
    return co->resumer;
}

TP_APART void *tp_co_local_of(const struct tp_co *co)
{
    return co ? co->local : thread.local;
}

TP_APART int *tp_co_errno(void)
{
    __asm__ volatile(""
                     :
                     :
                     : "memory"); /* as above */
    return &errno;
}

void *tp_co_argument(const struct tp_co *co, void *(*entry)(void *argument))
{
    return co && co->entry == entry ? co->argument : NULL;
}

TP__CHECK_NOTHING uintptr_t tp__co_left_at(const struct tp_co *co)
{
    return tp_load_rlx((const tp_atomic(uintptr_t) *)(const void *)&co->at); /* relaxed: who asks looks at the state again */
}

const char *tp_co_name(const struct tp_co *co)
{
    return co->name;
}

struct tp_stack *tp_co_stack(const struct tp_co *co)
{
    return co->stack;
}
