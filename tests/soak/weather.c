/* A runtime in bad weather: rounds of clients and servers over sockets, in runtimes of both flavours and on plain threads, while memory,
 * threads and descriptors run out, signals interrupt each call a thousand times a second, peers vanish in the middle of a
 * message, tasks are asked to end and deadlines pass.
 * Invariant: each session ends once, with a status that the weather explains; what was answered was answered right; and after each
 * round nothing is left: no task, no descriptor, no memory.
 * Usage: weather [SECONDS [SEED]]; prints "N passed, N failed". */
#include "faults.h"

#include "runtime/base/atomic.h"
#include "runtime/tidepool.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SESSIONS = 60, /* of a round */
    THREADS = 3,   /* plain ones, with sessions of their own */
    THREAD_SESSIONS = 6,
    MESSAGES = 4,     /* of a session, at most */
    LARGEST = 40000,  /* bytes of a message, at most: more than the buffers of a socket have here */
    BUFFER = 4096,    /* of what a socket sends */
    WARM_ROUNDS = 5,  /* until memory has reached its size */
    GROWTH = 1 << 20, /* bytes that it may be beyond that, where it is counted */
    VISITS = 2000,
    ROUNDS = 12,
    SWEEP_NS = 5000000,
    STORM_NS = 1000000
};

#define LIMIT_NS (20 * TP_SECOND) /* of a call, so that nothing hangs; who is late then has hung */

#define check(condition) ((condition) ? (void)0 : fail_here(__LINE__, #condition))

static uint32_t seed_now;
static tp_atomic(uint64_t) n_interrupts;

_Noreturn static void fail_here(int line, const char *what)
{
    fprintf(stderr, "weather: line %d, seed %u: %s\n0 passed, 1 failed\n", line, seed_now, what);
    abort();
}

/* A session of one client, which counts what became of it. */
struct session {
    struct round *round;
    uint64_t random;
    int n_runs;
};

/* What the server has of a session. */
struct visit {
    struct round *round;
    struct tp_fd peer;
    uint64_t id;
    int n_runs;
};

struct round {
    struct tp_runtime *runtime;
    struct tp_address address;
    struct tp_semaphore places; /* for so many sessions at once */
    tp_atomic(uint32_t) is_open, n_answered, n_hidden;
    struct visit visits[VISITS]; /* by the listener */
    int n_visits;
    struct session sessions[SESSIONS], of_threads[THREADS][THREAD_SESSIONS];
    uint64_t ids[SESSIONS];
};

static uint64_t draw(uint64_t *random, uint64_t below)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return (*random * UINT64_C(2685821657736338717) >> 20) % below;
}

/* May a call end so, in this weather? */
static bool is_weather(int status)
{
    switch (status) {
    case 0:
    case TP_ENOMEM:
    case TP_EMFILE:
    case TP_ETHREAD:
    case TP_ETIMEDOUT:
    case TP_ECANCELED:
    case TP_ECLOSED:
    case TP_ERESET:
    case TP_EPIPE:
    case TP_EREFUSED:
    case TP_ENOSPC: /* of epoll */
    case TP_EIO:
        return true;
    default:
        return false;
    }
}

/* -- the server ----------------------------------------------------------------------------------------- */

