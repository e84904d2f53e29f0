/* Random rounds from a seed: producers, batches, children, joiners, and threads that tune, clean up,
 * help, cancel, close and open the pool again, all at once. Every task has a line in the ledger.
 * Invariant: what was accepted is over exactly once, run or given up, and what was refused never runs.
 * Usage: pool [SEED [TASKS]]; rounds are played until so many tasks were accepted. */
#include "gen/parts/options.h"

#include "gen/parts/pool.c"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#ifndef TASKS
#define TASKS 100000 /* in a normal test run */
#endif

enum {
    LINES = 4096, /* of the ledger: tasks of one round, at most */
    PRODUCERS_MAX = 5,
    MEDDLERS_MAX = 3,
    DEPTH = 3, /* generations of children */
    BATCH = 16
};

struct round;

/* One task. `n_run` and `n_lost` are counted by whoever runs it or gives it up. */
struct line {
    struct round *round;
    tp_atomic(uint32_t) n_run, n_lost;
    uint32_t random;
    unsigned depth;   /* generations it may still have */
    bool is_accepted; /* by its submitter, as the rest */
    bool is_told;     /* a joiner was told that it never ran */
    bool is_doubtful; /* cancelled, and nobody asked what became of it */
};

struct round {
    struct job_pool *pool;
    uint32_t seed;
    struct line *lines;
    tp_atomic(uint32_t) n_lines; /* taken so far */
    tp_atomic(uint32_t) is_over; /* the pool will not open again */
    unsigned n_ops;              /* of each meddler */
    bool drops_newest;           /* a refused task is given up too */
    pthread_mutex_t opening;     /* one thread at a time opens the pool again */
    uint64_t n_given_up;         /* cancelled or dropped, of all generations before; under `opening` */
};

static uint32_t seed_now; /* for reports */

/* CMocka's assertions are for the main thread. */
#define check(condition) ((condition) ? (void)0 : fail_here(__LINE__, #condition))

_Noreturn static void fail_here(int line, const char *what)
{
    fprintf(stderr, "tests/stress/pool.c:%d: seed %u: %s\n", line, seed_now, what);
    abort();
}

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state ^= *state << 13; /* xorshift32 (Marsaglia 2003) */
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % below;
}

/* -- tasks ---------------------------------------------------------------------------------------- */

/* Takes up to n lines; fewer when the ledger is full. */
static size_t lines_take(struct round *round, size_t n, unsigned depth, uint32_t *random, struct line **lines)
{
    uint32_t first = tp_add_rlx(&round->n_lines, (uint32_t)n); /* relaxed: numbers on their own */
    size_t n_taken = 0;
    for (; n_taken < n && first + n_taken < LINES; n_taken++) {
        struct line *line = &round->lines[first + n_taken];
        line->round = round;
        line->depth = depth;
        line->random = draw(random, UINT32_MAX) | 1;
        lines[n_taken] = line;
    }
    return n_taken;
}

static int hand_over(struct job_pool *pool, const uintptr_t *payloads, size_t n, size_t *n_accepted, uint32_t *random)
{
#if WITH_CLASSES
    enum job_class classes[BATCH];
    for (size_t i = 0; i < n; i++)
        classes[i] = (enum job_class)draw(random, JOB_CLASSES);
    return job_submit_batch_class(pool, classes, payloads, n, n_accepted);
#else
    if (draw(random, 2) == 0 || n > 1)
        return job_submit_batch(pool, payloads, n, n_accepted);
    int status = job_submit(pool, payloads[0]);
    *n_accepted = status == 0;
    return status;
#endif
}

static void check_status(int status)
{
    check(status == 0 || status == TP_ECLOSED || status == TP_EFULL || (WITH_DROP_NEWEST && status == TP_EDROPPED));
}

/* Submits n new tasks. Returns the status of the submit; TP_EFULL also when the ledger is full. */
static int grow(struct round *round, size_t n, unsigned depth, uint32_t *random)
{
    uintptr_t payloads[BATCH] = {0};
    struct line *lines[BATCH];
    size_t n_accepted = 0;
    n = lines_take(round, n, depth, random, lines);
    if (n == 0)
        return TP_EFULL;
    for (size_t i = 0; i < n; i++)
        payloads[i] = (uintptr_t)lines[i];
    int status = hand_over(round->pool, payloads, n, &n_accepted, random);
    check_status(status);
    check(n_accepted <= n && (status != 0 || n_accepted == n));
    for (size_t i = 0; i < n_accepted; i++)
        lines[i]->is_accepted = true;
    return status;
}

