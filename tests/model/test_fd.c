/* Descriptors: what arrives is read by who waits for it, who waits for what is closed is told, a number is closed once and in time, and
 * nobody relies on a registration that has ended, or on a poller that was closed [FD-1] to [FD-4]. */
#include "fd_code.h"

/* -- threads ------------------------------------------------------------------------------------------- */

/* What a task is to do, and what came of it. */
struct part {
    struct tp_fd fd;
    uint64_t deadline_ns;
    unsigned n_bytes; /* to be read */
    bool waits_first; /* for what it reads */
    bool frees;       /* in the end, its driver */
    int status;
    unsigned n_read;
    bool is_done;
};

static struct part parts[THREADS];
static unsigned n_parts;
static struct tp_chan *chan;

static ssize_t call_take(int fd, enum tp_fd_kind kind, void *argument)
{
    model_check(kind == TP_FD_STREAM);
    return device_take(fd, *(const unsigned *)argument);
}

static bool was_less(void *argument, ssize_t n)
{
    return (unsigned)n < *(const unsigned *)argument;
}

/* Asks for all that is to be read, again and again. */
static void reader(void *argument)
{
    struct part *part = argument;
    while (part->status == 0 && part->n_read < part->n_bytes) {
        ssize_t n = 0;
        if (part->waits_first)
            part->status = tp_fd_wait(part->fd, TP_FD_READABLE, part->deadline_ns, NULL);
        if (part->status == 0)
            part->status = tp__fd_do(part->fd, TP_FD_READABLE, part->deadline_ns, call_take, was_less, &part->n_bytes, &n);
        part->n_read += part->status == 0 ? (unsigned)n : 0;
    }
    if (part->frees)
        tp_driver_free(&tp_fiber_self()->fibers->lookout.driver);
    part->is_done = true;
}

/* Waits for a byte or a value. */
static void selector(void *argument)
{
    struct part *part = argument;
    int value = 0;
    unsigned found = 0;
    size_t which = 9;
    struct tp_case cases[] = {tp_case_fd(part->fd, TP_FD_READABLE, &found), tp_case_recv(chan, &value)};
    part->status = tp_select(cases, 2, TP_FOREVER, &which);
    model_check(which < 2);
    model_check(found == (which == 0 && part->status == 0 ? TP_FD_READABLE : 0));
    model_check(value == (which == 1));
    part->is_done = true;
}

/* One of several who close it. */
static void rival(void *argument)
{
    struct part *part = argument;
    part->status = tp_fd_close(part->fd);
    part->is_done = true;
}

/* Another file comes to the number, and has a handle. */
static struct tp_fd open_next(void)
{
    struct tp_fd fd;
    device_await_closed(1);
    device_open();
    device_expect(2);
    model_check(tp__fd_adopt(DEVICE_NUMBER, TP_FD_STREAM, &fd) == 0);
    return fd;
}

static void opener(void *argument)
{
    (void)argument;
    open_next();
}

/* Ends the first life, and reads in the second. */
static void heir(void *argument)
{
    struct part *part = argument;
    model_check(tp_fd_close(part->fd) == 0);
    part->fd = open_next();
    reader(part);
}

/* One byte at a time arrives, each with an edge. */
static void sender(void *argument)
{
    for (uintptr_t left = (uintptr_t)argument; left > 0; left--)
        device_arrive(1, 1);
}

/* All at once. */
static void bulk_sender(void *argument)
{
    device_arrive(1, (unsigned)(uintptr_t)argument);
}

/* And before that an edge, for nothing. */
static void edge_and_bulk_sender(void *argument)
{
    device_arrive(1, 0);
    device_arrive(1, (unsigned)(uintptr_t)argument);
}

/* A byte in each of two lives. */
static void two_lives_sender(void *argument)
{
    (void)argument;
    device_arrive(1, 1);
    device_await_opened(2);
    device_arrive(2, 1);
}

/* A value for the channel. */
static void value_sender(void *argument)
{
    int one = 1;
    (void)argument;
    model_check(tp_chan_send(chan, &one, 0) == 0);
}

/* Who has the lookout. */
static void dispatcher(void *argument)
{
    struct tp_driver *driver = argument;
    for (;;) {
        tp_driver_poll(driver, TP_FOREVER);
        tp_driver_dispatch(driver);
    }
}

/* The pool of this driver ends. */
static void freer(void *driver)
{
    tp_driver_free(driver);
}

static void closer(void *argument)
{
    (void)argument;
    model_check(tp_fd_close(handle) == 0);
}

/* -- scenarios ------------------------------------------------------------------------------------------ */

