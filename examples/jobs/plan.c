/* The file of jobs: a line for each, `NAME EVERY WITHIN QUEUE KIND WHAT`. Invariant: a plan is made whole or not at all. */
#define _DEFAULT_SOURCE 1
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"

uint64_t parse_duration(const char *text)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ms", TP_MILLISECOND}, {"s", TP_SECOND}, {"min", 60 * TP_SECOND}, {"h", 3600 * TP_SECOND}};
    char *unit;
    unsigned long number = strtoul(text, &unit, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (*text >= '1' && *text <= '9' && number <= 100000 && strcmp(unit, units[i].name) == 0)
            return number * units[i].ns;
    return 0;
}

/* Returns what is wrong with a line; NULL: nothing. */
static const char *parse_job(const char *line, struct job *job)
{
    static const struct {
        const char *name;
        int (*run)(struct job *, uint64_t);
    } kinds[] = {{"exec", run_exec}, {"space", run_space}, {"sleep", run_sleep}};
    char period[16], limit[16], kind[16];
    int n_name, n_line;
    if (sscanf(line, "%31s%n %15s %15s %u %15s %255[^\n]%n", job->name, &n_name, period, limit, &job->queue, kind, job->what, &n_line) != 6)
        return "a job is: NAME EVERY WITHIN QUEUE KIND WHAT";
    if (!isspace((unsigned char)line[n_name]) || (line[n_line] != '\n' && line[n_line] != '\0'))
        return "a name has at most 31 bytes, and what is to be done 255";
    job->period_ns = parse_duration(period);
    job->limit_ns = parse_duration(limit);
    if (job->period_ns == 0 || job->limit_ns == 0)
        return "a duration is like 500ms, 5s, 10min or 1h";
    if (job->queue > MAX_QUEUE)
        return "that is too long a queue";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i].name) == 0)
            job->run = kinds[i].run;
    if (!job->run)
        return "a job can exec, space or sleep";
    if (job->run == run_sleep && parse_duration(job->what) == 0)
        return "to sleep takes a duration";
    const struct tp_blocking_settings settings = {.name = job->name, .threads = 1};
    if (tp_chan_open(&job->due, 0, job->queue) != 0 || tp_blocking_open(&job->pool, &settings) != 0)
        return "there is no memory for it";
    return NULL;
}

struct plan *plan_load(const char *path)
{
    FILE *file = fopen(path, "re");
    struct plan *plan = file ? calloc(1, sizeof *plan) : NULL;
    bool is_good = true;
    char *line = NULL;
    size_t n_room = 0;
    for (unsigned number = 1; plan && getline(&line, &n_room, file) > 0; number++) {
        if (line[strspn(line, " \t\n")] == '\0' || line[0] == '#')
            continue;
        const char *wrong = plan->n < MAX_JOBS ? parse_job(line, &plan->jobs[plan->n++]) : "too many jobs";
        if (wrong)
            fprintf(stderr, "jobs: %s:%u: %s\n", path, number, wrong);
        is_good = is_good && !wrong;
    }
    free(line);
    if (!plan)
        perror(path);
    if (file)
        fclose(file);
    if (is_good)
        return plan;
    plan_free(plan);
    return NULL;
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; plan && i < plan->n; i++) {
        tp_chan_free(plan->jobs[i].due);
        tp_blocking_free(plan->jobs[i].pool);
    }
    free(plan);
}