#if WITH_COROUTINE
static struct tp_waitlist door;

/* Sleeps, yields, wakes who sleeps. What is asked to end goes on all the same. */
static void idle_about(uint32_t *random)
{
    struct tp_waiter w;
    switch (draw(random, 8)) {
    case 0:
        tp_waitlist_prepare(&door, &w);
        tp_waitlist_wait(&door, &w, tp_deadline_in_ns(draw(random, 50) * TP_MICROSECOND));
        break;
    case 1:
        for (uint32_t n = draw(random, 4); n > 0; n--)
            tp_yield();
        break;
    case 2:
        tp_waitlist_notify(&door, 1 + draw(random, 3));
        break;
    default:
        break;
    }
}
#endif

#if WITH_FORKS
enum { LIMBS = 3,
    SPREAD = 4 }; /* forks on the way to a leaf, below it */

/* A part of a task that forks. */
struct limb {
    uint32_t random;
    unsigned depth;
    uint32_t n_leaves; /* of it; plain, as a join orders it */
};

/* Forks, and joins in some order. */
static void spread(void *argument)
{
    struct limb *self = argument, limbs[LIMBS];
    struct tp_branch branches[LIMBS];
    self->n_leaves = self->depth == 0;
    if (self->depth == 0)
        return;
    for (int i = 0; i < LIMBS; i++) {
        limbs[i] = (struct limb){draw(&self->random, UINT32_MAX) | 1, self->depth - 1, 0};
        tp_fork(&branches[i], spread, &limbs[i]);
    }
#if WITH_COROUTINE
    idle_about(&self->random);
#endif
    uint32_t first = draw(&self->random, LIMBS);
    for (uint32_t i = 0; i < LIMBS; i++) {
        uint32_t which = (first + i) % LIMBS;
        if (draw(&self->random, 2) == 0)
            tp_join(&branches[which]);
        else if (tp_unfork(&branches[which]))
            spread(&limbs[which]);
        self->n_leaves += limbs[which].n_leaves;
    }
}

static void fork_about(uint32_t *random)
{
    static const uint32_t n_leaves[SPREAD] = {1, 3, 9, 27};
    struct limb whole = {draw(random, UINT32_MAX) | 1, draw(random, SPREAD), 0};
    spread(&whole);
    check(whole.n_leaves == n_leaves[whole.depth]);
}
#endif

int job_run(uintptr_t payload)
{
    struct line *line = (struct line *)payload;
    check(tp_add_rlx(&line->n_run, 1) == 0); /* relaxed: numbers on their own */
#if WITH_COROUTINE
    idle_about(&line->random);
#endif
#if WITH_FORKS
    if (draw(&line->random, 4) == 0)
        fork_about(&line->random);
#endif
    if (line->depth > 0 && draw(&line->random, 4) == 0)
        grow(line->round, 1 + draw(&line->random, 8), line->depth - 1, &line->random);
    return 0;
}

#if WITH_BOUNDED && WITH_DROPPED
void job_dropped(uintptr_t payload)
{
    struct line *line = (struct line *)payload;
    check(tp_add_rlx(&line->n_lost, 1) == 0); /* relaxed: numbers on their own */
}
#endif

#if WITH_TRACKING
/* What becomes of a task with a handle. */
static void follow(struct round *round, struct line *line, uint64_t id, uint32_t *random)
{
    struct tp_task_result result;
    bool is_cancelled = draw(random, 3) == 0 && job_cancel_task(round->pool, id) == 0;
    if (draw(random, 4) == 0) {
        check(job_detach(round->pool, id) == 0);
        line->is_doubtful = is_cancelled;
        return;
    }
    check(job_join(round->pool, id, TP_FOREVER, &result) == 0);
    line->is_told = result.state == TP_TASK_CANCELLED || result.state == TP_TASK_DROPPED;
    check(line->is_told || result.state == TP_TASK_RETURNED);
    check(tp_load_rlx(&line->n_run) == !line->is_told);              /* relaxed: the join orders it */
    check(job_join(round->pool, id, TP_FOREVER, NULL) == TP_ESTALE); /* the handle has ended */
}

