/* Mutexes, locks for readers and writers, semaphores and conditions between threads: who goes in which order, what a wait that time ends
 * leaves behind, and counts under load. */
#include "actors.h"

#include "runtime/sync/cond.h"
#include "runtime/sync/mutex.h"
#include "runtime/sync/rwlock.h"
#include "runtime/sync/semaphore.h"

enum { THREADS = 4,
    EACH = 3000,
    MANY = 40 }; /* more than are let go under the lock at once */

/* What was done, by whom. */
static int order[MANY];
static tp_atomic(uint32_t) n_done;

static void note(const struct actor *actor)
{
    order[tp_add_sc(&n_done, 1)] = actor->value;
}

/* -- mutex ------------------------------------------------------------------------------------------ */

static int lock_it(void *thing, struct actor *actor)
{
    int status = tp_mutex_lock(thing, actor->deadline_ns);
    if (status != 0)
        return status;
    note(actor);
    tp_mutex_unlock(thing);
    return 0;
}

static void test_mutex_alone(void **state)
{
    struct tp_mutex mutex;
    (void)state;
    tp_mutex_init(&mutex);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tp_mutex_lock(&mutex, i == 0 ? 0 : TP_FOREVER), 0);
        assert_false(tp_mutex_try_lock(&mutex));
        assert_int_equal(tp_mutex_lock(&mutex, 0), TP_ETIMEDOUT);
        assert_int_equal(tp_mutex_lock(&mutex, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
        assert_int_equal(line_length(&mutex.gate), 0);
        assert_int_equal(tp_load_sc(&mutex.word), 1); /* held, and nobody waits */
        tp_mutex_unlock(&mutex);
        assert_int_equal(tp_load_sc(&mutex.word), 0);
        assert_true(tp_mutex_try_lock(&mutex));
        tp_mutex_unlock(&mutex);
    }
    tp_mutex_end(&mutex);
}

static void test_mutex_in_turn(void **state)
{
    struct crowd crowd = {.n = 0};
    struct actor actors[5];
    struct tp_mutex mutex;
    (void)state;
    tp_mutex_init(&mutex);
    tp_store_sc(&n_done, 0);
    assert_true(tp_mutex_try_lock(&mutex));
    for (int i = 0; i < 5; i++) {
        actors[i] = (struct actor){.act = lock_it, .thing = &mutex, .value = i, .deadline_ns = i == 2 ? tp_deadline_in_ns(TP_MILLISECOND) : TP_FOREVER};
        if (i == 2) { /* its time passes; it is out of the line */
            crowd_add(&crowd, actor_run, &actors[i]);
            actor_await(&actors[i], TP_ETIMEDOUT);
        } else {
            actor_start(&crowd, &mutex.gate, &actors[i]);
        }
    }
    assert_int_equal(line_length(&mutex.gate), 4);
    tp_mutex_unlock(&mutex); /* one wakes the next */
    crowd_join(&crowd);
    assert_int_equal(tp_load_sc(&n_done), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(order[i], i < 2 ? i : i + 1);
    assert_int_equal(tp_load_sc(&mutex.word), 0);
    tp_mutex_end(&mutex);
}

/* Who comes by while one was woken has it; who was woken in vain often enough is handed it. */
static void test_mutex_is_handed_on(void **state)
{
    struct crowd crowd = {.n = 0};
    struct tp_mutex mutex;
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct actor actor = {.act = lock_it, .thing = &mutex, .value = 1, .deadline_ns = TP_FOREVER};
        unsigned n_overtaken = 0;
        tp_mutex_init(&mutex);
        tp_store_sc(&n_done, 0);
        assert_true(tp_mutex_try_lock(&mutex));
        actor_start(&crowd, &mutex.gate, &actor);
        while (!actor_is_over(&actor)) {
            tp_mutex_unlock(&mutex);
            if (!tp_mutex_try_lock(&mutex)) { /* it has it, or had */
                assert_int_equal(tp_mutex_lock(&mutex, TP_FOREVER), 0);
                break;
            }
            while (!actor_is_over(&actor) && line_length(&mutex.gate) == 0)
                sched_yield();
            n_overtaken += !actor_is_over(&actor); /* it has come back to the line */
        }
        assert_true(n_overtaken <= 4);
        tp_mutex_unlock(&mutex);
        crowd_join(&crowd);
        tp_mutex_end(&mutex);
    }
}

