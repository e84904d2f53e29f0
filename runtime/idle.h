/* Idle workers: who searches, who sleeps, who has no thread, and whom a new task must wake.
 *
 * Invariant [IDLE-1]: while a task is visible in some queue and a worker sleeps, some worker is
 * running, or searching, or will look at every queue before it sleeps. So no task waits while
 * every worker sleeps. The full argument is in docs/parking.md.
 *
 * Sleepers form a stack, ordered by when they fell asleep: the last one is woken first, its caches
 * being the warmest, and those that slept longest lie at the bottom, where they are retired. Below
 * them lie the vacant workers, which have no thread; waking one starts it. They count as sleeping. */
#ifndef TP_IDLE_H
#define TP_IDLE_H

#include "base/align.h"
#include "base/atomic.h"
#include "base/spin.h"
#include "worker.h"

struct tp_driver;

struct tp_idle {
    /* searching (low half) and sleeping (high half) workers. Written by workers as they change
     * state and by wakers; read by every submitter, hence alone on its line but for n_live. */
    tp_line_aligned tp_atomic(uint32_t) counts;
    tp_atomic(uint32_t) n_live;          /* awake or asleep; written under the lock, seldom; read as a limit */
    tp_line_aligned struct tp_spin lock; /* guards the stack and the workers' fields for it */
    struct tp_worker **stack;            /* first the vacant workers, then the sleepers */
    uint32_t n_vacant, n_stacked, n_max;
    struct tp_patience patience; /* of the sleepers */
    uint64_t retry_ns;           /* after the system refused a thread: no other before */
};

/* tp_idle_init: no workers yet; they join by tp_idle_grow and tp_idle_add_vacant. Once: a pool that
 * opens again calls tp_idle_clear, for a late submitter may still be about to notify.
 * stack: room for n_max pointers, the caller's, as long as the idle accounting is used.
 * n_max: 1..65535.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_init(struct tp_idle *idle, struct tp_worker **stack, uint32_t n_max);

/* -- for a worker: its entry begins counted as searching -------------------------------------------- */

/* tp_idle_begin_search: may the caller search? At most half of the threads do, at least one.
 * Returns true if the caller is now counted as searching.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
bool tp_idle_begin_search(struct tp_idle *idle);

/* tp_idle_end_search: the caller, counted as searching, found work or leaves.
 * Returns true if nobody searches any more: then the caller must look whether more work is
 * visible, and call tp_idle_notify if it is [IDLE-3].
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
bool tp_idle_end_search(struct tp_idle *idle);

/* tp_idle_prepare: the caller is about to sleep; it must now look at every queue again, then
 * call one of tp_idle_cancel, tp_idle_sleep and tp_idle_quit.
 * searching: whether the caller is counted as searching; it no longer is afterwards.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_prepare(struct tp_idle *idle, struct tp_worker *worker, bool searching);

/* tp_idle_cancel: the caller stays awake; it is counted as searching afterwards.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_cancel(struct tp_idle *idle, struct tp_worker *worker);

/* tp_idle_sleep: sleep until woken or retired. One that `stays` takes being retired or dismissed for a wake-up, and keeps or
 * takes back its place; it is asked to leave as before.
 * Returns true if woken: the caller is counted as searching. False: the caller must return from
 * its entry now; its place is vacant already, or it is out of the pool.
 * [thread: owning worker] [suspends: no] [blocks: yes] [allocates: no] */
bool tp_idle_sleep(struct tp_idle *idle, struct tp_worker *worker);

/* tp_idle_sleep_in: tp_idle_sleep that ends by itself, as if woken, when a time has come, or the driver has events.
 * driver: to sleep in, one worker at a time; NULL: in none.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER for none.
 * [thread: owning worker] [suspends: no] [blocks: yes] [allocates: no] */
bool tp_idle_sleep_in(struct tp_idle *idle, struct tp_worker *worker, struct tp_driver *driver, uint64_t deadline_ns);

