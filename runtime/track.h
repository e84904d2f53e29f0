/* The records of the tasks of one pool: what an id stands for, who waits for it, how it ended.
 *
 * A record is one atomic word (generation, waiters, flags, state) and a code. It is held by the pool until the
 * task is over and left its queue, by a handle if it was begun so, and by each thread that waits for it. Who lets go
 * last frees it, in the same exchange that makes the generation the next one.
 * Invariant: an id is never given out twice, so one that was let go of is never obeyed (docs/tasks.md). */
#ifndef TP_TRACK_H
#define TP_TRACK_H

#include "base/align.h"
#include "base/atomic.h"
#include "base/spin.h"
#include "park.h"
#include "task.h"

#ifndef TP_TRACK_LISTS
#define TP_TRACK_LISTS 64 /* waiting lists, by the id's low bits */
#endif
enum { TP_TRACK_CHUNKS = 24 }; /* each as large as all before it; enough for 2^32 records */

/* One task. 16 bytes, at the same address for ever. */
struct tp_record {
    tp_atomic(uint64_t) word; /* see docs/tasks.md; written by exchange, but for the owner of a free record */
    union {
        int code;            /* written by the pool before the end, read after it */
        uint32_t next_chain; /* while free and first of a chain in the depot, under its lock */
    };
    /* While free: index + 1 of the next free one, of who has the chain. While a task runs in a coroutine: where, a hint for who looks
     * for it; by who runs it. */
    tp_atomic(uint32_t) next;
};

/* Free records, linked. */
struct tp_chain {
    uint32_t first; /* index + 1; 0: none */
    uint32_t n;
};

/* The free records of the threads whose index ends in the same bits. */
struct tp_track_shard {
    tp_line_aligned struct tp_spin lock;
    struct tp_chain loaded, spare; /* guarded by lock; spare is full or empty */
};

struct tp_track {
    struct tp_track_shard *shards;
    unsigned shard_mask;
    uint32_t first_generation;                             /* of new records; tests begin near the last one */
    tp_atomic(uint32_t) n_records;                         /* made so far; written under depot_lock, publishes them */
    tp_atomic(struct tp_record *) chunks[TP_TRACK_CHUNKS]; /* written once each, under depot_lock */
    tp_line_aligned struct tp_spin depot_lock;
    uint32_t depot; /* first record of the first full chain, index + 1; guarded */
    struct tp_waitlist lists[TP_TRACK_LISTS];
};

/* tp_track_init: no tasks, and memory for n_prealloc of them, in the caller's memory (aligned for its type).
 * Returns 0, or TP_ENOMEM with nothing allocated.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_track_init(struct tp_track *track, uint64_t n_prealloc);

/* tp_track_free: the end of all records; nobody may use the track any more, waiters least of all. Takes no lock, so
 * that a forked child may call it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_track_free(struct tp_track *track);

/* tp_track_begin: records for n tasks that are about to be submitted; they are TP_TASK_PENDING from now on.
 * kept:    a handle holds each record, beyond the task's end, until tp_track_release.
 * ids:     room for n; receives the ids, none of which was ever given out before by this track.
 * n_begun: never NULL; how many there are in ids, on error too.
 * Returns 0, or TP_ENOMEM with fewer than n begun: the caller uses them or undoes them.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_track_begin(struct tp_track *track, size_t n, bool kept, uint64_t *ids, size_t *n_begun);

/* tp_track_undo: these tasks were not submitted after all. Pool and handle let go of the records. Whoever found an id
 * in a list and waits for it gets TP_TASK_DROPPED.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_track_undo(struct tp_track *track, const uint64_t *ids, size_t n);

/* tp_track_start: the pool is about to run the task: TP_TASK_RUNNING.
 * Returns false if it was cancelled meanwhile: it must not run, and the pool has let go of its record.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_track_start(struct tp_track *track, uint64_t id);

/* tp_track_finish: a task that was started is over. Wakes who waits for it; the pool lets go of the record.
 * result: state is one of the ends; code goes to who waits.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_track_finish(struct tp_track *track, uint64_t id, struct tp_task_result result);

/* tp_track_drop: the pool takes a task that has not started out of its queue.
 * state: TP_TASK_DROPPED or TP_TASK_CANCELLED.
 * Returns false if it had been cancelled already. In both cases the pool has let go of the record.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_track_drop(struct tp_track *track, uint64_t id, enum tp_task_state state);

/* tp_track_cancel: a task that has not started will not run; its slot stays in its queue, and the pool will hear of it
 * from tp_track_start or _drop. A task that runs is asked to stop, see tp_task_check.
 * Returns 0, or TP_ESTALE if it is over or unknown.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_track_cancel(struct tp_track *track, uint64_t id);

/* tp_track_say_where: the task, which was started, runs in the fiber of that number.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_track_say_where(struct tp_track *track, uint64_t id, uint32_t fiber);

/* tp_track_where: the fiber in which a task runs; a guess, if it does not. After the fence of [FIBER-4].
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint32_t tp_track_where(struct tp_track *track, uint64_t id);

/* tp_track_is_asked: was this running task asked to stop? For the thread that runs it.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_track_is_asked(const struct tp_track *track, uint64_t id);

/* tp_track_wait: wait until a task is over. Any number of threads may; one must not wait for the task it runs.
 * deadline_ns: on the clock of tp_clock_now_ns(); TP_FOREVER for none; 0 only looks.
 * result:      receives how it ended; may be NULL; untouched on error.
 * Returns 0 (also for a task that ends while its deadline passes, and one whose record is freed by others meanwhile);
 * TP_ETIMEDOUT; TP_ESTALE if it was over and not kept when the call began, or never was.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
int tp_track_wait(struct tp_track *track, uint64_t id, uint64_t deadline_ns, struct tp_task_result *result);

/* tp_track_enlist: for one who waits for several things: put an entry of its choice where the ends of tasks look; it is told when this
 * task, or another one, has ended. Holds the record until tp_track_delist.
 * Returns false if the task is over, or unknown: then neither has happened.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_track_enlist(struct tp_track *track, uint64_t id, struct tp_waiter *entry);

/* tp_track_delist: the end of what tp_track_enlist began.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_track_delist(struct tp_track *track, uint64_t id, struct tp_waiter *entry);

/* tp_track_release: the handle lets go of the record. The task is not touched.
 * Returns 0; TP_ESTALE for an id without a handle, so also the second time.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_track_release(struct tp_track *track, uint64_t id);

/* tp_track_list: the tasks that are not over. Each line was true at some moment of the call.
 * infos: room for n; may be NULL if n is 0. The order has no meaning.
 * Returns how many there are, which may be more than n. Looks at every record.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t tp_track_list(const struct tp_track *track, struct tp_task_info *infos, size_t n);

/* tp_track_count: how many records are held by anyone: tasks that are not over, and handles that were not released.
 * Looks at every record.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
size_t tp_track_count(const struct tp_track *track);

#endif
