/* A task of a pool as a case of tp_select. docs/select.md.
 * The ends of tasks wake all that wait in one of a pool's lists, so who is told attempts. */
#include "../base/status.h"
#include "../pool.h"
#include "../track.h"
#include "select_kind.h"

static bool attempt(struct tp_case *one, int *status)
{
    *status = one->ops->wait && one->ops->track ? one->ops->wait(one->thing, one->number, 0, one->value) : TP_ENOTSUP;
    return *status != TP_ETIMEDOUT;
}

static bool enlist(struct tp_case *one)
{
    return tp_track_enlist(one->ops->track(one->thing), one->number, &one->party.waiter);
}

static void delist(struct tp_case *one)
{
    tp_track_delist(one->ops->track(one->thing), one->number, &one->party.waiter);
}

struct tp_case tp_case_task(const struct tp_pool_ops *ops, void *pool, uint64_t id, struct tp_task_result *result)
{
    static const struct tp_case_kind kind = {attempt, enlist, delist, .is_served = false};
    return (struct tp_case){.kind = &kind, .ops = ops, .thing = pool, .value = result, .number = id};
}
