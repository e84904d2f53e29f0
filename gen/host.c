/* The build-time program `tidepool`: a Lua state with the lexer and a few system calls in it, in
 * which gen/main.lua runs. Everything about configs and generated text is written in Lua.
 * One invariant: Lua never touches a file but through the functions here, and each of them returns
 * nil and the system's reason instead of raising an error.
 * It lives for one command, so the memory of the Lua state is left to the system's mercy at exit. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lex.h"

enum { EXIT_USAGE = 2, EXIT_INTERNAL = 3 };

static int fail(lua_State *L, int error)
{
    lua_pushnil(L);
    lua_pushstring(L, strerror(error));
    return 2;
}

static int done(lua_State *L, int result)
{
    if (result != 0)
        return fail(L, errno);
    lua_pushboolean(L, 1);
    return 1;
}

/* -- the lexer ------------------------------------------------------------------------------- */

/* bad_byte(text) -> position of the first byte that is NUL or not UTF-8, or nil */
static int host_bad_byte(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    size_t at = lex_find_bad_byte((const unsigned char *)text, size);
    if (at == size)
        return 0;
    lua_pushinteger(L, (lua_Integer)at + 1);
    return 1;
}

static void set_integer(lua_State *L, const char *key, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

/* The function that tokens(text) returns: gives the next token as a table. */
static int host_next_token(lua_State *L)
{
    static const char *const kinds[] = {
#define X(kind, name) name,
        LEX_KINDS(X)
#undef X
    };
    const char *text = lua_tostring(L, lua_upvalueindex(1));
    struct lex *lex = lua_touserdata(L, lua_upvalueindex(2));
    struct lex_token token;
    lex_next(lex, &token);
    lua_createtable(L, 0, 7);
    lua_pushstring(L, kinds[token.kind]);
    lua_setfield(L, -2, "kind");
    lua_pushlstring(L, text + token.at, token.size);
    lua_setfield(L, -2, "text");
    set_integer(L, "at", (lua_Integer)token.at + 1);
    set_integer(L, "line", (lua_Integer)token.line);
    set_integer(L, "column", (lua_Integer)token.column);
    set_integer(L, "width", (lua_Integer)token.width);
    set_integer(L, "value", (lua_Integer)token.value);
    return 1;
}

/* tokens(text) -> a function that returns one token after the other, the last one for ever.
 * text: has no bad byte. */
static int host_tokens(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    lua_settop(L, 1);
    lex_init(lua_newuserdatauv(L, sizeof(struct lex), 0), (const unsigned char *)text, size);
    lua_pushcclosure(L, host_next_token, 2);
    return 1;
}

/* -- files ----------------------------------------------------------------------------------- */

/* read(path, limit) -> text | nil, reason
 * At most limit + 1 bytes are read, so that the caller sees that there were more. */
static int host_read(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    size_t limit = (size_t)luaL_checkinteger(L, 2);
    luaL_Buffer buffer;
    size_t total = 0;
    ssize_t n = 1;
    int error;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(L, errno);
    luaL_buffinit(L, &buffer);
    while (n != 0 && total <= limit) {
        size_t want = limit + 1 - total < LUAL_BUFFERSIZE ? limit + 1 - total : LUAL_BUFFERSIZE;
        n = read(fd, luaL_prepbuffsize(&buffer, want), want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            goto fail_read;
        luaL_addsize(&buffer, (size_t)n);
        total += (size_t)n;
    }
    close(fd);
    luaL_pushresult(&buffer);
    return 1;

fail_read:
    error = errno;
    close(fd);
    return fail(L, error);
}

static int write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        text += n;
        size -= (size_t)n;
    }
    return 0;
}

/* write_new(path, text) -> true | nil, reason
 * The file must not exist yet; on failure it does not exist afterwards either. */
static int host_write_new(lua_State *L)
{
    size_t size;
    const char *path = luaL_checkstring(L, 1);
    const char *text = luaL_checklstring(L, 2, &size);
    int error;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail(L, errno);
    if (write_all(fd, text, size) != 0)
        goto fail_write;
    if (close(fd) != 0) {
        fd = -1;
        goto fail_write;
    }
    lua_pushboolean(L, 1);
    return 1;

fail_write:
    error = errno;
    if (fd >= 0)
        close(fd);
    unlink(path);
    return fail(L, error);
}

/* rename(from, to) -> true | nil, reason */
static int host_rename(lua_State *L)
{
    return done(L, rename(luaL_checkstring(L, 1), luaL_checkstring(L, 2)));
}

/* remove(path) -> true | nil, reason */
static int host_remove(lua_State *L)
{
    return done(L, unlink(luaL_checkstring(L, 1)));
}

