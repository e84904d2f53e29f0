/* Behaviour: each task runs once, in the promised order, and none waits while a worker sleeps. */

static void test_runs_each_once(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, room_for(LEDGER, 64));
        struct entry *entries = ledger_new(LEDGER);
        for (size_t i = 0; i < LEDGER; i++)
            submit(pool, &entries[i].call);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        ledger_check(entries, LEDGER);
        job_pool_free(pool);
        free(entries);
    }
}

struct producer {
    struct job_pool *pool;
    struct entry *entries;
    size_t n, n_accepted;
    pthread_t thread;
};

static void *producer_run(void *argument)
{
    struct producer *producer = argument;
    for (size_t i = 0; i < producer->n; i++)
        submit(producer->pool, &producer->entries[i].call);
    return NULL;
}

static void test_many_producers(void **state)
{
    (void)state;
    enum { PRODUCERS = 6 };
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, room_for(LEDGER, 100));
        struct entry *entries = ledger_new(LEDGER);
        struct producer producers[PRODUCERS];
        for (size_t i = 0; i < PRODUCERS; i++) {
            producers[i] = (struct producer){.pool = pool, .entries = entries + i * (LEDGER / PRODUCERS), .n = LEDGER / PRODUCERS};
            pthread_create(&producers[i].thread, NULL, producer_run, &producers[i]);
        }
        for (size_t i = 0; i < PRODUCERS; i++)
            pthread_join(producers[i].thread, NULL);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        ledger_check(entries, LEDGER / PRODUCERS * PRODUCERS);
        job_pool_free(pool);
        free(entries);
    }
}

/* Counters and cursors that start near their wrap-around. */

#if WITH_RING
struct wrapper {
    struct job_pool *pool;
    pthread_barrier_t all_here;
};

/* One such task per worker: a worker's cursors are its own. */
static int wrap_queue(void *argument)
{
    struct wrapper *wrapper = argument;
    struct job_queue *queue = &job_self(wrapper->pool)->queue;
    pthread_barrier_wait(&wrapper->all_here);
#if WITH_STEALING
    tp_store_sc(&queue->cursors, job_pack((struct job_cursors){65533, 65533, 65533}));
#else
    tp_store_sc(&queue->head, UINT32_MAX - 2);
    tp_store_sc(&queue->tail, UINT32_MAX - 2);
#endif
    return 0;
}
#endif

/* An empty pool whose counters will soon wrap. Its locks are held meanwhile, so that nobody acts on
 * half of it. */
static struct job_pool *pool_open_near_wrap(uint32_t workers, uint64_t capacity)
{
    struct job_pool *pool = pool_open(workers, capacity);
#if WITH_RING
    struct wrapper wrapper = {.pool = pool};
    struct call wrap = {wrap_queue, &wrapper};
    pthread_barrier_init(&wrapper.all_here, NULL, workers);
    for (uint32_t i = 0; i < workers; i++)
        submit(pool, &wrap);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    pthread_barrier_destroy(&wrapper.all_here);
#endif
    const uint64_t begin = UINT64_MAX - 100;
    uint64_t n_run = job_sum_run(pool), n_accepted = begin;
#if WITH_BOARD
    tp_spin_lock(&pool->room_lock);
    tp_store_sc(&pool->n_accepted, begin);
#if WITH_BOUNDED
    pool->finished_seen = begin;
#endif
    tp_spin_unlock(&pool->room_lock);
#else
    n_accepted = 0;
    for (uint32_t i = 0; i < pool->n_lanes; i++) {
        struct job_lane *lane = &pool->lanes[i];
        tp_spin_lock(&lane->lock);
#if !WITH_LIFO
        tp_spin_lock(&lane->take_lock);
#endif
        tp_store_sc(&lane->n_taken, begin);
        tp_store_sc(&lane->n_put, begin);
#if !WITH_LIFO
        tp_spin_unlock(&lane->take_lock);
#endif
        tp_spin_unlock(&lane->lock);
        n_accepted += begin;
    }
#if WITH_BOUNDED
    tp_spin_lock(&pool->room_lock);
    job_room_reclaim(pool);
    pool->granted = n_accepted;
    tp_spin_unlock(&pool->room_lock);
#endif
    for (uint32_t i = 0; i < workers; i++)
        n_accepted += tp_load_sc(&pool->workers[i].n_pushed);
#endif
    tp_store_sc(&pool->n_gone, n_accepted - n_run);
#if WITH_TRACKING
    pool->track.first_generation = UINT32_MAX - 1; /* for records that are not made yet */
#endif
    return pool;
}

