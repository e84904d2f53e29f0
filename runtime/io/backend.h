/* What the kernel is asked for descriptors that become ready: epoll or io_uring. One choice for the process.
 * Invariant: whatever is chosen, epoll answers where the system refuses io_uring (docs/io.md). */
#ifndef TP_BACKEND_H
#define TP_BACKEND_H

#ifdef __cplusplus
extern "C" {
#endif

enum tp_io_backend {
    TP_IO_AUTO, /* as the environment says in TIDEPOOL_IO: epoll, io_uring or auto; else epoll */
    TP_IO_EPOLL,
    TP_IO_URING
};

/* tp_io_choose: choose for all pools, before a task has waited for a descriptor. TIDEPOOL_IO does not count then.
 * Returns 0; TP_EBUSY: one has; TP_EINVAL.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
int tp_io_choose(enum tp_io_backend backend);

/* tp_io_in_force: what the pool uses whose task was the last to be a pool's first to wait for a descriptor. TP_IO_AUTO: none has waited yet.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
enum tp_io_backend tp_io_in_force(void);

#ifdef __cplusplus
}
#endif

#endif
