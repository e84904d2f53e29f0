/* Logs, and how well they compress. See press.h. */
#include "press.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    LINE_BYTES = 80, /* at most */
    MATCH_LEAST = 4, /* shorter matches are not worth a reference */
    MATCH_MOST = 255 + MATCH_LEAST,
    REFERENCE_BYTES = 3,
    SLOTS = 1 << 12,
};

size_t log_write(unsigned number, char text[LOG_BYTES])
{
    static const char *const methods[] = {"GET", "PUT", "HEAD"}, *const paths[] = {"/", "/image", "/image/small", "/about"};
    uint32_t random = number * 2654435761u + 1;
    size_t n = 0, least = LOG_BYTES / 2 + random % (LOG_BYTES / 2 - LINE_BYTES);
    while (n < least) {
        random = random * 1664525 + 1013904223; /* an ordinary linear congruence will do */
        n += (size_t)snprintf(text + n, LINE_BYTES, "%u %s %s 200 %u us\n", (unsigned)n, methods[random >> 30 & 1 ? 0 : random >> 28 & 1 ? 1
                                                                                                                                         : 2],
            paths[random >> 24 & 3], random >> 12 & 1023);
    }
    return n;
}

static uint32_t hash_of(const char *text)
{
    uint32_t four;
    memcpy(&four, text, sizeof four);
    return (four * 2654435761u) >> 20 & (SLOTS - 1);
}

size_t press_size(const char *text, size_t n)
{
    uint16_t last[SLOTS] = {0}; /* where these four bytes were last seen, + 1 */
    size_t size = 0;
    for (size_t at = 0; at < n;) {
        size_t length = 0;
        if (at + MATCH_LEAST <= n) {
            uint16_t *slot = &last[hash_of(text + at)];
            size_t from = (size_t)*slot - 1;
            while (*slot != 0 && at + length < n && length < MATCH_MOST && text[from + length] == text[at + length])
                length++;
            *slot = (uint16_t)(at + 1);
        }
        size += length >= MATCH_LEAST ? REFERENCE_BYTES : 1;
        at += length >= MATCH_LEAST ? length : 1;
    }
    return size;
}
