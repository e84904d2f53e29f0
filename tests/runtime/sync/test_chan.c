/* Channels between threads: every result by hand, in the order in which it must come, and then values under load. */
#include "tests/support/unit.h"

#include "runtime/base/atomic.h"
#include "runtime/base/status.h"
#include "runtime/sync/chan.c"
#include "runtime/clock.h"

#include <sched.h>

enum { SENDERS = 4,
    RECEIVERS = 3,
    EACH = 3000 };

static struct tp_chan *chan;

static void open_with(size_t capacity)
{
    assert_int_equal(tp_chan_open(&chan, sizeof(int), capacity), 0);
}

static int close_and_free(void **state)
{
    (void)state;
    tp_chan_free(chan);
    chan = NULL;
    return 0;
}

static int send(int value, uint64_t deadline_ns)
{
    return tp_chan_send(chan, &value, deadline_ns);
}

static void expect(int value)
{
    int got = -1;
    assert_int_equal(tp_chan_recv(chan, &got, 0), 0);
    assert_int_equal(got, value);
}

static void expect_none(int status)
{
    int got = -1;
    assert_int_equal(tp_chan_recv(chan, &got, 0), status);
    assert_int_equal(got, -1);
}

/* -- one thread ------------------------------------------------------------------------------------- */

static void test_order(void **state)
{
    (void)state;
    open_with(3);
    expect_none(TP_ETIMEDOUT);
    for (int round = 0; round < 5; round++) { /* round the ring */
        assert_int_equal(send(10 * round, 0), 0);
        assert_int_equal(send(10 * round + 1, 0), 0);
        assert_int_equal(tp_chan_count(chan), 2);
        expect(10 * round);
        expect(10 * round + 1);
        expect_none(TP_ETIMEDOUT);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(send(i, 0), 0);
    assert_int_equal(send(3, 0), TP_ETIMEDOUT);
    assert_int_equal(send(3, tp_deadline_in_ns(1)), TP_ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        expect(i);
}

static void test_close(void **state)
{
    (void)state;
    open_with(2);
    assert_int_equal(send(1, 0), 0);
    assert_false(tp_chan_is_closed(chan));
    tp_chan_close(chan);
    tp_chan_close(chan);
    assert_int_equal(send(2, TP_FOREVER), TP_ECLOSED);
    assert_false(tp_chan_is_closed(chan)); /* there is something in it still */
    expect(1);
    assert_true(tp_chan_is_closed(chan));
    expect_none(TP_ECLOSED);
    expect_none(TP_ECLOSED);
}

static void test_each(void **state)
{
    (void)state;
    int value, sum = 0;
    open_with(4);
    for (int i = 1; i <= 4; i++)
        assert_int_equal(send(i, 0), 0);
    tp_chan_close(chan);
    TP_CHAN_EACH(chan, value)
    sum += value;
    assert_int_equal(sum, 1 + 2 + 3 + 4);
    assert_int_equal(value, 4);
}

static void test_without_values(void **state)
{
    (void)state;
    assert_int_equal(tp_chan_open(&chan, 0, 2), 0);
    assert_int_equal(tp_chan_send(chan, NULL, 0), 0);
    assert_int_equal(tp_chan_send(chan, NULL, 0), 0);
    assert_int_equal(tp_chan_send(chan, NULL, 0), TP_ETIMEDOUT);
    assert_int_equal(tp_chan_recv(chan, NULL, 0), 0);
    assert_int_equal(tp_chan_count(chan), 1);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(tp_chan_open(NULL, 1, 1), TP_EINVAL);
    assert_int_equal(tp_chan_open(&chan, SIZE_MAX, 2), TP_EINVAL);
    assert_int_equal(tp_chan_open(&chan, 2, SIZE_MAX / 4), TP_EINVAL);
    assert_null(chan);
    tp_chan_free(NULL);
    struct big {
        char bytes[300];
    } in = {"a value that is larger than a cache line"}, out;
    assert_int_equal(tp_chan_open(&chan, sizeof in, 3), 0);
    assert_int_equal(tp_chan_send(chan, &in, 0), 0);
    assert_int_equal(tp_chan_recv(chan, &out, 0), 0);
    assert_memory_equal(&in, &out, sizeof in);
}

/* -- who waits -------------------------------------------------------------------------------------- */

/* A thread that sends `value`, or receives into it. */
struct actor {
    int value, status;
    bool receives;
    tp_atomic(uint32_t) is_over;
};

static void *act(void *argument)
{
    struct actor *actor = argument;
    actor->status = actor->receives ? tp_chan_recv(chan, &actor->value, TP_FOREVER) : tp_chan_send(chan, &actor->value, TP_FOREVER);
    tp_store_rel(&actor->is_over, 1); /* pairs with the acquire in await_over */
    return NULL;
}

static unsigned count_waiting(void)
{
    unsigned n = 0;
    tp_spin_lock(&chan->lock);
    for (struct tp_waiter *w = chan->senders.first ? chan->senders.first : chan->receivers.first; w; w = w->next)
        n++;
    tp_spin_unlock(&chan->lock);
    return n;
}

/* Starts one thread after the other, each when the one before waits. */
static void start(struct crowd *crowd, struct actor *actors, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        crowd_add(crowd, act, &actors[i]);
        while (count_waiting() != i + 1)
            sched_yield();
    }
}

static void await_over(struct actor *actor)
{
    while (tp_load_acq(&actor->is_over) == 0) /* pairs with the release in act */
        sched_yield();
    assert_int_equal(actor->status, 0);
}

/* Senders that wait are served in their order, and values stay in theirs. */
static void check_senders(size_t capacity)
{
    struct crowd crowd = {.n = 0};
    struct actor actors[3] = {{.value = 100}, {.value = 101}, {.value = 102}};
    open_with(capacity);
    for (size_t i = 0; i < capacity; i++)
        assert_int_equal(send((int)i, 0), 0);
    start(&crowd, actors, 3);
    assert_int_equal(send(-1, 0), TP_ETIMEDOUT);
    for (size_t i = 0; i < capacity; i++) {
        expect((int)i);
        if (i < 3)
            await_over(&actors[i]);
    }
    for (int i = 0; i < 3; i++) {
        expect(100 + i);
        await_over(&actors[i]);
    }
    expect_none(TP_ETIMEDOUT);
    crowd_join(&crowd);
    close_and_free(NULL);
}

static void test_senders_wait(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 4; capacity++)
        check_senders(capacity);
}

