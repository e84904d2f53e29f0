/* The clock: CLOCK_MONOTONIC, read through the kernel's shared page. */
#include "clock.h"

#include "base/atomic.h"

#include <time.h>

typedef bool (*tell_function)(uint64_t *now_ns);

static tp_atomic(tell_function) ask; /* NULL: nobody has a time of its own. Written once, before there is a task that needs it */

void tp__clock_ask(bool (*tell)(uint64_t *now_ns))
{
    tp_store_rel(&ask, tell); /* a task that needs it has been handed on since */
}

uint64_t tp__clock_common_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TP_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t tp_clock_now_ns(void)
{
    tell_function tell = tp_load_rlx(&ask); /* relaxed: see above; who does not need it may miss it */
    uint64_t now_ns;
    if (__builtin_expect(tell != NULL, 0) && tell(&now_ns))
        return now_ns;
    return tp__clock_common_ns();
}

uint64_t tp_deadline_in_ns(uint64_t duration_ns)
{
    uint64_t now = tp_clock_now_ns();
    return duration_ns < TP_FOREVER - now ? now + duration_ns : TP_FOREVER;
}

uint32_t tp_clock_minute_of_day(void)
{
    time_t now = time(NULL);
    struct tm local;
    return localtime_r(&now, &local) ? (uint32_t)(local.tm_hour * 60 + local.tm_min) : 0;
}
