/* A descriptor as a case of tp_select. Events tell of it, so who is told attempts.
 * Invariant: an entry that is in the slot's queue is a call that is under way, so the slot stays its. */
#include "case_fd.h"

#include "../base/status.h"
#include "../fibers.h"
#include "../sync/select_kind.h"
#include "fd_slot.h"

static struct tp_fd fd_of(const struct tp_case *one)
{
    return (struct tp_fd){(int)(uint32_t)one->number, (uint32_t)(one->number >> 32)};
}

/* Looks, and if there is nothing sees to it that events come. */
static int look(struct tp_fd_slot *slot, struct tp_fd fd, unsigned what, unsigned *which)
{
    uint32_t seen = tp_load_acq(&slot->ready); /* acquire: the look comes after; pairs with the exchange in tp__fd_event */
    *which = tp__fd_look(fd.fd, what);
    if (*which != 0)
        return 0;
    struct tp_fiber *fiber = tp_fiber_self();
    if (!fiber)
        return TP_ENOTSUP;
    take_back(slot, seen, what | (what & TP_FD_READABLE ? READ_END : 0) | (what & TP_FD_WRITABLE ? WRITE_END : 0));
    int status = tp__slot_link(slot, fd, fiber->fibers);
    return status != 0 ? status : TP_ETIMEDOUT;
}

static bool attempt(struct tp_case *one, int *status)
{
    struct tp_fd fd = fd_of(one);
    struct tp_fd_slot *slot = tp__slot_enter(fd);
    unsigned which = 0;
    *status = slot ? look(slot, fd, (unsigned)one->party.wanted, &which) : TP_ESTALE;
    if (slot)
        tp__slot_leave(slot, fd.fd);
    if (*status == 0 && one->value)
        *(unsigned *)one->value = which;
    return *status != TP_ETIMEDOUT;
}

static bool enlist(struct tp_case *one)
{
    struct tp_fd fd = fd_of(one);
    struct tp_fd_slot *slot = tp__slot_enter(fd);
    if (!slot)
        return false;
    one->thing = slot;
    bool has_joined = tp__slot_join(slot, &one->party);
    if (!has_joined)
        tp__slot_leave(slot, fd.fd);
    return has_joined;
}

static void delist(struct tp_case *one)
{
    struct tp_fd_slot *slot = one->thing;
    tp_spin_lock(&slot->lock);
    if (!tp_waiter_is_woken(&one->party.waiter))
        tp_line_leave(&slot->line, &one->party);
    tp_spin_unlock(&slot->lock);
    tp__slot_leave(slot, fd_of(one).fd);
}

struct tp_case tp_case_fd(struct tp_fd fd, unsigned what, unsigned *which)
{
    static const struct tp_case_kind kind = {attempt, enlist, delist, .is_served = false};
    return (struct tp_case){.kind = &kind, .value = which, .number = (uint64_t)fd.tag << 32 | (uint32_t)fd.fd, .party.wanted = what};
}
