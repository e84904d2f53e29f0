/* fork, Tidepool: the pool generated from fork.pool. One task computes the tree, whose branches the other workers take; the main
 * thread waits for it. */
#include "fork.h"
#include "tree_pool.h"

struct fib {
    unsigned n;
    uint64_t result;
};

static uint64_t fib(unsigned n);

static void fib_run(void *argument)
{
    struct fib *self = argument;
    self->result = fib(self->n);
}

static uint64_t fib(unsigned n)
{
    if (n < 2)
        return n;
    struct tp_branch branch;
    struct fib other = {n - 1, 0};
    tp_fork(&branch, fib_run, &other);
    uint64_t sum = fib(n - 2);
    tp_join(&branch);
    return sum + other.result;
}

static uint64_t fib_direct(unsigned n);

static void fib_direct_run(void *argument)
{
    struct fib *self = argument;
    self->result = fib_direct(self->n);
}

/* The same with the function called by who joins. */
static uint64_t fib_direct(unsigned n)
{
    if (n < 2)
        return n;
    struct tp_branch branch;
    struct fib other = {n - 1, 0};
    tp_fork(&branch, fib_direct_run, &other);
    uint64_t sum = fib_direct(n - 2);
    return sum + (tp_unfork(&branch) ? fib_direct(n - 1) : other.result);
}

struct node {
    uint64_t first, size, sum;
};

static uint64_t skynet(uint64_t first, uint64_t size);

static void skynet_run(void *argument)
{
    struct node *self = argument;
    self->sum = skynet(self->first, self->size);
}

/* Forks all children but one, which it visits itself. */
static uint64_t skynet(uint64_t first, uint64_t size)
{
    if (size == 1)
        return first;
    struct tp_branch branches[SKYNET_CHILDREN];
    struct node children[SKYNET_CHILDREN];
    uint64_t part = size / SKYNET_CHILDREN;
    for (unsigned i = 1; i < SKYNET_CHILDREN; i++) {
        children[i] = (struct node){first + i * part, part, 0};
        tp_fork(&branches[i], skynet_run, &children[i]);
    }
    uint64_t sum = skynet(first, part);
    for (unsigned i = SKYNET_CHILDREN - 1; i > 0; i--) {
        tp_join(&branches[i]);
        sum += children[i].sum;
    }
    return sum;
}

static struct tree_pool *pool;
static const struct bench *plan;
static uint64_t n_done;

int tree_run(uint64_t payload)
{
    (void)payload;
    n_done = fork_round(plan, strcmp(plan->variant, "fib, tp_unfork") == 0 ? fib_direct : fib, skynet);
    return 0;
}

static uint64_t run(const struct bench *bench, void *context)
{
    (void)context;
    plan = bench;
    bench_check(tree_submit(pool, 0) == 0, "the task was refused");
    bench_check(tree_join_all(pool, TP_FOREVER) == 0, "cannot wait for the task");
    return n_done;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    bench_check(tree_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = bench_run(&bench, run, NULL);
    tree_pool_free(pool);
    return status;
}
