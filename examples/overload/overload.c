/* overload: a service that compresses logs, and what it does when there is more to do than it can.
 * The service is one task function; the clients are the rest. What they do, and what comes of it: README.md. */
#define _DEFAULT_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "press.h"
#include "press_pool.h"

enum {
    EXIT_USAGE = 2,
    MAX_REQUESTS = 1000, /* of each level */
    MESSAGE_BYTES = 64,
};

static const char usage[] =
    "usage: overload [-n N] [-c N]\n"
    "Hand requests of three levels to a small pool, more than it can take.\n"
    "\n"
    "  -n N     requests of each level, 1 to 1000 (default 6)\n"
    "  -c N     capacity of the pool, 2 to 1000 (default: as configured)\n"
    "  --help   print this and stop\n"
    "\n"
    "examples/overload/README.md explains what is printed.\n";

/* -- the service ------------------------------------------------------------------------------ */

static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t disk_changed = PTHREAD_COND_INITIALIZER;
static bool disk_is_awake, disk_is_asked;
static unsigned n_served; /* written by the one worker */

static void disk_wait(void)
{
    pthread_mutex_lock(&disk_lock);
    disk_is_asked = true;
    pthread_cond_broadcast(&disk_changed);
    while (!disk_is_awake)
        pthread_cond_wait(&disk_changed, &disk_lock);
    pthread_mutex_unlock(&disk_lock);
}

static void disk_wake(void)
{
    pthread_mutex_lock(&disk_lock);
    disk_is_awake = true;
    pthread_cond_broadcast(&disk_changed);
    pthread_mutex_unlock(&disk_lock);
}

/* Until the worker stands before the disk: the pool is then as full as what follows makes it. */
static void disk_await_worker(void)
{
    pthread_mutex_lock(&disk_lock);
    while (!disk_is_asked)
        pthread_cond_wait(&disk_changed, &disk_lock);
    pthread_mutex_unlock(&disk_lock);
}

static void give_back(void *text)
{
    free(text);
}

int serve(struct request *request)
{
    char *text = malloc(LOG_BYTES);
    if (!text)
        return TP_ENOMEM;
    TP_DEFER(give_back, text); /* on every way out, also that of a panic */
    request->place = ++n_served;
    if (request->oddity == DISK_IS_SLOW)
        disk_wait();
    if (request->oddity == LOG_IS_BROKEN)
        tp_panic("log %u is broken", request->log);
    int stop = 0;
    do {
        size_t n = log_write(request->log, text);
        request->n_bytes += n;
        request->n_pressed += press_size(text, n);
        stop = tp_task_check(); /* once per piece is enough: a few nanoseconds */
    } while (request->oddity == LOG_HAS_NO_END && stop == 0);
    return request->oddity == LOG_HAS_NO_END ? stop : 0;
}

/* -- clients ---------------------------------------------------------------------------------- */

/* Ends the program: nothing here can be done without what failed. */
static void must(int status, const char *what)
{
    if (status == 0)
        return;
    fprintf(stderr, "overload: %s: %s\n", what, tp_strerror(status));
    exit(EXIT_FAILURE);
}

/* The clients of one level. Those of normal requests come first. */
struct clients {
    enum press_class class_;
    const char *name;
    unsigned n_refused;
    struct request requests[MAX_REQUESTS];
    uint64_t handles[MAX_REQUESTS]; /* 0: refused */
};

static struct clients levels[] = {
    {.class_ = PRESS_CLASS_NORMAL, .name = "normal"},
    {.class_ = PRESS_CLASS_HIGH, .name = "high"},
    {.class_ = PRESS_CLASS_LOW, .name = "low"},
};
enum { LEVELS = sizeof levels / sizeof levels[0] };

static void hand_over(struct press_pool *pool, struct clients *clients, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        clients->requests[i] = (struct request){.log = i};
        int status = press_spawn_class(pool, clients->class_, &clients->requests[i], &clients->handles[i]);
        if (status == TP_EFULL)
            clients->n_refused++; /* a real client would try another server, or tell its user */
        else
            must(status, "cannot hand over a request");
    }
}

/* Waits for each that was accepted, and prints the level's line. */
static void collect(struct press_pool *pool, struct clients *clients, unsigned n)
{
    size_t n_bytes = 0, n_pressed = 0;
    unsigned first = 0, last = 0;
    for (unsigned i = 0; i < n; i++) {
        struct request *request = &clients->requests[i];
        if (clients->handles[i] == 0)
            continue;
        struct tp_task_result result;
        must(press_join(pool, clients->handles[i], TP_FOREVER, &result), "cannot wait for a request");
        must(result.code, "a request failed");
        n_bytes += request->n_bytes;
        n_pressed += request->n_pressed;
        first = first == 0 || request->place < first ? request->place : first;
        last = request->place > last ? request->place : last;
    }
    printf("  %-8s%10u%10u%10u%8u%10zu%12zu\n", clients->name, n - clients->n_refused, clients->n_refused, first, last, n_bytes, n_pressed);
}

static void report(struct press_pool *pool)
{
    struct tp_pool_stats stats;
    must(press_join_all(pool, TP_FOREVER), "cannot wait for the pool"); /* a client may know sooner than the counters */
    press_pool_stats(pool, &stats);
    printf("  accepted %" PRIu64 ": completed %" PRIu64 ", cancelled %" PRIu64 "; refused %" PRIu64 "\n", stats.submitted, stats.completed, stats.cancelled, stats.rejected);
    printf("  of the completed: failed %" PRIu64 ", of these by panic %" PRIu64 "; over their time %" PRIu64 "\n", stats.failed, stats.panicked, stats.timed_out);
    printf("# until its start a request waited up to %" PRIu64 " us; one took %" PRIu64 " us on average\n", tp_histogram_quantile(&stats.latency, 1.0) / TP_MICROSECOND, stats.average_ns / TP_MICROSECOND);
}

