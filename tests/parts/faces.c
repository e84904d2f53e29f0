/* Multi-pools over real pools, all of it generated (tests/parts/faces.pool): what tests/runtime/test_multi.c asks of
 * the choice, and tests/parts/multi.c of the template, holds together. Workers stand at gates, so who is full is known. */
#include "tests/support/unit.h"

#include "front_pool.h"
#include "levels_pool.h"
#include "turns_pool.h"

#include <sched.h>
#include <string.h>

enum {
    MEMBERS = 3, /* of front: quick, quick, patient */
    PATIENT = 2,
    ROOM = 4, /* of each member */
    ALL_ROOM = MEMBERS * ROOM,
    CROWD = 3,
    TASKS = 3000 /* of each of the crowd, at most */
};

static struct front_pool *front;
static struct work works[CROWD * TASKS];
static tp_atomic(int) n_panics, n_wrong; /* n_wrong: what other threads than the first found, which must not assert */

int work_run(struct work *work)
{
    tp_add_sc(&work->ran, 1);
    return work->run ? work->run(work) : work->code;
}

static void assert_each_ran_once(int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(tp_load_sc(&works[i].ran), 1);
}

/* -- gates ------------------------------------------------------------------------------------------- */

static pthread_mutex_t gates_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gates_changed = PTHREAD_COND_INITIALIZER;
static bool gates_open[MEMBERS];
static int n_at_gates, n_passed;
static int gate_of[MEMBERS]; /* at which gate the worker of each member stands */

/* The task's code is the number of the gate. */
static int pass_gate(struct work *work)
{
    pthread_mutex_lock(&gates_lock);
    n_at_gates++;
    pthread_cond_broadcast(&gates_changed);
    while (!gates_open[work->code])
        pthread_cond_wait(&gates_changed, &gates_lock);
    n_passed++;
    pthread_cond_broadcast(&gates_changed);
    pthread_mutex_unlock(&gates_lock);
    return 0;
}

static void await_gates(int n)
{
    pthread_mutex_lock(&gates_lock);
    while (n_at_gates < n)
        pthread_cond_wait(&gates_changed, &gates_lock);
    pthread_mutex_unlock(&gates_lock);
}

static void open_gate(int gate)
{
    pthread_mutex_lock(&gates_lock);
    gates_open[gate] = true;
    pthread_cond_broadcast(&gates_changed);
    pthread_mutex_unlock(&gates_lock);
}

static void open_gates(void)
{
    for (int i = 0; i < MEMBERS; i++)
        open_gate(i);
}

/* -- a face for each test ----------------------------------------------------------------------------- */

static void count_panic(const struct tp_panic_report *panic, void *context)
{
    (void)panic;
    tp_add_sc((tp_atomic(int) *)context, 1);
}

static const struct tp_pool_settings settings = {.workers_max = 2, .on_panic = count_panic, .context = &n_panics};

static void forget_works(void)
{
    memset(works, 0, sizeof works);
    memset(gates_open, 0, sizeof gates_open);
    n_at_gates = n_passed = 0;
}

static int open_front(void **state)
{
    (void)state;
    forget_works();
    return front_pool_open(&front, &settings);
}

static int free_front(void **state)
{
    (void)state;
    open_gates();
    front_pool_free(front);
    return tp_load_sc(&n_wrong);
}

static struct tp_pool_counts counts_of(int member)
{
    struct tp_pool_counts counts;
    front_pool_member_counts(front, (size_t)member, &counts);
    return counts;
}

/* Puts a task to a gate in each member. Returns whose turn is the next. */
static int occupy_all(int (*run)(struct work *))
{
    int first = -1;
    for (int i = 0; i < MEMBERS; i++) {
        works[i].run = run;
        works[i].code = i;
        for (int k = 0; k < MEMBERS; k++)
            if (counts_of(k).running == 0) /* one of these takes it; the others are overwritten */
                gate_of[k] = i;
        assert_int_equal(front_submit(front, &works[i]), 0);
        await_gates(i + 1);
        for (int k = 0; i == 0 && k < MEMBERS; k++)
            first = counts_of(k).running == 1 ? k : first;
    }
    return first;
}

