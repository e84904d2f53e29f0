/* Functions that stay apart from their callers, also when the whole program is optimised at link time: a compiler that sees
 * through two calls looks up thread-locals once for both, though a coroutine may have changed threads in between. */
#ifndef TP_APART_H
#define TP_APART_H

/* Put before a function's definition. */
#if defined(__clang__)
#define TP_APART __attribute__((noinline))
#else
#define TP_APART __attribute__((noipa))
#endif

#endif
