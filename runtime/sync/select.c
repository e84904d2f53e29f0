/* Waiting for one of several. docs/select.md. */
#include "select.h"

#include "../base/apart.h"
#include "../base/status.h"
#include "../clock.h"
#include "../fibers.h"
#include "select_kind.h"

#ifndef TP_SELECT_DRAW /* a number below n */
#define TP_SELECT_DRAW(n) draw(n)

/* Marsaglia's xorshift, of each thread's own. */
static TP_APART size_t draw(size_t n)
{
    static _Thread_local uint32_t word;
    word = word ? word : (uint32_t)(uintptr_t)&word | 1;
    word ^= word << 13;
    word ^= word >> 17;
    word ^= word << 5;
    return word % n;
}
#endif

static struct tp_patience patience = {.penalty = 1}; /* of all that wait here */

/* -- points in time ---------------------------------------------------------------------------------- */

static bool attempt_time(struct tp_case *one, int *status)
{
    *status = 0;
    return one->number != TP_FOREVER && tp_clock_now_ns() >= one->number;
}

/* It is in no list: the sleep ends at that time. */
static bool enlist_time(struct tp_case *one)
{
    (void)one;
    return true;
}

static void delist_time(struct tp_case *one)
{
    (void)one;
}

static const struct tp_case_kind time_kind = {attempt_time, enlist_time, delist_time, .is_served = false};

struct tp_case tp_case_time(uint64_t at_ns)
{
    return (struct tp_case){.kind = &time_kind, .number = at_ns};
}

/* The case whose time comes first, unless that is after the deadline; or NULL. */
static struct tp_case *first_time(struct tp_case *cases, size_t n, uint64_t deadline_ns)
{
    struct tp_case *first = NULL;
    for (size_t i = 0; i < n; i++)
        if (cases[i].kind == &time_kind && cases[i].number != TP_FOREVER && cases[i].number <= (first ? first->number - 1 : deadline_ns))
            first = &cases[i];
    return first;
}

/* -- all ------------------------------------------------------------------------------------------------ */

/* Attempts one after the other, from `from` on. Returns the index of the one that has happened, or n. */
static size_t attempt_all(struct tp_case *cases, size_t n, size_t from, int *status)
{
    for (size_t i = from; i < from + n; i++) {
        struct tp_case *one = &cases[i < n ? i : i - n];
        if (one->kind->attempt(one, status))
            return (size_t)(one - cases);
    }
    return n;
}

/* Links the cases in the order of what they wait for [SELECT-3]. */
static struct tp_case *put_in_order(struct tp_case *cases, size_t n)
{
    struct tp_case *first = NULL;
    for (size_t i = 0; i < n; i++) {
        struct tp_case **at = &first;
        while (*at && (uintptr_t)(*at)->thing <= (uintptr_t)cases[i].thing)
            at = &(*at)->after;
        cases[i].after = *at;
        *at = &cases[i];
    }
    return first;
}

/* Enters the lists. Returns the case that could happen now, and that no list after it was entered; or NULL. */
static struct tp_case *enlist_all(struct tp_case *cases, struct tp_case *first, struct tp_choice *choice)
{
    for (struct tp_case *one = first; one; one = one->after) {
        tp_choice_entry(choice, &one->party.waiter, (uint32_t)(one - cases));
        one->party.value = one->value;
        if (!one->kind->enlist(one))
            return one;
    }
    return NULL;
}

/* Leaves the lists before `end`. After that the choice was served, or will never be [SELECT-1]. */
static void delist_all(struct tp_case *first, const struct tp_case *end)
{
    for (struct tp_case *one = first; one != end; one = one->after)
        one->kind->delist(one);
}

/* How a wait in all lists has ended. */
enum ended { BY_A_CASE,   /* *which */
    BY_SOMETHING,         /* there is something to be attempted, *which first */
    BY_TIME_OR_REQUEST }; /* *status */

static enum ended wait_in_all(struct tp_case *cases, size_t n, uint64_t deadline_ns, size_t *which, int *status)
{
    struct tp_choice choice;
    struct tp_case *in_time = first_time(cases, n, deadline_ns), *first = put_in_order(cases, n);
    tp_choice_begin(&choice);
    struct tp_case *possible = enlist_all(cases, first, &choice);
    if (!possible) {
        if (choice.waiter.fiber)
            tp_fiber_settle(choice.waiter.fiber);
        *status = tp_waiter_sleep(&choice.waiter, in_time ? in_time->number : deadline_ns, &patience);
    }
    delist_all(first, possible);
    if (tp_waiter_is_woken(&choice.waiter)) {
        *which = tp_load_rlx(&choice.taken) - 1; /* relaxed: it does not change any more */
        *status = cases[*which].party.status;
        return cases[*which].kind->is_served ? BY_A_CASE : BY_SOMETHING;
    }
    *which = possible ? (size_t)(possible - cases) : in_time ? (size_t)(in_time - cases)
                                                             : n;
    if (possible)
        return BY_SOMETHING;
    if (*status != TP_ETIMEDOUT || !in_time)
        return BY_TIME_OR_REQUEST;
    *status = 0;
    return BY_A_CASE;
}

int tp_select(struct tp_case *cases, size_t n, uint64_t deadline_ns, size_t *index)
{
    size_t which = n > 1 ? TP_SELECT_DRAW(n) : 0;
    for (;;) {
        int status;
        size_t happened = n > 0 ? attempt_all(cases, n, which, &status) : n;
        if (happened < n) {
            *index = happened;
            return status;
        }
        if (deadline_ns == 0)
            return TP_ETIMEDOUT;
        enum ended ended = wait_in_all(cases, n, deadline_ns, &which, &status);
        if (ended == BY_A_CASE)
            *index = which;
        if (ended != BY_SOMETHING)
            return status;
    }
}
