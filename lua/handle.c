/* The methods of handles: waiting for a call, as a task or with the whole thread. */
#include "handle.h"

#include "inbox.h"
#include "task.h"
#include "value.h"

enum { JOIN_SPINS = 200 /* looks before the thread asks to be woken */ };

struct tide_handle *tide_handle_new(lua_State *L)
{
    struct tide_handle *handle = lua_newuserdatauv(L, sizeof *handle, TIDE_SLOTS_MIN + 1);
    *handle = (struct tide_handle){.result = {.n_slots = TIDE_SLOTS_MIN}};
    lua_getiuservalue(L, lua_upvalueindex(1), TIDE_HANDLE_META);
    lua_setmetatable(L, -2);
    return handle;
}

static struct tide_handle *check_handle(lua_State *L)
{
    return tide_check_class(L, 1, tide_state(L)->handle_meta, TIDE_HANDLE);
}

static void finish(struct tide_handle *handle, enum tide_status status)
{
    struct tide_call *call = handle->call;
    handle->result.status = (uint8_t)status;
    handle->call = NULL;
    tide_call_drop(call);
}

/* Argument 1: the handle. Reading allocates, so a finalizer may have done the same when it is done. */
static int read_results(lua_State *L)
{
    struct tide_handle *handle = lua_touserdata(L, 1);
    struct tide_call *call = handle->call;
    int n = tide_decode(L, &call->buffer, NULL);
    int n_packed = tide_result_pack(L, &handle->result, n);
    if (handle->call != call)
        return 0;
    tide_result_put(L, &handle->result, 1, n_packed);
    handle->result.packed = n != n_packed;
    handle->result.n = n;
    finish(handle, call->failed ? TIDE_FAILED : TIDE_DONE);
    return 0;
}

/* Takes the results out of a call that is done. If memory runs out, a later join tries again. */
static void collect(lua_State *L, struct tide_handle *handle)
{
    struct tide_call *call = handle->call;
    tide_call_hold(call);
    lua_pushcfunction(L, read_results);
    lua_pushvalue(L, 1);
    int status = lua_pcall(L, 1, 0, 0);
    tide_call_drop(call);
    if (status != LUA_OK)
        lua_error(L);
}

/* Whether the result of the handle at index 1 is there, taking it out of the call if it is. */
static bool settle(lua_State *L, struct tide_handle *handle)
{
    if (!handle->call)
        return true;
    if (!tide_call_is_done(handle->call))
        return false;
    collect(L, handle);
    return true;
}

/* -- waiting as a task -- */

static int wait_ended(lua_State *L, struct tide_task *self, bool raise)
{
    struct tide_handle *handle = lua_touserdata(L, 1);
    if (settle(L, handle))
        return tide_result_outcome(L, &handle->result, raise);
    return tide_task_must_end(self) ? tide_raise_cancelled(L) : tide_timed_out(L, raise);
}

static int join_k(lua_State *L, int status, lua_KContext context)
{
    (void)status, (void)context;
    struct tide_task *self = tide_resumed(L);
    return self ? wait_ended(L, self, false) : tide_suspend_again(L, 1, join_k);
}

static int await_k(lua_State *L, int status, lua_KContext context)
{
    (void)status, (void)context;
    struct tide_task *self = tide_resumed(L);
    return self ? wait_ended(L, self, true) : tide_suspend_again(L, 1, await_k);
}

/* -- waiting with the thread -- */

/* Returns false if the deadline passed. */
static bool wait_with_thread(struct tide_state *state, struct tide_call *call, uint64_t deadline_ns)
{
    for (int i = 0; i < JOIN_SPINS; i++) {
        if (tide_call_is_done(call))
            return true;
        tp_relax();
    }
    if (!tide_call_watch(call, state->inbox))
        return true;
    while (!tide_call_is_done(call)) {
        if (deadline_ns != TP_FOREVER && tp_clock_now_ns() >= deadline_ns)
            return false;
        tide_inbox_wait(state->inbox, deadline_ns);
        tide_inbox_drain(state);
    }
    return true;
}

static int wait_for(lua_State *L, const char *what, lua_KFunction k, bool raise)
{
    struct tide_handle *handle = check_handle(L);
    struct tide_state *state = tide_state(L);
    uint64_t deadline_ns = tide_check_deadline(L, 2);
    lua_settop(L, 1);
    bool finalized = !handle->call && !tide_finished(&handle->result);
    if (!state->inbox || finalized)
        return luaL_error(L, "%s: the state is closing", what);
    if (settle(L, handle))
        return tide_result_outcome(L, &handle->result, raise);
    struct tide_task *self = state->current ? tide_waiter(L, what) : NULL;
    if (deadline_ns == 0)
        return tide_timed_out(L, raise);
    if (self && tide_call_watch(handle->call, state->inbox))
        return tide_suspend(L, self, &handle->call->waiters, deadline_ns, true, 1, k);
    if (!self && !wait_with_thread(state, handle->call, deadline_ns))
        return tide_timed_out(L, raise);
    settle(L, handle);
    return tide_result_outcome(L, &handle->result, raise);
}

static int handle_join(lua_State *L)
{
    return wait_for(L, "join", join_k, false);
}

static int handle_await(lua_State *L)
{
    return wait_for(L, "await", await_k, true);
}

/* -- the rest -- */

static int handle_cancel(lua_State *L)
{
    struct tide_handle *handle = check_handle(L);
    lua_settop(L, 2);
    bool cancelled = handle->call && tide_call_cancel(handle->call);
    if (cancelled) {
        tide_result_reason(L, &handle->result, 1);
        tide_result_cancel(L, &handle->result, 1);
        tide_wake_all(tide_state(L), &handle->call->waiters);
        finish(handle, TIDE_CANCELED);
    }
    lua_pushboolean(L, cancelled);
    return 1;
}

static int handle_status(lua_State *L)
{
    struct tide_handle *handle = check_handle(L);
    if (!settle(L, handle)) {
        /* Relaxed: how far the worker is, at about this moment. */
        bool started = tp_load_rlx(&handle->call->state) & TIDE_CALL_STARTED;
        handle->result.status = started ? TIDE_RUNNING : TIDE_PENDING;
    }
    return tide_result_status(L, &handle->result);
}

static int handle_gc(lua_State *L)
{
    struct tide_handle *handle = check_handle(L);
    if (handle->call)
        tide_call_drop(handle->call);
    handle->call = NULL;
    return 0;
}

void tide_open_handle(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"join", handle_join},
        {"await", handle_await},
        {"cancel", handle_cancel},
        {"status", handle_status},
        {NULL, NULL},
    };
    static const luaL_Reg events[] = {{"__gc", handle_gc}, {NULL, NULL}};
    struct tide_state *state = tide_push_state(L);
    tide_new_result_class(L, TIDE_HANDLE, methods, events);
    state->handle_meta = lua_topointer(L, -1);
    lua_setiuservalue(L, -2, TIDE_HANDLE_META);
    lua_pop(L, 1);
}
