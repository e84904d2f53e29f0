/* ./tidepool calibrate: what scheduling costs on this machine, by number of workers; and, with --report, how well the model
 * (runtime/monitor/model.h) then says what a pool does. docs/model.md explains the figures.
 * Invariant: the file is written whole or not at all, and what is printed is what is in it. */
#include "../../runtime/cpu.h"
#include "../../runtime/monitor/model.h"
#include "trial.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { COUNTS_MAX = 4,
    ERRORS_MAX = 64,
    PATH_BYTES = 4096,
    EXIT_USAGE = 2 };

static const char usage[] =
    "usage: ./tidepool calibrate [--report] [--short] [-o FILE]\n"
    "\n"
    "Measures what scheduling a task costs on this machine, and keeps the figures, in JSON,\n"
    "in FILE (build/calibration.json). For a few seconds nothing else should run.\n"
    "\n"
    "  --report   compare what the model forecasts with what is then measured\n"
    "  --short    fewer tasks, for a look; the figures are less exact\n";

struct plan {
    bool reports, is_short;
    const char *path;
};

/* What was measured. */
struct figures {
    unsigned n_cpus, n_counts;
    unsigned workers[COUNTS_MAX];
    struct tp_model_costs costs[COUNTS_MAX]; /* by number of workers */
    double switch_ns;
};

static double errors[ERRORS_MAX];
static unsigned n_errors;

static uint64_t scaled(const struct plan *plan, uint64_t n)
{
    return plan->is_short ? n / 20 : n;
}

/* 1, as many workers as processors, and twice as many. */
static struct figures measure(const struct plan *plan)
{
    struct figures figures = {.n_cpus = tp_cpu_count()};
    const unsigned wanted[] = {1, figures.n_cpus, 2 * figures.n_cpus};
    trial_begin();
    figures.switch_ns = trial_switch_ns(scaled(plan, 1000000));
    for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (i > 0 && wanted[i] <= wanted[i - 1])
            continue;
        unsigned at = figures.n_counts++;
        struct trial_costs costs = trial_costs_of(wanted[i], figures.n_cpus, scaled(plan, 200000));
        figures.workers[at] = wanted[i];
        figures.costs[at] = (struct tp_model_costs){costs.submit_ns, costs.run_ns, trial_wake_ns(wanted[i], scaled(plan, 2000)), figures.n_cpus};
    }
    return figures;
}

static void show(const struct figures *figures)
{
    printf("processors             %12u\n", figures->n_cpus);
    printf("switch of a coroutine  %12.1f ns\n\n", figures->switch_ns);
    printf("%-10s %14s %14s %14s\n", "workers", "submit, ns", "run, ns", "wake-up, ns");
    for (unsigned i = 0; i < figures->n_counts; i++) {
        const struct tp_model_costs *costs = &figures->costs[i];
        printf("%-10u %14.1f %14.1f %14.1f\n", figures->workers[i], costs->submit_ns, costs->run_ns, costs->wake_ns);
    }
}

/* The file as long as it is not whole. NULL, and errno, if there can be none. */
static FILE *open_other(const char *path, char *other, size_t n_other)
{
    struct stat is;
    int length = snprintf(other, n_other, "%s.tmp", path);
    if (length < 0 || (size_t)length >= n_other)
        errno = ENAMETOOLONG;
    else if (stat(path, &is) == 0 && S_ISDIR(is.st_mode))
        errno = EISDIR;
    else
        return fopen(other, "we");
    return NULL;
}

/* Asked first: nobody waits for figures that are lost. */
static bool can_keep(const char *path)
{
    char other[PATH_BYTES];
    FILE *file = open_other(path, other, sizeof other);
    return file && fclose(file) == 0 && remove(other) == 0;
}

static bool keep(const struct figures *figures, const char *path)
{
    char other[PATH_BYTES];
    FILE *file = open_other(path, other, sizeof other);
    if (!file)
        return false;
    fprintf(file, "{\n  \"processors\": %u,\n  \"switch_ns\": %.1f,\n  \"by_workers\": [\n", figures->n_cpus, figures->switch_ns);
    for (unsigned i = 0; i < figures->n_counts; i++) {
        const struct tp_model_costs *costs = &figures->costs[i];
        fprintf(file, "    {\"workers\": %u, \"submit_ns\": %.1f, \"run_ns\": %.1f, \"wake_ns\": %.1f}%s\n", figures->workers[i],
            costs->submit_ns, costs->run_ns, costs->wake_ns, i + 1 < figures->n_counts ? "," : "");
    }
    fprintf(file, "  ]\n}\n");
    bool is_written = ferror(file) == 0;
    is_written = fclose(file) == 0 && is_written;
    if (is_written && rename(other, path) == 0)
        return true;
    int error = errno;
    remove(other);
    errno = error;
    return false;
}

/* -- the report ------------------------------------------------------------------------------------- */

