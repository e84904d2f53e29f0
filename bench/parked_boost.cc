// parked, Boost.Context: fibers on stacks that are mapped one by one, each with a guard page, all suspended at once.
#include "parked.h"

#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <vector>

using boost::context::fiber;

enum { STACK_BYTES = 65536 };

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    std::vector<fiber> all(bench.n_tasks);
    uint64_t n_woken = 0;
    uint64_t before = parked_memory();
    for (fiber &one : all) {
        one = fiber{std::allocator_arg, boost::context::protected_fixedsize_stack{STACK_BYTES}, [&n_woken](fiber &&resumer) {
                        resumer = std::move(resumer).resume();
                        n_woken++;
                        return std::move(resumer);
                    }};
        one = std::move(one).resume();
    }
    parked_report(&bench, before);
    for (fiber &one : all)
        one = std::move(one).resume();
    bench_check(n_woken == bench.n_tasks, "not all were woken");
    return 0;
}
