/* Workers as threads of the model: stands in for runtime/worker.c and runtime/cpu.c.
 * Invariant: `n_alive` is an atomic of the model, so that the explorer sees who depends on it. */
#include "model.h"

#include "runtime/base/atomic.h"
#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/cpu.h"
#include "runtime/worker.h"

#include "crew.h"

enum { WORKERS_MAX = 8 };

unsigned model_refusals;
static struct tp_worker *workers[WORKERS_MAX]; /* by the model's number of their thread */

void tp_worker_look(const struct tp_worker *worker, struct tp_worker_info *out)
{
    tp_activity_look(&worker->activity, out);
}

void tp_crew_init(struct tp_crew *crew)
{
    crew->n_alive = 0;
    crew->is_closed = false;
    crew->last_out = NULL;
    model_refusals = 0;
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        workers[i] = NULL;
}

void tp_crew_add(struct tp_crew *crew, struct tp_worker *worker, const char *name, void (*entry)(struct tp_worker *))
{
    (void)name;
    worker->crew = crew;
    worker->entry = entry;
    worker->has_thread = false;
    tp_atomic_init(&worker->waiter.state, TP_WAITER_OFF);
}

/* One step for the explorer, like what runtime/worker.c does under its lock. */
bool tp__crew_enter(struct tp_crew *crew)
{
    tp_add_sc(&crew->n_alive, 1);
    if (!crew->is_closed)
        return true;
    tp_add_sc(&crew->n_alive, (unsigned)-1);
    return false;
}

void tp__crew_forgo(struct tp_crew *crew)
{
    if (tp_add_sc(&crew->n_alive, (unsigned)-1) == 1 && crew->last_out)
        crew->last_out(crew->context);
}

static void worker_thread(void *argument)
{
    struct tp_worker *worker = argument;
    if (worker->joins_last)
        model_join((unsigned)worker->thread);
    worker->thread = model_self();
    tp_activity_begin(&worker->activity);
    worker->entry(worker);
    tp_activity_block(&worker->activity, TP_BLOCKED_NO_THREAD);
    tp__crew_forgo(worker->crew);
}

int tp__crew_launch(struct tp_worker *worker)
{
    if (model_refusals > 0 && model_choose(2)) {
        model_refusals--;
        return TP_ETHREAD;
    }
    worker->joins_last = worker->has_thread;
    worker->has_thread = true;
    tp_fence_sc(); /* as the system call does */
    workers[model_thread(worker_thread, worker)] = worker;
    return 0;
}

int tp_crew_start(struct tp_worker *worker)
{
    worker->crew->is_closed = false;
    tp__crew_enter(worker->crew);
    int status = tp__crew_launch(worker);
    if (status != 0)
        tp__crew_forgo(worker->crew);
    return status;
}

int tp_crew_wait(struct tp_crew *crew, uint64_t deadline_ns)
{
    model_check(deadline_ns == TP_FOREVER);
    for (;;) {
        for (unsigned i = 0; i < WORKERS_MAX; i++)
            if (workers[i] && workers[i]->crew == crew)
                model_join(i);
        if (tp_add_sc(&crew->n_alive, 0) == 0) /* an exchange: it sees the newest value */
            break;
        model_yield(); /* somebody is about to start one more */
    }
    crew->is_closed = true;
    return 0;
}

void tp_crew_reap(struct tp_worker *worker)
{
    if (worker->has_thread)
        model_join((unsigned)worker->thread);
    worker->has_thread = false;
}

void tp_crew_sweep(struct tp_crew *crew)
{
    (void)crew;
}

void tp_crew_abandon(struct tp_crew *crew, void (*last_out)(void *context), void *context)
{
    crew->context = context;
    crew->last_out = last_out;
    tp_add_sc(&crew->n_alive, 1);
    tp__crew_forgo(crew);
}

void tp_crew_free(struct tp_crew *crew)
{
    model_check(crew->n_alive == 0);
}

struct tp_worker *tp_worker_self(void)
{
    return model_self() < WORKERS_MAX ? workers[model_self()] : NULL;
}

unsigned tp_thread_index(void)
{
    return model_self();
}

unsigned tp_cpu_count(void)
{
    return 1;
}
