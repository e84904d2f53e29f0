/* The paths of Unix sockets, which stay in the file system when nobody listens there any more. */
#ifndef TP_UNIX_PATH_H
#define TP_UNIX_PATH_H

#include "address.h"

/* tp__unix_path: the path of an address, part of it; NULL if it has none.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
const char *tp__unix_path(const struct tp_address *address);

/* tp__unix_path_clear: if a socket is there that refuses connections, since whoever listened has ended, its path is removed. Anything else
 * stays. Two programs that do so at the same moment may both think so: the later one has the path.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
void tp__unix_path_clear(const struct tp_address *address);

#endif
