/* Handles: a script's hold on a call that runs on another thread.
 *
 * Invariant: `call` is there until the handle has taken the results out of it, and is dropped then;
 * from that moment the results are Lua values of this state. */
#ifndef TIDE_HANDLE_H
#define TIDE_HANDLE_H

#include "call.h"
#include "result.h"

struct tide_handle {
    struct tide_result result;
    struct tide_call *call; /* one reference; NULL when the result is finished */
};

/* tide_handle_new: push a handle without a call.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
struct tide_handle *tide_handle_new(lua_State *L);

/* tide_open_handle: make the class.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
void tide_open_handle(lua_State *L);

#endif
