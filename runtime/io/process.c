/* Other programs, by posix_spawn and pidfd. docs/io.md. */
#include "process.h"

#include "../base/status.h"
#include "../clock.h"
#include "fd_parts.h"
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What is open while a program is started. -1: nothing. */
struct setup {
    int child[3];   /* what will be its standard descriptors; all above these, so that none is overwritten before it is used */
    bool is_own[3]; /* closed when it has been started */
    int parent[3];  /* our ends of pipes */
};

/* The same descriptor, under a number above the standard ones; the other one is closed. */
static int lift(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int above = fcntl(fd, F_DUPFD_CLOEXEC, 3), error = errno;
    close(fd);
    errno = error;
    return above;
}

/* A pipe whose one end does not block: ours. */
static int make_pipe(struct setup *setup, int i)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    int ours = i == 0 ? 1 : 0;
    setup->child[i] = lift(fds[1 - ours]);
    setup->parent[i] = fds[ours];
    return setup->child[i] >= 0 ? fcntl(setup->parent[i], F_SETFL, O_NONBLOCK) : -1;
}

/* Opens what standard descriptor i is to be. -1 with errno. */
static int prepare(struct setup *setup, int i, const struct tp_stdio *stdio)
{
    setup->is_own[i] = true;
    switch (stdio->kind) {
    case TP_STDIO_INHERIT:
        return 0;
    case TP_STDIO_NULL:
        return setup->child[i] = lift(open("/dev/null", O_CLOEXEC | (i == 0 ? O_RDONLY : O_WRONLY)));
    case TP_STDIO_PIPE:
        return make_pipe(setup, i);
    case TP_STDIO_FD:
        setup->is_own[i] = stdio->fd <= 2;
        return setup->child[i] = setup->is_own[i] ? fcntl(stdio->fd, F_DUPFD_CLOEXEC, 3) : stdio->fd;
    case TP_STDIO_OUTPUT:
        if (i == 2)
            return 0;
    }
    errno = EINVAL;
    return -1;
}

/* Which of its descriptors become which. Returns a value of errno. */
static int plan(posix_spawn_file_actions_t *actions, const struct setup *setup, const struct tp_process_settings *settings)
{
    int error = 0;
    for (int i = 0; i < 3 && error == 0; i++)
        if (setup->child[i] >= 0)
            error = posix_spawn_file_actions_adddup2(actions, setup->child[i], i);
    if (error == 0 && settings->stdio[2].kind == TP_STDIO_OUTPUT)
        error = posix_spawn_file_actions_adddup2(actions, 1, 2);
    if (error == 0 && settings->directory)
        error = posix_spawn_file_actions_addchdir_np(actions, settings->directory);
    return error;
}

/* Returns a value of errno. */
static int spawn(const struct setup *setup, const struct tp_process_settings *settings, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF; /* threads of pools have most signals blocked */
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error != 0)
        goto fail_attributes;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, (short)(flags | (settings->own_group ? POSIX_SPAWN_SETPGROUP : 0)));
    error = plan(&actions, setup, settings);
    if (error == 0)
        error = posix_spawnp(pid, settings->argv[0], &actions, &attributes, (char *const *)(const void *)settings->argv,
            settings->envp ? (char *const *)(const void *)settings->envp : environ);
    posix_spawnattr_destroy(&attributes);
fail_attributes:
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static void close_some(int fds[3], const bool is_own[3])
{
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0 && is_own[i])
            close(fds[i]);
}

/* The handle of a process that cannot be gone: nobody else waits for it. Without one, if the system has none. */
static int open_handle(pid_t pid, struct tp_fd *out)
{
    int fd = pidfd_open(pid, 0);
    if (fd >= 0)
        return tp__fd_adopt(fd, TP_FD_OTHER, out);
    return errno == ENOSYS || errno == EPERM || errno == ESRCH ? 0 : tp__status_of(errno); /* ESRCH: SIGCHLD is ignored, and it is over */
}

