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

#ifdef __cplusplus
}
#endif

#endif