static struct tp_mutex mutex;
static uint64_t counter; /* guarded by what is under test */

static void *count_locked(void *argument)
{
    uint64_t n_cut = 0;
    for (int i = 0; i < EACH; i++) {
        uint64_t deadline_ns = argument && i % 3 == 0 ? tp_deadline_in_ns(500) : TP_FOREVER;
        if (tp_mutex_lock(&mutex, deadline_ns) != 0) {
            n_cut++;
            continue;
        }
        counter++;
        if (i % 100 == 0)
            sched_yield();
        tp_mutex_unlock(&mutex);
    }
    if (tp_mutex_lock(&mutex, TP_FOREVER) == 0)
        counter += n_cut;
    tp_mutex_unlock(&mutex);
    return NULL;
}

static void test_mutex_load(void **state)
{
    struct crowd crowd = {.n = 0};
    (void)state;
    tp_mutex_init(&mutex);
    counter = 0;
    for (int i = 0; i < THREADS; i++)
        crowd_add(&crowd, count_locked, i % 2 == 0 ? &counter : NULL);
    crowd_join(&crowd);
    assert_int_equal(counter, THREADS * EACH);
    assert_int_equal(tp_load_sc(&mutex.word), 0);
    tp_mutex_end(&mutex);
}

/* The last one who needs it ends it. */
static void *lock_and_leave(void *argument)
{
    struct tp_mutex *own = argument;
    must(tp_mutex_lock(own, TP_FOREVER) == 0);
    tp_mutex_unlock(own);
    return NULL;
}

static void test_mutex_ended_by_the_last(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct crowd crowd = {.n = 0};
        struct tp_mutex *own = test_malloc(sizeof *own);
        tp_mutex_init(own);
        assert_true(tp_mutex_try_lock(own));
        crowd_add(&crowd, lock_and_leave, own);
        if (i % 2 == 0)
            await_line(&own->gate, 1);
        tp_mutex_unlock(own);
        crowd_join(&crowd);
        tp_mutex_end(own);
        test_free(own);
    }
}

/* -- readers and writers ------------------------------------------------------------------------------- */

static int read_it(void *thing, struct actor *actor)
{
    int status = tp_rwlock_read(thing, actor->deadline_ns);
    if (status == 0)
        note(actor);
    return status;
}

static int write_it(void *thing, struct actor *actor)
{
    int status = tp_rwlock_write(thing, actor->deadline_ns);
    if (status == 0)
        note(actor);
    return status;
}

