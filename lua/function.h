/* Functions on their way to other states.
 *
 * Invariant: a code record never changes once made, and lives as long as anyone refers to it. The
 * submitting state finds it by the function object itself (a weak key, so the address of a dead
 * closure can never be taken for another), worker states by its id, which is never used again. */
#ifndef TIDE_FUNCTION_H
#define TIDE_FUNCTION_H

#include "buffer.h"
#include "tide.h"

#include "../runtime/base/atomic.h"

/* A dumped function, shared by threads. */
struct tide_code {
    tp_atomic(uint32_t) n_references;
    uint64_t id;
    size_t n_bytes;
    unsigned char bytes[];
};

/* tide_code_of: the code of the Lua function at `index`; dumps it the first time.
 * Returns it with one reference for the caller.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: rarely] */
struct tide_code *tide_code_of(lua_State *L, int index);

/* tide_code_drop: one reference less; the last frees it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tide_code_drop(struct tide_code *code);

/* tide_code_push: push a closure of the code into a worker's state.
 * simple: all its upvalues are the globals, so one closure, kept, serves every call; else a new
 *         closure whose upvalues are the caller's to set.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: rarely] */
void tide_code_push(lua_State *L, const struct tide_code *code, bool simple);

/* tide_is_simple: whether every upvalue of the function at `index` is the table of globals.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
bool tide_is_simple(lua_State *L, int index);

/* tide_dump: append the bytecode of the Lua function on top of the stack. Raises nothing.
 * Returns 0 or TP_ENOMEM.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
int tide_dump(lua_State *L, struct tide_buffer *buffer);

/* tide_undump: push a new closure of dumped bytes.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
void tide_undump(lua_State *L, const unsigned char *bytes, size_t n);

/* tide_open_function: prepare the state's userdata on top of the stack.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
void tide_open_function(lua_State *L);

#endif
