/* Worker states: each thread of a pool runs its calls in a Lua state of its own, made for its first
 * call and closed when the thread ends.
 *
 * Invariant: nothing a script does reaches the pool's code as a Lua error: all that can raise runs
 * below the lua_pcall in run_protected, and every call is finished exactly once. */
#include "call.h"
#include "function.h"
#include "value.h"

#include "variants.h"

#include <lualib.h>
#include <pthread.h>

static pthread_key_t state_key;
static pthread_once_t state_once = PTHREAD_ONCE_INIT;
static int state_key_error;

static void close_state(void *L)
{
    lua_close(L);
}

static void make_key(void)
{
    state_key_error = pthread_key_create(&state_key, close_state);
}

/* -- a new state -- */

/* The process is not a worker's to end: the main script and the other workers live in it. */
static int no_exit(lua_State *L)
{
    return luaL_error(L, "os.exit: a worker cannot end the process");
}

/* Argument 1: the setup, as a pointer. */
static int prepare_state(lua_State *L)
{
    const struct tide_setup *setup = lua_touserdata(L, 1);
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_pushstring(L, setup->path);
    lua_setfield(L, -2, "path");
    lua_pushstring(L, setup->cpath);
    lua_setfield(L, -2, "cpath");
    lua_getglobal(L, "os");
    lua_pushcfunction(L, no_exit);
    lua_setfield(L, -2, "exit");
    return 0;
}

static lua_State *new_state(const struct tide_setup *setup)
{
    lua_State *L = luaL_newstate();
    if (!L)
        return NULL;
    lua_pushcfunction(L, prepare_state);
    lua_pushlightuserdata(L, (void *)setup);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK || pthread_setspecific(state_key, L) != 0) {
        lua_close(L);
        return NULL;
    }
    return L;
}

/* The calling thread's state; NULL if it cannot be made. */
static lua_State *own_state(const struct tide_setup *setup)
{
    pthread_once(&state_once, make_key);
    if (state_key_error != 0)
        return NULL;
    lua_State *L = pthread_getspecific(state_key);
    return L ? L : new_state(setup);
}

/* -- a call -- */

/* A string gets the traceback at once, while the stack shows it; other errors stay as they are. */
static int with_traceback(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING)
        luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

/* Writes the error on top of the stack; what cannot be sent is sent as text. */
static void encode_error(lua_State *L, struct tide_buffer *buffer)
{
    struct tide_parcel parcel = {.what = "error", .first = lua_gettop(L), .n = 1};
    if (tide_encode(L, buffer, &parcel) == 0)
        return;
    lua_pop(L, 1);
    luaL_tolstring(L, -1, NULL);
    parcel.first = lua_gettop(L);
    if (tide_encode(L, buffer, &parcel) != 0)
        lua_error(L);
}

/* Runs a call below lua_pcall. Argument 1: the call, as a pointer. */
static int run_protected(lua_State *L)
{
    struct tide_call *call = lua_touserdata(L, 1);
    lua_settop(L, 0);
    lua_pushcfunction(L, with_traceback);
    int n = tide_decode(L, &call->buffer, call->code);
    call->failed = lua_pcall(L, n - 1, LUA_MULTRET, 1) != LUA_OK;
    if (!call->failed) {
        struct tide_parcel parcel = {.what = "result", .first = 2, .n = lua_gettop(L) - 1};
        if (tide_encode(L, &call->buffer, &parcel) == 0)
            return 0;
        call->failed = true;
    }
    encode_error(L, &call->buffer);
    return 0;
}

/* The last resort: an error message that needs no Lua state and no memory. */
static void fail_plainly(struct tide_call *call, const char *message)
{
    struct tide_header header = {.n_values = 1};
    unsigned char head[2] = {TIDE_SHORT, (unsigned char)strlen(message)};
    call->failed = true;
    tide_buffer_free(&call->buffer); /* back to the bytes inside it, which are enough */
    tide_buffer_add(&call->buffer, &header, sizeof header);
    tide_buffer_add(&call->buffer, head, sizeof head);
    tide_buffer_add(&call->buffer, message, strlen(message));
}

/* What pools run. Returns a negative value if the function failed, for the pool's counters. */
int tide_call_run(struct tide_call *call)
{
    if (!tide_call_start(call)) {
        tide_call_finish(call);
        return 0;
    }
    lua_State *L = own_state(call->setup);
    if (!L) {
        fail_plainly(call, "no memory for a worker's Lua state");
    } else {
        lua_sethook(L, NULL, 0, 0); /* the last call may have left one */
        lua_pushcfunction(L, run_protected);
        lua_pushlightuserdata(L, call);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
            /* Out of memory, or an error object whose __tostring fails. */
            fail_plainly(call, "the worker could not pass the error on (out of memory, or an error in __tostring)");
        }
        lua_settop(L, 0);
    }
    bool failed = call->failed;
    tide_call_finish(call);
    return failed ? -1 : 0;
}
