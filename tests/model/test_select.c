/* Calls that wait for one of several: each ends with one case, or with none and the reason; what one sent another has received; nobody
 * sleeps for ever while two could meet [SELECT-1..3]. */
#include "model.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/park.h"

/* Seeded bugs. */
enum habit { GOOD,
    CLAIMS_ALL,
    DOES_NOT_LOOK_AGAIN,
    LEAVES_THOUGH_SERVED,
    FORGETS_AN_ENTRY };
static enum habit habit;

static bool claim(struct tp_waiter *w)
{
    bool is_won = tp_waiter_claim(w);
    if (habit == CLAIMS_ALL && w->choice && !is_won) {
        tp_store_sc(&w->choice->taken, w->index + 1);
        is_won = true;
    }
    return is_won;
}

#include <stdlib.h>

#define aligned_alloc(align, bytes) model_alloc(bytes)
#define free model_free
#define tp_waiter_claim claim
#include "runtime/sync/line.c"

static bool has_other(const struct tp_line *line, const struct tp_choice *choice)
{
    return habit != DOES_NOT_LOOK_AGAIN && tp_line_has_other(line, choice);
}

/* In a call's way out of its lists. */
static bool leave_line(struct tp_party *party, struct tp_line *line, struct tp_spin *lock)
{
    return habit == FORGETS_AN_ENTRY || tp_party_leave(party, line, lock);
}

#define tp_line_has_other has_other
#define tp_party_leave leave_line
#include "runtime/sync/chan.c"
#undef tp_party_leave

static bool sees_wake_up(struct tp_waiter *waiter)
{
    return habit != LEAVES_THOUGH_SERVED && tp_waiter_is_woken(waiter);
}

#define tp_waiter_is_woken sees_wake_up
#define TP_SELECT_DRAW(n) 0
#include "runtime/sync/select.c"

enum { CHANS = 2,
    VALUES = 4 };

static _Alignas(TP_CACHE_LINE_BYTES) unsigned char memory[CHANS][sizeof(struct tp_chan) + TP_CACHE_LINE_BYTES];
static int n_received[VALUES]; /* each value is sent by one thread, and so received by one at most */
static bool was_sent[VALUES];

static struct tp_chan *chan(unsigned i)
{
    return (struct tp_chan *)(void *)memory[i];
}

/* variant: the capacity in the low digit, the habit in the next. */
static void begin(unsigned variant)
{
    memset(memory, 0, sizeof memory);
    for (unsigned i = 0; i < CHANS; i++) {
        tp_spin_init(&chan(i)->lock);
        chan(i)->value_bytes = sizeof(int);
        chan(i)->capacity = variant % 10;
        tp__patience_init(&chan(i)->patience);
    }
    tp__patience_init(&patience);
    memset(n_received, 0, sizeof n_received);
    memset(was_sent, 0, sizeof was_sent);
    habit = (enum habit)(variant / 10);
}

/* A call with two cases: each sends `value` or receives. */
struct call {
    unsigned chans[2];
    bool sends[2];
    int value;
    bool is_hasty;
};

static void select_one(void *argument)
{
    const struct call *call = argument;
    struct tp_case cases[2];
    int got = -1;
    size_t which = 9;
    for (int i = 0; i < 2; i++)
        cases[i] = call->sends[i] ? tp_case_send(chan(call->chans[i]), &call->value) : tp_case_recv(chan(call->chans[i]), &got);
    int status = tp_select(cases, 2, call->is_hasty ? tp_deadline_in_ns(TP_SECOND) : TP_FOREVER, &which);
    model_check(status == 0 || status == TP_ECLOSED || (status == TP_ETIMEDOUT && call->is_hasty));
    model_check((which == 9) == (status == TP_ETIMEDOUT));
    model_check((got >= 0) == (status == 0 && !call->sends[which]));
    if (got >= 0)
        n_received[got]++;
    else if (status == 0)
        was_sent[call->value] = true;
}

static void send_plainly(void *argument)
{
    const struct call *call = argument;
    int status = tp_chan_send(chan(call->chans[0]), &call->value, call->is_hasty ? tp_deadline_in_ns(TP_SECOND) : TP_FOREVER);
    model_check(status == 0 || (status == TP_ETIMEDOUT && call->is_hasty));
    was_sent[call->value] = status == 0;
}

static void receive_plainly(void *argument)
{
    const struct call *call = argument;
    int got = -1, status = tp_chan_recv(chan(call->chans[0]), &got, call->is_hasty ? tp_deadline_in_ns(TP_SECOND) : TP_FOREVER);
    model_check(status == 0 || (status == TP_ETIMEDOUT && call->is_hasty));
    if (status == 0)
        n_received[got]++;
}

static void close_first(void *argument)
{
    (void)argument;
    tp_chan_close(chan(0));
}

