/* Guards: a pooled coroutine that ends with a scope, however the scope is left.
 * Invariant: a guard that guards has acquired its coroutine, and gives it back once: when its scope is left by its end, return,
 * break, goto or tp_panic, unless tp_guard_release took it out before. Then its clean-ups run, the last one first, once each.
 *
 *   TP_GUARD(reader, tp_copool_default(), read_lines, file);
 *   struct tp_cleanup closing;
 *   tp_guard_on_end(&reader, &closing, close_file, file);
 *   while (tp_guard_resume(&reader, NULL, &line) == 0 && line)
 *       if (is_enough(line))
 *           return line;             read_lines is asked to end, and does; then close_file(file) */
#ifndef TP_GUARD_H
#define TP_GUARD_H

#include "../coro/copool.h"
#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Something to do after the coroutine's end; the caller's, as long as the guard. */
struct tp_cleanup {
    struct tp_cleanup *outer;
    void (*run)(void *argument);
    void *argument;
};

/* Of one scope. Read `status`; the rest is for the functions. */
struct tp_guard {
    int status; /* of the acquisition; afterwards of the end: TP_EBUSY if the coroutine does not listen */
    bool is_on; /* it guards */
    struct tp_co_handle handle;
    struct tp_cleanup *cleanups; /* the last one first */
    struct tp_defer defer;       /* for a panic of the task whose scope this is */
};

/* TP_GUARD(name, pool, entry, argument): a statement that declares the guard `name` and acquires a coroutine for it;
 * name.status says whether that worked. If it did not, the guard is there all the same, and guards nothing. */
#define TP_GUARD(name, pool, entry, argument)                       \
    struct tp_guard name __attribute__((cleanup(tp__guard_leave))); \
    tp_guard_begin(&name, (pool), (entry), (argument))

/* tp_guard_begin: what TP_GUARD does first.
 * guard: the caller's, filled here; to be left by tp__guard_leave, in the order of defers.
 * Returns guard->status: 0, or as tp_copool_acquire.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_guard_begin(struct tp_guard *guard, struct tp_copool *pool, int (*entry)(void *argument), void *argument);

/* tp__guard_leave: what TP_GUARD does last: tp_guard_end, and the scope is left.
 * [thread: the one that began] [suspends: no] [blocks: no] [allocates: no] */
void tp__guard_leave(struct tp_guard *guard);

/* tp_guard_end: the end before the scope's: the coroutine goes back to its pool, as by tp_pooled_release; then the clean-ups
 * run, all of them, even if one panics. A second call does nothing. A coroutine that does not listen keeps its place in the pool, and guard->status says so.
 * [thread: the one that began] [suspends: no] [blocks: no] [allocates: no] */
void tp_guard_end(struct tp_guard *guard);

/* tp_guard_on_end: have run(argument) called at the guard's end, after the coroutine's and before those given earlier.
 * cleanup: filled here; stays untouched until then.
 * Returns 0, or TP_ESTALE if nothing is guarded: then it will not be called.
 * [thread: the one that began] [suspends: no] [blocks: no] [allocates: no] */
int tp_guard_on_end(struct tp_guard *guard, struct tp_cleanup *cleanup, void (*run)(void *argument), void *argument);

/* tp_guard_resume: tp_pooled_resume of the guarded coroutine.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: no] */
int tp_guard_resume(struct tp_guard *guard, void *in, void **out);

/* tp_guard_release: the coroutine is the caller's from here on, beyond the scope; the clean-ups are forgotten.
 * Returns its handle; one of all 0 if nothing was guarded.
 * [thread: the one that began] [suspends: no] [blocks: no] [allocates: no] */
struct tp_co_handle tp_guard_release(struct tp_guard *guard);

/* tp_copool_default: the pool of the process, opened by its first use; never closed. A panic ends the coroutine in
 * which it happens: it has failed with TP_EPANICKED.
 * Returns NULL for want of memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
struct tp_copool *tp_copool_default(void);

#ifdef __cplusplus
}
#endif

#endif
