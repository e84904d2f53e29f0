/* Scopes: tasks that end before the block they belong to.
 *
 *   TP_SCOPE(scope, NULL);
 *   for (i = 0; i < n; i++)
 *       tp_scope_spawn(&scope, fetch, &pages[i], NULL);
 *   if (tp_scope_join(&scope, tp_deadline_in_ns(TP_SECOND)) != 0) ...
 *
 * Invariant: a child never outlives its scope. Whichever way its block is left, by the end, return, or a panic, children are
 * waited for there, so they may use what is the block's. Who is asked to end asks its children to (docs/scopes.md). */
#ifndef TP_SCOPE_H
#define TP_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/spin.h"
#include "multi.h"
#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a child's failure means for the others. It has failed if it returned a negative value, panicked, or was cancelled. */
enum tp_scope_policy {
    TP_SCOPE_FIRST_FAILURE, /* they are cancelled */
    TP_SCOPE_COLLECT,       /* nothing */
    TP_SCOPE_FORGET         /* nothing, and nothing is kept of a child that is over: for scopes that live long, such as those of servers */
};

/* All 0 is valid. */
struct tp_scope_settings {
    enum tp_scope_policy policy;
    struct tp_multi_member target; /* where children run, as of tp_runtime_target or tp_pool_target; {NULL}: where the calling task does */
};

struct tp_local;
struct tp_scope_child;

enum { TP_SCOPE_CHUNKS = 24 }; /* of children, each twice as large as the one before */

/* The caller's, in the block it is for. The fields are for runtime/scope.c alone. */
struct tp_scope {
    struct tp_spin lock; /* guards all up to `chunks` */
    uint32_t n;
    int64_t first_failure;                    /* index; -1: none */
    struct tp_scope_child *oldest, *youngest; /* of the list of those that were not joined yet, as they came */
    struct tp_scope_child *unused;            /* records that were used before */
    struct tp_scope_child *chunks[TP_SCOPE_CHUNKS];
    tp_atomic(uint32_t) is_cancelled;
    bool is_left;
    enum tp_scope_policy policy;
    struct tp_multi_member target;
    struct tp_multi_member witness; /* of the first child: tells whether this is the child of a fork(). Written before there is one */
    const struct tp_local *locals;  /* what its children see */
    struct tp_defer defer;
};

/* tp_scope_open: an empty scope, until tp_scope_leave, which is in the same block; TP_SCOPE does both.
 * settings: read during the call only; NULL: all 0.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_scope_open(struct tp_scope *scope, const struct tp_scope_settings *settings);

/* tp_scope_spawn: one more child. Children may call it, too.
 * run, argument: as in struct tp_call.
 * index:         receives its number, from 0; NULL: not wanted. With TP_SCOPE_FORGET a number is used again.
 * Returns 0; TP_ECANCELED if the scope is cancelled; TP_EOUTSIDE or TP_ENOTSUP if there is nowhere to run it; TP_ENOMEM, also beyond some
 * hundred million children; or what its pool says. On error it will not run.
 * [thread: any] [suspends: if its pool does] [blocks: no] [allocates: sometimes] */
int tp_scope_spawn(struct tp_scope *scope, int (*run)(void *argument), void *argument, uint32_t *index);

/* tp_scope_spawn_on: tp_scope_spawn in another pool.
 * target: see struct tp_scope_settings.
 * [thread: any] [suspends: if its pool does] [blocks: no] [allocates: sometimes] */
int tp_scope_spawn_on(struct tp_scope *scope, struct tp_multi_member target, int (*run)(void *argument), void *argument, uint32_t *index);

/* tp_scope_cancel: children that have not begun never will, others are asked to end; new ones are refused.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_scope_cancel(struct tp_scope *scope);

/* tp_scope_join: wait for all children. If the deadline passes, or the calling task is asked to end, the scope is cancelled, and they are
 * waited for all the same.
 * deadline_ns: on tp_clock_now_ns(); TP_FOREVER for none.
 * Returns 0 if none has failed, or with TP_SCOPE_FORGET; TP_ETIMEDOUT or TP_ECANCELED if one of these came about; TP_EFORKED in the child of a
 * fork(), in which there are no children; else the code of the first failure.
 * [thread: whose scope it is] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_scope_join(struct tp_scope *scope, uint64_t deadline_ns);

/* tp_scope_leave: the end of the scope: tp_scope_join without a deadline; results are gone.
 * [thread: whose scope it is] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
void tp_scope_leave(struct tp_scope *scope);

/* tp_scope_count: how many children there were; with TP_SCOPE_FORGET: for how many at a time there is memory.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint32_t tp_scope_count(struct tp_scope *scope);

/* tp_scope_result: how a child ended. Not with TP_SCOPE_FORGET.
 * index: below tp_scope_count.
 * Returns it after tp_scope_join; before, TP_TASK_PENDING with 0. One that could not be spawned: TP_TASK_DROPPED, with what tp_scope_spawn has
 * returned.
 * [thread: whose scope it is] [suspends: no] [blocks: no] [allocates: no] */
struct tp_task_result tp_scope_result(struct tp_scope *scope, uint32_t index);

/* tp_scope_first_failure: which child failed first, in time.
 * Returns its index; -1: none has.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int64_t tp_scope_first_failure(struct tp_scope *scope);

/* TP_SCOPE(name, settings): a statement; a scope that is left at the end of the enclosing block, in whatever way that is left. */
#define TP_SCOPE(name, settings)                                   \
    struct tp_scope name __attribute__((cleanup(tp_scope_leave))); \
    tp_scope_open(&name, (settings))

#ifdef __cplusplus
}
#endif

#endif
