/* Metrics as text: the OpenMetrics format (RFC draft-richih-opsawg-openmetrics-00), or that of Prometheus, which differs in the names
 * of counters, in the unit and in the end. Invariant: what is between quotes is escaped, so no name of a pool breaks a line. */
#include "metrics.h"

#include "../base/status.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Of a latency, the bounds told: powers of two, from about a microsecond to about nine seconds. */
enum {
    FIRST_BOUND = 10,
    LAST_BOUND = 33
};

struct writer {
    FILE *out;
    bool is_open;
    const struct tp_metric *metric; /* whose head was written last */
};

static void write_head(struct writer *to, const struct tp_metric *metric)
{
    static const char *const kinds[] = {[TP_METRIC_COUNTER] = "counter", [TP_METRIC_GAUGE] = "gauge", [TP_METRIC_HISTOGRAM] = "histogram"};
    const char *suffix = metric->kind == TP_METRIC_COUNTER && !to->is_open ? "_total" : "";
    fprintf(to->out, "# HELP %s%s %s.\n# TYPE %s%s %s\n", metric->name, suffix, metric->help, metric->name, suffix, kinds[metric->kind]);
    if (to->is_open && metric->unit[0] != '\0')
        fprintf(to->out, "# UNIT %s %s\n", metric->name, metric->unit);
    to->metric = metric;
}

static void write_quoted(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\' || *text == '\n')
            putc('\\', out);
        putc(*text == '\n' ? 'n' : *text, out);
    }
    putc('"', out);
}

/* Name, labels and a space. le: another label, NULL: none. */
static void write_name(FILE *out, const struct tp_sample *sample, const char *suffix, const char *le)
{
    fprintf(out, "%s%s", sample->metric->name, suffix);
    if (sample->pool) {
        fputs("{pool=", out);
        write_quoted(out, sample->pool);
        fprintf(out, ",instance=\"%" PRIu64 "\"", sample->instance);
        if (sample->worker >= 0)
            fprintf(out, ",worker=\"%d\"", sample->worker);
        if (sample->state)
            fprintf(out, ",state=\"%s\"", sample->state);
        if (le)
            fprintf(out, ",le=\"%s\"", le);
        putc('}', out);
    }
    putc(' ', out);
}

static void write_number(FILE *out, double value)
{
    if (isinf(value))
        fputs(value > 0 ? "+Inf\n" : "-Inf\n", out);
    else
        fprintf(out, "%.15g\n", value);
}

static void write_histogram(FILE *out, const struct tp_sample *sample)
{
    uint64_t n = 0;
    unsigned bucket = 0;
    for (int i = FIRST_BOUND; i <= LAST_BOUND; i++) {
        char le[32];
        while (bucket < TP_HISTOGRAM_BUCKETS && tp_histogram_high(bucket) < UINT64_C(1) << i)
            n += sample->histogram->counts[bucket++];
        snprintf(le, sizeof le, "%.9g", (double)(UINT64_C(1) << i) / 1e9);
        write_name(out, sample, "_bucket", le);
        write_number(out, (double)n);
    }
    write_name(out, sample, "_bucket", "+Inf");
    write_number(out, sample->value);
    write_name(out, sample, "_sum", NULL);
    write_number(out, tp_histogram_mean(sample->histogram) * sample->value / 1e9);
    write_name(out, sample, "_count", NULL);
    write_number(out, sample->value);
}

static void write_sample(const struct tp_sample *sample, void *context)
{
    struct writer *to = context;
    if (to->metric != sample->metric)
        write_head(to, sample->metric);
    if (sample->histogram) {
        write_histogram(to->out, sample);
        return;
    }
    write_name(to->out, sample, sample->metric->kind == TP_METRIC_COUNTER ? "_total" : "", NULL);
    write_number(to->out, sample->value);
}

int tp_metrics_text(const struct tp_metrics *metrics, bool is_open, char **out, size_t *n)
{
    char *text = NULL;
    size_t length = 0;
    struct writer to = {.out = open_memstream(&text, &length), .is_open = is_open};
    if (!to.out)
        return TP_ENOMEM;
    tp_metrics_each(metrics, write_sample, &to);
    if (is_open)
        fputs("# EOF\n", to.out);
    bool is_whole = !ferror(to.out);
    if (fclose(to.out) != 0 || !is_whole) {
        free(text);
        return TP_ENOMEM;
    }
    *out = text;
    *n = length;
    return 0;
}
