/* A node of the tree, which the generated pool's header includes. It lies on the stack of the task above, or is the root. */
#ifndef SKYNET_H
#define SKYNET_H

#include <stdint.h>

#include <tidepool.h>

struct node {
    uint64_t first, size, sum;
    struct tp_chan *done; /* where its sum goes */
};

#endif
