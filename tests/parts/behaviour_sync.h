/* What tasks and threads wait for among themselves, mixed: tasks in coroutines and threads of the host at the same things, counted; and one of
 * each thing to be asked at, for behaviour_asked.h. */
#ifndef BEHAVIOUR_SYNC_H
#define BEHAVIOUR_SYNC_H

#include "behaviour_coroutine.h"

/* -- one of each, such that a wait for it lasts --------------------------------------------------------- */

enum thing { THING_MUTEX,
    THING_READ,
    THING_WRITE,
    THING_SEMAPHORE,
    THING_COND,
    THING_GROUP,
    THING_BARRIER,
    THING_ONCE,
    THING_ONESHOT,
    THING_WATCH,
    THING_BROADCAST,
    THING_SELECT,
    THINGS };

struct things {
    struct tp_mutex mutex, of_cond;
    struct tp_rwlock to_read, to_write;
    struct tp_semaphore semaphore;
    struct tp_cond cond;
    struct tp_waitgroup group;
    struct tp_barrier barrier;
    struct tp_once once;
    pthread_t runner;
    tp_atomic(uint32_t) is_running, may_end; /* of what is done once */
    struct tp_oneshot *oneshot;
    bool was_sent;
    struct tp_watch *watch;
    struct tp_broadcast *news;
    struct tp_broadcast_reader reader;
    struct tp_chan *in, *out;
};

static int hold_once(void *argument)
{
    struct things *things = argument;
    tp_store_sc(&things->is_running, 1);
    while (tp_load_sc(&things->may_end) == 0)
        sched_yield();
    return 0;
}

static void *run_once(void *argument)
{
    struct things *things = argument;
    if (tp_once_call(&things->once, hold_once, things, TP_FOREVER) != 0)
        abort();
    return NULL;
}

static inline void things_open(struct things *things)
{
    int first = 0;
    tp_mutex_init(&things->mutex);
    tp_mutex_init(&things->of_cond);
    tp_rwlock_init(&things->to_read);
    tp_rwlock_init(&things->to_write);
    tp_semaphore_init(&things->semaphore, 0);
    tp_cond_init(&things->cond);
    tp_waitgroup_init(&things->group, 1);
    tp_barrier_init(&things->barrier, 2);
    tp_once_init(&things->once);
    tp_store_sc(&things->is_running, 0);
    tp_store_sc(&things->may_end, 0);
    things->was_sent = false;
    assert_true(tp_mutex_try_lock(&things->mutex));
    assert_int_equal(tp_rwlock_write(&things->to_read, 0), 0);
    assert_int_equal(tp_rwlock_read(&things->to_write, 0), 0);
    assert_int_equal(tp_oneshot_open(&things->oneshot, sizeof(int)), 0);
    assert_int_equal(tp_watch_open(&things->watch, sizeof(int), &first), 0);
    assert_int_equal(tp_broadcast_open(&things->news, sizeof(int), 2), 0);
    tp_broadcast_join(things->news, &things->reader);
    assert_int_equal(tp_chan_open(&things->in, sizeof(int), 0), 0);
    assert_int_equal(tp_chan_open(&things->out, sizeof(int), 0), 0);
    assert_int_equal(pthread_create(&things->runner, NULL, run_once, things), 0);
    while (tp_load_sc(&things->is_running) == 0)
        sched_yield();
}

static int visit_cond(struct things *things)
{
    if (!tp_mutex_try_lock(&things->of_cond))
        abort();
    int status = tp_cond_wait(&things->cond, &things->of_cond, TP_FOREVER);
    if (tp_mutex_try_lock(&things->of_cond)) /* whatever ended it, it is held */
        abort();
    tp_mutex_unlock(&things->of_cond);
    return status;
}

static int visit_cases(struct things *things)
{
    int value = 1;
    size_t which;
    struct tp_case cases[] = {tp_case_recv(things->in, &value), tp_case_send(things->out, &value), tp_case_time(tp_deadline_in_ns(1000 * TP_SECOND)),
        tp_case_recv(things->out, &value)};
    return tp_select(cases, 4, TP_FOREVER, &which);
}

