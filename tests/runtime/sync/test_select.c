/* Waiting for one of several: one happens, whatever it is, and of the others nothing is left. */
#include "actors.h"

#include "runtime/handle.h"
#include "runtime/sync/chan.c"

enum { CHANS = 3,
    THREADS = 4,
    EACH = 3000 };

static struct tp_chan *chans[CHANS];

static void open_all(size_t capacity)
{
    for (int i = 0; i < CHANS; i++)
        assert_int_equal(tp_chan_open(&chans[i], sizeof(int), capacity), 0);
}

static void free_all(void)
{
    for (int i = 0; i < CHANS; i++) {
        assert_null(chans[i]->senders.first);
        assert_null(chans[i]->receivers.first);
        tp_chan_free(chans[i]);
    }
}

static bool is_waited_for(struct tp_chan *chan)
{
    tp_spin_lock(&chan->lock);
    bool is_so = chan->senders.first || chan->receivers.first;
    tp_spin_unlock(&chan->lock);
    return is_so;
}

static void await_waiting(struct tp_chan *chan)
{
    while (!is_waited_for(chan))
        sched_yield();
}

/* -- without waiting ---------------------------------------------------------------------------------- */

static void test_ready(void **state)
{
    int in = 5, out = 0;
    size_t which = 9;
    (void)state;
    open_all(1);
    for (int round = 0; round < 20; round++) {
        struct tp_case none[] = {tp_case_recv(chans[0], &out), tp_case_recv(chans[1], &out), tp_case_time(TP_FOREVER)};
        assert_int_equal(tp_select(none, 3, 0, &which), TP_ETIMEDOUT);
        assert_int_equal(tp_select(none, 3, tp_deadline_in_ns(1000), &which), TP_ETIMEDOUT);
        assert_int_equal(tp_select(none, 0, tp_deadline_in_ns(1000), &which), TP_ETIMEDOUT);
        assert_false(is_waited_for(chans[0]) || is_waited_for(chans[1]));
        assert_int_equal(which, 9);
        assert_int_equal(tp_chan_send(chans[1], &in, 0), 0);
        assert_int_equal(tp_select(none, 3, TP_FOREVER, &which), 0);
        assert_int_equal(which, 1);
        assert_int_equal(out, 5);
        struct tp_case sends[] = {tp_case_recv(chans[0], &out), tp_case_send(chans[1], &in)};
        assert_int_equal(tp_select(sends, 2, 0, &which), 0);
        assert_int_equal(which, 1);
        assert_int_equal(tp_select(sends, 2, 0, &which), TP_ETIMEDOUT);
        assert_int_equal(tp_chan_recv(chans[1], &out, 0), 0);
        which = 9;
    }
    tp_chan_close(chans[2]);
    struct tp_case closed[] = {tp_case_recv(chans[0], &out), tp_case_recv(chans[2], &out)};
    assert_int_equal(tp_select(closed, 2, TP_FOREVER, &which), TP_ECLOSED);
    assert_int_equal(which, 1);
    free_all();
}

/* If all can happen at once, each does now and then. */
static void test_fair(void **state)
{
    int value = 0, n_chosen[CHANS] = {0};
    (void)state;
    open_all(1);
    for (int i = 0; i < CHANS; i++)
        tp_chan_close(chans[i]);
    for (int round = 0; round < 1000; round++) {
        struct tp_case cases[CHANS];
        size_t which;
        for (int i = 0; i < CHANS; i++)
            cases[i] = tp_case_recv(chans[i], &value);
        assert_int_equal(tp_select(cases, CHANS, 0, &which), TP_ECLOSED);
        n_chosen[which]++;
    }
    for (int i = 0; i < CHANS; i++)
        assert_true(n_chosen[i] > 200);
    free_all();
}

static void test_time(void **state)
{
    int value;
    size_t which = 9;
    (void)state;
    open_all(0);
    uint64_t soon_ns = tp_deadline_in_ns(TP_MILLISECOND);
    struct tp_case cases[] = {tp_case_recv(chans[0], &value), tp_case_time(tp_deadline_in_ns(1000 * TP_SECOND)), tp_case_time(soon_ns), tp_case_time(TP_FOREVER)};
    assert_int_equal(tp_select(cases, 4, TP_FOREVER, &which), 0);
    assert_int_equal(which, 2);
    assert_true(tp_clock_now_ns() >= soon_ns);
    assert_int_equal(tp_select(cases, 4, 0, &which), 0); /* it has passed */
    assert_int_equal(which, 2);
    cases[2] = tp_case_time(tp_deadline_in_ns(1000 * TP_SECOND));
    which = 9;
    assert_int_equal(tp_select(cases, 4, tp_deadline_in_ns(1000), &which), TP_ETIMEDOUT);
    assert_int_equal(which, 9);
    free_all();
}

/* -- one who waits ---------------------------------------------------------------------------------------- */

/* Waits at both ends of all channels but the last, and receives only from that. */
static int wait_for_all(void *thing, struct actor *actor)
{
    struct tp_case cases[2 * CHANS];
    int in = 100, out = -1;
    size_t n = 0, which = 99;
    (void)thing;
    for (int i = 0; i < CHANS; i++) {
        cases[n++] = tp_case_recv(chans[i], &out);
        if (i < CHANS - 1)
            cases[n++] = tp_case_send(chans[i], &in);
    }
    int status = tp_select(cases, n, actor->deadline_ns, &which);
    actor->wanted = which;
    actor->value = out;
    return status;
}

static void start_select(struct crowd *crowd, struct actor *actor)
{
    *actor = (struct actor){.act = wait_for_all, .deadline_ns = TP_FOREVER};
    crowd_add(crowd, actor_run, actor);
    for (int i = 0; i < CHANS; i++) /* in whatever order it enters */
        await_waiting(chans[i]);
}

