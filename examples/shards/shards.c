/* shards: the service of the overload example on several pools, each with a queue and workers of its own, behind one
 * face. What is done, and what is printed: README.md. */
#define _DEFAULT_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "../overload/press.h"
#include "shards_pool.h"

enum {
    EXIT_USAGE = 2,
    CLIENTS = 3, /* threads that hand over requests */
    MAX_REQUESTS = 100000,
    SHARDS = 4,
};

static const char usage[] =
    "usage: shards [-n N]\n"
    "Hand requests of three threads to four pools behind one face.\n"
    "\n"
    "  -n N     requests of each thread and round, 1 to 100000 (default 200)\n"
    "  --help   print this and stop\n"
    "\n"
    "examples/shards/README.md explains what is printed.\n";

/* Ends the program: nothing here can be done without what failed. */
static void must(int status, const char *what)
{
    if (status == 0)
        return;
    fprintf(stderr, "shards: %s: %s\n", what, tp_strerror(status));
    exit(EXIT_FAILURE);
}

/* -- the service ------------------------------------------------------------------------------ */

static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t disk_changed = PTHREAD_COND_INITIALIZER;
static bool disk_is_awake;

static void disk_wait(void)
{
    pthread_mutex_lock(&disk_lock);
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

int serve(struct request *request)
{
    char *text = malloc(LOG_BYTES);
    if (!text)
        return TP_ENOMEM;
    if (request->is_slow)
        disk_wait();
    request->n_bytes = log_write(request->log, text);
    request->n_pressed = press_size(text, request->n_bytes);
    free(text);
    return 0;
}

/* -- clients ---------------------------------------------------------------------------------- */

struct client {
    pthread_t thread;
    struct shards_pool *shards;
    struct request *requests;
    unsigned n;
};

/* Half of them one by one, which finds the shard with the fewest tasks for each; then the others at once, cut into one
 * piece per shard. */
static void *hand_over(void *argument)
{
    struct client *client = argument;
    unsigned half = client->n / 2;
    for (unsigned i = 0; i < half; i++)
        must(shards_submit(client->shards, &client->requests[i]), "cannot hand over a request");
    struct request **rest = calloc(client->n - half, sizeof *rest);
    must(rest ? 0 : TP_ENOMEM, "cannot hand over the rest");
    for (unsigned i = half; i < client->n; i++)
        rest[i - half] = &client->requests[i];
    must(shards_submit_batch(client->shards, rest, client->n - half, NULL), "cannot hand over the rest");
    free(rest);
    return NULL;
}

/* All clients hand over their requests; prints the sum of the answers. */
static void serve_round(struct shards_pool *shards, struct request *requests, unsigned n, const char *what)
{
    struct client clients[CLIENTS];
    size_t n_bytes = 0, n_pressed = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.shards = shards, .requests = requests + (size_t)i * n, .n = n};
        for (unsigned k = 0; k < n; k++)
            clients[i].requests[k] = (struct request){.log = i * n + k};
        if (pthread_create(&clients[i].thread, NULL, hand_over, &clients[i]) != 0)
            must(TP_ETHREAD, "cannot start a client");
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(clients[i].thread, NULL);
    must(shards_join_all(shards, TP_FOREVER), "cannot wait for the requests");
    for (size_t i = 0; i < (size_t)CLIENTS * n; i++) {
        n_bytes += requests[i].n_bytes;
        n_pressed += requests[i].n_pressed;
    }
    printf("%-26s%u requests, %zu bytes to %zu\n", what, CLIENTS * n, n_bytes, n_pressed);
}

/* -- the life of the shards ------------------------------------------------------------------- */

static void print_counts(struct shards_pool *shards, const char *what)
{
    struct tp_pool_counts counts;
    struct tp_pool_stats stats;
    shards_pool_counts(shards, &counts);
    shards_pool_stats(shards, &stats);
    printf("%-26scapacity %" PRIu64 ", workers %u, pending %" PRIu64 ", running %" PRIu64 "\n", what, counts.capacity, stats.workers, counts.pending, counts.running);
}

