/* The behaviour suite: what every variant of a pool promises. Compiled once per variant, with the
 * template inside and the variant's switches on the command line (parts.ninja). */
#include "behaviour.h"

#include "behaviour_work.h"
#include "behaviour_room.h"
#include "behaviour_overload.h"
#include "behaviour_block.h"
#include "behaviour_policy.h"
#include "behaviour_tracking.h"
#include "behaviour_panic.h"
#include "behaviour_life.h"
#include "behaviour_stats.h"
#if WITH_FORKS
#include "behaviour_forks.h"

static int run_forks(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forks),
        cmocka_unit_test(test_forks_wake_workers),
        cmocka_unit_test(test_cancel_reaches_branches),
        cmocka_unit_test(test_panic_in_branch),
        cmocka_unit_test(test_branches_submit),
        cmocka_unit_test(test_close_while_forking),
#if WITH_TUNE
        cmocka_unit_test(test_tune_while_forking),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
#if WITH_COROUTINE
#include "behaviour_channel.h"
#include "behaviour_fd.h"
#include "behaviour_coroutine.h"
#include "behaviour_stacks.h"
#include "behaviour_sync.h"
#if WITH_TRACKING
#include "behaviour_asked.h"
#endif

static int run_coroutine(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yield_in_turn),
        cmocka_unit_test(test_errno_is_the_tasks),
        cmocka_unit_test(test_cleanup_leaves_the_begun),
        cmocka_unit_test(test_many_sleep),
        cmocka_unit_test(test_wake_storm),
#if !WITH_PINNED
        cmocka_unit_test(test_woken_runs_elsewhere),
#endif
        cmocka_unit_test(test_deadline_of_a_sleeper),
        cmocka_unit_test(test_deadline_wakes_a_worker),
        cmocka_unit_test(test_close_waits_for_sleepers),
        cmocka_unit_test(test_cancel_wakes_sleepers),
        cmocka_unit_test(test_shield_outlasts_cancel),
        cmocka_unit_test(test_protected_part_sleeps),
        cmocka_unit_test(test_idle_stacks_go_back),
#if WITH_STATS && !TP__CHECK_ADDRESS && !TP__CHECK_THREAD
        cmocka_unit_test(test_stack_high_water),
#endif
        cmocka_unit_test(test_abandon_sleepers),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_panic_after_sleep),
        cmocka_unit_test(test_channels_between_tasks),
        cmocka_unit_test(test_cancel_at_a_channel),
        cmocka_unit_test(test_deadline_at_a_channel),
        cmocka_unit_test(test_sync_mixed),
        cmocka_unit_test(test_echo_on_sockets),
        cmocka_unit_test(test_ends_of_waits_for_descriptors),
#if WITH_TRACKING
        cmocka_unit_test(test_join_children),
        cmocka_unit_test(test_cancel_a_sleeper),
        cmocka_unit_test(test_asked_at_a_condition),
#if WITH_OPS
        cmocka_unit_test(test_select_tasks),
#endif
        cmocka_unit_test(test_asked_at_each_place),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

#if WITH_PINNED
#include "behaviour_pinned.h"
#endif

#if WITH_BOARD || WITH_NEWEST
static int run_policy(void)
{
    const struct CMUnitTest tests[] = {
#if WITH_CLASSES
        cmocka_unit_test(test_class_out_of_range),
#endif
#if WITH_PRIORITY || WITH_ADAPTIVE
        cmocka_unit_test(test_order_of_levels),
#endif
#if WITH_FAIR || (WITH_ADAPTIVE && !WITH_STEALING)
        cmocka_unit_test(test_shares),
#endif
#if WITH_FAIR
        cmocka_unit_test(test_history),
#endif
#if WITH_ADAPTIVE
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_decisions),
#endif
#if WITH_ADAPTIVE && WITH_STEALING
        cmocka_unit_test(test_window_ends_in_a_batch),
#endif
#if WITH_BOARD
        cmocka_unit_test(test_help_in_order),
        cmocka_unit_test(test_help_inside),
#endif
#if WITH_ADAPTIVE && WITH_STEALING
        cmocka_unit_test(test_help_from_queues),
#endif
#if WITH_NEWEST
        cmocka_unit_test(test_newest_first),
        cmocka_unit_test(test_newest_in_a_row),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

static int run_always(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_each_once),
        cmocka_unit_test(test_many_producers),
        cmocka_unit_test(test_near_wrap_around),
#if WITH_MOST
        cmocka_unit_test(test_theft_is_limited),
#endif
        cmocka_unit_test(test_order_from_outside),
#if !WITH_NEWEST
        cmocka_unit_test(test_order_from_inside),
#endif
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_all_workers_wake),
#if WITH_STEALING || WITH_BOARD
        cmocka_unit_test(test_child_of_blocked_task_is_stolen),
#endif
        cmocka_unit_test(test_nothing_is_kept),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_more_workers_than_cores),
        cmocka_unit_test(test_join_deadline),
        cmocka_unit_test(test_own_worker_is_refused),
        cmocka_unit_test(test_close_drains),
        cmocka_unit_test(test_closing_refuses_inside),
        cmocka_unit_test(test_close_against_submit),
        cmocka_unit_test(test_open_and_close),
        cmocka_unit_test(test_open_as_configured),
#if WITH_STATS
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_stats_when_held),
        cmocka_unit_test(test_times),
#endif
        cmocka_unit_test(test_panic_from_deep),
        cmocka_unit_test(test_many_panics),
        cmocka_unit_test(test_panic_log),
