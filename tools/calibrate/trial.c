/* The trials of ./tidepool calibrate. Each is made several times, and the best counts: what else the machine does only takes away. So
 * they are short. */
#include "trial.h"

#include "drowsy_pool.h"
#include "narrow_pool.h"
#include "wide_pool.h"

#include <tidepool_kit.h>

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { TURNS = 1000000,
    SETTLE_NS = 200000,
    LOOKS = 9 };

static double turn_ns;               /* of the empty loop; written before there is a pool */
static tp_atomic(uint64_t) n_run;    /* tasks over, in this trial; read when all have been joined, or waited for */
static tp_atomic(uint32_t) is_open;  /* the gate of tasks that hold their worker */
static uint64_t *began_ns, *sent_ns; /* of each task, if they are wanted; each by one thread, published by n_run or the submission */
static uint64_t *took_ns;            /* likewise */
static uint64_t n_turns;             /* of a task, in this trial; written while none is in flight */

static void demand(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "calibrate: %s\n", what);
    exit(1);
}

static __attribute__((noinline)) void spin(uint64_t turns)
{
    for (uint64_t i = 0; i < turns; i++)
        __asm__ volatile("" ::"r"(i));
}

/* Payloads: 0 holds its worker at the gate; n + 1 is task n. */
int trial_run(uintptr_t payload)
{
    if (payload == 0) {
        tp_add_sc(&n_run, 1); /* any order would do here, and below where nothing else is said */
        while (tp_load_sc(&is_open) == 0)
            sched_yield();
        return 0;
    }
    if (!began_ns)
        return 0;
    uint64_t now_ns = tp_clock_now_ns();
    began_ns[payload - 1] = now_ns;
    spin(n_turns);
    took_ns[payload - 1] = tp_clock_now_ns() - now_ns;
    tp_add_sc(&n_run, 1); /* a release: who has read the count reads the times */
    return 0;
}

void trial_begin(void)
{
    double best = INFINITY; /* the least: what is more was somebody else's */
    for (int look = 0; look < LOOKS; look++) {
        uint64_t from_ns = tp_clock_now_ns();
        spin(TURNS);
        double took = (double)(tp_clock_now_ns() - from_ns) / TURNS;
        best = took < best ? took : best;
    }
    turn_ns = best;
}

static void begin(double task_ns)
{
    tp_store_sc(&n_run, 0);
    tp_store_sc(&is_open, 0);
    n_turns = (uint64_t)(task_ns / turn_ns);
}

static void await(uint64_t n)
{
    while (tp_load_sc(&n_run) < n) /* an acquire: pairs with the additions of tasks */
        sched_yield();
}

