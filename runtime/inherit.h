/* How task-locals get into tasks that may outlive the block they were set for. */
#ifndef TP_INHERIT_H
#define TP_INHERIT_H

#include "stock.h"

/* tp__inherit: a call that first sets what the caller's task sees now, in a copy.
 * call: replaced by such a one, which must be run, or given to tp_call_dropped; left as it is if there is nothing to inherit.
 * Returns 0 or TP_ENOMEM.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp__inherit(struct tp_call *call);

#endif
