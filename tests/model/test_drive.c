/* The life cycle of a coroutine that is driven by hand, against others who drive it, retire it and ask it to end, also late
 * [DRIVE-1..3]; and the seats of threads, which hand a place on. */
#include "model.h"

#include "coro/drive.h"
#include "runtime/base/seat.h"

/* Seeded bugs, in the code under test. */
enum habit { GOOD,
    LOOKS_BEFORE,   /* who retires a life looks beforehand how it ended */
    ASKS_BLINDLY,   /* a request is stored, whatever stands there */
    RETIRES_PLAINLY /* who retires a life stores instead of exchanging */
};
static enum habit habit;

static struct tp_drive drive;
static int context; /* plain: the coroutine's own, by who runs it */
static int record;  /* plain: the record's, by who has retired it */
static unsigned n_ends, n_retired, n_cancelled, n_lives;

/* -- threads ---------------------------------------------------------------------------------------- */

/* Resumes the first life until it has ended; the second resume is its last. */
static void driver(void *argument)
{
    (void)argument;
    for (;;) {
        enum tp_cycle_outcome outcome = tp_drive_resume(&drive, 0);
        if (outcome == TP_CYCLE_STALE || (outcome == TP_CYCLE_BUSY && tp_cycle_state(tp_drive_look(&drive)) >= TP_CYCLE_DONE))
            return;
        if (outcome == TP_CYCLE_MADE) {
            bool is_over = ++context == 2;
            n_ends += is_over;
            tp_drive_stop(&drive, is_over ? TP_CYCLE_CANCELLED : TP_CYCLE_SUSPENDED);
        } else {
            model_yield();
        }
    }
}

static enum tp_cycle_outcome retire(enum tp_cycle_state *end)
{
    enum tp_cycle_state before = tp_cycle_state(tp_drive_look(&drive));
    if (habit == RETIRES_PLAINLY) {
        if (tp_cycle_generation(tp_drive_look(&drive)) != 0)
            return TP_CYCLE_STALE;
        if (before < TP_CYCLE_DONE)
            return TP_CYCLE_BUSY;
        *end = before;
        tp_store_rel(&drive.word, (uint64_t)1 << TP__CYCLE_GENERATION_SHIFT);
        return TP_CYCLE_MADE;
    }
    enum tp_cycle_outcome outcome = tp_drive_retire(&drive, 0, end);
    if (habit == LOOKS_BEFORE)
        *end = before;
    return outcome;
}

/* One of those who retire the first life. Who does begins the second one, if there is one. */
static void retirer(void *argument)
{
    (void)argument;
    enum tp_cycle_state end;
    enum tp_cycle_outcome outcome;
    while ((outcome = retire(&end)) == TP_CYCLE_BUSY)
        model_yield();
    if (outcome != TP_CYCLE_MADE)
        return;
    record++;
    model_check(context == 2 || n_lives == 2);
    n_retired++;
    n_cancelled += end == TP_CYCLE_CANCELLED;
    if (n_lives == 2)
        tp_drive_begin(&drive);
}

/* Ends the first life, which runs, and retires it. */
static void ender(void *argument)
{
    tp_drive_stop(&drive, TP_CYCLE_DONE);
    retirer(argument);
}

/* Asks the first life to end, perhaps in the second. */
static void late(void *argument)
{
    (void)argument;
    if (habit != ASKS_BLINDLY)
        tp_drive_ask(&drive, 0);
    else if (tp_cycle_generation(tp_drive_look(&drive)) == 0)
        tp_store_sc(&drive.asked, 1);
}

/* Asks the second one, which then stays asked. */
static void timely(void *argument)
{
    (void)argument;
    while (tp_cycle_generation(tp_drive_look(&drive)) == 0)
        model_yield();
    while (tp_drive_ask(&drive, 1) != TP_CYCLE_NOTED)
        model_yield();
}

/* -- scenarios -------------------------------------------------------------------------------------- */

static void begin(unsigned variant)
{
    habit = (enum habit)variant;
    context = record = 0;
    n_ends = n_retired = n_cancelled = 0;
    n_lives = 1;
    tp_atomic_init(&drive.word, 0);
    tp_atomic_init(&drive.asked, 0);
    model_check(tp_drive_begin(&drive) == 0);
}

static void two_drive(unsigned variant)
{
    begin(variant);
    for (int i = 0; i < 2; i++)
        model_thread(driver, NULL);
    model_thread(retirer, NULL);
}

static void two_retire(unsigned variant)
{
    begin(variant);
    model_thread(driver, NULL);
    for (int i = 0; i < 2; i++)
        model_thread(retirer, NULL);
}

static void end_one(void)
{
    model_check(n_ends == 1 && n_retired == 1 && n_cancelled == 1);
    model_check(tp_cycle_generation(tp_drive_look(&drive)) == 1);
}

static void ask_late(unsigned variant)
{
    begin(variant);
    n_lives = 2;
    model_check(tp_drive_resume(&drive, 0) == TP_CYCLE_MADE);
    model_thread(late, NULL);
    model_thread(timely, NULL);
    model_thread(ender, NULL);
}

static void end_asked(void)
{
    model_check(tp_drive_is_asked(&drive));
}

/* -- seats ------------------------------------------------------------------------------------------ */

static struct tp_seats seats;
static int places[TP_SEATS]; /* plain: of who has the seat */
static tp_atomic(uint32_t) n_seated;

static void sitter(void *argument)
{
    (void)argument;
    unsigned seat = tp_seats_take(&seats);
    if (seat == TP_SEATS)
        return;
    places[seat]++;
    tp_add_rlx(&n_seated, 1); /* relaxed: for the end */
    tp_seats_leave(&seats, seat);
}

/* All but so many seats are taken by others. */
static void sit(unsigned n_free)
{
    tp_atomic_init(&seats.taken, ~UINT64_C(0) << n_free);
    tp_atomic_init(&n_seated, 0);
    places[0] = places[1] = 0;
    for (int i = 0; i < 3; i++)
        model_thread(sitter, NULL);
}

static void end_seats(void)
{
    model_check(places[0] + places[1] == (int)tp_load_rlx(&n_seated) && places[0] > 0);
}

static const struct model_scenario scenarios[] = {
    {"drive: two drive it, one retires it", two_drive, end_one, .variant = GOOD, .preemptions = 2, .max_executions = 60000},
    {"drive: one drives it, two retire it", two_retire, end_one, .variant = GOOD, .preemptions = 2, .max_executions = 60000},
    {"drive: a late request against one that is in time", ask_late, end_asked, .variant = GOOD, .preemptions = 3},
    {"seats: three threads, one seat", sit, end_seats, .variant = 1, .preemptions = 3},
    {"seats: three threads, two seats", sit, end_seats, .variant = 2, .preemptions = 3},

    {"drive: a retirement that looks for the end beforehand", two_retire, end_one, .variant = LOOKS_BEFORE, .preemptions = 2, .must_fail = true},
    {"drive: a retirement without an exchange", two_retire, end_one, .variant = RETIRES_PLAINLY, .preemptions = 2, .must_fail = true},
    {"drive: a request that is stored blindly", ask_late, end_asked, .variant = ASKS_BLINDLY, .preemptions = 2, .must_fail = true},
    {"drive: a stop without release", two_retire, end_one, .variant = GOOD, .preemptions = 2, .must_fail = true,
        .without = {"tp_drive_stop", MODEL_RELEASE}},
    {"seats: one that is left without release", sit, end_seats, .variant = 1, .preemptions = 2, .must_fail = true,
        .without = {"tp_seats_leave", MODEL_RELEASE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
