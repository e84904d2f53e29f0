/* Lives: every transition from every state, many threads at once, and fork(). */
#include "tests/support/unit.h"

#include "runtime/life.h"

#include <sys/wait.h>
#include <unistd.h>

enum { STATES = 6,
    THREADS = 4,
    ROUNDS = 2000,
    FORKS = 100 };

static struct tp_life life;

static uint64_t word_of(uint64_t generation, enum tp_life_state state)
{
    return generation << 8 | state;
}

static int set_up(void **state)
{
    (void)state;
    return tp_life_init(&life);
}

static int tear_down(void **state)
{
    (void)state;
    tp_life_free(&life);
    return 0;
}

/* -- one thread --------------------------------------------------------------------------------- */

static void test_begins_in_opening(void **state)
{
    (void)state;
    assert_int_equal(tp_life_look(&life), word_of(1, TP_LIFE_OPENING));
    assert_false(tp_life_is_open(tp_life_look(&life)));
}

static void test_the_whole_way_twice(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 2; i++) {
        uint32_t generation = 0;
        assert_int_equal(tp_life_open(&life), 0);
        assert_int_equal(tp_life_look(&life), word_of(i, TP_LIFE_OPEN));
        assert_int_equal(tp_life_close(&life, false, &generation), TP_LIFE_FIRST);
        assert_int_equal(generation, i);
        assert_int_equal(tp_life_look(&life), word_of(i, TP_LIFE_CLOSING));
        assert_int_equal(tp_life_drain(&life), 0);
        assert_true(tp_life_is_draining(tp_life_look(&life)));
        assert_false(tp_life_is_over(tp_life_look(&life), generation));
        assert_int_equal(tp_life_end(&life, generation), 0);
        assert_int_equal(tp_life_look(&life), word_of(i, TP_LIFE_CLOSED));
        assert_true(tp_life_is_over(tp_life_look(&life), generation));
        assert_int_equal(tp_life_reopen(&life), 0);
        assert_int_equal(tp_life_look(&life), word_of(i + 1, TP_LIFE_OPENING));
        assert_true(tp_life_is_over(tp_life_look(&life), generation));
    }
}

/* What each transition does from each state of generation 7: its result and the word after it. */
struct step {
    const char *name;
    int (*take)(void);
    struct {
        int result;
        uint64_t word;
    } from[STATES];
};

enum { G = 7 };
static uint32_t told;

static int take_open(void)
{
    return tp_life_open(&life);
}
static int take_close(void)
{
    return (int)tp_life_close(&life, false, &told);
}
static int take_cancel(void)
{
    return (int)tp_life_close(&life, true, &told);
}
static int take_drain(void)
{
    return tp_life_drain(&life);
}
static int take_end(void)
{
    return tp_life_end(&life, G);
}
static int take_late_end(void)
{
    return tp_life_end(&life, G - 1);
}
static int take_early_end(void)
{
    return tp_life_end(&life, G + 1);
}
static int take_reopen(void)
{
    return tp_life_reopen(&life);
}

#define WORD(state) ((uint64_t)G << 8 | TP_LIFE_##state)
#define CANCELLED(state) (WORD(state) | 128)
#define NEXT_OPENING ((uint64_t)(G + 1) << 8 | TP_LIFE_OPENING)

