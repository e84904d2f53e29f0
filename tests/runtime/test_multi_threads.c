/* Multi-pools under threads: even turns, nothing lost, and a join that is not deceived by tasks that hop from member to
 * member. The members are one thread and one mutex each. */
#include "tests/support/unit.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/multi.h"

#include <stdbool.h>
#include <string.h>

enum { MEMBERS = 3,
    QUEUE = 1 << 12,
    SUBMITTERS = 4,
    TASKS = 3000,
    HOPS = 400,
    ROUNDS = 40 };

/* A pool that runs a task by submitting another one, with one hop less, until there are none left. */
struct tiny {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    int tasks[QUEUE];
    size_t n_put, n_begun, n_ended; /* n_put - n_ended are in flight */
    size_t n_max;
    bool is_closed, is_running_one;
    int n_failed;
};

static struct tiny tinies[MEMBERS];
static struct tp_multi *multi;

static bool is_self(struct tiny *tiny)
{
    return tiny->is_running_one && pthread_equal(pthread_self(), tiny->thread);
}

static void *tiny_main(void *argument)
{
    struct tiny *tiny = argument;
    pthread_mutex_lock(&tiny->lock);
    for (;;) {
        while (tiny->n_begun == tiny->n_put && !tiny->is_closed)
            pthread_cond_wait(&tiny->changed, &tiny->lock);
        if (tiny->n_begun == tiny->n_put)
            break;
        int hops = tiny->tasks[tiny->n_begun++ % QUEUE] - 1;
        tiny->is_running_one = true;
        pthread_mutex_unlock(&tiny->lock);
        int status = hops > 0 ? tp_multi_submit(multi, &hops) : 0;
        pthread_mutex_lock(&tiny->lock);
        tiny->is_running_one = false;
        tiny->n_failed += status != 0;
        tiny->n_ended++;
        pthread_cond_broadcast(&tiny->changed);
    }
    pthread_mutex_unlock(&tiny->lock);
    return NULL;
}

static int tiny_submit_batch(void *pool, const void *payloads, size_t n, size_t *n_accepted)
{
    struct tiny *tiny = pool;
    pthread_mutex_lock(&tiny->lock);
    size_t n_free = tiny->n_max - (tiny->n_put - tiny->n_ended);
    *n_accepted = n < n_free ? n : n_free;
    for (size_t i = 0; i < *n_accepted; i++)
        tiny->tasks[tiny->n_put++ % QUEUE] = ((const int *)payloads)[i];
    pthread_cond_broadcast(&tiny->changed);
    pthread_mutex_unlock(&tiny->lock);
    return *n_accepted < n ? TP_EFULL : 0;
}

static int tiny_submit(void *pool, const void *payload)
{
    size_t n_accepted;
    return tiny_submit_batch(pool, payload, 1, &n_accepted);
}

static int tiny_join_all(void *pool, uint64_t deadline_ns)
{
    struct tiny *tiny = pool;
    pthread_mutex_lock(&tiny->lock);
    int status = is_self(tiny) ? TP_EDEADLK : 0;
    while (status == 0 && tiny->n_ended < tiny->n_put)
        if (deadline_ns == 0)
            status = TP_ETIMEDOUT;
        else
            pthread_cond_wait(&tiny->changed, &tiny->lock);
    pthread_mutex_unlock(&tiny->lock);
    return status;
}

static int tiny_close(void *pool, uint64_t deadline_ns)
{
    struct tiny *tiny = pool;
    pthread_mutex_lock(&tiny->lock);
    tiny->is_closed = true;
    pthread_cond_broadcast(&tiny->changed);
    pthread_mutex_unlock(&tiny->lock);
    return deadline_ns == 0 ? TP_ETIMEDOUT : tiny_join_all(pool, deadline_ns);
}

static void tiny_free(void *pool)
{
    struct tiny *tiny = pool;
    tiny_close(tiny, TP_FOREVER);
    pthread_join(tiny->thread, NULL);
    pthread_mutex_destroy(&tiny->lock);
    pthread_cond_destroy(&tiny->changed);
}

static void tiny_counts(void *pool, struct tp_pool_counts *out)
{
    struct tiny *tiny = pool;
    pthread_mutex_lock(&tiny->lock);
    *out = (struct tp_pool_counts){.capacity = tiny->n_max, .pending = tiny->n_put - tiny->n_begun, .running = tiny->n_begun - tiny->n_ended, .free = tiny->n_max - (tiny->n_put - tiny->n_ended)};
    pthread_mutex_unlock(&tiny->lock);
}