/* Fills each with tasks behind the one at the gate. Returns whose turn is the next. */
static int fill_all(int (*run)(struct work *))
{
    int turn = occupy_all(run);
    for (int i = MEMBERS; i < ALL_ROOM; i++)
        assert_int_equal(front_submit(front, &works[i]), 0);
    for (int k = 0; k < MEMBERS; k++)
        assert_int_equal(counts_of(k).free, 0);
    return turn;
}

static void run_all(void)
{
    open_gates();
    assert_int_equal(front_join_all(front, TP_FOREVER), 0);
}

/* -- when members are full ---------------------------------------------------------------------------- */

static void test_a_full_one_is_passed_over(void **state)
{
    (void)state;
    for (int open = 0; open < MEMBERS; open++) {
        fill_all(pass_gate);
        open_gate(gate_of[open]);
        while (counts_of(open).free < ROOM)
            sched_yield();
        for (int i = 0; i < ROOM; i++) { /* whoever has the turn */
            struct work *late = &works[ALL_ROOM + i];
            assert_int_equal(front_submit(front, late), 0);
            while (tp_load_sc(&late->ran) == 0)
                sched_yield();
        }
        run_all();
        assert_each_ran_once(ALL_ROOM + ROOM);
        forget_works();
    }
}

static void *open_when_one_waits(void *argument)
{
    (void)argument;
    while (counts_of(PATIENT).waiting == 0)
        sched_yield();
    open_gates();
    return NULL;
}

static void test_all_are_full(void **state)
{
    (void)state;
    struct tp_multi_id id = {77, 77};
    struct crowd crowd = {.n = 0};
    int turn = fill_all(pass_gate);
    for (; turn % MEMBERS != PATIENT; turn++)
        assert_int_equal(turn % 2 ? front_submit(front, &works[ALL_ROOM]) : front_spawn(front, &works[ALL_ROOM], &id), TP_EFULL);
    assert_true(id.member == 77 && id.id == 77);
    crowd_add(&crowd, open_when_one_waits, NULL);
    assert_int_equal(front_submit(front, &works[ALL_ROOM]), 0);
    crowd_join(&crowd);
    run_all();
    assert_each_ran_once(ALL_ROOM + 1);
}

static void test_a_batch_goes_where_there_is_room(void **state)
{
    (void)state;
    struct work *batch[ALL_ROOM];
    size_t n_accepted = 77;
    for (int i = 0; i < ALL_ROOM; i++)
        batch[i] = &works[MEMBERS + i];
    occupy_all(pass_gate);
    assert_int_equal(front_submit_batch(front, batch, 2, &n_accepted), 0); /* one of them has two tasks less room */
    assert_int_equal(front_submit_batch(front, batch + 2, ALL_ROOM - MEMBERS - 2, &n_accepted), 0);
    assert_int_equal(n_accepted, ALL_ROOM - MEMBERS - 2);
    for (int k = 0; k < MEMBERS; k++)
        assert_int_equal(counts_of(k).free, 0);
    run_all();
    assert_each_ran_once(ALL_ROOM);
}

/* -- a task of a member ------------------------------------------------------------------------------- */

static int submit_within(struct work *work)
{
    struct work *child = work->context;
    pass_gate(work);
    bool is_told = front_join_all(front, TP_FOREVER) == TP_EDEADLK && front_pool_close(front, TP_FOREVER) == TP_EDEADLK &&
                   front_pool_cancel(front, TP_FOREVER) == TP_EDEADLK;
    tp_add_sc(&n_wrong, is_told ? 0 : 1);
    work->code = front_submit(front, child); /* the gate is behind it */
    return 0;
}

