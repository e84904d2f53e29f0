/* Looks at all pools. The roll is locked while numbers are copied, and nothing else happens under its lock: no allocation, no output.
 * Pools that come between counting and copying are left to the next look. */
#include "look.h"

#include "../base/status.h"
#include "../clock.h"
#include "../fibers.h"
#include "roll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void look_at_waits(struct tp_look_waits *seen, struct tp_fibers *fibers)
{
    const struct tp_driver *driver = &fibers->lookout.driver; /* relaxed, all of it: numbers on their own */
    *seen = (struct tp_look_waits){
        .n_linked = tp_load_rlx(&driver->n_linked),
        .n_polls = tp_load_rlx(&driver->n_polls),
        .n_vain_polls = tp_load_rlx(&driver->n_vain),
        .n_events = tp_load_rlx(&driver->n_told),
    };
    for (uint32_t i = 0; i < fibers->n_caches; i++) {
        const struct tp_alarms *alarms = &tp__fibers_cache(fibers, i)->alarms;
        seen->n_set += tp_load_rlx(&alarms->n_set); /* relaxed: as above */
        seen->n_cleared += tp_load_rlx(&alarms->n_cleared);
        seen->n_rung += tp_load_rlx(&alarms->n_rung);
        seen->n_called += tp_load_rlx(&alarms->n_called);
    }
}

static void look_at(struct tp_look *look, const struct tp_roll_entry *entry, size_t n_room)
{
    const struct tp_pool_ops *ops = entry->ops;
    struct tp_look_pool *seen = &look->pools[look->n_pools++];
    memset(seen, 0, sizeof *seen);
    snprintf(seen->name, sizeof seen->name, "%s", ops->name);
    seen->number = entry->number;
    seen->has_stats = ops->stats != NULL;
    seen->has_fibers = entry->fibers != NULL;
    ops->counts(entry->pool, &seen->counts);
    if (ops->stats)
        ops->stats(entry->pool, &seen->stats);
    if (ops->flow)
        ops->flow(entry->pool, &seen->n_accepted, &seen->n_over);
    if (entry->fibers) {
        seen->stack_bytes = entry->fibers->stack_bytes;
        look_at_waits(&seen->waits, entry->fibers);
    }
    seen->first_worker = look->n_workers;
    if (ops->workers) {
        size_t n = ops->workers(entry->pool, look->workers + look->n_workers, n_room - look->n_workers);
        seen->n_workers = n < n_room - look->n_workers ? n : n_room - look->n_workers;
    }
    look->n_workers += seen->n_workers;
}

int tp_look_take(struct tp_look *look)
{
    size_t n_pools = 0, n_workers = 0;
    memset(look, 0, sizeof *look);
    for (struct tp_roll_entry *entry = tp__roll_lock(); entry; entry = entry->next) {
        n_pools++;
        n_workers += entry->ops->workers ? entry->ops->workers(entry->pool, NULL, 0) : 0;
    }
    tp__roll_unlock();
    look->pools = malloc((n_pools + 1) * sizeof *look->pools);
    look->workers = malloc((n_workers + 1) * sizeof *look->workers);
    if (!look->pools || !look->workers) {
        tp_look_free(look);
        return TP_ENOMEM;
    }
    look->now_ns = tp_clock_now_ns();
    for (struct tp_roll_entry *entry = tp__roll_lock(); entry && look->n_pools < n_pools; entry = entry->next)
        look_at(look, entry, n_workers);
    tp__roll_unlock();
    return 0;
}

void tp_look_free(struct tp_look *look)
{
    free(look->pools);
    free(look->workers);
    memset(look, 0, sizeof *look);
}
