/* Where calls on descriptors are tested: on threads of their own, and in coroutines of a real pool with one, two and eight workers.
 * The descriptors' source is included, so that a test can see that somebody waits. */
#ifndef PLACE_H
#define PLACE_H

#include "tests/support/unit.h"

#include "runtime/fibers.h"
#include "runtime/io/fd.c"
#include "runtime/tidepool.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>

enum { ACTORS = 2048 };

struct place {
    uint32_t workers; /* 0: threads */
    struct tp_pool *pool;
    struct crowd crowd;
    uint64_t ids[ACTORS];
    int n;
};

/* ThreadSanitizer ends a child process that starts threads. */
#ifdef __SANITIZE_THREAD__
#define CHILDREN_HAVE_THREADS false
#else
#define CHILDREN_HAVE_THREADS true
#endif

#define EACH_PLACE(place) EACH_PLACE_FROM(place, 0)
#define EACH_POOL(place) EACH_PLACE_FROM(place, 1)
#define EACH_PLACE_FROM(place, first)                                                                        \
    for (struct place place = {.workers = first}; place.workers <= 8 && (place_open(&place), true);          \
         place_close(&place), place.workers = place.workers < 2 ? place.workers + 1 : place.workers == 2 ? 8 \
                                                                                                         : 9)

static inline void place_open(struct place *place)
{
    struct tp_pool_settings settings = {.workers = place->workers, .tasks = TP_TASKS_COROUTINE, .capacity = ACTORS};
    place->n = 0;
    if (place->workers > 0)
        assert_int_equal(tp_pool_open(&place->pool, &settings), 0);
}

struct start {
    int (*run)(void *argument);
    void *argument;
};

static inline void *place_thread(void *argument)
{
    struct start start = *(struct start *)argument;
    free(argument);
    start.run(start.argument);
    return NULL;
}

static inline void place_start(struct place *place, int (*run)(void *argument), void *argument)
{
    if (place->workers > 0) {
        assert_true(place->n < ACTORS);
        assert_int_equal(tp_pool_spawn(place->pool, TP_CLASS_DEFAULT, run, argument, &place->ids[place->n++]), 0);
        return;
    }
    struct start *start = malloc(sizeof *start);
    assert_non_null(start);
    *start = (struct start){run, argument};
    crowd_add(&place->crowd, place_thread, start);
}

/* Waits for all that were started. */
static inline void place_join(struct place *place)
{
    crowd_join(&place->crowd);
    while (place->n > 0)
        assert_int_equal(tp_pool_join(place->pool, place->ids[--place->n], TP_FOREVER, NULL), 0);
}

/* Asks those that were started to end. Threads cannot be asked. */
static inline void place_cancel(struct place *place)
{
    for (int i = 0; i < place->n; i++)
        tp_pool_cancel_task(place->pool, place->ids[i]);
}

static inline void place_close(struct place *place)
{
    place_join(place);
    if (place->workers > 0)
        tp_pool_free(place->pool);
}

/* How many wait with that handle now. */
static inline int n_waiting(struct tp_fd fd)
{
    struct tp_fd_slot *slot = find_slot(fd.fd);
    int n = 0;
    tp_spin_lock(&slot->lock);
    for (struct tp_waiter *waiter = slot->line.first; waiter; waiter = waiter->next)
        n++;
    for (struct thread *thread = slot->threads; thread; thread = thread->next)
        n++;
    tp_spin_unlock(&slot->lock);
    return n;
}

static inline void await_waiting(struct tp_fd fd, int n)
{
    while (n_waiting(fd) != n)
        sched_yield();
}

/* Descriptors of the process that are open, the listing's own included. */
static inline int n_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int n = 0;
    assert_non_null(directory);
    while (readdir(directory))
        n++;
    closedir(directory);
    return n;
}

/* Until there is no room for writing. Returns how many bytes that took. */
static inline size_t fill(struct tp_fd fd)
{
    static const char bytes[65536];
    size_t all = 0, n;
    while (tp_write(fd, bytes, sizeof bytes, 0, &n) == 0)
        all += n;
    return all;
}

static inline void close_all(const struct tp_fd *fds, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(tp_fd_close(fds[i]), 0);
}

/* With STORM a signal interrupts the threads of the test all the time, a thousand times a second. */
static inline void ignore_alarm(int number)
{
    (void)number;
}

#define run_here(tests) (start_storm(), cmocka_run_group_tests(tests, NULL, NULL))
static inline void start_storm(void)
{
#ifdef STORM
    struct sigaction action = {.sa_handler = ignore_alarm}; /* calls are not restarted */
    struct itimerval each = {{0, 1000}, {0, 1000}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &each, NULL);
#endif
}

#endif
