/* The Lua binding's own header: what the files of lua/ share.
 *
 * Invariant: a lua_State is touched only by the thread that runs it. What crosses threads is C
 * memory: a call record (call.h) and the inbox where finished ones arrive (inbox.h).
 * The user's view is docs/lua.md.
 *
 * Every function that takes a lua_State may raise a Lua error unless its comment says otherwise. */
#ifndef TIDE_LUA_H
#define TIDE_LUA_H

#include <lauxlib.h>
#include <lua.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tide_task;
struct tide_co;
struct tide_inbox;

/* Tasks in a row. A task is in at most one list at a time: ready, or waiting for something. */
struct tide_list {
    struct tide_task *first, *last;
};

/* One per Lua state: a full userdata, the first upvalue of every function of the module. Its user
 * values are the tables below. */
struct tide_state {
    struct tide_list ready;
    struct tide_task *current;           /* the task that is running, or NULL */
    struct tide_co *free_cos;            /* pooled coroutines, the last used first */
    struct tide_task **timed;            /* heap of tasks that wait with a deadline, the next on top */
    uint32_t *free_seats;                /* unused indices of the table of live tasks */
    struct tide_inbox *inbox;            /* NULL when the state is closing */
    const void *task_meta, *handle_meta; /* the metatables, for a quick comparison */
    uint64_t last_id;
    size_t n_unfinished; /* tasks spawned and not finished */
    size_t n_outside;    /* tasks that wait for a call on another thread */
    uint32_t n_timed;
    uint32_t n_seats, n_free_seats;
    uint32_t seats_size; /* of both arrays: each live task has a place in either */
    uint32_t n_free_cos;
    bool running; /* inside tide.run */
};

enum {
    TIDE_LIVE = 1,  /* seat -> task: keeps unfinished tasks alive */
    TIDE_COS,       /* struct tide_co -> its userdata: keeps pooled coroutines alive */
    TIDE_TASK_META, /* the metatables, at hand without a look-up by name */
    TIDE_HANDLE_META,
    TIDE_CODES,          /* function -> code userdata, weak keys */
    TIDE_DUMPS,          /* dumped function -> code userdata, weak values */
    TIDE_BODY,           /* the function every pooled coroutine starts with */
    TIDE_SEATS,          /* the memory of the arrays in struct tide_state */
    TIDE_UNSEEN,         /* failed task that nobody has joined -> its witness, weak keys */
    TIDE_WORDS,          /* strings that must exist, so that pushing them allocates nothing */
    TIDE_CANCELLED_WORD, /* "cancelled": to be pushed where no finalizer may run */
    TIDE_MODULE,         /* the table of the module */
    TIDE_N_VALUES = TIDE_MODULE
};

#define TIDE_TASK "tidepool.task"
#define TIDE_GUARD "tidepool.guard"
#define TIDE_POOL "tidepool.pool"
#define TIDE_HANDLE "tidepool.handle"
#define TIDE_WITNESS "tidepool.witness"
#define TIDE_STATE "tidepool.state"
#define TIDE_CODE "tidepool.code"

/* The error strings that scripts may compare with. */
#define TIDE_TIMEOUT "timeout"
#define TIDE_CANCELLED "cancelled"
#define TIDE_CLOSED "closed"
#define TIDE_FULL "full"
#define TIDE_STALE "stale"

/* -- module.c -- */

static inline struct tide_state *tide_state(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* The table of live tasks, the second upvalue of every function of the module. */
#define TIDE_LIVE_INDEX lua_upvalueindex(2)

/* tide_push_state: push the state's userdata from anywhere, also without the upvalue.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
struct tide_state *tide_push_state(lua_State *L);

/* tide_check_deadline: the optional limit in seconds at `arg`, as a deadline.
 * Returns TP_FOREVER when absent or nil; 0 when it is not positive.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tide_check_deadline(lua_State *L, int arg);

/* The userdata at `arg` if its metatable is `meta`; else luaL_checkudata says what is wrong. */
static inline void *tide_check_class(lua_State *L, int arg, const void *meta, const char *name)
{
    if (lua_type(L, arg) == LUA_TUSERDATA && lua_getmetatable(L, arg)) {
        bool same = lua_topointer(L, -1) == meta;
        lua_pop(L, 1);
        if (same)
            return lua_touserdata(L, arg);
    }
    return luaL_checkudata(L, arg, name);
}

/* The two results of an expected failure. */
static inline int tide_fail(lua_State *L, const char *why)
{
    lua_pushboolean(L, 0);
    lua_pushstring(L, why);
    return 2;
}

/* tide_shield_leave: the state's __close; it is closed where tide.shield ends (task.c).
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
int tide_shield_leave(lua_State *L);

/* Each adds its functions to the module table on top of the stack, and makes its metatables. */
void tide_open_task(lua_State *L);
void tide_open_run(lua_State *L);
void tide_open_report(lua_State *L);
void tide_open_guard(lua_State *L);
void tide_open_pool(lua_State *L);

/* tide_set_functions: luaL_setfuncs with the upvalues above, into the table on top.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
void tide_set_functions(lua_State *L, const luaL_Reg *functions);

/* tide_new_class: push a new metatable named `name`, with the functions `events`, and `methods` as
 * its __index.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
void tide_new_class(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *events);

#endif
