/* A program to be looked at by a debugger: three coroutines, one not begun, two suspended at different depths; then it stops. */
#include "coro/coro.h"
#include "coro/stack.h"

#include <signal.h>
#include <stdint.h>

static __attribute__((noinline)) intptr_t descend(intptr_t depth)
{
    if (depth == 0) {
        tp_co_yield(NULL, NULL);
        return 1;
    }
    intptr_t below = descend(depth - 1);
    __asm__ volatile("" : "+r"(below)); /* no tail call */
    return below + 1;
}

static void *shallow(void *argument)
{
    return (void *)descend((intptr_t)argument);
}

static void *deep(void *argument)
{
    return (void *)descend((intptr_t)argument);
}

int main(void)
{
    struct tp_co *co[3];
    struct tp_stack_settings settings;
    tp_stack_get_settings(&settings);
    settings.guard = TP_STACK_GUARD_MPROTECT; /* gdb's own core files leave out mappings with the other guards */
    if (tp_stack_tune(&settings) != 0)
        return 1;
    void *(*const entries[])(void *) = {shallow, deep, shallow};
    const char *const names[] = {"minnow", "whale", "egg"};
    for (intptr_t i = 0; i < 3; i++) {
        const struct tp_co_options options = {.name = names[i]};
        if (tp_co_new(&co[i], entries[i], (void *)(1 + 3 * i), &options) != 0)
            return 1;
    }
    for (int i = 0; i < 2; i++)
        tp_co_resume(co[i], NULL, NULL);
    raise(SIGTRAP);
    for (int i = 0; i < 3; i++)
        tp_co_free(co[i]);
    return 0;
}
