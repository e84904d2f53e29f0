/* Runtimes. Both flavours are pools behind a table of functions; here is what is beyond that.
 * Invariant: a task of tp_block_on is over before the call returns, so it may use what is the caller's. */
#include "runtime.h"

#include "base/assert.h"
#include "base/status.h"
#include "clock.h"
#include "current.h"
#include "fiber.h"
#include "inherit.h"
#include "run.h"

#include <stdlib.h>
#include <string.h>

/* Generated; see stock_coroutine.pool. By this name, not through tp_pool_open, which would bring all stock pools along. */
extern const struct tp_pool_ops stock_coroutine_pool_ops;

struct tp_runtime {
    struct tp_multi_member target;
    struct tp_current *current; /* NULL: it has threads */
};

static int open_multi(struct tp_multi_member *target, const struct tp_runtime_settings *asked)
{
    struct tp_pool_settings settings = {.workers = asked->workers, .capacity = asked->capacity > 0 ? asked->capacity : UINT64_MAX, .overload = TP_OVERLOAD_REJECT, .expire_ns = TP_FOREVER, .seed = asked->seed, .on_panic = asked->on_panic, .context = asked->context};
    target->ops = &stock_coroutine_pool_ops;
    return asked->virtual_time ? TP_EINVAL : target->ops->open(&target->pool, &settings);
}

static int open_current(struct tp_runtime *runtime, const struct tp_runtime_settings *asked)
{
    struct tp_current_settings settings = {.capacity = asked->capacity, .seed = asked->seed, .virtual_time = asked->virtual_time, .on_panic = asked->on_panic, .context = asked->context};
    int status = asked->workers > 0 ? TP_EINVAL : tp__current_open(&runtime->current, &settings);
    runtime->target = (struct tp_multi_member){&tp__current_ops, runtime->current};
    return status;
}

int tp_runtime_open(struct tp_runtime **out, const struct tp_runtime_settings *settings)
{
    static const struct tp_runtime_settings none;
    const struct tp_runtime_settings *asked = settings ? settings : &none;
    struct tp_runtime *runtime = calloc(1, sizeof *runtime);
    if (!runtime)
        return TP_ENOMEM;
    int status = TP_EINVAL;
    if (asked->flavour == TP_RUNTIME_MULTI)
        status = open_multi(&runtime->target, asked);
    else if (asked->flavour == TP_RUNTIME_CURRENT)
        status = open_current(runtime, asked);
    if (status == 0)
        *out = runtime;
    else
        free(runtime);
    return status;
}

/* -- tasks -------------------------------------------------------------------------------------- */

static int spawn(const struct tp_multi_member *target, int (*run)(void *argument), void *argument, uint64_t *id)
{
    const struct tp_call call = {run, argument};
    if (!run)
        return TP_EINVAL;
    return id ? target->ops->spawn(target->pool, UINT_MAX, &call, id) : target->ops->submit(target->pool, &call);
}

static int join(const struct tp_multi_member *target, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    struct tp_task_result got;
    int status = target->ops->wait(target->pool, id, deadline_ns, &got);
    if (status == 0)
        status = target->ops->detach(target->pool, id);
    if (status == 0 && result)
        *result = got;
    return status;
}

/* Would the caller wait for itself? Tasks of a current-thread runtime run in no coroutine, so in one nobody would run them. */
static bool is_stuck(const struct tp_runtime *runtime)
{
    return tp_run_depth(runtime->target.pool) > 0 || (runtime->current && tp_co_self());
}

int tp_block_on(struct tp_runtime *runtime, int (*run)(void *argument), void *argument, struct tp_task_result *result)
{
    uint64_t id;
    if (is_stuck(runtime))
        return TP_EDEADLK;
    int status = spawn(&runtime->target, run, argument, &id);
    if (status != 0)
        return status;
    status = join(&runtime->target, id, TP_FOREVER, result);
    if (status == TP_ECANCELED) { /* the caller is to end; but the task may use what is its */
        TP_SHIELD;
        runtime->target.ops->cancel_task(runtime->target.pool, id);
        status = join(&runtime->target, id, TP_FOREVER, result);
    }
    return status;
}

int tp_runtime_spawn(struct tp_runtime *runtime, int (*run)(void *argument), void *argument, uint64_t *id)
{
    return spawn(&runtime->target, run, argument, id);
}

int tp_runtime_join(struct tp_runtime *runtime, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    return join(&runtime->target, id, deadline_ns, result);
}

int tp_runtime_detach(struct tp_runtime *runtime, uint64_t id)
{
    return runtime->target.ops->detach(runtime->target.pool, id);
}

int tp_runtime_cancel(struct tp_runtime *runtime, uint64_t id)
{
    return runtime->target.ops->cancel_task(runtime->target.pool, id);
}

int tp_runtime_close(struct tp_runtime *runtime, uint64_t deadline_ns)
{
    return is_stuck(runtime) ? TP_EDEADLK : runtime->target.ops->close(runtime->target.pool, deadline_ns);
}

void tp_runtime_free(struct tp_runtime *runtime)
{
    if (!runtime)
        return;
    tp_assert(!is_stuck(runtime));
    if (is_stuck(runtime))
        return; /* it stays: its tasks, of which the caller may be one, are not over */
    runtime->target.ops->cancel(runtime->target.pool, TP_FOREVER);
    runtime->target.ops->free(runtime->target.pool);
    free(runtime);
}

struct tp_multi_member tp_runtime_target(struct tp_runtime *runtime)
{
    return runtime->target;
}

uint64_t tp_runtime_now_ns(struct tp_runtime *runtime)
{
    uint64_t now_ns = runtime->current ? tp_load_rlx(&runtime->current->now_ns) : 0; /* relaxed: a glimpse, or the caller's own */
    return now_ns != 0 ? now_ns : tp_clock_now_ns();
}

int tp_runtime_advance(struct tp_runtime *runtime, uint64_t duration_ns)
{
    return runtime->current ? tp__current_advance(runtime->current, duration_ns) : TP_ENOTSUP;
}

/* -- of the calling task ------------------------------------------------------------------------ */

int tp_task_target(struct tp_multi_member *target)
{
    const struct tp_run *run = tp_run_task();
    if (!run || !run->owner)
        return TP_EOUTSIDE;
    if (!run->ops || strcmp(run->ops->payload, "struct tp_call") != 0 || !run->ops->spawn)
        return TP_ENOTSUP;
    *target = (struct tp_multi_member){run->ops, (void *)run->owner};
    return 0;
}

int tp_task_spawn(int (*run)(void *argument), void *argument, uint64_t *id)
{
    struct tp_multi_member target;
    struct tp_call call = {run, argument};
    int status = run ? tp_task_target(&target) : TP_EINVAL;
    if (status == 0)
        status = tp__inherit(&call);
    if (status != 0)
        return status;
    status = spawn(&target, call.run, call.argument, id);
    if (status != 0)
        tp_call_dropped(call);
    return status;
}

int tp_task_join(uint64_t id, uint64_t deadline_ns, struct tp_task_result *result)
{
    struct tp_multi_member target;
    int status = tp_task_target(&target);
    return status != 0 ? status : join(&target, id, deadline_ns, result);
}

int tp_task_detach(uint64_t id)
{
    struct tp_multi_member target;
    int status = tp_task_target(&target);
    return status != 0 ? status : target.ops->detach(target.pool, id);
}

int tp_task_cancel(uint64_t id)
{
    struct tp_multi_member target;
    int status = tp_task_target(&target);
    return status != 0 ? status : target.ops->cancel_task(target.pool, id);
}
