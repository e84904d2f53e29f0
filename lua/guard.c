/* Guards: leaving the scope of a guard ends its task.
 *
 * Invariant: a guard points at its task until it is released or closed, so each ends it at most
 * once. Closing waits for the task's end, and cancelling the closer does not cut that short. */
#include "task.h"

struct guard {
    struct tide_task *task; /* kept alive by the user value; NULL: released or closed */
};

static struct guard *check_guard(lua_State *L)
{
    return luaL_checkudata(L, 1, TIDE_GUARD);
}

static int new_guard(lua_State *L)
{
    struct tide_task *task = luaL_checkudata(L, 1, TIDE_TASK);
    struct guard *guard = lua_newuserdatauv(L, sizeof *guard, 1);
    guard->task = NULL;
    luaL_setmetatable(L, TIDE_GUARD);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    guard->task = task;
    return 1;
}

static int guard_release(lua_State *L)
{
    struct guard *guard = check_guard(L);
    if (!guard->task)
        return tide_fail(L, TIDE_STALE);
    guard->task = NULL;
    lua_getiuservalue(L, 1, 1);
    return 1;
}

/* The task has finished: nothing else ends the wait of a guard. */
static int close_k(lua_State *L, int status, lua_KContext context)
{
    (void)status, (void)context;
    struct tide_task *self = tide_resumed(L);
    if (!self)
        return tide_suspend_again(L, 1, close_k);
    self->n_shields--;
    return 0;
}

/* Where the caller cannot suspend (it is being ended by force, or is no task), the task is only
 * cancelled; tide.run waits for it in any case. */
static int guard_close(lua_State *L)
{
    struct guard *guard = check_guard(L);
    struct tide_state *state = tide_state(L);
    struct tide_task *task = guard->task;
    guard->task = NULL;
    if (!task)
        return 0;
    if (!tide_task_cancel(L, state, task)) {
        lua_getiuservalue(L, 1, 1);
        tide_task_observe(L, task, -1);
        return 0;
    }
    if (!tide_can_wait(L) || tide_finished(&task->result) || task == state->current)
        return 0;
    state->current->n_shields++;
    return tide_suspend(L, state->current, &task->joiners, TP_FOREVER, false, 1, close_k);
}

/* The net below __close. */
static int guard_gc(lua_State *L)
{
    struct guard *guard = check_guard(L);
    if (guard->task)
        tide_task_cancel(L, tide_state(L), guard->task);
    guard->task = NULL;
    return 0;
}

static int guard_tostring(lua_State *L)
{
    struct guard *guard = check_guard(L);
    if (guard->task)
        lua_pushfstring(L, "tidepool.guard of task %I", (LUAI_UACINT)guard->task->result.id);
    else
        lua_pushliteral(L, "tidepool.guard (released)");
    return 1;
}

void tide_open_guard(lua_State *L)
{
    static const luaL_Reg functions[] = {{"guard", new_guard}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"release", guard_release}, {NULL, NULL}};
    static const luaL_Reg events[] = {
        {"__close", guard_close},
        {"__gc", guard_gc},
        {"__tostring", guard_tostring},
        {NULL, NULL},
    };
    tide_set_functions(L, functions);
    tide_new_class(L, TIDE_GUARD, methods, events);
    lua_pop(L, 1);
}