static void compare(double forecast, double measured)
{
    if (isinf(forecast)) {
        printf("more came than was done\n"); /* the machine was slower than when its costs were measured */
        return;
    }
    double error = 100 * (forecast - measured) / measured;
    printf("%14.0f %14.0f %+9.0f %%\n", forecast, measured, error);
    if (n_errors < ERRORS_MAX)
        errors[n_errors++] = error < 0 ? -error : error;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void say_median(const char *what)
{
    qsort(errors, n_errors, sizeof *errors, by_size);
    printf("median error of %s: %.0f %%\n", what, n_errors > 0 ? errors[n_errors / 2] : 0);
    n_errors = 0;
}

static void report_throughput(const struct plan *plan, const struct figures *figures)
{
    static const double lengths_ns[] = {1000, 3000, 10000, 30000, 100000}; /* 0 is what the costs come from */
    printf("\nthroughput, tasks per second\n%-10s %-10s %14s %14s %11s\n", "workers", "task, ns", "forecast", "measured", "error");
    for (unsigned i = 0; i < figures->n_counts; i++)
        for (unsigned k = 0; k < sizeof lengths_ns / sizeof *lengths_ns; k++) {
            uint64_t n_tasks = (uint64_t)(5e7 / (lengths_ns[k] + 200)); /* 50 ms of one processor */
            struct trial_sight sight = trial_throughput(figures->workers[i], lengths_ns[k], scaled(plan, n_tasks));
            struct tp_model_load load = {.task_ns = sight.task_ns, .n_workers = figures->workers[i]};
            struct tp_model_forecast forecast;
            if (tp_model_forecast_of(&figures->costs[i], &load, &forecast) != 0)
                continue;
            printf("%-10u %-10.0f ", load.n_workers, load.task_ns);
            compare(forecast.throughput, sight.rate);
        }
    say_median("throughput");
}

/* Where the submitter, which watches the clock, has a processor of its own. */
static void report_latency(const struct plan *plan, const struct figures *figures)
{
    static const double lengths_ns[] = {20000, 100000}, shares[] = {0.2, 0.5, 0.8};
    unsigned n_workers = figures->n_cpus - 1;
    if (n_workers == 0) {
        printf("\nlatency: not measured, since there is one processor, which the submitter needs\n");
        return;
    }
    printf("\nlatency from submission to start, ns, of tasks that come at random\n%-10s %-10s %-6s %14s %14s %11s\n", "workers", "task, ns",
        "load", "forecast", "measured", "error");
    for (unsigned k = 0; k < sizeof lengths_ns / sizeof *lengths_ns; k++)
        for (unsigned i = 0; i < sizeof shares / sizeof *shares; i++) {
            double rate = shares[i] * n_workers * 1e9 / lengths_ns[k];
            struct trial_sight sight = trial_latency(n_workers, lengths_ns[k], rate, scaled(plan, (uint64_t)(rate / 20)));
            struct tp_model_load load = {.rate = sight.rate, .task_ns = sight.task_ns, .n_workers = n_workers};
            struct tp_model_forecast forecast;
            if (tp_model_forecast_of(&figures->costs[0], &load, &forecast) != 0)
                continue;
            printf("%-10u %-10.0f %-6.2f ", n_workers, load.task_ns, forecast.utilisation);
            compare(forecast.latency_ns, sight.latency_ns);
        }
    say_median("latency");
}

/* -- the command ------------------------------------------------------------------------------------ */

static int refuse(const char *what, const char *word)
{
    fprintf(stderr, "calibrate: %s%s; try: ./tidepool calibrate --help\n", what, word);
    return EXIT_USAGE;
}

static int fail(const char *what)
{
    fprintf(stderr, "calibrate: cannot write %s: %s\n", what, strerror(errno));
    return 1;
}

/* What was printed must have arrived. */
static int finish(void)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : fail("the output");
}

int main(int argc, char **argv)
{
    struct plan plan = {.path = "build/calibration.json"};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return fputs(usage, stdout) < 0 ? fail("the output") : finish();
        if (strcmp(argv[i], "--report") == 0)
            plan.reports = true;
        else if (strcmp(argv[i], "--short") == 0)
            plan.is_short = true;
        else if (strcmp(argv[i], "-o") != 0)
            return refuse("unknown argument ", argv[i]);
        else if (++i == argc || argv[i][0] == '\0')
            return refuse("-o needs the name of a file", "");
        else
            plan.path = argv[i];
    }
    if (!can_keep(plan.path))
        return fail(plan.path);
    struct figures figures = measure(&plan);
    show(&figures);
    if (!keep(&figures, plan.path))
        return fail(plan.path);
    printf("\nkept in %s\n", plan.path);
    if (plan.reports) {
        report_throughput(&plan, &figures);
        report_latency(&plan, &figures);
    }
    return finish();
}
