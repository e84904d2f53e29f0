/* Behaviour: the capacity is exact, and nobody waits for room in vain. */

#if WITH_BOUNDED
struct trier {
    struct job_pool *pool;
    struct call *call;
    size_t n_tries, n_accepted;
    pthread_t thread;
};

#endif

#if WITH_BOUNDED && WITH_REJECT
static void *trier_run(void *argument)
{
    struct trier *trier = argument;
    for (size_t i = 0; i < trier->n_tries; i++) {
        int status = job_submit(trier->pool, as_payload(trier->call));
        if (status == 0)
            trier->n_accepted++;
        else if (status != TP_EFULL)
            break;
    }
    return NULL;
}

/* With every worker held, exactly `capacity` tasks fit, however many threads try. */
static void test_reject_is_exact(void **state)
{
    (void)state;
    enum { TRIERS = 5,
        CAPACITY = 200 };
    struct gate gate = GATE_CLOSED;
    struct call hold, nothing = {nothing_run, NULL};
    struct job_pool *pool = pool_open(2, CAPACITY);
    pool_hold(pool, 2, &gate, &hold);
    struct trier triers[TRIERS];
    size_t n_accepted = 2;
    for (size_t i = 0; i < TRIERS; i++) {
        triers[i] = (struct trier){.pool = pool, .call = &nothing, .n_tries = CAPACITY};
        pthread_create(&triers[i].thread, NULL, trier_run, &triers[i]);
    }
    for (size_t i = 0; i < TRIERS; i++) {
        pthread_join(triers[i].thread, NULL);
        n_accepted += triers[i].n_accepted;
    }
    assert_int_equal(n_accepted, CAPACITY);
    assert_int_equal(job_submit(pool, as_payload(&nothing)), TP_EFULL);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    for (int i = 0; i < 10 * CAPACITY; i++)
        submit(pool, &nothing);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    job_pool_free(pool);
}

static void test_batch_partly_accepted(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold, nothing = {nothing_run, NULL};
    struct job_pool *pool = pool_open(1, 10);
    pool_hold(pool, 1, &gate, &hold);
    enum { BATCH = 200 };
    uintptr_t payloads[BATCH];
    for (size_t i = 0; i < BATCH; i++)
        payloads[i] = as_payload(&nothing);
    size_t n = 0;
    assert_int_equal(job_submit_batch(pool, payloads, BATCH, &n), TP_EFULL);
    assert_int_equal(n, 9);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.rejected, BATCH - 9);
    assert_int_equal(stats.submitted, 10);
#endif
    job_pool_free(pool);
}
#endif

#if WITH_BOUNDED
/* A task of a full pool submits to it: never a deadlock. */
struct chain {
    struct job_pool *pool;
    struct call call;
    unsigned left, depth, deepest, n_full;
};

static int chain_run(void *argument)
{
    struct chain *chain = argument;
    chain->depth++;
    chain->deepest = chain->depth > chain->deepest ? chain->depth : chain->deepest;
    if (chain->left > 0) {
        chain->left--;
        if (is_refusal(job_submit(chain->pool, as_payload(&chain->call))))
            chain->n_full++;
    }
    chain->depth--;
    return 0;
}

/* How deep tasks of a full pool go that each submit another one. */
static unsigned chain_depth(void)
{
#if WITH_BLOCK || WITH_CALLER_RUNS
    if (overload == TP_OVERLOAD_BLOCK || overload == TP_OVERLOAD_CALLER_RUNS)
        return 1 + JOB_NESTED_MAX;
#endif
    return 1;
}

static void test_full_from_inside(void **state)
{
    (void)state;
    struct chain chain = {.pool = pool_open(1, 1), .left = 100};
    chain.call = (struct call){chain_run, &chain};
    submit(chain.pool, &chain.call);
    assert_int_equal(job_join_all(chain.pool, TP_FOREVER), 0);
    /* The chain ends where the pool refuses. */
    assert_int_equal(chain.n_full, overload == TP_OVERLOAD_SPILL ? 0 : 1);
    assert_int_equal(chain.deepest, chain_depth());
    if (overload == TP_OVERLOAD_SPILL)
        assert_int_equal(chain.left, 0);
    job_pool_free(chain.pool);
}
#endif

#if WITH_BOUNDED && !WITH_BOARD && WITH_STEALING && (WITH_BLOCK || WITH_CALLER_RUNS)
/* A task of a full pool submits two at once: the pool takes the first, the second is run in place, and waits
 * for the first. The other worker, which was asleep, has been told of it before. */
struct siblings {
    struct job_pool *pool;
    struct call parent, first, second;
    struct gate gate;
};

static int first_run(void *argument)
{
    struct siblings *siblings = argument;
    gate_open(&siblings->gate);
    return 0;
}

static int siblings_run(void *argument)
{
    struct siblings *siblings = argument;
    uintptr_t payloads[2] = {as_payload(&siblings->first), as_payload(&siblings->second)};
    await_parked(siblings->pool, 1);
    return job_submit_batch(siblings->pool, payloads, 2, NULL);
}