/* Waits for it. */
static inline int things_visit(struct things *things, enum thing thing)
{
    int value;
    uint64_t version = 1;
    switch (thing) {
    case THING_MUTEX:
        return tp_mutex_lock(&things->mutex, TP_FOREVER);
    case THING_READ:
        return tp_rwlock_read(&things->to_read, TP_FOREVER);
    case THING_WRITE:
        return tp_rwlock_write(&things->to_write, TP_FOREVER);
    case THING_SEMAPHORE:
        return tp_semaphore_acquire(&things->semaphore, 3, TP_FOREVER);
    case THING_COND:
        return visit_cond(things);
    case THING_GROUP:
        return tp_waitgroup_wait(&things->group, TP_FOREVER);
    case THING_BARRIER:
        return tp_barrier_wait(&things->barrier, TP_FOREVER, NULL);
    case THING_ONCE:
        return tp_once_call(&things->once, hold_once, things, TP_FOREVER);
    case THING_ONESHOT:
        return tp_oneshot_recv(things->oneshot, &value, TP_FOREVER);
    case THING_WATCH:
        return tp_watch_wait(things->watch, &version, &value, TP_FOREVER);
    case THING_BROADCAST:
        return tp_broadcast_recv(things->news, &things->reader, &value, TP_FOREVER);
    default:
        return visit_cases(things);
    }
}

/* It comes. */
static inline void things_let_on(struct things *things, enum thing thing)
{
    int value = 7;
    if (thing == THING_MUTEX)
        tp_mutex_unlock(&things->mutex);
    else if (thing == THING_READ)
        tp_rwlock_unwrite(&things->to_read);
    else if (thing == THING_WRITE)
        tp_rwlock_unread(&things->to_write);
    else if (thing == THING_SEMAPHORE)
        tp_semaphore_release(&things->semaphore, 3);
    else if (thing == THING_COND)
        tp_cond_notify(&things->cond, 1);
    else if (thing == THING_GROUP)
        tp_waitgroup_done(&things->group);
    else if (thing == THING_BARRIER)
        assert_int_equal(tp_barrier_wait(&things->barrier, 0, NULL), 0);
    else if (thing == THING_ONCE)
        tp_store_sc(&things->may_end, 1);
    else if (thing == THING_ONESHOT)
        assert_int_equal(tp_oneshot_send(things->oneshot, &value), 0);
    else if (thing == THING_WATCH)
        assert_int_equal(tp_watch_set(things->watch, &value), 0);
    else if (thing == THING_BROADCAST)
        assert_int_equal(tp_broadcast_send(things->news, &value), 0);
    else
        assert_int_equal(tp_chan_send(things->in, &value, 0), 0);
    things->was_sent |= thing == THING_ONESHOT;
}

/* Nothing of a wait is left: nobody stands in a line, and nothing was taken by who was not told so. */
static inline void things_close(struct things *things, bool was_all)
{
    int value = 0;
    struct tp_gate *gates[] = {&things->mutex.gate, &things->of_cond.gate, &things->to_read.gate, &things->to_write.gate, &things->semaphore.gate,
        &things->cond.gate, &things->group.gate, &things->barrier.gate};
    tp_store_sc(&things->may_end, 1);
    assert_int_equal(pthread_join(things->runner, NULL), 0);
    for (size_t i = 0; i < sizeof gates / sizeof *gates; i++)
        assert_null(gates[i]->line.first);
    assert_null(things->once.gate.line.first);
    assert_int_equal(tp_load_sc(&things->mutex.word), 1); /* held by one, and nobody waits */
    assert_int_equal(tp_load_sc(&things->of_cond.word), 0);
    assert_int_equal(tp_semaphore_count(&things->semaphore), 0);
    tp_semaphore_release(&things->semaphore, 3);
    assert_int_equal(tp_semaphore_acquire(&things->semaphore, 3, 0), 0);
    assert_int_equal(tp_barrier_wait(&things->barrier, 0, NULL), TP_ETIMEDOUT);
    if (!was_all) {
        tp_waitgroup_done(&things->group);
        assert_int_equal(tp_load_sc(&things->group.word), 0);
    }
    if (things->was_sent)
        assert_int_equal(tp_oneshot_recv(things->oneshot, &value, 0), TP_ECLOSED);
    else
        tp_oneshot_drop(things->oneshot);
    tp_oneshot_free(things->oneshot);
    tp_watch_free(things->watch);
    tp_broadcast_free(things->news);
    for (int i = 0; i < 2; i++) {
        struct tp_chan *chan = i == 0 ? things->in : things->out;
        assert_int_equal(tp_chan_send(chan, &value, 0), TP_ETIMEDOUT);
        assert_int_equal(tp_chan_recv(chan, &value, 0), TP_ETIMEDOUT);
        tp_chan_free(chan);
    }
}

/* -- all at once --------------------------------------------------------------------------------------------- */

enum { TRADERS = 12, /* tasks; and two threads */
    TRADES = 60 };

