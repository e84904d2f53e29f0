/* Workers as threads of the model: stands in for runtime/worker.c and runtime/cpu.c. */
#include "model.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/cpu.h"
#include "runtime/worker.h"

enum { WORKERS_MAX = 8 };

static struct tp_worker *workers[WORKERS_MAX]; /* by the model's number of their thread */

static void worker_thread(void *argument)
{
    struct tp_worker *worker = argument;
    worker->entry(worker);
}

void tp_crew_init(struct tp_crew *crew)
{
    crew->n_alive = 0;
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        workers[i] = NULL;
}

int tp_crew_start(struct tp_crew *crew, struct tp_worker *worker, const char *name, void (*entry)(struct tp_worker *))
{
    (void)name;
    worker->crew = crew;
    worker->entry = entry;
    worker->reaped = false;
    tp_atomic_init(&worker->waiter.state, TP_WAITER_OFF);
    workers[model_thread(worker_thread, worker)] = worker;
    return 0;
}

int tp_crew_wait(struct tp_crew *crew, uint64_t deadline_ns)
{
    model_check(deadline_ns == TP_FOREVER);
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        if (workers[i] && workers[i]->crew == crew)
            model_join(i);
    return 0;
}

void tp_crew_reap(struct tp_worker *worker)
{
    worker->reaped = true;
}

void tp_crew_free(struct tp_crew *crew)
{
    (void)crew;
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
