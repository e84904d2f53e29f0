/* The payload of the shards, which the generated headers include. */
#ifndef SHARDS_H
#define SHARDS_H

#include <stdbool.h>
#include <stddef.h>

/* The client's; it stays where it is until the request is over. */
struct request {
    unsigned log;              /* its number; examples/overload/press.h writes and compresses it */
    bool is_slow;              /* it takes until somebody calls disk_wake */
    size_t n_bytes, n_pressed; /* the answer */
};

#endif
