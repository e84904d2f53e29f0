/* Fibers: coroutines that tasks run in one after the other. The tags [FIBER-1] to [FIBER-5] are in docs/fibers.md.
 * Invariant: an idle fiber is suspended at the end of its last task; it begins the next one by returning from there, so its
 * setjmp is called once in its life, as a worker's is. */
#include "fibers.h"

#include "base/assert.h"
#include "base/status.h"
#include "clock.h"
#include "fork.h"
#include "known.h"
#include "monitor/trace_parts.h"
#include "timer_parts.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { RING_BATCH = 16 }; /* alarms taken out under one lock */

/* Runs one task after the other. Not inlined, since who calls setjmp keeps no variable that changes. */
static __attribute__((noinline)) void run_tasks(struct tp_fiber *fiber, bool has_panicked)
{
    for (;;) {
        if (has_panicked) {
            fiber->result = (struct tp_task_result){TP_TASK_PANICKED, TP_EPANICKED};
        } else {
            int code = fiber->fibers->body(fiber->argument);
            fiber->result = (struct tp_task_result){code < 0 ? TP_TASK_FAILED : TP_TASK_RETURNED, code};
        }
        has_panicked = false;
        fiber->run.n_shields = 0; /* those it forgot; that of the life cycle ends with the life */
        fiber->stop = TP_FIBER_ENDED;
        tp_co_yield(NULL, NULL);
        *tp_co_errno() = 0;
    }
}

/* The first function on the coroutine's stack. */
static void *begin(void *argument)
{
    struct tp_fiber *fiber = argument;
    tp_run_enter(&fiber->run);
    if (setjmp(fiber->run.point) == 0)
        run_tasks(fiber, false);
    else
        run_tasks(fiber, true);
    return NULL;
}

/* For the trace: the fiber has left its worker; nobody else has it yet. */
static void trace(const struct tp_fiber *fiber, uint64_t begin_ns)
{
    static const enum tp_trace_kind kinds[] = {[TP_FIBER_ENDED] = TP__TRACE_ENDED, [TP_FIBER_READY] = TP__TRACE_GAVE_WAY, [TP_FIBER_AWAY] = TP__TRACE_WAITS};
    tp__trace_add(&(struct tp_trace_slice){begin_ns, tp__trace_now(), fiber->fibers->run.pool, fiber->run.id, kinds[fiber->stop]});
}

/* Its sleep has ended; it is in no queue yet, and nobody else has it. */
static void trace_wake(const struct tp_fiber *fiber, enum tp_trace_kind kind)
{
    tp__trace_moment(kind, fiber->fibers->run.pool, fiber->run.id);
}

enum tp_fiber_stop tp_fiber_run(struct tp_fiber *fiber, struct tp_fiber_cache *cache)
{
    struct tp_fibers *fibers = fiber->fibers;
    uint64_t begin_ns = tp__trace_begin();
    fiber->cache = cache;
    fiber->stop = TP_FIBER_READY; /* if the task itself calls tp_co_yield */
    int status = tp_co_resume(fiber->co, NULL, NULL);
    tp_assert(status == 0);
    (void)status;
    if (begin_ns != 0)
        trace(fiber, begin_ns);
    switch (fiber->stop) {
    case TP_FIBER_ENDED:
        tp_cycle_end(&fiber->cycle, TP_CYCLE_DONE);
        tp_cycle_free(&fiber->cycle);
        return TP_FIBER_ENDED;
    case TP_FIBER_READY:
        tp_note(&cache->n_yielded, tp_own(&cache->n_yielded) + 1);
        tp_cycle_yield(&fiber->cycle);
        return TP_FIBER_READY;
    default:
        tp_store_rlx(&cache->n_slept, tp_load_rlx(&cache->n_slept) + 1); /* relaxed: its own; published by the suspension [FIBER-3] */
        if (tp_cycle_suspend(&fiber->cycle) == TP_CYCLE_MADE)
            return TP_FIBER_AWAY;
        trace_wake(fiber, TP__TRACE_WAKE);
        tp_fibers_woken(fibers, cache);
        return TP_FIBER_READY;
    }
}