static void set_up(unsigned variant)
{
    habit = (enum habit)(variant / 10);
    memset(late, 0, sizeof late);
    memset(permits, 0, sizeof permits);
    memset(is_task, 0, sizeof is_task);
    memset(parts, 0, sizeof parts);
    n_parts = 0;
    tp_store_rlx(&chunks[0], NULL);
    tp__links_init();
    device_reset();
    for (unsigned i = 0; i < POOLS; i++) {
        tp_driver_init(&pools[i].lookout.driver);
        tp_driver_open(&pools[i].lookout.driver);
    }
    device_open();
    model_check(tp__fd_adopt(DEVICE_NUMBER, TP_FD_STREAM, &handle) == 0);
    model_check(tp_chan_open(&chan, sizeof(int), 1) == 0);
    patience = (struct tp_patience){.penalty = 1};
}

static void dispatch(unsigned pool)
{
    model_thread(dispatcher, &pools[pool].lookout.driver);
}

/* A task of that pool, with the handle of the first life. */
static struct part *add(void (*body)(void *), unsigned pool, unsigned n_bytes)
{
    unsigned i = n_parts++;
    parts[i] = (struct part){.fd = handle, .deadline_ns = TP_FOREVER, .n_bytes = n_bytes};
    fibers[i] = (struct tp_fiber){.fibers = &pools[pool]};
    is_task[i] = true;
    model_check(model_thread(body, &parts[i]) == i);
    return &parts[i];
}

static bool all_done(void)
{
    bool are_done = true;
    for (unsigned i = 0; i < n_parts; i++)
        are_done = are_done && parts[i].is_done;
    return are_done;
}

/* Each life of the number has ended once, and nothing is left of it. */
static void check_end(void)
{
    unsigned n = device_n_opened();
    struct tp_fd_slot *slot = find_slot(DEVICE_NUMBER);
    device_expect(n);
    tp_fd_close((struct tp_fd){DEVICE_NUMBER, handle.tag + n - 1});
    model_check(device_n_closed() == n);
    model_check(!slot->line.first && !slot->links && !slot->threads && slot->driver == NULL);
    for (unsigned i = 0; i < POOLS; i++)
        model_check(pools[i].lookout.driver.n_linked == 0 && pools[i].lookout.driver.n_guests == 0);
    model_check(!chan->receivers.first);
    tp_chan_free(chan);
    model_check(model_n_blocks() == 1); /* the slots */
}

static void check_read(void)
{
    for (unsigned i = 0; i < n_parts; i++)
        model_check(parts[i].status == 0 && parts[i].n_read == parts[i].n_bytes);
    check_end();
}

/* [FD-1]: a byte, for one who reads at once. */
static void read_one(unsigned variant)
{
    set_up(variant);
    add(reader, 0, 1);
    model_thread(sender, (void *)1);
    dispatch(0);
}

/* Two bytes and two edges, of which one may be older than an attempt; a read that brings one takes the bit back. variant: what events tell. */
static void read_two(unsigned variant)
{
    set_up(variant);
    device_tells_past = variant % 10 > 0;
    add(reader, 0, 2);
    model_thread(sender, (void *)2);
    dispatch(0);
}

static void wait_and_read(unsigned variant)
{
    set_up(variant);
    add(reader, 0, 2)->waits_first = true;
    model_thread(sender, (void *)2);
    dispatch(0);
}

/* Two who are woken together. */
static void two_read(unsigned variant)
{
    set_up(variant);
    add(reader, 0, 1);
    add(reader, 0, 1);
    model_thread(bulk_sender, (void *)2);
    dispatch(0);
}

/* And one of them is a thread. */
static void task_and_thread(unsigned variant)
{
    two_read(variant);
    is_task[1] = false;
}

/* Each with a driver of its own. */
static void two_pools(unsigned variant)
{
    set_up(variant);
    add(reader, 0, 1);
    add(reader, 1, 1);
    model_thread(bulk_sender, (void *)2);
    dispatch(0);
    dispatch(1);
}

/* Time passes while it is woken. */
static void in_haste(unsigned variant)
{
    set_up(variant);
    add(reader, 0, 1)->deadline_ns = tp_deadline_in_ns(TP_SECOND);
    model_thread(sender, (void *)1);
    dispatch(0);
}

static void check_haste(void)
{
    model_check(parts[0].status == (parts[0].n_read == 1 ? 0 : TP_ETIMEDOUT));
    check_end();
}

/* [FD-2]: who has begun to wait, or is about to, is told. */
static void closed_under_reader(unsigned variant)
{
    set_up(variant);
    add(reader, 0, 1);
    model_thread(closer, NULL);
}

static void closed_under_thread(unsigned variant)
{
    closed_under_reader(variant);
    is_task[0] = false;
}

/* The number is given to another file as soon as it is free, which must not be before the calls are out: of a task, or a thread. */
static void reused_under_reader(unsigned variant)
{
    set_up(variant);
    add(reader, 0, 1);
    is_task[0] = variant % 10 == 0;
    model_thread(closer, NULL);
    model_thread(opener, NULL);
}