static void test_receivers_wait(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 2; capacity++) {
        struct crowd crowd = {.n = 0};
        struct actor actors[3] = {{.receives = true}, {.receives = true}, {.receives = true}};
        open_with(capacity);
        start(&crowd, actors, 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(send(50 + i, 0), 0);
            await_over(&actors[i]);
            assert_int_equal(actors[i].value, 50 + i);
        }
        assert_int_equal(tp_chan_count(chan), 0);
        crowd_join(&crowd);
        close_and_free(NULL);
    }
}

static void check_closed(bool receives)
{
    struct crowd crowd = {.n = 0};
    struct actor actors[3] = {{.receives = receives}, {.receives = receives}, {.receives = receives}};
    open_with(0);
    start(&crowd, actors, 3);
    tp_chan_close(chan);
    crowd_join(&crowd);
    for (int i = 0; i < 3; i++)
        assert_int_equal(actors[i].status, TP_ECLOSED);
    expect_none(TP_ECLOSED);
    close_and_free(NULL);
}

static void test_close_ends_waits(void **state)
{
    (void)state;
    check_closed(false);
    check_closed(true);
}

static void *close_own(void *own)
{
    tp_chan_close(own);
    return NULL;
}

/* The only receiver may free what it hears is closed. */
static void test_freed_when_closed(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct crowd closer = {.n = 0};
        open_with((size_t)i % 2);
        crowd_add(&closer, close_own, chan);
        assert_int_equal(tp_chan_recv(chan, &(int){0}, TP_FOREVER), TP_ECLOSED);
        close_and_free(NULL);
        crowd_join(&closer);
    }
}

