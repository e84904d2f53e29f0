/* The end of a thread: what the C library offers for the destructors of C++'s thread-locals; another one may not.
 * Invariant: it is registered with this library's own handle, so that a library which was loaded stays until such threads have ended. */
#include "at_exit.h"

extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

bool tp__at_thread_exit(void (*run)(void *argument), void *argument)
{
    return __cxa_thread_atexit_impl && __cxa_thread_atexit_impl(run, argument, &__dso_handle) == 0;
}
