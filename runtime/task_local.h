/* Task-locals: values under keys that are set for a block and seen in all that is called there, and in the tasks that it spawns; so a
 * request's name or deadline need not be an argument of everything.
 *
 *   static const struct tp_local_key user = {.name = "user"};
 *   TP_LOCAL(&user, name);                 to the end of the block
 *   tp_local_get(&user)                    anywhere inside, also in children
 *
 * A child in a scope sees what was set when its scope was opened, that of tp_task_spawn what was set when it was spawned. A task that
 * uses none pays nothing.
 * Invariant: what is set for a block is gone when the block is left, also by a panic (docs/scopes.md). */
#ifndef TP_TASK_LOCAL_H
#define TP_TASK_LOCAL_H

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Known by its address; static. */
struct tp_local_key {
    const char *name; /* for people */
    void *value;      /* where nothing was set */
};

/* One value; lives in the block that it is set for. */
struct tp_local {
    const struct tp_local *outer; /* set before */
    const struct tp_local_key *key;
    void *value;
    struct tp_defer defer;
};

/* tp_local_get: the value of a key for the calling task, or for the one whose coroutine or branch calls.
 * Returns that of the innermost block; the key's own where it was not set, and outside of tasks.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void *tp_local_get(const struct tp_local_key *key);

/* tp_local_push: set it until tp_local_pop or a panic, whichever comes. Outside of tasks nothing is set.
 * node: the caller's, filled here.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_local_push(struct tp_local *node, const struct tp_local_key *key, void *value);

/* tp_local_pop: the one pushed last is not set any more.
 * [thread: of the task that pushed] [suspends: no] [blocks: no] [allocates: no] */
void tp_local_pop(struct tp_local *node);

/* TP_LOCAL(key, value): a statement; set from here to the end of the enclosing block, in whatever way it is left. */
#define TP_LOCAL(key, value) TP__LOCAL_AS(TP__LOCAL_NAME(__COUNTER__), key, value)
#define TP__LOCAL_AS(name, key, value)                           \
    struct tp_local name __attribute__((cleanup(tp_local_pop))); \
    tp_local_push(&name, (key), (value))
#define TP__LOCAL_NAME(n) TP__LOCAL_JOIN(n)
#define TP__LOCAL_JOIN(n) tp__local_##n

#ifdef __cplusplus
}
#endif

#endif
