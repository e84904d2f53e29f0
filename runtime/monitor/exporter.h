/* An exporter: answers GET /metrics over HTTP, on a Unix socket or a loopback port, from a thread of its own.
 * Invariant: no pool waits for a client. A client has a few seconds and a few kilobytes; who is slower, or sends more, is cut off
 * (docs/monitoring.md). */
#ifndef TP_EXPORTER_H
#define TP_EXPORTER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tp_exporter;

/* tp_exporter_open: listen, and answer from now on.
 * out:   receives the exporter, which ends with tp_exporter_close; untouched on error.
 * where: "unix:/path", which only this user may connect to, and where a socket that nobody listens to any more is replaced; or
 *        "127.0.0.1:port", "[::1]:port". Port 0: the system chooses one. Not kept.
 * Returns 0; TP_EINVAL for any other address; TP_EADDRINUSE; TP_EACCES; TP_EMFILE; TP_ENOMEM; TP_ETHREAD.
 * [thread: any] [suspends: no] [blocks: no] [allocates: yes] */
int tp_exporter_open(struct tp_exporter **out, const char *where);

/* tp_exporter_port: the port it listens to; 0 for a Unix socket.
 * [thread: any] [suspends: no] [blocks: no] [allocates: no] */
uint16_t tp_exporter_port(const struct tp_exporter *exporter);

/* tp_exporter_close: no more answers; connections end, and so does the thread; the path of a Unix socket is removed. In the child of a
 * fork, which has no such thread, the descriptors are closed and nothing else.
 * exporter: gone afterwards; NULL does nothing.
 * [thread: any] [suspends: no] [blocks: yes] [allocates: no] */
void tp_exporter_close(struct tp_exporter *exporter);

#ifdef __cplusplus
}
#endif

#endif
