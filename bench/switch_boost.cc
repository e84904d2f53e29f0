// switch, Boost.Context: one fiber, resumed again and again, which counts and goes back.
#include "bench.h"

#include <boost/context/fiber.hpp>

using boost::context::fiber;

static uint64_t resume_all(const struct bench *bench, void *)
{
    uint64_t n_run = 0;
    bool ends = false;
    fiber one{[&](fiber &&resumer) {
        while (!ends) {
            n_run++;
            resumer = std::move(resumer).resume();
        }
        return std::move(resumer);
    }};
    for (uint64_t i = 0; i < bench->n_tasks; i++)
        one = std::move(one).resume();
    ends = true;
    one = std::move(one).resume();
    return n_run;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    return bench_run(&bench, resume_all, nullptr);
}
