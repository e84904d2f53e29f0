/* Signals, by signalfd. docs/io.md. */
#include "signals.h"

#include "../base/status.h"
#include "fd_parts.h"
#include "io.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Must a thread not block it, or is it none? */
static bool is_impossible(int number)
{
    static const int never[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF, SIGKILL, SIGSTOP};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (number == never[i])
            return true;
    return false;
}

int tp_signals_open(const int *numbers, size_t n, struct tp_fd *out)
{
    sigset_t signals;
    sigemptyset(&signals);
    if (!numbers || n == 0 || !out)
        return TP_EINVAL;
    for (size_t i = 0; i < n; i++)
        if (is_impossible(numbers[i]) || sigaddset(&signals, numbers[i]) != 0)
            return TP_EINVAL;
    int fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return tp__status_of(errno);
    int status = tp__fd_adopt(fd, TP_FD_OTHER, out);
    if (status == 0)
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return status;
}

int tp_signal_wait(struct tp_fd signals, uint64_t deadline_ns, struct tp_signal *out)
{
    struct signalfd_siginfo info;
    size_t n;
    int status = tp_read(signals, &info, sizeof info, deadline_ns, &n); /* whole ones only */
    if (status == 0 && out)
        *out = (struct tp_signal){.number = (int)info.ssi_signo, .pid = (int)info.ssi_pid, .value = info.ssi_int};
    return status;
}
