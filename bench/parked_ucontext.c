/* parked, ucontext: contexts on stacks that are mapped one by one, each with a guard page, all suspended at once. */
#include "parked.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { STACK_BYTES = 65536,
    PAGE_BYTES = 4096 };

static ucontext_t outside, *all, *current;
static uint64_t n_woken;

static void park(void)
{
    swapcontext(current, &outside);
    n_woken++;
    swapcontext(current, &outside);
}

static void wake(ucontext_t *one)
{
    current = one;
    bench_check(swapcontext(&outside, one) == 0, "cannot switch");
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    uint64_t before = parked_memory();
    all = calloc(bench.n_tasks, sizeof *all); /* a context is part of a coroutine */
    bench_check(all != NULL, "no memory");
    for (uint64_t i = 0; i < bench.n_tasks; i++) {
        char *low = mmap(NULL, PAGE_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bench_check(low != MAP_FAILED && mprotect(low, PAGE_BYTES, PROT_NONE) == 0, "no more mappings");
        bench_check(getcontext(&all[i]) == 0, "cannot make a context");
        all[i].uc_stack.ss_sp = low + PAGE_BYTES;
        all[i].uc_stack.ss_size = STACK_BYTES;
        makecontext(&all[i], park, 0);
        wake(&all[i]);
    }
    parked_report(&bench, before);
    for (uint64_t i = 0; i < bench.n_tasks; i++)
        wake(&all[i]);
    bench_check(n_woken == bench.n_tasks, "not all were woken");
    return 0;
}
