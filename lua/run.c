/* The scheduler of one state: tide.run resumes ready tasks in turn until all have finished.
 *
 * Invariant: nothing here raises an error; what can raise is called through lua_pcall. Between two
 * tasks finalizers may run, wherever something is allocated, and they may spawn, cancel, and close
 * coroutines. So whatever allocates does it while the lists are whole: a task that is in none is
 * RUNNING, or has ended, and what was looked at before is looked at again after.
 * The rules a script relies on are in docs/lua.md. */
#include "inbox.h"
#include "task.h"

#include <string.h>

enum {
    FEW = 8,               /* values for which every Lua stack has room */
    OUTSIDE_INTERVAL = 16, /* tasks between two looks at deadlines and finished calls */
    NAMED_MAX = 8          /* tasks named in the message about a deadlock */
};

/* -- the function every pooled coroutine starts with -- */

/* Called where the error was raised, while the stack still shows it; the last error counts. Lua
 * also calls it when somebody closes the coroutine of a task that does not run. */
static int body_error(lua_State *L)
{
    struct tide_task *task = tide_task_on(tide_push_state(L), L);
    if (!task) {
        lua_settop(L, 1);
        return 1;
    }
    const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL;
    lua_getiuservalue(L, -1, TIDE_LIVE);
    lua_rawgeti(L, -1, task->seat);
    if (task->cancelled && text && lua_rawlen(L, 1) == sizeof TIDE_CANCELLED - 1 && strcmp(text, TIDE_CANCELLED) == 0)
        task->outcome = TIDE_CANCELED;
    else {
        task->outcome = TIDE_FAILED;
        luaL_traceback(L, L, NULL, 1);
        lua_setiuservalue(L, -2, 2);
        task->traced = true;
    }
    lua_settop(L, 1);
    return 1;
}

static int body_k(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    struct tide_task *task = tide_task_on(tide_state(L), L);
    int n = lua_gettop(L) - 1;
    if (!task) /* a stranger has resumed it to its end */
        return 0;
    if (status != LUA_OK && status != LUA_YIELD) {
        if (status != LUA_ERRRUN) { /* body_error was not called, or failed */
            task->outcome = TIDE_FAILED;
            task->traced = false;
        }
        return 1;
    }
    task->outcome = TIDE_DONE;
    if (n <= TIDE_SLOTS_MIN)
        return n;
    task->n_results = n;
    return tide_result_pack(L, &task->result, n);
}

/* A call that errors unwind to, inside the coroutine: so close handlers may suspend. */
static int body(lua_State *L)
{
    lua_pushcfunction(L, body_error);
    lua_insert(L, 1);
    return body_k(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, body_k), 0);
}

/* -- one task's turn -- */

/* Ends a task by the error on top of L; pops it. */
static void fail(lua_State *L, struct tide_state *state, struct tide_task *task)
{
    if (tide_co_of(task->co)) {
        state->current = task;
        if (tide_co_release(L, state, &task->co) != LUA_OK)
            lua_remove(L, -2); /* the error of a close handler takes the place of the first */
        state->current = NULL;
    }
    tide_task_push(L, task);
    lua_insert(L, -2);
    tide_result_store(L, &task->result, -2, 1);
    lua_pop(L, 1);
    tide_task_finish(L, state, task, TIDE_FAILED);
}

/* Pushes what `message` says of `subject`, or the error that kept it from that. The collector stands
 * still meanwhile: a finalizer could change the tasks, or resume the coroutine, it speaks of. */
static void push_message(lua_State *L, lua_CFunction message, void *subject)
{
    bool running = lua_gc(L, LUA_GCISRUNNING) == 1;
    lua_gc(L, LUA_GCSTOP);
    lua_pushcfunction(L, message);
    lua_pushlightuserdata(L, subject);
    lua_pcall(L, 1, 1, 0);
    if (running)
        lua_gc(L, LUA_GCRESTART);
}

static int misuse_message(lua_State *L)
{
    lua_State *co = lua_touserdata(L, 1);
    luaL_traceback(L, co, "a task called coroutine.yield outside its own coroutines; use tide.yield", 0);
    return 1;
}

/* A task suspended with coroutine.yield: nobody would ever resume it. */
static void fail_misuse(lua_State *L, struct tide_state *state, struct tide_task *task)
{
    push_message(L, misuse_message, task->co.co->L);
    fail(L, state, task);
}

