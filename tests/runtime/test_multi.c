/* Multi-pools over pools that are not real (tests/support/fake_pool.h): a test compares the very sequence of calls.
 * test_multi_threads.c has members that run tasks. */
#include "tests/support/fake_members.h"

#include "runtime/clock.h"

#include <limits.h>

/* -- opening ------------------------------------------------------------------------------------ */

static void test_open_refuses(void **state)
{
    (void)state;
    struct tp_multi *out = (void *)&fakes;
    struct tp_pool_ops other = whole_ops, lame[6] = {whole_ops, whole_ops, whole_ops, whole_ops, whole_ops, whole_ops};
    struct tp_multi_member members[2] = {{&whole_ops, &fakes[0]}, {&other, &fakes[1]}};
    assert_int_equal(tp_multi_open(&out, members, 0, TP_BALANCE_ROUND_ROBIN), TP_EINVAL);
    assert_int_equal(tp_multi_open(&out, members, TP_MULTI_MEMBERS_MAX + 1, TP_BALANCE_ROUND_ROBIN), TP_EINVAL);
    assert_int_equal(tp_multi_open(&out, members, 2, (enum tp_balance)2), TP_EINVAL);
    other.payload_bytes = 8;
    assert_int_equal(tp_multi_open(&out, members, 2, TP_BALANCE_ROUND_ROBIN), TP_EINVAL);
    lame[0].submit = NULL;
    lame[1].submit_batch = NULL;
    lame[2].join_all = NULL;
    lame[3].close = NULL;
    lame[4].free = NULL;
    lame[5].counts = NULL;
    for (int i = 0; i < 6; i++) {
        members[1].ops = &lame[i];
        assert_int_equal(tp_multi_open(&out, members, 2, TP_BALANCE_ROUND_ROBIN), TP_EINVAL);
    }
    members[1] = (struct tp_multi_member){NULL, &fakes[1]};
    assert_int_equal(tp_multi_open(&out, members, 2, TP_BALANCE_ROUND_ROBIN), TP_EINVAL);
    members[1] = (struct tp_multi_member){&whole_ops, NULL};
    assert_int_equal(tp_multi_open(&out, members, 2, TP_BALANCE_ROUND_ROBIN), TP_EINVAL);
    assert_ptr_equal(out, &fakes);
    tp_multi_free(NULL);
    tp_multi_abandon(NULL);
}

/* -- round robin -------------------------------------------------------------------------------- */

static void test_turns(void **state)
{
    (void)state;
    start_in_turn(&whole_ops, 3, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 100);
    for (int i = 0; i < 7; i++)
        assert_int_equal(submit(i), 0);
    assert_written(" a0 b1 c2 a3 b4 c5 a6");
    stop();
}

static void test_turns_begin_anew(void **state)
{
    (void)state;
    start(&whole_ops, 5, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 100);
    int payload = 0;
    char first[LOG_BYTES];
    assert_int_equal(tp_multi_submit(multi, &payload), 0);
    memcpy(first, written, sizeof first);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tp_multi_submit(multi, &payload), 0);
    assert_int_equal(tp_multi_close(multi, 5), 0);
    assert_int_equal(tp_multi_reopen(multi), 0);
    forget();
    assert_int_equal(tp_multi_submit(multi, &payload), 0);
    assert_written(first);
    stop();
}