#if WITH_BOARD
        cmocka_unit_test(test_panic_in_help),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#if WITH_TRACKING
static int run_tracking(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_are_unique),
        cmocka_unit_test(test_last_generations),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_many_wait),
        cmocka_unit_test(test_detach),
        cmocka_unit_test(test_wait_for_oneself),
        cmocka_unit_test(test_no_handles),
#if WITH_CLASSES
        cmocka_unit_test(test_spawn_class),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

#if WITH_BOUNDED
/* Once per overload policy that the variant has. */
static int run_full(void)
{
    const struct CMUnitTest tests[] = {
#if WITH_TRACKING
        cmocka_unit_test(test_handles_of_a_full_pool),
#endif
        cmocka_unit_test(test_full_from_inside),
#if WITH_PRIORITY
        cmocka_unit_test(test_limits_of_levels),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

#if WITH_BOUNDED && WITH_BLOCK
static int run_block(void)
{
    const struct CMUnitTest tests[] = {
#if !WITH_DEADLINE || WITH_ANY
        cmocka_unit_test(test_block_until_room),
        cmocka_unit_test(test_close_wakes_waiting),
        cmocka_unit_test(test_block_storm),
        cmocka_unit_test(test_block_in_turn),
        cmocka_unit_test(test_block_a_batch),
        cmocka_unit_test(test_cleanup_lets_in),
#endif
#if (!WITH_DEADLINE || WITH_ANY) && WITH_BOARD
        cmocka_unit_test(test_help_lets_in),
#endif
#if (!WITH_DEADLINE || WITH_ANY) && WITH_PRIORITY
        cmocka_unit_test(test_block_by_level),
#endif
#if WITH_WAITING && WITH_DEADLINE
        cmocka_unit_test(test_waiting_and_deadline),
#endif
#if WITH_WAITING
        cmocka_unit_test(test_waiting_limit),
#endif
#if WITH_DEADLINE
        cmocka_unit_test(test_one_deadline),
        cmocka_unit_test(test_deadline_of_a_batch),
#endif
        cmocka_unit_test(test_panic_nested),
#if !WITH_BOARD && WITH_STEALING
        cmocka_unit_test(test_full_batch_is_told),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

#if WITH_BOUNDED && WITH_REJECT
static int run_reject(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reject_is_exact),
        cmocka_unit_test(test_batch_partly_accepted),
        cmocka_unit_test(test_reject_stops_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

#if WITH_BOUNDED && WITH_CALLER_RUNS
static int run_caller_runs(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_caller_runs),
        cmocka_unit_test(test_caller_runs_nested),
        cmocka_unit_test(test_panic_nested),
        cmocka_unit_test(test_panic_in_caller),
#if !WITH_BOARD && WITH_STEALING
        cmocka_unit_test(test_full_batch_is_told),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

#if WITH_BOUNDED && WITH_DROP_OLDEST
static int run_drop_oldest(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drop_oldest),
        cmocka_unit_test(test_drop_oldest_but_none_waits),
        cmocka_unit_test(test_drop_oldest_storm),
#if WITH_TRACKING
        cmocka_unit_test(test_cancelled_then_dropped),
#endif
#if WITH_CLASSES
        cmocka_unit_test(test_drop_lowest_class),
#endif
#if WITH_PRIORITY
        cmocka_unit_test(test_drop_not_in_vain),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

#if WITH_BOUNDED && WITH_DROP_NEWEST
static int run_drop_newest(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drop_newest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

#if WITH_BOUNDED && WITH_SPILL
static int run_spill(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_spill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

#if WITH_BOUNDED
/* A pool of this variant that is full. */
static int run_overload(enum tp_overload which)
{
    int n_failed = 0;
#if WITH_ANY
    overload = which;
#endif
    if (which != overload)
        return 0;
#if WITH_BLOCK
    n_failed += which == TP_OVERLOAD_BLOCK ? run_block() : 0;
#endif
#if WITH_REJECT
    n_failed += which == TP_OVERLOAD_REJECT ? run_reject() : 0;
#endif
#if WITH_CALLER_RUNS
    n_failed += which == TP_OVERLOAD_CALLER_RUNS ? run_caller_runs() : 0;
#endif
#if WITH_DROP_OLDEST
    n_failed += which == TP_OVERLOAD_DROP_OLDEST ? run_drop_oldest() : 0;
#endif
#if WITH_DROP_NEWEST
    n_failed += which == TP_OVERLOAD_DROP_NEWEST ? run_drop_newest() : 0;
#endif
#if WITH_SPILL
    n_failed += which == TP_OVERLOAD_SPILL ? run_spill() : 0;
#endif
    return n_failed + run_full();
}
#endif

int main(void)
{
    int n_failed = run_always();
#if WITH_FORKS
    n_failed += run_forks();
#endif
#if WITH_COROUTINE
    n_failed += run_coroutine();
#endif
#if WITH_PINNED
    n_failed += run_pinned();
#endif
#if WITH_TRACKING
    n_failed += run_tracking();
#endif
#if WITH_BOARD || WITH_NEWEST
    n_failed += run_policy();
#endif
#if WITH_BOUNDED
    for (int which = TP_OVERLOAD_BLOCK; which <= TP_OVERLOAD_SPILL; which++)
        if (which != TP_OVERLOAD_DROP_OLDEST || WITH_DROP_OLDEST)
            n_failed += run_overload((enum tp_overload)which);
#endif
    return n_failed;
}
