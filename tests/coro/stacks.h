/* For the tests of stacks: what there is, a clean beginning, and whether memory is in reach. */
#ifndef STACKS_H
#define STACKS_H

#include "tests/support/unit.h"

#include "coro/stack.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline struct tp_stack_stats stats_now(void)
{
    struct tp_stack_stats stats;
    tp_stack_get_stats(&stats);
    return stats;
}

/* All stacks are idle and in the caller's reach: then a trim leaves nothing. */
static inline void assert_nothing_left(void)
{
    tp_stack_trim(0);
    struct tp_stack_stats stats = stats_now();
    assert_int_equal(stats.n_acquired, stats.n_released);
    assert_int_equal(stats.mapped_bytes, 0);
    assert_int_equal(stats.n_mappings, 0);
    for (int i = 0; i < TP_STACK_CLASSES; i++) {
        const struct tp_stack_class_stats *class = &stats.classes[i];
        assert_int_equal(class->n_live + class->n_cached + class->n_warm + class->n_cold + class->n_slabs, 0);
    }
}

static inline struct tp_stack *acquire(size_t bytes)
{
    struct tp_stack *stack = NULL;
    assert_int_equal(tp_stack_acquire(bytes, &stack), 0);
    return stack;
}

static inline int class_of(const struct tp_stack *stack)
{
    return stack->class_index;
}

static inline char *bottom_of(const struct tp_stack *stack)
{
    return stack->low - TP_STACK_CANARY_BYTES;
}

/* The system reads the byte for us, and does not mind if it must not. */
static inline bool is_readable(const char *address)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    bool is = syscall(SYS_write, ends[1], address, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return is;
}

#endif
