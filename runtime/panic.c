/* The default panic handler: one report, composed first and written then, so that reports do not mix. */
#include "task.h"

#include <errno.h>
#include <execinfo.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char text[16384]; /* guarded by lock, like all below */
static size_t n_text;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;

/* In a child of fork(): who held the lock is in another process, and would never let go of it. */
static void renew_lock(void)
{
    pthread_mutex_init(&lock, NULL);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, renew_lock); /* without memory for that, a child may wait for ever */
}

__attribute__((format(printf, 1, 2))) static void add(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text + n_text, sizeof text - n_text, format, arguments);
    va_end(arguments);
    if (n > 0)
        n_text += (size_t)n < sizeof text - n_text ? (size_t)n : sizeof text - n_text - 1;
}

static void add_head(const struct tp_panic_report *panic)
{
    if (!panic->pool) {
        add("tidepool: panic outside of any task: %s\n", panic->message);
        return;
    }
    add("tidepool: %s in pool %s, ", panic->is_overdue ? "time limit passed" : "panic", panic->pool);
    if (panic->worker != UINT_MAX)
        add("worker %u, ", panic->worker);
    else
        add("on a submitter's thread, ");
    if (panic->id != 0)
        add("task %" PRIu64 ": %s\n", panic->id, panic->message);
    else
        add("untracked task: %s\n", panic->message);
}

static void write_out(void)
{
    for (size_t at = 0; at < n_text;) {
        ssize_t n = write(STDERR_FILENO, text + at, n_text - at);
        if (n < 0 && errno != EINTR)
            return; /* nobody listens */
        at += n > 0 ? (size_t)n : 0;
    }
}

void tp_panic_log(const struct tp_panic_report *panic, void *context)
{
    (void)context;
    char **names = panic->n_frames > 0 ? backtrace_symbols(panic->frames, panic->n_frames) : NULL;
    pthread_once(&watch_once, watch_forks);
    pthread_mutex_lock(&lock);
    n_text = 0;
    add_head(panic);
    for (int i = 0; names && i < panic->n_frames; i++)
        add("    #%-2d %s\n", i, names[i]);
    write_out();
    if (!names && panic->n_frames > 0) /* no memory: the slow way needs none */
        backtrace_symbols_fd(panic->frames, panic->n_frames, STDERR_FILENO);
    pthread_mutex_unlock(&lock);
    free(names);
}
