/* Calls that hold a thread. docs/io.md. */
#include "offload.h"

#include "../../coro/coro.h"
#include "../base/status.h"
#include "../blocking.h"
#include "../clock.h"
#include "../fibers.h"

#include <errno.h>

struct request {
    ssize_t (*call)(int fd, enum tp_fd_kind kind, void *argument);
    void *argument;
    int fd, error;
    ssize_t n;
};

static int run(void *argument)
{
    struct request *request = argument;
    do {
        request->n = request->call(request->fd, TP_FD_FILE, request->argument);
        request->error = request->n < 0 ? errno : 0;
    } while (request->error == EINTR);
    return 0;
}

int tp__offload(ssize_t (*call)(int fd, enum tp_fd_kind kind, void *argument), int fd, void *argument, uint64_t deadline_ns, ssize_t *done)
{
    struct request request = {.call = call, .argument = argument, .fd = fd};
    int status = tp_task_check();
    if (status == 0 && tp_fiber_self() && deadline_ns != TP_FOREVER && deadline_ns <= tp_clock_now_ns())
        return TP_ETIMEDOUT; /* it might begin all the same, if a thread were free */
    if (status == 0 && tp_fiber_self())
        status = tp_blocking_call(NULL, run, &request, deadline_ns, NULL);
    else if (status == 0)
        run(&request);
    if (status != 0)
        return status;
    if (request.error != 0) {
        *tp_co_errno() = request.error;
        return tp__status_of(request.error);
    }
    if (done)
        *done = request.n;
    return 0;
}
