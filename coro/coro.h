/* Coroutines with stacks of their own: resumed like a call, yield like a return, without threads or pools.
 * Asymmetric: a yield goes to whoever resumed. Invariant: a coroutine is on one thread at a time, from a resume to the next
 * yield; each resume may be on another thread, so what it knew of its thread before a yield is void after it
 * (docs/coroutines.md).
 *
 *   static void *count(void *limit)
 *   {
 *       for (intptr_t i = 0; i < (intptr_t)limit; i++)
 *           tp_co_yield((void *)i, NULL);
 *       return NULL;
 *   }
 *
 *   tp_co_new(&co, count, (void *)3, NULL);
 *   while (tp_co_resume(co, NULL, &out) == 0 && tp_co_state(co) != TP_CO_DONE)
 *       printf("%d\n", (int)(intptr_t)out);
 *   tp_co_free(co); */
#ifndef TP_CORO_H
#define TP_CORO_H

#include "../runtime/base/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TP_CO_STACK_BYTES = 65536 }; /* unless the options say otherwise */

/* Those that may be resumed come first. */
enum tp_co_state {
    TP_CO_READY,     /* not begun */
    TP_CO_SUSPENDED, /* in a yield */
    TP_CO_RUNNING,   /* on some thread */
    TP_CO_NORMAL,    /* in a resume of another one */
    TP_CO_DONE       /* its function has returned */
};

struct tp_co;
struct tp_stack;

/* All 0 is valid. */
struct tp_co_options {
    size_t stack_bytes;  /* 0: TP_CO_STACK_BYTES; rounded up to what stacks there are */
    const char *name;    /* for reports; lives as long as the coroutine. NULL: none */
    bool fp_environment; /* rounding mode and exception masks are the coroutine's own, at first those of who makes or resets it;
                            if not, they are whatever they are on its thread */
};

/* tp_co_new: a coroutine that will call `entry` when it is resumed for the first time.
 * co:      the new coroutine, the caller's until tp_co_free.
 * entry:   what it returns is the last thing that tp_co_resume hands out. A C++ exception must not leave it: that ends
 *          the program by std::terminate, as with a thread.
 * options: NULL: all 0; read only during the call.
 * Returns 0; TP_EINVAL for no entry or too large a stack; TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_co_new(struct tp_co **co, void *(*entry)(void *argument), void *argument, const struct tp_co_options *options);

/* tp_co_new_on: the same on a stack that the caller has got and gets back by tp_co_free; stack_bytes is not looked at.
 * stack: live (coro/stack.h); nobody else's as long as the coroutine exists, which lives at its high end.
 * Returns 0; TP_EINVAL for no entry, no stack, or one with less than 2 KiB.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_co_new_on(struct tp_co **co, struct tp_stack *stack, void *(*entry)(void *argument), void *argument,
    const struct tp_co_options *options);

/* tp_co_resume: run the coroutine until it yields or ends. It returns on the thread that called it, with errno and, in C++,
 * the exceptions in flight as they were.
 * in:  what its tp_co_yield hands out; dropped at the first resume, which has `argument` instead.
 * out: what it gave to tp_co_yield, or has returned; NULL: not wanted.
 * Returns 0 when it has yielded or ended, which tp_co_state tells apart. TP_EINVAL for NULL, TP_EDONE for one that has ended, TP_EBUSY for
 * one that is running (the caller itself, too) or has resumed another; then nothing has happened. Two threads that resume
 * the same coroutine in the same moment are the caller's mistake, which only the debug build notices.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: no] */
int tp_co_resume(struct tp_co *co, void *in, void **out);

/* tp_co_yield: back to whoever resumed the calling coroutine, until it is resumed again; by whatever thread.
 * out: what that tp_co_resume hands out.
 * in:  what the next tp_co_resume was given; NULL: not wanted.
 * Returns 0 when resumed again, with errno and the exceptions in flight as they were; TP_EOUTSIDE if no coroutine called it.
 * [thread: any] [suspends: yes] [blocks: no] [allocates: no] */
int tp_co_yield(void *out, void **in);

/* tp_co_state: where the coroutine is now. What it did before it was seen SUSPENDED or DONE has happened.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
enum tp_co_state tp_co_state(const struct tp_co *co);

/* tp_co_reset: one that has ended, or not begun, begins anew on the same stack: the cheap way to reuse it.
 * Returns 0; TP_EINVAL for NULL or no entry; TP_EBUSY for one that is neither; then nothing has happened.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: no] */
int tp_co_reset(struct tp_co *co, void *(*entry)(void *argument), void *argument);

/* tp_co_free: the coroutine is no more. A suspended one is dropped as it stands: what its frames own stays as it is, no
 * destructor runs, so see to it that it ends before, unless its frames own nothing.
 * co: NULL: nothing happens.
 * Returns 0, or TP_EBUSY for one that is running or has resumed another; then nothing has happened.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: no] */
int tp_co_free(struct tp_co *co);

/* tp_co_self: the coroutine that calls, NULL if none does. Out of line on purpose, as the thread may be another one after a
 * suspension.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_co *tp_co_self(void);

/* tp_co_errno: where errno is on the calling thread. The C library's `errno` may be looked up once per function by the
 * compiler, and be another thread's after a suspension; functions that suspend and use errno write *tp_co_errno().
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int *tp_co_errno(void);

/* tp_co_local: a place for one pointer of each strand, which is a coroutine, or a thread outside of any; NULL in each new one.
 * For what belongs to who runs and not to the thread below: the library keeps the running task there, so programs use it for
 * their own coroutines only if no task runs in them.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void **tp_co_local(void);

/* tp_co_resumer: who has resumed the coroutine, which is the calling one, or one that has resumed it, directly or not.
 * Returns NULL for a thread outside of any.
 * [thread: its own] [suspends: no] [blocks: no] [allocates: no] */
struct tp_co *tp_co_resumer(const struct tp_co *co);

/* tp_co_local_of: *tp_co_local() of such a one. co: NULL: of the calling thread outside of any.
 * [thread: its own] [suspends: no] [blocks: no] [allocates: no] */
void *tp_co_local_of(const struct tp_co *co);

/* tp_co_argument: what the coroutine's function was or will be called with, if that function is `entry`; else NULL. So who has made
 * it finds what it belongs to, from tp_co_self() too.
 * co: NULL: NULL.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void *tp_co_argument(const struct tp_co *co, void *(*entry)(void *argument));

/* tp_co_backtrace: where a suspended coroutine will return to, the innermost first, by the chain of frame pointers: of a function
 * compiled without them, and of those around it, nothing is shown. Memory is only read, on the coroutine's own stack; if
 * it goes on meanwhile, what was found is nonsense.
 * frames: receives up to n_max return addresses.
 * Returns how many; 0 for one that is not suspended, and where the switch is the system's.
 * [thread: any, while it exists] [suspends: no] [blocks: no] [allocates: no] */
size_t tp_co_backtrace(const struct tp_co *co, void **frames, size_t n_max);

/* tp_co_wipe: what its frames do not use of a coroutine's stack now is zero again, so that tp_stack_high_water tells of what comes.
 * Does nothing for one that is neither suspended nor READY, and where the switch is the system's.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: no] */
void tp_co_wipe(struct tp_co *co);

/* tp_co_name: the name from the options; NULL: none.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
const char *tp_co_name(const struct tp_co *co);

/* tp_co_stack: the stack it runs on.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_stack *tp_co_stack(const struct tp_co *co);

#ifdef __cplusplus
}
#endif

#endif
