/* A multi-pool over the pools of fake_pool.h, named a, b, c, ... */
#ifndef FAKE_MEMBERS_H
#define FAKE_MEMBERS_H

#include "fake_pool.h"

#include "runtime/multi.h"

static struct tp_multi *multi;

/* Opens a multi-pool over n fakes a, b, c, ... with this room each. */
static inline void start(const struct tp_pool_ops *ops, size_t n, enum tp_balance balance, enum tp_overload overload, uint64_t room)
{
    static char names[FAKES][4];
    struct tp_multi_member members[FAKES];
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "%c%s", (char)('a' + i % 26), i < 26 ? "" : "+");
        fakes[i] = (struct fake){.name = names[i], .counts = {.capacity = room, .free = room}, .settings = {.overload = overload, .capacity = room}};
        members[i] = (struct tp_multi_member){ops, &fakes[i]};
    }
    forget();
    assert_int_equal(tp_multi_open(&multi, members, n, balance), 0);
    assert_int_equal(tp_multi_size(multi), n);
}

/* As the caller's first turn depends on its thread, tests of turns are put right so that it is a's. */
static inline void start_in_turn(const struct tp_pool_ops *ops, size_t n, enum tp_balance balance, enum tp_overload overload, uint64_t room)
{
    start(ops, n, balance, overload, room);
    int nothing = 0;
    for (size_t i = 0; fakes[n - 1].counts.pending == 0; i++) {
        assert_true(i <= n);
        assert_int_equal(tp_multi_submit(multi, &nothing), 0);
    }
    for (size_t i = 0; i < n; i++)
        fakes[i].counts = (struct tp_pool_counts){.capacity = room, .free = room};
    forget();
}

static inline void stop(void)
{
    tp_multi_free(multi);
    multi = NULL;
    forget();
}

static inline int submit(int payload)
{
    return tp_multi_submit(multi, &payload);
}

static inline void fill(int i)
{
    fakes[i].counts.free = 0;
}

#endif
