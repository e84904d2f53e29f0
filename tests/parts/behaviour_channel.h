/* Tasks in coroutines that send to each other: who waits at a channel keeps no worker, hears of a request to end, and
 * stays findable for a report. */
#ifndef BEHAVIOUR_CHANNEL_H
#define BEHAVIOUR_CHANNEL_H

#include "behaviour_coroutine.h"

#include <fcntl.h>
#include <unistd.h>

enum { PAIRS = 20,
    PASSES = 200 };

/* Two tasks and the channels between them. */
struct pair {
    struct call calls[2];
    struct player {
        struct pair *pair;
        int side, n_received, last;
    } players[2];
    struct tp_chan *to[2];
};

/* Sends a number back and forth; side 0 begins, and the one who gets the last number closes both. */
static int play(void *argument)
{
    struct player *player = argument;
    struct tp_chan *in = player->pair->to[player->side], *out = player->pair->to[1 - player->side];
    int value = 0, status = player->side == 0 ? tp_chan_send(out, &value, TP_FOREVER) : 0;
    while (status == 0 && (status = tp_chan_recv(in, &value, TP_FOREVER)) == 0) {
        player->n_received++;
        player->last = value;
        if (++value == PASSES)
            tp_chan_close(out);
        status = value < PASSES ? tp_chan_send(out, &value, TP_FOREVER) : TP_ECLOSED;
    }
    return status == TP_ECLOSED ? 0 : status;
}

static inline void pair_open(struct pair *pair)
{
    *pair = (struct pair){.calls = {{play, &pair->players[0]}, {play, &pair->players[1]}}};
    for (int side = 0; side < 2; side++) {
        pair->players[side] = (struct player){.pair = pair, .side = side};
        assert_int_equal(tp_chan_open(&pair->to[side], sizeof(int), 0), 0);
    }
}

static inline void pair_check(struct pair *pair)
{
    assert_int_equal(pair->players[0].n_received + pair->players[1].n_received, PASSES);
    assert_int_equal(pair->players[PASSES % 2 == 0 ? 0 : 1].last, PASSES - 1);
    for (int side = 0; side < 2; side++)
        tp_chan_free(pair->to[side]);
}

/* Far more tasks that wait for each other than workers; reports are taken meanwhile. */
static void test_channels_between_tasks(void **state)
{
    (void)state;
    EACH_WORKER_COUNT(workers)
    {
        static struct pair pairs[PAIRS];
        struct job_pool *pool = pool_open((uint32_t)workers, 2 * PAIRS);
        int nowhere = open("/dev/null", O_WRONLY);
        for (int i = 0; i < PAIRS; i++) {
            pair_open(&pairs[i]);
            submit(pool, &pairs[i].calls[1]);
            submit(pool, &pairs[i].calls[0]);
            tp_dump_tasks(nowhere);
        }
        assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
        job_pool_free(pool);
        close(nowhere);
        for (int i = 0; i < PAIRS; i++)
            pair_check(&pairs[i]);
    }
}

/* One who waits at a channel for ever, or until its deadline. */
struct waiter_at {
    struct call call;
    struct tp_chan *chan;
    uint64_t deadline_ns;
    bool sends;
    int status, status_again;
};

static int wait_at(void *argument)
{
    struct waiter_at *at = argument;
    int value = 5;
    at->status = at->sends ? tp_chan_send(at->chan, &value, at->deadline_ns) : tp_chan_recv(at->chan, &value, at->deadline_ns);
    at->status_again = at->sends ? tp_chan_send(at->chan, &value, at->deadline_ns) : tp_chan_recv(at->chan, &value, at->deadline_ns);
    return at->status;
}

/* A request to end is heard by who waits, and by who would wait next; of the wait nothing is left in the channel. */
static void test_cancel_at_a_channel(void **state)
{
    (void)state;
    for (int sends = 0; sends <= 1; sends++) {
        struct waiter_at at = {.call = {wait_at, &at}, .deadline_ns = TP_FOREVER, .sends = sends == 1};
        int value;
        assert_int_equal(tp_chan_open(&at.chan, sizeof(int), 0), 0);
        struct job_pool *pool = pool_open(1, 4);
        submit(pool, &at.call);
        await_suspended(pool, 1);
        assert_int_equal(job_pool_cancel(pool, TP_FOREVER), 0);
        assert_int_equal(at.status, TP_ECANCELED);
        assert_int_equal(at.status_again, TP_ECANCELED);
        assert_int_equal(tp_chan_recv(at.chan, &value, 0), TP_ETIMEDOUT);
        assert_int_equal(tp_chan_send(at.chan, &value, 0), TP_ETIMEDOUT);
        job_pool_free(pool);
        tp_chan_free(at.chan);
    }
}

static void test_deadline_at_a_channel(void **state)
{
    (void)state;
    struct waiter_at at = {.call = {wait_at, &at}, .deadline_ns = tp_deadline_in_ns(1000)};
    assert_int_equal(tp_chan_open(&at.chan, sizeof(int), 0), 0);
    struct job_pool *pool = pool_open(1, 4);
    submit(pool, &at.call);
    assert_int_equal(job_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(at.status, TP_ETIMEDOUT);
    assert_int_equal(at.status_again, TP_ETIMEDOUT);
    job_pool_free(pool);
    tp_chan_free(at.chan);
}

#endif
