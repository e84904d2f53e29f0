/* Histograms: the buckets edge by edge, the stated errors, weights, merging, and one live writer. */
#include "tests/support/unit.h"

#include "runtime/histogram.h"
#include "runtime/histogram_live.h"

#include <math.h>
#include <string.h>

enum { BUCKETS = TP_HISTOGRAM_BUCKETS,
    ADDS = 200000 };

static struct tp_histogram_live live;
static struct tp_histogram snapshot;

static int set_up(void **state)
{
    (void)state;
    tp_histogram_live_init(&live);
    memset(&snapshot, 0, sizeof snapshot);
    return 0;
}

static struct tp_histogram *look(void)
{
    memset(&snapshot, 0, sizeof snapshot);
    tp_histogram_read(&live, &snapshot);
    return &snapshot;
}

/* Is the estimate within an eighth of the true value? */
static void check_close(uint64_t estimate, uint64_t truth)
{
    uint64_t off = estimate > truth ? estimate - truth : truth - estimate;
    if (off * 8 > truth || (off > 0 && off * 8 == truth))
        fail_msg("%llu for %llu", (unsigned long long)estimate, (unsigned long long)truth);
}

static void test_buckets_have_no_gaps(void **state)
{
    (void)state;
    assert_int_equal(tp_histogram_low(0), 0);
    for (unsigned i = 0; i < BUCKETS; i++) {
        uint64_t low = tp_histogram_low(i), high = tp_histogram_high(i);
        assert_true(low <= high);
        assert_int_equal(tp_histogram_bucket(low), i);
        assert_int_equal(tp_histogram_bucket(low + (high - low) / 2), i);
        assert_int_equal(tp_histogram_bucket(high), i);
        assert_int_equal(tp_histogram_low(i + 1), high + 1);
        assert_true((high - low) * 8 < (low > 0 ? low : 1)); /* the stated width */
    }
    assert_int_equal(tp_histogram_high(BUCKETS - 1), TP_HISTOGRAM_LIMIT - 1);
}

static void test_small_values_have_their_own_bucket(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 16; i++) {
        assert_int_equal(tp_histogram_bucket(i), i);
        assert_int_equal(tp_histogram_low((unsigned)i), i);
    }
    assert_int_equal(tp_histogram_bucket(16), tp_histogram_bucket(17));
}

static void test_large_values_are_clipped(void **state)
{
    (void)state;
    assert_int_equal(tp_histogram_bucket(TP_HISTOGRAM_LIMIT), BUCKETS - 1);
    assert_int_equal(tp_histogram_bucket(UINT64_MAX), BUCKETS - 1);
    tp_histogram_add(&live, UINT64_MAX, 1);
    assert_int_equal(tp_histogram_count(look()), 1);
    assert_int_equal(tp_histogram_max(&snapshot), TP_HISTOGRAM_LIMIT - 1);
    assert_true(tp_histogram_quantile(&snapshot, 1) < TP_HISTOGRAM_LIMIT);
}

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(tp_histogram_count(look()), 0);
    assert_int_equal(tp_histogram_quantile(&snapshot, 0.5), 0);
    assert_int_equal(tp_histogram_min(&snapshot), 0);
    assert_int_equal(tp_histogram_max(&snapshot), 0);
    assert_true(tp_histogram_mean(&snapshot) == 0);
}

/* At each edge of each bucket, alone and among 1000 of the same bucket. */
static void test_errors_at_every_edge(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BUCKETS; i++) {
        uint64_t edges[] = {tp_histogram_low(i), tp_histogram_high(i)};
        for (unsigned e = 0; e < 2; e++)
            for (unsigned weight = 1; weight <= 1000; weight += 999) {
                set_up(NULL);
                tp_histogram_add(&live, edges[e], weight);
                look();
                assert_int_equal(tp_histogram_count(&snapshot), weight);
                for (double q = 0; q <= 1; q += 0.125)
                    check_close(tp_histogram_quantile(&snapshot, q), edges[e]);
                check_close(tp_histogram_min(&snapshot), edges[e]);
                check_close(tp_histogram_max(&snapshot), edges[e]);
                assert_true(tp_histogram_min(&snapshot) <= edges[e] && edges[e] <= tp_histogram_max(&snapshot));
                double mean = tp_histogram_mean(&snapshot), truth = (double)edges[e];
                assert_true(fabs(mean - truth) * 16 <= truth);
            }
    }
}

static void test_quantiles_of_known_values(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 1000; i++)
        tp_histogram_add(&live, i * 1000, 1);
    look();
    for (unsigned k = 1; k <= 1000; k++)
        check_close(tp_histogram_quantile(&snapshot, k / 1000.0), k * 1000);
    assert_true(fabs(tp_histogram_mean(&snapshot) - 500500) * 16 < 500500);
}

