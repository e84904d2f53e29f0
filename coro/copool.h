/* A life-cycle pool: coroutines that are used for one function after another, each with its stack, its record
 * and its generation. Acquiring one costs no allocation once the pool is warm; giving it back ends it in an orderly manner.
 * Invariant: a record of the pool is acquired by one handle, or idle, or bare (without a coroutine). A
 * handle whose life is over is stale for ever: it is refused, never obeyed (docs/life-cycle.md).
 *
 *   tp_copool_acquire(pool, parse, input, &handle);
 *   while (tp_pooled_resume(handle, NULL, &token) == 0 && token)
 *       use(token);
 *   tp_pooled_release(handle); */
#ifndef TP_COPOOL_H
#define TP_COPOOL_H

#include "../runtime/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tp_copool;
struct tp_pooled;

/* One life of one pooled coroutine. A value: copy it, keep it, let it go. All 0 names none. */
struct tp_co_handle {
    struct tp_pooled *at;
    uint64_t generation;
};

/* Where such a life is. */
enum tp_pooled_state {
    TP_POOLED_STALE,     /* over and given back */
    TP_POOLED_SUSPENDED, /* not begun, or in a yield */
    TP_POOLED_RUNNING,
    TP_POOLED_DONE,     /* its function returned 0 or more */
    TP_POOLED_FAILED,   /* it returned less */
    TP_POOLED_CANCELLED /* it was asked to end, and returned TP_ECANCELED */
};

/* All 0 is valid. */
struct tp_copool_settings {
    const char *name;    /* for reports; lives as long as the pool. NULL: "coroutines" */
    size_t stack_bytes;  /* 0: TP_CO_STACK_BYTES */
    uint32_t max;        /* acquired at once; 0: as many as memory allows */
    uint32_t min;        /* made when the pool is opened, and kept */
    uint32_t idle_max;   /* idle ones kept at most; 0: the pool sizes itself by its last peaks */
    bool fp_environment; /* as in tp_co_options */
    /* What runs each function, so that something is around it; returns its result. tp_task_protect makes panics failures of
     * the coroutine. NULL: it is called as it is. */
    int (*call)(int (*entry)(void *argument), void *argument);
};

/* Exact while nobody else acquires or releases. */
struct tp_copool_stats {
    uint64_t n_acquired, n_released;
    uint64_t n_hits;      /* acquired with a coroutine that was there */
    uint64_t n_failed;    /* lives that ended in failure */
    uint64_t n_cancelled; /* lives that ended as they were asked to */
    uint64_t n_stale;     /* calls with a handle whose life was over */
    uint64_t n_freed;     /* coroutines whose stacks went back, by tp_copool_tend or for want of memory */
    uint64_t saved_bytes; /* stacks that did not have to be made: hits times their size */
    uint32_t n_live;      /* acquired now */
    uint32_t n_idle;      /* with a coroutine, waiting to be acquired; those at hand as well */
    uint32_t most_live;   /* at once, ever, each thread counting with one that it keeps at hand */
    uint32_t n_idle_aim;  /* as many idle ones would be kept now */
};

/* tp_copool_open: a pool with settings.min coroutines in it.
 * settings: NULL: all 0; read only during the call, but for the name.
 * Returns 0, TP_EINVAL (too large a stack, min beyond max), or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_copool_open(struct tp_copool **pool, const struct tp_copool_settings *settings);

/* tp_copool_close: end of a pool, and of its records, for its handles may not be used any more.
 * pool: NULL does nothing.
 * Returns 0, or TP_EBUSY while some of its coroutines are acquired; then nothing has happened.
 * [thread: any, one at a time] [suspends: no] [blocks: no] [allocates: no] */
int tp_copool_close(struct tp_copool *pool);

/* tp_copool_acquire: a coroutine that will call `entry` when it is resumed first.
 * entry:  its result becomes tp_pooled_result.
 * handle: the life that begins; to be ended by tp_pooled_release.
 * Returns 0; TP_EINVAL without pool or entry; TP_EFULL with settings.max acquired; TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_copool_acquire(struct tp_copool *pool, int (*entry)(void *argument), void *argument, struct tp_co_handle *handle);

/* tp_pooled_resume: run it until it yields or ends.
 * in, out: as for tp_co_resume; out is NULL when it has ended.
 * Returns 0; TP_EBUSY if it runs; TP_EDONE if it has ended; TP_ESTALE if it was given back.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_pooled_resume(struct tp_co_handle handle, void *in, void **out);

/* tp_pooled_yield: for the coroutine: back to whoever resumed it.
 * Returns 0; TP_ECANCELED if it was asked to end by then or before (it has yielded all the same, unless it was asked before); TP_EOUTSIDE if
 * no pooled coroutine called.
 * [thread: any] [suspends: yes] [blocks: no] [allocates: no] */
int tp_pooled_yield(void *out, void **in);

/* tp_pooled_cancel: ask it to end: its yields say so from here on.
 * Returns 0, or TP_ESTALE if it has ended.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_pooled_cancel(struct tp_co_handle handle);

/* tp_pooled_release: the end of this life; the coroutine goes back to its pool. One that has not ended is asked to, and
 * resumed until it does, so that its clean-ups run; one that has not begun never does.
 * Returns 0; TP_EBUSY if it runs, or goes on yielding TP_POOLED_PATIENCE times although asked; TP_ESTALE the second time.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_pooled_release(struct tp_co_handle handle);

enum { TP_POOLED_PATIENCE = 100 };

/* tp_pooled_state: where that life is.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
enum tp_pooled_state tp_pooled_state(struct tp_co_handle handle);

/* tp_pooled_result: what its function returned.
 * Returns 0 with the code in *code; TP_EBUSY while it has not ended; TP_ESTALE if it was given back.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_pooled_result(struct tp_co_handle handle, int *code);

/* tp_pooled_self: the life that calls; one of all 0 if no pooled coroutine does.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_co_handle tp_pooled_self(void);

/* tp_copool_tend: a step of clean-up, to be called now and then, by a thread that looks after things: half of the idle
 * coroutines beyond what the pool's last peaks need give their stacks back. Never below settings.min.
 * Returns how many did.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint32_t tp_copool_tend(struct tp_copool *pool);

/* tp_copool_get_stats: what there is now, and what has happened.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_copool_get_stats(struct tp_copool *pool, struct tp_copool_stats *out);

/* tp_copool_get_settings: the settings in force, defaults filled in.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_copool_get_settings(struct tp_copool *pool, struct tp_copool_settings *out);

#ifdef __cplusplus
}
#endif

#endif