/* -- sleep and wake-up ------------------------------------------------------------------------------ */

struct tp_fiber *tp_fiber_self(void)
{
    const struct tp_run *run = tp_run_here();
    return run ? run->fiber : NULL;
}

/* Up to the suspension. Returns 0, or why there shall be none. */
static int before_sleep(struct tp_fiber *fiber, uint64_t deadline_ns)
{
    int status = tp_run_check(&fiber->run); /* after the fence of who waits, and that after the beginning of this life [FIBER-4] */
    if (status != 0)
        return status;
    if (deadline_ns != TP_FOREVER) {
        fiber->alarm.whom = fiber;
        fiber->alarm.generation = fiber->generation;
        if (tp_alarm_set(&fiber->cache->alarms, &fiber->alarm, deadline_ns)) /* else a sleeper has planned for an earlier one [ALARM-2] */
            tp_lookout_tell(fiber->fibers, deadline_ns);
    }
    tp_forks_publish(); /* the next task of this worker has nothing to do with them [FORK-2] */
    fiber->stop = TP_FIBER_AWAY;
    return 0;
}

static int after_sleep(struct tp_fiber *fiber, uint64_t deadline_ns)
{
    if (deadline_ns != TP_FOREVER && tp_alarm_clear(&fiber->alarm))
        return TP_ETIMEDOUT;
    return tp_run_check(&fiber->run);
}

int tp_fiber_sleep(struct tp_fiber *fiber, uint64_t deadline_ns)
{
    int status = before_sleep(fiber, deadline_ns);
    if (status != 0)
        return status;
    tp_co_yield(NULL, NULL);
    return after_sleep(fiber, deadline_ns);
}

/* The caller was told to queue it. */
static void queue(struct tp_fiber *fiber, enum tp_trace_kind why)
{
    trace_wake(fiber, why);
    fiber->fibers->ready(fiber);
}

void tp_fiber_wake(struct tp_fiber *fiber, uint64_t generation)
{
    if (tp_cycle_wake(&fiber->cycle, generation) == TP_CYCLE_QUEUE)
        queue(fiber, TP__TRACE_WAKE);
}

void tp__fiber_hold(struct tp_fiber *fiber)
{
    tp_add_rlx(&fiber->fibers->n_wakers, 1); /* relaxed: WOKEN publishes it [FIBER-2] */
}

void tp__fiber_call(struct tp_fiber *fiber, uint64_t generation)
{
    struct tp_fibers *fibers = fiber->fibers; /* the fiber is another task's soon */
    tp_fiber_wake(fiber, generation);
    tp_add_sc(&fibers->n_wakers, (uint32_t)-1); /* its release half pairs with the acquire in tp_fibers_free [FIBER-2] */
}

/* Is a task in this fiber? Then it is told to end, unless it does meanwhile. id: 0: any. */
static void ask(struct tp_fiber *fiber, uint64_t id)
{
    uint64_t word = tp_cycle_look(&fiber->cycle);
    if (tp_cycle_state(word) == TP_CYCLE_FREE || (id != 0 && tp_load_rlx(&fiber->id) != id)) /* relaxed: the look has acquired it */
        return;
    if (tp_cycle_ask(&fiber->cycle, tp_cycle_generation(word)) == TP_CYCLE_QUEUE)
        queue(fiber, TP__TRACE_WAKE);
}

static void ask_those(struct tp_fibers *fibers, uint64_t id, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++)
        ask(tp_fibers_at(fibers, i), id);
}

void tp_fibers_ask_all(struct tp_fibers *fibers)
{
    tp_fence_sc();                                            /* [FIBER-4] pairs with the fence in tp_waitlist_prepare */
    ask_those(fibers, 0, 0, tp_load_acq(&fibers->n_records)); /* pairs with the release in make_record */
}

