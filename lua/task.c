/* The task object: its values, its end, and its methods. The scheduler is run.c; docs/lua.md is
 * the manual. */
#include "task.h"

#include <string.h>

static struct tide_task *check_task(lua_State *L, int arg)
{
    return tide_check_class(L, arg, tide_state(L)->task_meta, TIDE_TASK);
}

/* -- life -- */

void tide_task_push(lua_State *L, const struct tide_task *task)
{
    lua_rawgeti(L, TIDE_LIVE_INDEX, task->seat);
}

/* Makes room for more live tasks: to give every seat back, and to let every task wait with a
 * deadline, without allocating. */
static void seats_grow(lua_State *L, struct tide_state *state)
{
    uint32_t old = state->seats_size;
    uint32_t size = old ? 2 * old : 16;
    struct tide_task **timed = lua_newuserdatauv(L, size * (sizeof *timed + sizeof *state->free_seats), 0);
    if (state->seats_size != old) { /* a finalizer that ran just now has spawned as well */
        lua_pop(L, 1);
        return;
    }
    uint32_t *free_seats = (uint32_t *)(timed + size);
    if (old > 0) {
        memcpy(timed, state->timed, state->n_timed * sizeof *timed);
        memcpy(free_seats, state->free_seats, state->n_free_seats * sizeof *free_seats);
    }
    lua_setiuservalue(L, lua_upvalueindex(1), TIDE_SEATS);
    state->timed = timed;
    state->free_seats = free_seats;
    state->seats_size = size;
}

/* Gives the task whose userdata is on top a seat among the live ones. */
static void seat_take(lua_State *L, struct tide_state *state, struct tide_task *task)
{
    while (state->n_free_seats == 0 && state->n_seats == state->seats_size)
        seats_grow(L, state);
    bool fresh = state->n_free_seats == 0;
    uint32_t seat = fresh ? state->n_seats + 1 : state->free_seats[state->n_free_seats - 1];
    lua_pushvalue(L, -1);
    lua_rawseti(L, TIDE_LIVE_INDEX, seat);
    if (fresh)
        state->n_seats++;
    else
        state->n_free_seats--;
    task->seat = seat;
}

static void seat_leave(lua_State *L, struct tide_state *state, struct tide_task *task)
{
    lua_pushnil(L);
    lua_rawseti(L, TIDE_LIVE_INDEX, task->seat);
    state->free_seats[state->n_free_seats++] = task->seat;
    task->seat = 0;
}

static int slots_for(int n)
{
    if (n < TIDE_SLOTS_MIN)
        return TIDE_SLOTS_MIN;
    return n < TIDE_SLOTS_MAX ? n : TIDE_SLOTS_MAX;
}

struct tide_task *tide_task_new(lua_State *L, struct tide_state *state)
{
    int n = lua_gettop(L);
    int n_slots = slots_for(n);
    struct tide_task *task = lua_newuserdatauv(L, sizeof *task, n_slots + 1);
    *task = (struct tide_task){.result.n_slots = (uint8_t)n_slots};
    lua_getiuservalue(L, lua_upvalueindex(1), TIDE_TASK_META);
    lua_setmetatable(L, -2);
    lua_insert(L, 1);
    tide_result_store(L, &task->result, 1, n);
    seat_take(L, state, task);
    task->result.id = ++state->last_id;
    state->n_unfinished++;
    tide_list_append(&state->ready, task);
    return task;
}

void tide_task_finish(lua_State *L, struct tide_state *state, struct tide_task *task, enum tide_status outcome)
{
    task->result.status = (uint8_t)outcome;
    state->n_unfinished--;
    bool joined = task->joiners.first != NULL;
    if (joined)
        tide_wake_all(state, &task->joiners);
    if (outcome == TIDE_FAILED && !joined)
        tide_unseen_add(L, task);
    seat_leave(L, state, task);
}

bool tide_task_cancel(lua_State *L, struct tide_state *state, struct tide_task *task)
{
    if (tide_finished(&task->result))
        return false;
    task->cancelled = true;
    if (task->result.status == TIDE_PENDING) {
        tide_list_remove(task);
        tide_task_push(L, task);
        tide_result_cancel(L, &task->result, -1);
        lua_pop(L, 1);
        tide_task_finish(L, state, task, TIDE_CANCELED);
    } else if (task->in && task->in != &state->ready && task->n_shields == 0) {
        tide_wake(state, task);
    }
    return true;
}

