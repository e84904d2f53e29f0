/* Pooled coroutines. See co.h for the invariant; docs/lua.md for what a script sees of it. */
#include "co.h"

#include "../runtime/base/assert.h"
#include "../runtime/base/status.h"

enum { CO_FREE_MAX = 1024 /* idle coroutines kept; about a kilobyte each */ };

/* Protected: returns a new record, anchored with its Lua thread. */
static int co_new(lua_State *L)
{
    tide_push_state(L);
    lua_getiuservalue(L, -1, TIDE_COS);
    struct tide_co *co = lua_newuserdatauv(L, sizeof *co, 1);
    *co = (struct tide_co){.L = lua_newthread(L)};
    lua_setiuservalue(L, -2, 1);
    lua_rawsetp(L, -2, co);
    lua_pushlightuserdata(L, co);
    return 1;
}

/* Leaves a coroutine to the collector. */
static void co_drop(lua_State *L, struct tide_co *co)
{
    tide_push_state(L);
    lua_getiuservalue(L, -1, TIDE_COS);
    lua_pushnil(L);
    lua_rawsetp(L, -2, co); /* the key exists, so nothing is allocated */
    lua_pop(L, 2);
}

int tide_co_acquire(lua_State *L, struct tide_state *state, struct tide_co_ref *ref)
{
    struct tide_co *co = state->free_cos;
    if (co) {
        state->free_cos = co->next;
        state->n_free_cos--;
    } else {
        lua_pushcfunction(L, co_new);
        int status = lua_pcall(L, 0, 1, 0);
        co = lua_touserdata(L, -1);
        lua_pop(L, 1);
        if (status != LUA_OK)
            return TP_ENOMEM;
    }
    /* The hook follows the creator, as with coroutine.create; the last user may have left his. */
    lua_Hook hook = lua_gethook(L);
    if (lua_gethook(co->L) != hook)
        lua_sethook(co->L, hook, lua_gethookmask(L), lua_gethookcount(L));
    co->generation++;
    co->state = TIDE_CO_RUNNING;
    *ref = (struct tide_co_ref){.co = co, .generation = co->generation};
    return 0;
}

bool tide_co_move(struct tide_co *co, enum tide_co_state from, enum tide_co_state to)
{
    if (co->state != from)
        return false;
    co->state = to;
    return true;
}

int tide_co_release(lua_State *L, struct tide_state *state, struct tide_co_ref *ref)
{
    struct tide_co *co = tide_co_of(*ref);
    tp_assert(co && co->L != L);
    ref->co = NULL;
    int status = LUA_OK;
    if (co->state == TIDE_CO_RUNNING && lua_status(co->L) == LUA_OK) {
        tp_assert(lua_gettop(co->L) == 0); /* the results have been taken */
    } else {
        status = lua_resetthread(co->L);
        if (status != LUA_OK)
            lua_xmove(co->L, L, 1);
        lua_settop(co->L, 0);
    }
    co->state = TIDE_CO_FREE;
    co->generation++;
    if (state->n_free_cos >= CO_FREE_MAX) {
        co_drop(L, co);
        return status;
    }
    co->next = state->free_cos;
    state->free_cos = co;
    state->n_free_cos++;
    return status;
}
