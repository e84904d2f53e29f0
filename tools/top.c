/* `./tidepool top`: the pools of a program that runs, in a terminal, from its exporter (docs/monitoring.md). Each frame is two readings of
 * the same text: what grew between them gives the rates.
 * Invariant: the terminal is as it was when the program ends, however it ends but by SIGKILL; no line is longer than 80 columns; what
 * answers costs a few seconds and megabytes at most, and sends the terminal nothing but text. */
#include "../runtime/base/atomic.h"
#include "../runtime/io/address.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    N_POOLS = 64,
    N_WORKERS = 60, /* letters in a line */
    N_BOUNDS = 32,
    COLUMNS = 80,
    PERIOD_MS = 1000,
    PATIENCE_S = 5,          /* with an answer */
    ANSWER_BYTES = 16 << 20, /* at most */
    EXIT_USAGE = 2
};

struct pool {
    char name[48], instance[24], letters[N_WORKERS + 1];
    double pending, running, suspended, waiting, over, busy, open, workers;
    double bounds[N_BOUNDS], counts[N_BOUNDS]; /* of the latency, cumulative */
    int n_bounds;
};

struct reading {
    double at; /* seconds on the clock */
    double resident, n_all; /* pools that there are */
    struct pool pools[N_POOLS];
    int n_pools; /* that are shown */
};

/* -- fetching ----------------------------------------------------------------------------------- */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Connected, with the request sent. -1, and errno, if not. */
static int ask(const struct tp_address *address)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: tidepool\r\n\r\n";
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* of connect, too */
    if (connect(fd, (const struct sockaddr *)&address->storage, address->n_bytes) == 0 && send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Reads to the end of the connection; what is no text becomes a question mark. Returns 0 or an error. */
static int read_all(int fd, char *text, size_t n_room)
{
    double until = seconds_now() + PATIENCE_S;
    size_t n = 0;
    ssize_t got;
    while ((got = recv(fd, text + n, n_room - 1 - n, 0)) > 0) {
        for (char *at = text + n, *end = at + got; at < end; at++)
            if ((*at < ' ' && *at != '\n') || *at > '~') /* a name may be anybody's */
                *at = '?';
        n += (size_t)got;
        if (n == n_room - 1 || seconds_now() > until)
            return n == n_room - 1 ? EMSGSIZE : ETIMEDOUT;
    }
    text[n] = '\0';
    return got == 0 ? 0 : errno;
}

/* The answer, headers and all, as malloc gave it. NULL, and errno, if there is none. */
static char *fetch(const struct tp_address *address)
{
    char *text = malloc(ANSWER_BYTES); /* of which the system gives what is touched */
    int fd = text ? ask(address) : -1;
    int error = fd >= 0 ? read_all(fd, text, ANSWER_BYTES) : errno;
    if (fd >= 0)
        close(fd);
    if (error == 0)
        return text;
    free(text);
    errno = error == EAGAIN ? ETIMEDOUT : error;
    return NULL;
}

/* -- reading ------------------------------------------------------------------------------------ */

/* The value of a label, without its quotes; escapes stay as they are. */
static bool label(const char *labels, const char *name, char *out, size_t n_out)
{
    char key[32];
    snprintf(key, sizeof key, "%s=\"", name);
    const char *at = strstr(labels, key);
    if (!at)
        return false;
    at += strlen(key);
    snprintf(out, n_out, "%.*s", (int)strcspn(at, "\""), at);
    return true;
}

static struct pool *find_pool(struct reading *reading, const char *instance)
{
    for (int i = 0; i < reading->n_pools; i++)
        if (strcmp(reading->pools[i].instance, instance) == 0)
            return &reading->pools[i];
    return NULL;
}

static char letter_of(const char *state)
{
    static const char *const names[] = {"running", "idle", "stealing", "waiting", "parked", "lookout", "no thread", "shutdown"};
    static const char letters[] = "Risw.l-x";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], state) == 0)
            return letters[i];
    return '?';
}

static void read_worker(struct pool *pool, const char *name, const char *labels, double value)
{
    char index[16], state[16];
    if (strcmp(name, "tidepool_worker_state") != 0 || value != 1)
        return;
    if (!label(labels, "worker", index, sizeof index) || !label(labels, "state", state, sizeof state))
        return;
    int i = atoi(index);
    if (i < 0 || i >= N_WORKERS)
        return;
    for (int j = (int)strlen(pool->letters); j < i; j++)
        pool->letters[j] = ' ';
    pool->letters[i] = letter_of(state);
}

