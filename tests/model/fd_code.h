/* The library's descriptors for the explorer: the table, the waits, the links, the driver and tp_select as they are, with the seeded bugs of
 * test_fd.c; below them the kernel of device.c; above them tasks, each a thread of the model that sleeps on a word. Included by one file.
 * Invariant: with habit GOOD each function does what it does in the library. */
#ifndef MODEL_FD_CODE_H
#define MODEL_FD_CODE_H

#include "device.h"
#include "model.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/fibers.h"
#include "runtime/futex.h"
#include "runtime/io/fd_slot.h"

#include <stdlib.h>
#include <string.h>

enum { THREADS = 8,
    POOLS = DEVICE_POLLERS };

/* Seeded bugs. */
enum habit { GOOD,
    NOTES_LATE,           /* an event sets the bits after it has looked at the line */
    COUNTS_NO_EVENT,      /* and does not add to the count */
    JOINS_BLINDLY,        /* who enters the line does not look at the bits */
    TAKES_BACK_ANYHOW,    /* a call takes the bit back, whatever has happened meanwhile */
    JOINS_THOUGH_CLOSING, /* who enters the line does not look whether it is closed */
    SLEEPS_THOUGH_CLOSED, /* nor does a thread before it sleeps */
    DOES_NOT_COUNT,       /* a call does not hold the number */
    KEEPS_REGISTRATIONS,  /* who closes a descriptor does not withdraw them */
    EVENTS_HAVE_NO_TAG,   /* an event is for whatever is open under the number */
    ENDS_SILENTLY,        /* the end of a registration sets no bits */
    REMOVES_LATE,         /* a link is removed after who waits was woken */
    ENDS_IN_NO_CALL,      /* who tells of that end does not hold the number */
    AWAITS_NO_GUESTS      /* who frees a driver does not wait for those in its poller */
};
static enum habit habit;

/* What a habit puts off until the thread has given a lock up. */
static struct late {
    struct tp_fd_slot *slot;
    uint32_t bits;
    const struct tp_driver *driver; /* of the link to be removed; NULL: it is bits */
    uint64_t data;
} late[THREADS];

static void give_up(struct tp_spin *lock)
{
    tp_spin_unlock(lock);
    struct late what = model_self() < THREADS ? late[model_self()] : (struct late){NULL};
    if (!what.slot)
        return;
    late[model_self()].slot = NULL;
    if (what.driver)
        tp__link_remove(what.slot, what.driver, what.data);
    else
        note(what.slot, what.bits);
}

static void note_in(const char *function, struct tp_fd_slot *slot, uint32_t bits)
{
    if (habit == NOTES_LATE && strcmp(function, "tp__fd_event") == 0) {
        late[model_self()] = (struct late){slot, bits, NULL, 0};
    } else if (habit == COUNTS_NO_EVENT) {
        uint32_t ready = tp_load_rlx(&slot->ready);
        while (!tp_cas_sc(&slot->ready, &ready, ready | bits))
            ;
    } else if (habit != ENDS_SILENTLY || strcmp(function, "tp__slot_end_link") != 0) {
        note(slot, bits);
    }
}

static void remove_link(struct tp_fd_slot *slot, const struct tp_driver *driver, uint64_t data)
{
    if (habit == REMOVES_LATE)
        late[model_self()] = (struct late){slot, 0, driver, data};
    else
        tp__link_remove(slot, driver, data);
}

static bool is_blind(const char *function)
{
    return (habit == JOINS_THOUGH_CLOSING && strcmp(function, "tp__slot_join") == 0) ||
           (habit == SLEEPS_THOUGH_CLOSED && strcmp(function, "wait_as_thread") == 0);
}

static void take_back_anyhow(struct tp_fd_slot *slot, uint32_t seen, unsigned what)
{
    if (habit == TAKES_BACK_ANYHOW)
        seen = tp_load_rlx(&slot->ready);
    take_back(slot, seen, what);
}

static struct tp_fd_slot *enter_call(struct tp_fd fd)
{
    struct tp_fd_slot *slot = tp__slot_enter(fd);
    if (slot && habit == DOES_NOT_COUNT)
        tp__slot_leave(slot, fd.fd);
    return slot;
}

static void leave_call(struct tp_fd_slot *slot, int fd)
{
    if (habit != DOES_NOT_COUNT)
        tp__slot_leave(slot, fd);
}

static struct tp_fd handle; /* of the number's first life, by the scenario */
static void deliver(const struct tp_driver *driver, const struct tp_driver_event *event);

/* Those below and at the number are enough. */
static void *new_slots(size_t bytes)
{
    return memset(model_alloc((DEVICE_NUMBER + 1) * bytes), 0, (DEVICE_NUMBER + 1) * bytes);
}

