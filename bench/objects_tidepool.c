/* objects, Tidepool: tasks in coroutines, as many as there are producers, take one of two objects, use it for about 20 ns, and give it
 * back. Variant "threads": as many threads. */
#include "bench.h"
#include "player_pool.h"

#include <stdlib.h>
#include <string.h>

enum { OBJECTS = 2,
    STEPS = 15 };

struct object {
    uint64_t n_uses, value;
};

static struct player_pool *pool;
static struct tp_objects *objects;

static int make(void **object, void *context)
{
    (void)context;
    *object = calloc(1, sizeof(struct object));
    return *object ? 0 : TP_ENOMEM;
}

static uint64_t n_uses; /* of objects that have ended */

static void end(void *object, void *context)
{
    (void)context;
    n_uses += ((struct object *)object)->n_uses;
    free(object);
}

static void use_often(unsigned number, uint64_t n, void *context)
{
    (void)number;
    (void)context;
    for (uint64_t i = 0; i < n; i++) {
        void *taken;
        bench_check(tp_objects_take(objects, TP_FOREVER, &taken) == 0, "cannot take an object");
        struct object *object = taken;
        for (int step = 0; step < STEPS; step++)
            object->value = object->value * UINT64_C(6364136223846793005) + 1442695040888963407;
        object->n_uses++;
        tp_objects_give(objects, object);
    }
}

/* payload: how often. */
int player_run(uint64_t payload)
{
    use_often(0, payload, NULL);
    return 0;
}

static void use_by_tasks(const struct bench *bench)
{
    for (unsigned i = 0; i < bench->n_producers; i++) {
        uint64_t n = bench->n_tasks / bench->n_producers + (i < bench->n_tasks % bench->n_producers);
        bench_check(player_submit(pool, n) == 0, "a task was refused");
    }
    bench_check(player_join_all(pool, TP_FOREVER) == 0, "cannot wait for the tasks");
}

static uint64_t use_all(const struct bench *bench, void *context)
{
    const struct tp_objects_settings settings = {.make = make, .end = end, .max = OBJECTS};
    n_uses = 0;
    bench_check(tp_objects_open(&objects, &settings) == 0, "cannot open the pool of objects");
    if (strcmp(bench->variant, "threads") == 0)
        bench_produce(bench, use_often, context);
    else
        use_by_tasks(bench);
    tp_objects_free(objects);
    return n_uses;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    bench_check(player_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = bench_run(&bench, use_all, NULL);
    player_pool_free(pool);
    return status;
}