/* Makes a coroutine ready to run the task's function. Returns the number of its arguments plus one,
 * or -1 with an error pushed. */
static int start(lua_State *L, struct tide_state *state, struct tide_task *task)
{
    if (tide_co_acquire(L, state, &task->co) != 0)
        goto fail_memory;
    lua_State *co = task->co.co->L;
    int n = task->result.n;
    if (n > FEW && (!lua_checkstack(L, n + LUA_MINSTACK) || !lua_checkstack(co, n + LUA_MINSTACK)))
        goto fail_memory;
    task->outcome = TIDE_DONE;
    tide_task_push(L, task);
    lua_getiuservalue(L, lua_upvalueindex(1), TIDE_BODY);
    tide_result_load(L, &task->result, -2);
    if (n > 1) /* else the function alone, which its coroutine holds as well */
        tide_result_forget(L, &task->result, -(n + 2));
    lua_xmove(L, co, n + 1);
    lua_pop(L, 1);
    return n;

fail_memory:
    lua_pushliteral(L, "not enough memory");
    return -1;
}

/* The body has returned: its n values, the results or the error, are on top of the coroutine. */
static void finish(lua_State *L, struct tide_state *state, struct tide_task *task, int n)
{
    lua_State *co = task->co.co->L;
    tide_task_push(L, task);
    int index = lua_gettop(L);
    if (n == 0) { /* the function goes at least */
        lua_pushnil(L);
        lua_setiuservalue(L, index, 1);
    } else {
        lua_xmove(co, L, n);
    }
    tide_result_put(L, &task->result, index, n);
    if (task->n_results > 0) {
        task->result.n = task->n_results;
        task->result.packed = n != task->n_results;
    }
    lua_pop(L, 1);
    tide_co_release(L, state, &task->co);
    tide_task_finish(L, state, task, task->outcome);
}

static void run_task(lua_State *L, struct tide_state *state, struct tide_task *task)
{
    bool fresh = task->result.status == TIDE_PENDING;
    tide_list_remove(task);
    task->result.status = TIDE_RUNNING;
    int n = fresh ? start(L, state, task) : 0;
    struct tide_co *co = tide_co_of(task->co);
    if (!fresh &&
        (!co || lua_status(co->L) != LUA_YIELD || !tide_co_move(co, TIDE_CO_SUSPENDED, TIDE_CO_RUNNING))) {
        lua_pushliteral(L, "its coroutine was closed from outside");
        n = -1;
    }
    if (n < 0) {
        fail(L, state, task);
        return;
    }

    int n_results;
    state->current = task;
    int status = lua_resume(co->L, L, n, &n_results);
    state->current = NULL;

    if (status == LUA_YIELD && task->suspending) {
        task->suspending = false;
        task->result.status = TIDE_SUSPENDED;
        tide_co_move(co, TIDE_CO_RUNNING, TIDE_CO_SUSPENDED);
    } else if (status == LUA_YIELD) {
        fail_misuse(L, state, task);
    } else if (status == LUA_OK) {
        finish(L, state, task, n_results);
    } else { /* out of memory while the values were packed */
        lua_xmove(co->L, L, 1);
        tide_co_move(co, TIDE_CO_RUNNING, TIDE_CO_DEAD);
        fail(L, state, task);
    }
}

/* -- ending and deadlock -- */

static struct tide_task *task_at(lua_State *L, uint32_t seat)
{
    lua_rawgeti(L, TIDE_LIVE_INDEX, seat);
    struct tide_task *task = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return task;
}

static void cancel_all(lua_State *L, struct tide_state *state)
{
    for (uint32_t seat = 1; seat <= state->n_seats; seat++) {
        struct tide_task *task = task_at(L, seat);
        if (task)
            tide_task_cancel(L, state, task);
    }
}