/* Whoever waits is told. */
static void check_closed(void)
{
    for (unsigned i = 0; i < n_parts; i++)
        model_check(parts[i].status == TP_ECLOSED || parts[i].status == TP_ESTALE);
    check_end();
}

/* One of two closes it. */
static void closed_twice(unsigned variant)
{
    set_up(variant);
    add(reader, 0, 1);
    add(rival, 0, 0);
    add(rival, 0, 0);
}

static void check_closed_twice(void)
{
    model_check((parts[1].status == 0 && parts[2].status == TP_ESTALE) || (parts[1].status == TP_ESTALE && parts[2].status == 0));
    n_parts = 1;
    check_closed();
}

/* Who waits in one life, and what is told of the one before, whose registration ends with an event that may be late; if variant says so, with an error. */
static void late_event(unsigned variant)
{
    set_up(variant);
    device_n_ends = 1;
    device_end_status = variant % 10 > 0 ? TP_EIO : 0;
    model_check(tp__slot_link(find_slot(DEVICE_NUMBER), handle, &pools[0]) == 0);
    add(heir, 0, 1);
    model_thread(two_lives_sender, NULL);
    dispatch(0);
}

/* tp_select, against events of the descriptor; if variant says so also against values, or a close. */
static void selected(unsigned variant)
{
    set_up(variant);
    add(selector, 0, 0);
    if (variant % 10 < 2) {
        model_thread(sender, (void *)1);
        dispatch(0);
    }
    if (variant % 10 == 1)
        model_thread(value_sender, NULL);
    if (variant % 10 == 2)
        model_thread(closer, NULL);
}

/* [FD-3]: two rely on one registration, which is refused if the first one makes it. */
static void refused(unsigned variant)
{
    set_up(variant);
    device_n_refused = 1;
    add(reader, 0, 1);
    add(reader, 0, 1);
    model_thread(bulk_sender, (void *)2);
    dispatch(0);
}

static void check_refused(void)
{
    model_check(parts[0].status == TP_ENOMEM || parts[0].status == 0);
    parts[0].status = 0;
    parts[0].n_read = 1;
    check_read();
}

/* And it is closed. */
static void refused_and_closed(unsigned variant)
{
    set_up(variant);
    device_n_refused = 1;
    add(reader, 0, 1);
    add(reader, 0, 1);
    model_thread(closer, NULL);
}

static void check_refused_and_closed(void)
{
    if (parts[0].status == TP_ENOMEM)
        parts[0].status = TP_ECLOSED;
    check_closed();
}

/* The registration ends, with an event of nothing. */
static void ended(unsigned variant)
{
    set_up(variant);
    device_n_ends = 1;
    add(reader, 0, 1);
    if (variant % 10 > 0)
        add(reader, 0, 1);
    model_thread(edge_and_bulk_sender, (void *)(uintptr_t)n_parts);
    dispatch(0);
}

/* [FD-4]: of so many drivers that watch it, the first is freed. */
static void freed_under_closer(unsigned variant)
{
    set_up(variant);
    for (unsigned i = 0; i < variant % 10; i++)
        model_check(tp__slot_link(find_slot(DEVICE_NUMBER), handle, &pools[i]) == 0);
    model_thread(closer, NULL);
    model_thread(freer, &pools[0].lookout.driver);
}

/* By who has been told of the close. */
static void freed_by_reader(unsigned variant)
{
    set_up(variant);
    add(reader, 0, 1)->frees = true;
    model_thread(closer, NULL);
}

enum { SOME = 20000 };

