// ping-pong, Boost.Fiber: two fibers send a number back and forth through two channels without room: unbuffered_channel. On one
// thread, with the scheduler that is the default; on two, one fiber each.
#include "bench.h"

#include <boost/fiber/all.hpp>

#include <thread>

using channel = boost::fibers::unbuffered_channel<std::uint64_t>;

static std::uint64_t play_side(channel &in, channel &out, bool serves, std::uint64_t n_messages)
{
    std::uint64_t n = 0, value = 0;
    if (serves)
        out.push(0);
    while (in.pop(value) == boost::fibers::channel_op_status::success) {
        n++;
        if (++value == n_messages)
            out.close();
        else
            out.push(value);
        if (value >= n_messages)
            break;
    }
    return n;
}

static std::uint64_t play(const struct bench *bench, void *)
{
    channel ping, pong;
    std::uint64_t n[2] = {};
    auto first = [&] { n[0] = play_side(ping, pong, true, bench->n_tasks); };
    auto second = [&] { n[1] = play_side(pong, ping, false, bench->n_tasks); };
    if (bench->n_workers == 1) {
        boost::fibers::fiber a(first), b(second);
        a.join();
        b.join();
    } else {
        std::thread a([&] { boost::fibers::fiber(first).join(); }), b([&] { boost::fibers::fiber(second).join(); });
        a.join();
        b.join();
    }
    return n[0] + n[1];
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    return bench_run(&bench, play, nullptr);
}