static void tiny_flow(void *pool, uint64_t *accepted, uint64_t *over)
{
    struct tiny *tiny = pool;
    pthread_mutex_lock(&tiny->lock);
    *accepted = tiny->n_put;
    *over = tiny->n_ended;
    pthread_mutex_unlock(&tiny->lock);
}

static void tiny_settings(void *pool, struct tp_pool_settings *out)
{
    *out = (struct tp_pool_settings){.overload = TP_OVERLOAD_REJECT, .capacity = ((struct tiny *)pool)->n_max};
}

static struct tp_pool_ops tiny_ops = {.name = "tiny", .payload_bytes = sizeof(int), .n_classes = 1, .submit = tiny_submit, .submit_batch = tiny_submit_batch, .join_all = tiny_join_all, .close = tiny_close, .free = tiny_free, .counts = tiny_counts, .settings = tiny_settings};

/* counting: the members say what they accepted. */
static void start(enum tp_balance balance, size_t n_max, bool counting)
{
    tiny_ops.flow = counting ? tiny_flow : NULL;
    struct tp_multi_member members[MEMBERS];
    for (int i = 0; i < MEMBERS; i++) {
        memset(&tinies[i], 0, sizeof tinies[i]);
        tinies[i].n_max = n_max;
        pthread_mutex_init(&tinies[i].lock, NULL);
        pthread_cond_init(&tinies[i].changed, NULL);
        members[i] = (struct tp_multi_member){&tiny_ops, &tinies[i]};
    }
    assert_int_equal(tp_multi_open(&multi, members, MEMBERS, balance), 0);
    for (int i = 0; i < MEMBERS; i++)
        assert_int_equal(pthread_create(&tinies[i].thread, NULL, tiny_main, &tinies[i]), 0);
}

static size_t n_ended(void)
{
    size_t n = 0;
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal(tinies[i].n_failed, 0);
        n += tinies[i].n_ended;
    }
    return n;
}

/* Submits TASKS tasks, one by one and in batches, against members that are often full. */
static void *submit_all(void *accepted)
{
    int payloads[7] = {1, 1, 1, 1, 1, 1, 1};
    size_t n = 0, n_put;
    while (n < TASKS) {
        size_t want = n % 7 + 1 < TASKS - n ? n % 7 + 1 : TASKS - n;
        if (want == 1)
            n += tp_multi_submit(multi, payloads) == 0;
        else if (tp_multi_submit_batch(multi, payloads, want, &n_put) == 0 || n_put > 0)
            n += n_put;
    }
    *(size_t *)accepted = n;
    return NULL;
}

static void test_nothing_is_lost(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        struct crowd crowd = {.n = 0};
        size_t accepted[SUBMITTERS], n = 0;
        start(variant % 2 ? TP_BALANCE_ROUND_ROBIN : TP_BALANCE_LEAST_TASKS, 16, variant / 2);
        for (int i = 0; i < SUBMITTERS; i++)
            crowd_add(&crowd, submit_all, &accepted[i]);
        crowd_join(&crowd);
        assert_int_equal(tp_multi_join_all(multi, TP_FOREVER), 0);
        for (int i = 0; i < SUBMITTERS; i++)
            n += accepted[i];
        assert_int_equal(n_ended(), n);
        tp_multi_free(multi);
    }
}

static void test_one_submitter_is_even(void **state)
{
    (void)state;
    int payload = 1;
    start(TP_BALANCE_ROUND_ROBIN, QUEUE, false);
    for (int i = 0; i < MEMBERS * 500; i++)
        assert_int_equal(tp_multi_submit(multi, &payload), 0);
    assert_int_equal(tp_multi_join_all(multi, TP_FOREVER), 0);
    for (int i = 0; i < MEMBERS; i++)
        assert_int_equal(tinies[i].n_ended, 500);
    tp_multi_free(multi);
}

static void test_join_follows_hops(void **state)
{
    (void)state;
    int hops = HOPS;
    for (int variant = 0; variant < 4; variant++) {
        start(variant % 2 ? TP_BALANCE_ROUND_ROBIN : TP_BALANCE_LEAST_TASKS, QUEUE, variant / 2);
        for (size_t i = 1; i <= ROUNDS; i++) {
            assert_int_equal(tp_multi_submit(multi, &hops), 0);
            assert_int_equal(tp_multi_join_all(multi, TP_FOREVER), 0);
            assert_int_equal(n_ended(), i * HOPS);
        }
        tp_multi_free(multi);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_lost),
        cmocka_unit_test(test_one_submitter_is_even),
        cmocka_unit_test(test_join_follows_hops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
