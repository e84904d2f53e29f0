/* The performance model: asymptotic bounds for throughput, Erlang's formula and a correction for latency (docs/model.md). */
#include "model.h"

#include "../base/status.h"

#include <math.h>
#include <stdbool.h>

static const double SECOND_NS = 1e9;

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* By the recursion for Erlang's B, which neither overflows nor cancels [MODEL-3]. */
double tp_model_erlang_c(unsigned n_workers, double offered)
{
    if (!(offered < n_workers))
        return 1;
    double b = 1;
    for (unsigned n = 1; n <= n_workers; n++)
        b = offered * b / (n + offered * b);
    double used = offered / n_workers;
    return b / (1 - used * (1 - b));
}

static bool is_sound(const struct tp_model_costs *costs, const struct tp_model_load *load)
{
    const double numbers[] = {costs->submit_ns, costs->run_ns, costs->wake_ns, load->rate, load->task_ns, load->variation, load->capacity};
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!(numbers[i] >= 0) || isinf(numbers[i]))
            return false;
    return costs->n_cpus > 0 && load->n_workers > 0 && load->blocked >= 0 && load->blocked < 1 && costs->run_ns + load->task_ns > 0;
}

/* Tasks per nanosecond at most: no more than the workers can do, than the processors can do, than one submitter can hand in [MODEL-1]. */
static double most_per_ns(const struct tp_model_costs *costs, const struct tp_model_load *load)
{
    double held_ns = load->task_ns + costs->run_ns;
    double used_ns = load->task_ns * (1 - load->blocked) + costs->run_ns + costs->submit_ns;
    double most = least(load->n_workers / held_ns, costs->n_cpus / used_ns);
    return costs->submit_ns > 0 ? least(most, 1 / costs->submit_ns) : most;
}

int tp_model_forecast_of(const struct tp_model_costs *costs, const struct tp_model_load *load, struct tp_model_forecast *out)
{
    if (!is_sound(costs, load))
        return TP_EINVAL;
    double held_ns = load->task_ns + costs->run_ns, most = most_per_ns(costs, load), rate = load->rate / SECOND_NS;
    bool is_full = load->rate == 0 || rate >= most;
    double does = is_full ? most : rate, latency_ns;
    if (is_full) {
        /* Little's law over the pool, which is full [MODEL-2]. */
        latency_ns = load->capacity > 0 ? load->capacity / does - held_ns : (double)INFINITY;
        latency_ns = latency_ns > 0 ? latency_ns : 0;
    } else {
        /* As many equal servers as the bound above allows, rounded up: each busy for servers / most per task [MODEL-3]. */
        double servers = most * held_ns;
        unsigned n_servers = (unsigned)servers + ((unsigned)servers < servers - 1e-9);
        double service_ns = n_servers / most, offered = rate * service_ns;
        double queued = tp_model_erlang_c(n_servers, offered);
        double wait_ns = queued * service_ns / (n_servers - offered) * (1 + load->variation * load->variation) / 2;
        latency_ns = wait_ns + (1 - queued) * costs->wake_ns;
        if (load->capacity > 0)
            latency_ns = least(latency_ns, load->capacity / does);
    }
    *out = (struct tp_model_forecast){
        .most = most * SECOND_NS,
        .throughput = does * SECOND_NS,
        .utilisation = least(does * held_ns / load->n_workers, 1),
        .latency_ns = latency_ns,
    };
    return 0;
}