static void test_near_wrap_around(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open_near_wrap((uint32_t)workers, room_for(LEDGER, 1000));
        struct entry *entries = ledger_new(LEDGER);
        for (size_t i = 0; i < LEDGER; i++)
            submit(pool, &entries[i].call);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        ledger_check(entries, LEDGER);
        job_pool_free(pool);
        free(entries);
    }
}

#if WITH_MOST
/* A thief takes half of what it finds, rounded up, but no more than it may. */
static void test_theft_is_limited(void **state)
{
    static struct job_queue from, own;
    struct job_slot task = {0};
    uint32_t n_left = JOB_QUEUE;
    (void)state;
    job_queue_init(&from);
    job_queue_init(&own);
    for (uint32_t i = 0; i < JOB_QUEUE; i++) {
        job_queue_ahead(&from, 0)->payload = i + 1;
        job_queue_publish(&from, 1);
    }
    for (uintptr_t next = 1; n_left > 0;) {
        uint32_t half = n_left - n_left / 2, wanted = half < VALUE_MOST ? half : VALUE_MOST;
        assert_int_equal(job_queue_steal(&from, &own, &task, 1), wanted);
        for (uint32_t i = 0; i < wanted; i++, next++) {
            assert_true(task.payload == next); /* the first one is handed out, the others lie in the thief's queue */
            assert_int_equal(job_queue_pop(&own, &task), i + 1 < wanted);
        }
        n_left -= wanted;
    }
}
#endif

/* One worker, tasks submitted while it is held: the order is exact. */
enum { ORDERED = 500 };
static size_t order_next;
struct ordered {
    struct call call;
    size_t place;
};

static int ordered_run(void *argument)
{
    ((struct ordered *)argument)->place = order_next++; /* one worker: no race */
    return 0;
}

static void check_order(const struct ordered *tasks)
{
    for (size_t i = 0; i < ORDERED; i++)
#if WITH_LIFO
        assert_int_equal(tasks[i].place, ORDERED - 1 - i);
#else
        assert_int_equal(tasks[i].place, i);
#endif
}

static void test_order_from_outside(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open(1, ORDERED + 1);
    struct gate gate = GATE_CLOSED;
    struct call hold;
    static struct ordered tasks[ORDERED];
    pool_hold(pool, 1, &gate, &hold);
    order_next = 0;
    for (size_t i = 0; i < ORDERED; i++) {
        tasks[i].call = (struct call){ordered_run, &tasks[i]};
        submit(pool, &tasks[i].call);
    }
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    check_order(tasks);
    job_pool_free(pool);
}

/* A task that submits others into its worker's queue, no more than fit. */
struct parent {
    struct job_pool *pool;
    struct ordered children[VALUE_QUEUE < 500 ? VALUE_QUEUE : 500];
};
enum { CHILDREN = sizeof(((struct parent *)0)->children) / sizeof(struct ordered) };

static int parent_run(void *argument)
{
    struct parent *parent = argument;
    for (size_t i = 0; i < CHILDREN; i++) {
        parent->children[i].call = (struct call){ordered_run, &parent->children[i]};
        if (job_submit(parent->pool, as_payload(&parent->children[i].call)) != 0)
            return TP_EINVAL;
    }
    return 0;
}

static void test_order_from_inside(void **state)
{
    (void)state;
    static struct parent parent;
    parent.pool = pool_open(1, CHILDREN + 1);
    struct call call = {parent_run, &parent};
    order_next = 0;
    submit(parent.pool, &call);
    assert_int_equal(job_join_all(parent.pool, TP_FOREVER), 0);
    assert_int_equal(order_next, CHILDREN);
    for (size_t i = 0; i < CHILDREN; i++)
#if WITH_LIFO
        assert_int_equal(parent.children[i].place, CHILDREN - 1 - i);
#else
        assert_int_equal(parent.children[i].place, i);
#endif
    job_pool_free(parent.pool);
}

/* A tree of tasks: join_all must see the children of children. */
struct tree {
    struct job_pool *pool;
    tp_atomic(uint64_t) n_leaves;
};
struct node {
    struct call call;
    struct tree *tree;
    unsigned depth;
};

static int node_run(void *argument);

static struct node *node_new(struct tree *tree, unsigned depth)
{
    struct node *node = malloc(sizeof *node);
    *node = (struct node){{node_run, node}, tree, depth};
    return node;
}

static int node_run(void *argument)
{
    struct node *node = argument;
    struct tree *tree = node->tree;
    if (node->depth == 0)
        tp_add_rlx(&tree->n_leaves, 1); /* relaxed: read after the join */
    for (unsigned i = 0; node->depth > 0 && i < 2; i++) {
        struct node *child = node_new(tree, node->depth - 1);
        int status = job_submit(tree->pool, as_payload(&child->call));
        if (is_refusal(status)) /* refused: a task that cannot delegate does it itself */
            node_run(child);
        else if (status != 0)
            abort();
    }
    free(node);
    return 0;
}

