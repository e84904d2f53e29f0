/* How many processors this process may really use, and which. */
#ifndef TP_CPU_H
#define TP_CPU_H

#ifdef __cplusplus
extern "C" {
#endif

/* tp_cpu_count: the smaller of the affinity mask and the control group's quota, rounded up.
 * Returns at least 1, at most 4096. Reads the system anew at each call.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp_cpu_count(void);

/* Processors, a bit for each: as many as the kernel's largest configuration has. */
struct tp_cpu_mask {
    unsigned char bits[1024];
};

/* tp_cpu_mask_get: those that the calling thread may run on. If the system does not say, none.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_cpu_mask_get(struct tp_cpu_mask *mask);

/* tp_cpu_pin: the calling thread runs on one processor of the mask from now on: on the one before which index others stand,
 * counted round. Where that is not allowed (any more), and with an empty mask, it goes on as it was.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_cpu_pin(const struct tp_cpu_mask *mask, unsigned index);

/* tp__cpu_quota: the control group's part of the above.
 * root: in front of /proc and /sys, "" for the system's own; not kept.
 * Returns 4096 if there is no limit.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
unsigned tp__cpu_quota(const char *root);

#ifdef __cplusplus
}
#endif

#endif
