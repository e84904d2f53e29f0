/* A worker's ring: every task is taken exactly once, whole, and in the owner's order [RING-1..4].
 * Built once per size, order and batch (model.ninja). The cursors start next to their wrap. */
#include "model.h"

#include "pool.c"

enum { TASKS_MAX = 8,
    QUEUES = 3,
    START = 0xffff };

static struct job_queue queues[QUEUES];
static unsigned n_pushes; /* by the owner */
static unsigned n_filled; /* by set_up */
static tp_atomic(uint32_t) n_taken[TASKS_MAX + 1];

static void consume(const struct job_slot *task)
{
    model_check(task->payload >= 1 && task->payload <= n_filled + n_pushes);
    model_check(tp_add_rlx(&n_taken[task->payload], 1) == 0);
}

static void drain(struct job_queue *queue)
{
    struct job_slot task;
    while (job_queue_pop(queue, &task))
        consume(&task);
}

static void push(struct job_queue *queue, uintptr_t payload)
{
    job_queue_ahead(queue, 0)->payload = payload;
    job_queue_publish(queue, 1);
}

static void owner(void *argument)
{
    (void)argument;
    struct job_queue *queue = &queues[0];
    struct job_slot task;
    for (unsigned i = 1; i <= n_pushes; i++) {
        while (job_queue_room(queue) == 0)
            if (job_queue_pop(queue, &task))
                consume(&task);
            else
                model_yield(); /* full of what a thief still copies */
        push(queue, n_filled + i);
    }
    drain(queue);
}

int job_run(uintptr_t payload)
{
    (void)payload;
    return 0;
}

static bool steal(struct job_queue *from, struct job_queue *own, struct job_slot *task)
{
    return job_queue_steal(from, own, task, 1) > 0;
}

/* Steals once from the owner, then works on what it got. */
static void thief(void *argument)
{
    struct job_queue *own = argument;
    struct job_slot task;
    if (steal(&queues[0], own, &task)) {
        consume(&task);
        drain(own);
    }
}

/* Steals from the owner or else from a thief. */
static void second_thief(void *argument)
{
    struct job_queue *own = argument;
    struct job_slot task;
    if (steal(&queues[0], own, &task) || steal(&queues[1], own, &task)) {
        consume(&task);
        drain(own);
    }
}

static void reset(unsigned pushes, unsigned filled)
{
    memset(n_taken, 0, sizeof n_taken);
    n_pushes = pushes;
    n_filled = filled;
    for (int i = 0; i < QUEUES; i++) {
        job_queue_init(&queues[i]);
        tp_atomic_init(&queues[i].cursors, job_pack((struct job_cursors){START, START, START}));
    }
    for (unsigned i = 1; i <= filled; i++)
        push(&queues[0], i);
}

static void start(unsigned pushes, unsigned filled)
{
    reset(pushes, filled);
    model_thread(owner, NULL);
}

static void one_thief(unsigned pushes)
{
    start(pushes, JOB_QUEUE);
    model_thread(thief, &queues[1]);
}

static void two_thieves(unsigned pushes)
{
    start(pushes, JOB_QUEUE);
    model_thread(thief, &queues[1]);
    model_thread(second_thief, &queues[2]);
}

static void from_empty(unsigned pushes)
{
    start(pushes, 0);
    model_thread(thief, &queues[1]);
    model_thread(second_thief, &queues[2]);
}

/* A single thread: the order is the owner's, and lengths are exact. */
static void ordered(void *argument)
{
    (void)argument;
    struct job_slot task;
    for (unsigned i = 1; i <= JOB_QUEUE; i++) {
        model_check(job_queue_length(&queues[0]) == JOB_QUEUE + 1 - i);
        model_check(job_queue_pop(&queues[0], &task));
        model_check(task.payload == (WITH_LIFO ? JOB_QUEUE + 1 - i : i));
        consume(&task);
    }
    model_check(!job_queue_pop(&queues[0], &task));
}

static void alone(unsigned pushes)
{
    reset(pushes, JOB_QUEUE);
    model_thread(ordered, NULL);
}

static void all_taken(void)
{
    for (unsigned i = 1; i <= n_filled + n_pushes; i++)
        model_check(n_taken[i] == 1);
    for (int i = 0; i < QUEUES; i++)
        model_check(job_queue_length(&queues[i]) == 0 && job_queue_room(&queues[i]) == JOB_QUEUE);
}

static const struct model_scenario scenarios[] = {
    {"ring: the owner's order", alone, all_taken, .variant = 0},
    {"ring: full, 1 thief", one_thief, all_taken, .variant = 3, .preemptions = 5},
    {"ring: full, 2 thieves", two_thieves, all_taken, .variant = 2, .preemptions = 3},
    {"ring: empty, 2 thieves", from_empty, all_taken, .variant = JOB_QUEUE + 1, .preemptions = 3},
    {"ring: publish without release", from_empty, all_taken, .variant = 1, .preemptions = 2, .must_fail = true,
        .without = {"job_queue_publish", MODEL_RELEASE}},
    {"ring: steal without acquire", from_empty, all_taken, .variant = 1, .preemptions = 2, .must_fail = true,
        .without = {"job_queue_steal", MODEL_ACQUIRE}},
    {"ring: room without acquire", one_thief, all_taken, .variant = 3, .preemptions = 3, .must_fail = true,
        .without = {"job_queue_room", MODEL_ACQUIRE}},
    {"ring: steal without release", one_thief, all_taken, .variant = 3, .preemptions = 2, .must_fail = true,
        .without = {"job_queue_steal", MODEL_RELEASE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
