/* The monitor: a keeper that looks, judges and tells. Invariant: there is at most one per process, found under `lock`; in the child of
 * a fork the parent's is forgotten. */
#include "monitor.h"

#include "../base/status.h"
#include "../clock.h"
#include "../keeper.h"
#include "judge.h"
#include "probe.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t PATIENCE_NS = 50 * TP_MILLISECOND; /* with a thread that is asked where it is */

struct monitor {
    struct tp_keeper keeper;
    struct tp_judge judge;
    pid_t process;
    bool is_ending; /* guarded by lock, as present */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static struct monitor *present;

/* The name of a function out of "file(name+0x1) [0x2]", or what there is. */
static void print_frame(FILE *out, const char *symbol)
{
    const char *name = strchr(symbol, '(');
    if (name && name[1] != '+' && name[1] != ')')
        fprintf(out, "%.*s", (int)strcspn(name + 1, "+)"), name + 1);
    else
        fputs(symbol, out);
}

/* One line, in one piece. */
static void log_trouble(const struct tp_trouble *trouble, void *unused)
{
    char *line = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&line, &n);
    (void)unused;
    if (!out)
        return;
    char **symbols = trouble->n_frames > 0 ? backtrace_symbols(trouble->frames, trouble->n_frames) : NULL;
    fprintf(out, "tidepool: %s", trouble->message);
    for (int i = 0; symbols && i < trouble->n_frames; i++) {
        fputs(i == 0 ? ": in " : " < ", out);
        print_frame(out, symbols[i]);
    }
    fputs("\n", out);
    free(symbols);
    ssize_t n_written = fclose(out) == 0 ? write(STDERR_FILENO, line, n) : 0;
    (void)n_written; /* nobody to tell */
    free(line);
}

/* Adds where the task is, and which it is. */
static void tell(struct tp_trouble *trouble, int thread, void *context)
{
    struct tp_judge *judge = context;
    struct tp_probe probe;
    char message[400];
    if (thread > 0 && tp_probe_take(thread, PATIENCE_NS, &probe)) {
        trouble->id = probe.id;
        trouble->frames = probe.frames;
        trouble->n_frames = probe.n_frames;
        if (probe.id != 0) {
            snprintf(message, sizeof message, "%s (task %llu)", trouble->message, (unsigned long long)probe.id);
            trouble->message = message;
        }
    }
    (judge->settings.on_trouble ? judge->settings.on_trouble : log_trouble)(trouble, judge->settings.context);
}

static void tick(void *context, uint64_t now_ns)
{
    struct monitor *monitor = context;
    struct tp_look look;
    (void)now_ns; /* the look has its own, which is later */
    if (tp_look_take(&look) != 0)
        return;
    tp_judge_step(&monitor->judge, &look, tp__resident_bytes());
    tp_look_free(&look);
}

/* The one of this process. The lock is held. */
static struct monitor *present_here(void)
{
    return present && present->process == getpid() ? present : NULL;
}

int tp_monitor_start(const struct tp_monitor_settings *settings)
{
    struct monitor *monitor = calloc(1, sizeof *monitor);
    if (!monitor)
        return TP_ENOMEM;
    tp_judge_init(&monitor->judge, settings);
    monitor->judge.tell = tell;
    monitor->judge.context = &monitor->judge;
    monitor->process = getpid();
    pthread_mutex_lock(&lock);
    int status = present_here() ? TP_EBUSY : 0;
    if (status == 0) {
        tp_probe_init(); /* if not: no frames */
        status = tp_keeper_start(&monitor->keeper, "monitor", monitor->judge.settings.period_ns, tick, monitor);
    }
    if (status == 0)
        present = monitor;
    pthread_mutex_unlock(&lock);
    if (status != 0)
        free(monitor);
    return status;
}

void tp_monitor_stop(void)
{
    pthread_mutex_lock(&lock);
    while (present_here() && present->is_ending) /* by another thread */
        pthread_cond_wait(&ended, &lock);
    struct monitor *monitor = present_here();
    if (monitor)
        monitor->is_ending = true; /* present up to its last look: there is one probe at a time */
    pthread_mutex_unlock(&lock);
    if (!monitor)
        return;
    tp_keeper_stop(&monitor->keeper);
    tp_judge_free(&monitor->judge);
    pthread_mutex_lock(&lock);
    present = NULL;
    pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&lock);
    free(monitor);
}