static int spawn(struct round *round, size_t n, uint32_t *random)
{
    uintptr_t payloads[BATCH];
    struct line *lines[BATCH];
    uint64_t ids[BATCH];
    size_t n_accepted = 0;
    n = lines_take(round, n, DEPTH, random, lines);
    if (n == 0)
        return TP_EFULL;
    for (size_t i = 0; i < n; i++)
        payloads[i] = (uintptr_t)lines[i];
    int status = job_spawn_batch(round->pool, payloads, n, ids, &n_accepted);
    check_status(status);
    for (size_t i = 0; i < n_accepted; i++)
        lines[i]->is_accepted = true;
    for (size_t i = 0; i < n_accepted; i++)
        follow(round, lines[i], ids[i], random);
    return status;
}
#endif

/* -- producers and meddlers ----------------------------------------------------------------------- */

static uint32_t own_random(const struct round *round)
{
    return (round->seed * 31 + tp_thread_index() * 2654435769u) | 1;
}

static int produce_some(struct round *round, uint32_t *random)
{
    size_t n = 1 + draw(random, draw(random, 10) == 0 ? BATCH : 1);
#if WITH_TRACKING
    if (draw(random, 3) == 0)
        return spawn(round, n, random);
#endif
    return grow(round, n, DEPTH, random);
}

static void *produce(void *argument)
{
    struct round *round = argument;
    uint32_t random = own_random(round);
    uint32_t n = draw(&random, LINES / 4);
    for (uint32_t i = 0; i < n; i++) {
        if (produce_some(round, &random) == TP_ECLOSED) {
            if (tp_load_acq(&round->is_over) != 0) /* pairs with the release in run_round */
                break;
            sched_yield();
        }
        if (draw(&random, 100) == 0)
            job_join_all(round->pool, draw(&random, 2) == 0 ? 0 : tp_deadline_in_ns(100 * TP_MICROSECOND));
    }
    return NULL;
}

static void check_counts(struct job_pool *pool)
{
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    check(stats.submitted == stats.completed + stats.cancelled + stats.dropped + stats.now.pending + stats.now.running + stats.now.suspended);
}

/* Adds up what this generation gave up, when nothing is in flight. */
static void settle(struct round *round)
{
    struct tp_pool_stats stats;
    job_pool_stats(round->pool, &stats);
    check(stats.now.pending == 0 && stats.now.running == 0 && stats.now.suspended == 0);
    round->n_given_up += stats.cancelled + stats.dropped;
}

static void close_and_reopen(struct round *round, uint32_t *random)
{
    pthread_mutex_lock(&round->opening);
    bool cancel = draw(random, 2) == 0;
    int status = cancel ? job_pool_cancel(round->pool, TP_FOREVER) : job_pool_close(round->pool, TP_FOREVER);
    check(status == 0);
    settle(round);
    check(job_pool_reopen(round->pool) == 0);
    pthread_mutex_unlock(&round->opening);
}

static void meddle_once(struct round *round, uint32_t *random)
{
    struct job_pool *pool = round->pool;
    int status = 0;
    switch (draw(random, 12)) {
#if WITH_TUNE
    case 0:
    case 1:
        status = job_pool_tune(pool, 1 + draw(random, 64));
        check(status == 0 || status == TP_EUNCHANGED);
        break;
    case 2:
    case 3:
        status = job_pool_tune_workers(pool, 1 + draw(random, 8));
        check(status == 0 || status == TP_EUNCHANGED || status == TP_ECLOSED);
        break;
#endif
#if WITH_BOARD
    case 4:
        check(job_process_pending(pool, 1 + draw(random, 8)) <= 8);
        break;
#endif
    case 5:
        job_pool_cleanup(pool);
        break;
    case 6: /* only begun */
        status = draw(random, 2) == 0 ? job_pool_close(pool, 0) : job_pool_cancel(pool, 0);
        check(status == 0 || status == TP_ETIMEDOUT);
        close_and_reopen(round, random);
        break;
    case 7:
        close_and_reopen(round, random);
        break;
    default:
        check_counts(pool);
    }
}

static void *meddle(void *argument)
{
    struct round *round = argument;
    uint32_t random = own_random(round);
    for (unsigned i = 0; i < round->n_ops; i++) {
        meddle_once(round, &random);
        for (uint32_t pauses = draw(&random, 60); pauses > 0; pauses--)
            sched_yield();
    }
    return NULL;
}

/* -- rounds --------------------------------------------------------------------------------------- */

