/* Suspending and waking tasks of this state, and the heap of their deadlines.
 *
 * Invariant of the heap: timed[i]->deadline_ns <= that of timed[2i+1] and timed[2i+2], and
 * timed[i]->timed_index == i + 1. */
#include "task.h"

#include "../runtime/base/assert.h"

static struct tide_task *own_task(lua_State *L)
{
    return tide_task_on(tide_state(L), L);
}

bool tide_can_wait(lua_State *L)
{
    return own_task(L) && lua_isyieldable(L);
}

struct tide_task *tide_waiter(lua_State *L, const char *what)
{
    struct tide_task *task = own_task(L);
    if (!task && tide_state(L)->current)
        luaL_error(L, "%s: cannot suspend a task from inside another coroutine", what);
    if (!task)
        luaL_error(L, "%s: not in a task; use it in a function that tide.run runs", what);
    if (!lua_isyieldable(L))
        luaL_error(L, "%s: cannot suspend a task inside a call from C (a sort order, a finalizer, ...)", what);
    if (tide_task_must_end(task))
        tide_raise_cancelled(L);
    return task;
}

/* -- the heap of deadlines -- */

static void heap_put(struct tide_state *state, uint32_t i, struct tide_task *task)
{
    state->timed[i] = task;
    task->timed_index = i + 1;
}

static void heap_up(struct tide_state *state, uint32_t i, struct tide_task *task)
{
    while (i > 0 && state->timed[(i - 1) / 2]->deadline_ns > task->deadline_ns) {
        heap_put(state, i, state->timed[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_put(state, i, task);
}

static void heap_down(struct tide_state *state, uint32_t i, struct tide_task *task)
{
    for (uint32_t child; (child = 2 * i + 1) < state->n_timed; i = child) {
        if (child + 1 < state->n_timed && state->timed[child + 1]->deadline_ns < state->timed[child]->deadline_ns)
            child++;
        if (state->timed[child]->deadline_ns >= task->deadline_ns)
            break;
        heap_put(state, i, state->timed[child]);
    }
    tp_assert(i == 0 || state->timed[(i - 1) / 2]->deadline_ns <= task->deadline_ns);
    heap_put(state, i, task);
}

static void heap_add(struct tide_state *state, struct tide_task *task)
{
    tp_assert(state->n_timed < state->seats_size);
    heap_up(state, state->n_timed++, task);
}

static void heap_remove(struct tide_state *state, struct tide_task *task)
{
    uint32_t i = task->timed_index - 1;
    task->timed_index = 0;
    struct tide_task *last = state->timed[--state->n_timed];
    if (last == task)
        return;
    if (i > 0 && state->timed[(i - 1) / 2]->deadline_ns > last->deadline_ns)
        heap_up(state, i, last);
    else
        heap_down(state, i, last);
}

void tide_expire(struct tide_state *state, uint64_t now_ns)
{
    while (state->n_timed > 0 && state->timed[0]->deadline_ns <= now_ns) {
        struct tide_task *task = state->timed[0];
        task->timed_out = true;
        tide_wake(state, task);
    }
}

/* -- suspending and waking -- */

int tide_suspend(lua_State *L, struct tide_task *task, struct tide_list *list, uint64_t deadline_ns,
    bool outside, int n_args, lua_KFunction k)
{
    struct tide_state *state = tide_state(L);
    if (deadline_ns != TP_FOREVER) {
        task->deadline_ns = deadline_ns;
        heap_add(state, task);
    }
    tide_list_append(list, task);
    task->outside = outside;
    state->n_outside += outside;
    task->timed_out = false;
    task->suspending = true;
    lua_settop(L, n_args);
    return lua_yieldk(L, 0, 0, k);
}

struct tide_task *tide_resumed(lua_State *L)
{
    return own_task(L);
}

int tide_suspend_again(lua_State *L, int n_args, lua_KFunction k)
{
    lua_settop(L, n_args);
    lua_pushnil(L);
    lua_pushliteral(L, TIDE_STALE);
    return lua_yieldk(L, 2, 0, k);
}

void tide_wake(struct tide_state *state, struct tide_task *task)
{
    tide_list_remove(task);
    if (task->timed_index != 0)
        heap_remove(state, task);
    if (task->outside) {
        task->outside = false;
        state->n_outside--;
    }
    tide_list_append(&state->ready, task);
}

void tide_wake_all(struct tide_state *state, struct tide_list *list)
{
    while (list->first)
        tide_wake(state, list->first);
}
