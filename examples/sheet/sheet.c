/* sheet: the cells of a spreadsheet are calculated as tasks, at first as plain ones, then step by step in pooled coroutines.
 * What changes from step to step, and what does not: README.md. */
#define _DEFAULT_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "plain_pool.h"
#include "pooled_pool.h"

enum {
    EXIT_USAGE = 2,
    MAX_ROWS = 2000,
    COLUMNS = 16
};

static const char usage[] =
    "usage: sheet [-n N]\n"
    "Calculate a sheet of N rows four times, each time with more of it in coroutines.\n"
    "\n"
    "  -n N     rows, 1 to 2000 (default 100)\n"
    "  --help   print this and stop\n"
    "\n"
    "examples/sheet/README.md explains what is printed.\n";

static struct plain_pool *plain;
static struct pooled_pool *pooled;
static struct cell *cells;
static unsigned n_rows = 100;
static bool is_guarded; /* the reader of a cell's text is pooled */
static bool asks;       /* a cell asks for its inputs, and waits for them */

/* Ends the program: nothing here can be done without what failed. */
static void must(int status, const char *what)
{
    if (status == 0)
        return;
    fprintf(stderr, "sheet: %s: %s\n", what, tp_strerror(status));
    exit(EXIT_FAILURE);
}

/* -- a cell's text: a coroutine that yields one number after the other --------------------------- */

struct reader {
    const char *text;
    uint64_t number;
};

/* For both kinds of coroutine: `yield` is theirs. Returns 0, or what ended it early. */
static int read_numbers(struct reader *reader, int (*yield)(void *out, void **in))
{
    for (const char *at = reader->text; *at;) {
        char *end;
        reader->number = strtoull(at, &end, 10);
        at = *end ? end + 1 : end;
        int status = yield(reader, NULL);
        if (status != 0)
            return status;
    }
    return 0;
}

static void *read_plainly(void *argument)
{
    read_numbers(argument, tp_co_yield);
    return NULL;
}

static int read_pooled(void *argument)
{
    return read_numbers(argument, tp_pooled_yield);
}

/* The sum of the numbers: by a coroutine that is made and freed. */
static uint64_t sum_plainly(const char *text)
{
    struct reader reader = {text, 0};
    struct tp_co *co;
    uint64_t sum = 0;
    void *out;
    must(tp_co_new(&co, read_plainly, &reader, NULL), "cannot make a coroutine");
    while (tp_co_resume(co, NULL, &out) == 0 && out)
        sum += reader.number;
    tp_co_free(co);
    return sum;
}

/* The same with one that is had from the pool of the process, and goes back at the end of the scope. */
static uint64_t sum_guarded(const char *text)
{
    struct reader reader = {text, 0};
    TP_GUARD(guard, tp_copool_default(), read_pooled, &reader);
    uint64_t sum = 0;
    void *out;
    must(guard.status, "cannot have a coroutine");
    while (tp_guard_resume(&guard, NULL, &out) == 0 && out)
        sum += reader.number;
    return sum;
}

/* -- a cell ------------------------------------------------------------------------------------- */

/* Has the cell's task submitted, by whoever asks first. */
static void ask(struct cell *cell)
{
    if (atomic_exchange(&cell->asked, 1) == 0)
        must(pooled_submit(pooled, cell), "cannot submit");
}

/* The task, of both pools. */
int calculate(struct cell *cell)
{
    uint64_t sum = is_guarded ? sum_guarded(cell->text) : sum_plainly(cell->text);
    for (int i = 0; asks && i < 3 && cell->inputs[i]; i++)
        ask(cell->inputs[i]); /* all of them first, so that they are calculated at the same time */
    for (int i = 0; i < 3 && cell->inputs[i]; i++) {
        if (asks)
            must(tp_handle_wait(cell->inputs[i]->known, TP_FOREVER, NULL), "cannot wait"); /* without the worker */
        sum += cell->inputs[i]->value;
    }
    cell->value = sum % 1000000007;
    if (asks)
        must(tp_handle_complete(cell->known, (struct tp_task_result){TP_TASK_RETURNED, 0}), "cannot complete");
    return 0;
}

/* -- the sheet ---------------------------------------------------------------------------------- */

static struct cell *cell_at(unsigned row, unsigned column)
{
    return &cells[row * COLUMNS + column];
}

