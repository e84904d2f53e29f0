/* Where a suspended coroutine will return to, read off its stack; and the rest of the stack, wiped.
 * Invariant: only memory between the stack's low end and its control block is read, and upwards, so it ends whatever lies there. */
#include "coro.h"

#include "../runtime/base/atomic.h"
#include "sanitize.h"
#include "stack.h"
#include "switch.h"

#if TP__SWITCH_PORTABLE
size_t tp_co_backtrace(const struct tp_co *co, void **frames, size_t n_max)
{
    (void)co; /* what swapcontext keeps is the system's */
    (void)frames;
    (void)n_max;
    return 0;
}

void tp_co_wipe(struct tp_co *co)
{
    (void)co; /* likewise */
}
#else

/* It is another's stack, and may be in use again: no checker shall mind. */
static TP__CHECK_NOTHING uintptr_t word_at(uintptr_t address)
{
    return tp_load_rlx((const tp_atomic(uintptr_t) *)address); /* relaxed: a value, whichever; read once */
}

size_t tp_co_backtrace(const struct tp_co *co, void **frames, size_t n_max)
{
    if (tp_co_state(co) != TP_CO_SUSPENDED)
        return 0;
    uintptr_t at = tp__co_left_at(co), top = (uintptr_t)co; /* the control block lies on top of the stack */
    if (at < (uintptr_t)tp_co_stack(co)->low || at % sizeof at != 0 || at > top - (TP__SAVED_RETURN + sizeof at))
        return 0;
    uintptr_t frame = word_at(at + TP__SAVED_FRAME), next = word_at(at + TP__SAVED_RETURN);
    size_t n = 0;
    while (n < n_max && next != 0) {
        frames[n++] = (void *)next;
        /* Code without frame pointers may have left anything there: nothing is added to it. */
        if (frame <= at || frame % sizeof frame != 0 || frame > top - 2 * sizeof frame)
            break;
        at = frame; /* each lies above the one before */
        next = word_at(at + sizeof at);
        frame = word_at(at);
    }
    return n;
}

void tp_co_wipe(struct tp_co *co)
{
    struct tp_stack *stack = tp_co_stack(co);
    char *top = (char *)co, *at = (char *)tp__co_left_at(co);
    at = at ? at : top; /* nothing lies there yet */
    if (tp_co_state(co) <= TP_CO_SUSPENDED && at >= stack->low && at <= top)
        tp_stack_wipe_below(stack, at);
}
#endif