/* It runs; hands over all that the caller gets. If that fails it is killed. */
static int hand_over(pid_t pid, int parent[3], struct tp_process *out)
{
    struct tp_process process = {.pid = pid};
    int status = open_handle(pid, &process.handle);
    for (int i = 0; i < 3 && status == 0; i++)
        if (parent[i] >= 0) {
            status = tp__fd_adopt(parent[i], TP_FD_OTHER, &process.stdio[i]);
            parent[i] = -1;
        }
    if (status == 0) {
        *out = process;
        return 0;
    }
    int error = errno;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    tp_process_free(&process);
    errno = error;
    return status;
}

int tp_process_start(const struct tp_process_settings *settings, struct tp_process *out)
{
    static const bool all[3] = {true, true, true};
    struct setup setup = {{-1, -1, -1}, {false, false, false}, {-1, -1, -1}};
    pid_t pid = 0;
    int error = settings && settings->argv && settings->argv[0] && out ? 0 : EINVAL;
    for (int i = 0; i < 3 && error == 0; i++)
        if (prepare(&setup, i, &settings->stdio[i]) < 0)
            error = errno;
    if (error == 0)
        error = spawn(&setup, settings, &pid);
    close_some(setup.child, setup.is_own);
    int status = error == EAGAIN ? TP_ETHREAD : error != 0 ? tp__status_of(error)
                                                           : hand_over(pid, setup.parent, out);
    close_some(setup.parent, all);
    if (error != 0)
        errno = error;
    return status;
}

/* -- its end -------------------------------------------------------------------------------------- */

/* Asks for its end by handle or number. 0: it was told; EAGAIN: it is not over. */
static ssize_t ask(idtype_t type, id_t id, struct tp_process_end *end)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(type, id, &info, WEXITED | WNOHANG) != 0)
        return -1;
    if (info.si_pid == 0) {
        errno = EAGAIN;
        return -1;
    }
    bool is_exit = info.si_code == CLD_EXITED;
    *end = (struct tp_process_end){.code = is_exit ? info.si_status : -1, .signal = is_exit ? 0 : info.si_status};
    return 0;
}

static ssize_t try_wait(int fd, enum tp_fd_kind kind, void *argument)
{
    (void)kind;
    return ask(P_PIDFD, (id_t)fd, argument);
}

/* Without a handle: looks, in growing intervals of up to 64 ms. */
static int wait_by_number(int pid, uint64_t deadline_ns, struct tp_process_end *end)
{
    for (unsigned n = 0;; n += n < 6) {
        if (ask(P_PID, (id_t)pid, end) == 0)
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return tp__status_of(errno);
        int status = deadline_ns == 0 ? TP_ETIMEDOUT : tp__room_pause(UINT64_C(1000000) << n, deadline_ns);
        if (status != 0)
            return status;
    }
}

int tp_process_wait(struct tp_process *process, uint64_t deadline_ns, struct tp_process_end *end)
{
    struct tp_process_end found;
    int status;
    if (process->handle.tag != 0) {
        status = tp__fd_do(process->handle, TP_FD_READABLE, deadline_ns, try_wait, NULL, &found, NULL);
    } else {
        /* One order of the loads and the store. */
        status = process->pid > 0 && tp_load_sc(&process->is_over) == 0 ? wait_by_number(process->pid, deadline_ns, &found) : TP_ESTALE;
        if (status == 0)
            tp_store_sc(&process->is_over, 1); /* one order with the loads: no signal after this one */
    }
    if (status == 0 && end)
        *end = found;
    return status;
}

static ssize_t try_signal(int fd, enum tp_fd_kind kind, void *argument)
{
    (void)kind;
    return pidfd_send_signal(fd, *(int *)argument, NULL, 0);
}

int tp_process_signal(struct tp_process *process, int number)
{
    if (process->handle.tag != 0)
        return tp__fd_call(process->handle, try_signal, &number, NULL);
    if (process->pid <= 0 || tp_load_sc(&process->is_over) != 0) /* one order with the store */
        return TP_ESTALE;
    return kill(process->pid, number) == 0 ? 0 : tp__status_of(errno);
}

void tp_process_free(struct tp_process *process)
{
    if (!process)
        return;
    for (int i = 0; i < 3; i++)
        tp_fd_close(process->stdio[i]); /* those that are not, or no longer, are refused */
    tp_fd_close(process->handle);
    *process = (struct tp_process){0};
}
