/* What a task can do in a pool whose tasks are coroutines. In a pool of plain tasks, and outside of tasks, the same calls do
 * what makes sense there, so that a function need not know in which kind of pool it is used.
 * Invariant: only these calls and the library's own waits suspend a task (docs/fibers.md). */
#ifndef TP_FIBER_H
#define TP_FIBER_H

#ifdef __cplusplus
extern "C" {
#endif

/* tp_yield: let the worker's other tasks run; this one goes on after them, perhaps on another thread. A cancellation point, as
 * each wait in a coroutine is: once the task was asked to end each of them says so, at once.
 * Returns 0, or what tp_task_check says; in a plain task it does nothing but that.
 * [thread: any] [suspends: yes] [blocks: no] [allocates: no] */
int tp_yield(void);

/* tp_shield_begin: the task finishes something: until tp_shield_end it is not told that it was cancelled, and its waits are not
 * cut short. Shields nest. Nothing happens outside of tasks. In a coroutine that a task drives by hand they are the coroutine's own,
 * if tp_task_protect is around them there, as in tp_copool_default(); else nothing happens.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_shield_begin(void);

/* tp_shield_end: the end of the innermost tp_shield_begin of this task. A panic ends all of them.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_shield_end(void);

/* TP_SHIELD: a statement; from here to the end of the enclosing block, in whatever way it is left, the task is shielded. */
#define TP_SHIELD TP__SHIELD_AS(TP__SHIELD_NAME(__COUNTER__))
#define TP__SHIELD_AS(name)                                       \
    char name __attribute__((cleanup(tp__shield_leave), unused)); \
    name = 0;                                                     \
    tp_shield_begin()
#define TP__SHIELD_NAME(n) TP__SHIELD_JOIN(n)
#define TP__SHIELD_JOIN(n) tp__shield_##n

/* For TP_SHIELD. */
static inline void tp__shield_leave(char *unused)
{
    (void)unused;
    tp_shield_end();
}

#ifdef __cplusplus
}
#endif

#endif
