/* Writing values as bytes. The form is described in value.h. */
#include "value.h"

#include "function.h"

#include <limits.h>

enum { GO_ON = 0,
    FAILED = -1 };

static int add(struct tide_encoder *e, const void *bytes, size_t n)
{
    if (tide_buffer_add(e->buffer, bytes, n) == 0)
        return GO_ON;
    e->failure = "not enough memory";
    return FAILED;
}

static int add_tag(struct tide_encoder *e, enum tide_tag tag)
{
    unsigned char byte = (unsigned char)tag;
    return add(e, &byte, 1);
}

static int add_u32(struct tide_encoder *e, uint32_t number)
{
    return add(e, &number, sizeof number);
}

/* -- objects -- */

void tide_encoder_push(const struct tide_encoder *e, uint32_t number)
{
    if (number <= TIDE_FEW_OBJECTS)
        lua_pushvalue(e->L, e->few + (int)number);
    else
        lua_rawgeti(e->L, e->seen, number);
}

uint32_t tide_encoder_parent(const struct tide_encoder *e, uint32_t number)
{
    if (number <= TIDE_FEW_OBJECTS)
        return e->few_parents[number];
    lua_rawgeti(e->L, e->seen, -(lua_Integer)number);
    uint32_t parent = (uint32_t)lua_tointeger(e->L, -1);
    lua_pop(e->L, 1);
    return parent;
}

/* Makes the table of objects, of those met so far. */
static void begin_seen(struct tide_encoder *e)
{
    lua_State *L = e->L;
    lua_createtable(L, 0, 4 * TIDE_FEW_OBJECTS);
    for (uint32_t number = 0; number <= e->n_objects; number++) {
        lua_pushvalue(L, e->few + (int)number);
        lua_pushinteger(L, number);
        lua_rawset(L, -3);
    }
    lua_replace(L, e->seen);
}