static void test_full_batch_is_told(void **state)
{
    (void)state;
    struct siblings siblings = {.pool = pool_open(2, 2), .gate = GATE_CLOSED};
    siblings.parent = (struct call){siblings_run, &siblings};
    siblings.first = (struct call){first_run, &siblings};
    siblings.second = (struct call){gate_pass, &siblings.gate};
    submit(siblings.pool, &siblings.parent);
    assert_int_equal(job_join_all(siblings.pool, TP_FOREVER), 0);
    assert_true(siblings.gate.is_open);
    job_pool_free(siblings.pool);
}
#endif

#if WITH_BOUNDED && WITH_BLOCK
/* Waits until `n` submitters are on the waiting lists. */
static void await_waiting(struct job_pool *pool, uint32_t n)
{
    struct tp_pool_counts counts;
    do {
        sched_yield();
        job_pool_counts(pool, &counts);
    } while (counts.waiting != n);
}

static void *submit_once(void *argument)
{
    struct trier *trier = argument;
    trier->n_accepted = (size_t)-job_submit(trier->pool, as_payload(trier->call));
    return NULL;
}

/* Room for one wakes one; each that leaves lets the next in. */
static void test_block_until_room(void **state)
{
    (void)state;
    enum { TRIERS = 4 };
    struct gate gate = GATE_CLOSED;
    struct call hold, nothing = {nothing_run, NULL};
    struct job_pool *pool = pool_open(1, 1);
    pool_hold(pool, 1, &gate, &hold);
    struct trier triers[TRIERS];
    for (size_t i = 0; i < TRIERS; i++) {
        triers[i] = (struct trier){.pool = pool, .call = &nothing};
        pthread_create(&triers[i].thread, NULL, submit_once, &triers[i]);
    }
    await_waiting(pool, TRIERS);
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.now.waiting, TRIERS);
    assert_int_equal(stats.now.running, 1);
    assert_int_equal(stats.now.pending, 0);
#endif
    gate_open(&gate);
    for (size_t i = 0; i < TRIERS; i++) {
        pthread_join(triers[i].thread, NULL);
        assert_int_equal(triers[i].n_accepted, 0);
    }
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    job_pool_free(pool);
}

static void test_close_wakes_waiting(void **state)
{
    (void)state;
    enum { TRIERS = 3 };
    struct gate gate = GATE_CLOSED;
    struct call hold, nothing = {nothing_run, NULL};
    struct job_pool *pool = pool_open(2, 2);
    pool_hold(pool, 2, &gate, &hold);
    struct trier triers[TRIERS];
    for (size_t i = 0; i < TRIERS; i++) {
        triers[i] = (struct trier){.pool = pool, .call = &nothing};
        pthread_create(&triers[i].thread, NULL, submit_once, &triers[i]);
    }
    await_waiting(pool, TRIERS);
    assert_int_equal(job_pool_close(pool, 0), TP_ETIMEDOUT);
    for (size_t i = 0; i < TRIERS; i++) {
        pthread_join(triers[i].thread, NULL);
        assert_int_equal(-(int)triers[i].n_accepted, TP_ECLOSED);
    }
    gate_open(&gate);
    assert_int_equal(job_pool_close(pool, TP_FOREVER), 0);
    job_pool_free(pool);
}

/* Many producers on a capacity of one: every wake-up counts. */
static void test_block_storm(void **state)
{
    (void)state;
    enum { PRODUCERS = 4,
        EACH = OFTEN(500) };
    EACH_WORKER_COUNT(workers)
    {
        struct job_pool *pool = pool_open((uint32_t)workers, 1);
        struct entry *entries = ledger_new(PRODUCERS * EACH);
        struct producer producers[PRODUCERS];
        for (size_t i = 0; i < PRODUCERS; i++) {
            producers[i] = (struct producer){.pool = pool, .entries = entries + i * EACH, .n = EACH};
            pthread_create(&producers[i].thread, NULL, producer_run, &producers[i]);
        }
        for (size_t i = 0; i < PRODUCERS; i++)
            pthread_join(producers[i].thread, NULL);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        ledger_check(entries, PRODUCERS * EACH);
        job_pool_free(pool);
        free(entries);
    }
}
#endif

#if WITH_BOUNDED && WITH_BLOCK && WITH_WAITING && WITH_DEADLINE
/* The deadline is short: who waits times out, and who would be one too many is refused. */
static void test_waiting_and_deadline(void **state)
{
    (void)state;
    struct gate gate = GATE_CLOSED;
    struct call hold, nothing = {nothing_run, NULL};
    struct job_pool *pool = pool_open_as((struct tp_pool_settings){.waiting_max = 2, .deadline_ns = TP_MILLISECOND}, 1, 1);
    pool_hold(pool, 1, &gate, &hold);
    tp_store_sc(&pool->n_blocked, 2); /* as if so many waited */
    assert_int_equal(job_submit(pool, as_payload(&nothing)), TP_EFULL);
    tp_store_sc(&pool->n_blocked, 0);
    assert_int_equal(job_submit(pool, as_payload(&nothing)), TP_ETIMEDOUT);
    assert_int_equal(tp_load_sc(&pool->n_blocked), 0);
    await_waiting(pool, 0);
    gate_open(&gate);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(job_submit(pool, as_payload(&nothing)), 0);
#if WITH_STATS
    struct tp_pool_stats stats;
    job_pool_stats(pool, &stats);
    assert_int_equal(stats.rejected, 2);
#endif
    job_pool_free(pool);
}
#endif
