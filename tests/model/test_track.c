/* Records of tasks: a join against the end, cancel against start, release against the end, and ids that
 * are stale against records that are used again [TASK-1..6]. Sizes are hostile: one waiting list for
 * all ids, chains of two records. Each task carries plain data that its end must publish. */
#include "model.h"

#include "runtime/worker.h"

#include <stdlib.h>

#define malloc(n) model_alloc(n)
#define aligned_alloc(a, n) model_alloc(n)
#define free(p) ((p) ? model_free(p) : (void)0)

#define TP_TRACK_LISTS 1
#define TP_TRACK_CHAIN 2
#define TP_TRACK_CHUNK_LOG 1

#include "runtime/clock.h"
#include "runtime/park.h"

/* Seeded bugs; the code under test calls these instead. */
enum habit { GOOD,
    WAKES_ONE,
    NEVER_WAKES };
static enum habit habit;
#define tp_waitlist_wake(list, n) (habit == NEVER_WAKES ? 0 : tp_waitlist_wake((list), habit == WAKES_ONE ? 1 : (n)))

#include "runtime/records.c"

#include "runtime/track.c"

enum { TASKS_MAX = 2 };

static struct tp_track track;
static uint64_t ids[TASKS_MAX];
static int payload[TASKS_MAX]; /* plain: written by the task, read by who joined it */
static unsigned n_shards = 1;
static unsigned n_run[TASKS_MAX], n_cancelled, n_released;

unsigned tp_thread_index(void)
{
    return model_self() == UINT32_MAX ? 0 : model_self();
}

struct tp_worker *tp_worker_self(void)
{
    return NULL;
}

unsigned tp_cpu_count(void)
{
    return n_shards;
}

static int code_of(unsigned task)
{
    return 10 + (int)task;
}

/* -- what threads do ------------------------------------------------------------------------------ */

static void worker(void *argument)
{
    unsigned task = (unsigned)(uintptr_t)argument;
    if (!tp_track_start(&track, ids[task]))
        return;
    payload[task] = 1;
    n_run[task]++;
    tp_track_finish(&track, ids[task], (struct tp_task_result){.state = TP_TASK_RETURNED, .code = code_of(task)});
}

static void check_joined(unsigned task, struct tp_task_result result)
{
    if (result.state == TP_TASK_RETURNED) {
        model_check(result.code == code_of(task));
        model_check(payload[task] == 1);
    } else {
        model_check(result.state == TP_TASK_CANCELLED && result.code == TP_ECANCELED);
        model_check(payload[task] == 0);
    }
}

/* Joins a task that is kept. */
static void joiner(void *argument)
{
    unsigned task = (unsigned)(uintptr_t)argument;
    struct tp_task_result result;
    model_check(tp_track_wait(&track, ids[task], TP_FOREVER, &result) == 0);
    check_joined(task, result);
}

static void hasty_joiner(void *argument)
{
    unsigned task = (unsigned)(uintptr_t)argument;
    struct tp_task_result result;
    int status = tp_track_wait(&track, ids[task], tp_deadline_in_ns(TP_SECOND), &result);
    model_check(status == 0 || status == TP_ETIMEDOUT);
    if (status == 0)
        check_joined(task, result);
}

/* Joins a task that nothing keeps: too late is stale. */
static void late_joiner(void *argument)
{
    unsigned task = (unsigned)(uintptr_t)argument;
    struct tp_task_result result;
    int status = tp_track_wait(&track, ids[task], TP_FOREVER, &result);
    model_check(status == 0 || status == TP_ESTALE);
    if (status == 0)
        check_joined(task, result);
}

static void releaser(void *argument)
{
    model_check(tp_track_release(&track, ids[(uintptr_t)argument]) == 0);
}

static void joiner_releaser(void *argument)
{
    joiner(argument);
    releaser(argument);
}

/* One of two that both try. */
static void rival_releaser(void *argument)
{
    if (tp_track_release(&track, ids[(uintptr_t)argument]) == 0)
        n_released++;
}

static void canceller(void *argument)
{
    int status = tp_track_cancel(&track, ids[(uintptr_t)argument]);
    model_check(status == 0 || status == TP_ESTALE);
    n_cancelled += status == 0;
}

/* The pool takes the task out of its queue; only one of it and a canceller has ended the task. */
static void dropper(void *argument)
{
    if (tp_track_drop(&track, ids[(uintptr_t)argument], TP_TASK_CANCELLED))
        n_run[0]++;
}

/* Runs task 0, then another one in its record, unless a waiter holds that: stale ids must not reach it. */
static void reuser(void *argument)
{
    size_t n;
    uint64_t next;
    worker(argument);
    model_check(tp_track_begin(&track, 1, false, &next, &n) == 0 && n == 1 && next != ids[0]);
    model_check(tp_track_start(&track, next));
    model_check(!tp_track_is_asked(&track, next));
    tp_track_finish(&track, next, (struct tp_task_result){.state = TP_TASK_FAILED, .code = -1});
}

