/* A histogram of durations in nanoseconds: how often which, to within an eighth.
 * Every power of two is cut into 8 buckets of equal width, so a bucket is at most an eighth as wide as
 * its smallest value; 0 to 15 have a bucket each (log-linear, after G. Tene's HdrHistogram).
 * Invariant: struct tp_histogram is plain data, counts that add up; any two of them may be added.
 * Threads record into a struct tp_histogram_live (histogram_live.h) and snapshots are read from it.
 * docs/statistics.md says how exact the numbers are. */
#ifndef TP_HISTOGRAM_H
#define TP_HISTOGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Values from here on (18 minutes in nanoseconds) count as the largest below. */
#define TP_HISTOGRAM_LIMIT (UINT64_C(1) << 40)

enum { TP_HISTOGRAM_BUCKETS = 304 };

struct tp_histogram {
    uint64_t counts[TP_HISTOGRAM_BUCKETS]; /* how many values fell into each bucket, by weight */
};

/* The bucket of a value. */
static inline unsigned tp_histogram_bucket(uint64_t value)
{
    value = value < TP_HISTOGRAM_LIMIT ? value : TP_HISTOGRAM_LIMIT - 1;
    /* The highest four bits of the value tell the buckets of one power of two apart. */
    unsigned shift = 60u - (unsigned)__builtin_clzll(value | 8);
    return shift * 8 + (unsigned)(value >> shift);
}

/* The smallest value of a bucket; of TP_HISTOGRAM_BUCKETS: TP_HISTOGRAM_LIMIT. */
static inline uint64_t tp_histogram_low(unsigned bucket)
{
    return bucket < 16 ? bucket : (UINT64_C(8) + bucket % 8) << (bucket / 8 - 1);
}

/* The largest value of a bucket. The last one also holds everything beyond. */
static inline uint64_t tp_histogram_high(unsigned bucket)
{
    return tp_histogram_low(bucket + 1) - 1;
}

/* tp_histogram_count: how many values there are, by weight.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_histogram_count(const struct tp_histogram *histogram);

/* tp_histogram_quantile: the value that a share of the values does not exceed, estimated.
 * q: the share, 0.5 for the median, 0.99 for the 99th percentile; what is below 0 or no number
 * counts as 0, what is above 1 as 1.
 * Returns a value in the bucket of the k-th smallest, k = ceil(q * count), at least 1: off by less than
 * an eighth of it, if that was below TP_HISTOGRAM_LIMIT. 0 if there are no values.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_histogram_quantile(const struct tp_histogram *histogram, double q);

/* tp_histogram_min: no value is smaller; the smallest is less than an eighth larger. 0 if there are none.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_histogram_min(const struct tp_histogram *histogram);

/* tp_histogram_max: no value is larger, unless this is TP_HISTOGRAM_LIMIT - 1: then there may be any.
 * The largest is less than an eighth of itself smaller. 0 if there are none.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_histogram_max(const struct tp_histogram *histogram);

/* tp_histogram_mean: the average, each value taken as the middle of its bucket: off by less than a
 * sixteenth, if all were below TP_HISTOGRAM_LIMIT. 0 if there are none.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
double tp_histogram_mean(const struct tp_histogram *histogram);

/* tp_histogram_merge: adds the counts of another histogram.
 * into, from: the caller's; may be the same.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_histogram_merge(struct tp_histogram *into, const struct tp_histogram *from);

#ifdef __cplusplus
}
#endif

#endif