struct trial_costs trial_costs_of(unsigned n_workers, unsigned n_cpus, uint64_t n_tasks)
{
    struct wide_pool *pool;
    struct trial_costs costs = {INFINITY, INFINITY};
    demand(wide_pool_open(&pool, &(struct tp_pool_settings){.workers = n_workers}) == 0, "cannot open the pool");
    for (int look = 0; look < LOOKS; look++) {
        begin(0);
        for (unsigned i = 0; i < n_workers; i++)
            demand(wide_submit(pool, 0) == 0, "a task was refused");
        await(n_workers);
        for (uint64_t i = 0; i < n_tasks; i++)
            demand(wide_submit(pool, i + 1) == 0, "a task was refused");
        uint64_t open_ns = tp_clock_now_ns();
        tp_store_sc(&is_open, 1);
        demand(wide_join_all(pool, TP_FOREVER) == 0, "the tasks do not end");
        double used = (double)(tp_clock_now_ns() - open_ns) * (n_workers < n_cpus ? n_workers : n_cpus) / (double)n_tasks;
        costs.run_ns = used < costs.run_ns ? used : costs.run_ns;
    }
    wide_pool_free(pool);
    costs.submit_ns = 1e9 / trial_throughput(n_workers, 0, n_tasks).rate;
    return costs;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void times_open(uint64_t n)
{
    began_ns = calloc(n, sizeof *began_ns);
    sent_ns = calloc(n, sizeof *sent_ns);
    took_ns = calloc(n, sizeof *took_ns);
    demand(began_ns && sent_ns && took_ns, "out of memory");
}

static void times_close(void)
{
    free(began_ns);
    free(sent_ns);
    free(took_ns);
    began_ns = sent_ns = took_ns = NULL;
}

static double median(uint64_t *values, uint64_t n)
{
    qsort(values, n, sizeof *values, compare);
    return (double)values[n / 2];
}

double trial_wake_ns(unsigned n_workers, uint64_t n_tasks)
{
    struct drowsy_pool *pool;
    struct tp_pool_stats stats;
    demand(drowsy_pool_open(&pool, &(struct tp_pool_settings){.workers = n_workers}) == 0, "cannot open the pool");
    begin(0);
    times_open(n_tasks);
    for (uint64_t i = 0; i < n_tasks; i++) {
        do {
            sched_yield();
            drowsy_pool_stats(pool, &stats);
        } while (stats.parked < n_workers);
        spin((uint64_t)(SETTLE_NS / turn_ns)); /* it watches for a while before it really sleeps */
        sent_ns[i] = tp_clock_now_ns();
        demand(drowsy_submit(pool, i + 1) == 0, "a task was refused");
        await(i + 1);
    }
    drowsy_pool_free(pool);
    for (uint64_t i = 0; i < n_tasks; i++)
        began_ns[i] -= sent_ns[i];
    double wake_ns = median(began_ns, n_tasks);
    times_close();
    return wake_ns;
}

static void *yield_on(void *argument)
{
    for (;;)
        tp_co_yield(argument, NULL);
    return NULL;
}

double trial_switch_ns(uint64_t n)
{
    struct tp_co *co;
    double best = INFINITY;
    demand(tp_co_new(&co, yield_on, NULL, NULL) == 0, "cannot make a coroutine");
    for (int look = 0; look < LOOKS; look++) {
        uint64_t from_ns = tp_clock_now_ns();
        for (uint64_t i = 0; i < n / 2; i++) /* two switches each */
            tp_co_resume(co, NULL, NULL);
        double took = (double)(tp_clock_now_ns() - from_ns) / (double)(n / 2 * 2);
        best = took < best ? took : best;
    }
    tp_co_free(co);
    return best;
}

static struct trial_sight throughput_once(struct narrow_pool *pool, double task_ns, uint64_t n_tasks)
{
    struct trial_sight sight = {0};
    begin(task_ns);
    if (task_ns > 0)
        times_open(n_tasks);
    uint64_t from_ns = tp_clock_now_ns();
    for (uint64_t i = 0; i < n_tasks; i++)
        demand(narrow_submit(pool, i + 1) == 0, "a task was refused");
    demand(narrow_join_all(pool, TP_FOREVER) == 0, "the tasks do not end");
    sight.rate = (double)n_tasks * 1e9 / (double)(tp_clock_now_ns() - from_ns);
    if (task_ns > 0)
        sight.task_ns = median(took_ns, n_tasks);
    times_close();
    return sight;
}

struct trial_sight trial_throughput(unsigned n_workers, double task_ns, uint64_t n_tasks)
{
    struct narrow_pool *pool;
    struct trial_sight best = {0};
    demand(narrow_pool_open(&pool, &(struct tp_pool_settings){.workers = n_workers}) == 0, "cannot open the pool");
    for (int look = 0; look < LOOKS; look++) {
        struct trial_sight once = throughput_once(pool, task_ns, n_tasks);
        if (look == 0 || once.rate * (once.task_ns + 1) > best.rate * (best.task_ns + 1))
            best = once;
    }
    narrow_pool_free(pool);
    return best;
}

static struct trial_sight latency_once(unsigned n_workers, double task_ns, double rate, uint64_t n_tasks)
{
    struct wide_pool *pool;
    static uint64_t random = 88172645463325252u; /* goes on from trial to trial */
    double due_ns, sum_ns = 0;
    demand(wide_pool_open(&pool, &(struct tp_pool_settings){.workers = n_workers}) == 0, "cannot open the pool");
    begin(task_ns);
    times_open(n_tasks);
    due_ns = (double)tp_clock_now_ns();
    for (uint64_t i = 0; i < n_tasks; i++) {
        random ^= random << 13; /* xorshift64 (Marsaglia 2003) */
        random ^= random >> 7;
        random ^= random << 17;
        due_ns -= log(((double)(random >> 11) + 1) / 9007199254740993.0) * 1e9 / rate;
        while ((double)tp_clock_now_ns() < due_ns)
            tp_relax();
        sent_ns[i] = tp_clock_now_ns();
        demand(wide_submit(pool, i + 1) == 0, "a task was refused");
    }
    await(n_tasks);
    wide_pool_free(pool);
    for (uint64_t i = 0; i < n_tasks; i++)
        sum_ns += (double)(began_ns[i] - sent_ns[i]);
    struct trial_sight sight = {
        .rate = (double)(n_tasks - 1) * 1e9 / (double)(sent_ns[n_tasks - 1] - sent_ns[0]),
        .latency_ns = sum_ns / (double)n_tasks,
        .task_ns = median(took_ns, n_tasks),
    };
    times_close();
    return sight;
}

static int by_latency(const void *a, const void *b)
{
    double x = ((const struct trial_sight *)a)->latency_ns, y = ((const struct trial_sight *)b)->latency_ns;
    return (x > y) - (x < y);
}

struct trial_sight trial_latency(unsigned n_workers, double task_ns, double rate, uint64_t n_tasks)
{
    struct trial_sight sights[LOOKS];
    for (int look = 0; look < LOOKS; look++)
        sights[look] = latency_once(n_workers, task_ns, rate, n_tasks);
    qsort(sights, LOOKS, sizeof *sights, by_latency);
    return sights[LOOKS / 2]; /* the least would be the one whose tasks happened not to meet */
}