static void test_a_task_of_a_member_does_not_wait(void **state)
{
    (void)state;
    for (int member = 0; member < MEMBERS; member++) {
        struct work *children = &works[ALL_ROOM];
        for (int i = 0; i < MEMBERS; i++)
            works[i].context = &children[i];
        fill_all(submit_within);
        struct work *child = &children[gate_of[member]];
        open_gate(gate_of[member]);
        while (counts_of(member).running + counts_of(member).pending > 0)
            sched_yield();
        /* All were full: a pool that refuses did so, one that waits ran the child within its own task. */
        assert_int_equal(works[gate_of[member]].code, member == PATIENT ? 0 : TP_EFULL);
        assert_int_equal(tp_load_sc(&child->ran), member == PATIENT);
        run_all();
        assert_each_ran_once(ALL_ROOM);
        forget_works();
    }
}

/* -- exactly once ------------------------------------------------------------------------------------- */

/* Full and refused: tries again, as there is room soon. */
static void submit_patiently(struct work *work)
{
    int status;
    while ((status = front_submit(front, work)) == TP_EFULL)
        sched_yield();
    tp_add_sc(&n_wrong, status != 0);
}

/* Submits the next task; what is refused within a task is done by it. */
static int hop(struct work *work)
{
    int status = front_submit(front, work + 1);
    if (status == TP_EFULL)
        work_run(work + 1);
    return status == TP_EFULL ? 0 : status;
}

static void spawn_patiently(struct work *work)
{
    struct tp_multi_id id;
    struct tp_task_result result = {.code = 77};
    int status;
    while ((status = front_spawn(front, work, &id)) == TP_EFULL)
        sched_yield();
    if (status == 0)
        status = front_join(front, id, TP_FOREVER, &result);
    tp_add_sc(&n_wrong, status != 0 || result.code != work->code || result.state != TP_TASK_RETURNED);
}

/* Hands over its part of the tasks in rounds: two single ones, one of which hands over a third; one with a handle; five
 * in a batch. */
static void *submit_many(void *argument)
{
    struct work *work = argument, *batch[5];
    for (struct work *end = work + TASKS / 9 * 9; work < end; work += 9) {
        work[1].run = hop;
        submit_patiently(&work[0]);
        submit_patiently(&work[1]);
        work[3].code = 5;
        spawn_patiently(&work[3]);
        for (int i = 0; i < 5; i++)
            batch[i] = &work[4 + i];
        size_t n = 0;
        for (size_t done = 0; done < 5; done += n) {
            int status = front_submit_batch(front, batch + done, 5 - done, &n);
            tp_add_sc(&n_wrong, status != 0 && status != TP_EFULL);
        }
    }
    return NULL;
}

static void test_exactly_once(void **state)
{
    (void)state;
    struct crowd crowd = {.n = 0};
    struct tp_pool_stats stats;
    for (int i = 0; i < CROWD; i++)
        crowd_add(&crowd, submit_many, &works[i * (TASKS / 9 * 9)]);
    crowd_join(&crowd);
    assert_int_equal(front_join_all(front, TP_FOREVER), 0);
    assert_each_ran_once(CROWD * (TASKS / 9 * 9));
    front_pool_stats(front, &stats);
    assert_int_equal(stats.submitted, stats.completed);
    assert_true(stats.completed <= CROWD * (TASKS / 9 * 9)); /* some may have run within another */
    assert_int_equal(stats.now.pending + stats.now.running + stats.now.waiting, 0);
    assert_int_equal(stats.now.free, ALL_ROOM);
}

/* -- numbers ------------------------------------------------------------------------------------------ */

static int panic(struct work *work)
{
    tp_panic("task %d", work->code);
}

static void test_numbers(void **state)
{
    (void)state;
    struct tp_pool_counts counts;
    struct tp_pool_stats stats;
    fill_all(pass_gate);
    front_pool_counts(front, &counts);
    assert_true(counts.capacity == ALL_ROOM && counts.running == MEMBERS && counts.pending == ALL_ROOM - MEMBERS && counts.free == 0);
    works[MEMBERS].code = -1;
    works[MEMBERS + 1].run = panic;
    works[ALL_ROOM - 1].run = panic;
    run_all();
    front_pool_stats(front, &stats);
    assert_true(stats.submitted == ALL_ROOM && stats.completed == ALL_ROOM);
    assert_true(stats.failed == 3 && stats.panicked == 2);
    assert_int_equal(tp_swap_sc(&n_panics, 0), 2);
    assert_true(stats.workers == MEMBERS && stats.now.capacity == ALL_ROOM && stats.now.free == ALL_ROOM);
    assert_int_equal(stats.most_running, MEMBERS);
}

