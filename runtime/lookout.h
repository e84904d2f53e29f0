/* The lookout: while a pool's workers sleep, one of them does so only until the earliest deadline, and in the driver, so that alarms
 * ring and descriptors are heard. The others sleep until they are woken.
 * Invariant [LOOK-1]: while some worker sleeps, and there is something to look out for, one has the lookout, or is awake and will
 * see to it before it works or sleeps (docs/io.md). */
#ifndef TP_LOOKOUT_H
#define TP_LOOKOUT_H

#include "base/align.h"
#include "io/driver.h"

struct tp_fibers;
struct tp_worker;

struct tp_lookout {
    struct tp_driver driver;
    tp_line_aligned tp_atomic(struct tp_worker *) holder; /* NULL: it is vacant [LOOK-1] */
    tp_atomic(uint64_t) until_ns;                         /* when the holder's sleep ends by itself; 0: it does not sleep, or was told [LOOK-2] */
};

/* tp_lookout_init: vacant, with a driver that is not open.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_lookout_init(struct tp_lookout *lookout);

/* tp_lookout_sleep: tp_idle_sleep, with the lookout if nobody has it. Awake again, the caller has woken the tasks whose descriptors
 * are ready; it looks at the alarms by itself.
 * [thread: owning worker] [suspends: no] [blocks: yes] [allocates: no] */
bool tp_lookout_sleep(struct tp_fibers *fibers, struct tp_worker *worker);

/* tp_lookout_glance: by a worker that has been busy: wake the tasks whose descriptors are ready, unless another has the lookout.
 * [thread: owning worker] [suspends: no] [blocks: no] [allocates: no] */
void tp_lookout_glance(struct tp_fibers *fibers);

/* tp_lookout_is_vacant: is there something to look out for, and nobody who does? By who ends the last search, after it: then it wakes a
 * sleeper as if work were visible [LOOK-1].
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
bool tp_lookout_is_vacant(struct tp_fibers *fibers);

/* tp_lookout_tell: there is a new deadline, which tp_fibers_next_ns knows. Who sleeps for longer wakes up, and looks again.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp_lookout_tell(struct tp_fibers *fibers, uint64_t at_ns);

/* tp_lookout_open: tp_driver_open, of which who has the lookout learns.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_lookout_open(struct tp_fibers *fibers);

#endif
