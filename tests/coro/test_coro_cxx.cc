// Coroutines in C++: exceptions inside of one, and two that yield inside of `catch` and leave it in crossed order.
// Prints "N passed, N failed".
#include "coro/coro.h"

#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

static int n_passed, n_failed, n_wrong;

static void expect(bool ok, const char *what)
{
    n_wrong += !ok;
    if (!ok)
        std::printf("does not hold: %s\n", what);
}

static void run(void (*test)())
{
    n_wrong = 0;
    test();
    (n_wrong == 0 ? n_passed : n_failed)++;
}

static tp_co *start(void *(*entry)(void *), const char *name)
{
    tp_co *co = nullptr;
    expect(tp_co_new(&co, entry, const_cast<char *>(name), nullptr) == 0, "new");
    return co;
}

static void resume(tp_co *co, int times)
{
    while (times-- > 0)
        expect(tp_co_resume(co, nullptr, nullptr) == 0, "resume");
}

// What is caught right now, through the C++ runtime's own list.
static std::string current()
{
    try {
        throw;
    } catch (const std::exception &e) {
        return e.what();
    }
}

// -- thrown, caught, rethrown within ------------------------------------------------------------------

static void *throws_inside(void *)
{
    expect(std::uncaught_exceptions() == 0, "nothing in flight at the start");
    expect(!std::current_exception(), "nothing caught at the start");
    for (int i = 0; i < 3; i++) {
        try {
            try {
                throw std::runtime_error("inner");
            } catch (...) {
                tp_co_yield(nullptr, nullptr);
                throw;
            }
        } catch (const std::runtime_error &e) {
            expect(std::string(e.what()) == "inner", "rethrown over a yield");
        }
        expect(std::uncaught_exceptions() == 0, "nothing in flight afterwards");
    }
    return nullptr;
}

static void test_exceptions_stay_inside()
{
    tp_co *co = start(throws_inside, nullptr);
    resume(co, 1);
    expect(!std::current_exception(), "its exception is not ours");
    resume(co, 3);
    expect(tp_co_state(co) == TP_CO_DONE, "it ended");
    tp_co_free(co);
}

// -- crossed order ------------------------------------------------------------------------------------

static void *yields_in_catch(void *name)
{
    const std::string mine = static_cast<const char *>(name);
    try {
        throw std::runtime_error(mine);
    } catch (const std::runtime_error &e) {
        tp_co_yield(nullptr, nullptr);
        expect(current() == mine, "still its own after others threw and caught");
        try {
            throw std::logic_error(mine + " again");
        } catch (const std::logic_error &) {
            tp_co_yield(nullptr, nullptr);
            expect(current() == mine + " again", "the inner one, too");
        }
        tp_co_yield(nullptr, nullptr);
        expect(std::string(e.what()) == mine, "and alive");
        expect(current() == mine, "the outer one again");
    }
    expect(!std::current_exception(), "all left");
    expect(std::uncaught_exceptions() == 0, "none in flight");
    return nullptr;
}

static void test_crossed_catch_blocks()
{
    tp_co *a = start(yields_in_catch, "a"), *b = start(yields_in_catch, "b");
    try {
        throw std::runtime_error("outside");
    } catch (...) {
        resume(a, 1);
        resume(b, 2);
        resume(a, 2);
        expect(current() == "outside", "ours in between");
        resume(b, 1);
        resume(a, 1);
        expect(current() == "outside", "ours still");
        resume(b, 1);
    }
    expect(tp_co_state(a) == TP_CO_DONE && tp_co_state(b) == TP_CO_DONE, "both ended");
    expect(!std::current_exception(), "nothing is left of either");
    tp_co_free(a);
    tp_co_free(b);
}

// -- a coroutine that is run while an exception is in flight --------------------------------------------

struct resumes_when_destroyed {
    tp_co *co;
    ~resumes_when_destroyed()
    {
        expect(std::uncaught_exceptions() == 1, "one in flight here");
        resume(co, 1);
        expect(std::uncaught_exceptions() == 1, "and still");
    }
};

static void *sees_none_in_flight(void *)
{
    expect(std::uncaught_exceptions() == 0, "none in flight in the coroutine");
    try {
        throw std::runtime_error("while unwinding");
    } catch (...) {
        tp_co_yield(nullptr, nullptr);
    }
    return nullptr;
}

static void test_resumed_while_unwinding()
{
    tp_co *co = start(sees_none_in_flight, nullptr);
    try {
        resumes_when_destroyed guard{co};
        throw std::runtime_error("flies");
    } catch (const std::runtime_error &e) {
        expect(std::string(e.what()) == "flies", "arrives");
    }
    resume(co, 1);
    expect(tp_co_state(co) == TP_CO_DONE, "it ended");
    expect(tp_co_reset(co, sees_none_in_flight, nullptr) == 0, "reset");
    resume(co, 2);
    tp_co_free(co);
}

int main()
{
    run(test_exceptions_stay_inside);
    run(test_crossed_catch_blocks);
    run(test_resumed_while_unwinding);
    std::printf("%d passed, %d failed\n", n_passed, n_failed);
    return n_failed != 0;
}