void tp_fibers_ask(struct tp_fibers *fibers, uint64_t id)
{
    tp_fence_sc(); /* [FIBER-4] as above */
    uint32_t where = fibers->run.track ? tp_track_where(fibers->run.track, id) : 0;
    uint32_t n = tp_load_acq(&fibers->n_records); /* pairs with the release in make_record */
    if (fibers->run.track)
        ask_those(fibers, id, where, where < n ? where + 1 : where);
    else
        ask_those(fibers, id, 0, n);
}

/* -- deadlines --------------------------------------------------------------------------------------- */

uint64_t tp_fibers_next_ns(struct tp_fibers *fibers)
{
    uint64_t next_ns = TP_FOREVER;
    for (uint32_t i = 0; i < fibers->n_caches; i++) {
        uint64_t own_ns = tp_alarms_next_ns(&tp__fibers_cache(fibers, i)->alarms);
        next_ns = own_ns < next_ns ? own_ns : next_ns;
    }
    return next_ns;
}

static void wake_in_time(struct tp_fiber *fiber, uint64_t generation)
{
    if (tp_cycle_wake(&fiber->cycle, generation) == TP_CYCLE_QUEUE)
        queue(fiber, TP__TRACE_DEADLINE);
}

static void ring(struct tp_alarms *alarms, uint64_t now_ns)
{
    while (tp_alarms_next_ns(alarms) <= now_ns) {
        struct tp_rung rung[RING_BATCH];
        unsigned n = tp_alarms_ring(alarms, now_ns, rung, RING_BATCH);
        for (unsigned i = 0; i < n; i++)
            if (rung[i].is_timer)
                tp__timer_call(rung[i].whom, now_ns);
            else
                wake_in_time(rung[i].whom, rung[i].generation);
    }
}

void tp_fibers_ring(struct tp_fibers *fibers, uint64_t now_ns)
{
    for (uint32_t i = 0; i < fibers->n_caches; i++)
        ring(&tp__fibers_cache(fibers, i)->alarms, now_ns);
}

uint64_t tp_fibers_near_ns(struct tp_fibers *fibers, struct tp_fiber_cache *cache)
{
    cache->turn = cache->turn + 1 < fibers->n_caches ? cache->turn + 1 : 0;
    uint64_t own_ns = tp_alarms_next_ns(&cache->alarms), other_ns = tp_alarms_next_ns(&tp__fibers_cache(fibers, cache->turn)->alarms);
    return own_ns < other_ns ? own_ns : other_ns;
}

void tp_fibers_ring_near(struct tp_fibers *fibers, struct tp_fiber_cache *cache, uint64_t now_ns)
{
    ring(&cache->alarms, now_ns);
    ring(&tp__fibers_cache(fibers, cache->turn)->alarms, now_ns);
}

/* -- how many sleep ------------------------------------------------------------------------------------ */

/* First all ends of sleeps, then all beginnings: whose end was seen, its beginning will be. */
uint32_t tp_fibers_n_asleep(struct tp_fibers *fibers)
{
    /* Acquire, here and below: pairs with the release in tp_fibers_woken; the beginnings are not read before. */
    uint32_t n_woken = tp_load_acq(&fibers->n_woken), n_slept = 0;
    for (uint32_t i = 0; i < fibers->n_caches; i++)
        n_woken += tp_load_acq(&tp__fibers_cache(fibers, i)->n_woken);
    for (uint32_t i = 0; i < fibers->n_caches; i++)
        n_slept += tp_load_rlx(&tp__fibers_cache(fibers, i)->n_slept); /* relaxed: ordered by the acquires, and the caller's fence [FIBER-3] */
    return n_slept - n_woken;
}

/* -- the list of those that are ready ---------------------------------------------------------------- */

void tp_fiber_list_init(struct tp_fiber_list *list)
{
    tp_spin_init(&list->lock);
    list->first = list->last = NULL;
    tp_atomic_init(&list->n, 0);
}

