/* Fork and join by teams made by hand: outside of teams, alone, and with thieves. */
#include "fork_team.h"

static void count(void *argument)
{
    ++*(unsigned *)argument;
}

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
    uint64_t mine = fib(n - 2);
    if (n % 2 == 0 && tp_unfork(&branch))
        return mine + fib(n - 1);
    if (n % 2 != 0)
        tp_join(&branch);
    return mine + other.result;
}

/* -- without thieves ----------------------------------------------------------------------------------- */

static void test_outside(void **state)
{
    (void)state;
    struct tp_branch a, b;
    unsigned n_a = 0, n_b = 0;
    tp_fork(&a, count, &n_a);
    tp_fork(&b, count, &n_b);
    tp_forks_publish();
    assert_int_equal(n_a + n_b, 0);
    tp_join(&a);
    assert_int_equal(n_a, 1);
    assert_true(tp_unfork(&b));
    assert_int_equal(n_b, 0);
    assert_int_equal(fib(15), 610);
}

static void test_alone(void **state)
{
    (void)state;
    open_team(1);
    assert_int_equal(fib(15), 610);
    assert_int_equal(forks.deques[0].n_offered, 0);
    assert_ptr_equal(forks.deques[0].top, forks.deques[0].base);
    assert_int_equal(close_team(), 0);
}

/* The functions, as a host in another language calls them. */
static void test_functions(void **state)
{
    (void)state;
    open_team(1);
    struct tp_branch a, b;
    unsigned n = 0;
    (tp_fork)(&a, count, &n);
    (tp_fork)(&b, count, &n);
    (tp_join)(&b);
    assert_int_equal(n, 1);
    assert_true((tp_unfork)(&a));
    assert_int_equal(n, 1);
    close_team();
}

enum { MANY = 3000 };

/* More than there is room for, joined in either order, with some offered and some not. */
static void test_many_open(void **state)
{
    (void)state;
    static struct tp_branch branches[MANY];
    static unsigned n_run[MANY];
    open_team(1);
    for (int backwards = 0; backwards < 2; backwards++)
        for (int published = 0; published < 3; published++) {
            memset(n_run, 0, sizeof n_run);
            for (int i = 0; i < MANY; i++) {
                if (published > 0 && i % 700 == 0)
                    tp__deque_want(&forks.deques[0]);
                if (published > 1 && i == MANY / 2)
                    tp_forks_publish();
                tp_fork(&branches[i], count, &n_run[i]);
            }
            for (int i = 0; i < MANY; i++)
                tp_join(&branches[backwards ? MANY - 1 - i : i]);
            for (int i = 0; i < MANY; i++)
                assert_int_equal(n_run[i], 1);
            assert_int_equal(forks.deques[0].n_offered, 0);
            assert_ptr_equal(forks.deques[0].top, forks.deques[0].base);
        }
    close_team();
}

/* Every order of joins of four, by how many are offered. */
static void test_orders(void **state)
{
    (void)state;
    static const char *const orders[] = {"0123", "0132", "0213", "0231", "0312", "0321", "1023", "1032", "1203", "1230", "1302",
        "1320", "2013", "2031", "2103", "2130", "2301", "2310", "3012", "3021", "3102", "3120", "3201", "3210"};
    open_team(1);
    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++)
        for (int n_offered = 0; n_offered <= 4; n_offered++) {
            struct tp_branch branches[4];
            unsigned n_run[4] = {0};
            forks.deques[0].limit = forks.deques[0].end;
            for (int i = 0; i < 4; i++) {
                tp_fork(&branches[i], count, &n_run[i]);
                if (i + 1 == n_offered)
                    tp_forks_publish();
            }
            assert_int_equal(forks.deques[0].n_offered, n_offered);
            for (int i = 0; i < 4; i++) {
                int which = orders[k][i] - '0';
                if (i % 2 == 0)
                    tp_join(&branches[which]);
                else if (tp_unfork(&branches[which]))
                    n_run[which]++;
                assert_int_equal(n_run[which], 1);
            }
        }
    close_team();
}

/* Half of what is private is offered to who wants, the oldest first. */
static void test_half_is_offered(void **state)
{
    (void)state;
    struct tp_branch branches[10];
    unsigned n_run = 0;
    open_team(1);
    struct tp_deque *self = &forks.deques[0];
    tp_fork(&branches[0], count, &n_run); /* the first in any case */
    assert_int_equal(self->n_offered, 1);
    for (int i = 1; i < 9; i++)
        tp_fork(&branches[i], count, &n_run);
    assert_int_equal(self->n_offered, 1);
    tp__deque_want(self);
    tp_fork(&branches[9], count, &n_run);
    assert_int_equal(self->n_offered, 1 + 5);
    assert_ptr_equal(self->oldest, &branches[0]);
    assert_ptr_equal(self->newest, &branches[5]);
    assert_ptr_equal(self->limit, self->end);
    for (int i = 9; i >= 0; i--)
        tp_join(&branches[i]);
    assert_int_equal(n_run, 10);
    close_team();
}

