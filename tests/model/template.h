/* The whole template with hostile sizes (shrink.sed), and the ledger of its tasks. Included by one
 * scenario file each, and compiled once per variant of the template (model.ninja).
 * Invariant of every scenario: what is accepted is over exactly once, what is refused never runs,
 * nobody waits for ever, and nothing is left when the pool is freed. */
#ifndef MODEL_TEMPLATE_H
#define MODEL_TEMPLATE_H

#include "model.h"
#include "stand_in.h"

#include "options.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define malloc(n) model_alloc(n)
#define aligned_alloc(a, n) model_alloc(n)
#define free(p) model_free(p)

/* The pool's control lock becomes a lock that the explorer sees. */
#define pthread_mutex_init(m, a) tp_spin_init((struct tp_spin *)(void *)(m))
#define pthread_mutex_lock(m) tp_spin_lock((struct tp_spin *)(void *)(m))
#define pthread_mutex_unlock(m) tp_spin_unlock((struct tp_spin *)(void *)(m))

/* Seeded bugs: the template calls these instead of the library. */
enum habit { GOOD,
    WAKES_NOBODY,     /* who waits for room or quiet is not told */
    WAKES_ONE,        /* one is told, where all are concerned */
    PUTS_LATE,        /* a task is put down whatever the pool's life is by then */
    STARTS_CANCELLED, /* a task is run although it was cancelled */
    TELLS_NOBODY,     /* a task is ready, and no worker is told */
    COUNTS_EARLY,     /* down, before it is queued */
    TELLS_EARLY,      /* a worker is told before the count is down */
    TELLS_ANY,        /* any worker is told of a task that only one may run */
    READS_LATE,       /* whose such a task is, after it was queued */
    LEAVES_THEM,      /* a worker is sent away while it has such tasks */
    LEAVES_QUIETLY,   /* a worker that leaves wakes nobody */
    HOLDS_NOTHING     /* clean-up takes tasks that have begun, and does not say so */
};
static enum habit habit;

#define TP_TRACK_LISTS 1
#define TP_TRACK_CHAIN 2
#define TP_TRACK_CHUNK_LOG 1
#define TP_FIBER_CHUNK 2

#include <tidepool_kit.h>

static inline unsigned wake(struct tp_waitlist *list, unsigned n)
{
    return habit == WAKES_NOBODY ? 0 : tp_waitlist_wake(list, habit == WAKES_ONE ? 1 : n);
}

static inline bool is_same_life(struct tp_life *life, uint64_t word)
{
    return tp_life_same(life, word) || habit == PUTS_LATE;
}

#if WITH_TRACKING

static inline bool start(struct tp_track *track, uint64_t id)
{
    return tp_track_start(track, id) || habit == STARTS_CANCELLED;
}

#include "runtime/records.c"

#include "runtime/track.c"
#endif

#if WITH_COROUTINE
#define calloc(n, bytes) memset(model_alloc((n) * (bytes)), 0, (n) * (bytes))

#include "runtime/fiber.c"

#include "runtime/fibers.c"

#include "runtime/lookout.c"

static inline bool sleep_for(struct tp_fibers *fibers, struct tp_worker *worker)
{
    worker->stays = worker->stays && habit != LEAVES_THEM;
    return tp_lookout_sleep(fibers, worker);
}

static inline void wake_all(struct tp_idle *idle)
{
    if (habit != LEAVES_QUIETLY || !tp_worker_self())
        tp_idle_wake_all(idle);
}

static inline void hold(struct tp_fibers *fibers, int delta)
{
    if (habit != HOLDS_NOTHING)
        tp_fibers_hold(fibers, delta);
}

#define tp_lookout_sleep sleep_for
#define tp_idle_wake_all wake_all
#define tp_fibers_hold hold
#endif

#define tp_waitlist_wake wake
#define tp_life_same is_same_life
#define tp_track_start start

#include "pool.c"

_Static_assert(JOB_SEGMENT == 2 && JOB_LOOKS == 2 && JOB_PAUSES == 1, "shrink.sed");
#if WITH_BOARD
_Static_assert(JOB_BOARD_SPARES == 1, "shrink.sed");
#else
_Static_assert(JOB_LANES_MIN == 1 && JOB_LANES_MAX == 2, "shrink.sed");
#endif
#if !WITH_BOARD && !WITH_LIFO
_Static_assert(JOB_SPARES == 1, "shrink.sed");
#endif
#if WITH_RING
_Static_assert(JOB_BATCH == (WITH_STEALING ? 2 : 1) && JOB_FAIRNESS == 3, "shrink.sed");
#endif
#if WITH_BOUNDED && !WITH_BOARD
_Static_assert(JOB_CREDIT == 2, "shrink.sed");
#endif
#if WITH_BOUNDED && WITH_BLOCK
_Static_assert(JOB_YIELDS == 1, "shrink.sed");
#endif

enum { TASKS_MAX = 16 };

static struct job_pool *pool;

