/* Channels: each value that was sent is received once, one whose send failed never is, nobody sleeps for ever while it could
 * go on, and who is woken finds its value without the lock [CHAN-1], [CHAN-2]. */
#include "model.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/park.h"

/* Seeded bugs. */
enum habit { GOOD,
    LEAVES_THOUGH_SERVED,
    FREES_AT_ONCE };
static enum habit habit;

static bool sees_wake_up(struct tp_waiter *waiter)
{
    return habit != LEAVES_THOUGH_SERVED && tp_waiter_is_woken(waiter);
}

#include <stdlib.h>

#define aligned_alloc(align, bytes) model_alloc(bytes)
#define free model_free
#define tp_waiter_is_woken sees_wake_up
#include "runtime/sync/line.c"
#include "runtime/sync/chan.c"

enum { VALUES = 4 };

static _Alignas(TP_CACHE_LINE_BYTES) unsigned char memory[sizeof(struct tp_chan) + 2 * sizeof(int)];
static struct tp_chan *const chan = (struct tp_chan *)(void *)memory;
static int n_received[VALUES]; /* each value is received by one thread, which another one's send, or the end, follows */
static bool was_sent[VALUES];

static void set_up(size_t capacity, enum habit with)
{
    memset(memory, 0, sizeof memory);
    tp_spin_init(&chan->lock);
    chan->value_bytes = sizeof(int);
    chan->capacity = capacity;
    tp__patience_init(&chan->patience);
    memset(n_received, 0, sizeof n_received);
    memset(was_sent, 0, sizeof was_sent);
    habit = with;
}

static void send(int value, uint64_t deadline_ns)
{
    int status = tp_chan_send(chan, &value, deadline_ns);
    model_check(status == 0 || status == TP_ECLOSED || (status == TP_ETIMEDOUT && deadline_ns != TP_FOREVER));
    was_sent[value] = status == 0;
}

static bool receive(uint64_t deadline_ns)
{
    int value = -1;
    int status = tp_chan_recv(chan, &value, deadline_ns);
    model_check(status == 0 || status == TP_ECLOSED || (status == TP_ETIMEDOUT && deadline_ns != TP_FOREVER));
    model_check((status == 0) == (value >= 0));
    if (status == 0)
        n_received[value]++;
    return status == 0;
}

/* What was sent was received, or is still there. */
static void check_end(void)
{
    int value;
    while (tp_chan_recv(chan, &value, 0) == 0)
        n_received[value]++;
    for (int i = 0; i < VALUES; i++)
        model_check(n_received[i] == (was_sent[i] ? 1 : 0));
    model_check(!chan->senders.first && !chan->receivers.first);
}

static void send_one(void *argument)
{
    send((int)(intptr_t)argument, TP_FOREVER);
}

static void send_two(void *argument)
{
    send((int)(intptr_t)argument, TP_FOREVER);
    send((int)(intptr_t)argument + 1, TP_FOREVER);
}

static void send_hastily(void *argument)
{
    send((int)(intptr_t)argument, tp_deadline_in_ns(TP_SECOND));
}

static void receive_one(void *argument)
{
    (void)argument;
    receive(TP_FOREVER);
}

static void receive_two(void *argument)
{
    (void)argument;
    receive(TP_FOREVER);
    receive(TP_FOREVER);
}

static void receive_hastily(void *argument)
{
    (void)argument;
    receive(tp_deadline_in_ns(TP_SECOND));
}

static void receive_all(void *argument)
{
    (void)argument;
    while (receive(TP_FOREVER))
        ;
}

static void close_it(void *argument)
{
    (void)argument;
    tp_chan_close(chan);
}

/* variant: the capacity in the low digit, the habit in the next. */
static void begin(unsigned variant)
{
    set_up(variant % 10, (enum habit)(variant / 10));
}

static void one_to_one(unsigned variant)
{
    begin(variant);
    model_thread(send_two, NULL);
    model_thread(receive_two, NULL);
}

static void two_to_one(unsigned variant)
{
    begin(variant);
    model_thread(send_one, (void *)0);
    model_thread(send_one, (void *)1);
    model_thread(receive_two, NULL);
}

static void one_to_two(unsigned variant)
{
    begin(variant);
    model_thread(send_two, NULL);
    model_thread(receive_one, NULL);
    model_thread(receive_one, NULL);
}

