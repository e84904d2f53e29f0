/* The paths of Unix sockets. */
#include "unix_path.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

const char *tp__unix_path(const struct tp_address *address)
{
    const struct sockaddr_un *named = (const void *)&address->storage;
    return named->sun_family == AF_UNIX && named->sun_path[0] != '\0' ? named->sun_path : NULL;
}

void tp__unix_path_clear(const struct tp_address *address)
{
    struct stat found;
    const char *path = tp__unix_path(address);
    if (!path || lstat(path, &found) != 0 || !S_ISSOCK(found.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)&address->storage, address->n_bytes) != 0 && errno == ECONNREFUSED)
        unlink(path);
    close(fd);
}
