/* Scopes. A child is a task whose function first notes whose it is; its end is learned by joining it, its failure at once, by itself.
 * Invariant: who runs a child may touch its record until the child's function is over, and the scope until it has left: the scope is
 * left when all children are over, and a record is used again only after its child has left, or was joined [SCOPE-3]. */
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
    struct tp_multi_member target;          /* written under the scope's lock, which guards all up to `has_left` */
    struct tp_scope_child *older, *younger; /* in the list of those that were not joined yet; of unused ones `younger` is the next */
    uint64_t id;                            /* 0: not spawned yet, or joined */
    bool is_awaited;                        /* by the scope's task, which will end its handle */
    bool has_left;                          /* it is over as far as the scope is concerned; with TP_SCOPE_FORGET */
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
        struct tp_multi_member on = child->target;
        uint64_t id = child->id;
        tp_spin_unlock(&scope->lock);
        if (id != 0)
            on.ops->cancel_task(on.pool, id); /* if it is over by now, nothing happens */
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

/* -- records ------------------------------------------------------------------------------------ */

/* One that nobody uses, or NULL if there is none. The lock is held. */
static struct tp_scope_child *take_record(struct tp_scope *scope)
{
    uint32_t first, chunk = chunk_of(scope->n, &first);
    struct tp_scope_child *child = scope->unused;
    if (child) {
        scope->unused = child->younger;
    } else if (chunk < TP_SCOPE_CHUNKS && scope->chunks[chunk]) {
        child = &scope->chunks[chunk][scope->n - first];
        child->index = scope->n++;
    }
    return child;
}

/* The child is the youngest of those that were not joined yet. The lock is held. */
static void add_child(struct tp_scope *scope, struct tp_scope_child *child, struct tp_multi_member target, struct tp_call call)
{
    *child = (struct tp_scope_child){.scope = scope, .call = call, .target = target, .older = scope->youngest, .index = child->index};
    *(scope->youngest ? &scope->youngest->younger : &scope->oldest) = child;
    scope->youngest = child;
}

/* It was joined, or there is nothing to be joined. The lock is held. */
static void drop_child(struct tp_scope *scope, struct tp_scope_child *child)
{
    *(child->older ? &child->older->younger : &scope->oldest) = child->younger;
    *(child->younger ? &child->younger->older : &scope->youngest) = child->older;
    child->id = 0;
    if (scope->policy != TP_SCOPE_FORGET)
        return;
    child->younger = scope->unused;
    scope->unused = child;
}

/* A record for one more child, or NULL for want of memory. */
static struct tp_scope_child *make_child(struct tp_scope *scope, struct tp_multi_member target, struct tp_call call)
{
    struct tp_scope_child *more = NULL, *child = NULL;
    uint32_t chunk, chunk_of_more = UINT32_MAX, first;
    do {
        tp_spin_lock(&scope->lock);
        chunk = chunk_of(scope->n, &first);
        if (chunk == chunk_of_more && !scope->chunks[chunk]) {
            scope->chunks[chunk] = more;
            more = NULL;
        }
        child = take_record(scope);
        if (child)
            add_child(scope, child, target, call);
        tp_spin_unlock(&scope->lock);
        free(more); /* others were faster */
        chunk_of_more = chunk;
    } while (!child && chunk < TP_SCOPE_CHUNKS && (more = calloc((size_t)FIRST_CHUNK << chunk, sizeof *more)));
    return child;
}

/* -- children ----------------------------------------------------------------------------------- */

/* The child ends its own handle, and its record may be used again; or that is left to who waits for it, or has not told yet which it is. */
static void leave(struct tp_scope_child *child)
{
    struct tp_scope *scope = child->scope;
    tp_spin_lock(&scope->lock);
    struct tp_multi_member on = child->target;
    uint64_t id = child->is_awaited ? 0 : child->id;
    child->has_left = true;
    if (id != 0)
        drop_child(scope, child);
    tp_spin_unlock(&scope->lock);
    if (id != 0)
        on.ops->detach(on.pool, id);
}

