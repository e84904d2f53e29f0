/* Cache lines: what two sides write goes on two lines.
 * 128 rather than 64, because x86 prefetches lines in pairs and some arm64 lines are 128 long. */
#ifndef TP_ALIGN_H
#define TP_ALIGN_H

#include <stdalign.h>

enum { TP_CACHE_LINE_BYTES = 128 };

/* Put before a struct's member to begin a new cache line with it. */
#define tp_line_aligned alignas(TP_CACHE_LINE_BYTES)

#endif