static void read_pool(struct pool *pool, const char *name, const char *labels, double value)
{
    const struct {
        const char *name;
        double *to;
    } numbers[] = {
        {"pending_tasks", &pool->pending},
        {"running_tasks", &pool->running},
        {"suspended_tasks", &pool->suspended},
        {"waiting_submitters", &pool->waiting},
        {"over_tasks_total", &pool->over},
        {"busy_seconds_total", &pool->busy},
        {"open_seconds", &pool->open},
        {"workers", &pool->workers},
    };
    char bound[32];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0)
            *numbers[i].to = value;
    if (strcmp(name, "latency_seconds_bucket") == 0 && pool->n_bounds < N_BOUNDS && label(labels, "le", bound, sizeof bound)) {
        pool->bounds[pool->n_bounds] = strtod(bound, NULL);
        pool->counts[pool->n_bounds++] = value;
    }
}

/* One line: a name, perhaps labels, and a number. */
static void read_line(struct reading *reading, char *line)
{
    static const char of_pool[] = "tidepool_pool_";
    char instance[24], *labels = strchr(line, '{'), *space = strrchr(line, ' ');
    if (line[0] == '#' || !space)
        return;
    double value = strtod(space + 1, NULL);
    *space = '\0';
    if (strcmp(line, "tidepool_resident_memory_bytes") == 0)
        reading->resident = value;
    if (strcmp(line, "tidepool_pools") == 0)
        reading->n_all = value;
    if (!labels)
        return;
    *labels++ = '\0';
    if (!label(labels, "instance", instance, sizeof instance))
        return;
    struct pool *pool = find_pool(reading, instance);
    if (!pool && reading->n_pools < N_POOLS) {
        pool = &reading->pools[reading->n_pools++];
        label(labels, "pool", pool->name, sizeof pool->name);
        memcpy(pool->instance, instance, sizeof instance);
    }
    if (!pool)
        return;
    if (strncmp(line, of_pool, sizeof of_pool - 1) == 0)
        read_pool(pool, line + sizeof of_pool - 1, labels, value);
    else
        read_worker(pool, line, labels, value);
}

/* Returns false, and errno; EPROTO: what answers is no exporter. */
static bool take_reading(const struct tp_address *address, struct reading *reading)
{
    char *text = fetch(address);
    memset(reading, 0, sizeof *reading);
    if (!text)
        return false;
    reading->at = seconds_now();
    bool is_answer = strncmp(text, "HTTP/1.1 200", 12) == 0 && strstr(text, "\ntidepool_pools ");
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
        read_line(reading, line);
    free(text);
    errno = EPROTO;
    return is_answer;
}

/* -- showing ------------------------------------------------------------------------------------ */

static void show_seconds(char *out, size_t n, double seconds)
{
    if (seconds <= 0)
        snprintf(out, n, "-");
    else if (seconds < 1e-3)
        snprintf(out, n, "%.0fus", seconds * 1e6);
    else if (seconds < 1)
        snprintf(out, n, "%.0fms", seconds * 1e3);
    else
        snprintf(out, n, "%.1fs", seconds);
}

/* The bound that a share of the tasks that started since `before` did not exceed. 0: there were none. */
static double quantile(const struct pool *now, const struct pool *before, double share)
{
    int last = now->n_bounds - 1;
    double all = last >= 0 ? now->counts[last] - before->counts[last] : 0;
    for (int i = 0; all > 0 && i < last; i++)
        if (now->counts[i] - before->counts[i] >= share * all)
            return now->bounds[i];
    return all > 0 && last > 0 ? now->bounds[last - 1] : 0;
}

static void show_pool(const struct pool *now, const struct pool *before, double seconds)
{
    char p50[16], p99[16], line[256];
    show_seconds(p50, sizeof p50, quantile(now, before, 0.5));
    show_seconds(p99, sizeof p99, quantile(now, before, 0.99));
    double rate = seconds > 0 ? (now->over - before->over) / seconds : 0;
    double had = seconds * (now->workers > 0 ? now->workers : 1);
    double used = had > 0 ? (now->busy - before->busy) / had * 100 : 0;
    snprintf(line, sizeof line, "%-18.18s %5.0f %7.0f %7.0f %6.0f %9.0f %6s %6s %4.0f%%", now->name, now->running, now->pending, now->suspended, now->waiting, rate, p50, p99, used < 100 ? used : 100);
    printf("%.*s\n  workers [%s]\n", COLUMNS, line, now->letters);
}

