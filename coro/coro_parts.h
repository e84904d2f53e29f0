/* The control block of a coroutine, and what can be done to it in line. For coro/coro.c and coro/copool*.c alone.
 * Invariant: where the switch is in assembly, all but the two states of one that has ended is as it was before its first resume, so that it
 * begins anew at the price of two stores. */
#ifndef TP_CORO_PARTS_H
#define TP_CORO_PARTS_H

#include "coro.h"

#include "../runtime/base/atomic.h"
#include "sanitize.h"
#include "switch.h"

/* What the C++ ABI keeps per thread: caught exceptions, and the number of those thrown and not caught yet. */
struct tp__exceptions {
    void *caught;
    unsigned n_uncaught;
};

struct tp_co {
    tp_atomic(unsigned) state; /* enum tp_co_state. Written by who resumes, one at a time; SUSPENDED and DONE publish all else */
    unsigned next_state;       /* after the next yield or end; right behind the state, where the assembly finds it */
    void *at;                  /* where it goes on; NULL: at the beginning, if that is in assembly */
    void **in;                 /* where its yield wants the value; NULL: nowhere */
    int error;                 /* errno, while it is not running */
    bool has_float;
    bool owns_stack;
    struct tp__exceptions exceptions; /* while it is not running */

    /* Of who has resumed it; while it is running. */
    void *resumer_at;
    void **resumer_out;
    struct tp_co *resumer; /* NULL: not a coroutine */
    int resumer_error;
    struct tp__exceptions resumer_exceptions;

    void *local; /* see tp_co_local */
    void *(*entry)(void *argument);
    void *argument;
    struct tp_stack *stack;
    const char *name;
    const void *mark; /* tells the namer that this is a coroutine */
    struct tp__float floats, resumer_floats;
    struct tp__check check;
};

/* As tp_co_state. */
static inline enum tp_co_state tp__co_state(const struct tp_co *co)
{
    /* Acquire: pairs with the release in tp_co_resume. */
    return (enum tp_co_state)tp_load_acq(&((struct tp_co *)co)->state);
}

#if !TP__CO_ASSEMBLY
/* tp__co_prepare: the control block and the stack are as before a first resume.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: no] */
void tp__co_prepare(struct tp_co *co);
#endif

/* One that has ended, or not begun, begins anew with the same function. */
static inline void tp__co_again(struct tp_co *co)
{
    tp__check_begin(&co->check);
#if !TP__CO_ASSEMBLY
    tp__co_prepare(co);
#endif
    co->next_state = TP_CO_SUSPENDED;
    if (co->has_float)
        tp__float_save(&co->floats);
    /* Relaxed: whoever makes it known to another thread orders it, as with a new one. */
    tp_store_rlx(&co->state, TP_CO_READY);
}

#endif
