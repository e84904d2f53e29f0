/* skynet, Tidepool: each node is a task in a coroutine of its own, which submits its ten children to the pool and adds up what
 * comes through its channel. Leaves send their number. */
#include "bench.h"
#include "node_pool.h"

enum { CHILDREN = 10 };

static struct node_pool *pool;

static uint64_t sum_of_children(const struct node *node)
{
    struct node children[CHILDREN];
    struct tp_chan *done;
    uint64_t sum = 0;
    bench_check(tp_chan_open(&done, sizeof sum, CHILDREN) == 0, "cannot open a channel");
    for (unsigned i = 0; i < CHILDREN; i++) {
        children[i] = (struct node){node->first + i * (node->size / CHILDREN), node->size / CHILDREN, 0, done};
        bench_check(node_submit(pool, &children[i]) == 0, "a child was refused");
    }
    for (unsigned i = 0; i < CHILDREN; i++) {
        uint64_t part;
        bench_check(tp_chan_recv(done, &part, TP_FOREVER) == 0, "cannot receive");
        sum += part;
    }
    tp_chan_free(done);
    return sum;
}

int node_run(struct node *node)
{
    uint64_t sum = node->size == 1 ? node->first : sum_of_children(node);
    return tp_chan_send(node->done, &sum, TP_FOREVER);
}

static uint64_t visit_all(const struct bench *bench, void *context)
{
    (void)context;
    uint64_t sum;
    struct node root = {.size = bench->n_tasks};
    bench_check(tp_chan_open(&root.done, sizeof sum, 1) == 0, "cannot open a channel");
    bench_check(node_submit(pool, &root) == 0, "the root was refused");
    bench_check(tp_chan_recv(root.done, &sum, TP_FOREVER) == 0, "cannot receive");
    bench_check(node_join_all(pool, TP_FOREVER) == 0, "cannot wait");
    tp_chan_free(root.done);
    bench_check(sum == bench->n_tasks * (bench->n_tasks - 1) / 2, "the sum is wrong");
    return bench->n_tasks;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    bench_check(node_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = bench_run(&bench, visit_all, NULL);
    node_pool_free(pool);
    return status;
}
