/* Fibers: the coroutines that a pool's tasks run in, from the scheduler's side. A pool embeds a tp_fibers, which keeps the
 * coroutines from one task to the next, and tells the pool by `ready` whom others have woken.
 * Invariant: whoever is told that a fiber is ready, by a result or by the call of `ready`, queues it once (docs/fibers.md).
 *
 *   worker                                          anybody else
 *   fiber = tp_fiber_get(...)                       tp_fiber_wake(fiber, generation), _ask:
 *   tp_fiber_begin(fiber, task, id)                     ready(fiber) if that ended its sleep
 *   switch (tp_fiber_run(fiber, cache))
 *   ENDED: look at fiber->result, tp_fiber_put
 *   READY: queue it; who takes it calls tp_fiber_continue
 *   AWAY: it may be running elsewhere by now */
#ifndef TP_FIBERS_H
#define TP_FIBERS_H

#include "../coro/coro.h"
#include "../coro/cycle.h"
#include "../coro/stack.h"
#include "alarms.h"
#include "base/align.h"
#include "lookout.h"
#include "run.h"
#include "track.h"

/* How a fiber came back to its worker. */
enum tp_fiber_stop {
    TP_FIBER_ENDED,
    TP_FIBER_READY, /* it yielded, or was woken while it fell asleep */
    TP_FIBER_AWAY   /* it sleeps, or did a moment ago */
};

/* One fiber. Its record stays where it is as long as its pool is there, so a late waker finds its word [CYCLE-5]. */
struct tp_fiber {
    struct tp_cycle cycle;
    struct tp_fibers *fibers;
    struct tp_fiber_cache *cache; /* of the worker that runs it */
    void *home;                   /* by the pool, if the task may not change workers: whose it is */
    struct tp_co *co;
    uint32_t index;        /* of this record */
    struct tp_fiber *next; /* in a cache, the depot, or the ready list */

    /* Of the task in it; written by who runs it, and published by what hands the fiber on. */
    uint64_t generation;
    bool is_settled;         /* it has passed a fence since its life began [FIBER-4] */
    bool is_measured;        /* by the pool: it will look how deep the stack was used */
    uint32_t n_calls;        /* with descriptors that were ready, since it gave way to others */
    void *argument;          /* for `body`, until its first suspension */
    enum tp_fiber_stop stop; /* what it wants of its worker; AWAY: to sleep */
    struct tp_task_result result;
    struct tp_run run; /* run.id and run.worker are set by the pool */
    struct tp_alarm alarm;
    tp_atomic(uint64_t) id; /* of the task, for who looks for it; 0: none */
};

#ifndef TP_FIBER_CHUNK /* records allocated at first; then always as many as all before, and one such chunk more */
#define TP_FIBER_CHUNK 16
#endif
enum { TP_FIBER_CHUNKS = 28,
    TP_FIBER_CACHE = 64 }; /* fibers a worker keeps at most */
#ifndef TP_FIBER_KEEP      /* idle ones for all workers that keep their stacks */
#define TP_FIBER_KEEP 32
#endif
#ifndef TP_FIBER_PERIOD_NS /* between two steps of clean-up */
#define TP_FIBER_PERIOD_NS UINT64_C(1000000000)
#endif

/* What one worker has to itself. All 0 is empty; tp_fibers_init sees to the alarms. */
struct tp_fiber_cache {
    struct tp_fiber *first; /* idle fibers */
    uint32_t n;
    uint32_t turn;                 /* whose alarms it looks at next, besides its own */
    tp_atomic(uint32_t) n_slept;   /* falls asleep on this worker, ever; written by it, as the next [FIBER-3] */
    tp_atomic(uint32_t) n_woken;   /* ends of sleeps, ever, that it has brought about */
    tp_atomic(uint32_t) n_yielded; /* times that one gave way to others, ever; for who looks */
    struct tp_alarms alarms;       /* of tasks that fell asleep on it; rung by any worker */
};

/* Fibers that are ready, in the order in which they became so. */
struct tp_fiber_list {
    struct tp_spin lock; /* guards the list */
    struct tp_fiber *first, *last;
    tp_atomic(uint32_t) n; /* written under the lock, read by workers that look for tasks */
};

