/* echo: a server that sends back what it is sent. Each connection is a task in a coroutine, which reads and writes as if it were alone.
 * Invariant: what was read is sent back before anything else is done. What is done, and what is printed: README.md. */
#define _DEFAULT_SOURCE 1
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "door_pool.h"
#include "guest_pool.h"

enum {
    EXIT_USAGE = 2,
    MAX_DOORS = 16,
    BUFFER = 4096
};

static const char usage[] =
    "usage: echo [-m ADDRESS] [-n CONNECTIONS] [-q SECONDS] [ADDRESS]...\n"
    "Send back what is sent to these addresses, until SIGTERM or SIGINT.\n"
    "\n"
    "  ADDRESS         such as 127.0.0.1:7007 (default), [::1]:0 or unix:/run/echo\n"
    "  -m ADDRESS      where to tell how it is, to Prometheus or to ./tidepool top; and say on stderr which task stalls\n"
    "  -n CONNECTIONS  how many at a time (default 100); others are told, and closed\n"
    "  -q SECONDS      how long a connection may be quiet (default 60)\n"
    "  --help          print this and stop\n"
    "\n"
    "examples/echo/README.md explains what is printed.\n";

static struct door_pool *doors;
static struct guest_pool *guests;
static uint64_t quiet_ns = 60 * TP_SECOND;
static _Atomic uint64_t closing_ns = TP_FOREVER; /* when the server has to be through */

/* Ends the program: nothing here can be done without what failed. */
static void must(int status, const char *what)
{
    if (status == 0)
        return;
    fprintf(stderr, "echo: %s: %s\n", what, tp_strerror(status));
    exit(EXIT_FAILURE);
}

/* -- a connection ------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The end of our stream; then the peer may end its own, so that what is under way to it is not lost. */
static void part(struct tp_fd peer)
{
    char bytes[BUFFER];
    size_t n;
    uint64_t deadline_ns = tp_deadline_in_ns(TP_SECOND);
    TP_SHIELD;
    tp_shutdown(peer, TP_FD_WRITABLE);
    while (tp_clock_now_ns() < deadline_ns && tp_read(peer, bytes, sizeof bytes, deadline_ns, &n) == 0 && n > 0)
        ;
    tp_fd_close(peer);
}

/* Reads once, and sends back all of it. Returns 1; at the end of the input 0; or what went wrong. */
static int answer(struct tp_fd peer, uint64_t deadline_ns)
{
    char bytes[BUFFER];
    size_t n;
    int status = tp_read(peer, bytes, sizeof bytes, deadline_ns, &n);
    if (status != 0 || n == 0)
        return status;
    TP_SHIELD;
    status = tp_write_all(peer, bytes, n, earlier(tp_deadline_in_ns(quiet_ns), closing_ns), NULL);
    return status == 0 ? 1 : status;
}

/* The task of `guest`. */
int serve(struct tp_fd peer)
{
    int status;
    do
        status = answer(peer, tp_deadline_in_ns(quiet_ns));
    while (status > 0);
    if (status == TP_ECANCELED) { /* the server ends: what was sent before is still answered */
        TP_SHIELD;
        do
            status = answer(peer, tp_deadline_in_ns(TP_SECOND / 10));
        while (status > 0 && tp_clock_now_ns() < closing_ns);
        if (status == TP_ETIMEDOUT)
            status = 0;
    }
    part(peer);
    return status;
}

/* Who finds `guest` full, or comes while it closes. */
void turn_away(struct tp_fd peer)
{
    static const char answer[] = "echo: too many connections, try again later\n";
    tp_write_all(peer, answer, sizeof answer - 1, 0, NULL);
    tp_fd_close(peer);
}

/* The task of `door`. */
int let_in(struct tp_fd listener)
{
    struct tp_fd peer;
    int status;
    while ((status = tp_accept(listener, TP_FOREVER, NULL, &peer)) == 0 || status == TP_ERESET)
        if (status == 0 && guest_submit(guests, peer) != 0)
            tp_fd_close(peer);
    return status == TP_ECANCELED ? 0 : status;
}

