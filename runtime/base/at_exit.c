/* The end of a thread: by what the C library offers for the destructors of C++'s thread-locals, else, as in a static program or with
 * another library, by the destructor of a POSIX key. There it happens a little later, and not for the main thread.
 * Invariant: each hook runs once, the last one first. */
#include "at_exit.h"

#include <pthread.h>
#include <stdlib.h>

extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden"))); /* so that a library which was loaded stays until such threads end */

struct hook {
    struct hook *outer;
    void (*run)(void *argument);
    void *argument;
};

static pthread_key_t hooks; /* of the thread, the last one first */
static pthread_once_t has_key = PTHREAD_ONCE_INIT;
static bool is_key;

static void run_hooks(void *last)
{
    for (struct hook *hook = last, *outer; hook; hook = outer) {
        outer = hook->outer;
        hook->run(hook->argument);
        free(hook);
    }
}

static void make_key(void)
{
    is_key = pthread_key_create(&hooks, run_hooks) == 0;
}

static bool at_end_of_key(void (*run)(void *argument), void *argument)
{
    pthread_once(&has_key, make_key);
    struct hook *hook = is_key ? malloc(sizeof *hook) : NULL;
    if (!hook)
        return false;
    *hook = (struct hook){pthread_getspecific(hooks), run, argument};
    if (pthread_setspecific(hooks, hook) == 0)
        return true;
    free(hook);
    return false;
}

bool tp__at_thread_exit(void (*run)(void *argument), void *argument)
{
    if (__cxa_thread_atexit_impl)
        return __cxa_thread_atexit_impl(run, argument, &__dso_handle) == 0;
    return at_end_of_key(run, argument);
}