void tp_fiber_list_put(struct tp_fiber_list *list, struct tp_fiber *fiber)
{
    fiber->next = NULL;
    tp_spin_lock(&list->lock);
    if (list->first)
        list->last->next = fiber;
    else
        list->first = fiber;
    list->last = fiber;
    tp_add_sc(&list->n, 1); /* before the caller looks for sleepers [IDLE-2] */
    tp_spin_unlock(&list->lock);
}

struct tp_fiber *tp_fiber_list_take(struct tp_fiber_list *list)
{
    if (tp_fiber_list_length(list) == 0)
        return NULL;
    tp_spin_lock(&list->lock);
    struct tp_fiber *fiber = list->first;
    if (fiber) {
        list->first = fiber->next;
        tp_add_sc(&list->n, (uint32_t)-1); /* one order with the additions */
    }
    tp_spin_unlock(&list->lock);
    return fiber;
}

/* -- memory ------------------------------------------------------------------------------------------ */

void tp_fibers_init(struct tp_fibers *fibers)
{
    tp_atomic_init(&fibers->n_woken, 0);
    tp_atomic_init(&fibers->n_held, 0);
    tp_atomic_init(&fibers->n_wakers, 0);
    tp_atomic_init(&fibers->n_records, 0);
    memset(fibers->chunks, 0, sizeof fibers->chunks);
    tp_spin_init(&fibers->lock);
    tp_fiber_list_init(&fibers->list);
    fibers->idle = fibers->bare = NULL;
    fibers->n_least = 0;
    tp_atomic_init(&fibers->n_idle, 0);
    tp_atomic_init(&fibers->step_ns, 0);
    for (uint32_t i = 0; i < fibers->n_caches; i++)
        tp_alarms_init(&tp__fibers_cache(fibers, i)->alarms, fibers->slack_ns);
    tp_lookout_init(&fibers->lookout);
    tp__known_add(fibers);
}

void tp_fibers_await_wakers(struct tp_fibers *fibers)
{
    while (tp_load_acq(&fibers->n_wakers) != 0) /* pairs with the subtraction in tp__fiber_call [FIBER-2] */
        sched_yield();
}

void tp_fibers_free(struct tp_fibers *fibers, bool is_forked)
{
    tp__known_remove(fibers);
    if (!is_forked)
        tp_fibers_await_wakers(fibers);
    tp_driver_free(&fibers->lookout.driver);
    uint32_t n = tp_load_rlx(&fibers->n_records); /* relaxed: nobody else is there */
    for (uint32_t i = 0; !is_forked && i < n; i++) {
        int status = tp_co_free(tp_fibers_at(fibers, i)->co);
        tp_assert(status == 0);
        (void)status;
    }
    for (int i = 0; i < TP_FIBER_CHUNKS; i++)
        free(fibers->chunks[i]);
}

/* Which chunk a record is in; *first is the number of the first one there. */
static uint32_t chunk_of(uint32_t index, uint32_t *first)
{
    uint32_t chunk = 31 - (uint32_t)__builtin_clz(index / TP_FIBER_CHUNK + 1);
    *first = TP_FIBER_CHUNK * ((1u << chunk) - 1);
    return chunk;
}

struct tp_fiber *tp_fibers_at(struct tp_fibers *fibers, uint32_t index)
{
    uint32_t first, chunk = chunk_of(index, &first);
    return &fibers->chunks[chunk][index - first];
}

/* One more record, bare, if there is memory for it already. The lock is held. */
static struct tp_fiber *make_record(struct tp_fibers *fibers)
{
    uint32_t first, index = tp_load_rlx(&fibers->n_records); /* relaxed: written under the lock */
    if (!fibers->chunks[chunk_of(index, &first)])
        return NULL;
    struct tp_fiber *fiber = tp_fibers_at(fibers, index);
    fiber->fibers = fibers;
    fiber->index = index;
    tp_store_rel(&fibers->n_records, index + 1); /* pairs with the acquires in tp_fibers_ask and its like */
    return fiber;
}

