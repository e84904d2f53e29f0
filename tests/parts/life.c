/* The life of a pool, from opening to its end and on: what every variant promises about closing,
 * cancelling, reopening, forking, tuning and what its keeper does. Compiled once per variant that
 * differs in these (parts.ninja). */
#include "life.h"

#include "behaviour_close.h"

#include "behaviour_cancel.h"
#include "behaviour_reopen.h"
#include "behaviour_fork.h"
#include "behaviour_tune.h"
#include "behaviour_keeper.h"

/* A sanitizer may start a thread of its own together with the first of ours. */
static void *do_nothing(void *argument)
{
    return argument;
}

int main(void)
{
    pthread_t first;
    if (pthread_create(&first, NULL, do_nothing, NULL) != 0)
        return 1;
    pthread_join(first, NULL);
    n_threads_first = list_threads();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_from_many),
        cmocka_unit_test(test_close_in_vain),
        cmocka_unit_test(test_closed_refuses),
        cmocka_unit_test(test_close_within_worker),
#if WITH_BOUNDED && WITH_CALLER_RUNS
        cmocka_unit_test(test_close_within_submitter),
#endif
#if WITH_BOARD
        cmocka_unit_test(test_close_within_helper),
        cmocka_unit_test(test_close_waits_for_helper),
#endif
#if BLOCKS
        cmocka_unit_test(test_close_wakes_every_class),
        cmocka_unit_test(test_cleanup_makes_room),
#endif
        cmocka_unit_test(test_no_thread_is_left),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cancel_children),
        cmocka_unit_test(test_cancel_upgrades),
        cmocka_unit_test(test_cleanup),
#if WITH_BOUNDED && WITH_DROPPED
        cmocka_unit_test(test_close_waits_for_cleaner),
#endif
        cmocka_unit_test(test_abandon_running),
        cmocka_unit_test(test_abandon_deaf),
        cmocka_unit_test(test_abandon_within),
        cmocka_unit_test(test_abandon_idle),
        cmocka_unit_test(test_reopen_is_fresh),
#if WITH_BOUNDED
        cmocka_unit_test(test_reopen_capacity),
#endif
        cmocka_unit_test(test_reopen_refused),
        cmocka_unit_test(test_two_reopen),
#if WITH_TRACKING
        cmocka_unit_test(test_reopen_ids),
#endif
        cmocka_unit_test(test_late_submitter),
        cmocka_unit_test(test_reopen_storm),
        cmocka_unit_test(test_fork_under_load),
#if WITH_TUNE
        cmocka_unit_test(test_tune_says_so),
        cmocka_unit_test(test_tune_workers),
        cmocka_unit_test(test_tune_workers_in_use),
        cmocka_unit_test(test_leaver_tells_joiner),
        cmocka_unit_test(test_tune_under_load),
        cmocka_unit_test(test_tune_against_close),
#endif
#if WITH_TUNE && WITH_STATS
        cmocka_unit_test(test_leaver_is_not_busy),
#endif
#if WITH_TUNE && WITH_FAIR || WITH_TUNE && WITH_ADAPTIVE
        cmocka_unit_test(test_leaver_pays),
#endif
#if WITH_TUNE && WITH_BOUNDED
        cmocka_unit_test(test_tune_shrinks),
#endif
#if WITH_TUNE && BLOCKS
        cmocka_unit_test(test_tune_lets_in),
#endif
#if WITH_RANGE && !WITH_AUTO
        cmocka_unit_test(test_range),
#endif
#if WITH_EXPIRE
        cmocka_unit_test(test_expire),
        cmocka_unit_test(test_expire_under_load),
        cmocka_unit_test(test_close_without_threads),
#endif
#if WITH_EXPIRE && WITH_COROUTINE
        cmocka_unit_test(test_close_without_threads_but_a_sleeper),
#endif
#if WITH_EXPIRE && WITH_TUNE
        cmocka_unit_test(test_expire_then_shrink),
#endif
#if WITH_TIMEOUT
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_timeout_is_per_task),
        cmocka_unit_test(test_timeout_too_late),
#endif
#if WITH_AUTO
        cmocka_unit_test(test_auto),
        cmocka_unit_test(test_auto_needs_a_row),
        cmocka_unit_test(test_auto_above),
#endif
#if WITH_AUTO && BLOCKS
        cmocka_unit_test(test_auto_sees_submitters),
#endif
#if WITH_HOURS
        cmocka_unit_test(test_auto_hours),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
