/* Files. Each call is one of the system's, made where it may take its time. */
#include "file.h"

#include "../base/status.h"
#include "offload.h"

#include <errno.h>
#include <unistd.h>

/* The arguments of all of them. */
struct request {
    const char *path;
    void *buffer;
    const void *bytes;
    size_t n_bytes;
    off_t offset;
    int flags;
    unsigned mode;
    enum tp_fd_kind kind; /* of what was opened */
    struct stat stat;
};

static ssize_t do_open(int unused, enum tp_fd_kind kind, void *argument)
{
    struct request *request = argument;
    (void)unused;
    (void)kind;
    int fd = open(request->path, request->flags | O_CLOEXEC | O_NONBLOCK, (mode_t)request->mode); /* a pipe's other end is not waited for */
    if (fd >= 0)
        request->kind = tp__fd_kind_of(fd);
    return fd;
}

int tp_open(const char *path, int flags, unsigned mode, uint64_t deadline_ns, struct tp_fd *out)
{
    struct request request = {.path = path, .flags = flags, .mode = mode};
    ssize_t fd;
    if (!path || !out)
        return TP_EINVAL;
    int status = tp__offload(do_open, -1, &request, deadline_ns, &fd);
    return status == 0 ? tp__fd_adopt((int)fd, request.kind, out) : status;
}

static ssize_t do_pread(int fd, enum tp_fd_kind kind, void *argument)
{
    const struct request *request = argument;
    (void)kind;
    return pread(fd, request->buffer, request->n_bytes, request->offset);
}

static ssize_t do_pwrite(int fd, enum tp_fd_kind kind, void *argument)
{
    const struct request *request = argument;
    (void)kind;
    return pwrite(fd, request->bytes, request->n_bytes, request->offset);
}

/* Is that a place in a file? */
static bool is_place(uint64_t offset)
{
    return offset <= INT64_MAX;
}

int tp_pread(struct tp_fd fd, void *buffer, size_t n_bytes, uint64_t offset, uint64_t deadline_ns, size_t *n_read)
{
    struct request request = {.buffer = buffer, .n_bytes = n_bytes, .offset = (off_t)offset};
    ssize_t n;
    int status = is_place(offset) ? tp__fd_do(fd, TP_FD_READABLE, deadline_ns, do_pread, NULL, &request, &n) : TP_EINVAL;
    if (status == 0 && n_read)
        *n_read = (size_t)n;
    return status;
}

int tp_pwrite(struct tp_fd fd, const void *buffer, size_t n_bytes, uint64_t offset, uint64_t deadline_ns, size_t *n_written)
{
    struct request request = {.bytes = buffer, .n_bytes = n_bytes, .offset = (off_t)offset};
    ssize_t n;
    int status = is_place(offset) ? tp__fd_do(fd, TP_FD_WRITABLE, deadline_ns, do_pwrite, NULL, &request, &n) : TP_EINVAL;
    if (status == 0 && n_written)
        *n_written = (size_t)n;
    return status;
}

static ssize_t do_fsync(int fd, enum tp_fd_kind kind, void *argument)
{
    (void)kind;
    (void)argument;
    return fsync(fd);
}

int tp_fsync(struct tp_fd fd, uint64_t deadline_ns)
{
    return tp__fd_do(fd, TP_FD_WRITABLE, deadline_ns, do_fsync, NULL, NULL, NULL);
}

static ssize_t do_stat(int fd, enum tp_fd_kind kind, void *argument)
{
    struct request *request = argument;
    (void)kind;
    return request->path ? stat(request->path, &request->stat) : fstat(fd, &request->stat);
}

int tp_stat(const char *path, uint64_t deadline_ns, struct stat *out)
{
    struct request request = {.path = path};
    int status = path && out ? tp__offload(do_stat, -1, &request, deadline_ns, NULL) : TP_EINVAL;
    if (status == 0)
        *out = request.stat;
    return status;
}

int tp_fstat(struct tp_fd fd, uint64_t deadline_ns, struct stat *out)
{
    struct request request = {.path = NULL};
    int status = out ? tp__fd_do(fd, TP_FD_READABLE, deadline_ns, do_stat, NULL, &request, NULL) : TP_EINVAL;
    if (status == 0)
        *out = request.stat;
    return status;
}
