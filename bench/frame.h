/* frame: blocks of 4000 bytes are taken, written to, and given back. FRAME_ROUNDS makes two rounds of a contender's two calls:
 * NAME_alternate takes and gives back one after the other, NAME_live a thousand before the first of them is given back. */
#ifndef FRAME_H
#define FRAME_H

#include "bench.h"

#include <stddef.h>
#include <string.h>

enum { FRAME_BYTES = 4000,
    FRAMES_LIVE = 1000 };

static void *live[FRAMES_LIVE];

/* Whoever asks for a block writes to it, its first word at least. */
static inline void *written(void *block)
{
    if (!block)
        bench_check(0, "no memory");
    *(volatile size_t *)block = 1;
    return block;
}

/* take(context) and give(context, block) may be macros. */
#define FRAME_ROUNDS(name, take, give)                                         \
    static uint64_t name##_alternate(const struct bench *bench, void *context) \
    {                                                                          \
        uint64_t n_tasks = bench->n_tasks;                                     \
        (void)context;                                                         \
        for (uint64_t i = 0; i < n_tasks; i++) {                               \
            void *block = written(take(context));                              \
            give(context, block);                                              \
        }                                                                      \
        return n_tasks;                                                        \
    }                                                                          \
    static uint64_t name##_live(const struct bench *bench, void *context)      \
    {                                                                          \
        uint64_t n_tasks = bench->n_tasks;                                     \
        (void)context;                                                         \
        for (uint64_t n_left = n_tasks, n; n_left > 0; n_left -= n) {          \
            n = n_left < FRAMES_LIVE ? n_left : FRAMES_LIVE;                   \
            for (uint64_t i = 0; i < n; i++)                                   \
                live[i] = written(take(context));                              \
            for (uint64_t i = 0; i < n; i++)                                   \
                give(context, live[i]);                                        \
        }                                                                      \
        return n_tasks;                                                        \
    }

#endif
