/* tide.pool: pools of worker states.
 *
 * Invariant: the generated pool and the setup live from `open` to __gc, which waits for the tasks
 * that still run; so a worker never meets a setup that is gone. */
#include "function.h"
#include "handle.h"
#include "settings.h"
#include "value.h"
#include "variants.h"

#include "../runtime/clock.h"

#include <string.h>

struct tide_pool {
    const struct tp_pool_ops *ops;
    void *pool; /* of the kind `ops` is for; NULL before it is open and after __gc */
    struct tide_setup setup;
};

static struct tide_pool *check_pool(lua_State *L)
{
    return luaL_checkudata(L, 1, TIDE_POOL);
}

/* A copy of the string field of `package`, or of "" if it is no string. */
static char *copy_path(lua_State *L, const char *field)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    const char *text = "";
    if (lua_getfield(L, -1, "package") == LUA_TTABLE && lua_getfield(L, -1, field) == LUA_TSTRING)
        text = lua_tostring(L, -1);
    char *copy = strdup(text);
    if (!copy)
        luaL_error(L, "pool: %s", tp_strerror(TP_ENOMEM));
    return copy;
}

static int new_pool(lua_State *L)
{
    struct tide_settings settings;
    tide_check_settings(L, 1, &settings);
    struct tide_pool *pool = lua_newuserdatauv(L, sizeof *pool, 0);
    *pool = (struct tide_pool){.ops = tide_variant(settings.stealing, settings.reject)};
    luaL_setmetatable(L, TIDE_POOL);
    int index = lua_gettop(L);
    pool->setup.path = copy_path(L, "path");
    pool->setup.cpath = copy_path(L, "cpath");
    struct tp_pool_settings wanted = {.workers = settings.workers, .capacity = settings.capacity};
    int status = pool->ops->open(&pool->pool, &wanted);
    if (status != 0)
        return luaL_error(L, "pool: %s", tp_strerror(status));
    lua_settop(L, index);
    return 1;
}

static int refuse(lua_State *L, const char *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/* Puts the function at 2 and its arguments into the new call of the handle on top. */
static void pack(lua_State *L, struct tide_pool *pool, struct tide_handle *handle, int n_args)
{
    struct tide_parcel parcel = {.what = "argument", .function = 2, .first = 3, .n = n_args};
    struct tide_code *code = tide_code_of(L, 2);
    handle->call = tide_call_new(code, &pool->setup);
    if (!handle->call) {
        tide_code_drop(code);
        luaL_error(L, "spawn: %s", tp_strerror(TP_ENOMEM));
    }
    handle->result.id = handle->call->id;
    if (tide_encode(L, &handle->call->buffer, &parcel) != 0)
        luaL_error(L, "spawn: %s", lua_tostring(L, -1));
}

static int pool_spawn(lua_State *L)
{
    struct tide_pool *pool = check_pool(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    luaL_argcheck(L, !lua_iscfunction(L, 2), 2, "a function written in Lua expected, got a C function");
    if (!pool->pool)
        return refuse(L, TIDE_CLOSED);
    int n_args = lua_gettop(L) - 2;
    struct tide_handle *handle = tide_handle_new(L);
    pack(L, pool, handle, n_args);
    tide_call_hold(handle->call);
    int status = pool->ops->submit(pool->pool, &handle->call);
    if (status == 0)
        return 1;
    tide_call_drop(handle->call);
    if (status == TP_EFULL)
        return refuse(L, TIDE_FULL);
    if (status == TP_ECLOSED)
        return refuse(L, TIDE_CLOSED);
    return luaL_error(L, "spawn: %s", tp_strerror(status));
}

/* Waits with the whole thread. */
static int wait_until(lua_State *L, int (*wait)(void *pool, uint64_t deadline_ns), void *pool, uint64_t deadline_ns)
{
    int status = pool ? wait(pool, deadline_ns) : 0;
    if (status == TP_ETIMEDOUT)
        return tide_fail(L, TIDE_TIMEOUT);
    if (status != 0)
        return luaL_error(L, "%s", tp_strerror(status));
    lua_pushboolean(L, 1);
    return 1;
}

static int pool_join_all(lua_State *L)
{
    struct tide_pool *pool = check_pool(L);
    return wait_until(L, pool->ops->join_all, pool->pool, tide_check_deadline(L, 2));
}

static int pool_close(lua_State *L)
{
    struct tide_pool *pool = check_pool(L);
    return wait_until(L, pool->ops->close, pool->pool, tide_check_deadline(L, 2));
}

/* The second argument of __close is an error, not a limit. */
static int pool_leave(lua_State *L)
{
    lua_settop(L, 1);
    return pool_close(L);
}

static int pool_gc(lua_State *L)
{
    struct tide_pool *pool = check_pool(L);
    if (pool->pool)
        pool->ops->free(pool->pool);
    pool->pool = NULL;
    free(pool->setup.path);
    free(pool->setup.cpath);
    pool->setup = (struct tide_setup){NULL, NULL};
    return 0;
}

static int pool_stats(lua_State *L)
{
    struct tide_pool *pool = check_pool(L);
    struct tp_pool_stats stats = {0};
    if (pool->pool)
        pool->ops->stats(pool->pool, &stats);
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {
        {"submitted", stats.submitted},
        {"completed", stats.completed},
        {"failed", stats.failed},
        {"rejected", stats.rejected},
        {"steal_attempts", stats.steal_attempts},
        {"steals", stats.steals},
        {"stolen", stats.stolen},
        {"parks", stats.parks},
        {"capacity", stats.now.capacity},
        {"pending", stats.now.pending},
        {"running", stats.now.running},
        {"waiting", stats.now.waiting},
        {"parked", stats.parked},
        {"workers", stats.workers},
    };
    int n = sizeof fields / sizeof *fields;
    lua_createtable(L, 0, n);
    for (int i = 0; i < n; i++) {
        lua_pushinteger(L, (lua_Integer)fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
    return 1;
}

static int pool_tostring(lua_State *L)
{
    struct tide_pool *pool = check_pool(L);
    struct tp_pool_stats stats = {0};
    if (pool->pool)
        pool->ops->stats(pool->pool, &stats);
    lua_pushfstring(L, "tidepool.pool (%d workers, %d running, %d pending)", (int)stats.workers, (int)stats.now.running,
        (int)stats.now.pending);
    return 1;
}

void tide_open_pool(lua_State *L)
{
    static const luaL_Reg functions[] = {{"pool", new_pool}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"spawn", pool_spawn},
        {"join_all", pool_join_all},
        {"stats", pool_stats},
        {"close", pool_close},
        {NULL, NULL},
    };
    static const luaL_Reg events[] = {
        {"__close", pool_leave},
        {"__gc", pool_gc},
        {"__tostring", pool_tostring},
        {NULL, NULL},
    };
    tide_set_functions(L, functions);
    tide_new_class(L, TIDE_POOL, methods, events);
    lua_pop(L, 1);
    tide_open_handle(L);
}
