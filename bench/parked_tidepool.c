/* parked, Tidepool: coroutines on the smallest stacks, each with a guard, all suspended at once. Variant: "64k" with stacks of 64 KiB. */
#include "parked.h"

#include "../coro/coro.h"
#include "../coro/stack.h"

#include <stdlib.h>
#include <string.h>

static uint64_t n_woken;

static void *park(void *argument)
{
    tp_co_yield(argument, NULL);
    n_woken++;
    return NULL;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    struct tp_co_options options = {.stack_bytes = strcmp(bench.variant, "64k") == 0 ? 65536 : TP_STACK_LEAST_BYTES};
    struct tp_co **all = malloc(bench.n_tasks * sizeof(struct tp_co *));
    bench_check(all != NULL, "no memory");
    memset(all, 0, bench.n_tasks * sizeof(struct tp_co *)); /* the table is not what is measured */
    uint64_t before = parked_memory();
    for (uint64_t i = 0; i < bench.n_tasks; i++) {
        bench_check(tp_co_new(&all[i], park, NULL, &options) == 0, "cannot make a coroutine");
        tp_co_resume(all[i], NULL, NULL);
    }
    struct tp_stack_stats stats;
    tp_stack_get_stats(&stats);
    bench_check(stats.n_unguarded == 0, "a stack has no guard");
    parked_report(&bench, before);
    for (uint64_t i = 0; i < bench.n_tasks; i++)
        tp_co_resume(all[i], NULL, NULL);
    bench_check(n_woken == bench.n_tasks, "not all were woken");
    return 0;
}
