/* The switch between two stacks, and nothing else: no states, no checks, no sanitizers (coro.c has those).
 * Invariant: a suspended flow of control is one pointer to what was saved on its own stack. What is saved are the registers
 * that a called function must preserve, and where to go on.
 *
 * Three implementations, of which exactly one is compiled: assembly for x86-64 and for aarch64, and POSIX ucontext for
 * other machines and for who builds with TP_SWITCH_UCONTEXT=1. docs/coroutines.md says how the assembly stays visible to
 * unwinders. */
#ifndef TP_SWITCH_H
#define TP_SWITCH_H

#if defined(__x86_64__) && !defined(__ILP32__) && !TP_SWITCH_UCONTEXT
#define TP__SWITCH_X86_64 1
#elif defined(__aarch64__) && !defined(__ILP32__) && !TP_SWITCH_UCONTEXT
#define TP__SWITCH_AARCH64 1
#else
#define TP__SWITCH_PORTABLE 1
#endif

/* Are tp_co_resume and tp_co_yield in assembly too? Checkers must be told on both sides of a switch, which C does better. */
#include "sanitize.h"
#if !TP__SWITCH_PORTABLE && !TP__CHECK_ADDRESS && !TP__CHECK_THREAD
#define TP__CO_ASSEMBLY 1
#endif

#ifndef __ASSEMBLER__
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TP__HIDDEN __attribute__((visibility("hidden")))
#else
#define TP__HIDDEN
#endif

/* tp__switch: leave the current stack, go on where another was left.
 * from:  where the flow that leaves is kept: whoever wants it back gives *from as `to`, once.
 * to:    from tp__switch_make, or kept by an earlier call.
 * value: what that earlier call returns, or what `begin` is called with.
 * Returns, when somebody switches back, the value given there. May return on another thread.
 * [thread: any] [suspends: yes] [blocks: no] [allocates: no] */
TP__HIDDEN void *tp__switch(void **from, void *to, void *value);

/* tp__switch_make: prepare a stack, so that a switch to it calls `begin`, which must not return.
 * low, top: the stack's memory, top aligned to 16; at least 1 KiB, with ucontext 2 KiB. What was kept on it is void.
 * Returns what to give to tp__switch as `to`.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
TP__HIDDEN void *tp__switch_make(void *low, void *top, void (*begin)(void *value, void *argument), void *argument);

/* Where to go, and what to publish there. */
struct tp__way {
    void *to;   /* as for tp__switch, or its first resume: then `word` is not NULL; NULL: refused, and `word` is the status */
    void *word; /* what becomes the word behind it, once nobody is on the stack that was left; NULL: nothing */
};

/* What lies where a flow was left, in bytes from there: the frame pointer of who called the switch, and where it returns to. */
#if TP__SWITCH_X86_64
enum { TP__SAVED_FRAME = 40,
    TP__SAVED_RETURN = 56 };
#elif TP__SWITCH_AARCH64
enum { TP__SAVED_FRAME = 0,
    TP__SAVED_RETURN = 8 };
#endif

struct tp_co;

/* tp__co_left_at: where a coroutine was left, by the switch of tp_co_yield. Not to be relied on: it may go on meanwhile.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
TP__HIDDEN uintptr_t tp__co_left_at(const struct tp_co *co);

/* tp__co_enter: all of tp_co_resume but the switch, on the way in. `at` is where the resumer goes on.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
TP__HIDDEN struct tp__way tp__co_enter(struct tp_co *co, void *in, void **out, void *at);

/* tp__co_leave: all of tp_co_yield but the switch, on the way out. `at` is where the coroutine goes on.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
TP__HIDDEN struct tp__way tp__co_leave(void *out, void **in, void *at);

/* tp__co_run: all of a coroutine, from its function's call to its end. `co` is right above its stack.
 * Returns the way back.
 * [thread: any] [suspends: yes] [blocks: no] [allocates: no] */
TP__HIDDEN struct tp__way tp__co_run(struct tp_co *co);

/* The floating-point environment: rounding, exception masks and flags, of which the switch itself saves nothing, as these
 * are seldom changed and slow to load. */
struct tp__float {
    uint64_t control; /* MXCSR; FPCR */
    uint64_t status;  /* x87 control word; FPSR */
};

static inline void tp__float_save(struct tp__float *to)
{
#if defined(__x86_64__)
    uint32_t mxcsr;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1"
                     : "=m"(mxcsr), "=m"(x87));
    to->control = mxcsr;
    to->status = x87;
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr"
                     : "=r"(to->control), "=r"(to->status));
#else
    (void)to; /* ucontext saves it */
#endif
}

/* The way back. */
static inline void tp__float_load(const struct tp__float *from)
{
#if defined(__x86_64__)
    uint32_t mxcsr = (uint32_t)from->control;
    uint16_t x87 = (uint16_t)from->status;
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1"
                     :
                     : "m"(mxcsr), "m"(x87));
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1"
                     :
                     : "r"(from->control), "r"(from->status));
#else
    (void)from;
#endif
}

#ifdef __cplusplus
}
#endif

#endif
#endif
