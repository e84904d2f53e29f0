/* A branch as a part of its task, wherever it runs: whose it is, and panics on either side. */
#include "fork_team.h"

#include "coro/coro.h"
#include "runtime/fiber.h"
#include "runtime/run.h"

#include <stdio.h>

/* -- as a part of its task ------------------------------------------------------------------------------ */

static char pool_name[] = "forks";
static tp_atomic(uint32_t) stop;
static int n_reports;
static struct tp_panic_report last_report;
static char last_message[64];

static void on_panic(const struct tp_panic_report *panic, void *context)
{
    (void)context;
    n_reports++;
    last_report = *panic;
    snprintf(last_message, sizeof last_message, "%s", panic->message);
}

static void task_init(struct tp_run *run)
{
    memset(run, 0, sizeof *run);
    run->owner = run->pool = pool_name;
    run->worker = 0;
    run->id = 4711;
    run->stop = &stop;
    run->on_panic = on_panic;
    n_reports = 0;
    tp_store_sc(&stop, 0);
}

static bool attempt(struct tp_run *run, void (*task)(void))
{
    if (setjmp(run->point) != 0)
        return false;
    task();
    return true;
}

/* Runs `task` as a task; returns whether it panicked. */
static bool run_task(void (*task)(void))
{
    struct tp_run run;
    task_init(&run);
    tp_run_enter(&run);
    bool has_panicked = !attempt(&run, task);
    assert_null(run.branches);
    tp_run_leave(&run);
    return has_panicked;
}

static void note_identity(struct piece *piece)
{
    piece->check = tp_task_check();
    piece->id = tp_task_id();
    piece->worker = tp_run_self()->worker;
    piece->depth = tp_run_depth(pool_name);
}

static struct piece noted, noted_inner;

static void note_two(struct piece *piece)
{
    struct tp_branch branch;
    note_identity(piece);
    tp_fork(&branch, run_piece, &noted_inner);
    tp_forks_publish();
    pass(&noted_inner.begun);
    tp_join(&branch);
}

static int fork_noted(void *argument)
{
    struct tp_branch branch;
    (void)argument;
    tp_fork(&branch, run_piece, &noted);
    tp_forks_publish();
    pass(&noted.begun);
    tp_store_sc(&stop, 1);
    sem_post(&noted.held);
    tp_join(&branch);
    return 0;
}

static void identity_task(void)
{
    fork_noted(NULL);
}

static void protected_identity_task(void)
{
    assert_int_equal(tp_task_protect(fork_noted, NULL), 0);
}

/* A branch answers for the task that forked it, and so does a branch of that. */
static void test_identity(void **state)
{
    (void)state;
    open_team(3);
    for (int i = 0; i < 2; i++) {
        piece_init(&noted, note_two);
        piece_init(&noted_inner, note_identity);
        noted.is_held = true;
        assert_false(run_task(i == 0 ? identity_task : protected_identity_task));
        assert_int_equal(noted.check, TP_ECANCELED);
        assert_int_equal(noted_inner.check, TP_ECANCELED);
        assert_int_equal(noted.depth, 1);
        assert_int_equal(noted_inner.depth, noted_inner.worker == 0 ? 2 : 1); /* who joins may take it */
        assert_int_equal(noted.id, 4711);
        assert_int_equal(noted_inner.id, 4711);
        assert_true(noted.worker == 1 || noted.worker == 2);
        assert_true(noted_inner.worker != noted.worker);
    }
    close_team();
}

static void late_task(void)
{
    struct tp_branch branch;
    struct tp_run *run = tp_run_self();
    run->serial = 3;
    tp_fork(&branch, run_piece, &noted);
    tp_forks_publish();
    pass(&noted.begun);
    tp_store_sc(&run->overdue, 3);
    sem_post(&noted.held);
    tp_join(&branch);
}

static void shielded_task(void)
{
    struct tp_branch branch;
    tp_store_sc(&stop, 1);
    tp_shield_begin();
    tp_fork(&branch, run_piece, &noted);
    tp_forks_publish();
    tp_shield_end();
    sem_post(&noted.held);
    pass(&noted.begun);
    tp_join(&branch);
    assert_int_equal(tp_task_check(), TP_ECANCELED);
}