/* -- the server --------------------------------------------------------------------------------- */

static struct tp_fd open_door(const char *text)
{
    struct tp_address address;
    struct tp_fd listener;
    char name[TP_ADDRESS_TEXT];
    must(tp_address_parse(text, &address), text);
    must(tp_listen(&address, &(struct tp_listen_settings){.replace_stale = true}, &listener), text);
    must(tp_address_local(listener, &address), text);
    must(tp_address_print(&address, name, sizeof name), text);
    printf("listening at %s\n", name);
    must(door_submit(doors, listener), "cannot submit");
    return listener;
}

static void close_door(const char *text, struct tp_fd listener)
{
    if (strncmp(text, "unix:", 5) == 0 && text[5] != '@')
        unlink(text + 5);
    tp_fd_close(listener);
}

/* Who asks at that address is told; of trouble, stderr. */
static struct tp_exporter *open_hatch(const char *address)
{
    struct tp_exporter *exporter = NULL;
    if (address) {
        must(tp_exporter_open(&exporter, address), address);
        must(tp_monitor_start(NULL), "cannot start the monitor");
    }
    return exporter;
}

static void close_hatch(struct tp_exporter *exporter)
{
    if (exporter) {
        tp_monitor_stop();
        tp_exporter_close(exporter);
    }
}

static void run(uint64_t n_connections, const char *hatch, const char *const *addresses, int n)
{
    const struct tp_pool_settings settings = {.capacity = n_connections};
    struct tp_fd listeners[MAX_DOORS];
    struct tp_pool_stats stats;
    sigset_t signals;
    int number;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* in all threads that follow */
    must(guest_pool_open(&guests, &settings), "cannot open the pool");
    must(door_pool_open(&doors, NULL), "cannot open the pool");
    struct tp_exporter *exporter = open_hatch(hatch);
    for (int i = 0; i < n; i++)
        listeners[i] = open_door(addresses[i]);
    fflush(stdout);
    sigwait(&signals, &number);

    close_hatch(exporter);
    door_pool_cancel(doors, TP_FOREVER); /* nobody comes in from here on */
    for (int i = 0; i < n; i++)
        close_door(addresses[i], listeners[i]);
    closing_ns = tp_deadline_in_ns(2 * TP_SECOND);
    guest_pool_cancel(guests, TP_FOREVER); /* each is asked to end, and waited for */
    guest_pool_stats(guests, &stats);
    printf("%" PRIu64 " served, %" PRIu64 " of them broken off; %" PRIu64 " turned away\n", stats.completed, stats.failed,
        stats.dropped + stats.cancelled);
    guest_pool_free(guests);
    door_pool_free(doors);
}

/* -- options ------------------------------------------------------------------------------------ */

/* Ends the program: a wrong usage has no other way out. */
static _Noreturn void refuse_usage(void)
{
    fputs("Try 'echo --help'.\n", stderr);
    exit(EXIT_USAGE);
}

static uint64_t parse_number(int option, const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (*text >= '1' && *text <= '9' && *end == '\0' && number <= 1000000)
        return number;
    fprintf(stderr, "echo: -%c takes a number from 1 to 1000000, not '%s'\n", option, text);
    refuse_usage();
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    static const char *const usual[] = {"127.0.0.1:7007"};
    uint64_t n_connections = 0; /* as configured */
    const char *hatch = NULL;
    for (int option; (option = getopt_long(argc, argv, "m:n:q:", options, NULL)) != -1;)
        switch (option) {
        case 'm':
            hatch = optarg;
            break;
        case 'n':
            n_connections = parse_number(option, optarg);
            break;
        case 'q':
            quiet_ns = parse_number(option, optarg) * TP_SECOND;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        default:
            refuse_usage();
        }
    if (argc - optind > MAX_DOORS) {
        fprintf(stderr, "echo: at most %d addresses\n", MAX_DOORS);
        refuse_usage();
    }
    if (optind < argc)
        run(n_connections, hatch, (const char *const *)argv + optind, argc - optind);
    else
        run(n_connections, hatch, usual, 1);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
