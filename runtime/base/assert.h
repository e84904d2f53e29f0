/* tp_assert: catches misuse in debug builds (TP_DEBUG), costs nothing otherwise.
 * Never put an effect into its condition. */
#ifndef TP_ASSERT_H
#define TP_ASSERT_H

#if TP_DEBUG
#include <stdio.h>
#include <stdlib.h>
#define tp_assert(condition) ((condition) ? (void)0 : tp__broken(__FILE__, __LINE__, #condition))

/* Says what does not hold, and where, and ends the program. */
static inline void tp__broken(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: tidepool: broken: %s\n", file, line, condition);
    abort();
}
#else
#define tp_assert(condition) ((void)sizeof(!(condition)))
#endif

#endif
