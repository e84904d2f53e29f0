/* The interleaving explorer: what a scenario sees. docs/parking.md says what it covers.
 *
 * A scenario is a handful of threads over a small shared state. The explorer runs it once per
 * schedule: every order of the threads' atomic operations with at most so many preemptions
 * (iterative context bounding: Musuvathi and Qadeer, PLDI 2007), combined with every order in
 * which their stores may become visible (store buffers: Owens, Sarkar, Sewell, TPHOLs 2009, here
 * weakened to what C11 allows: stores to different words leave in any order unless released, and
 * the store half of a read-modify-write may be late as well). Plain data that two threads touch
 * without happens-before between them is a failure too.
 * Invariant: all choices come from one function, so a schedule is a list of numbers and replays. */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which orders a mutant loses; see struct model_scenario. */
enum model_order_kind { MODEL_NOTHING,
    MODEL_FENCE,
    MODEL_ACQUIRE,
    MODEL_RELEASE };

struct model_scenario {
    const char *name;
    void (*set_up)(unsigned variant); /* fills the shared state, calls model_thread */
    void (*tear_down)(void);          /* checks after the last thread ended; may be NULL */
    bool (*at_rest)(void);            /* may all that is left sleep for ever now? NULL: no */
    unsigned variant;
    unsigned preemptions;    /* switches away from a thread that could go on */
    unsigned timeouts;       /* finite waits that may end by time, in one execution */
    unsigned spurious;       /* sleeps that may end for no reason, in one execution */
    uint64_t max_executions; /* 0: as many as it takes, or very many if it must fail */
    bool must_fail;          /* a seeded bug: finding no failure is the failure */
    struct {
        const char *function; /* in it, every operation of this kind loses its order */
        enum model_order_kind kind;
    } without;
};

/* Runs the scenarios in turn and prints a line for each. Returns the exit status of main. */
int model_main(const struct model_scenario *scenarios, size_t n);

/* Adds a thread; during set_up or from another thread of the scenario. Returns its number. */
unsigned model_thread(void (*body)(void *), void *argument);

/* Sleeps until thread `index` has ended, and then sees all it wrote. */
void model_join(unsigned index);

/* One turn of a loop that waits for another thread: goes on when memory has changed, or when
 * nobody else can. tp_relax and sched_yield are weaker: they may also go on for the price of
 * a preemption, since loops that pause only so many times do something else then. */
void model_yield(void);

/* The running thread's number; UINT_MAX during set_up and tear_down. */
unsigned model_self(void);

/* A free choice below n that the explorer makes in all ways. */
unsigned model_choose(unsigned n);

/* Memory that is new in every execution and goes with it; freed memory must not be touched. */
void *model_alloc(size_t bytes);
void model_free(void *memory);
unsigned model_n_blocks(void); /* not given back yet */

/* Ends the execution as failed unless the condition holds. */
#define model_check(condition) ((condition) ? (void)0 : model_fail(__FILE__, __LINE__, #condition))
_Noreturn void model_fail(const char *file, int line, const char *what);

/* Misuse found by the sources under test is a failure like any other: this file is included
 * before all others and stands in for runtime/base/assert.h. */
#define TP_ASSERT_H
#define tp_assert(condition) model_check(condition)

#endif