static void check_select(struct actor *actor, int status, size_t which, int value)
{
    actor_await(actor, status);
    assert_int_equal(actor->wanted, which);
    assert_int_equal(actor->value, value);
    for (int i = 0; i < CHANS; i++)
        assert_false(is_waited_for(chans[i]));
}

static void test_served(void **state)
{
    (void)state;
    open_all(0);
    for (int i = 0; i < CHANS; i++) {
        struct crowd crowd = {.n = 0};
        struct actor actor;
        int got = 0;
        start_select(&crowd, &actor);
        assert_int_equal(tp_chan_send(chans[i], &i, TP_FOREVER), 0);
        check_select(&actor, 0, (size_t)(2 * i), i);
        crowd_join(&crowd);
        if (i == CHANS - 1)
            continue;
        start_select(&crowd, &actor);
        assert_int_equal(tp_chan_recv(chans[i], &got, TP_FOREVER), 0);
        assert_int_equal(got, 100);
        check_select(&actor, 0, (size_t)(2 * i + 1), -1);
        crowd_join(&crowd);
    }
    struct crowd crowd = {.n = 0};
    struct actor actor;
    start_select(&crowd, &actor);
    tp_chan_close(chans[2]);
    check_select(&actor, TP_ECLOSED, 4, -1);
    crowd_join(&crowd);
    free_all();
}

/* Two that could do the same things do one with each other; none does one with itself. */
static void test_two_meet(void **state)
{
    struct crowd crowd = {.n = 0};
    struct actor first, second = {.act = wait_for_all, .deadline_ns = TP_FOREVER};
    (void)state;
    open_all(0);
    start_select(&crowd, &first);
    crowd_add(&crowd, actor_run, &second);
    actor_await(&second, 0);
    actor_await(&first, 0);
    assert_true(second.wanted / 2 == first.wanted / 2 && second.wanted != first.wanted);
    assert_int_equal(second.value + first.value, 99);
    crowd_join(&crowd);
    free_all();
}

/* -- tasks and handles ----------------------------------------------------------------------------------------- */

static void *complete_it(void *handle)
{
    must(tp_handle_complete(handle, (struct tp_task_result){TP_TASK_RETURNED, 7}) == 0);
    return NULL;
}

static void test_handle(void **state)
{
    (void)state;
    open_all(0);
    for (int round = 0; round < 200; round++) {
        struct crowd crowd = {.n = 0};
        struct tp_handle *handle;
        struct tp_task_result result = {.code = 0};
        int value;
        size_t which = 9;
        assert_int_equal(tp_handle_new(&handle), 0);
        struct tp_case cases[] = {tp_case_recv(chans[0], &value), tp_case_handle(handle, &result), tp_case_send(chans[1], &value)};
        assert_int_equal(tp_select(cases, 3, 0, &which), TP_ETIMEDOUT);
        assert_int_equal(tp_select(cases, 3, tp_deadline_in_ns(1000), &which), TP_ETIMEDOUT);
        crowd_add(&crowd, complete_it, handle);
        assert_int_equal(tp_select(cases, 3, TP_FOREVER, &which), 0);
        assert_int_equal(which, 1);
        assert_int_equal(result.code, 7);
        crowd_join(&crowd);
        tp_handle_unref(handle);
    }
    free_all();
}

/* -- load --------------------------------------------------------------------------------------------------------- */

static tp_atomic(uint32_t) n_seen[THREADS * EACH];
static tp_atomic(uint32_t) n_sent, n_received;
static struct tp_chan *stop;

/* Sends its numbers and receives those of others, wherever that can be done, until all are through. */
static void *trade(void *argument)
{
    int first = (int)(intptr_t)argument * EACH, next = first, got = -1;
    for (int round = 0;; round++) {
        struct tp_case cases[2 * CHANS + 1];
        size_t n = 0, which = 0;
        uint64_t deadline_ns = round % 5 == 0 ? tp_deadline_in_ns(1000) : TP_FOREVER;
        for (int i = 0; i < CHANS; i++) {
            cases[n++] = tp_case_recv(chans[(i + round) % CHANS], &got);
            if (next < first + EACH)
                cases[n++] = tp_case_send(chans[i], &next);
        }
        cases[n++] = tp_case_recv(stop, NULL);
        int value = next, status = tp_select(cases, n, deadline_ns, &which);
        if (status == TP_ECLOSED)
            return NULL;
        if (status != 0)
            continue;
        if (cases[which].value == &next) {
            must(value == next);
            next++;
            tp_add_sc(&n_sent, 1);
        } else {
            tp_add_sc(&n_seen[got], 1);
            if (tp_add_sc(&n_received, 1) + 1 == THREADS * EACH)
                tp_chan_close(stop);
        }
    }
}

static void test_load(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 2; capacity++) {
        struct crowd crowd = {.n = 0};
        open_all(capacity);
        assert_int_equal(tp_chan_open(&stop, 0, 0), 0);
        tp_store_sc(&n_sent, 0);
        tp_store_sc(&n_received, 0);
        for (int i = 0; i < THREADS * EACH; i++)
            tp_store_sc(&n_seen[i], 0);
        for (intptr_t i = 0; i < THREADS; i++)
            crowd_add(&crowd, trade, (void *)i);
        crowd_join(&crowd);
        assert_int_equal(tp_load_sc(&n_sent), THREADS * EACH);
        for (int i = 0; i < THREADS * EACH; i++)
            assert_int_equal(tp_load_sc(&n_seen[i]), 1);
        free_all();
        tp_chan_free(stop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready),
        cmocka_unit_test(test_fair),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_served),
        cmocka_unit_test(test_two_meet),
        cmocka_unit_test(test_handle),
        cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
