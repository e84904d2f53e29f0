/* Inside the explorer: threads and the calls between its files.
 *   explore.c  schedules, fibers, the search and its report
 *   memory.c   store buffers, atomic operations
 *   sleep.c    pauses, futexes, time
 *   race.c     happens-before clocks for plain data, memory from model_alloc */
#ifndef EXPLORER_H
#define EXPLORER_H

#include "model.h"

#include <setjmp.h>

enum { THREADS_MAX = 8,
    BUFFER_MAX = 64,
    STACK_BYTES = 64 * 1024 };

/* A vector clock (Mattern 1989): at[t] counts thread t's operations. */
struct clock {
    uint32_t at[THREADS_MAX];
};

/* A store that its thread has made and others do not see yet. */
struct entry {
    void *address;
    uint64_t id, value, version;
    struct clock release; /* what a thread that acquires it gets to know */
    size_t size;
    bool releases; /* must not leave before the entries in front of it */
    bool ordered;  /* sequentially consistent */
    bool owned;    /* of a read-modify-write: no other write may come before it */
    const char *operand;
};

enum status { READY,
    PAUSING,
    YIELDING,
    SLEEPING,
    JOINING,
    ENDED };
enum wake { WOKEN,
    TIMED_OUT,
    SPURIOUS };

struct thread {
    unsigned index;
    enum status status;
    jmp_buf top, middle, *resume; /* the fiber's first frame, where it stopped, which to take */
    char *stack;
    void (*body)(void *);
    void *argument;

    struct entry buffer[BUFFER_MAX];
    unsigned n_buffered;
    bool draining;

    void *futex; /* SLEEPING: on this word */
    uint64_t deadline_ns, sleep_order;
    enum wake wake;
    unsigned joined; /* JOINING: for this thread */

    uint64_t chain;               /* hash of all that the thread has done and seen */
    struct clock clock;           /* what happened before its next operation */
    struct clock pending, fenced; /* read without acquire; known at the last fence */
};

struct execution {
    const struct model_scenario *scenario;
    struct thread *current; /* NULL in set_up and tear_down */
    struct thread threads[THREADS_MAX];
    unsigned n_threads;
    unsigned n_buffered; /* in all buffers */
    unsigned n_timeouts, n_spurious;
    unsigned n_rounds; /* in a row in which nothing moved but spinning */
    uint64_t n_steps;
    uint64_t now_ns;
    uint64_t signature; /* hash of memory and buffers */
    unsigned number;    /* of this execution; stamps what belongs to it */
    bool tracing;
};

extern struct execution model;

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b + 0x9e3779b97f4a7c15)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 29)) * 0x94d049bb133111eb;
    return x ^ (x >> 32);
}

/* explore.c: a number below n, in all ways; what follows from it goes into the thread's chain. */
unsigned choose(unsigned n);

/* explore.c: the current thread stops here; returns when it is its turn (again). */
void schedule(void);
void trace_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* memory.c */
void memory_reset(void);
bool memory_flush_all(void); /* all stores become visible; false if they were already */
void memory_drain(struct thread *t);
void memory_before_plain(const void *address, size_t size);
void memory_before_free(const void *address, size_t size);
void memory_enter_kernel(void); /* a scheduling point and a full fence */
uint64_t memory_read(const void *word, size_t size);

/* sleep.c */
bool time_passes(void); /* the earliest finite wait ends; false if there is none */

/* race.c */
void clock_join(struct clock *into, const struct clock *from);
void race_reset(void);
void race_atomic(const void *address, size_t size);

#endif
