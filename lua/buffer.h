/* Bytes that grow; small ones live inside the struct, so a small message costs no allocation. */
#ifndef TIDE_BUFFER_H
#define TIDE_BUFFER_H

#include "../runtime/base/status.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { TIDE_BUFFER_LOCAL = 120 };

struct tide_buffer {
    unsigned char *data; /* `local`, or from malloc */
    size_t n, size;      /* bytes used, bytes there */
    unsigned char local[TIDE_BUFFER_LOCAL];
};

static inline void tide_buffer_init(struct tide_buffer *buffer)
{
    buffer->data = buffer->local;
    buffer->n = 0;
    buffer->size = TIDE_BUFFER_LOCAL;
}

static inline void tide_buffer_free(struct tide_buffer *buffer)
{
    if (buffer->data != buffer->local)
        free(buffer->data);
    tide_buffer_init(buffer);
}

/* tide__buffer_grow: room for n more bytes when there is none.
 * Returns 0 or TP_ENOMEM, with the buffer as it was.
 * [thread: owner] [suspends: no] [blocks: no] [allocates: yes] */
int tide__buffer_grow(struct tide_buffer *buffer, size_t n);

static inline int tide_buffer_add(struct tide_buffer *buffer, const void *bytes, size_t n)
{
    if (n > buffer->size - buffer->n && tide__buffer_grow(buffer, n) != 0)
        return TP_ENOMEM;
    memcpy(buffer->data + buffer->n, bytes, n);
    buffer->n += n;
    return 0;
}

#endif
