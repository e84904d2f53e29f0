/* Failed tasks that nobody joined: they are told to the standard error, once each.
 *
 * Invariant: such a task is a key of the weak table TIDE_UNSEEN, and its value, the witness, refers
 * back to it. So both become garbage together, when the script has dropped its last handle; the
 * witness's finalizer reports the task then. What is left at the end of tide.run is reported there. */
#include "task.h"

#include <stdio.h>
#include <stdlib.h>

/* Argument 1: the task's userdata. */
static int print_report(lua_State *L)
{
    struct tide_task *task = lua_touserdata(L, 1);
    lua_getiuservalue(L, 1, 1);
    size_t n;
    const char *text = luaL_tolstring(L, -1, &n);
    lua_getiuservalue(L, 1, 2);
    const char *traceback = task->traced ? lua_tostring(L, -1) : "";
    fprintf(stderr, "tidepool: task %llu failed and nobody joined it: ", (unsigned long long)task->result.id);
    fwrite(text, 1, n, stderr); /* all of it, also zero bytes */
    fprintf(stderr, "\n%s%s", traceback, *traceback ? "\n" : "");
    return 0;
}

/* Reports the task whose userdata is on top of the stack; pops it. */
static void report(lua_State *L)
{
    struct tide_task *task = lua_touserdata(L, -1);
    if (!task->unseen) {
        lua_pop(L, 1);
        return;
    }
    task->unseen = false;
    lua_pushcfunction(L, print_report);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fprintf(stderr, "tidepool: task %llu failed and nobody joined it: (the error cannot be shown)\n",
            (unsigned long long)task->result.id);
        lua_pop(L, 1);
    }
}

static int witness_gc(lua_State *L)
{
    lua_getiuservalue(L, 1, 1);
    report(L);
    return 0;
}

/* Argument 1: the task's userdata. */
static int add_witness(lua_State *L)
{
    tide_push_state(L);
    lua_getiuservalue(L, 2, TIDE_UNSEEN);
    lua_pushvalue(L, 1);
    lua_newuserdatauv(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, TIDE_WITNESS);
    lua_rawset(L, 3);
    return 0;
}

void tide_unseen_add(lua_State *L, struct tide_task *task)
{
    task->unseen = true;
    lua_pushcfunction(L, add_witness);
    tide_task_push(L, task);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return;
    lua_pop(L, 1);
    tide_task_push(L, task);
    report(L); /* no memory to remember it */
}

void tide_task_observe(lua_State *L, struct tide_task *task, int index)
{
    if (!task->unseen)
        return;
    task->unseen = false;
    lua_pushvalue(L, index);
    lua_getiuservalue(L, lua_upvalueindex(1), TIDE_UNSEEN);
    lua_insert(L, -2);
    lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static int by_id(const void *a, const void *b)
{
    lua_Integer x = *(const lua_Integer *)a, y = *(const lua_Integer *)b;
    return (x > y) - (x < y);
}

/* In the order in which they were spawned. */
static int report_all(lua_State *L)
{
    lua_settop(L, 0);
    tide_push_state(L);
    lua_getiuservalue(L, 1, TIDE_UNSEEN);
    lua_newtable(L); /* id -> task */
    size_t n = 0;
    lua_pushnil(L);
    for (; lua_next(L, 2); lua_pop(L, 1)) {
        struct tide_task *task = lua_touserdata(L, -2);
        lua_pushvalue(L, -2);
        lua_rawseti(L, 3, (lua_Integer)task->result.id);
        n++;
    }
    lua_Integer *ids = lua_newuserdatauv(L, n * sizeof *ids, 0);
    n = 0;
    lua_pushnil(L);
    for (; lua_next(L, 3); lua_pop(L, 1))
        ids[n++] = lua_tointeger(L, -2);
    qsort(ids, n, sizeof *ids, by_id);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 3, ids[i]);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, 2);
        report(L);
    }
    return 0;
}

void tide_unseen_report(lua_State *L)
{
    lua_getiuservalue(L, lua_upvalueindex(1), TIDE_UNSEEN);
    lua_pushnil(L);
    bool any = lua_next(L, -2);
    lua_pop(L, any ? 3 : 1);
    if (!any)
        return;
    lua_pushcfunction(L, report_all);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
        lua_pop(L, 1); /* out of memory: the collector reports them */
}

void tide_open_report(lua_State *L)
{
    tide_push_state(L);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_setiuservalue(L, -2, TIDE_UNSEEN);
    lua_pop(L, 1);
    luaL_newmetatable(L, TIDE_WITNESS);
    lua_pushcfunction(L, witness_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