/* Memory for more records; of a large chunk the system gives what is touched. Returns false if there is none. */
static bool add_chunk(struct tp_fibers *fibers)
{
    uint32_t first;
    tp_spin_lock(&fibers->lock);
    uint32_t chunk = chunk_of(tp_load_rlx(&fibers->n_records), &first); /* relaxed: written under the lock */
    tp_spin_unlock(&fibers->lock);
    struct tp_fiber *records = calloc((size_t)TP_FIBER_CHUNK << chunk, sizeof *records);
    if (!records)
        return false;
    tp_spin_lock(&fibers->lock);
    bool is_first = !fibers->chunks[chunk];
    if (is_first)
        fibers->chunks[chunk] = records;
    tp_spin_unlock(&fibers->lock);
    if (!is_first) /* another one was faster */
        free(records);
    return true;
}

/* Gives a bare record its coroutine. Returns false for want of memory. */
static bool dress(struct tp_fiber *fiber)
{
    struct tp_fibers *fibers = fiber->fibers;
    struct tp_co_options options = {.stack_bytes = fibers->stack_bytes, .name = fibers->run.pool};
    fiber->run = fibers->run;
    fiber->run.fiber = fiber;
    return tp_co_new(&fiber->co, begin, fiber, &options) == 0;
}

/* A bare record, or NULL for want of memory. */
static struct tp_fiber *take_bare(struct tp_fibers *fibers)
{
    for (;;) {
        tp_spin_lock(&fibers->lock);
        struct tp_fiber *fiber = fibers->bare;
        if (fiber)
            fibers->bare = fiber->next;
        else
            fiber = make_record(fibers);
        tp_spin_unlock(&fibers->lock);
        if (fiber || !add_chunk(fibers))
            return fiber;
    }
}

/* Moves up to half a cache of idle ones into the cache. */
static void take_idle(struct tp_fibers *fibers, struct tp_fiber_cache *cache)
{
    tp_spin_lock(&fibers->lock);
    uint32_t n_idle = tp_load_rlx(&fibers->n_idle); /* relaxed: written under the lock */
    while (fibers->idle && cache->n < TP_FIBER_CACHE / 2) {
        struct tp_fiber *fiber = fibers->idle;
        fibers->idle = fiber->next;
        fiber->next = cache->first;
        cache->first = fiber;
        cache->n++;
        n_idle--;
    }
    tp_store_rlx(&fibers->n_idle, n_idle); /* relaxed: for who looks without the lock, a hint */
    if (n_idle < fibers->n_least)
        fibers->n_least = n_idle;
    tp_spin_unlock(&fibers->lock);
}

bool tp__fiber_fetch(struct tp_fibers *fibers, struct tp_fiber_cache *cache)
{
    take_idle(fibers, cache);
    if (cache->first)
        return true;
    struct tp_fiber *fiber = take_bare(fibers);
    if (!fiber)
        return false;
    if (!dress(fiber)) {
        tp_spin_lock(&fibers->lock);
        fiber->next = fibers->bare;
        fibers->bare = fiber;
        tp_spin_unlock(&fibers->lock);
        return false;
    }
    fiber->next = NULL;
    cache->first = fiber;
    cache->n = 1;
    return true;
}

void tp__fiber_shed(struct tp_fibers *fibers, struct tp_fiber_cache *cache)
{
    tp_spin_lock(&fibers->lock);
    uint32_t n_idle = tp_load_rlx(&fibers->n_idle) + cache->n - TP_FIBER_CACHE / 2; /* relaxed: written under the lock */
    tp_store_rlx(&fibers->n_idle, n_idle);                                          /* relaxed: the caller itself will look [FIBER-5] */
    while (cache->n > TP_FIBER_CACHE / 2) {
        struct tp_fiber *fiber = cache->first;
        cache->first = fiber->next;
        cache->n--;
        fiber->next = fibers->idle;
        fibers->idle = fiber;
    }
    tp_spin_unlock(&fibers->lock);
}
