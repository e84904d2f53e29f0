/* The spin lock: one at a time, and each holder sees what the one before wrote. */
#include "model.h"

#include "runtime/base/spin.h"

static struct tp_spin lock;
static unsigned inside, sum, n_skipped; /* plain: the lock orders them */

static void locker(void *argument)
{
    for (int i = 0; i < *(int *)argument; i++) {
        tp_spin_lock(&lock);
        model_check(inside++ == 0);
        sum++;
        inside--;
        tp_spin_unlock(&lock);
    }
}

static void trier(void *argument)
{
    (void)argument;
    if (tp_spin_try_lock(&lock)) {
        model_check(inside++ == 0);
        sum++;
        inside--;
        tp_spin_unlock(&lock);
    } else {
        n_skipped++; /* the only trier */
    }
}

static int rounds;
static unsigned wanted;

static void set_up(unsigned n_threads)
{
    tp_spin_init(&lock);
    inside = sum = n_skipped = 0;
    rounds = n_threads > 2 ? 1 : 2;
    wanted = n_threads * (unsigned)rounds + 1;
    for (unsigned i = 0; i < n_threads; i++)
        model_thread(locker, &rounds);
    model_thread(trier, NULL);
}

static void tear_down(void)
{
    model_check(sum + n_skipped == wanted);
    model_check(tp_load_rlx(&lock.held) == 0);
}

static const struct model_scenario scenarios[] = {
    {"spin: two lockers twice, one trier", set_up, tear_down, .variant = 2, .preemptions = 3},
    {"spin: three lockers, one trier", set_up, tear_down, .variant = 3, .preemptions = 2},
    {"spin: unlock without release", set_up, tear_down, .variant = 2, .preemptions = 1, .must_fail = true,
        .without = {"tp_spin_unlock", MODEL_RELEASE}},
    {"spin: lock without acquire", set_up, tear_down, .variant = 2, .preemptions = 1, .must_fail = true,
        .without = {"tp_spin_lock", MODEL_ACQUIRE}},
    {"spin: slow lock without acquire", set_up, tear_down, .variant = 2, .preemptions = 1, .must_fail = true,
        .without = {"tp__spin_wait", MODEL_ACQUIRE}},
    {"spin: try without acquire", set_up, tear_down, .variant = 2, .preemptions = 1, .must_fail = true,
        .without = {"tp_spin_try_lock", MODEL_ACQUIRE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
