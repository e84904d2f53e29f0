/* Reading the settings of tide.pool. A misspelt setting is an error, never ignored. */
#include "settings.h"

#include <string.h>

enum {
    WORKERS_MAX = 4096,
    CAPACITY_MAX = 1000000000, /* as in a config */
    WORD_MAX = 31              /* longer words have no near miss */
};

/* Whether the value is this string; one with a zero byte is none of ours. */
static bool is_word(lua_State *L, int index, const char *word)
{
    size_t n;
    const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &n) : NULL;
    return text && n == strlen(word) && memcmp(text, word, n) == 0;
}

static lua_Integer check_count(lua_State *L, const char *name, lua_Integer max)
{
    int is_integer;
    lua_Integer n = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || lua_type(L, -1) != LUA_TNUMBER)
        luaL_error(L, "pool: '%s' must be a whole number, not %s", name, luaL_tolstring(L, -1, NULL));
    if (n < 1 || n > max)
        luaL_error(L, "pool: '%s' must be from 1 to %I, not %I", name, (LUAI_UACINT)max, (LUAI_UACINT)n);
    return n;
}

static void set_workers(lua_State *L, struct tide_settings *out)
{
    out->workers = (uint32_t)check_count(L, "workers", WORKERS_MAX);
}

static void set_capacity(lua_State *L, struct tide_settings *out)
{
    out->capacity = (uint64_t)check_count(L, "capacity", CAPACITY_MAX);
}

static void set_stealing(lua_State *L, struct tide_settings *out)
{
    if (!lua_isboolean(L, -1))
        luaL_error(L, "pool: 'stealing' must be true or false, not %s", luaL_tolstring(L, -1, NULL));
    out->stealing = lua_toboolean(L, -1);
}

static void set_overload(lua_State *L, struct tide_settings *out)
{
    out->reject = is_word(L, -1, "reject");
    if (!out->reject && !is_word(L, -1, "block"))
        luaL_error(L, "pool: 'overload' must be \"block\" or \"reject\", not %s", luaL_tolstring(L, -1, NULL));
}

static const struct {
    const char *name;
    void (*set)(lua_State *L, struct tide_settings *out); /* the value is on top of the stack */
} settings[] = {
    {"workers", set_workers},
    {"capacity", set_capacity},
    {"stealing", set_stealing},
    {"overload", set_overload},
};

enum { N_SETTINGS = sizeof settings / sizeof *settings };

/* How many letters must be added, removed or changed to make one word of the other. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t n = strlen(b);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t one = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < one ? change : one;
        }
    }
    return row[n];
}

static void unknown_setting(lua_State *L, const char *name)
{
    size_t best = 3; /* so far off is no near miss */
    const char *near = NULL;
    for (int i = 0; strlen(name) <= WORD_MAX && i < N_SETTINGS; i++) {
        size_t d = distance(name, settings[i].name);
        if (d < best) {
            best = d;
            near = settings[i].name;
        }
    }
    if (near)
        luaL_error(L, "pool: unknown setting '%s' (did you mean '%s'?)", name, near);
    luaL_error(L, "pool: unknown setting '%s' (there are workers, capacity, stealing, overload)", name);
}

static void set(lua_State *L, struct tide_settings *out)
{
    if (lua_type(L, -2) != LUA_TSTRING)
        luaL_error(L, "pool: settings have names, but here is a key that is a %s", luaL_typename(L, -2));
    const char *name = lua_tostring(L, -2);
    int i = 0;
    while (i < N_SETTINGS && !is_word(L, -2, settings[i].name))
        i++;
    if (i == N_SETTINGS)
        unknown_setting(L, name);
    else
        settings[i].set(L, out);
}

void tide_check_settings(lua_State *L, int arg, struct tide_settings *out)
{
    *out = (struct tide_settings){.stealing = true};
    if (lua_isnoneornil(L, arg))
        return;
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_pushnil(L);
    for (; lua_next(L, arg); lua_pop(L, 1))
        set(L, out);
}