/* -- methods -- */

static int outcome(lua_State *L, struct tide_task *task, bool raise)
{
    tide_task_observe(L, task, 1);
    return tide_result_outcome(L, &task->result, raise);
}

/* The waits end here: the task finished, or the caller was cancelled, or its limit passed. */
static int wait_ended(lua_State *L, struct tide_task *self, bool raise)
{
    struct tide_task *task = lua_touserdata(L, 1);
    if (tide_finished(&task->result))
        return outcome(L, task, raise);
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

static int wait_for(lua_State *L, const char *what, lua_KFunction k, bool raise)
{
    struct tide_task *task = check_task(L, 1);
    uint64_t deadline_ns = tide_check_deadline(L, 2);
    if (tide_finished(&task->result))
        return outcome(L, task, raise);
    struct tide_task *self = tide_waiter(L, what);
    if (self == task)
        return luaL_error(L, "%s: a task cannot wait for itself", what);
    if (deadline_ns == 0)
        return tide_timed_out(L, raise);
    return tide_suspend(L, self, &task->joiners, deadline_ns, false, 1, k);
}

static int task_join(lua_State *L)
{
    return wait_for(L, "join", join_k, false);
}

static int task_await(lua_State *L)
{
    return wait_for(L, "await", await_k, true);
}

static int task_cancel(lua_State *L)
{
    struct tide_task *task = check_task(L, 1);
    lua_settop(L, 2);
    bool first = !task->cancelled;
    bool done = tide_task_cancel(L, tide_state(L), task);
    if (done && first)
        tide_result_reason(L, &task->result, 1);
    lua_pushboolean(L, done);
    return 1;
}

static int task_status(lua_State *L)
{
    return tide_result_status(L, &check_task(L, 1)->result);
}

static int task_traceback(lua_State *L)
{
    struct tide_task *task = check_task(L, 1);
    if (task->result.status == TIDE_FAILED && task->traced)
        lua_getiuservalue(L, 1, 2);
    else
        lua_pushnil(L);
    return 1;
}

/* -- functions of the module -- */

static int yield_k(lua_State *L, int status, lua_KContext context)
{
    (void)status, (void)context;
    struct tide_task *self = tide_resumed(L);
    if (!self)
        return tide_suspend_again(L, 0, yield_k);
    return tide_task_must_end(self) ? tide_raise_cancelled(L) : 0;
}

static int tide_yield(lua_State *L)
{
    struct tide_task *self = tide_waiter(L, "yield");
    return tide_suspend(L, self, &tide_state(L)->ready, TP_FOREVER, false, 0, yield_k);
}

/* The task is not there any more if its coroutine is closed from outside. */
int tide_shield_leave(lua_State *L)
{
    struct tide_task *task = tide_task_on(lua_touserdata(L, 1), L);
    if (task)
        task->n_shields--;
    return 0;
}

static int shield_k(lua_State *L, int status, lua_KContext context)
{
    (void)status, (void)context;
    return lua_gettop(L) - 1;
}

/* Runs a function whose waits cancelling does not end: for cleaning up. An error passes through
 * uncaught, so that its traceback shows where it was raised; what is to be closed ends the shield. */
static int tide_shield(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (!tide_can_wait(L))
        return luaL_error(L, "shield: not in a task, or where a task cannot suspend");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_toclose(L, 1);
    tide_state(L)->current->n_shields++;
    lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, shield_k);
    return shield_k(L, LUA_OK, 0);
}

void tide_open_task(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"join", task_join},
        {"await", task_await},
        {"cancel", task_cancel},
        {"status", task_status},
        {"traceback", task_traceback},
        {NULL, NULL},
    };
    static const luaL_Reg events[] = {{NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"run", tide_run},
        {"spawn", tide_spawn},
        {"yield", tide_yield},
        {"shield", tide_shield},
        {NULL, NULL},
    };
    tide_set_functions(L, functions);

    struct tide_state *state = tide_push_state(L);
    tide_new_result_class(L, TIDE_TASK, methods, events);
    state->task_meta = lua_topointer(L, -1);
    lua_setiuservalue(L, -2, TIDE_TASK_META);
    lua_pop(L, 1);
}
