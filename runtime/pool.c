/* What all pools have in common: whether the settings that were asked for are those in force. */
#include "pool.h"

#include "base/status.h"

static bool number_fits(uint64_t asked, uint64_t is)
{
    return asked == 0 || asked == is;
}

int tp_pool_settings_fit(const struct tp_pool_settings *asked, const struct tp_pool_settings *is)
{
    bool fits = number_fits(asked->workers, is->workers) && number_fits(asked->workers_min, is->workers_min) &&
                number_fits(asked->workers_max, is->workers_max) && number_fits(asked->waiting_max, is->waiting_max) &&
                number_fits(asked->capacity, is->capacity) && number_fits(asked->preallocate, is->preallocate) &&
                number_fits(asked->deadline_ns, is->deadline_ns) && number_fits(asked->timeout_ns, is->timeout_ns) &&
                number_fits(asked->expire_ns, is->expire_ns) && number_fits(asked->policy, is->policy) &&
                number_fits(asked->stealing, is->stealing) && number_fits(asked->overload, is->overload) &&
                number_fits(asked->affinity, is->affinity) && number_fits(asked->tasks, is->tasks) && number_fits(asked->seed, is->seed);
    for (unsigned i = 0; fits && i < TP_CLASSES_MAX; i++)
        fits = number_fits(asked->weights[i], is->weights[i]) && asked->weights[i] <= TP_WEIGHT_MAX;
    return fits ? 0 : TP_EINVAL;
}
