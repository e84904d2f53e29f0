/* chat: a room in which everybody hears what everybody says. A guest is a task, which tells it what all say, with a child in a scope,
 * which hears what the guest says; who of them ends first ends the other.
 * Invariant: what is said is kept once for all, the last LINES_KEPT lines of it; a guest holds a place in it, and no lines. So one who is slow misses
 * some, and nobody waits for it. What is done, and what is printed: README.md. */
#define _DEFAULT_SOURCE 1
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tidepool.h>

enum {
    EXIT_USAGE = 2,
    LINES_KEPT = 256,
    LINE = 256, /* bytes of one, with who says it */
    NAME = 16,
    SEATS = 1000
};

static const char usage[] =
    "usage: chat [-q SECONDS] [ADDRESS]\n"
    "Let all who connect talk to each other, until SIGTERM or SIGINT.\n"
    "\n"
    "  ADDRESS     such as 127.0.0.1:7008 (default), [::1]:0 or unix:@chat\n"
    "  -q SECONDS  who takes nothing of what is said for so long is sent away (default 10)\n"
    "  --help      print this and stop\n"
    "\n"
    "examples/chat/README.md explains what is to be seen.\n";

struct line {
    unsigned n;
    char text[LINE];
};

struct guest {
    struct tp_fd peer;
    uint64_t teller; /* its task */
    char name[NAME];
    struct tp_broadcast_reader reader; /* its place in what is said */
    _Atomic uint64_t last;             /* number of the line after the last that it is to be told */
    size_t n_bytes;                    /* in `bytes`: read, but not taken as lines yet */
    char bytes[LINE];
};

static struct tp_broadcast *room;
static struct tp_semaphore seats;
static uint64_t quiet_ns = 10 * TP_SECOND;
static _Atomic uint64_t closing_ns = TP_FOREVER; /* when all guests have to be out */

/* Ends the program: nothing here can be done without what failed. */
static void must(int status, const char *what)
{
    if (status == 0)
        return;
    fprintf(stderr, "chat: %s: %s\n", what, tp_strerror(status));
    exit(EXIT_FAILURE);
}

/* -- lines -------------------------------------------------------------------------------------- */

static void print_line(struct line *line, const char *format, va_list values)
{
    int n = vsnprintf(line->text, sizeof line->text, format, values);
    line->n = n < LINE ? (unsigned)n : LINE - 1;
    line->text[line->n - 1] = '\n';
}

/* To everybody. Never waits. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    struct line line = {0};
    va_list values;
    va_start(values, format);
    print_line(&line, format, values);
    va_end(values);
    tp_broadcast_send(room, &line);
}

/* To one guest, who has to take it in time: a line that had to wait so long, and went out with the last attempt, is late as well.
 * What was begun is finished, also when the task is asked to end. */
static int write_line(struct guest *guest, const char *text, size_t n)
{
    uint64_t deadline_ns = tp_deadline_in_ns(quiet_ns);
    if (deadline_ns > closing_ns)
        deadline_ns = closing_ns;
    TP_SHIELD;
    int status = tp_write_all(guest->peer, text, n, deadline_ns, NULL);
    return status == 0 && tp_clock_now_ns() > deadline_ns ? TP_ETIMEDOUT : status;
}

/* What the guest says next, without the end of the line; in pieces if it is long. Control characters of ASCII become '?'.
 * Returns 0; TP_ECLOSED: it says no more; or what went wrong. */
static int read_line(struct guest *guest, char *text, size_t n_text)
{
    char *end;
    while (!(end = memchr(guest->bytes, '\n', guest->n_bytes)) && guest->n_bytes < n_text - 1) {
        size_t n;
        int status = tp_read(guest->peer, guest->bytes + guest->n_bytes, sizeof guest->bytes - guest->n_bytes, TP_FOREVER, &n);
        if (status != 0 || n == 0)
            return status != 0 ? status : TP_ECLOSED;
        guest->n_bytes += n;
    }
    size_t n_line = end ? (size_t)(end - guest->bytes) : guest->n_bytes, n = n_line < n_text ? n_line : n_text - 1;
    for (size_t i = 0; i < n; i++)
        text[i] = (unsigned char)guest->bytes[i] < ' ' || guest->bytes[i] == 127 ? '?' : guest->bytes[i];
    text[n] = '\0';
    n += end && n == n_line; /* with the end of the line */
    guest->n_bytes -= n;
    memmove(guest->bytes, guest->bytes + n, guest->n_bytes);
    return 0;
}

/* -- a guest ------------------------------------------------------------------------------------ */

/* What the guest says, until it says no more. */
static void hear_all(struct guest *guest)
{
    char text[LINE - NAME - sizeof ": \n"];
    if (read_line(guest, guest->name, sizeof guest->name) != 0)
        return;
    if (guest->name[0] == '\0')
        strcpy(guest->name, "somebody");
    say("* %s joins\n", guest->name);
    while (read_line(guest, text, sizeof text) == 0)
        say("%s: %s\n", guest->name, text);
    say("* %s leaves\n", guest->name);
    struct tp_broadcast_reader now;
    tp_broadcast_join(room, &now);
    guest->last = now.next;
}

