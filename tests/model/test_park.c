/* Parking: no wake-up is lost, none is kept by a waiter that does not need it [PARK-1], and a waker
 * that makes no system call has met a waiter that is awake [PARK-2].
 * Waiters take tokens, producers add them and notify one. A waiter's record is memory that ends
 * with its wait, so that a waker which touches it too late is caught. */
#include "model.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/fibers.h"
#include "runtime/park.h"

enum { PRODUCERS_MAX = 2 };

/* Seeded bugs: of a waiter, then of the step by which it falls asleep and of the waker's look at it. */
enum habit { GOOD,
    KEEPS_WAKE_UP,
    LEAVES_WITH_WAKE_UP,
    SLEEPS_BLINDLY,
    LOOKS_AND_STORES };
static enum habit habit;

/* The waiter's compare-exchange, and the waker's exchange, in two steps. */
static bool fall_asleep(tp_atomic(uint32_t) *state, uint32_t *expected, uint32_t desired)
{
    if (habit != SLEEPS_BLINDLY)
        return tp_cas_sc(state, expected, desired);
    tp_store_sc(state, desired);
    return true;
}

static uint32_t wake(tp_atomic(uint32_t) *state, uint32_t desired)
{
    if (habit != LOOKS_AND_STORES)
        return tp_swap_acq_rel(state, desired);
    uint32_t before = tp_load_sc(state);
    tp_store_sc(state, desired);
    return before;
}

#pragma push_macro("tp_cas_sc")
#undef tp_cas_sc
#undef tp_swap_acq_rel
#define tp_cas_sc(p, expected, desired) fall_asleep((p), (expected), (desired))
#define tp_swap_acq_rel(p, v) wake((p), (v))
#include "runtime/park.c"
#pragma pop_macro("tp_cas_sc")

static struct tp_waitlist list;
static tp_atomic(uint32_t) n_made[PRODUCERS_MAX]; /* each written by one producer */
static tp_atomic(uint32_t) n_taken, n_given_up, closed;
static int payload[PRODUCERS_MAX]; /* plain: a token publishes it */

static bool is_token_there(void)
{
    uint32_t n = tp_load_acq(&n_taken); /* before what was made: never negative */
    return tp_load_acq(&n_made[0]) + tp_load_acq(&n_made[1]) != n;
}

static bool take_token(void)
{
    uint32_t n = tp_load_acq(&n_taken);
    while (tp_load_acq(&n_made[0]) + tp_load_acq(&n_made[1]) != n)
        if (tp_cas_sc(&n_taken, &n, n + 1))
            return true;
    return false;
}

/* Takes one token; returns false if time ended the wait first. */
static bool wait_for_token(uint64_t deadline_ns)
{
    for (;;) {
        if (take_token())
            return true;
        struct tp_waiter *w = model_alloc(sizeof *w);
        int status = 0;
        tp_waitlist_prepare(&list, w);
        if (is_token_there()) {
            tp_waitlist_cancel(&list, w);
        } else {
            status = tp_waitlist_wait(&list, w, deadline_ns);
        }
        model_free(w);
        if (status != 0 || (habit == LEAVES_WITH_WAKE_UP && tp_clock_now_ns() >= deadline_ns))
            return false;
    }
}

static void patient(void *argument)
{
    (void)argument;
    wait_for_token(TP_FOREVER);
}

static void hasty(void *argument)
{
    (void)argument;
    if (!wait_for_token(tp_deadline_in_ns(TP_SECOND)))
        tp_add_sc(&n_given_up, 1);
}

/* Changes its mind instead of looking again. */
static void fickle(void *argument)
{
    (void)argument;
    struct tp_waiter *w = model_alloc(sizeof *w);
    tp_waitlist_prepare(&list, w);
    if (tp_waitlist_cancel(&list, w) && habit != KEEPS_WAKE_UP)
        tp_waitlist_notify(&list, 1);
    model_free(w);
}

static void producer(void *argument)
{
    tp_atomic(uint32_t) *mine = argument;
    payload[mine - n_made] = 1;
    tp_store_rel(mine, tp_load_rlx(mine) + 1);
    tp_waitlist_notify(&list, 1);
}

static void double_producer(void *argument)
{
    producer(argument);
    producer(argument);
}

static void reset(enum habit with)
{
    tp_waitlist_init(&list);
    n_made[0] = n_made[1] = n_taken = n_given_up = closed = 0;
    habit = with;
}

static void check_empty(void)
{
    model_check(list.first == NULL && list.last == NULL && list.n_waiting == 0);
}

/* -- one waiter, one condition ---------------------------------------------------------------- */

static void flag_waiter(void *argument)
{
    (void)argument;
    while (tp_load_acq(&n_made[0]) == 0) {
        struct tp_waiter *w = model_alloc(sizeof *w);
        tp_waitlist_prepare(&list, w);
        if (tp_load_rlx(&n_made[0]) != 0)
            tp_waitlist_cancel(&list, w);
        else
            tp_waitlist_wait(&list, w, TP_FOREVER);
        model_free(w);
    }
    model_check(payload[0] == 1);
}

