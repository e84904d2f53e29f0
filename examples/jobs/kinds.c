/* What a job can do. Invariant: when its function returns a run is over: the command has ended, no call is
 * under way. What a command has put into the background, and left there, is its own affair. */
#define _DEFAULT_SOURCE 1
#include <signal.h>
#include <sys/statvfs.h>

#include "jobs.h"

/* -- a command of the shell ---------------------------------------------------------------------- */

struct start {
    const char *command;
    struct tp_process process;
};

/* In a thread of the job's pool, since it holds its thread until the program is loaded. */
static int start_program(void *argument)
{
    struct start *start = argument;
    const char *const argv[] = {"/bin/sh", "-c", start->command, NULL};
    const struct tp_process_settings settings = {.argv = argv, .stdio = {{.kind = TP_STDIO_NULL}}, .own_group = true};
    return tp_process_start(&settings, &start->process);
}

int run_exec(struct job *job, uint64_t deadline_ns)
{
    struct start start = {.command = job->what};
    struct tp_task_result result;
    struct tp_process_end end = {0};
    int status = tp_blocking_call(job->pool, start_program, &start, deadline_ns, &result);
    if (status != 0 || result.code != 0)
        return status != 0 ? status : result.code;
    status = tp_process_wait(&start.process, deadline_ns, &end);
    if (status != 0) { /* it and all that it has started have a second to end by themselves */
        kill(-start.process.pid, SIGTERM);
        if (tp_process_wait(&start.process, tp_deadline_in_ns(TP_SECOND), &end) != 0) {
            kill(-start.process.pid, SIGKILL);
            tp_process_wait(&start.process, TP_FOREVER, &end);
        }
    }
    tp_process_free(&start.process);
    return status == 0 && end.code != 0 ? TP_EIO : status;
}

/* -- calls that may hold their thread ------------------------------------------------------------ */

/* A file system that is far away, and does not answer, holds a thread of the job's pool, and nothing else. */
static int look_at_space(void *argument)
{
    struct statvfs space;
    if (statvfs(argument, &space) != 0)
        return TP_ENOENT;
    return space.f_bavail < space.f_blocks / 10 ? TP_ENOSPC : 0;
}

int run_space(struct job *job, uint64_t deadline_ns)
{
    struct tp_task_result result;
    int status = tp_blocking_call(job->pool, look_at_space, job->what, deadline_ns, &result);
    if (status == 0)
        status = tp_clock_now_ns() > deadline_ns ? TP_ETIMEDOUT : result.code;
    return status;
}

/* -- nothing, for a while ------------------------------------------------------------------------ */

int run_sleep(struct job *job, uint64_t deadline_ns)
{
    uint64_t end_ns = tp_deadline_in_ns(parse_duration(job->what));
    int status = tp_sleep_until(end_ns < deadline_ns ? end_ns : deadline_ns);
    return status == 0 && end_ns > deadline_ns ? TP_ETIMEDOUT : status;
}
