/* jobs: runs what is due at regular times. Each job has two tasks: a ticker, which knows when it is due, and a runner, which does it; between
 * them is a channel with as much room as the job has queue. So a ticker never waits for a run, and runs of a job never overlap.
 * Invariant: what a runner has received it finishes, whoever asks whom to end. What is done, and what is printed: README.md. */
#define _DEFAULT_SOURCE 1
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jobs.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: jobs [-s ADDRESS] [-r DURATION] FILE\n"
    "Run the jobs of a file at their times, until SIGTERM or SIGINT. SIGHUP reads the file again.\n"
    "\n"
    "  -s ADDRESS   tell the status there over HTTP, for instance at unix:/run/jobs\n"
    "  -r DURATION  rehearse: say what would be done for so long, and do nothing\n"
    "  --help       print this and stop\n"
    "\n"
    "examples/jobs/README.md explains the file and what is printed.\n";

static const char *path;
static const char *status_address;
static uint64_t rehearsal_ns; /* 0: it is none */
static uint64_t start_ns;
static struct tp_fd signals;
static struct tp_mutex lock; /* guards `plan` against a look at it */
static struct plan *plan;

/* Ends the program: nothing here can be done without what failed. */
static void must(int status, const char *what)
{
    if (status == 0)
        return;
    fprintf(stderr, "jobs: %s: %s\n", what, tp_strerror(status));
    exit(EXIT_FAILURE);
}

__attribute__((format(printf, 2, 3))) static void report(const char *name, const char *format, ...)
{
    char text[WHAT + 64];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    printf("%9.3f %s: %s\n", (double)(tp_clock_now_ns() - start_ns) / 1e9, name, text);
    fflush(stdout);
}

/* -- a job -------------------------------------------------------------------------------------- */

/* Times that pass while nobody looks, because the machine sleeps or is busy, are left out. */
static int tick(void *argument)
{
    struct job *job = argument;
    struct tp_interval interval;
    tp_interval_init(&interval, job->period_ns, TP_MISSED_SKIP);
    while (tp_interval_wait(&interval, TP_FOREVER) == 0)
        if (tp_chan_send(job->due, NULL, 0) != 0) {
            job->n_refused++;
            report(job->name, "refused, the run before is not over");
        }
    return 0;
}

static void run_once(struct job *job)
{
    int status = 0;
    report(job->name, "begins");
    job->is_running = true;
    if (rehearsal_ns == 0 || job->run == run_sleep)
        status = job->run(job, tp_deadline_in_ns(job->limit_ns));
    job->is_running = false;
    if (status == 0)
        job->n_done++;
    else if (status == TP_ETIMEDOUT)
        job->n_late++;
    else
        job->n_failed++;
    report(job->name, "%s", status == 0 ? "done" : status == TP_ETIMEDOUT ? "took too long"
                                                                          : tp_strerror(status));
}

static int run_due(void *argument)
{
    struct job *job = argument;
    while (tp_chan_recv(job->due, NULL, TP_FOREVER) == 0)
        run_once(job);
    return 0;
}

/* The plan, until the task is asked to end: then nothing more is due, and what was due is done. */
static int play(void *argument)
{
    struct plan *now = argument;
    int status = 0;
    TP_SCOPE(runners, NULL);
    TP_SCOPE(tickers, NULL);
    for (size_t i = 0; i < now->n && status == 0; i++) {
        status = tp_scope_spawn(&runners, run_due, &now->jobs[i], NULL);
        if (status == 0)
            status = tp_scope_spawn(&tickers, tick, &now->jobs[i], NULL);
    }
    must(status, "cannot begin");
    tp_scope_join(&tickers, TP_FOREVER);
    for (size_t i = 0; i < now->n; i++)
        tp_chan_close(now->jobs[i].due);
    TP_SHIELD;
    return tp_scope_join(&runners, TP_FOREVER);
}

size_t print_status(char *text, size_t n_bytes)
{
    size_t n = (size_t)snprintf(text, n_bytes, "%-16s %8s %8s %8s %8s %8s  %s\n", "job", "done", "failed", "late", "refused", "queued", "now");
    TP_SHIELD; /* so that it has the lock */
    tp_mutex_lock(&lock, TP_FOREVER);
    for (size_t i = 0; i < plan->n && n < n_bytes; i++) {
        struct job *job = &plan->jobs[i];
        n += (size_t)snprintf(text + n, n_bytes - n, "%-16s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8zu  %s\n", job->name, job->n_done,
            job->n_failed, job->n_late, job->n_refused, tp_chan_count(job->due), job->is_running ? "runs" : "waits");
    }
    tp_mutex_unlock(&lock);
    return n < n_bytes ? n : n_bytes - 1;
}

