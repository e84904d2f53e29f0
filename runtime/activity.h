/* What a worker does, in one word, for those who look from outside: idle, running, stealing or blocked, and why.
 * Invariant: the word is written by the worker's own thread alone, at changes that are no task's beginning or end, and only as
 * the table in runtime/activity.c allows; no other part of the library acts upon it (docs/monitoring.md). */
#ifndef TP_ACTIVITY_H
#define TP_ACTIVITY_H

#include "base/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

enum tp_activity_state {
    TP_ACTIVITY_BLOCKED, /* it sleeps, or has no thread: see enum tp_blocked */
    TP_ACTIVITY_IDLE,    /* it looks for a task */
    TP_ACTIVITY_RUNNING, /* tasks, one after the other */
    TP_ACTIVITY_STEALING /* it looks into the queue of another worker */
};

/* Why a worker is blocked. */
enum tp_blocked {
    TP_BLOCKED_NO_THREAD, /* not started yet, sent away, or retired */
    TP_BLOCKED_SHUTDOWN,  /* its pool is closed, and it has left */
    TP_BLOCKED_PARKED,    /* asleep: there is no task */
    TP_BLOCKED_LOOKOUT,   /* the same, up to the next deadline of a task, and in the driver if tasks wait for descriptors */
    TP_BLOCKED_TASK       /* the plain task that it runs waits for something of the library */
};

/* All 0: blocked, without a thread. */
struct tp_activity {
    tp_atomic(uint64_t) word;     /* state in 8 bits, reason or victim in 24, and in 32 how often it has changed */
    uint64_t since_ns;            /* the worker's own: when the state began, if there was a trace then; else 0 */
    tp_atomic(uint64_t) n_sleeps; /* ever, written by the worker, as the next */
    tp_atomic(uint64_t) n_vain;
    bool is_in_vain; /* the worker's own: it has slept, and not run since */
};

enum tp_activity_outcome {
    TP_ACTIVITY_MADE,
    TP_ACTIVITY_ILLEGAL /* no such change is possible: nothing has happened */
};

/* One worker, as others see it. */
struct tp_worker_info {
    enum tp_activity_state state;
    enum tp_blocked reason; /* if it is blocked */
    uint32_t victim;        /* if it steals: the index of whose queue it looks into */
    int thread;             /* the system's number of its thread; 0: none */
    uint64_t n_tasks;       /* that have ended on it, ever */
    uint64_t n_steps;       /* not the same number again once it has gone from one task, or state, to another */
    uint64_t pending;       /* tasks in its own queue */
    uint64_t n_sleeps;      /* times that it fell asleep, ever */
    uint64_t n_vain;        /* of these: without having run since the time before; 0 in a current-thread runtime, which calls itself running after each */
};

/* -- by the worker: each is one change ------------------------------------------------------------- */

/* tp_activity_begin: from no thread to idle: a thread has begun.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
enum tp_activity_outcome tp_activity_begin(struct tp_activity *activity);

/* tp_activity_seek: from running to idle: it is out of tasks.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
enum tp_activity_outcome tp_activity_seek(struct tp_activity *activity);

/* tp_activity_steal: from idle or stealing to stealing from that worker.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
enum tp_activity_outcome tp_activity_steal(struct tp_activity *activity, uint32_t victim);

/* tp_activity_run: from idle or stealing to running: it has found a task.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
enum tp_activity_outcome tp_activity_run(struct tp_activity *activity);

/* tp_activity_block: to blocked; for TP_BLOCKED_TASK from running, for TP_BLOCKED_NO_THREAD from anything but blocked by a task or for
 * want of a thread, else from idle or stealing.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
enum tp_activity_outcome tp_activity_block(struct tp_activity *activity, enum tp_blocked reason);

/* tp_activity_unblock: from blocked by a task to running, from asleep to idle.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
enum tp_activity_outcome tp_activity_unblock(struct tp_activity *activity);

/* -- by anybody ------------------------------------------------------------------------------------- */

/* tp_activity_look: fill state, reason, victim, the sleeps, and n_steps with the number of changes.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_activity_look(const struct tp_activity *activity, struct tp_worker_info *out);

/* tp_worker_info_word: "idle", "running", "stealing", or why it is blocked: "no thread", "shutdown", "parked", "lookout", "waiting".
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
const char *tp_worker_info_word(const struct tp_worker_info *info);

#ifdef __cplusplus
}
#endif

#endif
