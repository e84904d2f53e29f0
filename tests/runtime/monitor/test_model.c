/* The performance model's arithmetic: bounds, Erlang's formula against known values, limits, and what is refused. */
#include "tests/support/unit.h"

#include "runtime/base/status.h"
#include "runtime/monitor/model.h"

#include <math.h>
#include <string.h>

static const struct tp_model_costs costs = {.submit_ns = 100, .run_ns = 200, .wake_ns = 5000, .n_cpus = 4};

static void expect_near(double is, double wanted)
{
    double difference = is > wanted ? is - wanted : wanted - is;
    if (difference > 1e-6 * wanted)
        fail_msg("%.9g is not %.9g", is, wanted);
}

static struct tp_model_forecast forecast_of(struct tp_model_load load)
{
    struct tp_model_forecast forecast;
    assert_int_equal(tp_model_forecast_of(&costs, &load, &forecast), 0);
    return forecast;
}

/* For one worker it is the utilisation; others as in tables of the formula. */
static void test_erlang_c(void **state)
{
    (void)state;
    expect_near(tp_model_erlang_c(1, 0.25), 0.25);
    expect_near(tp_model_erlang_c(2, 1), 1.0 / 3);
    expect_near(tp_model_erlang_c(4, 3.2), 0.5964324717874046);
    expect_near(tp_model_erlang_c(10, 8), 0.40918015079644354);
    expect_near(tp_model_erlang_c(3, 0), 0);
    expect_near(tp_model_erlang_c(3, 3), 1);
    expect_near(tp_model_erlang_c(3, 30), 1);
    assert_true(tp_model_erlang_c(4096, 4000) < 1); /* neither overflows nor loses itself */
    assert_true(tp_model_erlang_c(4096, 4000) > 0.01);
}

/* Workers, processors and the submitter: each is the narrow place once. */
static void test_what_bounds(void **state)
{
    (void)state;
    expect_near(forecast_of((struct tp_model_load){.task_ns = 800, .n_workers = 2}).throughput, 2e6);
    expect_near(forecast_of((struct tp_model_load){.task_ns = 4700, .n_workers = 40}).throughput, 4e9 / 5000);
    expect_near(forecast_of((struct tp_model_load){.task_ns = 0, .n_workers = 40}).throughput, 1e7);
    expect_near(forecast_of((struct tp_model_load){.task_ns = 9800, .blocked = 0.9, .n_workers = 40}).throughput, 4e9 / 1280);
    expect_near(forecast_of((struct tp_model_load){.task_ns = 9800, .blocked = 0.99, .n_workers = 40}).throughput, 4e6);
}

static void test_rate_below_most(void **state)
{
    (void)state;
    struct tp_model_forecast forecast = forecast_of((struct tp_model_load){.rate = 5e5, .task_ns = 800, .n_workers = 2});
    expect_near(forecast.most, 2e6);
    expect_near(forecast.throughput, 5e5);
    expect_near(forecast.utilisation, 0.25);
}

/* M/D/1: rho * S / 2(1 - rho); M/M/1: twice that; besides, who finds the worker asleep waits for it to wake. */
static void test_latency(void **state)
{
    (void)state;
    struct tp_model_load load = {.rate = 5e5, .task_ns = 800, .n_workers = 1};
    expect_near(forecast_of(load).latency_ns, 500 + 0.5 * 5000);
    load.variation = 1;
    expect_near(forecast_of(load).latency_ns, 1000 + 0.5 * 5000);
    load.n_workers = 2; /* offered 0.5: a tenth waits, for 1000 / 1.5 */
    expect_near(forecast_of(load).latency_ns, 0.1 * 1000 / 1.5 + 0.9 * 5000);
    load.capacity = 2; /* and so few in flight cannot take longer than it takes to do them */
    expect_near(forecast_of(load).latency_ns, 2 / 5e-4);
}

/* A full pool: what is in flight over what is done. */
static void test_full(void **state)
{
    (void)state;
    struct tp_model_load load = {.rate = 1e9, .task_ns = 800, .n_workers = 2, .capacity = 1000};
    expect_near(forecast_of(load).latency_ns, 1000 / 2e-3 - 1000);
    expect_near(forecast_of(load).utilisation, 1);
    load.capacity = 1;
    expect_near(forecast_of(load).latency_ns, 0);
    load.capacity = 0;
    assert_true(isinf(forecast_of(load).latency_ns));
}

/* More never makes it worse: workers, up to the processors; nor does a shorter task. */
static void test_monotony(void **state)
{
    (void)state;
    double before = 0;
    for (unsigned n = 1; n < 100; n++) {
        double now = forecast_of((struct tp_model_load){.task_ns = 1000, .n_workers = n}).throughput;
        assert_true(now >= before);
        before = now;
    }
    for (double rate = 1e5; rate < 9e5; rate += 1e5) {
        struct tp_model_forecast slow = forecast_of((struct tp_model_load){.rate = rate, .task_ns = 900, .n_workers = 1});
        struct tp_model_forecast quick = forecast_of((struct tp_model_load){.rate = rate, .task_ns = 900, .n_workers = 3});
        assert_true(quick.utilisation < slow.utilisation);
        assert_true(quick.throughput >= slow.throughput);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct tp_model_load loads[] = {
        {.task_ns = 1},
        {.task_ns = -1, .n_workers = 1},
        {.task_ns = 1, .n_workers = 1, .rate = -1},
        {.task_ns = 1, .n_workers = 1, .blocked = 1},
        {.task_ns = 1, .n_workers = 1, .blocked = -0.1},
        {.task_ns = 1, .n_workers = 1, .variation = -1},
        {.task_ns = 1, .n_workers = 1, .capacity = -1},
        {.task_ns = (double)NAN, .n_workers = 1},
        {.task_ns = (double)INFINITY, .n_workers = 1},
    };
    struct tp_model_forecast untouched = {1, 2, 3, 4}, out = untouched;
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
        assert_int_equal(tp_model_forecast_of(&costs, &loads[i], &out), TP_EINVAL);
    const struct tp_model_costs free_of_charge = {.n_cpus = 1}, no_cpu = {.run_ns = 1};
    const struct tp_model_load nothing = {.n_workers = 1};
    assert_int_equal(tp_model_forecast_of(&free_of_charge, &nothing, &out), TP_EINVAL);
    assert_int_equal(tp_model_forecast_of(&no_cpu, &nothing, &out), TP_EINVAL);
    assert_memory_equal(&out, &untouched, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_erlang_c),
        cmocka_unit_test(test_what_bounds),
        cmocka_unit_test(test_rate_below_most),
        cmocka_unit_test(test_latency),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_monotony),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
