/* A request to end at every place where a task in a coroutine can sleep: one task goes through all waits of the library, and is asked
 * at the k-th, for each k: while it sleeps there, or just before. From there on each wait says so at once, and what is
 * shielded waits all the same. */
#ifndef BEHAVIOUR_ASKED_H
#define BEHAVIOUR_ASKED_H

#include "behaviour_coroutine.h"
#include "behaviour_sync.h"

enum place { AT_LIST,
    AT_LIST_UNTIL,
    AT_SEND,
    AT_RECEIVE,
    AT_HANDLE,
    AT_THINGS, /* the first one */
    AT_WAIT = AT_THINGS + THINGS,
    AT_JOIN,
    AT_JOIN_ALL,
#if WITH_BOUNDED && WITH_BLOCK && !WITH_DEADLINE
    AT_ROOM,
#endif
    PLACES };

struct visitor {
    struct job_pool *pool, *side; /* its own, and one that is full of a task at a gate */
    struct call child, hold, nothing;
    struct gate gate;
    struct tp_chan *chan; /* without room */
    struct tp_handle *handle;
    struct things things;
    unsigned asked_at;
    bool asks_itself, is_side_full;
    tp_atomic(uint32_t) at; /* where it is; before it sleeps */
    int n_wrong;
};

static struct tp_waitlist nest; /* of children */
static tp_atomic(uint32_t) is_hatched;

static int child_run(void *argument)
{
    struct tp_waiter w;
    (void)argument;
    while (tp_load_acq(&is_hatched) == 0) {
        tp_waitlist_prepare(&nest, &w);
        if (tp_load_acq(&is_hatched) != 0)
            tp_waitlist_cancel(&nest, &w);
        else if (tp_waitlist_wait(&nest, &w, TP_FOREVER) != 0)
            return -1;
    }
    return 0;
}

static inline void hatch(void)
{
    tp_store_sc(&is_hatched, 1);
    tp_waitlist_notify(&nest, 1);
}

static int visit_child(struct visitor *visitor, enum place place)
{
    uint64_t child;
    tp_store_sc(&is_hatched, 0);
    if (job_spawn(visitor->pool, as_payload(&visitor->child), &child) != 0)
        abort();
    tp_store_sc(&visitor->at, place);
    int status = (place == AT_WAIT ? job_wait : job_join)(visitor->pool, child, TP_FOREVER, NULL);
    if (status == 0 && place == AT_JOIN)
        return 0;
    TP_SHIELD;
    hatch();
    visitor->n_wrong += job_join(visitor->pool, child, TP_FOREVER, NULL) != 0;
    return status;
}

static int visit_side(struct visitor *visitor, enum place place)
{
    if (!visitor->is_side_full) {
        visitor->gate = (struct gate)GATE_CLOSED;
        visitor->hold = (struct call){gate_pass, &visitor->gate};
        submit(visitor->side, &visitor->hold);
    }
    visitor->is_side_full = true;
    tp_store_sc(&visitor->at, place);
    int status = place == AT_JOIN_ALL ? job_join_all(visitor->side, TP_FOREVER) : job_submit(visitor->side, as_payload(&visitor->nothing));
    if (status == 0)
        visitor->is_side_full = false;
    return status;
}

static int visit(struct visitor *visitor, enum place place)
{
    if (place == AT_WAIT || place == AT_JOIN)
        return visit_child(visitor, place);
    if (place >= AT_JOIN_ALL)
        return visit_side(visitor, place);
    int value = (int)place;
    tp_store_sc(&visitor->at, place);
    if (place >= AT_THINGS)
        return things_visit(&visitor->things, (enum thing)(place - AT_THINGS));
    if (place == AT_SEND)
        return tp_chan_send(visitor->chan, &value, TP_FOREVER);
    if (place == AT_RECEIVE)
        return tp_chan_recv(visitor->chan, &value, TP_FOREVER);
    if (place == AT_HANDLE)
        return tp_handle_wait(visitor->handle, TP_FOREVER, NULL);
    return door_pass(place == AT_LIST ? TP_FOREVER : tp_deadline_in_ns(1000 * TP_SECOND));
}