static void test_batch_in_turns(void **state)
{
    (void)state;
    int payloads[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    size_t n = 99;
    start_in_turn(&whole_ops, 3, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 100);
    assert_int_equal(tp_multi_submit_batch(multi, payloads, 10, &n), 0);
    assert_int_equal(n, 10);
    assert_written(" a0..3 b4..6 c7..9");
    assert_int_equal(tp_multi_submit_batch(multi, payloads, 2, NULL), 0);
    assert_int_equal(submit(7), 0); /* goes on where the batches ended */
    assert_written(" b0 c1 a7");
    assert_int_equal(tp_multi_submit_batch(multi, NULL, 0, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(submit(8), 0);
    assert_written(" b8");
    assert_int_equal(fakes[0].counts.pending + fakes[1].counts.pending + fakes[2].counts.pending, 14);
    stop();
}

static void test_full_choice(void **state)
{
    (void)state;
    start_in_turn(&whole_ops, 4, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    fill(0);
    fakes[1].counts.pending = 3;
    fakes[2].counts.running = 2;
    fakes[3].counts.pending = 2;
    assert_int_equal(submit(1), 0);
    assert_written(" a1full c1"); /* the fewest tasks; of equals the next in turn */
    fill(3);
    assert_int_equal(submit(2), 0); /* b's own turn */
    assert_int_equal(submit(3), 0); /* c's turn */
    assert_written(" b2 c3");
    fill(1);
    fill(2);
    assert_int_equal(submit(4), TP_EFULL); /* d's turn; of the others a has 0 tasks, b and c have 4 */
    assert_written(" d4full a4full b4full c4full");
    stop();
}

static void test_nobody_is_looked_at_in_vain(void **state)
{
    (void)state;
    start(&whole_ops, 4, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    n_looks = 0;
    assert_int_equal(submit(1), 0);
    assert_int_equal(n_looks, 0);
    stop();
    start(&whole_ops, 4, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_BLOCK, UINT64_MAX);
    n_looks = 0;
    assert_int_equal(submit(1), 0);
    assert_int_equal(n_looks, 0);
    stop();
}

static void test_other_errors_are_the_callers(void **state)
{
    (void)state;
    static const int errors[] = {TP_ECLOSED, TP_ETIMEDOUT, TP_ENOMEM, TP_EDROPPED};
    start_in_turn(&whole_ops, 2, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    for (int i = 0; i < 4; i++) {
        fakes[i % 2].submit = errors[i];
        assert_int_equal(submit(i), errors[i]);
    }
    assert_written(" a0 b1 a2 b3");
    stop();
}

/* -- members that would wait -------------------------------------------------------------------- */

static void test_wait_for_nobody_while_there_is_room(void **state)
{
    (void)state;
    start_in_turn(&whole_ops, 3, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_BLOCK, 10);
    fill(0);
    fakes[1].counts.pending = 5;
    fakes[2].counts.pending = 6;
    assert_int_equal(submit(1), 0);
    assert_written(" b1"); /* a is not asked */
    fill(1);
    assert_int_equal(submit(2), 0);
    assert_written(" c2");
    fill(2);
    assert_int_equal(submit(3), 0);
    assert_int_equal(submit(4), 0);
    assert_written(" c3waits a4waits"); /* nobody has room: the choice */
    stop();
}

static void test_limit_on_waiting(void **state)
{
    (void)state;
    start_in_turn(&whole_ops, 2, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_BLOCK, 10);
    fakes[0].submit = TP_EFULL; /* another was faster, and too many wait */
    assert_int_equal(submit(1), 0);
    assert_written(" a1full b1");
    fill(0);
    fill(1);
    fakes[1].submit = TP_EFULL;
    assert_int_equal(submit(2), TP_EFULL);
    assert_written(" b2waitsfull");
    stop();
}

static void test_a_task_of_a_member_does_not_wait(void **state)
{
    (void)state;
    start_in_turn(&whole_ops, 3, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_BLOCK, 10);
    fakes[1].is_inside = true;
    assert_int_equal(submit(1), 0);
    assert_written(" a1"); /* there is room */
    for (int i = 0; i < 3; i++)
        fill(i);
    for (int i = 0; i < 3; i++)
        assert_int_equal(submit(i), 0);
    assert_written(" b0waits b1waits b2waits"); /* which a pool does not do with its own task */
    fakes[1].is_inside = false;
    stop();
}

static void test_mixed_policies(void **state)
{
    (void)state;
    struct tp_multi_member members[2] = {{&whole_ops, &fakes[0]}, {&whole_ops, &fakes[1]}};
    start(&whole_ops, 2, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    stop();
    fakes[1].settings.overload = TP_OVERLOAD_CALLER_RUNS;
    assert_int_equal(tp_multi_open(&multi, members, 2, TP_BALANCE_ROUND_ROBIN), 0);
    assert_int_equal(submit(0), 0);
    if (fakes[0].counts.pending == 0)
        assert_int_equal(submit(0), 0);
    forget();
    fill(0);
    fill(1);
    assert_int_equal(submit(1), 0);
    assert_int_equal(submit(2), TP_EFULL);
    assert_written(" a1full b1waits a2full");
    stop();
}

static void test_offer(void **state)
{
    (void)state;
    struct tp_pool_ops ops = whole_ops;
    struct tp_multi_id id;
    int payloads[] = {0, 1, 2, 3, 4, 5};
    size_t n;
    ops.offer = fake_offer;
    start_in_turn(&ops, 2, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_BLOCK, 4);
    n_looks = 0;
    assert_int_equal(submit(7), 0);
    assert_int_equal(tp_multi_submit_class(multi, 2, &payloads[1]), 0);
    assert_int_equal(tp_multi_spawn(multi, 1, &payloads[2], &id), 0);
    assert_written(" a?7 b?1/2 a?2/1");
    assert_true(id.member == 0 && id.id == 2002);
    assert_int_equal(n_looks, 0);
    assert_int_equal(tp_multi_submit_batch(multi, payloads, 6, &n), 0);
    assert_int_equal(n, 6);
    assert_written(" b?0 a?3full b?5full a5waits");
    stop();
    start_in_turn(&ops, 2, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 4);
    assert_int_equal(submit(7), 0);
    assert_written(" a7"); /* one that rejects is simply asked */
    stop();
}

/* -- batches and fewest tasks ------------------------------------------------------------------- */

static void test_batch_goes_elsewhere(void **state)
{
    (void)state;
    int payloads[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    size_t n;
    start_in_turn(&whole_ops, 3, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    fakes[0].counts.free = 1;
    fakes[1].counts.free = 4;
    fakes[2].counts.free = 4;
    fakes[2].counts.pending = 1;
    assert_int_equal(tp_multi_submit_batch(multi, payloads, 9, &n), 0);
    assert_int_equal(n, 9); /* in order, whoever takes them */
    assert_written(" a0..2full b1..2 b3..5full c5 c6..8");
    assert_int_equal(tp_multi_submit_batch(multi, payloads, 3, &n), TP_EFULL);
    assert_int_equal(n, 0);
    assert_written(" a0full b0full c0full");
    fakes[1].counts.free = 1;
    assert_int_equal(tp_multi_submit_batch(multi, payloads, 3, &n), TP_EFULL);
    assert_int_equal(n, 1);
    assert_written(" a0full b0 b1full a1full c1full");
    fakes[0].counts.free = 10;
    fakes[1].counts.free = 10;
    fakes[1].submit = TP_ECLOSED;
    assert_int_equal(tp_multi_submit_batch(multi, payloads, 6, &n), TP_ECLOSED);
    assert_int_equal(n, 2);
    assert_written(" a0..1 b2..3");
    stop();
}

static void test_batch_as_far_as_there_is_room(void **state)
{
    (void)state;
    int payloads[] = {0, 1, 2, 3, 4, 5, 6, 7};
    size_t n;
    start_in_turn(&whole_ops, 2, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_BLOCK, 10);
    fakes[0].counts.free = 2;
    fakes[1].counts.free = 5;
    assert_int_equal(tp_multi_submit_batch(multi, payloads, 8, &n), 0);
    assert_int_equal(n, 8);
    assert_written(" a0..1 b2..3 b4..6 b7waits");
    stop();
}

static void test_fewest_tasks(void **state)
{
    (void)state;
    start(&whole_ops, 3, TP_BALANCE_LEAST_TASKS, TP_OVERLOAD_REJECT, 100);
    fakes[0].counts.pending = 3;
    fakes[1].counts.running = 2;
    fakes[2].counts.pending = fakes[2].counts.running = 2;
    assert_int_equal(submit(1), 0);
    assert_written(" b1");
    fakes[1].counts.free = 0;
    fakes[1].counts.pending = 0;
    assert_int_equal(submit(2), 0);
    assert_written(" b2full a2");
    stop();
}

static void test_equals_in_turn(void **state)
{
    (void)state;
    start_in_turn(&whole_ops, 3, TP_BALANCE_LEAST_TASKS, TP_OVERLOAD_REJECT, 100);
    n_looks = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(submit(i), 0);
        fakes[i].counts.pending = 0; /* it is done at once */
    }
    assert_written(" a0 b1 c2");
    assert_int_equal(n_looks, 3); /* fewer than none nobody has */
    for (int i = 0; i < 9; i++)
        assert_int_equal(submit(i), 0);
    assert_written(" a0 b1 c2 a3 b4 c5 a6 b7 c8");
    stop();
}

static void test_fewest_tasks_of_a_batch(void **state)
{
    (void)state;
    int payloads[] = {0, 1, 2, 3, 4, 5};
    start(&whole_ops, 3, TP_BALANCE_LEAST_TASKS, TP_OVERLOAD_REJECT, 100);
    fakes[0].counts.pending = 3;
    fakes[1].counts.pending = 9;
    assert_int_equal(tp_multi_submit_batch(multi, payloads, 6, NULL), 0);
    assert_written(" c0..1 c2..3 a4..5");
    stop();
}

static void test_two_of_many(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX, most = 0;
    start(&whole_ops, FAKES, TP_BALANCE_LEAST_TASKS, TP_OVERLOAD_REJECT, UINT64_MAX);
    n_looks = 0;
    for (int i = 0; i < FAKES * 50; i++) {
        assert_int_equal(submit(i), 0);
        forget();
    }
    assert_int_equal(n_looks, 2 * FAKES * 50);
    for (int i = 0; i < FAKES; i++) {
        least = fakes[i].counts.pending < least ? fakes[i].counts.pending : least;
        most = fakes[i].counts.pending > most ? fakes[i].counts.pending : most;
    }
    assert_in_range(least, 44, 50); /* drawn one by one it would be 30 to 70 */
    assert_in_range(most, 50, 54);
    stop();
}

/* -- classes and handles ------------------------------------------------------------------------ */

static void test_classes(void **state)
{
    (void)state;
    int payload = 5;
    start_in_turn(&whole_ops, 2, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    assert_int_equal(tp_multi_submit_class(multi, 2, &payload), 0);
    assert_int_equal(tp_multi_submit_class(multi, 0, &payload), 0);
    assert_int_equal(tp_multi_submit_class(multi, 3, &payload), TP_EINVAL);
    assert_written(" a5/2 b5/0");
    stop();
    struct tp_multi_member members[2] = {{&whole_ops, &fakes[0]}, {&bare_ops, &fakes[1]}};
    assert_int_equal(tp_multi_open(&multi, members, 2, TP_BALANCE_LEAST_TASKS), 0);
    assert_int_equal(tp_multi_submit_class(multi, 1, &payload), TP_EINVAL); /* b has one class */
    fakes[0].counts.pending = 9;
    fakes[1].counts.pending = 0;
    assert_int_equal(tp_multi_submit_class(multi, 0, &payload), 0);
    assert_written(" b5");
    stop();
}

static void test_handles(void **state)
{
    (void)state;
    int payload = 5;
    struct tp_multi_id id = {77, 77};
    struct tp_task_result result = {.code = 0};
    start_in_turn(&whole_ops, 3, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    fill(0);
    fakes[1].counts.pending = 4;
    assert_int_equal(tp_multi_spawn(multi, 3, &payload, &id), TP_EINVAL);
    fill(2);
    fakes[1].submit = TP_ENOMEM;
    fakes[2].counts.pending = 5;
    assert_int_equal(tp_multi_spawn(multi, 2, &payload, &id), TP_ENOMEM);
    assert_true(id.member == 77 && id.id == 77);
    assert_int_equal(tp_multi_spawn(multi, 2, &payload, &id), 0);
    assert_written(" a5/2!full b5/2! b5/2!");
    assert_true(id.member == 1 && id.id == 1005);
    assert_int_equal(tp_multi_wait(multi, id, 9, &result), 0);
    assert_int_equal(result.code, 17);
    assert_int_equal(tp_multi_detach(multi, id), 0);
    assert_int_equal(tp_multi_cancel_task(multi, id), TP_ESTALE);
    assert_written(" wait b 1005 9 detach b 1005 cancel_task b 1005");
    assert_int_equal(tp_multi_join(multi, id, 9, &result), 0);
    assert_written(" wait b 1005 9 detach b 1005");
    assert_int_equal(tp_multi_spawn(multi, UINT_MAX, &payload, &id), 0);
    assert_written(" c5/4294967295!full a5/4294967295!full b5/4294967295!");
    id.member = 3;
    assert_int_equal(tp_multi_join(multi, id, 9, &result), TP_ESTALE);
    assert_int_equal(tp_multi_wait(multi, id, 9, &result), TP_ESTALE);
    assert_int_equal(tp_multi_detach(multi, id), TP_ESTALE);
    assert_int_equal(tp_multi_cancel_task(multi, id), TP_ESTALE);
    assert_written("");
    stop();
}

static void test_what_members_were_built_without(void **state)
{
    (void)state;
    int payload = 5;
    struct tp_multi_id id = {0, 1};
    start(&bare_ops, 2, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_BLOCK, 10);
    assert_int_equal(tp_multi_spawn(multi, 0, &payload, &id), TP_ENOTSUP);
    assert_int_equal(tp_multi_wait(multi, id, 9, NULL), TP_ENOTSUP);
    assert_int_equal(tp_multi_join(multi, id, 9, NULL), TP_ENOTSUP);
    assert_int_equal(tp_multi_detach(multi, id), TP_ENOTSUP);
    assert_int_equal(tp_multi_cancel_task(multi, id), TP_ENOTSUP);
    assert_int_equal(tp_multi_tune(multi, 9), TP_ENOTSUP);
    assert_int_equal(tp_multi_tune_workers(multi, 9), TP_ENOTSUP);
    assert_int_equal(tp_multi_cancel(multi, 9), TP_ENOTSUP);
    assert_int_equal(tp_multi_reopen(multi), TP_ENOTSUP);
    assert_written("");
    tp_multi_abandon(multi);
    assert_written(" free a free b");
}

/* -- quiet -------------------------------------------------------------------------------------- */

/* A task of a member that was still running submits, and ends. */
static void submit_late(struct fake *fake)
{
    assert_int_equal(submit(9), 0);
    fake->on_join = NULL;
}

static void submit_always(struct fake *fake)
{
    (void)fake;
    assert_int_equal(submit(9), 0);
}

static void test_join(void **state)
{
    (void)state;
    start(&whole_ops, 3, TP_BALANCE_LEAST_TASKS, TP_OVERLOAD_REJECT, 10);
    fakes[2].counts.pending = fakes[1].counts.pending = 5;
    assert_int_equal(tp_multi_join_all(multi, TP_FOREVER), 0);
    assert_written(" join a join b join c");
    fakes[1].on_join = submit_late; /* after a was found quiet */
    assert_int_equal(tp_multi_join_all(multi, TP_FOREVER), 0);
    assert_written(" join a join b a9 join c join a join b join c");
    fakes[1].on_join = submit_always;
    assert_int_equal(tp_multi_join_all(multi, 1), TP_ETIMEDOUT);
    assert_written(" join a join b a9 join c");
    fakes[1].on_join = NULL;
    fakes[1].join = TP_ETIMEDOUT;
    assert_int_equal(tp_multi_join_all(multi, TP_FOREVER), TP_ETIMEDOUT);
    assert_written(" join a join b");
    fakes[2].is_inside = true;
    assert_int_equal(tp_multi_join_all(multi, TP_FOREVER), TP_EDEADLK);
    assert_int_equal(tp_multi_join_all(multi, 0), TP_EDEADLK);
    assert_written("");
    fakes[2].is_inside = false;
    stop();
}

static void submit_directly(struct fake *fake)
{
    (void)fake;
    int payload = 9;
    size_t n_accepted;
    fakes[1].on_join = NULL;
    assert_int_equal(fake_submit_batch(&fakes[0], &payload, 1, &n_accepted), 0);
    fakes[0].counts.pending = 0;
}

/* Members that count need nobody else to: not even that tasks come through us. */
static void test_join_asks_members(void **state)
{
    (void)state;
    struct tp_pool_ops flow_ops = whole_ops;
    flow_ops.flow = fake_flow;
    start(&flow_ops, 3, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    assert_int_equal(tp_multi_join_all(multi, TP_FOREVER), 0);
    assert_written(" join a join b join c");
    fakes[1].on_join = submit_directly; /* after a was found quiet */
    assert_int_equal(tp_multi_join_all(multi, TP_FOREVER), 0);
    assert_written(" join a join b a9..9 join c join a join b join c");
    stop();
}

static void test_join_hears_of_batches_and_handles(void **state)
{
    (void)state;
    int payloads[] = {1, 2};
    struct tp_multi_id id;
    start_in_turn(&whole_ops, 2, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    for (int i = 0; i < 2; i++)
        fakes[i].counts.pending = 0;
    assert_int_equal(tp_multi_submit_batch(multi, payloads, 2, NULL), 0);
    assert_int_equal(tp_multi_spawn(multi, 0, payloads, &id), 0);
    assert_int_equal(tp_multi_join_all(multi, 0), TP_ETIMEDOUT);
    for (int i = 0; i < 2; i++)
        fakes[i].counts.pending = 0;
    assert_int_equal(tp_multi_join_all(multi, 0), 0);
    stop();
}

/* -- changes, the end, numbers ------------------------------------------------------------------ */

static void test_tune(void **state)
{
    (void)state;
    start(&whole_ops, 3, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    assert_int_equal(tp_multi_tune(multi, 20), 0);
    fakes[0].tune = TP_EUNCHANGED;
    assert_int_equal(tp_multi_tune_workers(multi, 4), 0); /* something changed */
    fakes[1].tune = TP_ETHREAD;
    fakes[2].tune = TP_EINVAL;
    assert_int_equal(tp_multi_tune_workers(multi, 5), TP_ETHREAD);
    assert_written(" tune a 20 tune b 20 tune c 20 workers a 4 workers b 4 workers c 4 workers a 5 workers b 5 workers c 5");
    for (int i = 0; i < 3; i++)
        fakes[i].tune = TP_EUNCHANGED;
    assert_int_equal(tp_multi_tune(multi, 20), TP_EUNCHANGED);
    stop();
}

static void test_close(void **state)
{
    (void)state;
    start(&whole_ops, 2, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    assert_int_equal(tp_multi_close(multi, 0), TP_ETIMEDOUT);
    assert_written(" close a 0 close b 0");
    assert_int_equal(tp_multi_close(multi, 8), 0);
    assert_written(" close a 0 close b 0 close a 8 close b 8"); /* all begin before one is waited for */
    fakes[0].end = TP_ETIMEDOUT;
    fakes[1].end = TP_EFORKED;
    assert_int_equal(tp_multi_cancel(multi, 8), TP_ETIMEDOUT);
    assert_written(" cancel a 0 cancel b 0 cancel a 8 cancel b 8");
    fakes[0].end = 0;
    assert_int_equal(tp_multi_cancel(multi, 8), TP_EFORKED);
    assert_written(" cancel a 0 cancel b 0 cancel a 8 cancel b 8");
    fakes[0].end = TP_ETHREAD;
    assert_int_equal(tp_multi_reopen(multi), TP_ETHREAD);
    assert_written(" reopen a reopen b");
    fakes[1].is_inside = true;
    assert_int_equal(tp_multi_close(multi, 8), TP_EDEADLK);
    assert_int_equal(tp_multi_cancel(multi, 0), TP_EDEADLK);
    assert_written(""); /* nobody is closed */
    fakes[1].is_inside = false;
    tp_multi_free(multi);
    assert_written(" close a 0 close b 0 free a free b");
    start(&whole_ops, 2, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    tp_multi_abandon(multi);
    assert_written(" abandon a abandon b");
}

static void test_counts(void **state)
{
    (void)state;
    struct tp_pool_counts counts;
    start(&whole_ops, 3, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    for (uint64_t i = 0; i < 3; i++)
        fakes[i].counts = (struct tp_pool_counts){.capacity = 10, .pending = i, .running = 2 * i, .free = 3 * i, .waiting = 1};
    tp_multi_counts(multi, &counts);
    assert_true(counts.capacity == 30 && counts.pending == 3 && counts.running == 6 && counts.free == 9 && counts.waiting == 3);
    fakes[1].counts.capacity = fakes[1].counts.free = UINT64_MAX;
    tp_multi_counts(multi, &counts);
    assert_true(counts.capacity == UINT64_MAX && counts.free == UINT64_MAX);
    tp_multi_member_counts(multi, 2, &counts);
    assert_true(counts.capacity == 10 && counts.pending == 2);
    stop();
}

static void test_stats(void **state)
{
    (void)state;
    struct tp_pool_stats stats;
    struct tp_multi_member members[3] = {{&whole_ops, &fakes[0]}, {&whole_ops, &fakes[1]}, {&bare_ops, &fakes[2]}};
    start(&whole_ops, 3, TP_BALANCE_ROUND_ROBIN, TP_OVERLOAD_REJECT, 10);
    stop();
    assert_int_equal(tp_multi_open(&multi, members, 3, TP_BALANCE_ROUND_ROBIN), 0);
    tp_multi_stats(multi, &stats);
    assert_true(stats.utilisation == 0 && stats.average_ns == 0 && stats.now.capacity == 10); /* only c's */
    fakes[0].stats = (struct tp_pool_stats){.submitted = 13, .completed = 3, .failed = 2, .panicked = 1, .timed_out = 4, .cancelled = 5, .dropped = 6, .rejected = 7, .steal_attempts = 8, .steals = 9, .stolen = 10, .parks = 11, .task_ns = 12, .average_ns = 100, .open_ns = 1000, .utilisation = 0.5, .parked = 1, .workers = 1, .most_running = 2, .now = {.capacity = 10, .pending = 1, .running = 2, .free = 7, .waiting = 3}};
    fakes[0].stats.latency.counts[7] = 2;
    fakes[1].stats = fakes[0].stats;
    fakes[1].stats.completed = 1;
    fakes[1].stats.average_ns = 500;
    fakes[1].stats.workers = 4;
    fakes[1].stats.open_ns = 2000;
    fakes[1].stats.utilisation = 1;
    tp_multi_stats(multi, &stats);
    assert_true(stats.submitted == 26 && stats.completed == 4 && stats.failed == 4 && stats.panicked == 2);
    assert_true(stats.timed_out == 8 && stats.cancelled == 10 && stats.dropped == 12 && stats.rejected == 14);
    assert_true(stats.steal_attempts == 16 && stats.steals == 18 && stats.stolen == 20 && stats.parks == 22);
    assert_true(stats.task_ns == 24 && stats.parked == 2 && stats.workers == 5 && stats.most_running == 4);
    assert_true(stats.average_ns == 200 && stats.open_ns == 2000);
    assert_true(stats.utilisation > 0.944 && stats.utilisation < 0.945); /* 8500 of 9000 */
    assert_true(stats.latency.counts[7] == 4 && tp_histogram_count(&stats.latency) == 4);
    assert_true(stats.now.capacity == 30 && stats.now.running == 4 && stats.now.waiting == 6);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_turns_begin_anew),
        cmocka_unit_test(test_batch_in_turns),
        cmocka_unit_test(test_full_choice),
        cmocka_unit_test(test_nobody_is_looked_at_in_vain),
        cmocka_unit_test(test_other_errors_are_the_callers),
        cmocka_unit_test(test_wait_for_nobody_while_there_is_room),
        cmocka_unit_test(test_limit_on_waiting),
        cmocka_unit_test(test_a_task_of_a_member_does_not_wait),
        cmocka_unit_test(test_mixed_policies),
        cmocka_unit_test(test_offer),
        cmocka_unit_test(test_batch_goes_elsewhere),
        cmocka_unit_test(test_batch_as_far_as_there_is_room),
        cmocka_unit_test(test_fewest_tasks),
        cmocka_unit_test(test_equals_in_turn),
        cmocka_unit_test(test_fewest_tasks_of_a_batch),
        cmocka_unit_test(test_two_of_many),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_handles),
        cmocka_unit_test(test_what_members_were_built_without),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_join_asks_members),
        cmocka_unit_test(test_join_hears_of_batches_and_handles),
        cmocka_unit_test(test_tune),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_stats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
