/* The behaviour suite: what every variant of a pool promises. Compiled once per variant, with the
 * template inside and the variant's switches on the command line (parts.ninja). */
#include "behaviour.h"

#include "behaviour_work.h"
#include "behaviour_room.h"
#include "behaviour_life.h"

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_each_once),
        cmocka_unit_test(test_many_producers),
        cmocka_unit_test(test_order_from_outside),
        cmocka_unit_test(test_order_from_inside),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_all_workers_wake),
#if WITH_STEALING
        cmocka_unit_test(test_near_wrap_around),
        cmocka_unit_test(test_child_of_blocked_task_is_stolen),
#endif
        cmocka_unit_test(test_nothing_is_kept),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_more_workers_than_cores),
#if WITH_BOUNDED
        cmocka_unit_test(test_full_from_inside),
#endif
#if WITH_BOUNDED && !WITH_BLOCK
        cmocka_unit_test(test_reject_is_exact),
        cmocka_unit_test(test_batch_partly_accepted),
#endif
#if WITH_BOUNDED && WITH_BLOCK && !WITH_DEADLINE
        cmocka_unit_test(test_block_until_room),
        cmocka_unit_test(test_close_wakes_waiting),
        cmocka_unit_test(test_block_storm),
#endif
#if WITH_BOUNDED && WITH_BLOCK && WITH_WAITING && WITH_DEADLINE
        cmocka_unit_test(test_waiting_and_deadline),
#endif
        cmocka_unit_test(test_join_deadline),
        cmocka_unit_test(test_own_worker_is_refused),
        cmocka_unit_test(test_close_drains),
        cmocka_unit_test(test_closing_refuses_inside),
        cmocka_unit_test(test_close_against_submit),
        cmocka_unit_test(test_open_and_close),
        cmocka_unit_test(test_open_as_configured),
#if WITH_STATS
        cmocka_unit_test(test_stats),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
