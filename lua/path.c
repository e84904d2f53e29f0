/* The path to a value that cannot be sent: "upvalue 'cfg'.handlers[3]". Only failures pay for it:
 * the encoder noted in which object each object was first met, and this looks up where there. */
#include "value.h"

#include <ctype.h>

enum {
    STEPS_MAX = 8,      /* steps shown before the value; those left out are "..." */
    NAME_MAX_BYTES = 40 /* longer keys are not shown */
};

static bool is_name(const char *text, size_t n)
{
    if (n == 0 || n > NAME_MAX_BYTES || isdigit((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return true;
}

/* Appends the string on top of the stack to the path at `path`; pops it. */
static void append(lua_State *L, int path)
{
    lua_pushvalue(L, path);
    lua_insert(L, -2);
    lua_concat(L, 2);
    lua_replace(L, path);
}

static void append_key(lua_State *L, int path, int key)
{
    size_t n;
    const char *text;
    switch (lua_type(L, key)) {
    case LUA_TSTRING:
        text = lua_tolstring(L, key, &n);
        if (is_name(text, n))
            lua_pushfstring(L, ".%s", text);
        else
            lua_pushfstring(L, "[\"%s\"]", n > NAME_MAX_BYTES ? "..." : text);
        break;
    case LUA_TNUMBER:
        lua_pushvalue(L, key); /* a copy: lua_tostring changes what it is given */
        lua_pushfstring(L, "[%s]", lua_tostring(L, -1));
        lua_remove(L, -2);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, key) ? "[true]" : "[false]");
        break;
    default:
        lua_pushfstring(L, "[a %s]", luaL_typename(L, key));
    }
    append(L, path);
}

static void append_upvalue(lua_State *L, int path, int function, int i)
{
    const char *name = lua_getupvalue(L, function, i);
    lua_pop(L, 1);
    lua_pushfstring(L, "%supvalue '%s'", lua_rawlen(L, path) > 0 ? ", " : "", name);
    append(L, path);
}

static void append_value(const struct tide_encoder *e, int path, int i)
{
    lua_pushfstring(e->L, "%s #%d", e->parcel->what, i);
    append(e->L, path);
}

/* Where the object `number` is among the values sent; nothing for the function itself. */
static void append_root(const struct tide_encoder *e, int path, uint32_t number)
{
    lua_State *L = e->L;
    if (number == 1 && e->parcel->function)
        return;
    tide_encoder_push(e, number);
    int i = 0;
    while (i < e->parcel->n && !lua_rawequal(L, e->parcel->first + i, -1))
        i++;
    lua_pop(L, 1);
    append_value(e, path, i + 1);
}

/* The step from one object to another that was first met in it. */
static void append_step(const struct tide_encoder *e, int path, uint32_t from, uint32_t to)
{
    lua_State *L = e->L;
    int top = lua_gettop(L);
    tide_encoder_push(e, from);
    tide_encoder_push(e, to);
    if (lua_isfunction(L, top + 1)) {
        int i = 1;
        while (lua_getupvalue(L, top + 1, i) && !lua_rawequal(L, -1, top + 2)) {
            lua_pop(L, 1);
            i++;
        }
        append_upvalue(L, path, top + 1, i);
    } else {
        lua_pushnil(L);
        while (lua_next(L, top + 1) && !lua_rawequal(L, -1, top + 2) && !lua_rawequal(L, -2, top + 2))
            lua_pop(L, 1);
        append_key(L, path, top + 3);
    }
    lua_settop(L, top);
}

/* The steps from the parcel to the object being written. */
static void append_way(const struct tide_encoder *e, int path)
{
    uint32_t steps[STEPS_MAX + 1]; /* the last objects on the way, the nearest first */
    size_t n = 0;
    uint32_t root = 0;
    for (uint32_t number = e->at; number != 0; n++) {
        if (n <= STEPS_MAX)
            steps[n] = number;
        root = number;
        number = tide_encoder_parent(e, number);
    }
    if (n == 0)
        return;
    append_root(e, path, root);
    if (n > STEPS_MAX + 1) {
        lua_pushliteral(e->L, " ... ");
        append(e->L, path);
        n = STEPS_MAX + 1;
    }
    for (; n > 1; n--)
        append_step(e, path, steps[n - 1], steps[n - 2]);
}

void tide_push_path(struct tide_encoder *e)
{
    lua_State *L = e->L;
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    lua_pushliteral(L, "");
    int path = lua_gettop(L);
    append_way(e, path);
    switch (e->place) {
    case TIDE_AT_VALUE:
        append_value(e, path, (int)e->index);
        break;
    case TIDE_AT_ITEM:
        lua_pushfstring(L, "[%I]", (LUAI_UACINT)e->index);
        append(L, path);
        break;
    case TIDE_AT_FIELD:
        append_key(L, path, e->key);
        break;
    case TIDE_AT_KEY:
        break;
    case TIDE_AT_UPVALUE:
        tide_encoder_push(e, e->at);
        append_upvalue(L, path, lua_gettop(L), (int)e->index);
        lua_pop(L, 1);
        break;
    }
    lua_pushfstring(L, "cannot send %s%s (%s)", e->place == TIDE_AT_KEY ? "a key of " : "", lua_tostring(L, path),
        e->failure);
    lua_replace(L, path);
}
