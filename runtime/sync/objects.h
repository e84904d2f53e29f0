/* Pools of objects that are costly to make, such as connections to a database: a factory makes them when they are wanted, and who has
 * done with one gives it back for the next. There are at most so many at a time; who wants one more waits for one.
 * Policy: who waits is served in the order of coming; of idle ones the one given back last is taken first, since it is still warm.
 *
 *   struct tp_objects_settings settings = {.make = dial, .end = hang_up, .max = 8};
 *   tp_objects_open(&lines, &settings);
 *   if (tp_objects_take(lines, tp_deadline_in_ns(TP_SECOND), &line) == 0)
 *       is_broken ? tp_objects_drop(lines, line) : tp_objects_give(lines, line);
 *
 * For memory alone, without a limit to wait at, coro/frame.h is several times as fast. */
#ifndef TP_SYNC_OBJECTS_H
#define TP_SYNC_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tp_objects;

/* The functions are called by who takes, gives back, trims or closes, without a lock: they may wait. */
struct tp_objects_settings {
    int (*make)(void **object, void *context);  /* returns 0, or what tp_objects_take is to return, which should be below 0 */
    bool (*renew)(void *object, void *context); /* of one that is given back: is it as good as new? NULL: each is */
    void (*end)(void *object, void *context);   /* the end of one; NULL: nothing is to be done */
    void *context;
    uint64_t max;      /* objects that exist at a time, those that are being made or ended too; 0: any number */
    uint64_t idle_max; /* that are kept when they are given back; 0: any number */
    uint64_t prealloc; /* that are made by tp_objects_open */
};

/* Of one moment. */
struct tp_objects_stats {
    uint64_t n_existing; /* also those that are being made or ended */
    uint64_t n_idle;
    uint64_t n_takes; /* since the pool was opened, like what follows */
    uint64_t n_waits; /* for one that another had; those in vain too */
    uint64_t n_makes;
    uint64_t n_failures; /* of the factory */
    uint64_t n_ends;
};

/* tp_objects_open: a pool, with settings->prealloc objects.
 * out:      receives it, the caller's until tp_objects_free; untouched on error.
 * settings: read during the call only.
 * Returns 0; TP_EINVAL without a factory, or if more is to be made or kept than there may be; TP_ENOMEM; or what the factory returned, with all that
 * it had made ended.
 * [thread: any] [suspends: as the functions] [blocks: as the functions] [allocates: yes] */
int tp_objects_open(struct tp_objects **out, const struct tp_objects_settings *settings);

/* tp_objects_take: an object, the caller's until tp_objects_give or tp_objects_drop, by whichever thread or task.
 * deadline_ns: on the clock of tp_clock_now_ns(), until when to wait for one that another has; TP_FOREVER: for ever; 0: do not wait.
 * object:      receives it; untouched on error.
 * Returns 0; TP_ETIMEDOUT; TP_ECANCELED when it would have waited, or waits, and the task was asked to end; TP_ECLOSED; TP_ENOMEM; or what the
 * factory returned.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: only with a new object] */
int tp_objects_take(struct tp_objects *objects, uint64_t deadline_ns, void **object);

/* tp_objects_give: the object is good for others, if `renew` says so: the first who waits has it, or it is idle. Else it is ended.
 * [thread: any] [suspends: as the functions] [blocks: as the functions] [allocates: no] */
void tp_objects_give(struct tp_objects *objects, void *object);

/* tp_objects_drop: the object is broken, and is ended. The first who waits may have another made.
 * [thread: any] [suspends: as the functions] [blocks: as the functions] [allocates: no] */
void tp_objects_drop(struct tp_objects *objects, void *object);

/* tp_objects_trim: end idle objects, those unused for longest, until no more than so many are left.
 * Returns how many were ended.
 * [thread: any] [suspends: as the functions] [blocks: as the functions] [allocates: no] */
uint64_t tp_objects_trim(struct tp_objects *objects, uint64_t keep);

/* tp_objects_close: nobody takes one any more, and who waits is told; idle ones are ended, others when they are given back. Waits for
 * that; a later call waits again.
 * Returns 0: there are none; TP_ETIMEDOUT; TP_ECANCELED when the task was asked to end.
 * [thread: any] [suspends: yes] [blocks: outside of coroutines] [allocates: no] */
int tp_objects_close(struct tp_objects *objects, uint64_t deadline_ns);

/* tp_objects_free: the end of a pool all of whose objects have been given back; those that are idle are ended. Nobody else uses it.
 * objects: NULL does nothing.
 * [thread: any] [suspends: as the functions] [blocks: as the functions] [allocates: no] */
void tp_objects_free(struct tp_objects *objects);

/* tp_objects_get_stats: the numbers of this moment.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_objects_get_stats(struct tp_objects *objects, struct tp_objects_stats *out);

#ifdef __cplusplus
}
#endif

#endif