static struct {
    struct tp_mutex mutex;
    struct tp_rwlock rwlock;
    struct tp_semaphore semaphore;
    struct tp_cond cond;
    struct tp_barrier barrier;
    struct tp_waitgroup group;
    struct tp_chan *chans[2];
    uint64_t n_entered, n_letters, n_written; /* guarded by the first two */
    tp_atomic(uint32_t) n_inside, n_wrong, n_bought, n_sold;
} market;

static bool is_second(unsigned i)
{
    return i % 2 == 1;
}

/* Half of them send what the other half receives, at either of two channels. */
static void trade_one(unsigned self, unsigned round)
{
    int value = (int)round;
    size_t which;
    struct tp_case sends[] = {tp_case_send(market.chans[0], &value), tp_case_send(market.chans[1], &value)};
    struct tp_case receives[] = {tp_case_recv(market.chans[0], &value), tp_case_recv(market.chans[1], &value)};
    int status = tp_select(is_second(self) ? sends : receives, 2, TP_FOREVER, &which);
    if (status != 0 || value < 0 || value >= TRADES)
        tp_add_sc(&market.n_wrong, 1);
    tp_add_sc(is_second(self) ? &market.n_sold : &market.n_bought, 1);
}

/* A letter from each second one to each first one. */
static void pass_letter(unsigned self)
{
    int status = tp_mutex_lock(&market.mutex, TP_FOREVER);
    while (status == 0 && !is_second(self) && market.n_letters == 0)
        status = tp_cond_wait(&market.cond, &market.mutex, TP_FOREVER);
    market.n_letters += is_second(self) ? 1 : (uint64_t)-1;
    tp_mutex_unlock(&market.mutex);
    if (is_second(self))
        tp_cond_notify(&market.cond, 1);
    if (status != 0)
        tp_add_sc(&market.n_wrong, 1);
}

static void enter_all(unsigned round)
{
    if (tp_mutex_lock(&market.mutex, TP_FOREVER) != 0)
        tp_add_sc(&market.n_wrong, 1);
    market.n_entered++;
    if (round % 8 == 0 && tp_yield() != 0) /* it may be unlocked on another worker */
        tp_add_sc(&market.n_wrong, 1);
    tp_mutex_unlock(&market.mutex);
    bool writes = round % 4 == 0;
    if ((writes ? tp_rwlock_write : tp_rwlock_read)(&market.rwlock, TP_FOREVER) != 0)
        tp_add_sc(&market.n_wrong, 1);
    if (writes)
        market.n_written++;
    (writes ? tp_rwlock_unwrite : tp_rwlock_unread)(&market.rwlock);
    if (tp_semaphore_acquire(&market.semaphore, 1 + round % 3, TP_FOREVER) != 0 || tp_add_sc(&market.n_inside, 1) >= 3)
        tp_add_sc(&market.n_wrong, 1);
    tp_add_sc(&market.n_inside, (uint32_t)-1);
    tp_semaphore_release(&market.semaphore, 1 + round % 3);
}

static int market_run(void *argument)
{
    unsigned self = (unsigned)(uintptr_t)argument;
    for (unsigned round = 0; round < TRADES; round++) {
        enter_all(round);
        pass_letter(self);
        trade_one(self, round);
        if (round % 10 == 0 && tp_barrier_wait(&market.barrier, TP_FOREVER, NULL) != 0)
            tp_add_sc(&market.n_wrong, 1);
    }
    tp_waitgroup_done(&market.group);
    return 0;
}

static void *market_thread(void *argument)
{
    market_run(argument);
    return NULL;
}