static void one_flag(unsigned variant)
{
    reset((enum habit)variant);
    payload[0] = 0;
    model_thread(flag_waiter, NULL);
    model_thread(producer, &n_made[0]);
}

/* -- tokens ----------------------------------------------------------------------------------- */

static void one_token_two_waiters(unsigned variant)
{
    reset((enum habit)variant);
    model_thread(patient, NULL);
    model_thread(patient, NULL);
    model_thread(producer, &n_made[0]);
}

static void two_tokens_two_waiters(unsigned variant)
{
    reset((enum habit)variant);
    model_thread(patient, NULL);
    model_thread(patient, NULL);
    model_thread(producer, &n_made[0]);
    model_thread(producer, &n_made[1]);
}

static void one_producer_two_waiters(unsigned variant)
{
    reset((enum habit)variant);
    model_thread(patient, NULL);
    model_thread(patient, NULL);
    model_thread(double_producer, &n_made[0]);
}

static void token_and_fickle(unsigned variant)
{
    reset((enum habit)variant);
    model_thread(fickle, NULL);
    model_thread(patient, NULL);
    model_thread(producer, &n_made[0]);
}

static void token_or_time(unsigned variant)
{
    reset((enum habit)variant);
    model_thread(hasty, NULL);
    model_thread(patient, NULL);
    model_thread(producer, &n_made[0]);
}

/* Whoever still sleeps must have nothing to take. */
static bool token_rest(void)
{
    return !is_token_there();
}

static void token_end(void)
{
    model_check(!is_token_there());
}

/* -- a change that concerns all --------------------------------------------------------------- */

static void close_waiter(void *argument)
{
    (void)argument;
    while (tp_load_acq(&closed) == 0) {
        struct tp_waiter *w = model_alloc(sizeof *w);
        tp_waitlist_prepare(&list, w);
        if (tp_load_acq(&closed) != 0)
            tp_waitlist_cancel(&list, w);
        else
            tp_waitlist_wait(&list, w, TP_FOREVER);
        model_free(w);
    }
}

static void closer(void *argument)
{
    (void)argument;
    tp_store_rel(&closed, 1);
    tp_waitlist_notify(&list, UINT32_MAX);
}

static void close_all(unsigned n_waiters)
{
    reset(GOOD);
    for (unsigned i = 0; i < n_waiters; i++)
        model_thread(close_waiter, NULL);
    model_thread(closer, NULL);
}

static const struct model_scenario scenarios[] = {
    {"park: one waiter, one producer", one_flag, check_empty, .preemptions = 4, .spurious = 1},
    {"park: one waiter, one producer; prepare without fence", one_flag, check_empty, .preemptions = 2,
        .must_fail = true, .without = {"tp_waitlist_enlist", MODEL_FENCE}},
    {"park: one waiter, one producer; notify without fence", one_flag, check_empty, .preemptions = 2,
        .must_fail = true, .without = {"tp_waitlist_notify", MODEL_FENCE}},
    {"park: one waiter, one producer; wake without release", one_flag, check_empty, .preemptions = 2,
        .must_fail = true, .without = {"wake", MODEL_RELEASE}},
    {"park: one waiter, one producer; sleep without acquire", one_flag, check_empty, .preemptions = 2,
        .must_fail = true, .without = {"tp__waiter_sleep", MODEL_ACQUIRE}},
    {"park: one waiter, one producer; falls asleep without a look at the wake-up", one_flag, check_empty,
        .variant = SLEEPS_BLINDLY, .preemptions = 2, .must_fail = true},
    {"park: one waiter, one producer; a sleeper missed between look and wake-up", one_flag, check_empty,
        .variant = LOOKS_AND_STORES, .preemptions = 2, .must_fail = true},
    {"park: one token, two waiters", one_token_two_waiters, token_end, token_rest, .preemptions = 3},
    {"park: two tokens, two waiters", two_tokens_two_waiters, check_empty, .preemptions = 2},
    {"park: two tokens of one producer, two waiters", one_producer_two_waiters, check_empty, .preemptions = 2,
        .spurious = 1},
    {"park: one token, a waiter that changes its mind", token_and_fickle, check_empty, .preemptions = 3},
    {"park: one token, a waiter that changes its mind and keeps the wake-up", token_and_fickle, check_empty,
        .variant = KEEPS_WAKE_UP, .preemptions = 2, .must_fail = true},
    {"park: token or time", token_or_time, token_end, token_rest, .preemptions = 2, .timeouts = 1},
    {"park: token or time; late waiter leaves with a wake-up", token_or_time, token_end, token_rest,
        .variant = LEAVES_WITH_WAKE_UP, .preemptions = 2, .timeouts = 1, .must_fail = true},
    {"park: close wakes three", close_all, check_empty, .variant = 3, .preemptions = 2},
    {"park: close wakes two; prepare without fence", close_all, check_empty, .variant = 2, .preemptions = 2,
        .must_fail = true, .without = {"tp_waitlist_enlist", MODEL_FENCE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
