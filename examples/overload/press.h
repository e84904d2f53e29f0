/* The work of a request: a log is compressed. Knows nothing of pools. */
#ifndef PRESS_H
#define PRESS_H

#include <stddef.h>

enum { LOG_BYTES = 1 << 15 }; /* of the longest log */

/* log_write: write the log with this number: lines as a service writes them, the same each time.
 * Returns its size, LOG_BYTES / 2 to LOG_BYTES. */
size_t log_write(unsigned number, char text[LOG_BYTES]);

/* press_size: how large a text becomes: what stood there before becomes a reference of three bytes
 * (Lempel and Ziv 1977).
 * text: n bytes, at most LOG_BYTES. */
size_t press_size(const char *text, size_t n);

#endif
