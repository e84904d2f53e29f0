/* Results of tasks and handles: their values, and the methods both have. */
#include "result.h"

#include <string.h>

int tide_result_pack(lua_State *L, const struct tide_result *result, int n)
{
    if (n <= result->n_slots)
        return n;
    lua_createtable(L, n, 0);
    lua_insert(L, -(n + 1));
    for (int i = n; i > 0; i--)
        lua_rawseti(L, -(i + 1), i);
    return 1;
}

void tide_result_store(lua_State *L, struct tide_result *result, int index, int n)
{
    index = lua_absindex(L, index);
    tide_result_put(L, result, index, tide_result_pack(L, result, n));
    result->packed = n > result->n_slots;
    result->n = n;
}

int tide_result_load(lua_State *L, const struct tide_result *result, int index)
{
    index = lua_absindex(L, index);
    if (result->n > TIDE_SLOTS_MAX) /* else there is room on every Lua stack */
        luaL_checkstack(L, result->n + 2, "too many values");
    if (result->packed) {
        lua_getiuservalue(L, index, 1);
        for (int i = 1; i <= result->n; i++)
            lua_rawgeti(L, -i, i);
        lua_remove(L, -(result->n + 1));
    } else {
        for (int i = 1; i <= result->n; i++)
            lua_getiuservalue(L, index, i);
    }
    return result->n;
}

void tide_result_forget(lua_State *L, struct tide_result *result, int index)
{
    index = lua_absindex(L, index);
    int n = result->packed ? 1 : result->n;
    for (int i = 1; i <= n; i++) {
        lua_pushnil(L);
        lua_setiuservalue(L, index, i);
    }
    result->packed = false;
    result->n = 0;
}

void tide_result_reason(lua_State *L, const struct tide_result *result, int index)
{
    lua_setiuservalue(L, index, result->n_slots + 1);
}

void tide_result_cancel(lua_State *L, struct tide_result *result, int index)
{
    index = lua_absindex(L, index);
    tide_result_forget(L, result, index);
    lua_getiuservalue(L, lua_upvalueindex(1), TIDE_CANCELLED_WORD); /* lua_pushstring may run finalizers */
    tide_result_put(L, result, index, 1);
}

int tide_result_outcome(lua_State *L, const struct tide_result *result, bool raise)
{
    if (result->status == TIDE_DONE) {
        if (!raise)
            lua_pushboolean(L, 1);
        return tide_result_load(L, result, 1) + !raise;
    }
    if (!raise)
        lua_pushboolean(L, 0);
    lua_getiuservalue(L, 1, 1);
    if (raise)
        return lua_error(L);
    if (result->status == TIDE_CANCELED && lua_getiuservalue(L, 1, result->n_slots + 1) != LUA_TNIL)
        return 3;
    lua_settop(L, lua_gettop(L) - (result->status == TIDE_CANCELED));
    return 2;
}

int tide_timed_out(lua_State *L, bool raise)
{
    if (!raise)
        return tide_fail(L, TIDE_TIMEOUT);
    lua_pushliteral(L, TIDE_TIMEOUT);
    return lua_error(L);
}

int tide_raise_cancelled(lua_State *L)
{
    lua_pushliteral(L, TIDE_CANCELLED);
    return lua_error(L);
}

/* -- the methods both have -- */

enum { UPVALUE_NAME = 1,
    UPVALUE_METHODS = 2 };

static const char *const status_names[] = {"pending", "running", "suspended", "done", "failed", "cancelled"};

static struct tide_result *check_result(lua_State *L)
{
    return luaL_checkudata(L, 1, lua_tostring(L, lua_upvalueindex(UPVALUE_NAME)));
}

static int result_tostring(lua_State *L)
{
    struct tide_result *result = check_result(L);
    lua_pushfstring(L, "%s %I (%s)", lua_tostring(L, lua_upvalueindex(UPVALUE_NAME)), (LUAI_UACINT)result->id,
        status_names[result->status]);
    return 1;
}

/* Methods are asked for most, and without a look at what is indexed. */
static int result_index(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(UPVALUE_METHODS)) != LUA_TNIL)
        return 1;
    struct tide_result *result = check_result(L);
    const char *key = lua_tostring(L, 2);
    if (!key || strcmp(key, "id") != 0)
        return 1;
    lua_pushinteger(L, (lua_Integer)result->id);
    return 1;
}

int tide_result_status(lua_State *L, const struct tide_result *result)
{
    lua_pushstring(L, status_names[result->status]);
    return 1;
}

void tide_new_result_class(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *events)
{
    tide_new_class(L, name, methods, events);
    lua_pushstring(L, name);
    lua_getfield(L, -2, "__index");
    lua_pushcclosure(L, result_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_pushcclosure(L, result_tostring, 1);
    lua_setfield(L, -2, "__tostring");
}