/* The task's time limit is its branches' too, and so is the shield in which they were offered. */
static void test_limit_and_shield(void **state)
{
    (void)state;
    open_team(2);
    for (int i = 0; i < 2; i++) {
        piece_init(&noted, note_identity);
        noted.is_held = true;
        assert_false(run_task(i == 0 ? late_task : shielded_task));
        assert_int_equal(noted.worker, 1);
        assert_int_equal(noted.check, i == 0 ? TP_ETIMEDOUT : 0);
    }
    close_team();
}

/* -- panics --------------------------------------------------------------------------------------------- */

static struct piece piece_a, piece_b;
static int n_defers;

static void count_defer(void *argument)
{
    (void)argument;
    n_defers++;
}

static void panic_with_defer(struct piece *piece)
{
    (void)piece;
    TP_DEFER(count_defer, NULL);
    tp_panic("in a branch: %d", 7);
}

static void join_panicking_taken(void)
{
    struct tp_branch branch;
    TP_DEFER(count_defer, NULL);
    tp_fork(&branch, run_piece, &piece_a);
    tp_forks_publish();
    pass(&piece_a.begun);
    tp_join(&branch);
    fail();
}

/* Reported once, where it happened; the joiner panics with its message. */
static void test_panic_taken(void **state)
{
    (void)state;
    open_team(2);
    piece_init(&piece_a, panic_with_defer);
    n_defers = 0;
    assert_true(run_task(join_panicking_taken));
    assert_int_equal(n_defers, 2);
    assert_int_equal(n_reports, 1);
    assert_string_equal(last_message, "in a branch: 7");
    assert_int_equal(last_report.worker, 1);
    assert_int_equal(last_report.id, 4711);
    assert_ptr_equal(last_report.pool, pool_name);
    close_team();
}

static int protected_join(void *argument)
{
    tp_join(argument);
    return 0;
}

static void protect_panicking_taken(void)
{
    struct tp_branch branch;
    tp_fork(&branch, run_piece, &piece_a);
    tp_forks_publish();
    pass(&piece_a.begun);
    assert_int_equal(tp_task_protect(protected_join, &branch), TP_EPANICKED);
}

static void test_panic_taken_protected(void **state)
{
    (void)state;
    open_team(2);
    piece_init(&piece_a, panic_with_defer);
    assert_false(run_task(protect_panicking_taken));
    assert_int_equal(n_reports, 1);
    close_team();
}

static void join_panicking(void)
{
    struct tp_branch a, b;
    tp_fork(&a, run_piece, &piece_a);
    tp_fork(&b, run_piece, &piece_b);
    tp_join(&b); /* panics here, with one more open */
    fail();
}

static void test_panic_at_join(void **state)
{
    (void)state;
    open_team(1);
    piece_init(&piece_a, NULL);
    piece_init(&piece_b, panic_with_defer);
    assert_true(run_task(join_panicking));
    assert_int_equal(n_reports, 1);
    assert_int_equal(piece_a.n_run, 0);
    assert_ptr_equal(forks.deques[0].top, forks.deques[0].base);
    assert_int_equal(forks.deques[0].n_offered, 0);
    close_team();
}

static struct tp_branch branch_a, branch_b;
static bool is_unforked;

static void join_both(void *argument)
{
    (void)argument;
    assert_int_equal(piece_a.n_run, 1);
    tp_join(&branch_a);
    is_unforked = tp_unfork(&branch_b);
    n_defers++;
}

static void panic_between(void)
{
    TP_DEFER(join_both, NULL);
    tp_fork(&branch_a, run_piece, &piece_a);
    tp_forks_publish();
    pass(&piece_a.begun);
    forks.deques[0].limit = forks.deques[0].end;
    tp_fork(&branch_b, run_piece, &piece_b);
    sem_post(&piece_a.held);
    tp_panic("between");
}