static void check_end(void)
{
    int value;
    for (unsigned i = 0; i < CHANS; i++) {
        while (tp_chan_recv(chan(i), &value, 0) == 0)
            n_received[value]++;
        model_check(!chan(i)->senders.first && !chan(i)->receivers.first);
    }
    for (int i = 0; i < VALUES; i++)
        model_check(n_received[i] == (was_sent[i] ? 1 : 0));
}

static void check_one_met(void)
{
    check_end();
    model_check(was_sent[0] + was_sent[1] + was_sent[2] + was_sent[3] == 1);
}

/* Two calls that could meet at either of two channels. */
static void two_meet(unsigned variant)
{
    static const struct call calls[] = {{{0, 1}, {true, false}, 0, false}, {{1, 0}, {true, false}, 1, false}};
    begin(variant);
    model_thread(select_one, (void *)&calls[0]);
    model_thread(select_one, (void *)&calls[1]);
}

/* Two calls at both ends of one channel. */
static void two_at_both_ends(unsigned variant)
{
    static const struct call calls[] = {{{0, 0}, {true, false}, 0, false}, {{0, 0}, {false, true}, 1, false}};
    begin(variant);
    model_thread(select_one, (void *)&calls[0]);
    model_thread(select_one, (void *)&calls[1]);
}

/* Two senders, each at a channel of its own, and a call that receives from one of them. */
static void one_of_two(unsigned variant)
{
    static const struct call calls[] = {{{0, 1}, {false, false}, 0, true}, {{0}, {0}, 1, true}, {{1}, {0}, 2, true}};
    begin(variant);
    model_thread(select_one, (void *)&calls[0]);
    model_thread(send_plainly, (void *)&calls[1]);
    model_thread(send_plainly, (void *)&calls[2]);
}

/* A sender, a receiver, and one who would be either. */
static void third_party(unsigned variant)
{
    static const struct call calls[] = {{{0, 0}, {true, false}, 0, true}, {{0}, {0}, 1, true}, {{0}, {0}, 2, true}};
    begin(variant);
    model_thread(select_one, (void *)&calls[0]);
    model_thread(send_plainly, (void *)&calls[1]);
    model_thread(receive_plainly, (void *)&calls[2]);
}

/* Time passes while it is served. */
static void hasty(unsigned variant)
{
    static const struct call calls[] = {{{0, 1}, {false, false}, 0, true}, {{0}, {0}, 1, true}};
    begin(variant);
    model_thread(select_one, (void *)&calls[0]);
    model_thread(send_plainly, (void *)&calls[1]);
}

static void closed(unsigned variant)
{
    static const struct call calls[] = {{{0, 1}, {false, false}, 0, false}, {{1}, {0}, 1, true}};
    begin(variant);
    model_thread(select_one, (void *)&calls[0]);
    model_thread(close_first, NULL);
    model_thread(send_plainly, (void *)&calls[1]);
}

/* Three calls in a ring: each could give to the next, or take from the one before. */
static void three_in_a_ring(unsigned variant)
{
    static const struct call calls[] = {{{0, 1}, {true, false}, 0, true}, {{1, 0}, {true, false}, 1, true}, {{0, 1}, {false, true}, 2, true}};
    begin(variant);
    for (int i = 0; i < 3; i++)
        model_thread(select_one, (void *)&calls[i]);
}

static const struct model_scenario scenarios[] = {
    {"select: two meet at one of two", two_meet, check_one_met, .variant = 0, .preemptions = 3},
    {"select: two at both ends of one", two_at_both_ends, check_one_met, .variant = 0, .preemptions = 3, .spurious = 1},
    {"select: one of two senders", one_of_two, check_end, .variant = 0, .preemptions = 2, .timeouts = 2},
    {"select: senders with room for one", one_of_two, check_end, .variant = 1, .preemptions = 2, .timeouts = 2},
    {"select: a sender, a receiver, and one who would be either", third_party, check_end, .variant = 0, .preemptions = 2, .timeouts = 2},
    {"select: in haste", hasty, check_end, .variant = 0, .preemptions = 3, .timeouts = 2},
    {"select: one is closed", closed, check_end, .variant = 0, .preemptions = 2, .timeouts = 2},
    {"select: three in haste", three_in_a_ring, check_end, .variant = 0, .preemptions = 1, .timeouts = 3},
    {"select: one of two senders; claims are not exchanges", one_of_two, check_end, .variant = 10 * CLAIMS_ALL, .preemptions = 2, .timeouts = 2, .must_fail = true},
    {"select: two meet; enter without a look", two_meet, check_one_met, .variant = 10 * DOES_NOT_LOOK_AGAIN, .preemptions = 3, .must_fail = true},
    {"select: in haste; who was served at the last moment leaves", hasty, check_end, .variant = 10 * LEAVES_THOUGH_SERVED, .preemptions = 3, .timeouts = 2, .must_fail = true},
    {"select: one of two senders; an entry is forgotten", one_of_two, check_end, .variant = 10 * FORGETS_AN_ENTRY, .preemptions = 2, .timeouts = 2, .must_fail = true},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
