/* wordcount: counts the words of files and directories on a generated pool.
 * The host's side of the pool's life: open, submit (walk.c), join, read the counters, close, free.
 * The task is in piece.c. What is counted and printed: README.md. */
#define _DEFAULT_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tally.h"
#include "words_pool.h"

enum {
    EXIT_USAGE = 2,
    MAX_WORKERS = 4096, /* as words_pool_open takes */
};

struct options {
    size_t n_top;
    uint32_t n_workers; /* 0: as configured */
    char **paths;       /* up to a NULL */
};

static const char usage[] =
    "usage: wordcount [-n N] [-w N] [--all] [FILE or DIRECTORY]...\n"
    "Count the words of files, and of all files below directories, on all cores.\n"
    "\n"
    "  -n N     print the N most frequent words (default 10)\n"
    "  --all    print every word\n"
    "  -w N     workers, 1 to 4096 (default: the number of cores)\n"
    "  --help   print this and stop\n"
    "\n"
    "With no file or directory: /usr/share/common-licenses, and docs in the current\n"
    "directory, each if it exists. examples/wordcount/README.md has the rules.\n";

/* Ends the program: a wrong usage has no other way out. */
static _Noreturn void refuse_usage(void)
{
    fputs("Try 'wordcount --help'.\n", stderr);
    exit(EXIT_USAGE);
}

static uint64_t parse_number(char option, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    bool is_number = *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
    if (is_number && number >= least && number <= most)
        return number;
    fprintf(stderr, "wordcount: -%c takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'\n", option, least, most, text);
    refuse_usage();
}

/* The paths to count when none is given; it is an error if there are none. */
static char **default_paths(void)
{
    static char licenses[] = "/usr/share/common-licenses", docs[] = "docs";
    static char *paths[3];
    struct stat status;
    size_t n = 0;
    if (stat(licenses, &status) == 0)
        paths[n++] = licenses;
    if (stat(docs, &status) == 0)
        paths[n++] = docs;
    if (n > 0)
        return paths;
    fprintf(stderr, "wordcount: nothing to count: neither %s nor %s exists here\n", licenses, docs);
    refuse_usage();
}

static struct options parse_options(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"all", no_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.n_top = 10};
    int option;
    while ((option = getopt_long(argc, argv, "n:w:", long_options, NULL)) != -1) {
        switch (option) {
        case 'n':
            options.n_top = parse_number('n', optarg, 0, SIZE_MAX);
            break;
        case 'a':
            options.n_top = SIZE_MAX;
            break;
        case 'w':
            options.n_workers = (uint32_t)parse_number('w', optarg, 1, MAX_WORKERS);
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        default: /* getopt has said what is wrong */
            refuse_usage();
        }
    }
    options.paths = optind < argc ? argv + optind : default_paths();
    return options;
}

static int report_error(int err)
{
    fprintf(stderr, "wordcount: %s\n", tp_strerror(err));
    return err;
}

/* The pool's whole life: count every path into the threads' tallies.
 * Returns 0 with the pool's last counters, or a negative status that has been reported. */
static int count_all(const struct options *options, struct tally *tally, struct tp_pool_stats *stats)
{
    struct words_pool *pool;
    struct tp_pool_settings settings = {.workers = options->n_workers};
    int err = words_pool_open(&pool, &settings);
    if (err)
        return report_error(err);
    for (char **path = options->paths; *path && !err; path++)
        err = submit_tree(pool, tally, *path);
    if (!err)
        err = words_join_all(pool, TP_FOREVER); /* the pieces that tasks submit, too */
    if (!err) {
        words_pool_stats(pool, stats);
        if (stats->failed > 0)
            err = TP_ENOMEM; /* a task fails for this reason alone */
    }
    words_pool_free(pool); /* closes it first: accepted tasks still run */
    return err ? report_error(err) : 0;
}

static void print_counts(struct tally *sum, size_t n_top)
{
    tally_sort(sum);
    for (size_t i = 0; i < sum->n_distinct && i < n_top; i++) {
        const struct tally_word *word = &sum->slots[i];
        printf("%8" PRIu64 "  ", word->count);
        fwrite(word->letters, 1, word->n_letters, stdout);
        putchar('\n');
    }
    printf("words %" PRIu64 "\n", sum->words);
    printf("distinct %zu\n", sum->n_distinct);
    printf("files %" PRIu64 "\n", sum->files);
    printf("bytes %" PRIu64 "\n", sum->bytes);
    printf("skipped: %" PRIu64 " links, %" PRIu64 " binary, %" PRIu64 " special, %" PRIu64 " unreadable\n",
        sum->links, sum->binary, sum->special, sum->unreadable);
}

static void print_run(const struct tp_pool_stats *stats, uint64_t duration_ns)
{
    printf("# %.1f ms on %" PRIu32 " workers\n", (double)duration_ns / (double)TP_MILLISECOND, stats->workers);
    printf("# pool: %" PRIu64 " tasks, %" PRIu64 " stolen in %" PRIu64 " steals, %" PRIu64 " parks\n",
        stats->completed, stats->stolen, stats->steals, stats->parks);
}

int main(int argc, char **argv)
{
    struct options options = parse_options(argc, argv);
    struct tp_pool_stats stats;
    uint64_t start_ns = tp_clock_now_ns();
    int status = EXIT_FAILURE;
    struct tally *sum = tally_mine();
    if (!sum) {
        report_error(TP_ENOMEM);
        goto out;
    }
    if (count_all(&options, sum, &stats))
        goto out;
    if (!tally_merge_all()) {
        report_error(TP_ENOMEM);
        goto out;
    }
    print_counts(sum, options.n_top);
    print_run(&stats, tp_clock_now_ns() - start_ns);
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "wordcount: cannot write the result: %s\n", strerror(errno));
        goto out;
    }
    status = sum->unread_arguments > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
out:
    tally_free_all();
    return status;
}