/* Names the waiting tasks. */
static int deadlock_message(lua_State *L)
{
    struct tide_state *state = lua_touserdata(L, 1);
    luaL_Buffer text;
    uint32_t n = 0;
    tide_push_state(L);
    lua_getiuservalue(L, -1, TIDE_LIVE);
    lua_replace(L, 2);
    luaL_buffinit(L, &text);
    luaL_addstring(&text, "deadlock: ");
    for (uint32_t seat = 1; seat <= state->n_seats; seat++) {
        lua_rawgeti(L, 2, seat);
        struct tide_task *task = lua_touserdata(L, -1);
        lua_pop(L, 1);
        if (!task || tide_finished(&task->result) || n++ >= NAMED_MAX)
            continue;
        const char *list = (const char *)task->in;
        const struct tide_task *other = (const void *)(list - offsetof(struct tide_task, joiners));
        lua_pushfstring(L, "%stask %I waits for task %I", n > 1 ? ", " : "", (LUAI_UACINT)task->result.id,
            (LUAI_UACINT)other->result.id);
        luaL_addvalue(&text);
    }
    if (n > NAMED_MAX) {
        lua_pushfstring(L, " and %d more", (int)(n - NAMED_MAX));
        luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
    return 1;
}

/* Nothing can ever become ready: the message goes to index 2, and all tasks are cancelled. If that
 * was done before and was of no use, one of them is ended by force. */
static void break_deadlock(lua_State *L, struct tide_state *state)
{
    if (lua_isnil(L, 2)) {
        push_message(L, deadlock_message, state);
        lua_replace(L, 2);
        cancel_all(L, state);
        if (state->ready.first)
            return;
    }
    for (uint32_t seat = 1; seat <= state->n_seats; seat++) {
        struct tide_task *task = task_at(L, seat);
        if (!task || tide_finished(&task->result))
            continue;
        tide_list_remove(task);
        lua_pushvalue(L, 2);
        fail(L, state, task);
        return;
    }
}

/* -- tide.run -- */

/* Nothing is ready: waits for a deadline or another thread. */
static void idle(lua_State *L, struct tide_state *state)
{
    if (state->n_outside == 0 && state->n_timed == 0) {
        break_deadlock(L, state);
        return;
    }
    tide_inbox_wait(state->inbox, state->n_timed ? state->timed[0]->deadline_ns : TP_FOREVER);
}

static void schedule(lua_State *L, struct tide_state *state, struct tide_task *first)
{
    bool ending = false;
    for (unsigned turn = 0; state->n_unfinished > 0; turn++) {
        if (turn % OUTSIDE_INTERVAL == 0 || !state->ready.first) {
            tide_inbox_drain(state);
            if (state->n_timed > 0)
                tide_expire(state, tp_clock_now_ns());
        }
        if (state->ready.first)
            run_task(L, state, state->ready.first);
        else
            idle(L, state);
        if (!ending && tide_finished(&first->result) && first->result.status != TIDE_DONE) {
            ending = true;
            cancel_all(L, state);
        }
    }
}

int tide_run(lua_State *L)
{
    struct tide_state *state = tide_state(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (!state->inbox)
        return luaL_error(L, "run: the state is closing");
    if (state->running)
        return luaL_error(L, "run: this state is inside tide.run already; use tide.spawn");
    luaL_checkstack(L, 2 * LUA_MINSTACK, NULL);
    struct tide_task *first = tide_task_new(L, state);
    lua_pushnil(L); /* index 2: the message about a deadlock */

    state->running = true;
    schedule(L, state, first);
    state->running = false;
    tide_task_observe(L, first, 1);
    tide_unseen_report(L);

    if (!lua_isnil(L, 2))
        return lua_error(L);
    if (first->result.status == TIDE_DONE)
        return tide_result_load(L, &first->result, 1);
    lua_getiuservalue(L, 1, 1);
    lua_getiuservalue(L, 1, 2);
    if (first->result.status != TIDE_FAILED || lua_type(L, -2) != LUA_TSTRING || !first->traced) {
        lua_pop(L, 1);
        return lua_error(L);
    }
    lua_pushliteral(L, "\n");
    lua_insert(L, -2);
    lua_concat(L, 3);
    return lua_error(L);
}

int tide_spawn(lua_State *L)
{
    struct tide_state *state = tide_state(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (!state->running)
        return luaL_error(L, "spawn: no runtime in this state; use it in a function that tide.run runs");
    tide_task_new(L, state);
    return 1;
}

void tide_open_run(lua_State *L)
{
    tide_push_state(L);
    lua_pushvalue(L, -1);
    lua_getiuservalue(L, -1, TIDE_LIVE);
    lua_pushcclosure(L, body, 2);
    lua_setiuservalue(L, -2, TIDE_BODY);
    lua_pop(L, 1);
}
