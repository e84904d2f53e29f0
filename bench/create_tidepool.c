/* create, Tidepool: a coroutine is had, runs to its end, and goes back. Variants: "reset" sets one coroutine to its function again by
 * hand; "fresh" makes each with a stack that the system maps for it. */
#include "bench.h"

#include "../coro/copool.h"
#include "../coro/coro.h"
#include "../coro/stack.h"

#include <string.h>

static uint64_t n_run;

static int count(void *argument)
{
    (void)argument;
    n_run++;
    return 0;
}

static void *count_by_hand(void *argument)
{
    n_run++;
    return argument;
}

static uint64_t pooled(const struct bench *bench, void *pool)
{
    uint64_t n_before = n_run;
    for (uint64_t i = 0; i < bench->n_tasks; i++) {
        struct tp_co_handle handle;
        tp_copool_acquire(pool, count, NULL, &handle);
        tp_pooled_resume(handle, NULL, NULL);
        tp_pooled_release(handle);
    }
    return n_run - n_before;
}

static uint64_t reset(const struct bench *bench, void *co)
{
    uint64_t n_before = n_run;
    for (uint64_t i = 0; i < bench->n_tasks; i++) {
        tp_co_reset(co, count_by_hand, NULL);
        tp_co_resume(co, NULL, NULL);
    }
    return n_run - n_before;
}

static uint64_t fresh(const struct bench *bench, void *context)
{
    uint64_t n_before = n_run;
    (void)context;
    for (uint64_t i = 0; i < bench->n_tasks; i++) {
        struct tp_co *co;
        bench_check(tp_co_new(&co, count_by_hand, NULL, NULL) == 0, "cannot make a coroutine");
        tp_co_resume(co, NULL, NULL);
        tp_co_free(co);
        tp_stack_trim(0);
    }
    return n_run - n_before;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    if (strcmp(bench.variant, "fresh") == 0)
        return bench_run(&bench, fresh, NULL);
    if (strcmp(bench.variant, "reset") == 0) {
        struct tp_co *co;
        bench_check(tp_co_new(&co, count_by_hand, NULL, NULL) == 0, "cannot make a coroutine");
        int status = bench_run(&bench, reset, co);
        tp_co_free(co);
        return status;
    }
    struct tp_copool *pool;
    bench_check(tp_copool_open(&pool, NULL) == 0, "cannot open a pool");
    int status = bench_run(&bench, pooled, pool);
    tp_copool_close(pool);
    return status;
}
