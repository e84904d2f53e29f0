/* A descriptor as a case of tp_select. docs/select.md. */
#ifndef TP_CASE_FD_H
#define TP_CASE_FD_H

#include "../sync/select.h"
#include "fd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* tp_case_fd: something can be done with a descriptor, as tp_fd_wait tells; the doing follows. It is for tasks in coroutines: elsewhere nobody
 * hears of the descriptor, and the case says TP_ENOTSUP at once, unless it is ready. TP_ESTALE says also that it was closed meanwhile.
 * what:  as in tp_fd_wait.
 * which: filled if this case happens, with status 0; NULL: does not matter.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
struct tp_case tp_case_fd(struct tp_fd fd, unsigned what, unsigned *which);

#ifdef __cplusplus
}
#endif

#endif
