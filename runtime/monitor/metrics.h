/* Metrics: what the process, its pools and their workers count, under stable names with units, as one list that describes itself.
 * Invariant: a name's kind and unit never change; a counter never falls while its pool is not reopened. The table is in
 * runtime/monitor/metrics.c and, in words, in docs/metrics.md.
 *
 * On reading, the numbers are copied first and told afterwards, so nobody waits for who reads them. */
#ifndef TP_METRICS_H
#define TP_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../histogram.h"

#ifdef __cplusplus
extern "C" {
#endif

enum tp_metric_kind {
    TP_METRIC_COUNTER,  /* only grows */
    TP_METRIC_GAUGE,    /* a number of now */
    TP_METRIC_HISTOGRAM /* how often which value */
};

/* Of what there is one sample each. */
enum tp_metric_scope {
    TP_METRIC_OF_PROCESS,
    TP_METRIC_OF_POOL,
    TP_METRIC_OF_WORKER
};

struct tp_metric {
    const char *name; /* begins with "tidepool_", and ends with the unit if there is one */
    const char *unit; /* "seconds", "bytes", "ratio", or of what it is a number; "": that is in the name */
    const char *help; /* a sentence without its full stop */
    enum tp_metric_kind kind;
    enum tp_metric_scope scope;
};

struct tp_sample {
    const struct tp_metric *metric;
    const char *pool;                     /* its name; NULL: of the process */
    uint64_t instance;                    /* tells pools of one name apart; their order is that in which they came */
    int worker;                           /* its index; -1: of the pool, or the process */
    const char *state;                    /* of tidepool_worker_state: the word whose sample this is; else NULL */
    double value;                         /* of a histogram: how many values */
    const struct tp_histogram *histogram; /* in nanoseconds; as long as what was read; else NULL */
};

/* What was read at a moment. */
struct tp_metrics;

/* tp_metrics_at: the metrics there are, one by one; static. NULL for an index beyond the last.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
const struct tp_metric *tp_metrics_at(size_t index);

/* tp_metrics_read: the numbers of now. Pools on the roll are told of (runtime/monitor/roll.h); what a pool does not keep is missing.
 * out: receives them; ends with tp_metrics_free; untouched on error.
 * Returns 0 or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_metrics_read(struct tp_metrics **out);

/* tp_metrics_each: call f for each sample; all of one metric follow each other, in the order of tp_metrics_at.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_metrics_each(const struct tp_metrics *metrics, void (*f)(const struct tp_sample *sample, void *context), void *context);

/* tp_metrics_text: the same as text, in the OpenMetrics format or in that of Prometheus, version 0.0.4.
 * out: receives it, as malloc gave it, with a 0 at its end; untouched on error. n: receives its length without that.
 * Returns 0 or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_metrics_text(const struct tp_metrics *metrics, bool is_open, char **out, size_t *n);

/* tp_metrics_free: the end of what was read. NULL does nothing.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_metrics_free(struct tp_metrics *metrics);

#ifdef __cplusplus
}
#endif

#endif