/* What is sent has to wait for room. (With a small buffer at the receiver, TCP itself would wait for its timers.) */
static void narrow(struct tp_fd fd)
{
    int bytes = BUFFER;
    setsockopt(fd.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

/* Sends back what comes. */
static int serve(void *argument)
{
    struct visit *visit = argument;
    unsigned char bytes[1000];
    size_t n = 1;
    int status = 0;
    visit->n_runs++;
    while (status == 0 && n > 0) {
        status = tp_read(visit->peer, bytes, sizeof bytes, tp_deadline_in_ns(LIMIT_NS), &n);
        if (status == 0 && n > 0)
            status = tp_write_all(visit->peer, bytes, n, tp_deadline_in_ns(LIMIT_NS), NULL);
    }
    check(is_weather(status));
    tp_shutdown(visit->peer, TP_FD_READABLE | TP_FD_WRITABLE); /* so that the client does not wait for more */
    return 0;
}

/* A task for the connection; or it is closed. */
static void receive(struct round *round, struct tp_fd peer)
{
    struct visit *visit = &round->visits[round->n_visits];
    check(round->n_visits < VISITS);
    narrow(peer);
    *visit = (struct visit){.round = round, .peer = peer};
    int status = tp_task_spawn(serve, visit, &visit->id);
    check(is_weather(status));
    if (status == 0)
        round->n_visits++;
    else
        check(tp_fd_close(peer) == 0);
}

/* Closes what belongs to tasks that are over; one whose task could not begin is over, too. Returns how many are not. */
static int sweep(struct round *round, uint64_t deadline_ns)
{
    int n_left = 0;
    for (int i = 0; i < round->n_visits; i++) {
        struct visit *visit = &round->visits[i];
        struct tp_task_result result;
        int status = visit->id != 0 ? tp_task_join(visit->id, deadline_ns, &result) : TP_ESTALE;
        check(status == 0 || status == TP_ESTALE || (status == TP_ETIMEDOUT && deadline_ns == 0) || status == TP_ECANCELED);
        n_left += visit->id != 0 && status != 0;
        if (status != 0)
            continue;
        check(visit->n_runs == (result.code != TP_ENOMEM));
        check(tp_fd_close(visit->peer) == 0);
        visit->id = 0;
    }
    return n_left;
}

/* Accepts until it is asked to end, then waits for those that it serves. */
static int listen_here(void *argument)
{
    struct round *round = argument;
    struct tp_fd listener, peer;
    int status;
    while ((status = tp_listen(&round->address, NULL, &listener)) != 0)
        check(is_weather(status));
    check(tp_address_local(listener, &round->address) == 0);
    tp_store_sc(&round->is_open, 1);
    while ((status = tp_accept(listener, tp_deadline_in_ns(SWEEP_NS), NULL, &peer)) != TP_ECANCELED) {
        check(is_weather(status));
        if (status == 0)
            receive(round, peer);
        sweep(round, 0);
    }
    check(tp_fd_close(listener) == 0);
    TP_SHIELD;
    check(sweep(round, TP_FOREVER) == 0);
    return 0;
}

/* -- clients -------------------------------------------------------------------------------------------- */

struct message {
    struct tp_fd fd;
    unsigned char *bytes;
    size_t n_bytes;
    uint64_t deadline_ns;
    int status;
};

static int send_message(void *argument)
{
    struct message *message = argument;
    message->status = tp_write_all(message->fd, message->bytes, message->n_bytes, message->deadline_ns, NULL);
    if (message->status != 0)
        tp_shutdown(message->fd, TP_FD_READABLE | TP_FD_WRITABLE); /* there will be no answer to wait for */
    return 0;
}

/* Sends all of it while it receives the answer: by a task of its own, or a piece at a time. */
static int exchange(struct message *message, unsigned char *answer)
{
    uint64_t id;
    struct tp_task_result result;
    size_t n = 0;
    if (tp_task_spawn(send_message, message, &id) == 0) {
        int status = tp_read_all(message->fd, answer, message->n_bytes, message->deadline_ns, &n);
        TP_SHIELD;
        if (status != 0)
            tp_task_cancel(id);
        check(tp_task_join(id, TP_FOREVER, &result) == 0);
        if (status == 0 && n == message->n_bytes)
            check(result.state == TP_TASK_RETURNED && message->status == 0);
        return status != 0 ? status : n < message->n_bytes ? TP_ERESET
                                                           : 0;
    }
    for (size_t at = 0; at < message->n_bytes; at += n) {
        n = message->n_bytes - at < 500 ? message->n_bytes - at : 500;
        int status = tp_write_all(message->fd, message->bytes + at, n, message->deadline_ns, NULL);
        if (status == 0)
            status = tp_read_all(message->fd, answer + at, n, message->deadline_ns, &n);
        if (status != 0 || n == 0)
            return status != 0 ? status : TP_ERESET;
    }
    return 0;
}

static int talk(struct session *session, struct tp_fd fd)
{
    unsigned char *bytes = malloc(2 * LARGEST);
    int status = bytes ? 0 : TP_ENOMEM;
    for (uint64_t left = 1 + draw(&session->random, MESSAGES); status == 0 && left > 0; left--) {
        uint64_t limit_ns = draw(&session->random, 8) == 0 ? 50000 : LIMIT_NS;
        struct message message = {fd, bytes, 1 + draw(&session->random, LARGEST), tp_deadline_in_ns(limit_ns), 0};
        for (size_t i = 0; i < message.n_bytes; i++)
            bytes[i] = (unsigned char)(session->random >> i % 7 * 8 ^ i);
        status = exchange(&message, bytes + LARGEST);
        check(is_weather(status));
        if (status == 0) {
            check(memcmp(bytes, bytes + LARGEST, message.n_bytes) == 0);
            tp_add_sc(&session->round->n_answered, 1);
        }
    }
    free(bytes);
    return status;
}

/* Connects, talks, and closes, or vanishes. */
static int run_session(void *argument)
{
    struct session *session = argument;
    struct round *round = session->round;
    struct tp_fd fd;
    session->n_runs++;
    int status = tp_semaphore_acquire(&round->places, 1, tp_deadline_in_ns(LIMIT_NS));
    check(is_weather(status));
    if (status != 0)
        return status;
    status = tp_connect(&round->address, tp_deadline_in_ns(LIMIT_NS), &fd);
    check(is_weather(status));
    if (status == 0) {
        narrow(fd);
        status = talk(session, fd);
        if (draw(&session->random, 4) == 0) {
            const struct linger vanish = {.l_onoff = 1};
            setsockopt(fd.fd, SOL_SOCKET, SO_LINGER, &vanish, sizeof vanish);
        }
        check(tp_fd_close(fd) == 0);
    }
    tp_semaphore_release(&round->places, 1);
    return status;
}

/* -- threads, each in a storm of signals ---------------------------------------------------------- */

struct helper {
    struct session *sessions;
    bool has_runtime;
    pthread_t thread;
};

static void hear(int number)
{
    (void)number;
    tp_add_sc(&n_interrupts, 1);
}

static int run_sessions(void *argument)
{
    struct session *sessions = argument;
    for (int i = 0; i < THREAD_SESSIONS; i++)
        run_session(&sessions[i]);
    return 0;
}

/* Has the calling thread interrupted, a thousand times a second. */
static timer_t begin_storm(void)
{
    timer_t storm;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
    const struct itimerspec always = {{0, STORM_NS}, {0, STORM_NS}};
    event._sigev_un._tid = gettid(); /* its name in this version of the C library */
    check(timer_create(CLOCK_MONOTONIC, &event, &storm) == 0 && timer_settime(storm, 0, &always, NULL) == 0);
    return storm;
}

/* By itself, or in a runtime on this thread. */
static void *help(void *argument)
{
    struct helper *helper = argument;
    timer_t storm = begin_storm();
    struct tp_runtime *runtime;
    const struct tp_runtime_settings settings = {.flavour = TP_RUNTIME_CURRENT, .seed = seed_now};
    struct tp_task_result result = {TP_TASK_RETURNED, TP_ENOMEM};
    if (helper->has_runtime && tp_runtime_open(&runtime, &settings) == 0) {
        int status = tp_block_on(runtime, run_sessions, helper->sessions, &result);
        check(is_weather(status));
        if (status != 0)
            result.code = status;
        tp_runtime_free(runtime);
    }
    if (result.code != 0)
        run_sessions(helper->sessions);
    timer_delete(storm);
    return NULL;
}

/* Is there a listener, or could it not even begin? */
static bool is_listening(struct round *round, uint64_t listener)
{
    while (tp_load_sc(&round->is_open) == 0) {
        if (tp_runtime_join(round->runtime, listener, 0, NULL) == 0)
            return false;
        sched_yield();
    }
    return true;
}

/* -- a round -------------------------------------------------------------------------------------------- */

static int n_descriptors(void)
{
    int n = 0;
    DIR *all = opendir("/proc/self/fd");
    check(all != NULL);
    while (readdir(all))
        n++;
    closedir(all);
    return n;
}

static void start(struct helper *helper, struct session *sessions, bool has_runtime)
{
    *helper = (struct helper){.sessions = sessions, .has_runtime = has_runtime};
    while (pthread_create(&helper->thread, NULL, help, helper) != 0)
        sched_yield();
}

static struct session new_session(struct round *round, uint64_t *random)
{
    return (struct session){.round = round, .random = draw(random, UINT64_MAX >> 22) + 1};
}

/* What became of a session in a task: it ran, or it never will. */
static void settle(struct round *round, int i)
{
    struct tp_task_result result;
    check(tp_runtime_join(round->runtime, round->ids[i], TP_FOREVER, &result) == 0);
    bool never = result.state == TP_TASK_CANCELLED || (result.state == TP_TASK_FAILED && result.code == TP_ENOMEM);
    check(round->sessions[i].n_runs == 1 || (never && round->sessions[i].n_runs == 0));
    check(result.state != TP_TASK_PANICKED);
}

static void play(struct round *round, uint64_t *random)
{
    const struct tp_runtime_settings settings = {.workers = (uint32_t)(1 + draw(random, 4))};
    struct helper helpers[THREADS];
    uint64_t listener;
    bool is_spawned[SESSIONS];
    memset(round, 0, sizeof *round);
    check(tp_address_parse(draw(random, 2) == 0 ? "127.0.0.1:0" : "[::1]:0", &round->address) == 0);
    tp_semaphore_init(&round->places, 20);
    faults_set(true);
    while (tp_runtime_open(&round->runtime, &settings) != 0)
        ;
    do
        while (tp_runtime_spawn(round->runtime, listen_here, round, &listener) != 0)
            ;
    while (!is_listening(round, listener));
    for (int i = 0; i < SESSIONS; i++) {
        round->sessions[i] = new_session(round, random);
        int status = tp_runtime_spawn(round->runtime, run_session, &round->sessions[i], &round->ids[i]);
        check(is_weather(status));
        is_spawned[i] = status == 0;
    }
    for (int i = 0; i < THREADS; i++) {
        for (int k = 0; k < THREAD_SESSIONS; k++)
            round->of_threads[i][k] = new_session(round, random);
        start(&helpers[i], round->of_threads[i], i == 0);
    }
    for (int i = 0; i < SESSIONS; i++)
        if (is_spawned[i] && draw(random, 10) == 0)
            tp_runtime_cancel(round->runtime, round->ids[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(helpers[i].thread, NULL);
    for (int i = 0; i < SESSIONS; i++)
        if (is_spawned[i])
            settle(round, i);
    for (int i = 0; i < THREADS; i++)
        for (int k = 0; k < THREAD_SESSIONS; k++)
            check(round->of_threads[i][k].n_runs == 1);
    check(tp_runtime_cancel(round->runtime, listener) == 0);
    check(tp_runtime_join(round->runtime, listener, TP_FOREVER, NULL) == 0);
    check(tp_runtime_close(round->runtime, TP_FOREVER) == 0);
    faults_set(false);
    tp_runtime_free(round->runtime);
}

int main(int argc, char **argv)
{
    static struct round round;
    uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 0, n_answered = 0;
    seed_now = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : (uint32_t)(tp_clock_now_ns() / 1000);
    uint64_t random = seed_now * UINT64_C(0x9e3779b97f4a7c15) | 1;
    struct sigaction action = {.sa_handler = hear}; /* without SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
    faults_begin(seed_now);
    faults_set(false);
    uint64_t end_ns = tp_deadline_in_ns(seconds * TP_SECOND);
    size_t most_bytes = 0;
    int n_open = 0, n_rounds = 0;
    bool is_bad = true;
    do {
        play(&round, &random);
        n_answered += tp_load_sc(&round.n_answered);
        size_t n_bytes = mallinfo2().uordblks; /* 0 under a sanitizer, which counts by itself */
        if (n_rounds++ < WARM_ROUNDS) {
            most_bytes = n_bytes > most_bytes ? n_bytes : most_bytes;
            n_open = n_rounds == 1 ? n_descriptors() : n_open;
        }
        check(n_descriptors() == n_open);
        check(n_bytes <= most_bytes + GROWTH);
    } while (n_rounds < ROUNDS || tp_clock_now_ns() < end_ns);
    printf("seed %u: %d rounds, %llu answers", seed_now, n_rounds, (unsigned long long)n_answered);
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        printf("; %s: %llu", faults_what((enum fault)kind), (unsigned long long)faults_count((enum fault)kind));
        is_bad = is_bad && faults_have_come((enum fault)kind);
    }
    printf("; a call is interrupted: %llu\n", (unsigned long long)tp_load_sc(&n_interrupts));
    fflush(stdout);
    check(is_bad && tp_load_sc(&n_interrupts) > 0); /* else it was no test */
    check(n_answered > 0);
    printf("1 passed, 0 failed\n");
    return 0;
}
