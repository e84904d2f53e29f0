/* Probes. `asked` holds who is asked; who answers changes it to ANSWERING, so an answer and its being given up exclude each other.
 * backtrace() takes no lock and allocates nothing once it has been called: the unwinder finds its tables without either in glibc 2.35
 * and later, and is loaded by tp_probe_init. */
#include "probe.h"

#include "../base/atomic.h"
#include "../clock.h"
#include "../run.h"
#include "../worker.h"

#include <errno.h>
#include <execinfo.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    NOBODY = 0,
    ANSWERING = -1,
    ANSWERED = -2,
    OWN_FRAMES = 2 /* the handler's, and the system's below it */
};

static tp_atomic(int) asked; /* a thread's number, or one of the above */
static struct tp_probe answer;
static sem_t answered;
static bool is_mine;

static void on_probe(int number)
{
    int error = errno, me = (int)syscall(SYS_gettid);
    void *frames[TP_PROBE_FRAMES + OWN_FRAMES];
    (void)number;
    if (!tp_cas_sc(&asked, &me, ANSWERING)) { /* losing: nobody waits for this answer any more; in one order with tp_probe_take */
        errno = error;
        return;
    }
    const struct tp_run *run = tp_run_task();
    int n = backtrace(frames, TP_PROBE_FRAMES + OWN_FRAMES) - OWN_FRAMES;
    answer.id = run ? run->id : 0;
    answer.n_frames = n > 0 ? n : 0;
    if (n > 0)
        memcpy(answer.frames, frames + OWN_FRAMES, (size_t)n * sizeof *frames);
    tp_store_rel(&asked, ANSWERED); /* pairs with the acquire in tp_probe_take */
    sem_post(&answered);
    errno = error;
}

bool tp_probe_init(void)
{
    struct sigaction action = {.sa_handler = on_probe, .sa_flags = SA_RESTART | SA_ONSTACK}, present;
    void *frame;
    if (is_mine)
        return true;
    if (sigaction(TP_PROBE_SIGNAL, NULL, &present) != 0 || present.sa_handler != SIG_DFL || sem_init(&answered, 0, 0) != 0)
        return false;
    backtrace(&frame, 1); /* loads the unwinder */
    sigemptyset(&action.sa_mask);
    is_mine = sigaction(TP_PROBE_SIGNAL, &action, NULL) == 0;
    return is_mine;
}

bool tp_probe_take(int thread, uint64_t patience_ns, struct tp_probe *out)
{
    uint64_t until_ns = tp_deadline_in_ns(patience_ns);
    struct timespec until = {.tv_sec = (time_t)(until_ns / TP_SECOND), .tv_nsec = (long)(until_ns % TP_SECOND)};
    memset(out, 0, sizeof *out);
    if (!is_mine || thread <= 0)
        return false;
    tp_store_sc(&asked, thread); /* in one order with the exchange in on_probe */
    int error = syscall(SYS_tgkill, getpid(), thread, TP_PROBE_SIGNAL) == 0 ? 0 : errno;
    while (error == 0 && sem_clockwait(&answered, CLOCK_MONOTONIC, &until) != 0)
        error = errno == EINTR ? 0 : errno;
    if (error != 0 && tp_cas_sc(&asked, &thread, NOBODY)) /* losing: it is answering just now */
        return false;
    while (error != 0 && sem_wait(&answered) != 0)
        ;                                   /* interrupted */
    while (tp_load_acq(&asked) != ANSWERED) /* pairs with the release in on_probe, which came before the post */
        tp_relax();
    *out = answer;
    tp_store_sc(&asked, NOBODY); /* as above */
    return true;
}