static void end_child(void *argument)
{
    struct tp_scope_child *child = argument;
    tp_run_here()->locals = NULL;
    if (child->scope->policy == TP_SCOPE_FORGET)
        leave(child);
    else if (child->code < 0)
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

int tp_scope_spawn_on(struct tp_scope *scope, struct tp_multi_member target, int (*run)(void *argument), void *argument, uint32_t *index)
{
    if (!run)
        return TP_EINVAL;
    if (!target.ops || !target.ops->spawn || target.ops->payload_bytes != sizeof(struct tp_call))
        return TP_ENOTSUP;
    if (is_cancelled(scope))
        return TP_ECANCELED;
    if (!scope->witness.ops)
        scope->witness = target;
    struct tp_scope_child *child = make_child(scope, target, (struct tp_call){run, argument});
    if (!child)
        return TP_ENOMEM;
    uint64_t id = 0;
    int status = target.ops->spawn(target.pool, UINT_MAX, &(struct tp_call){run_child, child}, &id);
    uint32_t number = child->index;
    tp_spin_lock(&scope->lock);
    bool has_left = child->has_left;
    child->id = id;
    if (status != 0)
        child->result = (struct tp_task_result){TP_TASK_DROPPED, status};
    if (status != 0 || has_left)
        drop_child(scope, child); /* which is another one's from here on */
    tp_spin_unlock(&scope->lock);
    if (status != 0)
        return status;
    if (has_left)
        target.ops->detach(target.pool, id);
    else if (is_cancelled(scope)) /* meanwhile: this id may have been missed [SCOPE-2] */
        target.ops->cancel_task(target.pool, id);
    if (index)
        *index = number;
    return 0;
}

int tp_scope_spawn(struct tp_scope *scope, int (*run)(void *argument), void *argument, uint32_t *index)
{
    struct tp_multi_member target = scope->target;
    int status = target.ops ? 0 : tp_task_target(&target);
    return status == 0 ? tp_scope_spawn_on(scope, target, run, argument, index) : status;
}

/* -- the scope ---------------------------------------------------------------------------------- */

/* In the child of fork() there are no children, and a lock may be held for ever. */
static bool is_forked(const struct tp_scope *scope)
{
    struct tp_multi_member any = scope->witness;
    return any.ops && any.ops->wait(any.pool, 0, 0, NULL) == TP_EFORKED;
}

/* The oldest child, which stays until it is joined; NULL if there is none. Who has spawned it is over, or the caller: so its id is there [SCOPE-1]. */
static struct tp_scope_child *choose_oldest(struct tp_scope *scope)
{
    tp_spin_lock(&scope->lock);
    struct tp_scope_child *child = scope->oldest;
    if (child) {
        tp_assert(child->id != 0 && !child->has_left);
        child->is_awaited = true;
    }
    tp_spin_unlock(&scope->lock);
    return child;
}

/* Waits for one child. status: why the caller does not wait for it of its own will, 0: it does. Returns the new one. */
static int join_child(struct tp_scope *scope, struct tp_scope_child *child, uint64_t deadline_ns, int status)
{
    struct tp_multi_member on = child->target;
    struct tp_task_result result = {0};
    uint64_t id = child->id;
    int stopped;
    if (status == 0 && (status = tp_task_check()) != 0)
        tp_scope_cancel(scope);
    if (status == 0 && (stopped = on.ops->wait(on.pool, id, deadline_ns, &result)) != 0) {
        status = stopped;
        tp_scope_cancel(scope);
    }
    if (status != 0) {
        TP_SHIELD;
        stopped = on.ops->wait(on.pool, id, TP_FOREVER, &result);
        tp_assert(stopped == 0);
    }
    on.ops->detach(on.pool, id);
    tp_spin_lock(&scope->lock);
    child->result = result;
    /* It was cancelled by others, or had no stack: its end was not noted by itself. */
    bool is_first = scope->first_failure < 0 && result.state != TP_TASK_RETURNED && scope->policy != TP_SCOPE_FORGET;
    drop_child(scope, child);
    tp_spin_unlock(&scope->lock);
    if (is_first)
        note_failure(child);
    return status;
}

int tp_scope_join(struct tp_scope *scope, uint64_t deadline_ns)
{
    struct tp_scope_child *child;
    int status = 0;
    if (is_forked(scope))
        return TP_EFORKED;
    while ((child = choose_oldest(scope)))
        status = join_child(scope, child, deadline_ns, status);
    int64_t first = tp_scope_first_failure(scope);
    return status != 0 || first < 0 ? status : child_at(scope, (uint32_t)first)->result.code;
}

static void end(void *argument)
{
    struct tp_scope *scope = argument;
    if (!scope->is_left && !is_forked(scope)) /* by a panic */
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
    tp_assert(index < tp_scope_count(scope) && scope->policy != TP_SCOPE_FORGET);
    return child_at(scope, index)->result;
}

int64_t tp_scope_first_failure(struct tp_scope *scope)
{
    tp_spin_lock(&scope->lock);
    int64_t index = scope->first_failure;
    tp_spin_unlock(&scope->lock);
    return index;
}