static const struct model_scenario scenarios[] = {
    {"fd: one byte", read_one, check_read, all_done, .preemptions = 3},
    {"fd: two bytes", read_two, check_read, all_done, .variant = 0, .preemptions = 2},
    {"fd: two bytes, told of as it was then", read_two, check_read, all_done, .variant = 1, .preemptions = 2},
    {"fd: two bytes, waited for", wait_and_read, check_read, all_done, .preemptions = 2},
    {"fd: two readers", two_read, check_read, all_done, .preemptions = 2, .max_executions = SOME},
    {"fd: closed under a reader", closed_under_reader, check_closed, all_done, .preemptions = 3},
    {"fd: closed under a thread", closed_under_thread, check_closed, all_done, .preemptions = 3},
    {"fd: closed under a reader, and opened", reused_under_reader, check_closed, all_done, .variant = 0, .preemptions = 3},
    {"fd: closed under a thread, and opened", reused_under_reader, check_closed, all_done, .variant = 1, .preemptions = 3},
    {"fd: opened again, a late error", late_event, check_read, all_done, .variant = 1, .preemptions = 2},
    {"fd: selected", selected, check_read, all_done, .variant = 0, .preemptions = 3},
    {"fd: selected, a value", selected, check_read, all_done, .variant = 1, .preemptions = 2},
    {"fd: closed under a select", selected, check_closed, all_done, .variant = 2, .preemptions = 3},
    {"fd: closed twice", closed_twice, check_closed_twice, all_done, .preemptions = 2},
    {"fd: a task and a thread", task_and_thread, check_read, all_done, .preemptions = 2, .max_executions = SOME},
    {"fd: two pools", two_pools, check_read, all_done, .preemptions = 1, .max_executions = SOME},
    {"fd: in haste", in_haste, check_haste, all_done, .preemptions = 2, .timeouts = 1},
    {"fd: refused", refused, check_refused, all_done, .preemptions = 2, .max_executions = SOME},
    {"fd: refused and closed", refused_and_closed, check_refused_and_closed, all_done, .preemptions = 2},
    {"fd: ended", ended, check_read, all_done, .variant = 0, .preemptions = 2},
    {"fd: ended under two readers", ended, check_read, all_done, .variant = 1, .preemptions = 2, .max_executions = SOME},
    {"fd: freed", freed_under_closer, check_end, all_done, .variant = 1, .preemptions = 3},
    {"fd: freed by a reader", freed_by_reader, check_closed, all_done, .preemptions = 3},
    {"fd: freed, one of two", freed_under_closer, check_end, all_done, .variant = 2, .preemptions = 3},

    {"fd: one byte; the bits are set after the look at the line", read_one, check_read, all_done, .variant = 10 * NOTES_LATE, .preemptions = 2, .must_fail = true},
    {"fd: one byte; no look at the bits under the lock", read_one, check_read, all_done, .variant = 10 * JOINS_BLINDLY, .preemptions = 2, .must_fail = true},
    {"fd: two bytes; the bit is taken back anyhow", read_two, check_read, all_done, .variant = 10 * TAKES_BACK_ANYHOW, .preemptions = 2, .must_fail = true},
    {"fd: two bytes; events are not counted", read_two, check_read, all_done, .variant = 10 * COUNTS_NO_EVENT, .preemptions = 2, .must_fail = true},
    {"fd: closed; no look at that under the lock", closed_under_reader, check_closed, all_done, .variant = 10 * JOINS_THOUGH_CLOSING, .preemptions = 2, .must_fail = true},
    {"fd: closed; a thread does not look at that", closed_under_thread, check_closed, all_done, .variant = 10 * SLEEPS_THOUGH_CLOSED, .preemptions = 2, .must_fail = true},
    {"fd: closed; calls are not counted", reused_under_reader, check_closed, all_done, .variant = 10 * DOES_NOT_COUNT, .preemptions = 2, .must_fail = true},
    {"fd: opened again; a registration is kept", late_event, check_read, all_done, .variant = 10 * KEEPS_REGISTRATIONS, .preemptions = 2, .must_fail = true},
    {"fd: opened again; events have no tag", late_event, check_read, all_done, .variant = 10 * EVENTS_HAVE_NO_TAG, .preemptions = 2, .must_fail = true},
    {"fd: opened again; an end is told in no call", late_event, check_read, all_done, .variant = 1 + 10 * ENDS_IN_NO_CALL, .preemptions = 2, .must_fail = true},
    {"fd: selected; no look at the bits under the lock", selected, check_read, all_done, .variant = 10 * JOINS_BLINDLY, .preemptions = 2, .must_fail = true},
    {"fd: refused; no bits are set", refused, check_refused, all_done, .variant = 10 * ENDS_SILENTLY, .preemptions = 2, .must_fail = true},
    {"fd: ended; no bits are set", ended, check_read, all_done, .variant = 10 * ENDS_SILENTLY, .preemptions = 2, .must_fail = true},
    {"fd: refused; the link is removed late", refused, check_refused, all_done, .variant = 10 * REMOVES_LATE, .preemptions = 2, .must_fail = true},
    {"fd: ended; the link is removed late", ended, check_read, all_done, .variant = 10 * REMOVES_LATE, .preemptions = 3, .must_fail = true},
    {"fd: freed; without the wait for guests", freed_under_closer, check_end, all_done, .variant = 1 + 10 * AWAITS_NO_GUESTS, .preemptions = 2, .must_fail = true},
    {"fd: freed; guests leave without release", freed_under_closer, check_end, all_done, .variant = 1, .preemptions = 2, .must_fail = true, .without = {"tp__slot_unlink", MODEL_RELEASE}},
    {"fd: freed; guests are awaited without acquire", freed_under_closer, check_end, all_done, .variant = 1, .preemptions = 2, .must_fail = true, .without = {"tp_driver_free", MODEL_ACQUIRE}},
};

int main(void)
{
    return model_main(scenarios, sizeof scenarios / sizeof *scenarios);
}