static int hear(void *argument)
{
    struct guest *guest = argument;
    hear_all(guest);
    return tp_task_cancel(guest->teller); /* which tells what there is to be told, and does not wait for more */
}

/* Tells the guest what is said, until the room is closed, or the guest has left and knows it, or takes no more. */
static void tell_all(struct guest *guest)
{
    struct line line;
    int status = 0;
    while (status == 0 && guest->reader.next < guest->last) {
        status = tp_broadcast_recv(room, &guest->reader, &line, TP_FOREVER);
        if (status == TP_ELAGGED)
            line.n = (unsigned)snprintf(line.text, sizeof line.text, "* you were too slow for %" PRIu64 " lines\n", guest->reader.n_missed);
        if (status == 0 || status == TP_ELAGGED)
            status = write_line(guest, line.text, line.n);
    }
}

static int receive(void *argument)
{
    static const char question[] = "* what is your name?\n";
    struct guest *guest = argument;
    guest->teller = tp_task_id();
    tp_broadcast_join(room, &guest->reader);
    {
        TP_SCOPE(scope, NULL);
        if (write_line(guest, question, sizeof question - 1) == 0 && tp_scope_spawn(&scope, hear, guest, NULL) == 0)
            tell_all(guest);
        tp_scope_cancel(&scope);
    }
    tp_fd_close(guest->peer);
    free(guest);
    tp_semaphore_release(&seats, 1);
    return 0;
}

/* -- the door ----------------------------------------------------------------------------------- */

static void let_in(struct tp_fd peer)
{
    static const char answer[] = "* there is no seat left, come again later\n";
    if (tp_semaphore_acquire(&seats, 1, 0) != 0) {
        tp_write_all(peer, answer, sizeof answer - 1, 0, NULL);
        tp_fd_close(peer);
        return;
    }
    struct guest *guest = malloc(sizeof *guest);
    if (guest) {
        *guest = (struct guest){.peer = peer, .last = UINT64_MAX};
        if (tp_task_spawn(receive, guest, NULL) == 0)
            return;
    }
    free(guest);
    tp_fd_close(peer);
    tp_semaphore_release(&seats, 1);
}

static int keep_door(void *argument)
{
    struct tp_fd *listener = argument, peer;
    int status;
    while ((status = tp_accept(*listener, TP_FOREVER, NULL, &peer)) == 0 || status == TP_ERESET)
        if (status == 0)
            let_in(peer);
    return status;
}

static void run(const char *text)
{
    struct tp_runtime *runtime;
    struct tp_address address;
    struct tp_fd listener;
    char name[TP_ADDRESS_TEXT];
    uint64_t door;
    sigset_t signals;
    int number;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* in all threads that follow */
    must(tp_runtime_open(&runtime, NULL), "cannot open the runtime");
    must(tp_broadcast_open(&room, sizeof(struct line), LINES_KEPT), "cannot open the room");
    tp_semaphore_init(&seats, SEATS);
    must(tp_address_parse(text, &address), text);
    must(tp_listen(&address, &(struct tp_listen_settings){.replace_stale = true}, &listener), text);
    must(tp_address_local(listener, &address), text);
    must(tp_address_print(&address, name, sizeof name), text);
    must(tp_runtime_spawn(runtime, keep_door, &listener, &door), "cannot begin");
    printf("the room is open at %s\n", name);
    fflush(stdout);
    sigwait(&signals, &number);

    tp_runtime_cancel(runtime, door); /* nobody comes in from here on */
    tp_runtime_join(runtime, door, TP_FOREVER, NULL);
    tp_fd_close(listener);
    if (strncmp(text, "unix:", 5) == 0 && text[5] != '@')
        unlink(text + 5);
    closing_ns = tp_deadline_in_ns(2 * TP_SECOND);
    say("* the room closes\n");
    tp_broadcast_close(room);
    tp_semaphore_acquire(&seats, SEATS, TP_FOREVER); /* all guests are out */
    tp_runtime_free(runtime);
    tp_semaphore_end(&seats);
    tp_broadcast_free(room);
    puts("the room is closed");
}

/* -- options ------------------------------------------------------------------------------------ */

/* Ends the program: a wrong usage has no other way out. */
static _Noreturn void refuse_usage(void)
{
    fputs("Try 'chat --help'.\n", stderr);
    exit(EXIT_USAGE);
}

static uint64_t parse_seconds(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (*text >= '1' && *text <= '9' && *end == '\0' && number <= 1000000)
        return number * TP_SECOND;
    fprintf(stderr, "chat: -q takes a number from 1 to 1000000, not '%s'\n", text);
    refuse_usage();
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "q:", options, NULL)) != -1;)
        switch (option) {
        case 'q':
            quiet_ns = parse_seconds(optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        default:
            refuse_usage();
        }
    if (argc - optind > 1) {
        fprintf(stderr, "chat: '%s' is too much: there is one room\n", argv[optind + 1]);
        refuse_usage();
    }
    run(optind < argc ? argv[optind] : "127.0.0.1:7008");
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