static int visitor_run(void *argument)
{
    struct visitor *visitor = argument;
    for (unsigned place = 0; place < PLACES; place++) {
        visitor->n_wrong += tp_yield() != (place > visitor->asked_at ? TP_ECANCELED : 0);
        if (place == visitor->asked_at && visitor->asks_itself && job_cancel_task(visitor->pool, tp_task_id()) != 0)
            abort();
        visitor->n_wrong += visit(visitor, (enum place)place) != (place >= visitor->asked_at ? TP_ECANCELED : 0);
    }
    return 0;
}

/* What the visitor waits for at that place comes. */
static void let_on(struct visitor *visitor, enum place place)
{
    int value = 0;
    if (place == AT_WAIT || place == AT_JOIN) {
        hatch();
    } else if (place == AT_SEND) {
        assert_int_equal(tp_chan_recv(visitor->chan, &value, 0), 0);
        assert_int_equal(value, AT_SEND);
    } else if (place == AT_RECEIVE) {
        assert_int_equal(tp_chan_send(visitor->chan, &value, 0), 0);
    } else if (place == AT_HANDLE) {
        assert_int_equal(tp_handle_complete(visitor->handle, (struct tp_task_result){TP_TASK_RETURNED, 0}), 0);
    } else if (place >= AT_JOIN_ALL) {
        gate_open(&visitor->gate);
    } else if (place >= AT_THINGS) {
        things_let_on(&visitor->things, (enum thing)(place - AT_THINGS));
    } else {
        tp_store_sc(&n_tokens, 1);
        tp_waitlist_notify(&door, 1);
    }
}

static void await_at(struct visitor *visitor, enum place place)
{
    while (tp_load_sc(&visitor->at) != place)
        sched_yield();
    await_suspended(visitor->pool, place == AT_WAIT || place == AT_JOIN ? 2 : 1);
}

static void check_asked_at(unsigned k, bool asks_itself)
{
    struct visitor visitor = {.pool = pool_open(1, 10), .side = pool_open(1, 1), .child = {child_run, NULL}, .nothing = {nothing_run, NULL}, .asked_at = k, .asks_itself = asks_itself};
    struct call call = {visitor_run, &visitor};
    struct tp_task_result result;
    uint64_t id;
    int value = 0;
    assert_int_equal(tp_chan_open(&visitor.chan, sizeof value, 0), 0);
    assert_int_equal(tp_handle_new(&visitor.handle), 0);
    things_open(&visitor.things);
    door_close();
    tp_waitlist_init(&nest);
    tp_store_sc(&visitor.at, UINT32_MAX);
    assert_int_equal(job_spawn(visitor.pool, as_payload(&call), &id), 0);
    for (unsigned place = 0; place < k; place++) {
        await_at(&visitor, (enum place)place);
        let_on(&visitor, (enum place)place);
    }
    if (!asks_itself && k < PLACES) {
        await_at(&visitor, (enum place)k);
        assert_int_equal(job_cancel_task(visitor.pool, id), 0);
    }
    assert_int_equal(job_join(visitor.pool, id, TP_FOREVER, &result), 0);
    assert_int_equal(visitor.n_wrong, 0);
    assert_int_equal(result.state, TP_TASK_RETURNED);
    assert_int_equal(tp_chan_recv(visitor.chan, &value, 0), TP_ETIMEDOUT); /* nothing of a wait is left */
    assert_int_equal(tp_chan_send(visitor.chan, &value, 0), TP_ETIMEDOUT);
    tp_chan_free(visitor.chan);
    tp_handle_unref(visitor.handle);
    things_close(&visitor.things, k > AT_THINGS + THING_GROUP);
    if (visitor.is_side_full)
        gate_open(&visitor.gate);
    job_pool_free(visitor.side);
    job_pool_free(visitor.pool);
}

static void test_asked_at_each_place(void **state)
{
    (void)state;
    for (unsigned k = 0; k <= PLACES; k++) {
        check_asked_at(k, false);
        check_asked_at(k, true);
    }
}

#endif
