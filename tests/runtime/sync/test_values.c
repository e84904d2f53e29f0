/* One-shots, watches and broadcasts between threads. */
#include "actors.h"

#include "runtime/sync/broadcast.c"
#include "runtime/sync/oneshot.c"
#include "runtime/sync/watch.c"

enum { THREADS = 3,
    ROUNDS = 3000,
    MANY = 40 }; /* more than are let go under the lock at once */

/* -- one-shot ------------------------------------------------------------------------------------------------- */

static int receive_once(void *thing, struct actor *actor)
{
    return tp_oneshot_recv(thing, &actor->value, actor->deadline_ns);
}

static void test_oneshot(void **state)
{
    struct tp_oneshot *oneshot;
    int value = 5, got = 0;
    (void)state;
    assert_int_equal(tp_oneshot_open(NULL, 4), TP_EINVAL);
    assert_int_equal(tp_oneshot_open(&oneshot, SIZE_MAX), TP_EINVAL);
    assert_int_equal(tp_oneshot_open(&oneshot, sizeof value), 0); /* sent, then received */
    assert_int_equal(tp_oneshot_recv(oneshot, &got, 0), TP_ETIMEDOUT);
    assert_int_equal(tp_oneshot_recv(oneshot, &got, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
    assert_int_equal(tp_oneshot_send(oneshot, &value), 0);
    assert_int_equal(tp_oneshot_recv(oneshot, &got, 0), 0);
    assert_int_equal(got, 5);
    assert_int_equal(tp_oneshot_recv(oneshot, &got, TP_FOREVER), TP_ECLOSED);
    tp_oneshot_free(oneshot);
    assert_int_equal(tp_oneshot_open(&oneshot, sizeof value), 0); /* dropped */
    tp_oneshot_drop(oneshot);
    assert_int_equal(tp_oneshot_recv(oneshot, &got, TP_FOREVER), TP_ECLOSED);
    tp_oneshot_free(oneshot);
    assert_int_equal(tp_oneshot_open(&oneshot, sizeof value), 0); /* nobody is interested */
    tp_oneshot_free(oneshot);
    assert_int_equal(tp_oneshot_send(oneshot, &value), TP_ECLOSED);
    assert_int_equal(tp_oneshot_open(&oneshot, 0), 0); /* the fact alone */
    assert_int_equal(tp_oneshot_send(oneshot, NULL), 0);
    assert_int_equal(tp_oneshot_recv(oneshot, NULL, 0), 0);
    tp_oneshot_free(oneshot);
    tp_oneshot_free(NULL);
    tp_oneshot_drop(NULL);
}

static void test_oneshot_waits(void **state)
{
    (void)state;
    for (int is_dropped = 0; is_dropped <= 1; is_dropped++) {
        struct crowd crowd = {.n = 0};
        struct tp_oneshot *oneshot;
        int value = 6;
        assert_int_equal(tp_oneshot_open(&oneshot, sizeof value), 0);
        struct actor actor = {.act = receive_once, .thing = oneshot, .deadline_ns = TP_FOREVER};
        actor_start(&crowd, &oneshot->gate, &actor);
        if (is_dropped)
            tp_oneshot_drop(oneshot);
        else
            assert_int_equal(tp_oneshot_send(oneshot, &value), 0);
        actor_await(&actor, is_dropped ? TP_ECLOSED : 0);
        assert_int_equal(actor.value, is_dropped ? 0 : 6);
        crowd_join(&crowd);
        tp_oneshot_free(oneshot);
    }
}

static void *send_one(void *oneshot)
{
    int value = 7;
    if (tp_oneshot_send(oneshot, &value) != 0)
        return oneshot;
    return NULL;
}

/* Each side ends its part when it likes. */
static void test_oneshot_ends(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS / 10; i++) {
        struct crowd crowd = {.n = 0};
        struct tp_oneshot *oneshot;
        int got = 0;
        assert_int_equal(tp_oneshot_open(&oneshot, sizeof got), 0);
        crowd_add(&crowd, send_one, oneshot);
        if (i % 3 != 0) {
            int status = tp_oneshot_recv(oneshot, &got, i % 3 == 1 ? TP_FOREVER : tp_deadline_in_ns(50000));
            assert_true(status == 0 ? got == 7 : status == TP_ETIMEDOUT && i % 3 == 2 && got == 0);
        }
        tp_oneshot_free(oneshot);
        crowd_join(&crowd);
    }
}

/* -- watch ------------------------------------------------------------------------------------------------------ */

static int watch_next(void *thing, struct actor *actor)
{
    return tp_watch_wait(thing, &actor->wanted, &actor->value, actor->deadline_ns);
}

static void test_watch(void **state)
{
    struct crowd crowd = {.n = 0};
    struct actor actors[MANY];
    struct tp_watch *watch;
    int value = 1, got = 0;
    uint64_t version = 0;
    (void)state;
    assert_int_equal(tp_watch_open(&watch, SIZE_MAX, NULL), TP_EINVAL);
    assert_int_equal(tp_watch_open(&watch, sizeof value, &value), 0);
    assert_int_equal(tp_watch_wait(watch, &version, &got, 0), 0); /* the first one is new to who has none */
    assert_int_equal(version, 1);
    assert_int_equal(got, 1);
    assert_int_equal(tp_watch_wait(watch, &version, &got, 0), TP_ETIMEDOUT);
    assert_int_equal(tp_watch_wait(watch, &version, &got, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
    for (int i = 0; i < MANY; i++) {
        actors[i] = (struct actor){.act = watch_next, .thing = watch, .wanted = version, .deadline_ns = TP_FOREVER};
        actor_start(&crowd, &watch->gate, &actors[i]);
    }
    for (value = 2; value <= 3; value++)
        assert_int_equal(tp_watch_set(watch, &value), 0);
    for (int i = 0; i < MANY; i++) {
        actor_await(&actors[i], 0);
        assert_true(actors[i].value == (int)actors[i].wanted && actors[i].value >= 2 && actors[i].value <= 3);
    }
    crowd_join(&crowd);
    assert_int_equal(tp_watch_get(watch, &got), 3);
    assert_int_equal(got, 3);
    assert_int_equal(tp_watch_get(watch, NULL), 3);
    version = 3;
    struct actor late = {.act = watch_next, .thing = watch, .wanted = version, .deadline_ns = TP_FOREVER};
    actor_start(&crowd, &watch->gate, &late);
    tp_watch_close(watch);
    tp_watch_close(watch);
    actor_await(&late, TP_ECLOSED);
    crowd_join(&crowd);
    assert_int_equal(tp_watch_set(watch, &value), TP_ECLOSED);
    assert_int_equal(tp_watch_wait(watch, &version, &got, TP_FOREVER), TP_ECLOSED);
    version = 2; /* who is behind gets the last one first */
    assert_int_equal(tp_watch_wait(watch, &version, &got, TP_FOREVER), 0);
    assert_int_equal(got, 3);
    tp_watch_free(watch);
    tp_watch_free(NULL);
}

struct pair {
    int value, twice;
};

/* Returns how many pairs were torn, or went back. */
static void *watch_all(void *watch)
{
    struct pair pair = {0, 0};
    uint64_t version = 0;
    uintptr_t n_wrong = 0;
    int last = -1, status;
    while ((status = tp_watch_wait(watch, &version, &pair, version % 3 == 0 ? tp_deadline_in_ns(2000) : TP_FOREVER)) != TP_ECLOSED) {
        n_wrong += pair.twice != 2 * pair.value || pair.value < last || (status == 0 && pair.value != (int)version - 1);
        last = pair.value;
    }
    return (void *)(n_wrong + (last != ROUNDS));
}

static void test_watch_load(void **state)
{
    pthread_t threads[THREADS];
    struct tp_watch *watch;
    struct pair pair = {0, 0};
    (void)state;
    assert_int_equal(tp_watch_open(&watch, sizeof pair, &pair), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, watch_all, watch), 0);
    for (int i = 1; i <= ROUNDS; i++) {
        pair = (struct pair){i, 2 * i};
        assert_int_equal(tp_watch_set(watch, &pair), 0);
    }
    tp_watch_close(watch);
    for (int i = 0; i < THREADS; i++) {
        void *n_wrong;
        assert_int_equal(pthread_join(threads[i], &n_wrong), 0);
        assert_null(n_wrong);
    }
    tp_watch_free(watch);
}

/* -- broadcast ---------------------------------------------------------------------------------------------------- */

static void expect_news(struct tp_broadcast *news, struct tp_broadcast_reader *reader, int status, int value)
{
    int got = -1;
    assert_int_equal(tp_broadcast_recv(news, reader, &got, 0), status);
    assert_int_equal(got, status == 0 ? value : -1);
}

static void test_broadcast(void **state)
{
    struct tp_broadcast *news;
    struct tp_broadcast_reader early, late;
    (void)state;
    assert_int_equal(tp_broadcast_open(&news, 4, 0), TP_EINVAL);
    assert_int_equal(tp_broadcast_open(&news, SIZE_MAX, 2), TP_EINVAL);
    assert_int_equal(tp_broadcast_open(&news, sizeof(int), 3), 0);
    tp_broadcast_join(news, &early);
    expect_news(news, &early, TP_ETIMEDOUT, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tp_broadcast_send(news, &i), 0);
    tp_broadcast_join(news, &late);
    expect_news(news, &late, TP_ETIMEDOUT, 0);
    expect_news(news, &early, 0, 0);
    for (int i = 3; i < 8; i++)
        assert_int_equal(tp_broadcast_send(news, &i), 0);
    expect_news(news, &early, TP_ELAGGED, 0); /* 1 to 4 */
    assert_int_equal(early.n_missed, 4);
    expect_news(news, &late, TP_ELAGGED, 0); /* 3 and 4 */
    assert_int_equal(late.n_missed, 2);
    tp_broadcast_close(news);
    assert_int_equal(tp_broadcast_send(news, &(int){8}), TP_ECLOSED);
    for (int i = 5; i < 8; i++) {
        expect_news(news, &early, 0, i);
        expect_news(news, &late, 0, i);
    }
    expect_news(news, &early, TP_ECLOSED, 0);
    expect_news(news, &late, TP_ECLOSED, 0);
    tp_broadcast_free(news);
    tp_broadcast_free(NULL);
}

struct listener {
    struct tp_broadcast *news;
    struct tp_broadcast_reader reader;
};

static int listen_once(void *thing, struct actor *actor)
{
    struct listener *listener = thing;
    return tp_broadcast_recv(listener->news, &listener->reader, &actor->value, actor->deadline_ns);
}

static void test_broadcast_waits(void **state)
{
    struct crowd crowd = {.n = 0};
    struct listener listeners[MANY];
    struct actor actors[MANY];
    struct tp_broadcast *news;
    (void)state;
    assert_int_equal(tp_broadcast_open(&news, sizeof(int), 1), 0);
    for (int round = 0; round <= 1; round++) {
        for (int i = 0; i < MANY; i++) {
            listeners[i].news = news;
            tp_broadcast_join(news, &listeners[i].reader);
            actors[i] = (struct actor){.act = listen_once, .thing = &listeners[i], .deadline_ns = TP_FOREVER};
            actor_start(&crowd, &news->gate, &actors[i]);
        }
        if (round == 0)
            assert_int_equal(tp_broadcast_send(news, &(int){9}), 0);
        else
            tp_broadcast_close(news);
        for (int i = 0; i < MANY; i++) {
            actor_await(&actors[i], round == 0 ? 0 : TP_ECLOSED);
            assert_int_equal(actors[i].value, round == 0 ? 9 : 0);
        }
        crowd_join(&crowd);
    }
    tp_broadcast_free(news);
}

/* Sees each value in order, or hears that it has missed it. Returns how often not. */
static void *listen_to_all(void *argument)
{
    struct listener *listener = argument;
    uintptr_t n_wrong = 0;
    int next = 0, status, value;
    for (int i = 0; (status = tp_broadcast_recv(listener->news, &listener->reader, &value, i % 5 == 0 ? tp_deadline_in_ns(2000) : TP_FOREVER)) != TP_ECLOSED; i++) {
        if (status == TP_ELAGGED)
            next += (int)listener->reader.n_missed;
        else if (status == 0)
            n_wrong += value != next++;
    }
    return (void *)(n_wrong + (next != ROUNDS));
}

static void test_broadcast_load(void **state)
{
    pthread_t threads[THREADS];
    struct listener listeners[THREADS];
    struct tp_broadcast *news;
    (void)state;
    assert_int_equal(tp_broadcast_open(&news, sizeof(int), 8), 0);
    for (int i = 0; i < THREADS; i++) {
        listeners[i].news = news;
        tp_broadcast_join(news, &listeners[i].reader);
        assert_int_equal(pthread_create(&threads[i], NULL, listen_to_all, &listeners[i]), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(tp_broadcast_send(news, &i), 0);
        if (i % 16 == 0)
            sched_yield();
    }
    tp_broadcast_close(news);
    for (int i = 0; i < THREADS; i++) {
        void *n_wrong;
        assert_int_equal(pthread_join(threads[i], &n_wrong), 0);
        assert_null(n_wrong);
    }
    tp_broadcast_free(news);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oneshot),
        cmocka_unit_test(test_oneshot_waits),
        cmocka_unit_test(test_oneshot_ends),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_watch_load),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_broadcast_waits),
        cmocka_unit_test(test_broadcast_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
