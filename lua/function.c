/* Functions as bytecode: the submitting state's cache and the worker state's cache. */
#include "function.h"

#include <stdlib.h>

enum { WORKER_CACHE_MAX = 512 /* closures a worker state keeps; then it begins anew */ };

/* -- bytes -- */

static int dump_writer(lua_State *L, const void *bytes, size_t n, void *buffer)
{
    (void)L;
    return tide_buffer_add(buffer, bytes, n);
}

int tide_dump(lua_State *L, struct tide_buffer *buffer)
{
    return lua_dump(L, dump_writer, buffer, 0);
}

struct undump {
    const unsigned char *bytes;
    size_t n;
};

static const char *undump_reader(lua_State *L, void *data, size_t *n)
{
    struct undump *source = data;
    (void)L;
    *n = source->n;
    source->n = 0;
    return *n ? (const char *)source->bytes : NULL;
}

void tide_undump(lua_State *L, const unsigned char *bytes, size_t n)
{
    struct undump source = {.bytes = bytes, .n = n};
    if (lua_load(L, undump_reader, &source, "=function", "b") != LUA_OK)
        lua_error(L);
}

bool tide_is_simple(lua_State *L, int index)
{
    bool simple = true;
    index = lua_absindex(L, index);
    lua_pushglobaltable(L);
    for (int i = 1; simple && lua_getupvalue(L, index, i); i++) {
        simple = lua_rawequal(L, -1, -2);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return simple;
}

/* -- the submitting state -- */

static void hold(struct tide_code *code)
{
    tp_add_rlx(&code->n_references, 1); /* relaxed: the caller holds one already */
}

void tide_code_drop(struct tide_code *code)
{
    /* Sequentially consistent: the last one must see what the others did before they let go. */
    if (tp_add_sc(&code->n_references, (uint32_t)-1) == 1)
        free(code);
}

/* The cache's reference. */
struct code_holder {
    struct tide_code *code;
};

static int holder_gc(lua_State *L)
{
    struct code_holder *holder = luaL_checkudata(L, 1, TIDE_CODE);
    if (holder->code)
        tide_code_drop(holder->code);
    holder->code = NULL;
    return 0;
}

struct text {
    bool begun; /* the buffer may only go on the stack above the function, so not before lua_dump */
    luaL_Buffer buffer;
};

static int text_writer(lua_State *L, const void *bytes, size_t n, void *data)
{
    struct text *text = data;
    if (!text->begun) {
        text->begun = true;
        luaL_buffinit(L, &text->buffer);
    }
    luaL_addlstring(&text->buffer, bytes, n);
    return 0;
}

/* Replaces the dump on top of the stack by a new holder of its code. */
static struct code_holder *holder_new(lua_State *L)
{
    /* Relaxed: only uniqueness matters. */
    static tp_atomic(uint64_t) last_id;
    size_t n;
    const char *bytes = lua_tolstring(L, -1, &n);
    struct code_holder *holder = lua_newuserdatauv(L, sizeof *holder, 0);
    holder->code = NULL;
    luaL_setmetatable(L, TIDE_CODE);
    holder->code = malloc(sizeof *holder->code + n);
    if (!holder->code)
        luaL_error(L, "not enough memory");
    tp_atomic_init(&holder->code->n_references, 1);
    holder->code->id = tp_add_rlx(&last_id, 1) + 1; /* relaxed: it must only be unique */
    holder->code->n_bytes = n;
    memcpy(holder->code->bytes, bytes, n);
    lua_remove(L, -2);
    return holder;
}

/* Pushes the holder of the code of the function at `index`, known by its bytes or new: closures
 * that a loop makes anew are different objects with the same code. */
static struct code_holder *find_by_bytes(lua_State *L, int index)
{
    struct text text = {.begun = false};
    lua_getiuservalue(L, lua_upvalueindex(1), TIDE_DUMPS);
    lua_pushvalue(L, index);
    lua_dump(L, text_writer, &text, 0);
    luaL_pushresult(&text.buffer);
    lua_remove(L, -2);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        holder_new(L);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
    struct code_holder *holder = lua_touserdata(L, -1);
    lua_replace(L, -3);
    lua_pop(L, 1);
    return holder;
}

struct tide_code *tide_code_of(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    lua_getiuservalue(L, lua_upvalueindex(1), TIDE_CODES);
    lua_pushvalue(L, index);
    lua_rawget(L, -2);
    struct code_holder *holder = lua_touserdata(L, -1);
    if (!holder) {
        lua_pop(L, 1);
        holder = find_by_bytes(L, index);
        lua_pushvalue(L, index);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    lua_pop(L, 2);
    hold(holder->code);
    return holder->code;
}

/* -- the worker state -- */

/* Pushes the kept closure of the code, making it the first time. */
static void push_kept(lua_State *L, const struct tide_code *code)
{
    static const char key = 0; /* in the registry: a table, id -> closure, and 0 -> how many */
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TTABLE) {
        if (lua_rawgeti(L, -1, (lua_Integer)code->id) == LUA_TFUNCTION) {
            lua_remove(L, -2);
            return;
        }
        lua_pop(L, 1);
        lua_rawgeti(L, -1, 0);
    } else {
        lua_pushinteger(L, WORKER_CACHE_MAX);
    }
    lua_Integer n = lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (n >= WORKER_CACHE_MAX) {
        n = 0;
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    }
    tide_undump(L, code->bytes, code->n_bytes);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, (lua_Integer)code->id);
    lua_pushinteger(L, n + 1);
    lua_rawseti(L, -3, 0);
    lua_remove(L, -2);
}

void tide_code_push(lua_State *L, const struct tide_code *code, bool simple)
{
    if (!simple) {
        tide_undump(L, code->bytes, code->n_bytes);
        return;
    }
    push_kept(L, code);
    /* Anew each time: the last call may have assigned to _ENV. */
    lua_pushglobaltable(L);
    for (int i = 1; lua_setupvalue(L, -2, i); i++)
        lua_pushglobaltable(L);
    lua_pop(L, 1);
}

void tide_open_function(lua_State *L)
{
    static const struct {
        int slot;
        const char *mode;
    } caches[] = {{TIDE_CODES, "k"}, {TIDE_DUMPS, "v"}};
    for (int i = 0; i < 2; i++) {
        lua_newtable(L);
        lua_createtable(L, 0, 1);
        lua_pushstring(L, caches[i].mode);
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        lua_setiuservalue(L, -2, caches[i].slot);
    }
    luaL_newmetatable(L, TIDE_CODE);
    lua_pushcfunction(L, holder_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