/* Nothing of a wait that time has ended stays behind. */
static void test_deadline(void **state)
{
    (void)state;
    int got = -1;
    open_with(0);
    assert_int_equal(send(7, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
    assert_int_equal(tp_chan_recv(chan, &got, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
    assert_int_equal(count_waiting(), 0);
    struct crowd crowd = {.n = 0};
    struct actor actor = {.value = 8};
    start(&crowd, &actor, 1);
    expect(8);
    crowd_join(&crowd);
}

/* -- load ------------------------------------------------------------------------------------------- */

static tp_atomic(uint32_t) n_seen[SENDERS * EACH], n_sending;

static void *send_many(void *argument)
{
    int first = (int)(intptr_t)argument * EACH;
    for (int i = 0; i < EACH; i++)
        while (send(first + i, i % 7 == 0 ? tp_deadline_in_ns(2000) : TP_FOREVER) != 0)
            ;
    if (tp_add_sc(&n_sending, (uint32_t)-1) == 1)
        tp_chan_close(chan);
    return NULL;
}

/* Returns the number of values that came out of their sender's order. */
static void *receive_many(void *argument)
{
    int last[SENDERS], value;
    uintptr_t n_wrong = 0;
    (void)argument;
    for (int i = 0; i < SENDERS; i++)
        last[i] = -1;
    for (int i = 0, status; (status = tp_chan_recv(chan, &value, i % 5 == 0 ? tp_deadline_in_ns(2000) : TP_FOREVER)) != TP_ECLOSED; i++) {
        if (status != 0)
            continue;
        tp_add_rlx(&n_seen[value], 1); /* relaxed: read after the join */
        n_wrong += value <= last[value / EACH];
        last[value / EACH] = value;
    }
    return (void *)n_wrong;
}

static void test_load(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 5; capacity += 1 + capacity * 2) {
        struct crowd senders = {.n = 0};
        pthread_t receivers[RECEIVERS];
        open_with(capacity);
        tp_store_rlx(&n_sending, SENDERS); /* relaxed, as all here: published by the threads' creation, and their end */
        for (int i = 0; i < SENDERS * EACH; i++)
            tp_store_rlx(&n_seen[i], 0);
        for (int i = 0; i < RECEIVERS; i++)
            assert_int_equal(pthread_create(&receivers[i], NULL, receive_many, NULL), 0);
        for (intptr_t i = 0; i < SENDERS; i++)
            crowd_add(&senders, send_many, (void *)i);
        crowd_join(&senders);
        for (int i = 0; i < RECEIVERS; i++) {
            void *n_wrong;
            assert_int_equal(pthread_join(receivers[i], &n_wrong), 0);
            assert_null(n_wrong);
        }
        for (int i = 0; i < SENDERS * EACH; i++)
            assert_int_equal(tp_load_rlx(&n_seen[i]), 1);
        close_and_free(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_order, close_and_free),
        cmocka_unit_test_teardown(test_close, close_and_free),
        cmocka_unit_test_teardown(test_each, close_and_free),
        cmocka_unit_test_teardown(test_without_values, close_and_free),
        cmocka_unit_test_teardown(test_sizes, close_and_free),
        cmocka_unit_test(test_senders_wait),
        cmocka_unit_test(test_receivers_wait),
        cmocka_unit_test(test_close_ends_waits),
        cmocka_unit_test(test_freed_when_closed),
        cmocka_unit_test_teardown(test_deadline, close_and_free),
        cmocka_unit_test_teardown(test_load, close_and_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