/* Returns how many tasks were accepted. */
static uint64_t ledger_balance(struct round *round)
{
    uint64_t n_accepted = 0, n_run = 0;
    for (uint32_t i = 0; i < LINES; i++) {
        struct line *line = &round->lines[i];
        uint32_t runs = tp_load_rlx(&line->n_run), losses = tp_load_rlx(&line->n_lost); /* relaxed: all has ended */
        n_accepted += line->is_accepted;
        n_run += runs;
        if (round->drops_newest && !line->is_accepted)
            losses = 0;
        check(runs + (losses > 0 || line->is_told) <= line->is_accepted);
#if WITH_BOUNDED && WITH_DROPPED
        check(line->is_doubtful || runs + (losses > 0 || line->is_told) == line->is_accepted);
#endif
    }
    settle(round);
    check(n_accepted - n_run == round->n_given_up);
    return n_accepted;
}

static struct job_pool *random_pool(uint32_t *random)
{
    struct job_pool *pool = NULL;
    struct tp_pool_settings settings = {.workers = 1 + draw(random, 8)};
#if WITH_BOUNDED
    settings.capacity = 1 + draw(random, 64);
#endif
#if WITH_TUNE
    settings.workers_max = 8;
#endif
#if WITH_ANY
    static const enum tp_overload overloads[] = {TP_OVERLOAD_BLOCK, TP_OVERLOAD_REJECT, TP_OVERLOAD_CALLER_RUNS, TP_OVERLOAD_DROP_NEWEST, TP_OVERLOAD_SPILL};
    settings.overload = overloads[draw(random, sizeof overloads / sizeof *overloads)];
#endif
    assert_int_equal(job_pool_open(&pool, &settings), 0);
    return pool;
}

static uint64_t run_round(uint32_t seed, struct line *lines)
{
    uint32_t random = seed * 2654435769u | 1;
    for (int i = 0; i < 10; i++)
        draw(&random, 2);
    seed_now = seed;
    memset(lines, 0, LINES * sizeof *lines);
    struct round round = {.pool = random_pool(&random), .seed = seed, .lines = lines, .opening = PTHREAD_MUTEX_INITIALIZER};
    struct tp_pool_settings settings;
    job_pool_settings(round.pool, &settings);
    round.drops_newest = settings.overload == TP_OVERLOAD_DROP_NEWEST;
    round.n_ops = draw(&random, 30);
    unsigned n_producers = 1 + draw(&random, PRODUCERS_MAX), n_meddlers = draw(&random, MEDDLERS_MAX + 1);
    pthread_t producers[PRODUCERS_MAX], meddlers[MEDDLERS_MAX];
    for (unsigned i = 0; i < n_producers; i++)
        pthread_create(&producers[i], NULL, produce, &round);
    for (unsigned i = 0; i < n_meddlers; i++)
        pthread_create(&meddlers[i], NULL, meddle, &round);
    for (unsigned i = 0; i < n_meddlers; i++)
        pthread_join(meddlers[i], NULL);
    tp_store_rel(&round.is_over, 1); /* pairs with the acquire in produce */
    if (draw(&random, 2) == 0) {     /* close under load, else after the last submit */
        int status = job_pool_close(round.pool, draw(&random, 2) == 0 ? 0 : TP_FOREVER);
        check(status == 0 || status == TP_ETIMEDOUT);
    }
    for (unsigned i = 0; i < n_producers; i++)
        pthread_join(producers[i], NULL);
    check(job_join_all(round.pool, TP_FOREVER) == 0);
    check(job_pool_close(round.pool, TP_FOREVER) == 0);
    uint64_t n_accepted = ledger_balance(&round);
    job_pool_free(round.pool);
    return n_accepted;
}

static uint32_t first_seed = 1;
static uint64_t n_tasks = TASKS;

static void test_random_rounds(void **state)
{
    (void)state;
    struct line *lines = calloc(LINES, sizeof *lines);
    uint64_t n_accepted = 0;
    uint32_t n_rounds = 0;
#if WITH_COROUTINE
    tp_waitlist_init(&door);
#endif
    for (; n_accepted < n_tasks; n_rounds++)
        n_accepted += run_round(first_seed + n_rounds, lines);
    printf("seeds %u to %u: %" PRIu64 " tasks\n", first_seed, first_seed + n_rounds - 1, n_accepted);
    free(lines);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = (uint32_t)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        n_tasks = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_rounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