/* The number of the object at `index`, if it has been met; else UINT32_MAX. */
static uint32_t find_object(struct tide_encoder *e, int index)
{
    lua_State *L = e->L;
    if (!lua_isnil(L, e->seen)) {
        lua_pushvalue(L, index);
        bool found = lua_rawget(L, e->seen) != LUA_TNIL;
        uint32_t number = (uint32_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
        return found ? number : UINT32_MAX;
    }
    const void *address = lua_topointer(L, index);
    for (uint32_t number = 0; number <= e->n_objects; number++)
        if (e->few_addresses[number] == address)
            return number;
    return UINT32_MAX;
}

/* Gives the object at `index` the next number. */
static void number_object(struct tide_encoder *e, int index)
{
    lua_State *L = e->L;
    uint32_t number = e->n_objects + 1;
    if (number == TIDE_FEW_OBJECTS + 1 && lua_isnil(L, e->seen))
        begin_seen(e);
    if (number <= TIDE_FEW_OBJECTS) {
        lua_pushvalue(L, index);
        lua_replace(L, e->few + (int)number);
        e->few_addresses[number] = lua_topointer(L, index);
        e->few_parents[number] = e->at;
    } else {
        lua_pushvalue(L, index);
        lua_rawseti(L, e->seen, number);
        lua_pushinteger(L, e->at);
        lua_rawseti(L, e->seen, -(lua_Integer)number);
    }
    if (!lua_isnil(L, e->seen)) {
        lua_pushvalue(L, index);
        lua_pushinteger(L, number);
        lua_rawset(L, e->seen);
    }
    e->n_objects = number;
}

static int add_reference(struct tide_encoder *e, uint32_t number)
{
    if (number == 0)
        return add_tag(e, TIDE_GLOBALS);
    return add_tag(e, TIDE_OBJECT) || add_u32(e, number);
}

static size_t count_entries(lua_State *L, int index)
{
    size_t n = 0;
    lua_pushnil(L);
    for (; lua_next(L, index); lua_pop(L, 1))
        n++;
    return n;
}

static int write_table(struct tide_encoder *e, int index)
{
    lua_State *L = e->L;
    uint32_t number = find_object(e, index); /* the globals go as such, also with a metatable */
    if (number != UINT32_MAX)
        return add_reference(e, number);
    if (lua_getmetatable(L, index)) {
        lua_pop(L, 1);
        e->failure = "a table with a metatable";
        return FAILED;
    }
    number_object(e, index);
    size_t n = count_entries(L, index);
    if (n > INT_MAX) {
        e->failure = "a table that is too large";
        return FAILED;
    }
    size_t n_items = lua_rawlen(L, index);
    if (n_items > 2 * n) /* its length says nothing: {[1] = a, [2] = b, [4] = c, [8] = d, ...} */
        n_items = 0;
    return add_tag(e, TIDE_TABLE) || add_u32(e, (uint32_t)n_items) || add_u32(e, (uint32_t)(n > n_items ? n - n_items : 0));
}

static int write_function(struct tide_encoder *e, int index)
{
    lua_State *L = e->L;
    if (lua_iscfunction(L, index)) {
        e->failure = "a C function";
        return FAILED;
    }
    uint32_t number = find_object(e, index);
    if (number != UINT32_MAX)
        return add_reference(e, number);
    number_object(e, index);
    uint64_t n = 0;
    if (add_tag(e, TIDE_DUMP) || add(e, &n, sizeof n))
        return FAILED;
    size_t before = e->buffer->n;
    lua_pushvalue(L, index);
    int status = tide_dump(L, e->buffer);
    lua_pop(L, 1);
    if (status != 0) {
        e->failure = "not enough memory";
        return FAILED;
    }
    n = e->buffer->n - before;
    memcpy(e->buffer->data + before - sizeof n, &n, sizeof n);
    return GO_ON;
}

/* -- values -- */

static int write_string(struct tide_encoder *e, int index)
{
    size_t n;
    const char *bytes = lua_tolstring(e->L, index, &n);
    if (n <= UINT8_MAX) {
        unsigned char head[2] = {TIDE_SHORT, (unsigned char)n};
        return add(e, head, sizeof head) || add(e, bytes, n);
    }
    uint64_t length = n;
    return add_tag(e, TIDE_LONG) || add(e, &length, sizeof length) || add(e, bytes, n);
}

static int write_number(struct tide_encoder *e, int index)
{
    unsigned char bytes[1 + sizeof(lua_Integer)];
    lua_Integer integer = lua_tointeger(e->L, index);
    lua_Number number = lua_tonumber(e->L, index);
    _Static_assert(sizeof number == sizeof integer, "one size of message for both");
    bool is_integer = lua_isinteger(e->L, index);
    bytes[0] = is_integer ? TIDE_INTEGER : TIDE_FLOAT;
    memcpy(bytes + 1, is_integer ? (void *)&integer : (void *)&number, sizeof integer);
    return add(e, bytes, sizeof bytes);
}

/* Writes the value at an absolute index. */
static int write_value(struct tide_encoder *e, int index)
{
    switch (lua_type(e->L, index)) {
    case LUA_TNIL:
        return add_tag(e, TIDE_NIL);
    case LUA_TBOOLEAN:
        return add_tag(e, lua_toboolean(e->L, index) ? TIDE_TRUE : TIDE_FALSE);
    case LUA_TNUMBER:
        return write_number(e, index);
    case LUA_TSTRING:
        return write_string(e, index);
    case LUA_TTABLE:
        return write_table(e, index);
    case LUA_TFUNCTION:
        return write_function(e, index);
    case LUA_TTHREAD:
        e->failure = "a coroutine";
        return FAILED;
    default:
        e->failure = lua_islightuserdata(e->L, index) ? "a light userdata" : "a userdata";
        return FAILED;
    }
}

/* -- contents of objects -- */

/* Writes the items before the first nil. Returns how many, or FAILED. */
static lua_Integer write_items(struct tide_encoder *e, int table)
{
    lua_State *L = e->L;
    uint32_t n = 0;
    e->place = TIDE_AT_ITEM;
    if (add_u32(e, n))
        return FAILED;
    size_t begin = e->buffer->n;
    for (e->index = 1; lua_rawgeti(L, table, e->index) != LUA_TNIL; e->index++) {
        if (write_value(e, table + 1))
            return FAILED;
        lua_pop(L, 1);
        n++;
    }
    lua_pop(L, 1);
    memcpy(e->buffer->data + begin - sizeof n, &n, sizeof n);
    return n;
}

static int write_fields(struct tide_encoder *e, int table, lua_Integer n_items)
{
    lua_State *L = e->L;
    e->key = table + 1;
    lua_pushnil(L);
    for (; lua_next(L, table); lua_pop(L, 1)) {
        if (lua_isinteger(L, e->key)) {
            lua_Integer key = lua_tointeger(L, e->key);
            if (key >= 1 && key <= n_items)
                continue;
        }
        e->place = TIDE_AT_KEY;
        if (write_value(e, e->key))
            return FAILED;
        e->place = TIDE_AT_FIELD;
        if (write_value(e, e->key + 1))
            return FAILED;
    }
    return add_tag(e, TIDE_END);
}

static int write_entries(struct tide_encoder *e, int table)
{
    lua_Integer n_items = write_items(e, table);
    return n_items == FAILED ? FAILED : write_fields(e, table, n_items);
}

/* Two closures that share a variable still do after the journey: the second refers to the first. */
static int write_upvalues(struct tide_encoder *e, int function)
{
    lua_State *L = e->L;
    e->place = TIDE_AT_UPVALUE;
    if (lua_isnil(L, e->seen))
        begin_seen(e);
    for (int i = 1; lua_getupvalue(L, function, i); i++) {
        e->index = i;
        lua_pushlightuserdata(L, lua_upvalueid(L, function, i));
        bool shared = lua_rawget(L, e->seen) != LUA_TNIL;
        lua_Integer owner = lua_tointeger(L, -1);
        lua_pop(L, 1);
        if (shared) {
            unsigned char n = (unsigned char)(owner & UINT8_MAX);
            if (add_tag(e, TIDE_JOINED) || add_u32(e, (uint32_t)(owner >> 8)) || add(e, &n, 1))
                return FAILED;
        } else {
            lua_pushlightuserdata(L, lua_upvalueid(L, function, i));
            lua_pushinteger(L, (lua_Integer)e->at << 8 | i);
            lua_rawset(L, e->seen);
            if (write_value(e, function + 1))
                return FAILED;
        }
        lua_pop(L, 1);
    }
    return GO_ON;
}

static int write_contents(struct tide_encoder *e, bool simple)
{
    lua_State *L = e->L;
    int object = lua_gettop(L) + 1;
    for (e->at = simple ? 2 : 1; e->at <= e->n_objects; e->at++) {
        tide_encoder_push(e, e->at);
        int status = lua_isfunction(L, object) ? write_upvalues(e, object) : write_entries(e, object);
        if (status != GO_ON)
            return FAILED;
        lua_pop(L, 1);
    }
    return GO_ON;
}

static int write_values(struct tide_encoder *e)
{
    e->place = TIDE_AT_VALUE;
    for (int i = 0; i < e->parcel->n; i++) {
        e->index = i + 1;
        if (write_value(e, e->parcel->first + i))
            return FAILED;
    }
    return GO_ON;
}

int tide_encode(lua_State *L, struct tide_buffer *buffer, const struct tide_parcel *parcel)
{
    luaL_checkstack(L, LUA_MINSTACK + TIDE_FEW_OBJECTS + 2, NULL);
    int top = lua_gettop(L);
    struct tide_encoder e;
    e.L = L;
    e.buffer = buffer;
    e.parcel = parcel;
    e.at = 0;
    /* The globals are object 0, the parcel's function is object 1. */
    e.seen = top + 1;
    e.few = top + 2;
    lua_pushnil(L);
    lua_pushglobaltable(L);
    lua_settop(L, e.few + TIDE_FEW_OBJECTS);
    e.few_addresses[0] = lua_topointer(L, e.few);
    e.n_objects = 0;
    struct tide_header header = {.n_values = (uint32_t)parcel->n, .function = parcel->function != 0};
    if (header.function) {
        header.simple = tide_is_simple(L, parcel->function);
        number_object(&e, parcel->function);
    }
    buffer->n = 0;
    if (add(&e, &header, sizeof header) || write_values(&e) || write_contents(&e, header.simple)) {
        tide_push_path(&e);
        lua_replace(L, top + 1);
        lua_settop(L, top + 1);
        return FAILED;
    }
    header.n_objects = e.n_objects;
    memcpy(buffer->data, &header, sizeof header);
    lua_settop(L, top);
    return GO_ON;
}
