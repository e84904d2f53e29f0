/* tp_co_local without a call, for the library.
 * Invariant: the thread's pointer follows each switch, or is NULL on a thread that has made none and not asked yet. */
#ifndef TP_LOCAL_H
#define TP_LOCAL_H

#include "../runtime/base/tls.h"
#include "coro.h"

TP_TLS_DECLARE(void **, tp__local_place);

static inline void **tp__co_local(void)
{
    void **place = tp_tls_value(tp__local_place); /* looked up anew at each use [CORO-2] */
    return __builtin_expect(place != NULL, 1) ? place : tp_co_local();
}

#endif