/* Takes more than a chain, so that the depot and new chunks are needed. */
static void churner(void *argument)
{
    size_t n;
    uint64_t mine[3];
    (void)argument;
    model_check(tp_track_begin(&track, 3, false, mine, &n) == 0 && n == 3);
    for (int i = 0; i < 3; i++)
        model_check(tp_track_start(&track, mine[i])); /* PENDING, so nobody else's */
    for (int i = 0; i < 3; i++)
        tp_track_finish(&track, mine[i], (struct tp_task_result){.state = TP_TASK_RETURNED});
}

static void undoer(void *argument)
{
    tp_track_undo(&track, &ids[(uintptr_t)argument], 1);
}

/* Found the id in a list. */
static void snooper(void *argument)
{
    struct tp_task_result result;
    (void)argument;
    int status = tp_track_wait(&track, ids[0], TP_FOREVER, &result);
    model_check(status == TP_ESTALE || (status == 0 && result.state == TP_TASK_DROPPED && result.code == TP_EDROPPED));
}

/* -- before and after ----------------------------------------------------------------------------- */

static void reset(unsigned variant, size_t n, bool kept, uint32_t generation)
{
    size_t n_begun;
    habit = (enum habit)variant;
    model_check(tp_track_init(&track, 0) == 0);
    track.first_generation = generation;
    model_check(tp_track_begin(&track, n, kept, ids, &n_begun) == 0 && n_begun == n);
    payload[0] = payload[1] = 0;
    n_run[0] = n_run[1] = n_cancelled = n_released = 0;
}

static unsigned count_chain(uint32_t first)
{
    unsigned n = 0;
    for (; first != 0; first = tp__record_at(&track, first - 1)->next) {
        model_check((tp__record_at(&track, first - 1)->word & 0xffffffff) == 0);
        n++;
    }
    return n;
}

/* Nobody holds or awaits anything; every record is in exactly one chain, but for the used up ones. */
static void check_all_free(void)
{
    unsigned n = 0, n_used_up = 0;
    model_check(tp_track_count(&track) == 0);
    model_check(track.lists[0].n_waiting == 0);
    for (unsigned i = 0; i <= track.shard_mask; i++) {
        struct tp_chain *chains[] = {&track.shards[i].loaded, &track.shards[i].spare};
        for (int j = 0; j < 2; j++) {
            model_check(count_chain(chains[j]->first) == chains[j]->n);
            n += chains[j]->n;
        }
        model_check(chains[1]->n == 0 || chains[1]->n == CHAIN);
    }
    for (uint32_t first = track.depot; first != 0; first = tp__record_at(&track, first - 1)->next_chain) {
        model_check(count_chain(first) == CHAIN);
        n += CHAIN;
    }
    for (uint32_t i = 0; i < track.n_records; i++)
        n_used_up += tp__record_at(&track, i)->word >> 32 == 0 && track.first_generation != 0;
    model_check(n + n_used_up == track.n_records);
    tp_track_free(&track);
    model_check(model_n_blocks() == 0);
}

static void check_ran(void)
{
    model_check(n_run[0] == 1);
    check_all_free();
}

static void check_both_ran(void)
{
    model_check(n_run[1] == 1);
    check_ran();
}

/* For a task that nothing but a canceller keeps from running. */
static void check_cancelled_or_ran(void)
{
    model_check(n_run[0] + n_cancelled >= 1 && payload[0] == (int)n_run[0]);
    check_all_free();
}

static void check_cancelled_or_dropped(void)
{
    model_check(n_run[0] + n_cancelled == 1);
    check_all_free();
}

static void check_released_once(void)
{
    model_check(n_released == 1);
    check_ran();
}

static void release_and_check(void)
{
    model_check(tp_track_release(&track, ids[0]) == 0);
    check_ran();
}

/* -- scenarios ------------------------------------------------------------------------------------ */

static void join_and_finish(unsigned variant)
{
    reset(variant, 1, true, 0);
    model_thread(joiner_releaser, (void *)0);
    model_thread(worker, (void *)0);
}

static void late_join_and_finish(unsigned variant)
{
    reset(variant, 1, false, UINT32_MAX);
    model_thread(late_joiner, (void *)0);
    model_thread(worker, (void *)0);
}

static void two_late_joins(unsigned variant)
{
    reset(variant, 1, false, 0);
    model_thread(late_joiner, (void *)0);
    model_thread(late_joiner, (void *)0);
    model_thread(worker, (void *)0);
}

static void one_list(unsigned variant)
{
    reset(variant, 2, true, 0);
    model_thread(joiner_releaser, (void *)0);
    model_thread(joiner_releaser, (void *)1);
    model_thread(worker, (void *)1);
    model_thread(worker, (void *)0);
}

static void join_or_time(unsigned variant)
{
    reset(variant, 1, true, 0);
    model_thread(hasty_joiner, (void *)0);
    model_thread(joiner, (void *)0);
    model_thread(worker, (void *)0);
}

static void cancel_and_start(unsigned variant)
{
    reset(variant, 1, false, 0);
    model_thread(canceller, (void *)0);
    model_thread(worker, (void *)0);
}

