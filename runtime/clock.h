/* The clock: monotonic nanoseconds. Deadlines are points on it, never durations. */
#ifndef TP_CLOCK_H
#define TP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A deadline that never passes. */
#define TP_FOREVER UINT64_MAX
#define TP_MICROSECOND UINT64_C(1000)
#define TP_MILLISECOND UINT64_C(1000000)
#define TP_SECOND UINT64_C(1000000000)

/* tp_clock_now_ns: the present, in nanoseconds since an arbitrary start; never goes back. In a task of a runtime with a time of its
 * own (runtime/runtime.h), that time.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_clock_now_ns(void);

/* tp__clock_common_ns: the same, whoever calls: that of everybody.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp__clock_common_ns(void);

/* tp__clock_ask: from now on ask who may have a time of its own, which tp_clock_now_ns then tells.
 * tell: fills *now_ns and returns true if the caller sees another time; the same function for all calls.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__clock_ask(bool (*tell)(uint64_t *now_ns));

/* tp_deadline_in_ns: the point `duration_ns` from now.
 * duration_ns: nanoseconds; so large a value that the sum would wrap gives TP_FOREVER.
 * Returns a deadline for any call that takes one.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint64_t tp_deadline_in_ns(uint64_t duration_ns);

/* tp_clock_minute_of_day: the minute of the day by the local time, 0 to 1439.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint32_t tp_clock_minute_of_day(void);

#ifdef __cplusplus
}
#endif

#endif