static void test_sync_mixed(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        struct call calls[TRADERS];
        pthread_t threads[2];
        struct job_pool *pool = pool_open((uint32_t)workers, TRADERS);
        memset(&market, 0, sizeof market);
        tp_mutex_init(&market.mutex);
        tp_rwlock_init(&market.rwlock);
        tp_semaphore_init(&market.semaphore, 3);
        tp_cond_init(&market.cond);
        tp_barrier_init(&market.barrier, TRADERS + 2);
        tp_waitgroup_init(&market.group, TRADERS + 2);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(tp_chan_open(&market.chans[i], sizeof(int), 0), 0);
            assert_int_equal(pthread_create(&threads[i], NULL, market_thread, (void *)(uintptr_t)i), 0);
        }
        for (uintptr_t i = 0; i < TRADERS; i++) {
            calls[i] = (struct call){market_run, (void *)i};
            submit(pool, &calls[i]);
        }
        assert_int_equal(tp_waitgroup_wait(&market.group, TP_FOREVER), 0);
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            tp_chan_free(market.chans[i]);
        }
        job_pool_free(pool);
        assert_int_equal(tp_load_sc(&market.n_wrong), 0);
        assert_int_equal(market.n_entered, (TRADERS + 2) * TRADES);
        assert_int_equal(market.n_written, (TRADERS + 2) * TRADES / 4);
        assert_int_equal(market.n_letters, 0);
        assert_int_equal(tp_load_sc(&market.n_bought), (TRADERS + 2) / 2 * TRADES);
        assert_int_equal(tp_load_sc(&market.n_sold), (TRADERS + 2) / 2 * TRADES);
        tp_mutex_end(&market.mutex);
        tp_rwlock_end(&market.rwlock);
        tp_semaphore_end(&market.semaphore);
        tp_cond_end(&market.cond);
        tp_barrier_end(&market.barrier);
    }
}

#if WITH_TRACKING
static int cond_run(void *argument)
{
    struct things *things = argument;
    if (!tp_mutex_try_lock(&things->of_cond))
        abort();
    int status = tp_cond_wait(&things->cond, &things->of_cond, TP_FOREVER);
    things->was_sent = true; /* guarded by the mutex */
    tp_mutex_unlock(&things->of_cond);
    return status;
}

/* Who is asked to end while it waits for a condition has to wait for the mutex all the same. */
static void test_asked_at_a_condition(void **state)
{
    (void)state;
    struct things things;
    struct job_pool *pool = pool_open(1, 10);
    struct call call = {cond_run, &things};
    struct tp_task_result result;
    uint64_t id;
    things_open(&things);
    assert_int_equal(job_spawn(pool, as_payload(&call), &id), 0);
    await_suspended(pool, 1);
    assert_int_equal(tp_mutex_lock(&things.of_cond, TP_FOREVER), 0);
    assert_int_equal(job_cancel_task(pool, id), 0);
    while ((tp_load_sc(&things.of_cond.word) & ~1u) == 0) /* until it waits for the mutex */
        sched_yield();
    assert_false(things.was_sent);
    tp_mutex_unlock(&things.of_cond);
    assert_int_equal(job_join(pool, id, TP_FOREVER, &result), 0);
    assert_int_equal(result.code, TP_ECANCELED);
    assert_true(things.was_sent);
    things.was_sent = false;
    things_close(&things, false);
    job_pool_free(pool);
}
#endif

#if WITH_TRACKING && WITH_OPS
static int select_child(void *argument)
{
    return door_pass(TP_FOREVER) == 0 ? (int)(intptr_t)argument : -1;
}

/* The end of a task is one of several; also with one worker. */
static int select_run(void *argument)
{
    struct job_pool *pool = argument;
    struct call calls[3];
    struct tp_task_result results[3];
    struct tp_case cases[4];
    uint64_t ids[3];
    int sum = 0;
    for (int i = 0; i < 3; i++) {
        calls[i] = (struct call){select_child, (void *)(intptr_t)(i + 1)};
        if (job_spawn(pool, as_payload(&calls[i]), &ids[i]) != 0)
            abort();
    }
    for (int n = 0; n < 3; n++) {
        size_t which, n_cases = 0;
        for (int i = 0; i < 3; i++)
            if (ids[i] != 0)
                cases[n_cases++] = tp_case_task(&job_pool_ops, pool, ids[i], &results[i]);
        cases[n_cases++] = tp_case_time(tp_deadline_in_ns(1000 * TP_SECOND));
        tp_add_sc(&n_tokens, 1);
        tp_waitlist_notify(&door, 1);
        if (tp_select(cases, n_cases, TP_FOREVER, &which) != 0 || which >= n_cases - 1)
            abort();
        for (int i = 0; i < 3; i++)
            if (ids[i] == cases[which].number) {
                sum += results[i].code;
                job_detach(pool, ids[i]);
                ids[i] = 0;
            }
    }
    return sum;
}

static void test_select_tasks(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    for (int round = 0; round < 20; round++) {
        struct job_pool *pool = pool_open((uint32_t)workers, 10);
        struct call call = {select_run, pool};
        struct tp_task_result result;
        uint64_t id;
        door_close();
        assert_int_equal(job_spawn(pool, as_payload(&call), &id), 0);
        assert_int_equal(job_join(pool, id, TP_FOREVER, &result), 0);
        assert_int_equal(result.code, 1 + 2 + 3);
        job_pool_free(pool);
    }
}
#endif

#endif