static void show(const struct reading *now, struct reading *before, const char *where)
{
    static const struct pool none;
    printf("tidepool top  %.40s  memory %.1f MiB  pools %.0f\n", where, now->resident / (1 << 20), now->n_all);
    printf("%-18s %5s %7s %7s %6s %9s %6s %6s %5s\n", "POOL", "RUN", "PENDING", "SUSP", "SUBMIT", "TASKS/S", "P50", "P99", "BUSY");
    for (int i = 0; i < now->n_pools; i++) {
        const struct pool *pool = &now->pools[i], *old = find_pool(before, pool->instance);
        if (old && old->over > pool->over) /* another program, or another life */
            old = NULL;
        show_pool(pool, old ? old : &none, old ? now->at - before->at : pool->open);
    }
    printf("R running  i idle  s stealing  w waiting  . parked  l lookout  - none  x closed\n");
}

/* -- the terminal ------------------------------------------------------------------------------- */

static tp_atomic(int) is_over; /* by a signal, or a key */
static struct termios terminal;

static void end(int number)
{
    (void)number;
    tp_store_rlx(&is_over, 1); /* relaxed: it is all there is */
}

static void enter(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = end};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        sigaction(ends[i], &action, NULL);
    if (tcgetattr(STDIN_FILENO, &terminal) == 0) {
        struct termios quiet = terminal;
        quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    }
    fputs("\033[?1049h\033[?25l", stdout);
}

static void leave(void)
{
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    if (terminal.c_cflag != 0)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
}

/* Waits for the next frame. A `q`, or the end of the terminal, ends the program. */
static void wait_for_key(void)
{
    struct pollfd keys = {isatty(STDIN_FILENO) ? STDIN_FILENO : -1, POLLIN, 0};
    char key = 0;
    if (poll(&keys, 1, PERIOD_MS) > 0 && (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q'))
        tp_store_rlx(&is_over, 1); /* relaxed: as above */
}

static int fail(const char *where, int error)
{
    fprintf(stderr, "tidepool: top: %s: %s\n", where, error == EPROTO ? "what answers there is no exporter of this library" : strerror(error));
    return 1;
}

/* Frame after frame. Returns the exit status. */
static int watch(const struct tp_address *address, const char *where)
{
    static struct reading readings[2];
    int which = 0, error = 0;
    enter();
    while (!tp_load_rlx(&is_over) && error == 0) { /* relaxed: as above */
        if (!take_reading(address, &readings[which])) {
            error = errno;
            break;
        }
        fputs("\033[H\033[J", stdout);
        show(&readings[which], &readings[!which], where);
        error = fflush(stdout) == 0 ? 0 : errno;
        which = !which;
        wait_for_key();
    }
    leave();
    return error == 0 || tp_load_rlx(&is_over) ? 0 : fail(where, error); /* relaxed: as above; the signal cut a reading off */
}

static const char usage[] =
    "usage: ./tidepool top [--once] ADDRESS\n"
    "\n"
    "Shows the pools of a program that runs, each second; `q` ends it.\n"
    "\n"
    "  ADDRESS   of the program's exporter: unix:/path, /path, or 127.0.0.1:port\n"
    "  --once    one frame, for scripts; also if the output is no terminal\n";

static int refuse(const char *what, const char *word)
{
    fprintf(stderr, "tidepool: top: %s%s; try: ./tidepool top --help\n", what, word);
    return EXIT_USAGE;
}

/* What was written must have arrived. */
static int finish(void)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : fail("cannot write the output", errno);
}

int main(int argc, char **argv)
{
    static struct reading now, none;
    char text[128];
    const char *where = NULL;
    struct tp_address address;
    bool is_once = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return finish();
        }
        if (strcmp(argv[i], "--once") == 0)
            is_once = true;
        else if (argv[i][0] == '-')
            return refuse("unknown option ", argv[i]);
        else if (where)
            return refuse("one address is enough, not also ", argv[i]);
        else
            where = argv[i];
    }
    if (!where)
        return refuse("the address of an exporter is missing", "");
    int n = snprintf(text, sizeof text, "%s%s", where[0] == '/' ? "unix:" : "", where);
    if (n < 0 || (size_t)n >= sizeof text || tp_address_parse(text, &address) != 0)
        return refuse("an address is unix:/path, /path or 127.0.0.1:port, not ", where);
    if (!is_once && isatty(STDOUT_FILENO))
        return watch(&address, where);
    if (!take_reading(&address, &now))
        return fail(where, errno);
    show(&now, &none, where);
    return finish();
}