static void test_rwlock_alone(void **state)
{
    struct tp_rwlock lock;
    (void)state;
    tp_rwlock_init(&lock);
    assert_int_equal(tp_rwlock_read(&lock, 0), 0);
    assert_int_equal(tp_rwlock_read(&lock, 0), 0);
    assert_int_equal(tp_rwlock_write(&lock, 0), TP_ETIMEDOUT);
    assert_int_equal(tp_rwlock_write(&lock, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
    assert_int_equal(tp_rwlock_read(&lock, 0), 0); /* nobody waits any more */
    for (int i = 0; i < 3; i++)
        tp_rwlock_unread(&lock);
    assert_int_equal(tp_rwlock_write(&lock, 0), 0);
    assert_int_equal(tp_rwlock_write(&lock, 0), TP_ETIMEDOUT);
    assert_int_equal(tp_rwlock_read(&lock, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
    tp_rwlock_unwrite(&lock);
    assert_int_equal(tp_load_sc(&lock.word), 0);
    tp_rwlock_end(&lock);
}

/* read, then: write, 20 reads, write, read. */
static void test_rwlock_in_turn(void **state)
{
    struct crowd crowd = {.n = 0};
    struct actor writers[2], readers[21];
    struct tp_rwlock lock;
    (void)state;
    tp_rwlock_init(&lock);
    tp_store_sc(&n_done, 0);
    for (int i = 0; i < 2; i++)
        writers[i] = (struct actor){.act = write_it, .thing = &lock, .value = 100 + i, .deadline_ns = TP_FOREVER};
    for (int i = 0; i < 21; i++)
        readers[i] = (struct actor){.act = read_it, .thing = &lock, .value = i, .deadline_ns = TP_FOREVER};
    assert_int_equal(tp_rwlock_read(&lock, 0), 0);
    actor_start(&crowd, &lock.gate, &writers[0]);
    assert_int_equal(tp_rwlock_read(&lock, 0), TP_ETIMEDOUT); /* no reader overtakes the writer */
    for (int i = 0; i < 20; i++)
        actor_start(&crowd, &lock.gate, &readers[i]);
    actor_start(&crowd, &lock.gate, &writers[1]);
    actor_start(&crowd, &lock.gate, &readers[20]);
    tp_rwlock_unread(&lock);
    actor_await(&writers[0], 0);
    assert_int_equal(tp_load_sc(&n_done), 1);
    tp_rwlock_unwrite(&lock);
    for (int i = 0; i < 20; i++)
        actor_await(&readers[i], 0);
    assert_int_equal(tp_load_sc(&n_done), 21);
    assert_int_equal(tp_rwlock_read(&lock, 0), TP_ETIMEDOUT);
    for (int i = 0; i < 20; i++)
        tp_rwlock_unread(&lock);
    actor_await(&writers[1], 0);
    assert_int_equal(order[21], 101);
    tp_rwlock_unwrite(&lock);
    actor_await(&readers[20], 0);
    tp_rwlock_unread(&lock);
    crowd_join(&crowd);
    assert_int_equal(tp_load_sc(&lock.word), 0);
    tp_rwlock_end(&lock);
}

/* A writer that gives up lets those behind it go. */
static void test_rwlock_writer_gives_up(void **state)
{
    struct crowd crowd = {.n = 0};
    struct tp_rwlock lock;
    struct actor writer = {.act = write_it, .thing = &lock, .deadline_ns = tp_deadline_in_ns(30 * TP_MILLISECOND)};
    struct actor readers[MANY];
    (void)state;
    tp_rwlock_init(&lock);
    tp_store_sc(&n_done, 0);
    assert_int_equal(tp_rwlock_read(&lock, 0), 0);
    crowd_add(&crowd, actor_run, &writer); /* its time may pass before or after the readers come */
    for (int i = 0; i < MANY; i++) {
        readers[i] = (struct actor){.act = read_it, .thing = &lock, .value = i, .deadline_ns = TP_FOREVER};
        crowd_add(&crowd, actor_run, &readers[i]);
    }
    actor_await(&writer, TP_ETIMEDOUT);
    crowd_join(&crowd);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(readers[i].status, 0);
        tp_rwlock_unread(&lock);
    }
    tp_rwlock_unread(&lock);
    assert_int_equal(tp_load_sc(&lock.word), 0);
    tp_rwlock_end(&lock);
}

static struct tp_rwlock rwlock;
static tp_atomic(uint32_t) n_reading, n_writing, n_wrong;

static void *read_and_write(void *argument)
{
    (void)argument;
    for (int i = 0; i < EACH; i++) {
        uint64_t deadline_ns = i % 5 == 0 ? tp_deadline_in_ns(500) : TP_FOREVER;
        if (i % 4 == 0) {
            if (tp_rwlock_write(&rwlock, deadline_ns) != 0)
                continue;
            if (tp_add_sc(&n_writing, 1) != 0 || tp_load_sc(&n_reading) != 0)
                tp_add_sc(&n_wrong, 1);
            counter++;
            tp_add_sc(&n_writing, (uint32_t)-1);
            tp_rwlock_unwrite(&rwlock);
        } else {
            if (tp_rwlock_read(&rwlock, deadline_ns) != 0)
                continue;
            tp_add_sc(&n_reading, 1);
            if (tp_load_sc(&n_writing) != 0)
                tp_add_sc(&n_wrong, 1);
            tp_add_sc(&n_reading, (uint32_t)-1);
            tp_rwlock_unread(&rwlock);
        }
    }
    return NULL;
}

static void test_rwlock_load(void **state)
{
    struct crowd crowd = {.n = 0};
    (void)state;
    tp_rwlock_init(&rwlock);
    tp_store_sc(&n_wrong, 0);
    for (int i = 0; i < THREADS; i++)
        crowd_add(&crowd, read_and_write, NULL);
    crowd_join(&crowd);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
    assert_int_equal(tp_load_sc(&rwlock.word), 0);
    tp_rwlock_end(&rwlock);
}

/* -- semaphore ------------------------------------------------------------------------------------------ */

static int acquire_it(void *thing, struct actor *actor)
{
    int status = tp_semaphore_acquire(thing, actor->wanted, actor->deadline_ns);
    if (status == 0)
        note(actor);
    return status;
}

static void test_semaphore_in_turn(void **state)
{
    struct crowd crowd = {.n = 0};
    struct tp_semaphore semaphore;
    struct actor big = {.act = acquire_it, .thing = &semaphore, .wanted = 5, .value = 5, .deadline_ns = TP_FOREVER};
    struct actor small = {.act = acquire_it, .thing = &semaphore, .wanted = 1, .value = 1, .deadline_ns = TP_FOREVER};
    (void)state;
    tp_semaphore_init(&semaphore, 3);
    tp_store_sc(&n_done, 0);
    assert_int_equal(tp_semaphore_acquire(&semaphore, 2, 0), 0);
    assert_int_equal(tp_semaphore_acquire(&semaphore, 2, 0), TP_ETIMEDOUT);
    assert_int_equal(tp_semaphore_acquire(&semaphore, 2, tp_deadline_in_ns(1000)), TP_ETIMEDOUT);
    assert_int_equal(tp_semaphore_count(&semaphore), 1);
    actor_start(&crowd, &semaphore.gate, &big);
    assert_int_equal(tp_semaphore_acquire(&semaphore, 1, 0), TP_ETIMEDOUT); /* who wants few does not overtake */
    actor_start(&crowd, &semaphore.gate, &small);
    tp_semaphore_release(&semaphore, 3);
    assert_int_equal(line_length(&semaphore.gate), 2);
    tp_semaphore_release(&semaphore, 1);
    actor_await(&big, 0);
    assert_int_equal(line_length(&semaphore.gate), 1);
    tp_semaphore_release(&semaphore, 1);
    actor_await(&small, 0);
    crowd_join(&crowd);
    assert_int_equal(order[0], 5);
    assert_int_equal(order[1], 1);
    assert_int_equal(tp_semaphore_count(&semaphore), 0);
    tp_semaphore_end(&semaphore);
}

/* One that gives up serves those behind it: nobody else would. */
static void test_semaphore_front_gives_up(void **state)
{
    struct crowd crowd = {.n = 0};
    struct tp_semaphore semaphore;
    struct actor big = {.act = acquire_it, .thing = &semaphore, .wanted = MANY + 1, .deadline_ns = tp_deadline_in_ns(30 * TP_MILLISECOND)};
    struct actor smalls[MANY];
    (void)state;
    tp_semaphore_init(&semaphore, MANY);
    tp_store_sc(&n_done, 0);
    crowd_add(&crowd, actor_run, &big);
    for (int i = 0; i < MANY; i++) {
        smalls[i] = (struct actor){.act = acquire_it, .thing = &semaphore, .wanted = 1, .deadline_ns = TP_FOREVER};
        crowd_add(&crowd, actor_run, &smalls[i]);
    }
    crowd_join(&crowd);
    assert_int_equal(big.status, TP_ETIMEDOUT);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(smalls[i].status, 0);
    assert_int_equal(tp_semaphore_count(&semaphore), 0);
    tp_semaphore_end(&semaphore);
}

static struct tp_semaphore semaphore;

static void *take_and_give(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; i < EACH; i++) {
        uint64_t n = 1 + i % 3;
        if (tp_semaphore_acquire(&semaphore, n, i % 5 == 0 ? tp_deadline_in_ns(500) : TP_FOREVER) != 0)
            continue;
        if (tp_add_sc(&n_reading, (uint32_t)n) + n > 3)
            tp_add_sc(&n_wrong, 1);
        tp_add_sc(&n_reading, 0 - (uint32_t)n);
        tp_semaphore_release(&semaphore, n);
    }
    return NULL;
}

static void test_semaphore_load(void **state)
{
    struct crowd crowd = {.n = 0};
    (void)state;
    tp_semaphore_init(&semaphore, 3);
    tp_store_sc(&n_wrong, 0);
    tp_store_sc(&n_reading, 0);
    for (int i = 0; i < THREADS; i++)
        crowd_add(&crowd, take_and_give, NULL);
    crowd_join(&crowd);
    assert_int_equal(tp_load_sc(&n_wrong), 0);
    assert_int_equal(tp_semaphore_count(&semaphore), 3);
    tp_semaphore_end(&semaphore);
}

/* -- condition -------------------------------------------------------------------------------------------- */

static struct tp_cond cond;

static int wait_for_it(void *thing, struct actor *actor)
{
    must(tp_mutex_lock(thing, TP_FOREVER) == 0);
    int status = tp_cond_wait(&cond, thing, actor->deadline_ns);
    bool is_held = !tp_mutex_try_lock(thing);
    if (status == 0)
        note(actor);
    tp_mutex_unlock(thing);
    return is_held ? status : 1;
}

static void test_cond_in_turn(void **state)
{
    struct crowd crowd = {.n = 0};
    struct actor actors[MANY];
    (void)state;
    tp_mutex_init(&mutex);
    tp_cond_init(&cond);
    tp_cond_notify(&cond, 1); /* nobody is there, and nobody remembers it */
    tp_store_sc(&n_done, 0);
    for (int i = 0; i < MANY; i++) {
        actors[i] = (struct actor){.act = wait_for_it, .thing = &mutex, .value = i, .deadline_ns = TP_FOREVER};
        actor_start(&crowd, &cond.gate, &actors[i]);
    }
    for (int i = 0; i < 3; i++) {
        tp_cond_notify(&cond, 1);
        actor_await(&actors[i], 0);
        assert_int_equal(tp_load_sc(&n_done), i + 1);
        assert_int_equal(order[i], i);
    }
    struct actor late = {.act = wait_for_it, .thing = &mutex, .deadline_ns = tp_deadline_in_ns(1000)};
    crowd_add(&crowd, actor_run, &late);
    actor_await(&late, TP_ETIMEDOUT);
    assert_int_equal(line_length(&cond.gate), MANY - 3);
    tp_cond_notify(&cond, UINT64_MAX);
    crowd_join(&crowd);
    assert_int_equal(tp_load_sc(&n_done), MANY);
    tp_cond_end(&cond);
    tp_mutex_end(&mutex);
}

static int n_letters; /* guarded by mutex */

static void *take_letters(void *argument)
{
    (void)argument;
    for (int i = 0; i < EACH; i++) {
        must(tp_mutex_lock(&mutex, TP_FOREVER) == 0);
        while (n_letters == 0)
            tp_cond_wait(&cond, &mutex, i % 3 == 0 ? tp_deadline_in_ns(2000) : TP_FOREVER);
        n_letters--;
        tp_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *bring_letters(void *argument)
{
    (void)argument;
    for (int i = 0; i < EACH; i++) {
        must(tp_mutex_lock(&mutex, TP_FOREVER) == 0);
        n_letters++;
        if (i % 2 == 0)
            tp_cond_notify(&cond, 1);
        tp_mutex_unlock(&mutex);
        if (i % 2 != 0)
            tp_cond_notify(&cond, 1);
    }
    return NULL;
}

static void test_cond_load(void **state)
{
    struct crowd crowd = {.n = 0};
    (void)state;
    tp_mutex_init(&mutex);
    tp_cond_init(&cond);
    n_letters = 0;
    for (int i = 0; i < THREADS; i++)
        crowd_add(&crowd, i % 2 == 0 ? take_letters : bring_letters, NULL);
    crowd_join(&crowd);
    assert_int_equal(n_letters, 0);
    tp_cond_end(&cond);
    tp_mutex_end(&mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutex_alone),
        cmocka_unit_test(test_mutex_in_turn),
        cmocka_unit_test(test_mutex_is_handed_on),
        cmocka_unit_test(test_mutex_load),
        cmocka_unit_test(test_mutex_ended_by_the_last),
        cmocka_unit_test(test_rwlock_alone),
        cmocka_unit_test(test_rwlock_in_turn),
        cmocka_unit_test(test_rwlock_writer_gives_up),
        cmocka_unit_test(test_rwlock_load),
        cmocka_unit_test(test_semaphore_in_turn),
        cmocka_unit_test(test_semaphore_front_gives_up),
        cmocka_unit_test(test_semaphore_load),
        cmocka_unit_test(test_cond_in_turn),
        cmocka_unit_test(test_cond_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
