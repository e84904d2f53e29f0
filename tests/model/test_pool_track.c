/* Tracked tasks: spawned, waited for and cancelled, through the whole template. A task that was
 * cancelled before its start never runs, and who waits for a task learns how it ended. */
#include "template.h"

static uint64_t ids[TASKS_MAX]; /* by task; written by the spawner, published by `is_spawned` */
static tp_atomic(uint32_t) is_spawned[TASKS_MAX];
static unsigned n_told[TASKS_MAX]; /* cancelled, as its joiner was told */

static int spawn(uintptr_t task)
{
    int status = job_spawn(pool, task, &ids[task]);
    accepted[task] = status == 0;
    tp_store_rel(&is_spawned[task], status == 0 ? 1 : 2);
    return status;
}

static void join(uintptr_t task)
{
    struct tp_task_result result;
    model_check(job_join(pool, ids[task], TP_FOREVER, &result) == 0);
    if (result.state == TP_TASK_CANCELLED)
        n_told[task]++;
    else
        model_check(result.state == TP_TASK_RETURNED && result.code == 0);
    /* Whatever it wrote is seen; a cancelled one that has not left its queue yet is not over there. */
    model_check(n_run[task] == (result.state == TP_TASK_RETURNED));
    model_check(job_join(pool, ids[task], TP_FOREVER, NULL) == TP_ESTALE);
}

static void spawner(void *argument)
{
    uintptr_t task = (uintptr_t)argument;
    int status = spawn(task);
    model_check(status == 0 || is_refusal(status));
    if (status == 0)
        join(task);
}

static void detacher(void *argument)
{
    uintptr_t task = (uintptr_t)argument;
    if (spawn(task) == 0)
        model_check(job_detach(pool, ids[task]) == 0);
}

/* Waits for the spawn of task 1, not for its end. */
static bool await_spawn(void)
{
    uint32_t said;
    while ((said = tp_load_acq(&is_spawned[1])) == 0)
        model_yield();
    return said == 1;
}

static void task_canceller(void *argument)
{
    (void)argument;
    if (await_spawn()) {
        int status = job_cancel_task(pool, ids[1]);
        model_check(status == 0 || status == TP_ESTALE);
    }
}

static void waiter(void *argument)
{
    (void)argument;
    struct tp_task_result result;
    if (!await_spawn())
        return;
    int status = job_wait(pool, ids[1], TP_FOREVER, &result);
    model_check(status == TP_ESTALE || (status == 0 && (result.state == TP_TASK_RETURNED || result.state == TP_TASK_CANCELLED)));
    model_check(status != 0 || n_run[1] == (result.state == TP_TASK_RETURNED));
}

static void canceller(void *argument)
{
    (void)argument;
    model_check(job_pool_cancel(pool, TP_FOREVER) == 0);
}

/* -- scenarios ---------------------------------------------------------------------------------- */

static void begin(unsigned variant, void (*body)(void *))
{
    open_pool(variant);
    memset(n_told, 0, sizeof n_told);
    for (unsigned i = 0; i < TASKS_MAX; i++)
        tp_atomic_init(&is_spawned[i], 0);
    add_submitters(body);
}

static void spawn_and_join(unsigned variant)
{
    begin(variant, spawner);
}

static void spawn_and_wait(unsigned variant)
{
    begin(variant, spawner);
    model_thread(waiter, NULL);
}

static void spawn_and_cancel_task(unsigned variant)
{
    begin(variant, spawner);
    model_thread(task_canceller, NULL);
}

static void detach_and_cancel_task(unsigned variant)
{
    begin(variant, detacher);
    model_thread(task_canceller, NULL);
}

static void spawn_and_cancel(unsigned variant)
{
    begin(variant, spawner);
    model_thread(canceller, NULL);
}

static void spawn_cancel_task_and_close(unsigned variant)
{
    spawn_and_cancel_task(variant);
    model_thread(closer, NULL);
}

/* The ledger, of tasks whose joiner was told and of those that nobody joined. */
static void track_end(void)
{
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        model_check(n_run[i] + n_told[i] <= accepted[i]);
        n_cancelled += accepted[i] - n_run[i];
    }
    end();
    model_check(tp_track_count(&pool->track) == 0);
}

static void track_closed_end(void)
{
    track_end();
    job_pool_free(pool);
    model_check(model_n_blocks() == 0);
}

static const struct model_scenario scenarios[] = {
    {"track: 1 worker, 1 spawner", spawn_and_join, track_end, rest, .variant = 111, .preemptions = 2, .max_executions = 20000},
    {"track: 1 worker, 2 spawners, capacity 1", spawn_and_join, track_end, rest, .variant = 112, .preemptions = 1, .max_executions = 20000},
    {"track: 1 worker, 1 spawner, 1 waiter", spawn_and_wait, track_end, rest, .variant = 111, .preemptions = 1, .max_executions = 20000},
    {"track: 1 worker, 1 spawner, cancelled", spawn_and_cancel_task, track_end, rest, .variant = 111, .preemptions = 2, .max_executions = 20000},
    {"track: 2 workers, 1 spawner, cancelled", spawn_and_cancel_task, track_end, rest, .variant = 211, .preemptions = 1, .max_executions = 20000},
    {"track: 1 worker, detached, cancelled", detach_and_cancel_task, track_end, rest, .variant = 111, .preemptions = 2, .max_executions = 20000},
    {"track: 1 worker, 1 spawner, the pool is cancelled", spawn_and_cancel, track_closed_end, .variant = 111, .preemptions = 1, .max_executions = 20000},
    {"track: 1 worker, cancelled while the pool closes", spawn_cancel_task_and_close, track_closed_end, .variant = 111, .preemptions = 1, .max_executions = 20000},

    {"track: a cancelled task is started", spawn_and_cancel_task, track_end, rest, .variant = 1000 * STARTS_CANCELLED + 111, .preemptions = 2, .must_fail = true},
    {"track: the end told without fence", spawn_and_join, track_end, rest, .variant = 111, .preemptions = 2, .must_fail = true,
        .without = {"wake_waiters", MODEL_FENCE}},
    {"track: the end without release", spawn_and_join, track_end, rest, .variant = 111, .preemptions = 2, .must_fail = true,
        .without = {"tp_track_finish", MODEL_RELEASE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
