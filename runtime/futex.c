/* Sleeping on a word, by Linux futexes; the errno of the caller is left as it was. */
#include "futex.h"

#include "base/status.h"
#include "clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int tp_futex_wait(tp_atomic(uint32_t) *word, uint32_t expected, uint64_t deadline_ns)
{
    struct timespec until, *limit = NULL;
    if (deadline_ns != TP_FOREVER) {
        until.tv_sec = (time_t)(deadline_ns / TP_SECOND);
        until.tv_nsec = (long)(deadline_ns % TP_SECOND);
        limit = &until;
    }
    int saved = errno;
    /* The BITSET form takes an absolute time on the monotonic clock. */
    long rc = syscall(SYS_futex, (uint32_t *)word, FUTEX_WAIT_BITSET_PRIVATE, expected, limit, NULL, FUTEX_BITSET_MATCH_ANY);
    int status = rc != 0 && errno == ETIMEDOUT ? TP_ETIMEDOUT : 0;
    errno = saved;
    return status;
}

void tp_futex_wake(tp_atomic(uint32_t) *word, int n)
{
    int saved = errno;
    syscall(SYS_futex, (uint32_t *)word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
    errno = saved;
}
