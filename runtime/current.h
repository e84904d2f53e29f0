/* A pool without threads of its own: its tasks are coroutines, and run on a thread that waits for them, one such thread at a time.
 * What runtime/runtime.h opens as TP_RUNTIME_CURRENT; reached through its table of functions.
 * Invariant: a task that can go on lies in the ring, once, unless the thread that drives has it; there is room in the ring for every
 * task in flight, so who wakes one never waits for memory (docs/runtime.md). */
#ifndef TP_CURRENT_H
#define TP_CURRENT_H

#include "base/align.h"
#include "fibers.h"
#include "life.h"
#include "monitor/roll.h"
#include "park.h"
#include "pool.h"
#include "stock.h"
#include "track.h"

/* Where who drives sleeps. */
enum { TP__AWAKE,
    TP__ON_WORD,
    TP__IN_DRIVER };

/* A task that can go on. */
struct tp_ready {
    struct tp_fiber *fiber; /* NULL: it has not begun */
    struct tp_call call;    /* of one that has not */
    uint64_t id;
};

struct tp_current {
    struct tp_life life;
    struct tp_roll_entry roll;
    struct tp_track track;
    struct tp_fibers fibers;
    tp_atomic(uint32_t) stop;      /* not 0 once the pool is cancelled */
    tp_atomic(uint32_t) n_closing; /* threads inside of a close [LIFE-5] */
    struct tp_waitlist turn;       /* threads that wait for an end, or for their turn to drive */

    tp_line_aligned struct tp_spin lock; /* guards all up to `asleep` */
    struct tp_ready *ring;
    size_t n_room, first, n_ready;
    bool is_driven; /* by one at a time, whose `activity` is written */
    uint64_t capacity, n_accepted, n_begun;
    struct tp_pool_stats stats; /* its counters; over: completed + cancelled */
    tp_atomic(uint32_t) asleep; /* where who drives sleeps; written under the lock */

    /* Of the thread that drives. */
    tp_line_aligned struct tp_fiber_cache cache;
    uint64_t random;             /* state of the order; 0: first come, first served */
    tp_atomic(uint64_t) n_over;  /* tasks that have ended, ever; for who looks, too */
    struct tp_activity activity; /* what it does, and its number in the system, for who looks */
    tp_atomic(int) tid;
    tp_atomic(uint64_t) now_ns;    /* the time of its tasks; 0: that of everybody. Written by who drives, or between */
    tp_atomic(uint32_t) n_outside; /* calls that its tasks wait for on threads outside: its time does not jump meanwhile */
};

/* What a current-thread runtime can be asked for, beyond what all pools can. */
struct tp_current_settings {
    uint64_t capacity; /* 0: unlimited. Beyond, tasks are refused with TP_EFULL */
    uint64_t seed;     /* not 0: who goes on next is chosen by it */
    bool virtual_time;
    void (*on_panic)(const struct tp_panic_report *panic, void *context);
    void *context;
};

/* Its functions; of `abandon`, `tune_workers` there is none. Payload: struct tp_call. */
extern const struct tp_pool_ops tp__current_ops;

/* tp__current_open: such a pool.
 * Returns 0 or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp__current_open(struct tp_current **out, const struct tp_current_settings *settings);

/* tp__current_free: its memory, when nothing is in flight and nobody drives.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__current_free(struct tp_current *current);

/* tp__current_accept: one more task.
 * id: receives its id; not NULL. is_kept: a handle keeps its result.
 * Returns 0, TP_EFULL, TP_ENOMEM, TP_ECLOSED or TP_EFORKED.
 * [thread: any] [suspends: no] [blocks: no] [allocates: rarely] */
int tp__current_accept(struct tp_current *current, const struct tp_call *call, bool is_kept, uint64_t *id);

/* How many tasks were accepted and are not over. The lock is held. */
static inline uint64_t tp__current_in_flight(const struct tp_current *current)
{
    return current->n_accepted - current->stats.completed - current->stats.cancelled;
}

/* tp__current_step: run the next task until it ends or waits.
 * Returns false if none can go on.
 * [thread: the one that drives] [suspends: no] [blocks: no] [allocates: rarely] */
bool tp__current_step(struct tp_current *current);

/* tp__current_await: wait until a task is over, or, if id is 0, until nothing is in flight. A thread that is in no coroutine runs tasks
 * meanwhile, unless another one does.
 * Returns 0; TP_ETIMEDOUT; to a coroutine TP_ECANCELED, when it was asked to end.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
int tp__current_await(struct tp_current *current, uint64_t id, uint64_t deadline_ns);

/* tp__current_advance: the time of its tasks goes on, and those are woken whose time has come.
 * Returns 0, or TP_ENOTSUP if its time is that of everybody.
 * [thread: a task of it, or any while nobody drives] [suspends: no] [blocks: no] [allocates: no] */
int tp__current_advance(struct tp_current *current, uint64_t duration_ns);

/* tp__current_outside: 1: a task is about to wait for a call on a thread outside; -1: it has. Time that is the runtime's own does not
 * jump meanwhile.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__current_outside(struct tp_current *current, int delta);

/* tp__current_of: the one whose task in a coroutine calls; NULL if none does.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_current *tp__current_of(void);

#endif