static void make_sheet(void)
{
    static const char *const texts[] = {"3,1,4", "1", "5,9", "2,6,5,3,5"};
    cells = calloc((size_t)n_rows * COLUMNS, sizeof *cells);
    must(cells ? 0 : TP_ENOMEM, "cannot make the sheet");
    for (unsigned row = 0; row < n_rows; row++)
        for (unsigned column = 0; column < COLUMNS; column++) {
            struct cell *cell = cell_at(row, column);
            cell->text = texts[(row + column) % 4];
            for (unsigned i = 0; row > 0 && i < 3; i++)
                cell->inputs[i] = cell_at(row - 1, (column + COLUMNS - 1 + i) % COLUMNS);
        }
}

/* Takes the values out; what it returns depends on all of them. */
static uint64_t take_values(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n_rows * COLUMNS; i++) {
        sum = (sum * 31 + cells[i].value) % 1000000007;
        cells[i].value = 0;
    }
    return sum;
}

/* Row by row, since a cell needs those above it. The cells of the first `moved` columns are tasks in coroutines. */
static uint64_t calculate_rows(unsigned moved)
{
    for (unsigned row = 0; row < n_rows; row++) {
        for (unsigned column = 0; column < COLUMNS; column++)
            if (column < moved)
                must(pooled_submit(pooled, cell_at(row, column)), "cannot submit");
            else
                must(plain_submit(plain, cell_at(row, column)), "cannot submit");
        must(plain_join_all(plain, TP_FOREVER), "cannot wait");
        must(pooled_join_all(pooled, TP_FOREVER), "cannot wait");
    }
    return take_values();
}

/* Only the last row is asked for; each cell asks for those above it. */
static uint64_t calculate_by_need(void)
{
    for (unsigned i = 0; i < n_rows * COLUMNS; i++)
        must(tp_handle_new(&cells[i].known), "cannot make a handle");
    asks = true;
    for (unsigned column = 0; column < COLUMNS; column++)
        ask(cell_at(n_rows - 1, column));
    must(pooled_join_all(pooled, TP_FOREVER), "cannot wait");
    asks = false;
    for (unsigned i = 0; i < n_rows * COLUMNS; i++)
        tp_handle_unref(cells[i].known);
    return take_values();
}

static void print_step(const char *what, uint64_t sum)
{
    struct tp_pool_stats of_plain, of_pooled;
    plain_pool_stats(plain, &of_plain);
    pooled_pool_stats(pooled, &of_pooled);
    printf("%-46s%10" PRIu64 "   plain %6" PRIu64 "   pooled %6" PRIu64 "\n", what, sum, of_plain.completed, of_pooled.completed);
}

static void run(void)
{
    struct tp_copool_stats stats;
    must(plain_pool_open(&plain, NULL), "cannot open the pool");
    must(pooled_pool_open(&pooled, NULL), "cannot open the pool");
    make_sheet();
    print_step("all tasks plain:", calculate_rows(0));
    print_step("half of them in coroutines:", calculate_rows(COLUMNS / 2));
    is_guarded = true;
    print_step("all of them, and readers from a pool:", calculate_rows(COLUMNS));
    print_step("each waits for what it needs:", calculate_by_need());
    tp_copool_get_stats(tp_copool_default(), &stats);
    printf("readers: %" PRIu64 " acquired, %" PRIu64 " released, %" PRIu32 " live\n", stats.n_acquired, stats.n_released, stats.n_live);
    printf("# %" PRIu64 " of them were there already, which saved %" PRIu64 " KiB of stacks\n", stats.n_hits, stats.saved_bytes / 1024);
    plain_pool_free(plain);
    pooled_pool_free(pooled);
    free(cells);
}

/* -- options ------------------------------------------------------------------------------------ */

/* Ends the program: a wrong usage has no other way out. */
static _Noreturn void refuse_usage(void)
{
    fputs("Try 'sheet --help'.\n", stderr);
    exit(EXIT_USAGE);
}

static unsigned parse_rows(const char *text)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && number >= 1 && number <= MAX_ROWS)
        return (unsigned)number;
    fprintf(stderr, "sheet: -n takes a number from 1 to %u, not '%s'\n", (unsigned)MAX_ROWS, text);
    refuse_usage();
}

static void parse_options(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "n:", options, NULL)) != -1;)
        switch (option) {
        case 'n':
            n_rows = parse_rows(optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        default:
            refuse_usage();
        }
    if (optind < argc) {
        fprintf(stderr, "sheet: '%s' is too much: there are no files to name\n", argv[optind]);
        refuse_usage();
    }
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    run();
    if (fflush(stdout) != 0) {
        perror("sheet: cannot write the result");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
