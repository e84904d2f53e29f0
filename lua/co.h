/* Pooled coroutines: Lua threads that are used again instead of being made anew.
 *
 * Invariant: a coroutine is FREE exactly while it is in the pool, and its stack is empty then, so
 * that whoever still holds the Lua thread finds a dead coroutine. The generation grows by one at
 * each acquire and each release: a reference is stale once it differs. */
#ifndef TIDE_CO_H
#define TIDE_CO_H

#include "tide.h"

enum tide_co_state { TIDE_CO_FREE,
    TIDE_CO_RUNNING,
    TIDE_CO_SUSPENDED,
    TIDE_CO_DEAD };

/* Belongs to Lua: a userdata whose user value is the Lua thread. */
struct tide_co {
    lua_State *L;
    struct tide_co *next; /* while FREE */
    uint32_t generation;
    enum tide_co_state state;
};

/* A claim on a coroutine; holds as long as the generations agree. */
struct tide_co_ref {
    struct tide_co *co; /* NULL: none */
    uint32_t generation;
};

/* tide_co_acquire: take a coroutine from the pool, or make one. Raises nothing.
 * L:   any thread of the state, with LUA_MINSTACK slots free.
 * ref: receives the claim; the coroutine is RUNNING, with an empty stack.
 * Returns 0 or TP_ENOMEM.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: rarely] */
int tide_co_acquire(lua_State *L, struct tide_state *state, struct tide_co_ref *ref);

/* The coroutine behind a claim; NULL if the claim is stale or none. */
static inline struct tide_co *tide_co_of(struct tide_co_ref ref)
{
    return ref.co && ref.co->generation == ref.generation ? ref.co : NULL;
}

/* tide_co_move: go from one state to another. Raises nothing.
 * Returns false, and changes nothing, if the coroutine was not in `from`.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
bool tide_co_move(struct tide_co *co, enum tide_co_state from, enum tide_co_state to);

/* tide_co_release: end the claim and give the coroutine back. One that is not clean (DEAD, or in
 * the middle of something) is closed first: its to-be-closed variables run. Raises nothing.
 * L:   any other thread of the state, with LUA_MINSTACK slots free.
 * ref: becomes none. The coroutine must not be the one that runs.
 * Returns LUA_OK, or a status with the error of a close handler pushed on L.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
int tide_co_release(lua_State *L, struct tide_state *state, struct tide_co_ref *ref);

#endif