static void print_stats(struct shards_pool *shards)
{
    struct tp_pool_stats stats;
    shards_pool_stats(shards, &stats);
    printf("%-26scompleted %" PRIu64 ", failed %" PRIu64 "\n", "statistics of all:", stats.completed, stats.failed);
    printf("# at most %u at the same time; %" PRIu64 " us on average; utilisation %.2f\n", stats.most_running, stats.average_ns / TP_MICROSECOND, stats.utilisation);
}

/* One shard is held up by a slow request. Closing takes its time to the deadline; all others are closed by then. */
static void close_slowly(struct shards_pool *shards)
{
    struct request slow = {.log = 1, .is_slow = true};
    must(shards_submit(shards, &slow), "cannot hand over a request");
    for (size_t i = 0; i < SHARDS; i++) {
        struct tp_pool_counts counts;
        shards_pool_member_counts(shards, i, &counts);
        printf("# shard %zu: %" PRIu64 " in flight\n", i, counts.pending + counts.running);
    }
    int status = shards_pool_close(shards, tp_deadline_in_ns(20 * TP_MILLISECOND));
    if (status != TP_ETIMEDOUT)
        must(status, "cannot close");
    printf("%-26s%s\n", "close, 20 ms:", tp_strerror(status));
    status = shards_submit(shards, &slow);
    printf("%-26s%s\n", "a request then:", tp_strerror(status));
    disk_wake();
    must(shards_pool_close(shards, TP_FOREVER), "cannot close");
    printf("%-26s%zu bytes to %zu\n", "the slow request:", slow.n_bytes, slow.n_pressed);
}

static void run(unsigned n)
{
    struct shards_pool *shards;
    struct request *requests = calloc((size_t)CLIENTS * n, sizeof *requests);
    must(requests ? 0 : TP_ENOMEM, "cannot make requests");
    const struct tp_pool_settings settings = {.workers_max = 2}; /* of each shard; what it may be tuned to */
    must(shards_pool_open(&shards, &settings), "cannot open the pools");
    print_counts(shards, "open:");
    serve_round(shards, requests, n, "first round:");
    must(shards_pool_tune(shards, 64), "cannot change the capacity");
    must(shards_pool_tune_workers(shards, 2), "cannot change the workers");
    print_counts(shards, "tuned:");
    serve_round(shards, requests, n, "second round:");
    close_slowly(shards);
    print_stats(shards);
    must(shards_pool_reopen(shards), "cannot open the pools again");
    print_counts(shards, "reopened:");
    serve_round(shards, requests, n, "third round:");
    shards_pool_free(shards); /* closes all, at the same time */
    free(requests);
}

/* -- options ---------------------------------------------------------------------------------- */

/* Ends the program: a wrong usage has no other way out. */
static _Noreturn void refuse_usage(void)
{
    fputs("Try 'shards --help'.\n", stderr);
    exit(EXIT_USAGE);
}

static unsigned parse_number(int option, const char *text, unsigned least, unsigned most)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && number >= least && number <= most)
        return (unsigned)number;
    fprintf(stderr, "shards: -%c takes a number from %u to %u, not '%s'\n", option, least, most, text);
    refuse_usage();
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    unsigned n = 200;
    int option;
    while ((option = getopt_long(argc, argv, "n:", long_options, NULL)) != -1) {
        switch (option) {
        case 'n':
            n = parse_number(option, optarg, 1, MAX_REQUESTS);
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default: /* getopt has said what is wrong */
            refuse_usage();
        }
    }
    if (optind < argc) {
        fprintf(stderr, "shards: '%s' is too much: there are no files to name\n", argv[optind]);
        refuse_usage();
    }
    run(n);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("shards: cannot write the result");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
