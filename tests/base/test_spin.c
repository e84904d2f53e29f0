/* The spin lock on real processors: sixteen contenders, more than there are cores. */
#include "tests/support/unit.h"

#include "runtime/base/spin.h"

enum { CONTENDERS = 16,
    ROUNDS = 60000 };

static struct tp_spin lock;
static uint64_t sum, n_inside, n_overlaps; /* plain: the lock orders them */

static void section(void)
{
    n_overlaps += n_inside++ != 0;
    sum++;
    n_inside--;
}

static void *locker(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        tp_spin_lock(&lock);
        section();
        tp_spin_unlock(&lock);
    }
    return argument;
}

/* Counts its successes in *argument. */
static void *trier(void *argument)
{
    for (int i = 0; i < ROUNDS; i++)
        if (tp_spin_try_lock(&lock)) {
            section();
            tp_spin_unlock(&lock);
            ++*(uint64_t *)argument;
        }
    return argument;
}

static int reset(void **state)
{
    (void)state;
    tp_spin_init(&lock);
    sum = n_inside = n_overlaps = 0;
    return 0;
}

static void test_states(void **state)
{
    (void)state;
    assert_false(tp_spin_is_held(&lock));
    assert_true(tp_spin_try_lock(&lock));
    assert_true(tp_spin_is_held(&lock));
    assert_false(tp_spin_try_lock(&lock));
    tp_spin_unlock(&lock);
    assert_false(tp_spin_is_held(&lock));
    tp_spin_lock(&lock);
    assert_false(tp_spin_try_lock(&lock));
    tp_spin_unlock(&lock);
    assert_true(tp_spin_try_lock(&lock));
}

static void test_contenders(void **state)
{
    struct crowd crowd = {.n = 0};
    (void)state;
    for (int i = 0; i < CONTENDERS; i++)
        crowd_add(&crowd, locker, NULL);
    crowd_join(&crowd);
    assert_int_equal(sum, CONTENDERS * ROUNDS);
    assert_int_equal(n_overlaps, 0);
}

static void test_lockers_and_triers(void **state)
{
    struct crowd crowd = {.n = 0};
    uint64_t n_taken[CONTENDERS / 2] = {0}, n_all = 0;
    (void)state;
    for (int i = 0; i < CONTENDERS / 2; i++) {
        crowd_add(&crowd, locker, NULL);
        crowd_add(&crowd, trier, &n_taken[i]);
    }
    crowd_join(&crowd);
    for (int i = 0; i < CONTENDERS / 2; i++)
        n_all += n_taken[i];
    assert_int_equal(sum, CONTENDERS / 2 * ROUNDS + n_all);
    assert_int_equal(n_overlaps, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_states, reset),
        cmocka_unit_test_setup(test_contenders, reset),
        cmocka_unit_test_setup(test_lockers_and_triers, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
