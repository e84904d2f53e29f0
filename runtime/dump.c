/* Reports of all tasks in coroutines. A record's word is read, then its stack, then the word again: if that has not
 * changed, the task has not moved, since whoever lets it go on changes the word first. */
#include "dump.h"

#include "base/status.h"
#include "fibers.h"
#include "known.h"
#include "worker.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FRAMES = 12,
    NAME_BYTES = 32 };

/* One task, as it was when it was looked at. */
struct seen {
    char pool[NAME_BYTES];
    uint64_t id, word;
    size_t n_frames;
    void *frames[FRAMES];
};

/* All of them. */
struct look {
    struct seen *tasks; /* as many as there is room for */
    size_t n, n_room;
    size_t n_waits, n_ready, n_runs;
};

static void see(struct look *look, struct tp_fiber *fiber)
{
    uint64_t word = tp_cycle_look(&fiber->cycle);
    enum tp_cycle_state state = tp_cycle_state(word);
    if (state != TP_CYCLE_READY && state != TP_CYCLE_RUNNING && state != TP_CYCLE_SUSPENDED)
        return;
    look->n_waits += state == TP_CYCLE_SUSPENDED;
    look->n_ready += state == TP_CYCLE_READY;
    look->n_runs += state == TP_CYCLE_RUNNING;
    if (look->n == look->n_room)
        return;
    struct seen *seen = &look->tasks[look->n++];
    *seen = (struct seen){.word = word, .id = tp_load_rlx(&fiber->id)}; /* relaxed: the look has acquired it */
    snprintf(seen->pool, sizeof seen->pool, "%s", fiber->fibers->run.pool);
    if (state == TP_CYCLE_SUSPENDED)
        seen->n_frames = tp_co_backtrace(fiber->co, seen->frames, FRAMES);
    if (tp_cycle_look(&fiber->cycle) != word) /* it goes on already */
        seen->n_frames = 0;
}

/* Copies what there is; nothing else happens under the lock. */
static void see_all(struct look *look)
{
    look->n = look->n_waits = look->n_ready = look->n_runs = 0;
    for (struct tp_fibers *fibers = tp__known_lock(); fibers; fibers = fibers->next_known)
        for (uint32_t i = 0, n = tp_load_acq(&fibers->n_records); i < n; i++) /* pairs with the release in make_record */
            see(look, tp_fibers_at(fibers, i));
    tp__known_unlock();
}

static void print_task(FILE *out, const struct seen *seen)
{
    static const char *const words[] = {[TP_CYCLE_READY] = "is ready", [TP_CYCLE_RUNNING] = "runs", [TP_CYCLE_SUSPENDED] = "waits"};
    fprintf(out, "pool %s, ", seen->pool);
    if (seen->id != 0)
        fprintf(out, "task %" PRIu64 " ", seen->id);
    else
        fprintf(out, "an untracked task ");
    fprintf(out, "%s%s\n", words[tp_cycle_state(seen->word)], (seen->word & TP__CYCLE_ASKED) ? ", and was asked to end" : "");
    char **names = seen->n_frames > 0 ? backtrace_symbols(seen->frames, (int)seen->n_frames) : NULL;
    for (size_t i = 0; i < seen->n_frames; i++)
        if (names)
            fprintf(out, "    #%-2zu %s\n", i, names[i]);
        else
            fprintf(out, "    #%-2zu %p\n", i, seen->frames[i]);
    free(names);
}

static void print_all(FILE *out, const struct look *look)
{
    size_t n = look->n_waits + look->n_ready + look->n_runs;
    fprintf(out, "tidepool: tasks in coroutines: %zu wait, %zu are ready, %zu run\n", look->n_waits, look->n_ready, look->n_runs);
    for (size_t i = 0; i < look->n; i++)
        print_task(out, &look->tasks[i]);
    if (n > look->n)
        fprintf(out, "and %zu more\n", n - look->n);
}

void tp_dump_tasks(int fd)
{
    struct look look = {.n = 0};
    see_all(&look);
    size_t n_room = look.n_waits + look.n_ready + look.n_runs + 16; /* some may come meanwhile */
    n_room = n_room < TP_DUMP_MOST ? n_room : TP_DUMP_MOST;
    look.tasks = malloc(n_room * sizeof *look.tasks);
    look.n_room = look.tasks ? n_room : 0; /* without memory there are the sums */
    see_all(&look);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *out = copy >= 0 ? fdopen(copy, "w") : NULL;
    if (out) {
        print_all(out, &look);
        fclose(out);
    } else if (copy >= 0) {
        close(copy);
    }
    free(look.tasks);
}

/* -- on a signal ------------------------------------------------------------------------------------ */

/* All that the handler touches, at any time: also late, on a thread that was interrupted before a stop. So it is neither closed
 * nor destroyed. A child of fork() has a copy, for which nobody waits. */
static sem_t bell;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the rest */
static bool has_bell;
static int signal_now; /* 0: none */
static struct sigaction action_before;
static pthread_t thread;
static pid_t thread_of;          /* the process that it is in; 0: there is none */
static tp_atomic(bool) is_over;  /* for the thread: end */
static tp_atomic(int) report_to; /* for the thread: where to write */

static void ring(int number)
{
    (void)number;
    int error = errno;
    sem_post(&bell); /* too many: it has been rung for */
    errno = error;
}

static void *report(void *nothing)
{
    (void)nothing;
    for (;;) {
        if (sem_wait(&bell) != 0) /* interrupted */
            continue;
        if (tp_load_acq(&is_over)) /* pairs with the release in stop */
            return NULL;
        tp_dump_tasks(tp_load_acq(&report_to)); /* pairs with the release in tp_dump_on_signal */
    }
}

/* The thread, if there is none yet in this process. */
static int start(void)
{
    if (thread_of == getpid())
        return 0;
    if (!has_bell && sem_init(&bell, 0, 0) != 0)
        return TP_ENOMEM;
    has_bell = true;
    while (sem_trywait(&bell) == 0)
        ;                          /* rung in a child, or after the last stop: nobody waits for that any more */
    tp_store_rel(&is_over, false); /* as all before, published by the thread's creation */
    int status = tp__thread_create(&thread, report, NULL);
    thread_of = status == 0 ? getpid() : 0;
    return status;
}

static void stop(void)
{
    if (thread_of != getpid())
        return;
    thread_of = 0;
    tp_store_rel(&is_over, true); /* pairs with the acquire in report */
    sem_post(&bell);
    pthread_join(thread, NULL);
}

/* Nobody has the handler any more. */
static void silence(void)
{
    if (signal_now != 0)
        sigaction(signal_now, &action_before, NULL);
    signal_now = 0;
}

static int listen_to(int number)
{
    struct sigaction action = {.sa_handler = ring, .sa_flags = SA_RESTART | SA_ONSTACK}; /* stacks of coroutines are small */
    sigemptyset(&action.sa_mask);
    silence();
    if (sigaction(number, &action, &action_before) != 0)
        return TP_EINVAL;
    signal_now = number;
    return 0;
}

int tp_dump_on_signal(int number, int fd)
{
    pthread_mutex_lock(&lock);
    tp_store_rel(&report_to, fd); /* pairs with the acquire in report */
    int status = 0;
    if (number != 0)
        status = start();
    if (number != 0 && status == 0)
        status = listen_to(number);
    if (number == 0 || status != 0) {
        silence();
        stop();
    }
    pthread_mutex_unlock(&lock);
    return status;
}