static void hasty_sender(unsigned variant)
{
    begin(variant);
    model_thread(send_hastily, NULL);
    model_thread(receive_hastily, NULL);
    model_thread(send_hastily, (void *)1);
}

static void hasty_receivers(unsigned variant)
{
    begin(variant);
    model_thread(receive_hastily, NULL);
    model_thread(receive_hastily, NULL);
    model_thread(send_hastily, NULL);
}

static void closed_under_senders(unsigned variant)
{
    begin(variant);
    model_thread(send_one, (void *)0);
    model_thread(send_one, (void *)1);
    model_thread(close_it, NULL);
    model_thread(receive_all, NULL);
}

static void closed_under_receivers(unsigned variant)
{
    begin(variant);
    model_thread(receive_all, NULL);
    model_thread(receive_all, NULL);
    model_thread(close_it, NULL);
}

/* The only receiver frees it as soon as it hears of the close [CHAN-3]. */
static struct tp_chan *own;

static void receive_and_free(void *argument)
{
    (void)argument;
    int value, status;
    while ((status = tp_chan_recv(own, &value, TP_FOREVER)) == 0)
        ;
    model_check(status == TP_ECLOSED);
    if (habit == FREES_AT_ONCE)
        model_free(own);
    else
        tp_chan_free(own);
}

static void send_and_close(void *argument)
{
    int value = 1;
    if (argument)
        model_check(tp_chan_send(own, &value, TP_FOREVER) == 0);
    tp_chan_close(own);
}

/* variant: sends before it closes, if odd; the habit in the digit before. */
static void freed_when_closed(unsigned variant)
{
    begin(variant / 10 * 10);
    model_check(tp_chan_open(&own, sizeof(int), 1) == 0);
    model_thread(send_and_close, variant % 10 ? own : NULL);
    model_thread(receive_and_free, NULL);
}

static void check_freed(void)
{
    model_check(model_n_blocks() == 0);
}

static const struct model_scenario scenarios[] = {
    {"chan: one to one, no room", one_to_one, check_end, .variant = 0, .preemptions = 3, .spurious = 1},
    {"chan: one to one, room for one", one_to_one, check_end, .variant = 1, .preemptions = 3},
    {"chan: two to one, no room", two_to_one, check_end, .variant = 0, .preemptions = 2},
    {"chan: two to one, room for one", two_to_one, check_end, .variant = 1, .preemptions = 2},
    {"chan: one to two, no room", one_to_two, check_end, .variant = 0, .preemptions = 2},
    {"chan: one to two, room for two", one_to_two, check_end, .variant = 2, .preemptions = 2},
    {"chan: senders and a receiver in haste", hasty_sender, check_end, .variant = 0, .preemptions = 2, .timeouts = 2},
    {"chan: receivers and a sender in haste", hasty_receivers, check_end, .variant = 1, .preemptions = 2, .timeouts = 2},
    {"chan: closed under two senders", closed_under_senders, check_end, .variant = 0, .preemptions = 2},
    {"chan: closed under two senders, room for one", closed_under_senders, check_end, .variant = 1, .preemptions = 1},
    {"chan: closed under two receivers", closed_under_receivers, check_end, .variant = 0, .preemptions = 2},
    {"chan: closed, and freed by who hears of it", freed_when_closed, check_freed, .variant = 0, .preemptions = 2},
    {"chan: sent, closed, and freed by who hears of it", freed_when_closed, check_freed, .variant = 1, .preemptions = 2},
    {"chan: closed, and freed without the lock", freed_when_closed, check_freed, .variant = 10 * FREES_AT_ONCE, .preemptions = 2, .must_fail = true},
    {"chan: one to one; wake without release", one_to_one, check_end, .variant = 0, .preemptions = 2, .must_fail = true,
        .without = {"tp__waiter_wake", MODEL_RELEASE}},
    {"chan: one to one; sleep without acquire", one_to_one, check_end, .variant = 0, .preemptions = 2, .must_fail = true,
        .without = {"tp__waiter_sleep", MODEL_ACQUIRE}},
    {"chan: in haste; who was served at the last moment leaves", hasty_sender, check_end, .variant = 10 * LEAVES_THOUGH_SERVED,
        .preemptions = 2, .timeouts = 2, .must_fail = true},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
