/* Random rounds: producers, batches, children, joiners and a close, all at once, from a seed.
 * What was accepted runs exactly once, what was refused does not, in every round. The number of
 * rounds fits a test; `./tidepool soak` repeats the program. Usage: pool [SEED [ROUNDS]] */
#include "tests/parts/behaviour.h"

enum {
    ROUNDS = 150,
    PRODUCERS_MAX = 6,
    TASKS = 2000, /* per producer and round, at most */
    DEPTH = 3     /* generations of children */
};

struct round;

/* A task that may have children. `depth` limits them; the random state is its own. */
struct twig {
    struct call call;
    struct round *round;
    unsigned depth;
    uint32_t random;
};

struct round {
    struct job_pool *pool;
    tp_atomic(uint64_t) n_accepted, n_run; /* counted by everyone, read when all has ended */
    unsigned n_producers;
    uint32_t seed;
};

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state ^= *state << 13; /* xorshift32 (Marsaglia 2003) */
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % below;
}

static int twig_run(void *argument);

static struct twig *twig_new(struct round *round, unsigned depth, uint32_t random)
{
    struct twig *twig = malloc(sizeof *twig);
    *twig = (struct twig){{twig_run, twig}, round, depth, random | 1};
    return twig;
}

/* Submits n new tasks; those that were refused are freed. Returns the status of the submit. */
static int grow(struct round *round, size_t n, unsigned depth, uint32_t *random)
{
    uintptr_t payloads[16] = {0};
    struct twig *twigs[16];
    for (size_t i = 0; i < n; i++) {
        twigs[i] = twig_new(round, depth, draw(random, UINT32_MAX));
        payloads[i] = as_payload(&twigs[i]->call);
    }
    size_t n_accepted = 0;
    int status = job_submit_batch(round->pool, payloads, n, &n_accepted);
    tp_add_rlx(&round->n_accepted, n_accepted); /* relaxed: read when all has ended */
    for (size_t i = n_accepted; i < n; i++)
        free(twigs[i]);
    return status;
}

static int twig_run(void *argument)
{
    struct twig *twig = argument;
    struct round *round = twig->round;
    tp_add_rlx(&round->n_run, 1); /* relaxed: as above */
    if (twig->depth > 0 && draw(&twig->random, 4) == 0)
        grow(round, 1 + draw(&twig->random, 8), twig->depth - 1, &twig->random);
    free(twig);
    return 0;
}

static void *produce(void *argument)
{
    struct round *round = argument;
    /* Each producer draws its own sequence. */
    uint32_t random = round->seed * 31 + tp_thread_index() * 2654435769u + 1;
    uint32_t n = draw(&random, TASKS);
    for (uint32_t i = 0; i < n; i++) {
        int status = grow(round, 1 + draw(&random, draw(&random, 10) == 0 ? 16 : 1), DEPTH, &random);
        if (status == TP_ECLOSED)
            break;
        if (draw(&random, 100) == 0)
            job_join_all(round->pool, draw(&random, 2) == 0 ? 0 : tp_deadline_in_ns(100 * TP_MICROSECOND));
    }
    return NULL;
}

static void run_round(uint32_t seed)
{
    uint32_t random = seed | 1;
    for (int i = 0; i < 10; i++)
        draw(&random, 2);
    struct round round = {.seed = seed};
    round.pool = pool_open(1 + draw(&random, 8), 1 + draw(&random, 64));
    round.n_producers = 1 + draw(&random, PRODUCERS_MAX);
    pthread_t producers[PRODUCERS_MAX];
    for (unsigned i = 0; i < round.n_producers; i++)
        pthread_create(&producers[i], NULL, produce, &round);
    if (draw(&random, 2) == 0) { /* close under load, else after the last submit */
        for (uint32_t i = draw(&random, 200); i > 0; i--)
            sched_yield();
        int status = job_pool_close(round.pool, draw(&random, 2) == 0 ? 0 : TP_FOREVER);
        assert_true(status == 0 || status == TP_ETIMEDOUT);
    }
    for (unsigned i = 0; i < round.n_producers; i++)
        pthread_join(producers[i], NULL);
    assert_int_equal(job_join_all(round.pool, TP_FOREVER), 0);
    assert_int_equal(job_pool_close(round.pool, TP_FOREVER), 0);
    assert_true(tp_load_rlx(&round.n_run) == tp_load_rlx(&round.n_accepted)); /* relaxed: all has ended */
    job_pool_free(round.pool);
}

static uint32_t first_seed = 1;
static uint32_t n_rounds = ROUNDS;

static void test_random_rounds(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < n_rounds; i++)
        run_round(first_seed + i);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = (uint32_t)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        n_rounds = (uint32_t)strtoul(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_rounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