/* -- handles ------------------------------------------------------------------------------------------ */

static void test_handles(void **state)
{
    (void)state;
    struct tp_multi_id id, cancelled, detached;
    struct tp_task_result result;
    struct work *work = &works[MEMBERS];
    occupy_all(pass_gate);
    work[0].code = 17;
    work[1].code = -17;
    assert_int_equal(front_spawn(front, &work[0], &id), 0);
    assert_int_equal(front_spawn(front, &work[1], &cancelled), 0);
    assert_int_equal(front_spawn(front, &work[2], &detached), 0);
    assert_int_equal(front_wait(front, id, 0, &result), TP_ETIMEDOUT);
    assert_int_equal(front_cancel_task(front, cancelled), 0);
    assert_int_equal(front_join(front, cancelled, TP_FOREVER, &result), 0);
    assert_int_equal(result.state, TP_TASK_CANCELLED);
    assert_int_equal(front_join(front, cancelled, TP_FOREVER, &result), TP_ESTALE);
    assert_int_equal(front_detach(front, detached), 0);
    assert_int_equal(front_detach(front, detached), TP_ESTALE);
    open_gates();
    assert_int_equal(front_wait(front, id, TP_FOREVER, &result), 0);
    assert_true(result.state == TP_TASK_RETURNED && result.code == 17);
    assert_int_equal(front_join(front, id, TP_FOREVER, NULL), 0); /* waiting left the handle */
    assert_int_equal(front_wait(front, id, TP_FOREVER, NULL), TP_ESTALE);
    id.member = MEMBERS;
    assert_int_equal(front_wait(front, id, TP_FOREVER, NULL), TP_ESTALE);
    run_all();
    assert_int_equal(tp_load_sc(&work[1].ran), 0);
    assert_int_equal(tp_load_sc(&work[2].ran), 1);
}

/* -- all together ------------------------------------------------------------------------------------- */

static void test_tune(void **state)
{
    (void)state;
    struct tp_pool_counts counts;
    struct tp_pool_stats stats;
    assert_int_equal(front_pool_tune(front, ROOM), TP_EUNCHANGED);
    fill_all(pass_gate);
    assert_int_equal(front_pool_tune(front, ROOM + 1), 0);
    for (int i = 0; i < MEMBERS; i++)
        assert_int_equal(front_submit(front, &works[ALL_ROOM + i]), 0);
    front_pool_counts(front, &counts);
    assert_true(counts.capacity == ALL_ROOM + MEMBERS && counts.free == 0);
    assert_int_equal(front_pool_tune_workers(front, 2), 0); /* the second worker of each does the rest */
    assert_int_equal(front_pool_tune_workers(front, 2), TP_EUNCHANGED);
    assert_int_equal(front_pool_tune_workers(front, 3), TP_EINVAL);
    for (int i = MEMBERS; i < ALL_ROOM + MEMBERS; i++)
        while (tp_load_sc(&works[i].ran) == 0)
            sched_yield();
    front_pool_stats(front, &stats);
    assert_int_equal(stats.workers, 2 * MEMBERS);
    run_all();
}

static void test_close_and_reopen(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        fill_all(pass_gate);
        assert_int_equal(front_pool_close(front, 0), TP_ETIMEDOUT);
        assert_int_equal(front_submit(front, &works[ALL_ROOM]), TP_ECLOSED);
        assert_int_equal(front_pool_reopen(front), TP_EINVAL);
        open_gates();
        assert_int_equal(front_pool_close(front, TP_FOREVER), 0);
        assert_each_ran_once(ALL_ROOM);
        assert_int_equal(front_pool_reopen(front), 0);
        forget_works();
    }
}

