/* Records of tasks under several threads: waiters that share a list, many waiters for one task, and a storm
 * of submitters, workers, joiners and cancellers with exact sums. */
#include "tests/support/unit.h"

#include "runtime/base/status.h"
#include "runtime/clock.h"
#include "runtime/track.h"

#include <sched.h>
#include <string.h>

enum { NEIGHBOURS = 6,
    STORM = 6000,
    STORM_THREADS = 2,
    DRAINERS = 4,
    FLOW = 4000 };

static struct tp_track track;

static int set_up(void **state)
{
    (void)state;
    return tp_track_init(&track, 0);
}

static int tear_down(void **state)
{
    (void)state;
    size_t n = tp_track_count(&track);
    tp_track_free(&track);
    return n == 0 ? 0 : -1;
}

static uint64_t begin(bool kept)
{
    uint64_t id = 0;
    size_t n = 0;
    assert_int_equal(tp_track_begin(&track, 1, kept, &id, &n), 0);
    assert_int_equal(n, 1);
    assert_true(id != 0);
    return id;
}

static void finish(uint64_t id, enum tp_task_state state, int code)
{
    tp_track_finish(&track, id, (struct tp_task_result){.state = state, .code = code});
}

static void expect_stale(uint64_t id)
{
    assert_int_equal(tp_track_wait(&track, id, TP_FOREVER, NULL), TP_ESTALE);
}

/* -- waiting --------------------------------------------------------------------------------------- */

struct join {
    uint64_t id;
    int status;
    struct tp_task_result result;
};

static void *join_one(void *argument)
{
    struct join *join = argument;
    join->status = tp_track_wait(&track, join->id, TP_FOREVER, &join->result);
    return NULL;
}

static bool is_waited_for(int n)
{
    uint32_t n_waiting = 0;
    for (int i = 0; i < TP_TRACK_LISTS; i++)
        n_waiting += tp_load_acq(&track.lists[i].n_waiting);
    return n_waiting == (uint32_t)n;
}

/* Ids that share a waiting list: each end wakes those that wait for it, whoever else sleeps there. */
static void test_neighbours(void **state)
{
    (void)state;
    static uint64_t ids[NEIGHBOURS * TP_TRACK_LISTS + 256];
    struct join joins[NEIGHBOURS];
    struct crowd crowds[NEIGHBOURS];
    size_t n, n_found = 0;
    assert_int_equal(tp_track_begin(&track, sizeof ids / sizeof *ids, false, ids, &n), 0);
    for (size_t i = 0; i < n && n_found < NEIGHBOURS; i++)
        if (ids[i] % TP_TRACK_LISTS == 1)
            joins[n_found++] = (struct join){.id = ids[i]};
    assert_int_equal(n_found, NEIGHBOURS);
    for (int i = 0; i < NEIGHBOURS; i++) {
        assert_true(tp_track_start(&track, joins[i].id));
        crowds[i].n = 0;
        crowd_add(&crowds[i], join_one, &joins[i]);
    }
    while (!is_waited_for(NEIGHBOURS))
        sched_yield();
    for (int i = NEIGHBOURS; i-- > 0;) { /* against the order in which they came, if any */
        finish(joins[i].id, TP_TASK_RETURNED, i);
        crowd_join(&crowds[i]);
        assert_int_equal(joins[i].status, 0);
        assert_int_equal(joins[i].result.state, TP_TASK_RETURNED);
        assert_int_equal(joins[i].result.code, i);
    }
    static struct tp_task_info rest[sizeof ids / sizeof *ids];
    size_t n_rest = tp_track_list(&track, rest, n);
    assert_int_equal(n_rest, n - NEIGHBOURS);
    for (size_t i = 0; i < n_rest; i++)
        assert_true(tp_track_drop(&track, rest[i].id, TP_TASK_DROPPED));
    for (size_t i = 0; i < n; i++)
        expect_stale(ids[i]);
}

/* All that wait for one task are told, and they alone hold its record. */
static void test_many_for_one(void **state)
{
    (void)state;
    struct join joins[NEIGHBOURS];
    struct crowd crowd = {.n = 0};
    uint64_t id = begin(false);
    for (int i = 0; i < NEIGHBOURS; i++) {
        joins[i] = (struct join){.id = id};
        crowd_add(&crowd, join_one, &joins[i]);
    }
    while (!is_waited_for(NEIGHBOURS))
        sched_yield();
    assert_int_equal(tp_track_wait(&track, id, tp_clock_now_ns(), NULL), TP_ETIMEDOUT);
    assert_true(is_waited_for(NEIGHBOURS));
    assert_int_equal(tp_track_cancel(&track, id), 0);
    crowd_join(&crowd);
    for (int i = 0; i < NEIGHBOURS; i++) {
        assert_int_equal(joins[i].status, 0);
        assert_int_equal(joins[i].result.state, TP_TASK_CANCELLED);
    }
    assert_int_equal(tp_track_wait(&track, id, 0, NULL), 0); /* in its queue still */
    assert_false(tp_track_start(&track, id));
    expect_stale(id);
}

/* -- the storm: task i has code i, every third one has no handle -------------------------------------------- */

static tp_atomic(uint64_t) storm_ids[STORM];
static tp_atomic(uint32_t) n_submitted, n_popped, n_join_begun, n_cancel_begun, n_ran, n_not_run, n_returned, n_cancelled, n_missed, n_wrong;

static void storm_expect(bool holds)
{
    if (!holds)
        tp_add_sc(&n_wrong, 1);
}

static bool storm_keeps(uint32_t i)
{
    return i % 3 != 0;
}

static uint64_t storm_id(uint32_t i)
{
    uint64_t id;
    while ((id = tp_load_acq(&storm_ids[i])) == 0)
        sched_yield();
    return id;
}