/* The ledger, by payload; 0 is no task. Plain: whoever reads it must come after who wrote it. */
static unsigned n_run[TASKS_MAX];  /* by who ran it */
static bool accepted[TASKS_MAX];   /* by its submitter */
static unsigned n_lost[TASKS_MAX]; /* dropped or cancelled before its start, as far as the pool told */
static uint64_t n_cancelled;       /* cancelled, as somebody was told by a number only */

/* What a task does besides being counted; set in set_up. */
static void (*on_run)(uintptr_t payload);

int job_run(uintptr_t payload)
{
    n_run[payload]++;
    if (on_run)
        on_run(payload);
    return 0;
}

#if WITH_BOUNDED && WITH_DROPPED
void job_dropped(uintptr_t payload)
{
    n_lost[payload]++;
}
#endif

static unsigned n_submitters;
static bool fits; /* the capacity suffices: nobody may be refused */

/* First in set_up. The variant is, from the left: a habit, then one digit each for workers, capacity
 * and submitters. */
static void open_pool(unsigned variant)
{
    struct tp_pool_settings settings = {.workers = variant / 100 % 10};
#if WITH_BOUNDED
    settings.capacity = variant / 10 % 10;
#endif
#if WITH_TUNE
    settings.workers_max = 2;
#endif
    habit = (enum habit)(variant / 1000);
    n_submitters = variant % 10;
    model_begin();
    memset(n_run, 0, sizeof n_run);
    memset(accepted, 0, sizeof accepted);
    memset(n_lost, 0, sizeof n_lost);
    n_cancelled = 0;
    on_run = NULL;
    fits = false;
    model_check(job_pool_open(&pool, &settings) == 0);
}

/* Submits a task and writes down what became of that. Returns the status. */
static int give(uintptr_t task)
{
#if WITH_CLASSES
    int status = job_submit_class(pool, (enum job_class)(task % JOB_CLASSES), task);
#else
    int status = job_submit(pool, task);
#endif
    accepted[task] = status == 0;
    return status;
}

/* -- bodies of threads: the argument is a task --------------------------------------------------- */

static bool is_refusal(int status)
{
    return status == TP_ECLOSED || status == TP_EFULL || status == TP_ETIMEDOUT || status == TP_EDROPPED;
}

static void submitter(void *argument)
{
    int status = give((uintptr_t)argument);
    model_check(status == 0 || (!fits && is_refusal(status)));
}

static void double_submitter(void *argument)
{
    submitter(argument);
    submitter((void *)((uintptr_t)argument + 1));
}

static void closer(void *argument)
{
    (void)argument;
    model_check(job_pool_close(pool, TP_FOREVER) == 0);
}

/* Adds the variant's submitters: of the tasks 1, 3, 5, so that each has another one to give. */
static void add_submitters(void (*body)(void *))
{
    for (unsigned i = 0; i < n_submitters; i++)
        model_thread(body, (void *)(uintptr_t)(2 * i + 1));
}

/* -- checks -------------------------------------------------------------------------------------- */

/* Exactly once, for who comes after all of it. */
static void check_ledger(void)
{
    uint64_t n_missing = 0;
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        model_check(n_run[i] + n_lost[i] <= accepted[i]);
        n_missing += accepted[i] - n_run[i] - n_lost[i];
    }
    model_check(n_missing == n_cancelled);
}

/* Only workers may be left asleep, with nothing in flight. */
static bool rest(void)
{
#if WITH_BOUNDED && WITH_BLOCK
    for (unsigned i = 0; i < sizeof pool->room / sizeof *pool->room; i++)
        if (pool->room[i].n_waiting != 0)
            return false;
#endif
#if WITH_TRACKING
    if (pool->track.lists[0].n_waiting != 0)
        return false;
#endif
    return pool->quiet.n_waiting == 0 && job_is_quiet(pool) && !job_is_work_visible(pool);
}

/* What holds whenever nothing is in flight. */
static void check_quiet(void)
{
    model_check(job_is_quiet(pool));
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    model_check(stats.submitted == stats.completed + stats.cancelled + stats.dropped);
    model_check(stats.now.running == 0 && stats.now.pending == 0);
#endif
#if WITH_BOUNDED && !WITH_BOARD
    uint64_t credit = 0;
    for (unsigned i = 0; i < pool->n_lanes; i++)
        credit += pool->lanes[i].credit;
    model_check(pool->granted - job_sum_finished(pool) == credit); /* [ROOM-1] */
#endif
#if WITH_BOUNDED && !WITH_BOARD && !WITH_SPILL
    model_check(credit <= pool->capacity); /* [ROOM-1] */
#endif
}

/* For tear_down. */
static void end(void)
{
    check_ledger();
    check_quiet();
}

/* The same when the workers are gone: nothing may be left of the pool. */
static void closed_end(void)
{
    end();
    job_pool_free(pool);
    model_check(model_n_blocks() == 0);
}

#endif
