/* What the clients hand to the service: the payload of its pool, which the generated header includes. */
#ifndef OVERLOAD_H
#define OVERLOAD_H

#include <stdbool.h>
#include <stddef.h>

/* What is odd about a request. */
enum oddity {
    NOTHING_ODD,
    DISK_IS_SLOW, /* it takes until somebody calls disk_wake */
    LOG_IS_BROKEN,
    LOG_HAS_NO_END
};

/* The client's; it stays where it is until the request is over. */
struct request {
    unsigned log; /* its number */
    enum oddity oddity;
    size_t n_bytes, n_pressed; /* the answer */
    unsigned place;            /* it was served as the so-and-so-many-th; 0: it was not */
};

#endif