/* tp_idle_quit: the caller leaves, since its pool is drained: that had been so before it prepared
 * and looked. It is in no count afterwards, and out of the pool until it joins again.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_quit(struct tp_idle *idle, struct tp_worker *worker);

/* tp_idle_leave: the caller, asked to leave, does so; it neither searches nor has it prepared.
 * Returns true if it must return from its entry, after it has looked whether work is visible, its
 * own queue included, and called tp_idle_notify if it is [IDLE-6]. False: it stays after all.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
bool tp_idle_leave(struct tp_idle *idle, struct tp_worker *worker);

/* Is the worker asked to leave? Cheap enough to ask after each task. */
static inline bool tp_idle_is_leaving(struct tp_worker *worker)
{
    return tp_load_rlx(&worker->leaving) != 0; /* relaxed: tp_idle_leave decides, under the lock */
}

/* -- for those who put tasks down ---------------------------------------------------------------- */

/* tp_idle_wake: wake the last worker that went to sleep, or start a vacant one if none sleeps,
 * unless one searches already. If the system refuses the thread, a worker that fell asleep
 * meanwhile is woken instead, and no vacant one is started within the next millisecond.
 * Returns true if one was woken or started.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
bool tp_idle_wake(struct tp_idle *idle);

/* tp_idle_insist: tp_idle_wake by who cannot come back later: it asks for a thread also if the system has just refused one.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
bool tp_idle_insist(struct tp_idle *idle);

/* tp_idle_wake_worker: wake this one, which stays, if it sleeps. The caller has put down before what only this worker looks at
 * [IDLE-7].
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_wake_worker(struct tp_idle *idle, struct tp_worker *worker);

/* tp_idle_wake_all: wake every sleeping worker, for a change that concerns all. Vacant ones are
 * not started: who closes a pool that may have no thread calls tp_idle_insist first.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_wake_all(struct tp_idle *idle);

/* -- for the one who decides how many workers there are: one caller at a time --------------------- */

/* tp_idle_grow: the worker joins and its thread is started, or stays if it is still there.
 * worker: added to its crew, in whatever place.
 * Returns 0, or TP_ETHREAD with the worker's place as before. The new thread is counted as
 * searching from now on; it looks for work, so nobody needs to be notified.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_idle_grow(struct tp_idle *idle, struct tp_worker *worker);

/* tp_idle_add_vacant: the worker joins without a thread, or stays if it is still there. If work is
 * visible, call tp_idle_notify afterwards.
 * worker: added to its crew, in whatever place.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_add_vacant(struct tp_idle *idle, struct tp_worker *worker);

/* tp_idle_shrink: the worker is to leave for good. If vacant it is out at once; if asleep it is
 * woken to leave; if awake it leaves by its own tp_idle_leave. At least one worker must stay.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_shrink(struct tp_idle *idle, struct tp_worker *worker);

/* tp_idle_expire: retire those who have slept longest; their places are vacant then.
 * before_ns: those who fell asleep before, on the clock of tp_clock_now_ns().
 * n_keep:    as many threads stay, asleep or awake. With 1 or more a task is run even while the
 *            system refuses threads [IDLE-5].
 * Returns how many were retired.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint32_t tp_idle_expire(struct tp_idle *idle, uint64_t before_ns, uint32_t n_keep);

/* tp_idle_clear: every worker is out of the pool again, after tp_crew_wait has returned 0.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_idle_clear(struct tp_idle *idle);

/* tp_idle_parked: how many threads sleep now.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint32_t tp_idle_parked(struct tp_idle *idle);

/* How many threads there are: workers awake or asleep. */
static inline uint32_t tp_idle_live(struct tp_idle *idle)
{
    return tp_load_rlx(&idle->n_live); /* relaxed: a number for those who count */
}

/* The two halves of `counts`. */
static inline uint32_t tp_idle_searching(uint32_t counts)
{
    return counts & 0xffff;
}

/* As above; with the vacant ones. */
static inline uint32_t tp_idle_sleeping(uint32_t counts)
{
    return counts >> 16;
}

/* Call after a task became visible in a queue: wakes a worker if some sleep and none searches. */
static inline void tp_idle_notify(struct tp_idle *idle)
{
    tp_fence_sc();                                /* [IDLE-2] pairs with the fences in tp_idle_prepare, _end_search, _leave */
    uint32_t counts = tp_load_rlx(&idle->counts); /* relaxed: ordered by the fence */
    if (tp_idle_sleeping(counts) != 0 && tp_idle_searching(counts) == 0)
        tp_idle_wake(idle);
}

#endif
