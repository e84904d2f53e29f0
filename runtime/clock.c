/* The clock: CLOCK_MONOTONIC, read through the kernel's shared page. */
#include "clock.h"

#include <time.h>

uint64_t tp_clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TP_SECOND + (uint64_t)now.tv_nsec;
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
