/* What tasks and handles have in common: an id, how it went, and the values that came out of it.
 *
 * Invariant: a struct tide_result is the first member of its userdata, and the userdata's first
 * n_slots user values hold its n values; if they did not fit, value 1 is a table that packs them.
 * One more user value is the reason given for cancelling. */
#ifndef TIDE_RESULT_H
#define TIDE_RESULT_H

#include "tide.h"

enum tide_status {
    TIDE_PENDING, /* not started */
    TIDE_RUNNING,
    TIDE_SUSPENDED, /* a task that waits, or is ready to go on */
    TIDE_DONE,      /* the values are the results */
    TIDE_FAILED,    /* value 1 is the error; of a task, user value 2 is the traceback */
    TIDE_CANCELED   /* value 1 is "cancelled" */
};

enum {
    TIDE_SLOTS_MIN = 2, /* the error and its traceback */
    TIDE_SLOTS_MAX = 8  /* more values than this are packed */
};

struct tide_result {
    uint64_t id;
    int n;
    uint8_t n_slots; /* user values for the values */
    uint8_t status;  /* enum tide_status */
    bool packed;
};

static inline bool tide_finished(const struct tide_result *result)
{
    return result->status >= TIDE_DONE;
}

/* tide_result_store: pop n values and keep them in the userdata at `index`.
 * Raises nothing, and allocates nothing, if n is not more than TIDE_SLOTS_MIN.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: rarely] */
void tide_result_store(lua_State *L, struct tide_result *result, int index, int n);

/* The same for values that fit in the slots, which are written by no one else meanwhile. */
static inline void tide_result_put(lua_State *L, struct tide_result *result, int index, int n)
{
    for (int i = n; i > 0; i--)
        lua_setiuservalue(L, index, i);
    result->n = n;
    result->packed = false;
}

/* tide_result_pack: replace the n values on top by a table of them, if they do not fit in the slots.
 * Returns how many values there are now.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: rarely] */
int tide_result_pack(lua_State *L, const struct tide_result *result, int n);

/* tide_result_load: push the values kept in the userdata at `index`; returns how many.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: rarely] */
int tide_result_load(lua_State *L, const struct tide_result *result, int index);

/* tide_result_forget: drop the values. Raises nothing.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
void tide_result_forget(lua_State *L, struct tide_result *result, int index);

/* tide_result_reason: pop the reason given for cancelling, and keep it. Raises nothing.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
void tide_result_reason(lua_State *L, const struct tide_result *result, int index);

/* tide_result_cancel: make "cancelled" the only value. Raises nothing, and lets no finalizer run.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
void tide_result_cancel(lua_State *L, struct tide_result *result, int index);

/* tide_result_outcome: what join and await give for the finished userdata at index 1.
 * raise: await: push the values, or raise the error. Else push true and the values, or false, the
 *        error, and the reason if there is one.
 * Returns how many values it pushed.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: rarely] */
int tide_result_outcome(lua_State *L, const struct tide_result *result, bool raise);

/* tide_timed_out, tide_raise_cancelled: the other two ends of a wait.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
int tide_timed_out(lua_State *L, bool raise);
int tide_raise_cancelled(lua_State *L);

/* tide_result_status: push the status as a word; returns 1.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: rarely] */
int tide_result_status(lua_State *L, const struct tide_result *result);

/* tide_new_result_class: tide_new_class for userdata that begin with a result; adds .id and
 * tostring.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
void tide_new_result_class(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *events);

#endif
