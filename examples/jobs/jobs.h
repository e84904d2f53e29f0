/* What the files of the jobs example share: a job, a plan of jobs, and what jobs can do. */
#ifndef JOBS_H
#define JOBS_H

#include <stdbool.h>
#include <stdio.h>

#include <tidepool.h>

enum {
    MAX_JOBS = 100,
    MAX_QUEUE = 100,
    NAME = 32,
    WHAT = 256
};

struct job {
    char name[NAME];
    uint64_t period_ns; /* it is due that often */
    uint64_t limit_ns;  /* a run may take so long */
    unsigned queue;     /* runs that may wait for the end of the one before; others are refused */
    int (*run)(struct job *job, uint64_t deadline_ns);
    char what[WHAT];          /* for `run` */
    struct tp_chan *due;      /* a value for each run that is to be */
    struct tp_blocking *pool; /* one thread, for what would hold a worker */
    _Atomic uint64_t n_done, n_failed, n_late, n_refused;
    _Atomic bool is_running;
};

struct plan {
    size_t n;
    struct job jobs[MAX_JOBS];
};

/* plan_load: the jobs of a file. What is wrong is said on stderr, each line of it.
 * Returns a plan, for plan_free; NULL: it was not read, or something is wrong.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: yes] */
struct plan *plan_load(const char *path);

/* plan_free: no task uses it any more.
 * [thread: any] [suspends: yes] [blocks: yes] [allocates: no] */
void plan_free(struct plan *plan);

/* parse_duration: such as 500ms, 5s, 10min, 1h. Returns 0 if it is none.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t parse_duration(const char *text);

/* What a job can do: each is told which job, and until when; and returns 0, or what went wrong: TP_ETIMEDOUT, if it took too long.
 * [thread: a task] [suspends: yes] [blocks: no] [allocates: yes] */
int run_exec(struct job *job, uint64_t deadline_ns);  /* a command of the shell */
int run_space(struct job *job, uint64_t deadline_ns); /* is a tenth of a file system free? */
int run_sleep(struct job *job, uint64_t deadline_ns); /* for a duration */

/* answer_all: the task that answers who asks for the status.
 * listener: a struct tp_fd *.
 * [thread: a task] [suspends: yes] [blocks: no] [allocates: no] */
int answer_all(void *listener);

/* print_status: what there is to say of the jobs, cut to n_bytes. Returns how many bytes it is.
 * [thread: a task] [suspends: yes] [blocks: no] [allocates: no] */
size_t print_status(char *text, size_t n_bytes);

#endif
