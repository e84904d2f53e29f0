/* multi, Tidepool: pools generated from multi.pool behind one face (runtime/multi.h), which share
 * out the workers, one each at least. Variants: how many pools, round robin; "least" in front for
 * the one with the fewest tasks. */
#include "bench.h"
#include "empty_pool.h"

#include <multi.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_MAX = 64 };

int empty_run(uintptr_t payload)
{
    (void)payload;
    bench_task();
    return 0;
}

static void produce(unsigned producer, uint64_t n, void *context)
{
    (void)producer;
    for (uintptr_t i = 0; i < n; i++)
        bench_check(tp_multi_submit(context, &i) == 0, "a task was refused");
}

static uint64_t submit_all(const struct bench *bench, void *context)
{
    bench_produce(bench, produce, context);
    bench_check(tp_multi_join_all(context, TP_FOREVER) == 0, "cannot wait for the tasks");
    return bench_executed();
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    bool least = strncmp(bench.variant, "least", 5) == 0;
    unsigned n = (unsigned)strtoul(bench.variant + (least ? 5 : 0), NULL, 10);
    bench_check(n >= 1 && n <= MEMBERS_MAX, "usage: the variant is how many pools, perhaps after \"least\"");
    struct tp_multi_member members[MEMBERS_MAX];
    const struct tp_pool_settings settings = {.workers = bench.n_workers > n ? bench.n_workers / n : 1};
    for (unsigned i = 0; i < n; i++) {
        members[i].ops = &empty_pool_ops;
        bench_check(empty_pool_ops.open(&members[i].pool, &settings) == 0, "cannot open a pool");
    }
    struct tp_multi *multi;
    bench_check(tp_multi_open(&multi, members, n, least ? TP_BALANCE_LEAST_TASKS : TP_BALANCE_ROUND_ROBIN) == 0,
        "cannot open the multi-pool");
    int status = bench_run(&bench, submit_all, multi);
    tp_multi_free(multi);
    return status;
}
