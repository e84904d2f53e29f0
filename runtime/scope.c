/* Scopes. A child is a task whose function first notes whose it is; its end is learned by joining it, its failure at once, by itself.
 * Invariant: a child's record stays until its scope is left, and the scope is left when all children are over; so who runs a child
 * may touch both. */
#include "scope.h"

#include "base/assert.h"
#include "base/status.h"
#include "clock.h"
#include "fiber.h"
#include "run.h"
#include "runtime.h"
#include "stock.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CHUNK = 8 };

struct tp_scope_child {
    struct tp_scope *scope;
    struct tp_call call;
    struct tp_multi_member target;
    uint64_t id; /* 0: not spawned yet, or joined. Guarded by the scope's lock */
    uint32_t index;
    int code; /* by the child, for itself */
    struct tp_task_result result;
};

/* Which chunk, and the index of its first one. */
static uint32_t chunk_of(uint32_t index, uint32_t *first)
{
    uint32_t chunk = 31 - (uint32_t)__builtin_clz(index / FIRST_CHUNK + 1);
    *first = FIRST_CHUNK * ((1u << chunk) - 1);
    return chunk;
}

static struct tp_scope_child *child_at(struct tp_scope *scope, uint32_t index)
{
    uint32_t first, chunk = chunk_of(index, &first);
    tp_spin_lock(&scope->lock);
    struct tp_scope_child *child = &scope->chunks[chunk][index - first];
    tp_spin_unlock(&scope->lock);
    return child;
}

static bool is_cancelled(struct tp_scope *scope)
{
    return tp_load_rlx(&scope->is_cancelled) != 0; /* relaxed: who must not miss it has taken the lock since [SCOPE-2] */
}

void tp_scope_cancel(struct tp_scope *scope)
{
    if (tp_swap_sc(&scope->is_cancelled, 1) != 0) /* before the looks at the ids [SCOPE-2] */
        return;
    for (uint32_t i = 0; i < tp_scope_count(scope); i++) {
        struct tp_scope_child *child = child_at(scope, i);
        tp_spin_lock(&scope->lock);
        uint64_t id = child->id;
        tp_spin_unlock(&scope->lock);
        if (id != 0)
            child->target.ops->cancel_task(child->target.pool, id); /* if it is over by now, nothing happens */
    }
}

static void note_failure(struct tp_scope_child *child)
{
    struct tp_scope *scope = child->scope;
    tp_spin_lock(&scope->lock);
    if (scope->first_failure < 0)
        scope->first_failure = child->index;
    tp_spin_unlock(&scope->lock);
    if (scope->policy == TP_SCOPE_FIRST_FAILURE)
        tp_scope_cancel(scope);
}

/* -- children ----------------------------------------------------------------------------------- */

static void end_child(void *argument)
{
    struct tp_scope_child *child = argument;
    tp_run_here()->locals = NULL;
    if (child->code < 0)
        note_failure(child);
}

/* What a child's task calls. */
static int run_child(void *argument)
{
    struct tp_scope_child *child = argument;
    if (is_cancelled(child->scope))
        return TP_ECANCELED;
    tp_run_here()->locals = child->scope->locals;
    child->code = TP_EPANICKED; /* unless it returns */
    TP_DEFER(end_child, child);
    return child->code = child->call.run(child->call.argument);
}

/* A record for one more child, or NULL for want of memory. */
static struct tp_scope_child *add_child(struct tp_scope *scope)
{
    struct tp_scope_child *more = NULL, *child = NULL;
    uint32_t chunk, chunk_of_more = 0, first;
    for (;;) {
        tp_spin_lock(&scope->lock);
        chunk = chunk_of(scope->n, &first);
        if (!scope->chunks[chunk] && chunk == chunk_of_more) {
            scope->chunks[chunk] = more;
            more = NULL;
        }
        if (scope->chunks[chunk]) {
            child = &scope->chunks[chunk][scope->n - first];
            child->index = scope->n++;
        }
        tp_spin_unlock(&scope->lock);
        free(more); /* others were faster */
        if (child || !(more = calloc((size_t)FIRST_CHUNK << chunk, sizeof *more)))
            return child;
        chunk_of_more = chunk;
    }
}

