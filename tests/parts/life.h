/* What the tests of a pool's life use besides behaviour.h: pools whose keeper never looks by itself,
 * runners that can be asked what they saw, and the count of this process's threads.
 * A keeper's time is the test's: it calls job_tick with a time of its own. */
#ifndef LIFE_H
#define LIFE_H

#include "behaviour.h"

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS (WITH_BOUNDED && WITH_BLOCK)
#define LONG_NS ((uint64_t)1 << 60) /* no real clock comes so far */

enum { PLENTY = 1 << 20 }; /* room that is never used up */

/* Settings of a pool all of whose workers are there from the beginning, and stay. */
static inline struct tp_pool_settings life_settings(uint32_t workers, uint64_t capacity)
{
    struct tp_pool_settings settings = {.workers = workers};
#if WITH_BOUNDED
    settings.capacity = capacity;
#else
    (void)capacity;
#endif
#if WITH_RANGE || WITH_EXPIRE
    settings.workers_min = workers;
#endif
#if WITH_EXPIRE
    settings.expire_ns = LONG_NS;
#endif
#if WITH_TIMEOUT
    settings.timeout_ns = LONG_NS;
#endif
    return settings;
}

static inline struct job_pool *life_open_as(const struct tp_pool_settings *settings)
{
    struct job_pool *pool = NULL;
    assert_int_equal(job_pool_open(&pool, settings), 0);
    return pool;
}

static inline struct job_pool *life_open(uint32_t workers, uint64_t capacity)
{
    struct tp_pool_settings settings = life_settings(workers, capacity);
    return life_open_as(&settings);
}

/* -- threads ------------------------------------------------------------------------------------ */

/* Does this thread of ours go on? One that has been joined is listed a moment longer, marked as exiting. */
static inline bool is_thread_there(const char *id)
{
    enum { EXITING = 4 }; /* a flag of the ninth field of proc(5)'s stat */
    char path[300], text[600];
    unsigned flags = EXITING;
    snprintf(path, sizeof path, "/proc/self/task/%s/stat", id);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    const char *title_end = strrchr(text, ')');
    if (title_end)
        sscanf(title_end + 2, "%*c %*d %*d %*d %*d %*d %u", &flags);
    return (flags & EXITING) == 0;
}

static inline unsigned list_threads(void)
{
    unsigned n = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *entry; (entry = readdir(tasks));)
        n += entry->d_name[0] != '.' && is_thread_there(entry->d_name);
    closedir(tasks);
    return n;
}

static unsigned n_threads_first; /* before the first test: of the program alone, and of its sanitizer */

/* Before and after each test. The list is not asked again, since it may miss threads while others end. */
static inline unsigned count_threads(void)
{
    return n_threads_first;
}

/* How many threads the system counts, those that have been joined but are not quite gone with them. */
static inline unsigned threads_now(void)
{
    char text[4096];
    unsigned n = 0;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    const char *line = strstr(text, "\nThreads:");
    assert_non_null(line);
    sscanf(line, "\nThreads: %u", &n);
    return n;
}

/* For threads that begin or end. */
static inline void await_threads(unsigned n)
{
    while (threads_now() != n)
        sched_yield();
}

/* -- runners: tasks that run until somebody stops them -------------------------------------------- */

struct runner {
    struct call call;
    struct gate started; /* open */
    tp_atomic(uint32_t) n_runs;
    tp_atomic(int) seen; /* what tp_task_check said at last */
};

/* Runs until it is asked to stop. */
static inline int runner_run(void *argument)
{
    struct runner *runner = argument;
    int status;
    tp_add_sc(&runner->n_runs, 1); /* any order would do, here and below */
    gate_pass(&runner->started);
    while ((status = tp_task_check()) == 0)
        sched_yield();
    tp_store_sc(&runner->seen, status);
    return 0;
}

static inline void runner_init(struct runner *runner)
{
    *runner = (struct runner){.call = {runner_run, runner}, .started = GATE_CLOSED};
    runner->started.is_open = true;
}