static void *storm_submitter(void *argument)
{
    uint32_t i;
    while ((i = tp_add_sc(&n_submitted, 1)) < STORM) {
        uint64_t id = 0;
        size_t n;
        storm_expect(tp_track_begin(&track, 1, storm_keeps(i), &id, &n) == 0 && n == 1);
        tp_store_rel(&storm_ids[i], id);
        while (tp_load_acq(&n_popped) + 200 < i) /* not all at once: records are to be used again */
            sched_yield();
    }
    return argument;
}

static void *storm_worker(void *argument)
{
    uint32_t i;
    while ((i = tp_add_sc(&n_popped, 1)) < STORM) {
        uint64_t id = storm_id(i);
        while ((i % 2 == 0 && tp_load_acq(&n_join_begun) <= i) || (i % 8 == 0 && tp_load_acq(&n_cancel_begun) <= i))
            sched_yield(); /* so that they meet */
        if (tp_track_start(&track, id)) {
            tp_add_sc(&n_ran, 1);
            tp_track_finish(&track, id, (struct tp_task_result){.state = TP_TASK_RETURNED, .code = (int)i});
        } else {
            tp_add_sc(&n_not_run, 1);
        }
    }
    return argument;
}

static void *storm_joiner(void *argument)
{
    uint32_t i;
    while ((i = tp_add_sc(&n_join_begun, 1)) < STORM) {
        struct tp_task_result result = {.code = -1};
        uint64_t id = storm_id(i);
        int status = tp_track_wait(&track, id, TP_FOREVER, &result);
        if (status != 0) {
            storm_expect(status == TP_ESTALE && !storm_keeps(i));
            tp_add_sc(&n_missed, 1);
        } else if (result.state == TP_TASK_RETURNED) {
            storm_expect(result.code == (int)i);
            tp_add_sc(&n_returned, 1);
        } else {
            storm_expect(result.state == TP_TASK_CANCELLED && result.code == TP_ECANCELED);
            tp_add_sc(&n_cancelled, 1);
        }
        storm_expect(tp_track_release(&track, id) == (storm_keeps(i) ? 0 : TP_ESTALE));
        storm_expect(tp_track_release(&track, id) == TP_ESTALE);
    }
    return argument;
}

/* Cancels every fourth, and tries what is long over. */
static void *storm_canceller(void *argument)
{
    uint32_t i;
    while ((i = tp_add_sc(&n_cancel_begun, 1)) < STORM) {
        uint32_t old = i / 2;
        struct tp_task_result result = {.code = (int)old};
        uint64_t id = storm_id(i);
        int status = i % 4 == 0 ? tp_track_cancel(&track, id) : 0;
        storm_expect(status == 0 || status == TP_ESTALE);
        status = tp_track_wait(&track, storm_id(old), i % 8 == 0 ? tp_clock_now_ns() : 0, &result);
        storm_expect(status != 0 || result.code == (int)old || result.code == TP_ECANCELED);
    }
    return argument;
}

static void run_storm(uint32_t first_generation)
{
    struct crowd crowd = {.n = 0};
    track.first_generation = first_generation;
    n_submitted = n_popped = n_join_begun = n_cancel_begun = n_ran = n_not_run = n_returned = n_cancelled = n_missed = n_wrong = 0;
    memset(storm_ids, 0, sizeof storm_ids);
    for (int i = 0; i < STORM_THREADS; i++) {
        crowd_add(&crowd, storm_submitter, NULL);
        crowd_add(&crowd, storm_worker, NULL);
        crowd_add(&crowd, storm_joiner, NULL);
        crowd_add(&crowd, storm_canceller, NULL);
    }
    crowd_join(&crowd);
    assert_int_equal(n_wrong, 0);
    assert_int_equal(n_ran + n_not_run, STORM);
    assert_int_equal(n_returned + n_cancelled + n_missed, STORM);
    assert_true(n_returned <= n_ran && n_cancelled <= n_not_run);
    assert_int_equal(tp_track_count(&track), 0);
    assert_int_equal(tp_track_list(&track, NULL, 0), 0);
}

static void test_storm(void **state)
{
    (void)state;
    run_storm(0);
}

static void test_storm_of_last_generations(void **state)
{
    (void)state;
    run_storm(UINT32_MAX - 1);
}

/* -- records flow from those who begin to those who finish --------------------------------------------------- */

static tp_atomic(uint64_t) flow[DRAINERS];

static void *drainer(void *argument)
{
    tp_atomic(uint64_t) *mine = argument;
    for (int i = 0; i < FLOW / DRAINERS;) {
        uint64_t id = tp_load_acq(mine);
        if (id == 0) {
            sched_yield();
            continue;
        }
        tp_track_start(&track, id);
        finish(id, TP_TASK_RETURNED, 0);
        tp_store_rel(mine, 0);
        i++;
    }
    return NULL;
}

static void test_flow(void **state)
{
    (void)state;
    struct crowd crowd = {.n = 0};
    for (int i = 0; i < DRAINERS; i++)
        crowd_add(&crowd, drainer, &flow[i]);
    for (int n = 0; n < FLOW;) {
        tp_atomic(uint64_t) *next = &flow[n % DRAINERS];
        if (tp_load_acq(next) != 0) {
            sched_yield();
            continue;
        }
        tp_store_rel(next, begin(false));
        n++;
    }
    crowd_join(&crowd);
    /* Two chains in each shard, and what was in flight. */
    assert_true(tp_load_rlx(&track.n_records) <= 3 * 64 * (track.shard_mask + 1) + 64);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_neighbours),
        CASE(test_many_for_one),
        CASE(test_storm),
        CASE(test_storm_of_last_generations),
        CASE(test_flow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