/* The columns: OPENING, OPEN, CLOSING, DRAINING, CLOSED, FORKED. */
static const struct step steps[] = {
    {"open", take_open,
        {{0, WORD(OPEN)}, {TP_EINVAL, WORD(OPEN)}, {TP_EINVAL, WORD(CLOSING)}, {TP_EINVAL, WORD(DRAINING)},
            {TP_EINVAL, WORD(CLOSED)}, {TP_EFORKED, WORD(FORKED)}}},
    {"close", take_close,
        {{TP_LIFE_OVER, WORD(OPENING)}, {TP_LIFE_FIRST, WORD(CLOSING)}, {TP_LIFE_LATER, WORD(CLOSING)},
            {TP_LIFE_LATER, WORD(DRAINING)}, {TP_LIFE_OVER, WORD(CLOSED)}, {TP_LIFE_DEAD, WORD(FORKED)}}},
    {"cancel", take_cancel,
        {{TP_LIFE_OVER, WORD(OPENING)}, {TP_LIFE_FIRST, CANCELLED(CLOSING)}, {TP_LIFE_UPGRADED, CANCELLED(CLOSING)},
            {TP_LIFE_UPGRADED, CANCELLED(DRAINING)}, {TP_LIFE_OVER, WORD(CLOSED)}, {TP_LIFE_DEAD, WORD(FORKED)}}},
    {"drain", take_drain,
        {{0, WORD(DRAINING)}, {TP_EINVAL, WORD(OPEN)}, {0, WORD(DRAINING)}, {TP_EINVAL, WORD(DRAINING)},
            {TP_EINVAL, WORD(CLOSED)}, {TP_EFORKED, WORD(FORKED)}}},
    {"end", take_end,
        {{0, WORD(CLOSED)}, {TP_EINVAL, WORD(OPEN)}, {TP_EINVAL, WORD(CLOSING)}, {0, WORD(CLOSED)},
            {0, WORD(CLOSED)}, {TP_EFORKED, WORD(FORKED)}}},
    {"late end", take_late_end,
        {{0, WORD(OPENING)}, {0, WORD(OPEN)}, {0, WORD(CLOSING)}, {0, WORD(DRAINING)},
            {0, WORD(CLOSED)}, {TP_EFORKED, WORD(FORKED)}}},
    {"early end", take_early_end,
        {{TP_EINVAL, WORD(OPENING)}, {TP_EINVAL, WORD(OPEN)}, {TP_EINVAL, WORD(CLOSING)}, {TP_EINVAL, WORD(DRAINING)},
            {TP_EINVAL, WORD(CLOSED)}, {TP_EFORKED, WORD(FORKED)}}},
    {"reopen", take_reopen,
        {{TP_EINVAL, WORD(OPENING)}, {TP_EINVAL, WORD(OPEN)}, {TP_EINVAL, WORD(CLOSING)}, {TP_EINVAL, WORD(DRAINING)},
            {0, NEXT_OPENING}, {TP_EFORKED, WORD(FORKED)}}},
};

static void test_every_step_from_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (unsigned from = 0; from < STATES; from++) {
            tp_store_rlx(&life.word, word_of(G, (enum tp_life_state)from));
            int result = steps[i].take();
            uint64_t word = tp_life_look(&life);
            if (result != steps[i].from[from].result || word != steps[i].from[from].word)
                fail_msg("%s from state %u: %d, word %#llx", steps[i].name, from, result, (unsigned long long)word);
        }
}

static void test_a_cancelled_end_stays_so(void **state)
{
    (void)state;
    uint32_t generation;
    assert_int_equal(tp_life_open(&life), 0);
    assert_int_equal(tp_life_close(&life, false, NULL), TP_LIFE_FIRST);
    assert_false(tp_life_is_cancelled(tp_life_look(&life)));
    assert_int_equal(tp_life_close(&life, true, &generation), TP_LIFE_UPGRADED);
    assert_int_equal(generation, 1);
    assert_int_equal(tp_life_close(&life, true, NULL), TP_LIFE_LATER);
    assert_int_equal(tp_life_close(&life, false, NULL), TP_LIFE_LATER);
    assert_int_equal(tp_life_drain(&life), 0);
    assert_true(tp_life_is_cancelled(tp_life_look(&life)));
    assert_int_equal(tp_life_end(&life, 1), 0);
    assert_true(tp_life_is_cancelled(tp_life_look(&life)));
    assert_int_equal(tp_life_reopen(&life), 0);
    assert_false(tp_life_is_cancelled(tp_life_look(&life)));
}

static void test_an_opening_that_failed_can_be_tried_again(void **state)
{
    (void)state;
    uint32_t generation = 99;
    assert_int_equal(tp_life_close(&life, false, &generation), TP_LIFE_OVER);
    assert_int_equal(generation, 0);
    assert_true(tp_life_is_over(tp_life_look(&life), generation));
    assert_int_equal(tp_life_end(&life, 1), 0); /* no worker was there */
    assert_int_equal(tp_life_reopen(&life), 0);
    assert_int_equal(tp_life_drain(&life), 0); /* some were */
    assert_int_equal(tp_life_end(&life, 2), 0);
    assert_int_equal(tp_life_look(&life), word_of(2, TP_LIFE_CLOSED));
}

