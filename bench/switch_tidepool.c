/* switch, Tidepool: one coroutine, resumed again and again, which counts and yields. Variants: "float" with a floating-point
 * environment of its own, "bare" the switch alone, without states, errno and exceptions. */
#include "bench.h"

#include "../coro/coro.h"
#include "../coro/switch.h"

#include <stdalign.h>
#include <string.h>

static uint64_t n_run;

static void *count(void *argument)
{
    do
        n_run++;
    while (tp_co_yield(argument, NULL) == 0);
    return NULL;
}

static uint64_t resume_all(const struct bench *bench, void *co)
{
    uint64_t n_before = n_run;
    void *out;
    for (uint64_t i = 0; i < bench->n_tasks; i++)
        tp_co_resume(co, NULL, &out);
    return n_run - n_before;
}

static void *outside, *inside;

static void count_bare(void *value, void *argument)
{
    (void)argument;
    for (;;) {
        n_run++;
        value = tp__switch(&inside, outside, value);
    }
}

static uint64_t switch_all(const struct bench *bench, void *value)
{
    uint64_t n_before = n_run;
    for (uint64_t i = 0; i < bench->n_tasks; i++)
        value = tp__switch(&outside, inside, value);
    return n_run - n_before;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    if (strcmp(bench.variant, "bare") == 0) {
        static alignas(64) char stack[65536];
        inside = tp__switch_make(stack, stack + sizeof stack, count_bare, NULL);
        return bench_run(&bench, switch_all, NULL);
    }
    struct tp_co *co;
    const struct tp_co_options options = {.fp_environment = strcmp(bench.variant, "float") == 0};
    bench_check(tp_co_new(&co, count, &co, &options) == 0, "cannot make a coroutine");
    int status = bench_run(&bench, resume_all, co);
    tp_co_free(co);
    return status;
}