/* Values spread evenly: interpolation is far better than the bound. */
static void test_interpolation(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 4096; i++)
        tp_histogram_add(&live, 4096 + i, 1);
    look();
    for (unsigned k = 1; k <= 4096; k++) {
        uint64_t estimate = tp_histogram_quantile(&snapshot, k / 4096.0);
        assert_int_equal(estimate, 4096 + k - 1);
    }
}

static void test_ranks(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        tp_histogram_add(&live, i, 10); /* ranks 10 i + 1 to 10 i + 10 */
    look();
    for (unsigned percent = 1; percent <= 100; percent++)
        assert_int_equal(tp_histogram_quantile(&snapshot, percent / 100.0), (percent - 1) / 10);
    assert_int_equal(tp_histogram_quantile(&snapshot, 0), 0);
    assert_int_equal(tp_histogram_quantile(&snapshot, -1), 0);
    assert_int_equal(tp_histogram_quantile(&snapshot, (double)NAN), 0);
    assert_int_equal(tp_histogram_quantile(&snapshot, 7), 9);
    assert_int_equal(tp_histogram_quantile(&snapshot, (double)INFINITY), 9);
    assert_int_equal(tp_histogram_quantile(&snapshot, 0.100001), 1);
}

/* Shares whose product with the count is rounded to a hair above the rank. */
static void test_ranks_despite_rounding(void **state)
{
    (void)state;
    const unsigned ranks[] = {0, 7, 14, 28, 55, 100};
    for (unsigned i = 0; i < 5; i++)
        tp_histogram_add(&live, i, ranks[i + 1] - ranks[i]);
    look();
    assert_true(0.07 * 100 > 7 && 0.55 * 100 > 55);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(tp_histogram_quantile(&snapshot, ranks[i + 1] / 100.0), i);
}

static void test_huge_counts(void **state)
{
    (void)state;
    tp_histogram_add(&live, 3, UINT64_MAX / 2);
    tp_histogram_add(&live, 1000, UINT64_MAX / 2);
    look();
    assert_int_equal(tp_histogram_count(&snapshot), UINT64_MAX - 1);
    assert_int_equal(tp_histogram_quantile(&snapshot, 0.25), 3);
    check_close(tp_histogram_quantile(&snapshot, 0.75), 1000);
    check_close(tp_histogram_quantile(&snapshot, 1), 1000);
    assert_int_equal(tp_histogram_quantile(&snapshot, 0), 3);
}

static void test_weights_and_merging(void **state)
{
    (void)state;
    struct tp_histogram other = {{0}};
    tp_histogram_add(&live, 5, 3);
    tp_histogram_read(&live, &other);
    tp_histogram_add(&live, 5, 4);
    tp_histogram_add(&live, 900, 1);
    tp_histogram_add(&live, 900, 0);
    look();
    assert_int_equal(snapshot.counts[5], 7);
    assert_int_equal(tp_histogram_count(&snapshot), 8);
    tp_histogram_merge(&other, &snapshot);
    assert_int_equal(other.counts[5], 10);
    assert_int_equal(tp_histogram_count(&other), 11);
    tp_histogram_merge(&other, &other);
    assert_int_equal(tp_histogram_count(&other), 22);
    tp_histogram_read(&live, &other); /* a reading adds, so that workers sum up */
    assert_int_equal(tp_histogram_count(&other), 30);
    assert_int_equal(tp_histogram_min(&other), 5);
    tp_histogram_live_clear(&live);
    assert_int_equal(tp_histogram_count(look()), 0);
}

static void *writer(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; i < ADDS; i++)
        tp_histogram_add(&live, i, 2);
    return NULL;
}

static void test_a_reader_meanwhile(void **state)
{
    (void)state;
    struct crowd crowd = {.n = 0};
    crowd_add(&crowd, writer, NULL);
    uint64_t count = 0;
    do {
        uint64_t now = tp_histogram_count(look());
        assert_true(now >= count && now <= 2 * ADDS);
        count = now;
    } while (count < 2 * ADDS);
    crowd_join(&crowd);
    for (uint64_t i = 0; i < 16; i++)
        assert_int_equal(snapshot.counts[i], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_buckets_have_no_gaps, set_up),
        cmocka_unit_test_setup(test_small_values_have_their_own_bucket, set_up),
        cmocka_unit_test_setup(test_large_values_are_clipped, set_up),
        cmocka_unit_test_setup(test_empty, set_up),
        cmocka_unit_test_setup(test_errors_at_every_edge, set_up),
        cmocka_unit_test_setup(test_quantiles_of_known_values, set_up),
        cmocka_unit_test_setup(test_interpolation, set_up),
        cmocka_unit_test_setup(test_ranks, set_up),
        cmocka_unit_test_setup(test_ranks_despite_rounding, set_up),
        cmocka_unit_test_setup(test_huge_counts, set_up),
        cmocka_unit_test_setup(test_weights_and_merging, set_up),
        cmocka_unit_test_setup(test_a_reader_meanwhile, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