static void test_a_late_submitter_sees_another_word(void **state)
{
    (void)state;
    tp_life_open(&life);
    uint64_t word = tp_life_look(&life);
    assert_true(tp_life_same(&life, word));
    tp_life_close(&life, false, NULL);
    assert_false(tp_life_same(&life, word));
    tp_life_drain(&life);
    tp_life_end(&life, 1);
    tp_life_reopen(&life);
    tp_life_open(&life);
    assert_true(tp_life_is_open(tp_life_look(&life)));
    assert_false(tp_life_same(&life, word)); /* open as well, but another generation */
}

static void test_generations_wrap(void **state)
{
    (void)state;
    tp_store_rlx(&life.word, word_of(UINT32_MAX, TP_LIFE_DRAINING));
    assert_false(tp_life_is_over(tp_life_look(&life), UINT32_MAX));
    assert_true(tp_life_is_over(tp_life_look(&life), UINT32_MAX - 1));
    assert_int_equal(tp_life_end(&life, UINT32_MAX), 0);
    assert_int_equal(tp_life_reopen(&life), 0);
    assert_int_equal(tp_life_generation(tp_life_look(&life)), 0);
    assert_true(tp_life_is_over(tp_life_look(&life), UINT32_MAX));
    assert_int_equal(tp_life_end(&life, UINT32_MAX), 0); /* late */
    assert_int_equal(tp_life_state(tp_life_look(&life)), TP_LIFE_OPENING);
    uint32_t generation;
    assert_int_equal(tp_life_close(&life, false, &generation), TP_LIFE_OVER);
    assert_int_equal(generation, UINT32_MAX);
}

static void test_refusals(void **state)
{
    (void)state;
    assert_int_equal(tp_life_refusal(word_of(1, TP_LIFE_CLOSING)), TP_ECLOSED);
    assert_int_equal(tp_life_refusal(word_of(1, TP_LIFE_CLOSED)), TP_ECLOSED);
    assert_int_equal(tp_life_refusal(word_of(1, TP_LIFE_OPENING)), TP_ECLOSED);
    assert_int_equal(tp_life_refusal(word_of(1, TP_LIFE_OPEN)), TP_ECLOSED); /* of another generation */
    assert_int_equal(tp_life_refusal(word_of(1, TP_LIFE_FORKED)), TP_EFORKED);
}

/* -- many threads ------------------------------------------------------------------------------- */

static tp_atomic(uint32_t) n_first, n_upgraded, n_reopened, n_wrong;

/* Closes, ends and reopens whenever it can. */
static void *restless(void *argument)
{
    bool cancel = argument != NULL;
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t generation;
        enum tp_life_outcome outcome = tp_life_close(&life, cancel, &generation);
        if (outcome == TP_LIFE_UPGRADED)
            tp_add_sc(&n_upgraded, 1);
        if (outcome == TP_LIFE_FIRST) {
            tp_add_sc(&n_first, 1);
            if (tp_life_drain(&life) != 0 || tp_life_end(&life, generation) != 0)
                tp_add_sc(&n_wrong, 1);
        } else {
            int status = tp_life_end(&life, generation); /* as one that has waited, or too early */
            bool over = tp_life_is_over(tp_life_look(&life), generation);
            if (status == 0 ? !over : status != TP_EINVAL)
                tp_add_sc(&n_wrong, 1);
        }
        if (tp_life_reopen(&life) == 0) {
            tp_add_sc(&n_reopened, 1);
            if (tp_life_open(&life) != 0)
                tp_add_sc(&n_wrong, 1);
        }
    }
    return NULL;
}

static void test_each_end_has_one_first_closer(void **state)
{
    (void)state;
    struct crowd crowd = {.n = 0};
    tp_store_rlx(&n_first, 0);
    tp_store_rlx(&n_upgraded, 0);
    tp_store_rlx(&n_reopened, 0);
    tp_store_rlx(&n_wrong, 0);
    tp_life_open(&life);
    for (int i = 0; i < THREADS; i++)
        crowd_add(&crowd, restless, i % 2 ? &life : NULL);
    crowd_join(&crowd);
    uint64_t word = tp_life_look(&life);
    assert_int_equal(tp_load_rlx(&n_wrong), 0);
    assert_int_equal(tp_life_generation(word), tp_load_rlx(&n_reopened) + 1);
    assert_int_equal(tp_load_rlx(&n_first) + tp_life_is_open(word), tp_load_rlx(&n_reopened) + 1);
    assert_true(tp_load_rlx(&n_upgraded) <= tp_load_rlx(&n_first));
}

