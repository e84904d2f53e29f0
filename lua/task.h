/* Tasks of this state: what a task is, how it waits and how it is woken.
 *
 * Invariant: an unfinished task sits in the table of live tasks (its seat), and in exactly one
 * list unless it is the one that runs: ready, or the list of what it waits for. */
#ifndef TIDE_TASK_H
#define TIDE_TASK_H

#include "co.h"
#include "result.h"
#include "tide.h"

#include "../runtime/clock.h"

/* A userdata. */
struct tide_task {
    struct tide_result result; /* before its start, the values are the function and the arguments */
    struct tide_task *next, *prev;
    struct tide_list *in;     /* the list it is in, or NULL */
    struct tide_list joiners; /* tasks that wait for this one */
    struct tide_co_ref co;    /* from its start to its end */
    uint64_t deadline_ns;
    uint32_t timed_index; /* 1-based place in the heap of deadlines; 0: in none */
    uint32_t n_shields;   /* calls it is in that cancelling must not cut short */
    uint32_t seat;        /* in the table of live tasks; 0: none */
    uint8_t outcome;      /* what the status becomes when its coroutine has ended */
    int n_results;        /* when they are more than TIDE_SLOTS_MIN: before they are packed */
    bool cancelled;       /* asked to end: its waits raise "cancelled" */
    bool timed_out;       /* its last wait ended by its deadline */
    bool suspending;      /* it is about to suspend through tide_suspend */
    bool outside;         /* it waits for another thread */
    bool traced;          /* value 2 is the traceback of its error */
    bool unseen;          /* it failed and nobody has joined it */
};

/* The task that runs, if `L` is its own coroutine; else NULL. */
static inline struct tide_task *tide_task_on(const struct tide_state *state, const lua_State *L)
{
    struct tide_task *task = state->current;
    struct tide_co *co = task ? tide_co_of(task->co) : NULL;
    return co && co->L == L ? task : NULL;
}

/* Whether the task's waits are to raise "cancelled". */
static inline bool tide_task_must_end(const struct tide_task *task)
{
    return task->cancelled && task->n_shields == 0;
}

static inline void tide_list_append(struct tide_list *list, struct tide_task *task)
{
    task->in = list;
    task->next = NULL;
    task->prev = list->last;
    if (list->last)
        list->last->next = task;
    else
        list->first = task;
    list->last = task;
}

static inline void tide_list_remove(struct tide_task *task)
{
    if (task->prev)
        task->prev->next = task->next;
    else
        task->in->first = task->next;
    if (task->next)
        task->next->prev = task->prev;
    else
        task->in->last = task->prev;
    task->in = NULL;
}

/* -- wait.c: suspending and waking -- */

/* tide_waiter: the current task, if the caller may suspend it; else raises an error that says why.
 * what: the public function's name, for the error.
 * Raises "cancelled" if the task has been cancelled.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
struct tide_task *tide_waiter(lua_State *L, const char *what);

/* tide_can_wait: whether the caller runs in a task's own coroutine and may suspend it.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
bool tide_can_wait(lua_State *L);

/* tide_suspend: suspend the current task until tide_wake, its deadline, or cancelling.
 * task:        the current one.
 * list:        where the waker will find it.
 * deadline_ns: TP_FOREVER for none.
 * outside:     what it waits for happens on another thread.
 * n_args:      how much of the caller's stack k gets back; what is above is dropped.
 * k:           goes on; it begins with tide_resumed().
 * [thread: owning state] [suspends: yes] [blocks: no] [allocates: no] */
int tide_suspend(lua_State *L, struct tide_task *task, struct tide_list *list, uint64_t deadline_ns,
    bool outside, int n_args, lua_KFunction k);

/* tide_resumed: called first by a continuation: was it the scheduler that resumed this coroutine?
 * Returns the current task, or NULL: then a stranger has resumed it, and the continuation must
 * `return tide_suspend_again(L, n_args, k)`, which leaves the task as it was.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
struct tide_task *tide_resumed(lua_State *L);
int tide_suspend_again(lua_State *L, int n_args, lua_KFunction k);

/* tide_wake: make a waiting task ready. Raises nothing.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
void tide_wake(struct tide_state *state, struct tide_task *task);
void tide_wake_all(struct tide_state *state, struct tide_list *list);

/* tide_expire: wake every task whose deadline is not after `now_ns`. Raises nothing.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
void tide_expire(struct tide_state *state, uint64_t now_ns);

/* -- task.c: the object -- */

/* tide_task_new: make a task of the function and arguments that fill the stack, and make it ready.
 * Replaces them by the task's userdata.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
struct tide_task *tide_task_new(lua_State *L, struct tide_state *state);

/* tide_task_push: push the userdata of an unfinished task. Raises nothing.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
void tide_task_push(lua_State *L, const struct tide_task *task);

/* tide_task_finish: the task has ended with the values stored in it; wakes its joiners. Its
 * coroutine has been released. Raises nothing.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
void tide_task_finish(lua_State *L, struct tide_state *state, struct tide_task *task, enum tide_status outcome);

/* tide_task_cancel: ask a task to end. One that has not started is finished at once; one that
 * waits is woken. Raises nothing.
 * Returns false if it had finished.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
bool tide_task_cancel(lua_State *L, struct tide_state *state, struct tide_task *task);

/* -- run.c -- */

/* tide_run, tide_spawn: as Lua calls them.
 * [thread: owning state] [suspends: no] [blocks: when nothing is ready] [allocates: yes] */
int tide_run(lua_State *L);
int tide_spawn(lua_State *L);

/* -- report.c: failed tasks that nobody joined -- */

/* tide_unseen_add: the failed task in its seat has not been joined yet. It is reported when it is
 * collected, or by tide_unseen_report. Raises nothing.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
void tide_unseen_add(lua_State *L, struct tide_task *task);

/* tide_task_observe: somebody has looked at the finished task whose userdata is at `index`, so it is
 * not to be reported. Raises nothing.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
void tide_task_observe(lua_State *L, struct tide_task *task, int index);

/* tide_unseen_report: tell the standard error of all that are left, and forget them. Raises nothing.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
void tide_unseen_report(lua_State *L);

#endif
