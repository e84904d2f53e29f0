/* A board without a pool, for tests: what gen/parts/types.c gives it, in small, and a clock that the
 * test moves. Segments are tiny and counted, so that every boundary is met and no segment is lost. */
#ifndef TEST_BOARD_H
#define TEST_BOARD_H

#include "tests/support/unit.h"

#include "gen/parts/options.h"
#include "runtime/base/atomic.h"
#include "runtime/base/status.h"
#include "runtime/pool.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { JOB_SEGMENT = 4 };

#if WITH_CLASSES
enum job_class { VALUE_CLASSES,
    JOB_CLASSES };
#endif

struct job_slot {
    uint64_t payload;
    uint32_t class_index;
};

struct job_segment {
    struct job_segment *next, *prev;
    struct job_slot slots[JOB_SEGMENT];
};

static uint64_t n_live, n_live_max = UINT64_MAX;

static struct job_segment *job_segment_new(void)
{
    if (n_live == n_live_max)
        return NULL;
    n_live++;
    return malloc(sizeof(struct job_segment));
}

static void job_segments_free(struct job_segment *segment)
{
    while (segment) {
        struct job_segment *next = segment->next;
        free(segment);
        n_live--;
        segment = next;
    }
}

#include "gen/parts/diary.c"

#include "gen/parts/board_types.c"

#include "gen/parts/board.c"
#if !WITH_CLASSES
#include "gen/parts/pick_plain.c"
#endif
#if WITH_PRIORITY || WITH_ADAPTIVE
#include "gen/parts/pick_priority.c"
#endif
#if WITH_FAIR || WITH_ADAPTIVE
#include "gen/parts/pick_fair.c"
#endif
#if WITH_ADAPTIVE
#include "gen/parts/pick_adaptive.c"
#endif

static struct job_board board;
static uint64_t now; /* the clock */
static uint64_t next_id;

#if WITH_FAIR || WITH_ADAPTIVE
enum { TURNS = 64 };
static struct job_turn turns[TURNS];
#endif

/* xorshift64 (Marsaglia 2003): the same numbers in every run. */
static uint64_t random_state;
static inline uint64_t random_below(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

static int set_up(void **state)
{
    (void)state;
    random_state = 88172645463325252u;
    now = 1000;
    next_id = 0;
    n_live_max = UINT64_MAX;
    job_board_init(&board);
#if WITH_FAIR || WITH_ADAPTIVE
    memset(turns, 0, sizeof turns);
#endif
    return 0;
}

/* Every segment that was made is given back. */
static int tear_down(void **state)
{
    (void)state;
    job_board_free(&board);
    return n_live == 0 ? 0 : -1;
}

/* Puts the next task down, as a submitter does. Returns its number. */
static inline uint64_t put(uint32_t class_index)
{
    struct job_slot task = {.payload = next_id, .class_index = class_index};
    while (!job_board_put(&board, class_index, &task)) {
        struct job_segment *segment = job_segment_new();
        assert_non_null(segment);
        job_board_stock(&board, segment);
    }
    return next_id++;
}

static inline void put_many(uint32_t class_index, uint64_t n)
{
    while (n-- > 0)
        put(class_index);
}

/* The next task by policy, as worker `turn` takes it. */
static inline bool pick(uint32_t turn, struct job_slot *task)
{
#if WITH_FAIR || WITH_ADAPTIVE
    bool found = job_board_pick(&board, &turns[turn], now, task);
#else
    (void)turn;
    bool found = job_board_pick(&board, task);
#endif
    job_segments_free(job_board_surplus(&board));
    return found;
}

#endif
