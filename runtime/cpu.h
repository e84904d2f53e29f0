/* How many processors this process may really use. */
#ifndef TP_CPU_H
#define TP_CPU_H

#ifdef __cplusplus
extern "C" {
#endif

/* tp_cpu_count: the smaller of the affinity mask and the control group's quota, rounded up.
 * Returns at least 1, at most 4096. Reads the system anew at each call.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp_cpu_count(void);

/* tp__cpu_quota: the control group's part of the above.
 * root: in front of /proc and /sys, "" for the system's own; not kept.
 * Returns 4096 if there is no limit.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp__cpu_quota(const char *root);

#ifdef __cplusplus
}
#endif

#endif