/* Who joins takes parts of his branch only, not what its thief had offered before. */
static void test_leapfrog(void **state)
{
    (void)state;
    struct tp_branch branch, older, part;
    unsigned n_run = 0;
    open_team(1);
    tp_forks_leave();
    tp_forks_free(&forks);
    assert_int_equal(tp_forks_init(&forks, 2, NULL), 0);
    struct tp_deque *joiner = &forks.deques[0], *thief = &forks.deques[1];
    tp_forks_enter(&forks, 0);
    tp_fork(&branch, count, &n_run);
    tp_forks_enter(&forks, 1);
    tp_fork(&older, count, &n_run);
    assert_ptr_equal(tp__branch_take(joiner, thief, 0), &branch);
    assert_null(tp__branch_take(thief, joiner, branch.since));
    tp_fork(&part, count, &n_run);
    tp_forks_publish();
    assert_ptr_equal(tp__branch_take(thief, joiner, branch.since), &part);
    assert_null(tp__branch_take(thief, joiner, branch.since));
    tp_branch_run(&part);
    tp_join(&part);
    tp_join(&older);
    tp_branch_run(&branch);
    tp_forks_enter(&forks, 0);
    tp_join(&branch);
    assert_int_equal(n_run, 3);
    assert_int_equal(joiner->n_stolen, 1);
    assert_int_equal(thief->n_stolen, 1);
    tp_forks_leave();
    tp_forks_free(&forks);
}

/* -- with thieves -------------------------------------------------------------------------------------- */

static void test_taken(void **state)
{
    (void)state;
    struct tp_branch branch;
    struct piece piece;
    open_team(2);
    for (int i = 0; i < 100; i++) {
        piece_init(&piece, NULL);
        tp_fork(&branch, run_piece, &piece);
        tp_forks_publish(); /* unless the helper asked before */
        pass(&piece.begun);
        if (i % 2 == 0)
            tp_join(&branch);
        else
            assert_false(tp_unfork(&branch));
        assert_int_equal(piece.n_run, 1);
        assert_false(pthread_equal(piece.thread, pthread_self()));
    }
    assert_int_equal(close_team(), 100);
}

static void *open_gate_later(void *argument)
{
    struct piece *piece = argument;
    struct tp_deque *thief = &forks.deques[1];
    while (tp_load_acq(&thief->awaited.n_waiting) == 0) /* until the joiner has announced its sleep */
        sched_yield();
    sem_post(&piece->held);
    return NULL;
}

static void test_join_sleeps(void **state)
{
    (void)state;
    struct tp_branch branch;
    struct piece piece;
    pthread_t opener;
    open_team(2);
    piece_init(&piece, NULL);
    piece.is_held = true;
    tp_fork(&branch, run_piece, &piece);
    pass(&piece.begun);
    assert_int_equal(pthread_create(&opener, NULL, open_gate_later, &piece), 0);
    tp_join(&branch);
    assert_int_equal(piece.n_run, 1);
    pthread_join(opener, NULL);
    assert_int_equal(close_team(), 1);
}

/* A branch within a branch, for which the one who joins is needed. */
static struct piece inner;

static void fork_inner(struct piece *piece)
{
    (void)piece;
    struct tp_branch branch;
    tp_fork(&branch, run_piece, &inner);
    tp_forks_publish();
    pass(&inner.begun);
    tp_join(&branch);
}

static void test_joiner_helps(void **state)
{
    (void)state;
    struct tp_branch branch;
    struct piece piece;
    open_team(2);
    piece_init(&piece, fork_inner);
    piece_init(&inner, NULL);
    tp_fork(&branch, run_piece, &piece);
    pass(&piece.begun);
    tp_join(&branch);
    assert_int_equal(piece.n_run + inner.n_run, 2);
    assert_true(pthread_equal(inner.thread, pthread_self()));
    assert_int_equal(close_team(), 2);
}

static void test_storm(void **state)
{
    (void)state;
    open_team(8);
    for (int i = 0; i < 20; i++)
        assert_int_equal(fib(20), 6765);
    close_team();
}

/* The task goes on in another thread, as in a coroutine that migrates. */
static struct tp_branch handed[3];
static struct piece handed_pieces[3];

static void *go_on(void *argument)
{
    tp_forks_enter(&forks, 2);
    tp_join(&handed[1]);
    tp_join(&handed[0]);
    *(bool *)argument = tp_unfork(&handed[2]);
    tp_forks_leave();
    return NULL;
}

static void test_handed_over(void **state)
{
    (void)state;
    bool is_mine = false;
    pthread_t other;
    assert_int_equal(tp_forks_init(&forks, 3, NULL), 0);
    tp_forks_enter(&forks, 0);
    for (int i = 0; i < 3; i++) {
        piece_init(&handed_pieces[i], NULL);
        tp_fork(&handed[i], run_piece, &handed_pieces[i]);
    }
    tp_forks_publish();
    assert_int_equal(pthread_create(&other, NULL, go_on, &is_mine), 0);
    pthread_join(other, NULL);
    assert_int_equal(handed_pieces[0].n_run, 1);
    assert_int_equal(handed_pieces[1].n_run, 1);
    assert_int_equal(handed_pieces[2].n_run, 0);
    assert_true(is_mine);
    close_team();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outside),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_many_open),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_half_is_offered),
        cmocka_unit_test(test_leapfrog),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_join_sleeps),
        cmocka_unit_test(test_joiner_helps),
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_handed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