/* -- fork() ------------------------------------------------------------------------------------- */

/* Runs `check` in a child and returns what it returned; nothing else may happen there. */
static int in_child(int (*check)(void))
{
    pid_t child = fork();
    if (child == 0)
        _exit(check());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int check_dead(void)
{
    uint64_t word = tp_life_look(&life);
    if (tp_life_state(word) != TP_LIFE_FORKED || tp_life_generation(word) != 1)
        return 1;
    if (tp_life_refusal(word) != TP_EFORKED || tp_life_close(&life, true, NULL) != TP_LIFE_DEAD)
        return 2;
    if (tp_life_open(&life) != TP_EFORKED || tp_life_drain(&life) != TP_EFORKED)
        return 3;
    if (tp_life_end(&life, 1) != TP_EFORKED || tp_life_reopen(&life) != TP_EFORKED)
        return 4;
    return 0;
}

/* A child may have pools of its own, and children. */
static int check_own_life(void)
{
    struct tp_life own;
    if (check_dead() != 0 || tp_life_init(&own) != 0 || tp_life_open(&own) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0)
        _exit(tp_life_state(tp_life_look(&own)) == TP_LIFE_FORKED ? check_dead() : 5);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        return 2;
    if (!tp_life_is_open(tp_life_look(&own)))
        return 3;
    tp_life_free(&own);
    tp_life_free(&life);
    return 0;
}

static void test_a_child_finds_it_forked(void **state)
{
    (void)state;
    tp_life_open(&life);
    assert_int_equal(in_child(check_dead), 0);
    assert_int_equal(in_child(check_own_life), 0);
    assert_int_equal(tp_life_look(&life), word_of(1, TP_LIFE_OPEN)); /* the parent does not notice */
}

static tp_atomic(uint32_t) n_forks;

/* Registers, moves and frees lives for as long as there are forks. */
static void *churn(void *argument)
{
    (void)argument;
    struct tp_life mine[3];
    while (tp_load_acq(&n_forks) < FORKS) {
        for (int i = 0; i < 3; i++)
            if (tp_life_init(&mine[i]) != 0 || tp_life_open(&mine[i]) != 0)
                tp_add_sc(&n_wrong, 1);
        tp_life_free(&mine[1]); /* from the middle, from the ends */
        for (int i = 0; i < 3; i += 2) {
            if (tp_life_close(&mine[i], false, NULL) != TP_LIFE_FIRST)
                tp_add_sc(&n_wrong, 1);
            tp_life_free(&mine[i]);
        }
    }
    return NULL;
}

static int check_register(void)
{
    struct tp_life own;
    if (check_dead() != 0 || tp_life_init(&own) != 0) /* its lock is free */
        return 1;
    if (tp_life_open(&own) != 0 || own.next->previous != &own || own.previous->next != &own)
        return 2;
    for (struct tp_life *other = own.next; other != own.previous; other = other->next)
        if (other->next->previous != other || tp_life_state(tp_life_look(other)) == TP_LIFE_OPEN)
            return 3;
    tp_life_free(&own);
    return 0;
}

static void test_forks_while_lives_come_and_go(void **state)
{
    (void)state;
    struct crowd crowd = {.n = 0};
    tp_store_rlx(&n_forks, 0);
    tp_store_rlx(&n_wrong, 0);
    tp_life_open(&life);
    for (int i = 0; i < THREADS; i++)
        crowd_add(&crowd, churn, NULL);
    for (int i = 0; i < FORKS; i++) {
        int result = in_child(check_register);
        if (result != 0)
            fail_msg("fork %d: %d", i, result);
        tp_add_sc(&n_forks, 1);
    }
    crowd_join(&crowd);
    assert_int_equal(tp_load_rlx(&n_wrong), 0);
    assert_true(tp_life_is_open(tp_life_look(&life)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_begins_in_opening, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_whole_way_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_step_from_every_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cancelled_end_stays_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_opening_that_failed_can_be_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_late_submitter_sees_another_word, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_generations_wrap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_end_has_one_first_closer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_child_finds_it_forked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forks_while_lives_come_and_go, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