/* What was taken is waited for, before the defers; what was not never runs, even if a defer joins it. */
static void test_panic_between(void **state)
{
    (void)state;
    open_team(2);
    for (int i = 0; i < 50; i++) {
        piece_init(&piece_a, i % 2 == 0 ? NULL : panic_with_defer);
        piece_a.is_held = true;
        if (i % 2 != 0)
            piece_a.n_run = 1; /* for the defer */
        piece_init(&piece_b, NULL);
        n_defers = 0;
        is_unforked = true;
        assert_true(run_task(panic_between));
        assert_int_equal(n_defers, i % 2 == 0 ? 1 : 2);
        assert_int_equal(n_reports, i % 2 == 0 ? 1 : 2);
        assert_int_equal(piece_a.n_run, 1);
        assert_int_equal(piece_b.n_run, 0);
        assert_false(is_unforked);
        assert_int_equal(forks.deques[0].n_offered, 0);
    }
    close_team();
}

static void bad_defer(void *argument)
{
    struct tp_branch branch;
    (void)argument;
    tp_fork(&branch, run_piece, &piece_b);
    tp_panic("in a defer");
}

static void panic_twice(void)
{
    struct tp_branch branch;
    TP_DEFER(count_defer, NULL);
    TP_DEFER(bad_defer, NULL);
    tp_fork(&branch, run_piece, &piece_a);
    tp_panic("first");
}

static void test_panic_in_defer(void **state)
{
    (void)state;
    open_team(1);
    piece_init(&piece_a, NULL);
    piece_init(&piece_b, NULL);
    n_defers = 0;
    assert_true(run_task(panic_twice));
    assert_int_equal(n_defers, 1);
    assert_int_equal(n_reports, 2);
    assert_int_equal(piece_a.n_run + piece_b.n_run, 0);
    assert_ptr_equal(forks.deques[0].top, forks.deques[0].base);
    close_team();
}

static int panic_inside(void *argument)
{
    struct tp_branch branch;
    (void)argument;
    tp_fork(&branch, run_piece, &piece_b);
    tp_panic("inside");
    return 0;
}

static void panic_in_protection(void)
{
    struct tp_branch branch;
    forks.deques[0].limit = forks.deques[0].end;
    tp_fork(&branch, run_piece, &piece_a);
    assert_int_equal(tp_task_protect(panic_inside, NULL), TP_EPANICKED);
    assert_int_equal(piece_a.n_run, 0);
    tp_join(&branch);
}

/* A panic that ends in a protection leaves alone what was forked around it. */
static void test_panic_in_protection(void **state)
{
    (void)state;
    open_team(1);
    piece_init(&piece_a, NULL);
    piece_init(&piece_b, NULL);
    assert_false(run_task(panic_in_protection));
    assert_int_equal(piece_a.n_run, 1);
    assert_int_equal(piece_b.n_run, 0);
    close_team();
}

static void *publish(void *nothing)
{
    tp_forks_publish();
    return nothing;
}

/* Forks, and has a coroutine offer that; then panics while a thief is at it. */
static void offered_within(void)
{
    struct tp_branch branch;
    struct tp_co *co;
    tp_fork(&branch, run_piece, &piece_a);
    assert_int_equal(tp_co_new(&co, publish, NULL, NULL), 0);
    assert_int_equal(tp_co_resume(co, NULL, NULL), 0);
    assert_int_equal(tp_co_free(co), 0);
    assert_ptr_equal(branch.parent, tp_run_self());
    pass(&piece_a.begun);
    sem_post(&piece_a.held);
    tp_panic("between");
}

/* What a coroutine in a task offers is the task's. */
static void test_offered_within(void **state)
{
    (void)state;
    open_team(2);
    piece_init(&piece_a, NULL);
    piece_a.is_held = true;
    assert_true(run_task(offered_within));
    assert_int_equal(piece_a.n_run, 1);
    close_team();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_limit_and_shield),
        cmocka_unit_test(test_panic_taken),
        cmocka_unit_test(test_panic_taken_protected),
        cmocka_unit_test(test_panic_at_join),
        cmocka_unit_test(test_panic_between),
        cmocka_unit_test(test_panic_in_defer),
        cmocka_unit_test(test_panic_in_protection),
        cmocka_unit_test(test_offered_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
