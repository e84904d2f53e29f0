/* The module `tidepool`: its table, its state record, and what its files share.
 * The manual is docs/lua.md. */
#include "tide.h"

#include "function.h"
#include "inbox.h"

#include "../runtime/clock.h"

#include <math.h>
#include <string.h>

static const char state_key = 0; /* in the registry: the state's userdata */

struct tide_state *tide_push_state(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
    return lua_touserdata(L, -1);
}

uint64_t tide_check_deadline(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return TP_FOREVER;
    lua_Number seconds = luaL_checknumber(L, arg);
    luaL_argcheck(L, !isnan(seconds), arg, "a number of seconds expected, got nan");
    if (seconds <= 0)
        return 0;
    /* Beyond the range of the clock there is no limit. */
    return seconds >= 1e10 ? TP_FOREVER : tp_deadline_in_ns((uint64_t)(seconds * 1e9));
}

void tide_set_functions(lua_State *L, const luaL_Reg *functions)
{
    tide_push_state(L);
    lua_getiuservalue(L, -1, TIDE_LIVE);
    luaL_setfuncs(L, functions, 2);
}

void tide_new_class(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *events)
{
    luaL_newmetatable(L, name);
    tide_set_functions(L, events);
    lua_newtable(L);
    tide_set_functions(L, methods);
    lua_setfield(L, -2, "__index");
    /* Scripts can neither read nor replace it. */
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
}

static int now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)tp_clock_now_ns() / 1e9);
    return 1;
}

static int state_gc(lua_State *L)
{
    struct tide_state *state = luaL_checkudata(L, 1, TIDE_STATE);
    if (state->inbox)
        tide_inbox_drop(state->inbox);
    state->inbox = NULL;
    return 0;
}

/* Leaves the state's userdata in the registry. */
static void new_state(lua_State *L)
{
    static const int tables[] = {TIDE_LIVE, TIDE_COS};
    struct tide_state *state = lua_newuserdatauv(L, sizeof *state, TIDE_N_VALUES);
    memset(state, 0, sizeof *state);
    luaL_newmetatable(L, TIDE_STATE);
    lua_pushcfunction(L, state_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, tide_shield_leave);
    lua_setfield(L, -2, "__close");
    lua_setmetatable(L, -2);
    state->inbox = tide_inbox_new();
    if (!state->inbox)
        luaL_error(L, "not enough memory");
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        lua_newtable(L);
        lua_setiuservalue(L, -2, tables[i]);
    }
    tide_open_function(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
}

/* The words a script may compare with. Kept, so that pushing one never allocates. */
static void keep_words(lua_State *L)
{
    static const char *const words[] = {TIDE_TIMEOUT, TIDE_CANCELLED, TIDE_CLOSED, TIDE_FULL, TIDE_STALE,
        "its coroutine was closed from outside"};
    tide_push_state(L);
    lua_newtable(L);
    for (int i = 0; i < (int)(sizeof words / sizeof *words); i++) {
        lua_pushstring(L, words[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setiuservalue(L, -2, TIDE_WORDS);
    lua_pushliteral(L, TIDE_CANCELLED);
    lua_setiuservalue(L, -2, TIDE_CANCELLED_WORD);
    lua_pop(L, 1);
}

int luaopen_tidepool(lua_State *L);

int luaopen_tidepool(lua_State *L)
{
    static const luaL_Reg functions[] = {{"now", now}, {NULL, NULL}};
    luaL_checkversion(L);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key) == LUA_TUSERDATA && lua_getiuservalue(L, -1, TIDE_MODULE) != LUA_TNIL)
        return 1; /* required again after package.loaded was cleared: a state has one scheduler */
    new_state(L);
    keep_words(L);
    lua_newtable(L);
    tide_set_functions(L, functions);
    tide_open_task(L);
    tide_open_run(L);
    tide_open_report(L);
    tide_open_guard(L);
    tide_open_pool(L);
    tide_push_state(L);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, TIDE_MODULE);
    lua_pop(L, 1);
    return 1;
}
