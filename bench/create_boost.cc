// create, Boost.Context: a fiber is made, runs to its end, and is gone. Variants: "" takes stacks from Boost's pool of them; "fresh"
// has each stack mapped by the system, with a guard page.
#include "bench.h"

#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cstring>

using boost::context::fiber;

enum { STACK_BYTES = 65536 };

template <class Stacks>
static uint64_t create_all(const struct bench *bench, Stacks &stacks)
{
    uint64_t n_run = 0;
    for (uint64_t i = 0; i < bench->n_tasks; i++) {
        fiber one{std::allocator_arg, stacks, [&](fiber &&resumer) {
                      n_run++;
                      return std::move(resumer);
                  }};
        one = std::move(one).resume();
    }
    return n_run;
}

static uint64_t pooled(const struct bench *bench, void *)
{
    static boost::context::pooled_fixedsize_stack stacks{STACK_BYTES};
    return create_all(bench, stacks);
}

static uint64_t fresh(const struct bench *bench, void *)
{
    boost::context::protected_fixedsize_stack stacks{STACK_BYTES};
    return create_all(bench, stacks);
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    return bench_run(&bench, std::strcmp(bench.variant, "fresh") == 0 ? fresh : pooled, nullptr);
}
