/* switch, ucontext: one context, switched to again and again, which counts and switches back. */
#include "bench.h"

#include <stddef.h>
#include <ucontext.h>

static ucontext_t outside, inside;
static uint64_t n_run;

static void count(void)
{
    for (;;) {
        n_run++;
        bench_check(swapcontext(&inside, &outside) == 0, "cannot switch");
    }
}

static uint64_t switch_all(const struct bench *bench, void *context)
{
    uint64_t n_before = n_run;
    (void)context;
    for (uint64_t i = 0; i < bench->n_tasks; i++)
        bench_check(swapcontext(&outside, &inside) == 0, "cannot switch");
    return n_run - n_before;
}

int main(int argc, char **argv)
{
    static char stack[65536];
    struct bench bench = bench_read(argc, argv);
    bench_check(getcontext(&inside) == 0, "cannot make a context");
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = sizeof stack;
    makecontext(&inside, count, 0);
    return bench_run(&bench, switch_all, NULL);
}