static void test_cancel(void **state)
{
    (void)state;
    fill_all(pass_gate);
    assert_int_equal(front_pool_cancel(front, 0), TP_ETIMEDOUT);
    open_gates();
    assert_int_equal(front_pool_cancel(front, TP_FOREVER), 0);
    for (int i = 0; i < ALL_ROOM; i++)
        assert_int_equal(tp_load_sc(&works[i].ran), i < MEMBERS);
    assert_int_equal(front_pool_reopen(front), 0);
    assert_int_equal(front_submit(front, &works[ALL_ROOM]), 0);
    assert_int_equal(front_join_all(front, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&works[ALL_ROOM].ran), 1);
}

/* The memory is given back all the same, which the address sanitizer checks. */
static void test_abandon(void **state)
{
    (void)state;
    fill_all(pass_gate);
    front_pool_abandon(front);
    front = NULL;
    open_gates();
    pthread_mutex_lock(&gates_lock);
    while (n_passed < MEMBERS)
        pthread_cond_wait(&gates_changed, &gates_lock);
    pthread_mutex_unlock(&gates_lock);
}

/* -- other faces -------------------------------------------------------------------------------------- */

static void test_turns(void **state)
{
    (void)state;
    struct turns_pool *turns;
    struct tp_pool_counts counts;
    forget_works();
    assert_int_equal(turns_pool_open(&turns, NULL), 0);
    for (int i = 0; i < 2 * ROOM; i++) {
        works[i].run = pass_gate;
        assert_int_equal(turns_submit(turns, &works[i]), 0);
    }
    for (size_t k = 0; k < 2; k++) {
        turns_pool_member_counts(turns, k, &counts);
        assert_true(counts.capacity == ROOM && counts.free == 0);
    }
    open_gate(0);
    turns_pool_free(turns);
    assert_each_ran_once(2 * ROOM);
}

static int note_order(struct work *work)
{
    static tp_atomic(int) n_noted;
    work->code = tp_add_sc(&n_noted, 1);
    return 0;
}

/* Two pools with levels: within each, the higher one is first. */
static void test_levels(void **state)
{
    (void)state;
    struct levels_pool *levels;
    struct tp_multi_id ids[2];
    struct work *low = &works[2], *high = &works[4];
    forget_works();
    assert_int_equal(levels_pool_open(&levels, NULL), 0);
    for (int i = 0; i < 2; i++) {
        works[i].run = pass_gate;
        assert_int_equal(levels_submit(levels, &works[i]), 0);
    }
    await_gates(2);
    for (int i = 0; i < 2; i++) {
        low[i].run = high[i].run = note_order;
        assert_int_equal(levels_submit_class(levels, PATIENT_CLASS_LOW, &low[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(levels_spawn_class(levels, PATIENT_CLASS_HIGH, &high[i], &ids[i]), 0);
    assert_int_equal(levels_submit_class(levels, 3, &high[0]), TP_EINVAL);
    assert_int_equal(levels_spawn_class(levels, 3, &high[0], &ids[0]), TP_EINVAL);
    assert_int_equal(ids[0].member + ids[1].member, 1); /* one in each */
    open_gate(0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(levels_join(levels, ids[i], TP_FOREVER, NULL), 0);
    levels_pool_free(levels);
    assert_each_ran_once(6);
    assert_true(low[0].code + low[1].code > high[0].code + high[1].code);
}

int main(void)
{
#define ON_FRONT(test) cmocka_unit_test_setup_teardown(test, open_front, free_front)
    const struct CMUnitTest tests[] = {
        ON_FRONT(test_a_full_one_is_passed_over),
        ON_FRONT(test_all_are_full),
        ON_FRONT(test_a_batch_goes_where_there_is_room),
        ON_FRONT(test_a_task_of_a_member_does_not_wait),
        ON_FRONT(test_exactly_once),
        ON_FRONT(test_numbers),
        ON_FRONT(test_handles),
        ON_FRONT(test_tune),
        ON_FRONT(test_close_and_reopen),
        ON_FRONT(test_cancel),
        ON_FRONT(test_abandon),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
