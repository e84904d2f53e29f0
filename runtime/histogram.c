/* Histograms: what can be read out of the counts. docs/statistics.md says how exact it is.
 * Invariant: an estimate never leaves the bucket that holds the true value. */
#include "histogram.h"

#include <float.h>

#include "histogram_live.h"

uint64_t tp_histogram_count(const struct tp_histogram *histogram)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
        count += histogram->counts[i];
    return count;
}

/* ceil(q * count) in 1 to count. What rounding put a hair above a whole number is that number. */
static uint64_t rank_of(double q, uint64_t count)
{
    if (!(q > 0)) /* no number is not greater either */
        return 1;
    double exact = q * (double)count * (1 - 2 * DBL_EPSILON);
    if (q >= 1 || exact >= (double)count)
        return count;
    uint64_t rank = (uint64_t)exact;
    return rank + ((double)rank < exact || rank == 0);
}

/* The value of the k-th of n values in a bucket, k from 1, were they spread evenly over it. */
static uint64_t spread(unsigned bucket, uint64_t k, uint64_t n)
{
    uint64_t low = tp_histogram_low(bucket), width = tp_histogram_low(bucket + 1) - low;
    uint64_t offset = (uint64_t)((double)width * (((double)k - 0.5) / (double)n));
    return low + (offset < width ? offset : width - 1); /* rounded up, at most */
}

uint64_t tp_histogram_quantile(const struct tp_histogram *histogram, double q)
{
    uint64_t count = tp_histogram_count(histogram);
    if (count == 0)
        return 0;
    uint64_t rank = rank_of(q, count);
    unsigned bucket = 0;
    while (rank > histogram->counts[bucket]) /* the ranks end with the last bucket that is not empty */
        rank -= histogram->counts[bucket++];
    return spread(bucket, rank, histogram->counts[bucket]);
}

uint64_t tp_histogram_min(const struct tp_histogram *histogram)
{
    for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
        if (histogram->counts[i] != 0)
            return tp_histogram_low(i);
    return 0;
}

uint64_t tp_histogram_max(const struct tp_histogram *histogram)
{
    for (unsigned i = TP_HISTOGRAM_BUCKETS; i > 0; i--)
        if (histogram->counts[i - 1] != 0)
            return tp_histogram_high(i - 1);
    return 0;
}

double tp_histogram_mean(const struct tp_histogram *histogram)
{
    double sum = 0, count = 0;
    for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++) {
        double n = (double)histogram->counts[i];
        sum += n * ((double)tp_histogram_low(i) + (double)tp_histogram_high(i)) / 2;
        count += n;
    }
    return count > 0 ? sum / count : 0;
}

void tp_histogram_merge(struct tp_histogram *into, const struct tp_histogram *from)
{
    for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
        into->counts[i] += from->counts[i];
}

void tp_histogram_read(struct tp_histogram_live *live, struct tp_histogram *snapshot)
{
    for (unsigned i = 0; i < TP_HISTOGRAM_BUCKETS; i++)
        snapshot->counts[i] += tp_load_rlx(&live->counts[i]); /* relaxed: a count publishes nothing */
}
