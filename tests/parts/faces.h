/* The task of tests/parts/faces.pool: a function of the test's, and how often it ran. */
#ifndef FACES_H
#define FACES_H

#include "runtime/base/atomic.h"

struct work {
    int (*run)(struct work *);
    tp_atomic(int) ran;
    int code;      /* for the test's own use */
    void *context; /* likewise */
};

#endif
