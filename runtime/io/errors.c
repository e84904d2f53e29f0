/* What the system says, as status codes. errno itself stays as it was, for who wants to know more. */
#include "../base/status.h"
#include "fd_parts.h"

#include <errno.h>

int tp__status_of(int error)
{
    switch (error) {
    case EBADF:
    case ESRCH:
    case ECHILD:
        return TP_ESTALE;
    case EINVAL:
    case ENOTSOCK:
    case EDESTADDRREQ:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EMSGSIZE:
    case ENAMETOOLONG:
    case EISDIR:
    case ENOTDIR:
        return TP_EINVAL;
    case ENOMEM:
    case ENOBUFS:
        return TP_ENOMEM;
    case EMFILE:
    case ENFILE:
        return TP_EMFILE;
    case EPIPE:
    case ENOTCONN:
        return TP_EPIPE;
    case ECONNRESET:
    case ECONNABORTED:
        return TP_ERESET;
    case ECONNREFUSED:
        return TP_EREFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
        return TP_EUNREACH;
    case ETIMEDOUT:
        return TP_ETIMEDOUT;
    case EADDRINUSE:
        return TP_EADDRINUSE;
    case EACCES:
    case EPERM:
        return TP_EACCES;
    case ENOENT:
        return TP_ENOENT;
    case EEXIST:
        return TP_EEXIST;
    case ENOSPC:
    case EDQUOT:
        return TP_ENOSPC;
    default:
        return TP_EIO;
    }
}