#define calloc(n, bytes) new_slots(bytes)
#define malloc model_alloc
#define free model_free
#include "runtime/io/errors.c"
#include "runtime/sync/line.c"

#define tp_driver_is_own(driver) (habit != KEEPS_REGISTRATIONS && tp_driver_is_own(driver))
#include "runtime/io/fd_link.c"
#undef tp_driver_is_own

#define note(slot, bits) note_in(__func__, slot, bits)
#define tp__link_remove remove_link
#define tp_spin_unlock give_up
#include "runtime/io/fd.c"
#undef note
#undef tp__link_remove
#undef tp_spin_unlock

#define ready_of(ready, what) (habit == JOINS_BLINDLY && strcmp(__func__, "tp__slot_join") == 0 ? 0 : ready_of(ready, what))
#define is_closing(slot) (!is_blind(__func__) && is_closing(slot))
#define take_back take_back_anyhow
#define tp__slot_enter enter_call
#define tp__slot_leave leave_call
#include "runtime/io/fd_wait.c"
#undef ready_of
#undef is_closing
#undef take_back
#undef tp__slot_enter
#undef tp__slot_leave

#define tp__fd_event deliver
#undef tp_load_acq
#define tp_load_acq(p) (habit == AWAITS_NO_GUESTS ? 0 : MODEL_LOAD(p, MODEL_ACQ))
#include "runtime/io/driver.c"
#undef tp__fd_event
#undef tp_load_acq
#define tp_load_acq(p) MODEL_LOAD(p, MODEL_ACQ)

#define aligned_alloc(align, bytes) model_alloc(bytes)
#include "runtime/sync/chan.c"
#define attempt attempt_fd
#include "runtime/io/case_fd.c"
#undef attempt
#define TP_SELECT_DRAW(n) 0
#include "runtime/sync/select.c"

/* What the driver calls for each event. */
static void deliver(const struct tp_driver *driver, const struct tp_driver_event *event)
{
    struct tp_driver_event one = *event;
    if (habit == EVENTS_HAVE_NO_TAG)
        one.data = data_of((uint32_t)(tp_load_acq(&find_slot(DEVICE_NUMBER)->state) >> TAG_SHIFT), DEVICE_NUMBER);
    struct tp_fd_slot *slot = one.is_last && habit == ENDS_IN_NO_CALL ? tp__slot_enter(handle) : NULL;
    if (slot) {
        tp__slot_leave(slot, handle.fd);
        tp__slot_end_link(slot, driver, one.data, one.status);
        one.is_last = false;
    }
    tp__fd_event(driver, &one);
}

/* -- tasks: in place of fibers.c, run.c and the rest ------------------------------------------------------ */

static struct tp_fibers pools[POOLS];
static struct tp_fiber fibers[THREADS];
static tp_atomic(uint32_t) permits[THREADS];
static bool is_task[THREADS];

struct tp_fiber *tp_fiber_self(void)
{
    return model_self() < THREADS && is_task[model_self()] ? &fibers[model_self()] : NULL;
}

int tp_fiber_sleep(struct tp_fiber *fiber, uint64_t deadline_ns)
{
    tp_atomic(uint32_t) *permit = &permits[fiber - fibers];
    int status = tp_futex_wait(permit, 0, deadline_ns);
    tp_swap_acq(permit, 0); /* pairs with the exchange in tp_fiber_wake */
    return status;
}

void tp_fiber_wake(struct tp_fiber *fiber, uint64_t generation)
{
    tp_atomic(uint32_t) *permit = &permits[fiber - fibers];
    model_check(generation == fiber->generation);
    tp_swap_sc(permit, 1);
    tp_futex_wake(permit, 1);
}

void tp__fiber_hold(struct tp_fiber *fiber)
{
    (void)fiber;
}

void tp__fiber_call(struct tp_fiber *fiber, uint64_t generation)
{
    tp_fiber_wake(fiber, generation);
}

int *tp_co_errno(void)
{
    return &errno;
}

int tp_lookout_open(struct tp_fibers *those)
{
    return tp_driver_open(&those->lookout.driver);
}

void tp_lookout_glance(struct tp_fibers *those)
{
    (void)those;
}

int tp_yield(void)
{
    return 0;
}

int tp_task_check(void)
{
    return 0;
}

int tp_run_check(const struct tp_run *run)
{
    (void)run;
    return 0;
}

int tp__offload(ssize_t (*call)(int fd, enum tp_fd_kind kind, void *argument), int fd, void *argument, uint64_t deadline_ns, ssize_t *done)
{
    (void)call;
    (void)fd;
    (void)argument;
    (void)deadline_ns;
    (void)done;
    model_check(false);
    return 0;
}

void tp__room_init(void)
{
}

void tp__room_made(void)
{
}

#endif