int tp_scope_spawn_on(struct tp_scope *scope, struct tp_multi_member target, int (*run)(void *argument), void *argument, uint32_t *index)
{
    if (!run)
        return TP_EINVAL;
    if (!target.ops || !target.ops->spawn || target.ops->payload_bytes != sizeof(struct tp_call))
        return TP_ENOTSUP;
    if (is_cancelled(scope))
        return TP_ECANCELED;
    struct tp_scope_child *child = add_child(scope);
    uint64_t id;
    if (!child)
        return TP_ENOMEM;
    child->scope = scope;
    child->call = (struct tp_call){run, argument};
    child->target = target;
    int status = target.ops->spawn(target.pool, UINT_MAX, &(struct tp_call){run_child, child}, &id);
    if (status != 0) {
        child->result = (struct tp_task_result){TP_TASK_DROPPED, status};
        return status;
    }
    tp_spin_lock(&scope->lock);
    child->id = id;
    tp_spin_unlock(&scope->lock);
    if (is_cancelled(scope)) /* meanwhile: this id may have been missed [SCOPE-2] */
        target.ops->cancel_task(target.pool, id);
    if (index)
        *index = child->index;
    return 0;
}

int tp_scope_spawn(struct tp_scope *scope, int (*run)(void *argument), void *argument, uint32_t *index)
{
    struct tp_multi_member target = scope->target;
    int status = target.ops ? 0 : tp_task_target(&target);
    return status == 0 ? tp_scope_spawn_on(scope, target, run, argument, index) : status;
}

/* -- the scope ---------------------------------------------------------------------------------- */

/* Waits for one child. status: why the caller does not wait for it of its own will, 0: it does. Returns the new one. */
static int join_child(struct tp_scope *scope, struct tp_scope_child *child, uint64_t deadline_ns, int status)
{
    struct tp_multi_member on = child->target;
    int stopped;
    if (child->id == 0)
        return status;
    if (status == 0 && (status = tp_task_check()) != 0)
        tp_scope_cancel(scope);
    if (status == 0 && (stopped = on.ops->wait(on.pool, child->id, deadline_ns, &child->result)) != 0) {
        status = stopped;
        tp_scope_cancel(scope);
    }
    if (status != 0) {
        TP_SHIELD;
        stopped = on.ops->wait(on.pool, child->id, TP_FOREVER, &child->result);
        tp_assert(stopped == 0);
    }
    on.ops->detach(on.pool, child->id);
    tp_spin_lock(&scope->lock);
    child->id = 0;
    bool is_first = scope->first_failure < 0;
    tp_spin_unlock(&scope->lock);
    if (is_first && child->result.state != TP_TASK_RETURNED) /* it was cancelled by others, or had no stack */
        note_failure(child);
    return status;
}

/* Who spawns is the caller, or a child before the one spawned: so when a child's turn comes here, it was spawned [SCOPE-1]. */
int tp_scope_join(struct tp_scope *scope, uint64_t deadline_ns)
{
    int status = 0;
    for (; scope->n_joined < tp_scope_count(scope); scope->n_joined++)
        status = join_child(scope, child_at(scope, scope->n_joined), deadline_ns, status);
    int64_t first = tp_scope_first_failure(scope);
    return status != 0 || first < 0 ? status : child_at(scope, (uint32_t)first)->result.code;
}

static void end(void *argument)
{
    struct tp_scope *scope = argument;
    if (!scope->is_left) /* by a panic */
        tp_scope_cancel(scope);
    tp_scope_join(scope, TP_FOREVER);
    for (int i = 0; i < TP_SCOPE_CHUNKS; i++)
        free(scope->chunks[i]);
}

void tp_scope_open(struct tp_scope *scope, const struct tp_scope_settings *settings)
{
    const struct tp_run *run = tp_run_task();
    memset(scope, 0, sizeof *scope);
    tp_spin_init(&scope->lock);
    scope->first_failure = -1;
    scope->locals = run ? run->locals : NULL;
    if (settings) {
        scope->policy = settings->policy;
        scope->target = settings->target;
    }
    tp_defer_push(&scope->defer, end, scope);
}

void tp_scope_leave(struct tp_scope *scope)
{
    scope->is_left = true;
    tp_defer_pop(&scope->defer);
}

uint32_t tp_scope_count(struct tp_scope *scope)
{
    tp_spin_lock(&scope->lock);
    uint32_t n = scope->n;
    tp_spin_unlock(&scope->lock);
    return n;
}

struct tp_task_result tp_scope_result(struct tp_scope *scope, uint32_t index)
{
    tp_assert(index < tp_scope_count(scope));
    return child_at(scope, index)->result;
}

int64_t tp_scope_first_failure(struct tp_scope *scope)
{
    tp_spin_lock(&scope->lock);
    int64_t index = scope->first_failure;
    tp_spin_unlock(&scope->lock);
    return index;
}