static void print_state(const char *what, enum tp_task_state state)
{
    static const char *const names[] = {"pending", "running", "returned", "failed", "panicked", "cancelled", "dropped", "timed out"};
    printf("  %-24s%s\n", what, names[state]);
}

/* -- scenes ----------------------------------------------------------------------------------- */

static void scene_burst(const struct tp_pool_settings *settings, unsigned n)
{
    struct press_pool *pool;
    struct request slow = {.log = 1, .oddity = DISK_IS_SLOW};
    struct tp_pool_counts counts;
    must(press_pool_open(&pool, settings), "cannot open the pool");
    must(press_submit(pool, &slow), "cannot hand over a request");
    disk_await_worker();
    for (int i = 0; i < LEVELS; i++)
        hand_over(pool, &levels[i], n);
    press_pool_counts(pool, &counts);
    printf("1. The disk is slow; meanwhile %u requests of each level come. The capacity is %" PRIu64 ".\n", n, counts.capacity);
    printf("  in flight: %" PRIu64 ", of these running: %" PRIu64 "\n", counts.pending + counts.running, counts.running);
    disk_wake();
    printf("  %-8s%10s%10s%10s%8s%10s%12s\n", "level", "accepted", "refused", "first", "last", "bytes", "compressed");
    for (int i = 0; i < LEVELS; i++)
        collect(pool, &levels[i], n);
    report(pool);
    press_pool_free(pool);
}

/* The pool's handler: called by the worker while the task is on its way out, or by the pool's own thread that watches
 * the time. */
static void note_panic(const struct tp_panic_report *panic, void *context)
{
    snprintf(context, MESSAGE_BYTES, "%s", panic->is_overdue ? "a task is over its time" : panic->message);
}

static struct tp_pool_settings with_handler(const struct tp_pool_settings *settings, char message[MESSAGE_BYTES])
{
    struct tp_pool_settings own = *settings;
    own.on_panic = note_panic;
    own.context = message;
    return own;
}

static void scene_panic(const struct tp_pool_settings *settings)
{
    struct press_pool *pool;
    struct request requests[] = {{.log = 1}, {.log = 2, .oddity = LOG_IS_BROKEN}, {.log = 3}};
    static const char *const whose[] = {"the request before", "the broken one", "the request behind"};
    char message[MESSAGE_BYTES] = "";
    struct tp_pool_settings own = with_handler(settings, message);
    must(press_pool_open(&pool, &own), "cannot open the pool");
    uint64_t handles[3];
    for (int i = 0; i < 3; i++)
        must(press_spawn(pool, &requests[i], &handles[i]), "cannot hand over a request");
    printf("2. A task panics. It ends alone, and its worker goes on.\n");
    for (int i = 0; i < 3; i++) {
        struct tp_task_result result;
        must(press_join(pool, handles[i], TP_FOREVER, &result), "cannot wait for a request");
        print_state(whose[i], result.state);
    }
    report(pool);
    press_pool_free(pool);
    printf("  its handler was told: %s\n", message);
}

static void scene_time(const struct tp_pool_settings *settings)
{
    struct press_pool *pool;
    struct request endless = {.log = 1, .oddity = LOG_HAS_NO_END}, unwanted = {.log = 2};
    char message[MESSAGE_BYTES] = "";
    struct tp_pool_settings own = with_handler(settings, message);
    own.timeout_ns = 20 * TP_MILLISECOND; /* instead of the 10 s of the config */
    must(press_pool_open(&pool, &own), "cannot open the pool");
    uint64_t endless_id, unwanted_id;
    struct tp_task_result result;
    must(press_spawn(pool, &endless, &endless_id), "cannot hand over a request");
    must(press_spawn(pool, &unwanted, &unwanted_id), "cannot hand over a request");
    printf("3. A log has no end, and a client behind it does not want to wait.\n");
    must(press_cancel_task(pool, unwanted_id), "cannot cancel a request");
    must(press_join(pool, unwanted_id, TP_FOREVER, &result), "cannot wait for a request");
    print_state("the impatient one", result.state);
    must(press_join(pool, endless_id, TP_FOREVER, &result), "cannot wait for a request");
    print_state("the endless one", result.state);
    report(pool);
    press_pool_free(pool); /* the pool's own thread has ended then: it is the one that told */
    printf("  its handler was told: %s\n", message);
}

/* -- options ---------------------------------------------------------------------------------- */

/* Ends the program: a wrong usage has no other way out. */
static _Noreturn void refuse_usage(void)
{
    fputs("Try 'overload --help'.\n", stderr);
    exit(EXIT_USAGE);
}

static unsigned parse_number(int option, const char *text, unsigned least, unsigned most)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && number >= least && number <= most)
        return (unsigned)number;
    fprintf(stderr, "overload: -%c takes a number from %u to %u, not '%s'\n", option, least, most, text);
    refuse_usage();
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct tp_pool_settings settings = {0}; /* all as configured */
    unsigned n = 6;
    int option;
    while ((option = getopt_long(argc, argv, "n:c:", long_options, NULL)) != -1) {
        switch (option) {
        case 'n':
            n = parse_number(option, optarg, 1, MAX_REQUESTS);
            break;
        case 'c':
            settings.capacity = parse_number(option, optarg, 2, MAX_REQUESTS);
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default: /* getopt has said what is wrong */
            refuse_usage();
        }
    }
    if (optind < argc) {
        fprintf(stderr, "overload: '%s' is too much: there are no files to name\n", argv[optind]);
        refuse_usage();
    }
    scene_burst(&settings, n);
    scene_panic(&settings);
    scene_time(&settings);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("overload: cannot write the result");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