struct tp_fibers {
    /* By the pool, before tp_fibers_init. */
    void *owner;
    int (*body)(void *argument);           /* the task; what it returns is its result's code */
    void (*ready)(struct tp_fiber *fiber); /* put it where a worker finds it, then tp_fibers_woken, then wake a worker */
    struct tp_run run;                     /* what each fiber's begins with */
    void (*nudge)(struct tp_fibers *fibers); /* there is an earlier deadline; for one without sleepers, by other threads than its own */
    size_t stack_bytes;
    uint64_t slack_ns;             /* of their alarms; 0: that of the process (tp_slack_set) */
    struct tp_idle *sleepers;      /* its workers that sleep; NULL: it has one thread, which sees to alarms and descriptors itself */
    struct tp_fiber_cache *caches; /* of its workers; the next one is so many bytes further on */
    size_t cache_stride;
    uint32_t n_caches;

    tp_line_aligned tp_atomic(uint32_t) n_woken; /* ends of sleeps, ever, brought about by who is no worker [FIBER-3] */
    tp_atomic(uint32_t) n_held;                  /* threads that may have a ready one out of sight, to queue it again */
    tp_atomic(uint32_t) n_wakers;                /* threads between tp__fiber_hold and the end of tp__fiber_call [FIBER-2] */
    tp_line_aligned struct tp_spin lock;         /* guards idle, bare and n_least */
    struct tp_fiber *idle, *bare;                /* with a coroutine, and without */
    uint32_t n_least;                            /* the fewest idle ones since the last step of clean-up */
    tp_atomic(uint32_t) n_idle;                  /* written under the lock, read by workers about to sleep */
    tp_atomic(uint64_t) step_ns;                 /* when the next step is due, 0: none is; by who takes a step [FIBER-5] */
    tp_atomic(uint32_t) n_records;               /* made so far, never given back; written under the lock, publishes them */
    struct tp_fiber *chunks[TP_FIBER_CHUNKS];    /* of the records; each written once, before those of it are made */
    tp_line_aligned struct tp_fiber_list list;   /* those that wait for any worker */
    struct tp_lookout lookout;
    struct tp_fibers *next_known, *prev_known; /* guarded by the lock of known.c */
};

/* That of one worker. */
static inline struct tp_fiber_cache *tp__fibers_cache(struct tp_fibers *fibers, uint32_t i)
{
    return (struct tp_fiber_cache *)(void *)((char *)fibers->caches + i * fibers->cache_stride);
}

/* -- for the pool ------------------------------------------------------------------------------- */

/* tp_fibers_init: no fibers yet.
 * fibers: what the pool sets is set.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_fibers_init(struct tp_fibers *fibers);

/* tp_fibers_await_wakers: wait for wakers that are about to return. By each worker that leaves the drained pool: until it has left,
 * a waker that is late may start another one.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_fibers_await_wakers(struct tp_fibers *fibers);

/* tp_fibers_free: the memory, when no task is left. Waits for wakers that are about to return.
 * is_forked: this is a copy in a child process: no waker comes, and the stacks stay as they are, since one of the
 * parent's threads may have held their locks.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_fibers_free(struct tp_fibers *fibers, bool is_forked);

/* tp_fibers_ask_all: ask each task to end. After what makes tp_task_check of tasks that begin now say so [FIBER-4].
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_fibers_ask_all(struct tp_fibers *fibers);

/* tp_fibers_at: the record of that number, below n_records.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_fiber *tp_fibers_at(struct tp_fibers *fibers, uint32_t index);

/* tp_fibers_ask: the same for the task of that id, if it is there. After its record says so. Looks at all fibers if there are no
 * records, which is for tests.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_fibers_ask(struct tp_fibers *fibers, uint64_t id);

/* tp_fibers_next_ns: when the next task that sleeps is to be woken, TP_FOREVER if there is none. By a worker about to sleep, after a full
 * fence: what others set without it they tell [ALARM-2]. It looks at each worker's alarms.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_fibers_next_ns(struct tp_fibers *fibers);

/* tp_fibers_ring: wake whom it is time for.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_fibers_ring(struct tp_fibers *fibers, uint64_t now_ns);

/* tp_fibers_near_ns: the same by a worker that goes on: it looks at its own alarms, and at those of one other worker, the next one each time.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_fibers_near_ns(struct tp_fibers *fibers, struct tp_fiber_cache *cache);

/* tp_fibers_ring_near: wake whom it is time for, of those that tp_fibers_near_ns has looked at.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
void tp_fibers_ring_near(struct tp_fibers *fibers, struct tp_fiber_cache *cache, uint64_t now_ns);

/* tp_fibers_is_due: by a worker about to sleep, if tp_fibers_are_many: is a step of clean-up due? Then it is the caller's.
 * now_ns: on one clock for all calls.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_fibers_is_due(struct tp_fibers *fibers, uint64_t now_ns);

/* tp_fibers_tend: a step of clean-up: of the fibers that lay idle for all workers since the last one, but for TP_FIBER_KEEP, half
 * lose their coroutines; idle stacks of the process go back to the system in their own steps.
 * now_ns: as tp_fibers_is_due was given when it said so.
 * [thread: any, in no coroutine] [suspends: no] [blocks: while tasks are reported] [allocates: no] */
