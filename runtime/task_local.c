/* Task-locals: a chain of nodes that hangs on the run of a task.
 * Invariant: the chain of a run between two tasks is empty: who hangs a node there takes it off by a defer, so a task that uses
 * none finds nothing to do. */
#include "task_local.h"

#include "base/status.h"
#include "fork.h"
#include "inherit.h"
#include "run.h"

#include <stdlib.h>

void *tp_local_get(const struct tp_local_key *key)
{
    const struct tp_run *run = tp_run_task();
    for (const struct tp_local *node = run ? run->locals : NULL; node; node = node->outer)
        if (node->key == key)
            return node->value;
    return key->value;
}

static void take_off(void *argument)
{
    struct tp_local *node = argument;
    struct tp_run *run = tp_run_here();
    if (run && run->locals == node)
        run->locals = node->outer;
}

void tp_local_push(struct tp_local *node, const struct tp_local_key *key, void *value)
{
    struct tp_run *run = tp_run_here();
    tp_forks_publish(); /* branches that were forked before do not see it [FORK-2] */
    *node = (struct tp_local){.outer = run ? run->locals : NULL, .key = key, .value = value};
    tp_defer_push(&node->defer, take_off, node);
    if (run)
        run->locals = node;
}

void tp_local_pop(struct tp_local *node)
{
    tp_defer_pop(&node->defer);
}

/* -- inheritance -------------------------------------------------------------------------------- */

/* A call and the locals that it sees, in one piece of memory. */
struct legacy {
    struct tp_call call;
    struct tp_local nodes[];
};

static void end_legacy(void *argument)
{
    struct tp_run *run = tp_run_here();
    run->locals = NULL;
    free(argument);
}

static int run_legacy(void *argument)
{
    struct legacy *legacy = argument;
    struct tp_run *run = tp_run_here();
    run->locals = legacy->nodes;
    TP_DEFER(end_legacy, legacy);
    return legacy->call.run(legacy->call.argument);
}

int tp__inherit(struct tp_call *call)
{
    const struct tp_run *run = tp_run_task();
    size_t n = 0, i = 0;
    for (const struct tp_local *node = run ? run->locals : NULL; node; node = node->outer)
        n++;
    if (n == 0)
        return 0;
    struct legacy *legacy = malloc(sizeof *legacy + n * sizeof *legacy->nodes);
    if (!legacy)
        return TP_ENOMEM;
    legacy->call = *call;
    for (const struct tp_local *node = run->locals; node; node = node->outer, i++)
        legacy->nodes[i] = (struct tp_local){.outer = node->outer ? &legacy->nodes[i + 1] : NULL, .key = node->key, .value = node->value};
    *call = (struct tp_call){run_legacy, legacy};
    return 0;
}

void tp_call_dropped(struct tp_call call)
{
    if (call.run == run_legacy)
        free(call.argument);
}