/* -- the program -------------------------------------------------------------------------------- */

static uint64_t begin(int (*task)(void *argument), void *argument)
{
    uint64_t id;
    must(tp_task_spawn(task, argument, &id), "cannot begin");
    return id;
}

static void end(uint64_t id)
{
    tp_task_cancel(id);
    tp_task_join(id, TP_FOREVER, NULL);
}

/* If the file is good, what is under way ends, and the new plan begins; else nothing changes. */
static uint64_t reload(uint64_t player)
{
    struct plan *next = plan_load(path);
    if (!next) {
        report("jobs", "the file is not good, and the plan stays");
        return player;
    }
    end(player);
    tp_mutex_lock(&lock, TP_FOREVER);
    struct plan *before = plan;
    plan = next;
    tp_mutex_unlock(&lock);
    plan_free(before);
    report("jobs", "a new plan");
    return begin(play, plan);
}

static int serve(void *listener)
{
    struct tp_signal signal;
    uint64_t player = begin(play, plan), teller = listener ? begin(answer_all, listener) : 0;
    while (tp_signal_wait(signals, TP_FOREVER, &signal) == 0 && signal.number == SIGHUP)
        player = reload(player);
    report("jobs", "ends what is under way");
    end(player);
    if (listener)
        end(teller);
    return 0;
}

static int rehearse(void *unused)
{
    (void)unused;
    start_ns = tp_clock_now_ns(); /* of the rehearsal */
    uint64_t player = begin(play, plan);
    tp_sleep_ns(rehearsal_ns + 1);
    end(player);
    return 0;
}

/* In a rehearsal nothing takes time: its clock jumps to the next moment at which something is due. */
static void run(void)
{
    const struct tp_runtime_settings settings = {
        .flavour = rehearsal_ns ? TP_RUNTIME_CURRENT : TP_RUNTIME_MULTI,
        .virtual_time = rehearsal_ns != 0,
    };
    struct tp_runtime *runtime;
    struct tp_address address;
    struct tp_fd listener;
    if (status_address) {
        must(tp_address_parse(status_address, &address), status_address);
        must(tp_listen(&address, &(struct tp_listen_settings){.replace_stale = true}, &listener), status_address);
    }
    must(tp_runtime_open(&runtime, &settings), "cannot open the runtime");
    start_ns = tp_clock_now_ns();
    must(tp_block_on(runtime, rehearsal_ns ? rehearse : serve, status_address ? &listener : NULL, NULL), "cannot begin");
    tp_runtime_free(runtime);
    if (status_address) {
        tp_fd_close(listener);
        if (strncmp(status_address, "unix:", 5) == 0 && status_address[5] != '@')
            unlink(status_address + 5);
    }
}

/* -- options ------------------------------------------------------------------------------------ */

/* Ends the program: a wrong usage has no other way out. */
static _Noreturn void refuse_usage(void)
{
    fputs("Try 'jobs --help'.\n", stderr);
    exit(EXIT_USAGE);
}

static void parse_options(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "s:r:", options, NULL)) != -1;)
        switch (option) {
        case 's':
            status_address = optarg;
            break;
        case 'r':
            rehearsal_ns = parse_duration(optarg);
            if (rehearsal_ns > 0)
                break;
            fprintf(stderr, "jobs: -r takes a duration, not '%s'\n", optarg);
            refuse_usage();
        case 'h':
            fputs(usage, stdout);
            exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        default:
            refuse_usage();
        }
    if (argc - optind != 1) {
        fputs("jobs: one file is needed\n", stderr);
        refuse_usage();
    }
    path = argv[optind];
}

int main(int argc, char **argv)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    parse_options(argc, argv);
    if (rehearsal_ns == 0)
        must(tp_signals_open(numbers, 3, &signals), "cannot wait for signals"); /* before there are threads */
    tp_mutex_init(&lock);
    plan = plan_load(path);
    if (!plan)
        return EXIT_FAILURE;
    run();
    plan_free(plan);
    tp_mutex_end(&lock);
    if (rehearsal_ns == 0)
        tp_fd_close(signals);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