void tp_fibers_tend(struct tp_fibers *fibers, uint64_t now_ns);

/* Is there anything to clean up, or was there a while ago? Relaxed: it is sure to be seen by who made it so [FIBER-5]. */
static inline bool tp_fibers_are_many(struct tp_fibers *fibers)
{
    return tp_load_rlx(&fibers->n_idle) > TP_FIBER_KEEP || tp_load_rlx(&fibers->step_ns) != 0; /* relaxed: see above */
}

/* tp_fiber_list_init: an empty list.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_fiber_list_init(struct tp_fiber_list *list);

/* tp_fiber_list_put: append a ready fiber.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_fiber_list_put(struct tp_fiber_list *list, struct tp_fiber *fiber);

/* tp_fiber_list_take: the first, NULL if there is none.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_fiber *tp_fiber_list_take(struct tp_fiber_list *list);

/* How many there are. Sequentially consistent: one side of "publish, then look for sleepers" [IDLE-2]. */
static inline uint32_t tp_fiber_list_length(struct tp_fiber_list *list)
{
    return tp_load_sc(&list->n);
}

/* tp_fibers_n_asleep: how many sleep, or do not yet lie in a queue again. Never fewer than there were at some moment of the call.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint32_t tp_fibers_n_asleep(struct tp_fibers *fibers);

/* How often tasks have left the worker whose cache this is, before their ends. */
static inline uint32_t tp_fiber_cache_n_left(const struct tp_fiber_cache *cache)
{
    return tp_load_rlx(&cache->n_slept) + tp_load_rlx(&cache->n_yielded); /* relaxed: for who looks */
}

/* Is every fiber running, or in a queue? After a fence, and before the look at the queues [FIBER-3]. */
static inline bool tp_fibers_are_queued(struct tp_fibers *fibers)
{
    return tp_fibers_n_asleep(fibers) == 0 && tp_load_sc(&fibers->n_held) == 0; /* one order with tp_fibers_hold */
}

/* By who takes fibers from where workers look: 1 before, -1 when they are queued again. In one order, as above. */
static inline void tp_fibers_hold(struct tp_fibers *fibers, int delta)
{
    tp_add_sc(&fibers->n_held, (uint32_t)delta);
}

/* By `ready`, when the fiber is queued. cache: of the calling worker of this pool; NULL: another thread. */
static inline void tp_fibers_woken(struct tp_fibers *fibers, struct tp_fiber_cache *cache)
{
    /* Release, and so is the addition: pairs with the acquires in tp_fibers_n_asleep [FIBER-3]. */
    if (cache)
        tp_store_rel(&cache->n_woken, tp_load_rlx(&cache->n_woken) + 1); /* relaxed: its own */
    else
        tp_add_sc(&fibers->n_woken, 1);
}

/* -- for its workers ---------------------------------------------------------------------------- */

/* tp__fiber_fetch: fill an empty cache. Returns false for want of memory.
 * [thread: owner of the cache] [suspends: no] [blocks: no] [allocates: yes] */