static void test_tree(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    for (uint64_t capacity = 1; capacity <= 1000; capacity *= 10) {
        struct tree tree = {.pool = pool_open((uint32_t)workers, room_for(4096, capacity))};
        struct node *root = node_new(&tree, 11);
        submit(tree.pool, &root->call);
        assert_int_equal(job_join_all(tree.pool, TP_FOREVER), 0);
        assert_int_equal(tp_load_rlx(&tree.n_leaves), 2048); /* relaxed: joined */
        job_pool_free(tree.pool);
    }
}

/* A thousand times one task and a join: a lost wake-up would hang. */
static void test_one_at_a_time(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, 1);
        struct entry *entries = ledger_new(1000);
        for (size_t i = 0; i < 1000; i++) {
            submit(pool, &entries[i].call);
            assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
            assert_int_equal(tp_load_rlx(&entries[i].n_runs), 1); /* relaxed: joined */
        }
        job_pool_free(pool);
        free(entries);
    }
}

/* Tasks that wait for each other need as many workers awake: each must be woken. */
struct meeting {
    pthread_barrier_t barrier;
};

static int meeting_run(void *argument)
{
    pthread_barrier_wait(&((struct meeting *)argument)->barrier);
    return 0;
}

static void test_all_workers_wake(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, 64);
        for (int round = 0; round < 50; round++) {
            struct meeting meeting;
            struct call call = {meeting_run, &meeting};
            pthread_barrier_init(&meeting.barrier, NULL, (unsigned)workers);
            for (size_t i = 0; i < workers; i++)
                submit(pool, &call);
            assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
            pthread_barrier_destroy(&meeting.barrier);
        }
        job_pool_free(pool);
    }
}

static int child_opens(void *argument)
{
    gate_open(argument);
    return 0;
}

#if WITH_STEALING || WITH_BOARD
/* A task that blocks until its own child has run: another worker must come for the child. */

struct needy {
    struct job_pool *pool;
    struct gate gate;
    struct call child;
};

static int needy_run(void *argument)
{
    struct needy *needy = argument;
    needy->child = (struct call){child_opens, &needy->gate};
    submit(needy->pool, &needy->child);
    return gate_pass(&needy->gate);
}

static void test_child_of_blocked_task_is_stolen(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open(2, 64);
    for (int round = 0; round < 200; round++) {
        struct needy needy = {pool, GATE_CLOSED, {NULL, NULL}};
        struct call call = {needy_run, &needy};
        submit(pool, &call);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    }
    job_pool_free(pool);
}
#endif

/* Tasks from outside wait for any worker, not for one: the first waits for the second, which must
 * not be kept by the worker that runs the first. */
static void test_nothing_is_kept(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open(2, 64);
    for (int round = 0; round < 100; round++) {
        struct gate start = GATE_CLOSED, gate = GATE_CLOSED;
        struct call hold;
        struct entry entry = {{entry_run, &entry}, 0};
        struct call waits = {gate_pass, &gate}, opens = {child_opens, &gate}, done = entry.call;
        pool_hold(pool, 2, &start, &hold);
        struct call *tasks[] = {&waits, &opens, &done, &done};
        for (size_t i = 0; i < 4; i++)
            submit(pool, tasks[WITH_LIFO ? 3 - i : i]);
        gate_open(&start);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    }
    job_pool_free(pool);
}

static void test_batch(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open(2, LEDGER);
    struct entry *entries = ledger_new(LEDGER);
    uintptr_t *payloads = calloc(LEDGER, sizeof *payloads);
    size_t n = 77;
    for (size_t i = 0; i < LEDGER; i++)
        payloads[i] = as_payload(&entries[i].call);
    assert_int_equal(job_submit_batch(pool, NULL, 0, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(job_submit_batch(pool, payloads, 1, NULL), 0);
    assert_int_equal(job_submit_batch(pool, payloads + 1, LEDGER - 1, &n), 0);
    assert_int_equal(n, LEDGER - 1);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    ledger_check(entries, LEDGER);
    job_pool_free(pool);
    free(payloads);
    free(entries);
}

static void test_more_workers_than_cores(void **state)
{
    (void)state;
    struct job_pool *pool = pool_open(65, room_for(LEDGER, 1000));
    struct entry *entries = ledger_new(LEDGER);
    for (size_t i = 0; i < LEDGER; i++)
        submit(pool, &entries[i].call);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    ledger_check(entries, LEDGER);
    job_pool_free(pool);
    free(entries);
}