/* make_dir(path) -> true | nil, reason: one level; a directory that exists is fine */
static int host_make_dir(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct stat st;
    int error;
    if (mkdir(path, 0777) == 0)
        return done(L, 0);
    error = errno;
    if (error == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return done(L, 0);
    return fail(L, error == EEXIST ? ENOTDIR : error);
}

/* kind(path) -> "file", "directory" or "other" | nil, reason */
static int host_kind(lua_State *L)
{
    struct stat st;
    if (stat(luaL_checkstring(L, 1), &st) != 0)
        return fail(L, errno);
    lua_pushstring(L, S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "directory" : "other");
    return 1;
}

/* list(dir) -> table of the names in it, in no order | nil, reason */
static int host_list(lua_State *L)
{
    struct dirent *entry;
    lua_Integer n = 0;
    DIR *dir = opendir(luaL_checkstring(L, 1));
    if (dir == NULL)
        return fail(L, errno);
    lua_newtable(L);
    while ((entry = readdir(dir)) != NULL) {
        lua_pushstring(L, entry->d_name);
        lua_rawseti(L, -2, ++n);
    }
    closedir(dir);
    return 1;
}

/* absolute(path) -> the path from the root, without links | nil, reason */
static int host_absolute(lua_State *L)
{
    char *path = realpath(luaL_checkstring(L, 1), NULL);
    if (path == NULL)
        return fail(L, errno);
    lua_pushstring(L, path);
    free(path);
    return 1;
}

/* process() -> a number no other living process has */
static int host_process(lua_State *L)
{
    lua_pushinteger(L, getpid());
    return 1;
}

/* -- the program ----------------------------------------------------------------------------- */

static const luaL_Reg host_functions[] = {
    {"bad_byte", host_bad_byte},
    {"tokens", host_tokens},
    {"read", host_read},
    {"write_new", host_write_new},
    {"rename", host_rename},
    {"remove", host_remove},
    {"make_dir", host_make_dir},
    {"kind", host_kind},
    {"list", host_list},
    {"absolute", host_absolute},
    {"process", host_process},
    {NULL, NULL},
};

/* require "host" */
static int open_host(lua_State *L)
{
    luaL_newlib(L, host_functions);
    return 1;
}

/* Lua raises a table { usage = sentence } for wrong usage; anything else is a defect of ours. */
static int traceback(lua_State *L)
{
    if (!lua_istable(L, 1))
        luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

static int report(lua_State *L)
{
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "usage");
        fprintf(stderr, "tidepool: %s\n", lua_tostring(L, -1));
        return EXIT_USAGE;
    }
    fprintf(stderr, "tidepool: internal error, a defect of tidepool and not of your config:\n%s\n",
        lua_tostring(L, -1));
    return EXIT_INTERNAL;
}

/* home, words...: runs gen/main.lua of that home; leaves its exit status. */
static int run(lua_State *L)
{
    const char *home = luaL_checkstring(L, 1);
    luaL_openlibs(L);
    luaL_requiref(L, "host", open_host, 0);
    lua_getglobal(L, "package");
    lua_pushfstring(L, "%s/gen/?.lua", home);
    lua_setfield(L, -2, "path");
    lua_pushliteral(L, ""); /* nothing is taken from the user's environment */
    lua_setfield(L, -2, "cpath");
    lua_pop(L, 2);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "main");
    lua_call(L, 1, 1);
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

int main(int argc, char **argv)
{
    int status, error;
    lua_State *L;
    if (argc < 3 || strcmp(argv[1], "--home") != 0) {
        fputs("tidepool: usage: tidepool --home DIR COMMAND ...\n", stderr);
        return EXIT_USAGE;
    }
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is a failing write like any other */
    L = luaL_newstate();
    if (L == NULL || !lua_checkstack(L, argc + 8)) {
        fputs("tidepool: internal error: not enough memory\n", stderr);
        return EXIT_INTERNAL;
    }
    lua_pushcfunction(L, traceback);
    lua_pushcfunction(L, run);
    for (int i = 2; i < argc; i++)
        lua_pushstring(L, argv[i]);
    if (lua_pcall(L, argc - 2, 1, 1) == LUA_OK)
        status = (int)lua_tointeger(L, -1);
    else
        status = report(L);
    error = fflush(stdout) != 0 ? errno : ferror(stdout) ? EIO : 0;
    if (error != 0) {
        fprintf(stderr, "tidepool: cannot write the output: %s\n", strerror(error));
        status = status == 0 ? 1 : status;
    }
    return status;
}
