/* Reading values from bytes. The form is described in value.h; only tide_encode writes it, so what
 * is read is trusted. */
#include "value.h"

#include "function.h"

struct decoder {
    lua_State *L;
    const unsigned char *at;
    int objects; /* stack index of the table number -> object; if there are few, of the first one */
    bool few;
    uint32_t n_objects; /* so far */
};

static void take(struct decoder *d, void *out, size_t n)
{
    memcpy(out, d->at, n);
    d->at += n;
}

static uint32_t take_u32(struct decoder *d)
{
    uint32_t number;
    take(d, &number, sizeof number);
    return number;
}

/* The object on top of the stack gets the next number. */
static void register_object(struct decoder *d)
{
    uint32_t number = ++d->n_objects;
    lua_pushvalue(d->L, -1);
    if (d->few)
        lua_replace(d->L, d->objects + (int)number - 1);
    else
        lua_rawseti(d->L, d->objects, number);
}

static void push_object(struct decoder *d, uint32_t number)
{
    if (d->few)
        lua_pushvalue(d->L, d->objects + (int)number - 1);
    else
        lua_rawgeti(d->L, d->objects, number);
}

/* Pushes the value whose tag has been taken. */
static void read_value(struct decoder *d, unsigned char tag)
{
    lua_State *L = d->L;
    lua_Integer integer;
    lua_Number number;
    uint64_t n = 0;
    switch (tag) {
    case TIDE_NIL:
        lua_pushnil(L);
        return;
    case TIDE_FALSE:
    case TIDE_TRUE:
        lua_pushboolean(L, tag == TIDE_TRUE);
        return;
    case TIDE_INTEGER:
        take(d, &integer, sizeof integer);
        lua_pushinteger(L, integer);
        return;
    case TIDE_FLOAT:
        take(d, &number, sizeof number);
        lua_pushnumber(L, number);
        return;
    case TIDE_SHORT:
        n = *d->at++;
        lua_pushlstring(L, (const char *)d->at, (size_t)n);
        d->at += n;
        return;
    case TIDE_LONG:
        take(d, &n, sizeof n);
        lua_pushlstring(L, (const char *)d->at, (size_t)n);
        d->at += n;
        return;
    case TIDE_GLOBALS:
        lua_pushglobaltable(L);
        return;
    case TIDE_OBJECT:
        push_object(d, take_u32(d));
        return;
    case TIDE_TABLE: {
        uint32_t n_items = take_u32(d);
        uint32_t n_fields = take_u32(d);
        lua_createtable(L, (int)n_items, (int)n_fields);
        register_object(d);
        return;
    }
    default: /* TIDE_DUMP */
        take(d, &n, sizeof n);
        tide_undump(L, d->at, (size_t)n);
        d->at += n;
        register_object(d);
        return;
    }
}

static void read_table(struct decoder *d, int table)
{
    uint32_t n = take_u32(d);
    for (uint32_t i = 1; i <= n; i++) {
        read_value(d, *d->at++);
        lua_rawseti(d->L, table, i);
    }
    for (unsigned char tag; (tag = *d->at++) != TIDE_END;) {
        read_value(d, tag);
        read_value(d, *d->at++);
        lua_rawset(d->L, table);
    }
}

static void read_upvalues(struct decoder *d, int function)
{
    lua_State *L = d->L;
    for (int i = 1; lua_getupvalue(L, function, i); i++) {
        lua_pop(L, 1);
        unsigned char tag = *d->at++;
        if (tag == TIDE_JOINED) {
            push_object(d, take_u32(d));
            lua_upvaluejoin(L, function, i, -1, *d->at++);
            lua_pop(L, 1);
        } else {
            read_value(d, tag);
            lua_setupvalue(L, function, i);
        }
    }
}

int tide_decode(lua_State *L, const struct tide_buffer *buffer, const struct tide_code *code)
{
    struct tide_header header;
    struct decoder d = {.L = L, .at = buffer->data};
    take(&d, &header, sizeof header);
    /* The values come first on the stack, so that they need not move; the objects above them. */
    int n = (int)header.n_values + header.function;
    luaL_checkstack(L, n + LUA_MINSTACK + TIDE_FEW_OBJECTS, "too many values");
    int first = lua_gettop(L) + 1;
    d.objects = first + n;
    d.few = header.n_objects <= TIDE_FEW_OBJECTS;
    lua_settop(L, d.objects - 1 + (d.few ? (int)header.n_objects : 0));
    if (!d.few)
        lua_createtable(L, header.n_objects > INT32_MAX ? INT32_MAX : (int)header.n_objects, 0);
    int value = first;
    if (header.function) {
        tide_code_push(L, code, header.simple);
        register_object(&d);
        lua_replace(L, value++);
    }
    for (; value < first + n; value++) {
        read_value(&d, *d.at++);
        lua_replace(L, value);
    }
    int object = lua_gettop(L) + 1;
    for (uint32_t i = header.simple ? 2 : 1; i <= header.n_objects; i++) {
        push_object(&d, i);
        if (lua_isfunction(L, object))
            read_upvalues(&d, object);
        else
            read_table(&d, object);
        lua_pop(L, 1);
    }
    lua_settop(L, first + n - 1);
    return n;
}