static void cancel_start_join(unsigned variant)
{
    reset(variant, 1, true, 0);
    model_thread(canceller, (void *)0);
    model_thread(worker, (void *)0);
    model_thread(joiner_releaser, (void *)0);
}

static void cancel_and_drop(unsigned variant)
{
    reset(variant, 1, false, 0);
    model_thread(canceller, (void *)0);
    model_thread(dropper, (void *)0);
    model_thread(late_joiner, (void *)0);
}

static void release_and_finish(unsigned variant)
{
    reset(variant, 1, true, UINT32_MAX);
    model_thread(releaser, (void *)0);
    model_thread(worker, (void *)0);
}

static void two_releases(unsigned variant)
{
    reset(variant, 1, true, 0);
    model_thread(rival_releaser, (void *)0);
    model_thread(rival_releaser, (void *)0);
    model_thread(worker, (void *)0);
}

static void stale_join(unsigned generation)
{
    reset(GOOD, 1, false, generation);
    model_thread(late_joiner, (void *)0);
    model_thread(reuser, (void *)0);
}

static void two_stale_joins(unsigned generation)
{
    reset(GOOD, 1, false, generation);
    model_thread(late_joiner, (void *)0);
    model_thread(late_joiner, (void *)0);
    model_thread(reuser, (void *)0);
}

static void stale_cancel(unsigned generation)
{
    reset(GOOD, 1, false, generation);
    model_thread(canceller, (void *)0);
    model_thread(reuser, (void *)0);
}

static void undo_and_snoop(unsigned variant)
{
    reset(variant, 1, true, 0);
    model_thread(undoer, (void *)0);
    model_thread(snooper, (void *)0);
}

static void churn(unsigned generation)
{
    n_shards = 2;
    reset(GOOD, 1, false, generation);
    n_shards = 1;
    tp_track_undo(&track, ids, 1);
    model_thread(churner, NULL);
    model_thread(churner, NULL);
}

static const struct model_scenario scenarios[] = {
    {"track: join and end", join_and_finish, check_ran, .preemptions = 4, .spurious = 1},
    {"track: join and end; wake without fence", join_and_finish, check_ran, .preemptions = 2,
        .must_fail = true, .without = {"wake_waiters", MODEL_FENCE}},
    {"track: join and end; prepare without fence", join_and_finish, check_ran, .preemptions = 2,
        .must_fail = true, .without = {"tp_waitlist_enlist", MODEL_FENCE}},
    {"track: join and end; end without release", join_and_finish, check_ran, .preemptions = 2,
        .must_fail = true, .without = {"tp_track_finish", MODEL_RELEASE}},
    {"track: join and end; join without acquire", join_and_finish, check_ran, .preemptions = 2,
        .must_fail = true, .without = {"await_end", MODEL_ACQUIRE}},
    {"track: join and end; end wakes nobody", join_and_finish, check_ran, .variant = NEVER_WAKES, .preemptions = 2,
        .must_fail = true},
    {"track: join without handle, and end", late_join_and_finish, check_ran, .preemptions = 4},
    {"track: two joins without handle, and end", two_late_joins, check_ran, .preemptions = 2},
    {"track: two joins without handle; end wakes one", two_late_joins, check_ran, .variant = WAKES_ONE,
        .preemptions = 2, .must_fail = true},
    {"track: two tasks, one list", one_list, check_both_ran, .preemptions = 2},
    {"track: two tasks, one list; end wakes one", one_list, check_both_ran, .variant = WAKES_ONE, .preemptions = 2,
        .must_fail = true},
    {"track: join or time", join_or_time, release_and_check, .preemptions = 2, .timeouts = 1},
    {"track: cancel and start", cancel_and_start, check_cancelled_or_ran, .preemptions = 6},
    {"track: cancel, start and join", cancel_start_join, check_cancelled_or_ran, .preemptions = 2},
    {"track: cancel, drop and join", cancel_and_drop, check_cancelled_or_dropped, .preemptions = 2},
    {"track: release and end", release_and_finish, check_ran, .preemptions = 6},
    {"track: two releases and end", two_releases, check_released_once, .preemptions = 4},
    {"track: stale join, record used again", stale_join, check_ran, .preemptions = 4},
    {"track: two stale joins, record used again; leaving without release", two_stale_joins, check_ran,
        .preemptions = 2, .must_fail = true, .without = {"let_go", MODEL_RELEASE}},
    {"track: stale join, generations used up", stale_join, check_ran, .variant = UINT32_MAX, .preemptions = 4},
    {"track: stale cancel, record used again", stale_cancel, check_all_free, .preemptions = 6},
    {"track: stale cancel, generations used up", stale_cancel, check_all_free, .variant = UINT32_MAX, .preemptions = 6},
    {"track: undo, and a join from a list", undo_and_snoop, check_all_free, .preemptions = 4},
    {"track: two threads take and put records", churn, check_all_free, .preemptions = 2},
    {"track: two threads, last generation", churn, check_all_free, .variant = UINT32_MAX - 1, .preemptions = 2},
    {"track: two threads take and put; unlock without release", churn, check_all_free, .preemptions = 2,
        .must_fail = true, .without = {"tp_spin_unlock", MODEL_RELEASE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
