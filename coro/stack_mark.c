/* How deep a stack was used: the canary at its low end, and the lowest byte that is not zero.
 * New memory is zero, so a stack needs no paint: what is not zero was written. Pages that were never touched are not
 * looked at, which would bring them in. */
#include "stack_parts.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES = 256 }; /* asked about in one system call */

TP__CHECK_NOTHING bool tp_stack_is_whole(const struct tp_stack *stack)
{
    const uint64_t *words = (const uint64_t *)(const void *)tp__stack_bottom(stack);
    for (size_t i = 0; i < TP_STACK_CANARY_BYTES / sizeof *words; i++)
        if (words[i] != stack->canary)
            return false;
    return true;
}

/* The first byte from `from` on that is not zero, by words; `to` if there is none. */
static TP__CHECK_NOTHING const char *first_used(const char *from, const char *to)
{
    while (from < to && *(const uint64_t *)(const void *)from == 0)
        from += sizeof(uint64_t);
    return from;
}

/* The same, without looking into pages that are not there. */
static const char *first_used_present(const char *from, const char *to, size_t page)
{
    unsigned char present[PAGES];
    while (from < to) {
        char *page_start = (char *)((uintptr_t)from & ~(uintptr_t)(page - 1));
        size_t n_pages = ((size_t)(to - page_start) + page - 1) / page;
        n_pages = n_pages < PAGES ? n_pages : PAGES;
        if (mincore(page_start, n_pages * page, present) != 0)
            return first_used(from, to);
        for (size_t i = 0; i < n_pages; i++) {
            const char *end = page_start + (i + 1) * page;
            end = end < to ? end : to;
            from = (present[i] & 1) ? first_used(from, end) : end;
            if (from < end)
                return from;
        }
    }
    return to;
}

size_t tp_stack_high_water(const struct tp_stack *stack)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (size_t)(stack->top - stack->low);
    const char *used = bytes < page ? first_used(stack->low, stack->top) : first_used_present(stack->low, stack->top, page);
    return (size_t)(stack->top - used);
}

void tp_stack_wipe(struct tp_stack *stack)
{
    tp_stack_wipe_below(stack, stack->top);
}

void tp_stack_wipe_below(struct tp_stack *stack, char *limit)
{
    char *used = stack->top - tp_stack_high_water(stack), *bottom = tp__stack_bottom(stack);
    tp__check_unpoison(bottom, (size_t)(limit - bottom)); /* frames that were left without a return */
    if (used < limit)
        memset(used, 0, (size_t)(limit - used));
}
