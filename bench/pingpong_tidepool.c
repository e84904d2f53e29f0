/* ping-pong, Tidepool: two tasks in coroutines send a number back and forth through two channels without room, so each message is
 * waited for. On one worker they take turns; on two a stealing worker may have one of them. */
#include "bench.h"
#include "player_pool.h"

static struct player_pool *pool;
static struct tp_chan *channels[2];
static uint64_t n_messages, n_received[2];

/* payload: which of the two. The first one serves. */
int player_run(uint64_t payload)
{
    struct tp_chan *in = channels[payload], *out = channels[1 - payload];
    uint64_t n = 0, value = 0;
    if (payload == 0)
        bench_check(tp_chan_send(out, &value, TP_FOREVER) == 0, "cannot send");
    while (tp_chan_recv(in, &value, TP_FOREVER) == 0) {
        n++;
        if (++value == n_messages)
            tp_chan_close(out);
        else if (value < n_messages)
            bench_check(tp_chan_send(out, &value, TP_FOREVER) == 0, "cannot send");
        if (value >= n_messages)
            break;
    }
    n_received[payload] = n;
    return 0;
}

static uint64_t play(const struct bench *bench, void *context)
{
    (void)context;
    n_messages = bench->n_tasks;
    for (int i = 0; i < 2; i++)
        bench_check(tp_chan_open(&channels[i], sizeof(uint64_t), 0) == 0, "cannot open a channel");
    for (uint64_t i = 0; i < 2; i++)
        bench_check(player_submit(pool, i) == 0, "a player was refused");
    bench_check(player_join_all(pool, TP_FOREVER) == 0, "cannot wait for the players");
    for (int i = 0; i < 2; i++)
        tp_chan_free(channels[i]);
    return n_received[0] + n_received[1];
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    const struct tp_pool_settings settings = {.workers = bench.n_workers};
    bench_check(player_pool_open(&pool, &settings) == 0, "cannot open the pool");
    int status = bench_run(&bench, play, NULL);
    player_pool_free(pool);
    return status;
}