/* Submits so many runners, and waits until each has begun. */
static inline void runners_start(struct job_pool *pool, struct runner *runners, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        runner_init(&runners[i]);
        submit(pool, &runners[i].call);
        gate_await(&runners[i].started, 1);
    }
}

/* -- posts: where each worker waits by itself ------------------------------------------------------ */

struct post {
    struct call call;
    struct gate gate;
    unsigned worker;
};

static inline int post_run(void *argument)
{
    struct post *post = argument;
    post->worker = tp_worker_self()->index;
    return gate_pass(&post->gate);
}

/* Puts each of so many workers at a post of its own; posts[i] is worker i's. */
static inline void posts_take(struct job_pool *pool, struct post *posts, struct post **of, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        posts[i] = (struct post){.call = {post_run, &posts[i]}, .gate = GATE_CLOSED};
        submit(pool, &posts[i].call);
        gate_await(&posts[i].gate, 1);
        of[posts[i].worker] = &posts[i];
    }
}

/* -- threads that call ---------------------------------------------------------------------------- */

struct caller {
    pthread_t thread;
    struct job_pool *pool;
    struct call *call;
    unsigned class_;
    int (*run)(struct caller *);
    int status;
};

static inline void *caller_thread(void *argument)
{
    struct caller *caller = argument;
    caller->status = caller->run(caller);
    return NULL;
}

static inline void caller_start(struct caller *caller, struct job_pool *pool, int (*run)(struct caller *))
{
    caller->pool = pool;
    caller->run = run;
    assert_int_equal(pthread_create(&caller->thread, NULL, caller_thread, caller), 0);
}

static inline int caller_end(struct caller *caller)
{
    pthread_join(caller->thread, NULL);
    return caller->status;
}

static inline int call_close(struct caller *caller)
{
    return job_pool_close(caller->pool, TP_FOREVER);
}

static inline int call_cancel(struct caller *caller)
{
    return job_pool_cancel(caller->pool, TP_FOREVER);
}

static inline int call_reopen(struct caller *caller)
{
    return job_pool_reopen(caller->pool);
}

static inline int call_join(struct caller *caller)
{
    return job_join_all(caller->pool, TP_FOREVER);
}

static inline int call_submit(struct caller *caller)
{
#if WITH_CLASSES
    return job_submit_class(caller->pool, (enum job_class)caller->class_, as_payload(caller->call));
#else
    return job_submit(caller->pool, as_payload(caller->call));
#endif
}

static inline void await_state(struct job_pool *pool, enum tp_life_state life)
{
    while (tp_life_state(tp_life_look(&pool->life)) != life)
        sched_yield();
}

#if BLOCKS
/* Waits until so many submitters sleep for want of room. */
static inline void await_blocked(struct job_pool *pool, uint32_t n)
{
    uint32_t n_waiting;
    do {
        sched_yield();
        n_waiting = 0;
        for (size_t i = 0; i < sizeof pool->room / sizeof *pool->room; i++)
            n_waiting += tp_load_sc(&pool->room[i].n_waiting); /* any order would do */
    } while (n_waiting != n);
}
#endif

/* How often the pool said that it dropped or cancelled a task, of late. */
static inline uint64_t n_told(void)
{
    uint64_t n = 0;
#if WITH_BOUNDED && WITH_DROPPED
    pthread_mutex_lock(&drops_lock);
    n = n_drops;
    pthread_mutex_unlock(&drops_lock);
#endif
    return n;
}

static inline void told_forget(void)
{
#if WITH_BOUNDED && WITH_DROPPED
    drops_forget();
#endif
}

static inline struct tp_pool_counts counts_of(struct job_pool *pool)
{
    struct tp_pool_counts counts;
    job_pool_counts(pool, &counts);
    return counts;
}

/* The pool works: so many tasks, each exactly once. */
static inline void check_works(struct job_pool *pool, size_t n)
{
    struct entry *entries = ledger_new(n);
    for (size_t i = 0; i < n; i++) {
        submit(pool, &entries[i].call);
        if (overload == TP_OVERLOAD_DROP_OLDEST) /* else some would be dropped for others */
            assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    }
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    ledger_check(entries, n);
    free(entries);
}

#endif