bool tp__fiber_fetch(struct tp_fibers *fibers, struct tp_fiber_cache *cache);

/* tp__fiber_shed: give half of a full cache to the others.
 * [thread: owner of the cache] [suspends: no] [blocks: no] [allocates: no] */
void tp__fiber_shed(struct tp_fibers *fibers, struct tp_fiber_cache *cache);

/* An idle fiber, or NULL for want of memory. */
static inline struct tp_fiber *tp_fiber_get(struct tp_fibers *fibers, struct tp_fiber_cache *cache)
{
    if (!cache->first && !tp__fiber_fetch(fibers, cache))
        return NULL;
    struct tp_fiber *fiber = cache->first;
    cache->first = fiber->next;
    cache->n--;
    return fiber;
}

/* Gives one that has ended back. */
static inline void tp_fiber_put(struct tp_fibers *fibers, struct tp_fiber_cache *cache, struct tp_fiber *fiber)
{
    fiber->next = cache->first;
    cache->first = fiber;
    if (++cache->n >= TP_FIBER_CACHE)
        tp__fiber_shed(fibers, cache);
}

/* A new task in an idle fiber, which the caller runs at once. id: 0: none. */
static inline void tp_fiber_begin(struct tp_fiber *fiber, void *argument, uint64_t id)
{
    fiber->argument = argument;
    fiber->is_settled = false;
    fiber->run.id = id;
    tp_store_rlx(&fiber->id, id); /* relaxed: the beginning of the life publishes it */
    if (id != 0 && fiber->run.track)
        tp_track_say_where(fiber->run.track, id, fiber->index);
    fiber->generation = tp_cycle_begin(&fiber->cycle, TP_CYCLE_RUNNING);
}

/* A ready fiber, taken from a queue, is about to be run by the caller. */
static inline void tp_fiber_continue(struct tp_fiber *fiber)
{
    tp_cycle_run(&fiber->cycle);
}

/* tp_fiber_run: run it until it ends, yields or sleeps.
 * fiber: begun or continued by the caller.
 * Returns what the caller is to do; see above.
 * [thread: any, in no coroutine] [suspends: no] [blocks: no] [allocates: no] */
enum tp_fiber_stop tp_fiber_run(struct tp_fiber *fiber, struct tp_fiber_cache *cache);

/* -- for who wakes ------------------------------------------------------------------------------ */

/* tp_fiber_wake: end the fiber's sleep, or its next one. The caller made true before what it waits for, and knows that its
 * pool is there.
 * generation: of the task; another one is left alone.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_fiber_wake(struct tp_fiber *fiber, uint64_t generation);

/* -- for the library's waits -------------------------------------------------------------------- */

/* tp_fiber_self: the fiber whose task calls; NULL on a thread, and inside of a plain call of a task in a task.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_fiber *tp_fiber_self(void);

/* Of the calling task. */
static inline uint64_t tp_fiber_generation(const struct tp_fiber *fiber)
{
    return fiber->generation;
}

/* Before the first wait of a task whose list needs no fence of its own: what [FIBER-4] asks for. */
static inline void tp_fiber_settle(struct tp_fiber *fiber)
{
    if (!fiber->is_settled)
        tp_fence_sc(); /* pairs with the fence in ask_those */
    fiber->is_settled = true;
}

/* tp_fiber_sleep: the calling task, which has prepared to wait in a list, sleeps once, until somebody wakes it for whatever reason.
 * Returns 0; TP_ETIMEDOUT when the deadline has passed; TP_ECANCELED when the task was asked to end.
 * [thread: its own] [suspends: yes] [blocks: no] [allocates: no] */
int tp_fiber_sleep(struct tp_fiber *fiber, uint64_t deadline_ns);

/* tp__fiber_hold: its pool stays until tp__fiber_call. By a waker, before the fiber can know that it was woken [FIBER-2].
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__fiber_hold(struct tp_fiber *fiber);

/* tp__fiber_call: tp_fiber_wake by who holds its pool, which it no longer does afterwards.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__fiber_call(struct tp_fiber *fiber, uint64_t generation);

#endif
