/* Room for descriptors. docs/io.md. */
#include "room.h"

#include "../base/status.h"
#include "../clock.h"
#include "../park.h"
#include "../sleep.h"

static tp_atomic(uint64_t) n_made; /* descriptors closed, ever */
static struct tp_waitlist waiting;

void tp__room_init(void)
{
    tp_waitlist_init(&waiting);
}

void tp__room_made(void)
{
    tp_add_sc(&n_made, 1); /* before the look for who waits [PARK-1] */
    tp_waitlist_notify(&waiting, UINT32_MAX);
}

uint64_t tp__room_seen(void)
{
    return tp_load_sc(&n_made); /* one order with the addition: before the attempt */
}

int tp__room_wait(uint64_t seen, uint64_t deadline_ns)
{
    struct tp_waiter waiter;
    uint64_t until_ns = tp_deadline_in_ns(TP_ROOM_NS);
    bool is_last = deadline_ns <= until_ns;
    tp_waitlist_prepare(&waiting, &waiter);
    if (tp__room_seen() != seen) {
        tp_waitlist_cancel(&waiting, &waiter);
        return 0;
    }
    int status = tp_waitlist_wait(&waiting, &waiter, is_last ? deadline_ns : until_ns);
    return status == TP_ETIMEDOUT && !is_last ? 0 : status;
}

uint32_t tp__room_n_waiting(void)
{
    return tp_load_rlx(&waiting.n_waiting); /* relaxed: nothing depends on it */
}

int tp__room_pause(uint64_t duration_ns, uint64_t deadline_ns)
{
    uint64_t until_ns = tp_deadline_in_ns(duration_ns);
    int status = tp_sleep_until(until_ns < deadline_ns ? until_ns : deadline_ns);
    return status == 0 && deadline_ns <= until_ns ? TP_ETIMEDOUT : status;
}
