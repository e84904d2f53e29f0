/* The template of a multi-pool, over pools that are not real: it opens them in order, hands everything on, and closes
 * them again if one cannot be opened. tests/runtime/test_multi.c is about what happens behind it. */
#include "tests/support/fake_pool.h"

static struct tp_pool_ops part_ops; /* of the pools; main fills it */

#define WITH_CLASSES 1
#define WITH_STATS 1
#define WITH_TRACKING 1
#define WITH_TUNE 1
#define VALUE_PAYLOAD int
#define VALUE_MEMBERS MEMBERS(2), MEMBERS(1)
#define VALUE_BALANCE TP_BALANCE_ROUND_ROBIN
#define MEMBERS(n)   \
    {                \
        &part_ops, n \
    }
#include "gen/parts/multi.c"

static struct job_pool *pool;
static int n_open, open_answers[3];

static int fake_open(void **out, const struct tp_pool_settings *settings)
{
    int status = open_answers[n_open];
    note(" open %s %d", fakes[n_open].name, settings ? (int)settings->capacity : 0);
    if (status == 0)
        *out = &fakes[n_open++];
    return status;
}

static int start(const struct tp_pool_settings *settings)
{
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++)
        fakes[i] = (struct fake){.name = names[i], .counts = {.capacity = 10, .free = 10}};
    n_open = 0;
    forget();
    return job_pool_open(&pool, settings);
}

static void test_open(void **state)
{
    (void)state;
    struct tp_pool_settings settings = {.capacity = 7};
    assert_int_equal(start(NULL), 0);
    assert_written(" open a 0 open b 0 open c 0");
    job_pool_free(pool);
    assert_written(" close a 0 close b 0 close c 0 free a free b free c");
    assert_int_equal(start(&settings), 0);
    assert_written(" open a 7 open b 7 open c 7");
    job_pool_abandon(pool);
    assert_written(" abandon a abandon b abandon c");
    pool = NULL;
    open_answers[2] = TP_ETHREAD;
    assert_int_equal(start(NULL), TP_ETHREAD);
    assert_null(pool);
    assert_written(" open a 0 open b 0 open c 0 free b free a");
    open_answers[2] = 0;
}

static void test_tasks(void **state)
{
    (void)state;
    int payloads[] = {1, 2, 3};
    size_t n;
    struct tp_multi_id id;
    struct tp_task_result result;
    assert_int_equal(start(NULL), 0);
    do
        assert_int_equal(job_submit(pool, 5), 0);
    while (fakes[2].counts.pending == 0); /* the first turn depends on the thread */
    forget();
    assert_int_equal(job_submit(pool, 5), 0);
    assert_int_equal(job_submit_batch(pool, payloads, 3, &n), 0);
    assert_int_equal(job_submit_class(pool, 2, 6), 0);
    assert_written(" a5 b1 c2 a3 b6/2");
    assert_int_equal(job_spawn_class(pool, 1, 8, &id), 0);
    assert_int_equal(job_wait(pool, id, 9, &result), 0);
    assert_int_equal(job_join(pool, id, 9, &result), 0);
    assert_int_equal(job_cancel_task(pool, id), TP_ESTALE);
    assert_int_equal(job_detach(pool, id), 0);
    assert_int_equal(id.member, 2);
    forget();
    assert_int_equal(job_spawn(pool, 9, &id), 0);
    assert_written(" a9/4294967295!"); /* of no class */
    job_pool_free(pool);
}

static void test_all(void **state)
{
    (void)state;
    struct tp_pool_counts counts;
    struct tp_pool_stats stats;
    assert_int_equal(start(NULL), 0);
    forget();
    assert_int_equal(job_join_all(pool, 9), 0);
    assert_written(" join a join b join c");
    assert_int_equal(job_pool_tune(pool, 4), 0);
    assert_int_equal(job_pool_tune_workers(pool, 3), 0);
    assert_written(" tune a 4 tune b 4 tune c 4 workers a 3 workers b 3 workers c 3");
    assert_int_equal(job_pool_close(pool, 0), TP_ETIMEDOUT);
    assert_int_equal(job_pool_cancel(pool, 0), TP_ETIMEDOUT);
    assert_int_equal(job_pool_reopen(pool), 0);
    assert_written(" close a 0 close b 0 close c 0 cancel a 0 cancel b 0 cancel c 0 reopen a reopen b reopen c");
    job_pool_counts(pool, &counts);
    assert_int_equal(counts.capacity, 30);
    job_pool_member_counts(pool, 1, &counts);
    assert_int_equal(counts.capacity, 10);
    fakes[2].stats.submitted = 4;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.submitted, 4);
    job_pool_free(pool);
}

int main(void)
{
    part_ops = whole_ops;
    part_ops.open = fake_open;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
